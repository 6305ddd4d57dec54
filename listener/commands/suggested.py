"""The articles beside a mention, as whoever looks at it may read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from listener.commands import encoding, reading_as
from listener.commands.app import App
from listener.store import shelf

if TYPE_CHECKING:
    from listener.desk.suggesting import Suggestion


def beside(app: App, text: str, *, language: str = "", limit: int = 3) -> tuple[Suggestion, ...]:
    """The articles for that text, the nearest first. The model is loaded only where something is published."""
    if not text.strip():
        return ()
    with app.store.read() as tx:
        if shelf.is_empty(tx):
            return ()
    from listener.desk import suggesting

    encoder = encoding.of(app)
    vector = encoder.vector(text[:2000])
    with app.store.read() as tx:
        return suggesting.beside(
            tx,
            text,
            vector=vector,
            model=encoder.model,
            reader=reading_as.reader(app),
            language=language.partition("-")[0],
            limit=limit,
        )


def keys(suggested: tuple[Suggestion, ...]) -> list[dict[str, Any]]:
    """As programs are told of them."""
    return [
        {
            "version": each.name,
            "title": each.title,
            "language": each.language,
            "audience": each.audience,
            "answers": each.answers,
            "score": each.score,
        }
        for each in suggested
    ]
