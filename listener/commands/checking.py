"""What a query comes to: what the network will do with it, what is matched here, and whether given texts match."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from listener.commands import output, texts_file
from listener.errors import Mistake, NotFound

if TYPE_CHECKING:
    from listener.commands.app import App
    from listener.contract import Connector

MOST_TEXTS = 1000

Said = tuple[str, str]  # a text, and the handle of who says it


def read_texts(app: App, texts: Sequence[str], file: Path | None, author: str) -> list[Said]:
    """What is to be tried: the texts, said by `author`, and those in the file, by whom it says."""
    in_file = texts_file.read(file, limit=MOST_TEXTS, now=app.now()) if file else []
    return [*((text, author) for text in texts), *((post.text, post.author.handle) for post in in_file)]


def understood(connector: Connector, query: str, tried: Sequence[Said], language: str | None) -> dict[str, Any]:
    """What the network will do with the query, what is matched here, and which of the texts that is.

    Raises Mistake for a query that cannot be read or served there.
    """
    hears, terms = connector.explain_query(query), connector.terms(query)
    return {
        "hears": hears,
        "terms": str(terms) if terms else None,
        "tried": [
            {
                "text": text,
                "author": author or None,
                "matches": terms.matches(text, language=language, author=author) if terms else None,
            }
            for text, author in tried
        ],
    }


def with_brand(app: App, query: str) -> str:
    """The query with the brand's terms in the place of `brand`, as a source's. Raises Mistake where there are none."""
    from listener.config import with_terms

    try:
        return with_terms(query, app.config_or_default.brand.terms)
    except Mistake as mistake:
        raise Mistake(f"The query {mistake}") from None


def connected(app: App, network: str) -> Connector:
    """An account of ours on that network; where there is none, a connection that needs to be told nothing."""
    from pydantic import ValidationError

    known = app.connectors.available()
    if network not in known:
        close = difflib.get_close_matches(network, known, n=1)
        raise NotFound(f"There is no network {network!r}; {f'did you mean {close[0]}?' if close else ', '.join(known)}")
    for account in app.config_or_default.accounts.values():
        if account.network == network:
            return app.unasked(account.name)
    try:
        return app.connect(network, app.settings_of(network).model_validate({}))
    except ValidationError as error:
        raise Mistake(
            f"{network} needs an account to be told from; add one with `escucha source add {network} --no-try`."
        ) from error


def show_tried(tried: Sequence[dict[str, Any]]) -> None:
    """Each text, and whether it would be kept."""
    if not tried:
        return
    output.say()
    if tried[0]["matches"] is None:
        output.say("Whatever the network gives for this query is kept; there is nothing to match here.")
        return
    words = {True: output.styled("kept", "bold green"), False: output.styled("not kept", "dim")}
    output.table(["", "text"], [(words[each["matches"]], each["text"]) for each in tried], empty="", wide="text")
    output.say(f"{sum(each['matches'] for each in tried)} of {output.counted(len(tried), 'text')} would be kept.")
