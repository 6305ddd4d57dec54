"""What is read for a query, and what of that is kept: terms, and what of them a server can look for. Pure.

A hashtag that must be there is read from its timeline, which needs no account and misses nothing that the server knows.
Anything else goes to the server's text search. It finds words, all of which must be there, whatever their accents and
endings; a phrase only to the letter, so its words are asked for instead. What it excludes by a word it excludes with
all its endings, but a quoted word to the letter. It knows no OR, so a choice takes a search each. (Mastodon's
app/lib/search_query_{parser,transformer}.rb and app/chewy/statuses_index.rb, main branch, 2026.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from listener.errors import Mistake
from listener.terms import And, Expression, Not, Tag, Terms, Word, both, folding, parse, searches
from listener.types import Post

MOST_SEARCHES = 10  # for one query: each is a request, and a server allows 300 in 5 minutes

_TAG = re.compile(r"#(?=.*[^\W\d_])[\w·\u200c]{1,100}")
_MOST_CHARACTERS = 500


@dataclass(frozen=True, kw_only=True)
class Query:
    """Either the `tag` whose timeline is read, or `texts` to search for one after the other; else our mentions.

    `terms`: what a post must match to be kept; None keeps all.
    """

    tag: str = ""
    texts: tuple[str, ...] = ()
    terms: Terms | None = None

    @property
    def kind(self) -> str:
        """`tag`, `search` or `mentions`."""
        return "tag" if self.tag else "search" if self.texts else "mentions"

    def keeps(self, post: Post, *, host: str) -> bool:
        """Whether the post, read at that host, is what was asked for, in all that can be read of it."""
        if self.terms is None:
            return True
        said = "\n".join((post.content_warning, post.text, *(each.alt for each in post.media)))
        handle = post.author.handle
        return self.terms.matches(said, language=post.language, author=handle if "@" in handle else f"{handle}@{host}")


def read_query(query: str) -> Query:
    """What is asked for. Raises Mistake for what makes no sense."""
    query = query.strip()
    if not query:
        raise Mistake("Say what to listen to: mentions, a #hashtag, or terms to search for.")
    if query.lower() == "mentions":
        return Query()
    if query.startswith("#") and " " not in query:
        _refuse_strange(query)
    terms = parse(query)
    parts = terms.expression.parts if isinstance(terms.expression, And) else (terms.expression,)
    for tag in (part for part in parts if isinstance(part, Tag) and _TAG.fullmatch(str(part))):
        rest = tuple(part for part in parts if part is not tag)  # the server has seen to the tag
        return Query(tag=tag.text, terms=Terms(query, both(rest)) if rest else None)
    texts = tuple(map(_searched, searches(terms.expression, _can_search)))
    if not texts:
        raise Mistake(
            f"Mastodon cannot look for {terms}: add a word that must be there to each of the choices, or a #hashtag to "
            "all of them."
        )
    if len(texts) > MOST_SEARCHES:
        raise Mistake(
            f"These terms take {len(texts)} searches, since Mastodon's knows no OR; make several sources of them, with "
            f"{MOST_SEARCHES} choices each at most."
        )
    return Query(texts=texts, terms=terms)


def explain(query: Query, host: str) -> str:
    """What is read there for the query, and what of that is kept."""
    if query.tag:
        heard = f"Posts with the public hashtag #{query.tag}, as far as {host} knows of them"
        return f"{heard}; of these, what matches here: {query.terms}." if query.terms else f"{heard}."
    if not query.texts:
        return f"Whatever addresses our account at {host}: mentions, answers and direct messages."
    texts = ", ".join(f"“{text}”" for text in query.texts)
    count = "A text search" if len(query.texts) == 1 else f"{len(query.texts)} text searches"
    return (
        f"{count} for {texts} at {host}; of what is found, what matches here: {query.terms}. Such a search finds only "
        "posts whose authors let them be searched, and nothing at all where there is none; a hashtag finds more."
    )


def _refuse_strange(query: str) -> None:
    """A lone hashtag that is none, or that is one of another server."""
    if _TAG.fullmatch(query):
        return
    tag, _, host = query.partition("@")
    if host and _TAG.fullmatch(tag):
        raise Mistake(f'{query!r} names another server: listen to {tag!r} with instance = "https://{host}".')
    raise Mistake(f"{query!r} is no hashtag: letters, digits and underscores, and not digits alone.")


def _can_search(part: Expression) -> bool:
    match part:
        case Word(text):
            return any(letter.isalnum() for letter in folding.words(text))
        case And() | Not():
            return len(_searched(part)) <= _MOST_CHARACTERS
        case _:
            return False


def _searched(expression: Expression) -> str:
    """The text to search for, of what can be searched."""
    match expression:
        case And(parts):
            return " ".join(map(_searched, parts))
        case Not(Word(text)):
            return f'-"{folding.words(text)}"'
        case Word(text):
            return folding.words(text)
        case _:
            return str(expression)
