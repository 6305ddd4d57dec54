"""Which sentences of an article are somebody's, and how they go when that somebody's words must."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from listener.store import Transaction, articles, shelf
from listener.store import tables as t

PARTS = ("title", "answer", "body")
GONE = "…"  # what stands where the words stood
WHY = "it was drafted from words that had to be erased; read whether something of them still stands in it"


@dataclass(frozen=True, kw_only=True)
class Quote:
    """A sentence of a case as it was put into an article. `draft_id`: our answer that said it; None: their own words,
    which stand in the mention."""

    article_id: int
    case_id: int
    mention_id: int
    draft_id: int | None
    words: str


def keep(tx: Transaction, quotes: Sequence[Quote]) -> None:
    """Writes down where those sentences came from."""
    rows = [{name: getattr(each, name) for name in Quote.__dataclass_fields__} for each in quotes]
    if rows:
        tx.execute(insert(t.article_quotes), rows)


def of_mentions(tx: Transaction, mention_ids: Iterable[int]) -> list[Quote]:
    """What was put into articles of those mentions, and of our answers to them."""
    query = select(t.article_quotes).where(t.article_quotes.c.mention_id.in_(list(mention_ids)))
    rows = tx.execute(query.order_by(t.article_quotes.c.id))
    return [Quote(**{name: getattr(row, name) for name in Quote.__dataclass_fields__}) for row in rows]


def forget(tx: Transaction, mention_ids: Iterable[int], *, by: str, now: datetime) -> tuple[int, ...]:
    """Takes the words of those mentions out of every version of every article; gives the articles.

    Each is doubted, and found no more until somebody has read what is left of it (`escucha kb look`): whoever edited
    the sentence has made other words of it, which only a person can find.
    """
    found = of_mentions(tx, mention_ids)
    if not found:
        return ()
    touched = tuple(sorted({each.article_id for each in found}))
    for article_id in touched:
        theirs = [each.words for each in found if each.article_id == article_id and each.draft_id is None]
        _take_out(tx, article_id, sorted(theirs, key=len, reverse=True))
    tx.execute(delete(t.article_quotes).where(t.article_quotes.c.mention_id.in_([each.mention_id for each in found])))
    shelf.take_away(tx, touched)
    articles.doubt(tx, touched, why=WHY, by=by, now=now)
    return touched


def _take_out(tx: Transaction, article_id: int, words: Sequence[str]) -> None:
    of_it = t.article_texts.c.article_version_id == t.article_versions.c.id
    query = select(t.article_texts).join(t.article_versions, of_it).where(t.article_versions.c.article_id == article_id)
    for row in tx.execute(query).all():
        parts = {part: getattr(row, part) for part in PARTS}
        for sentence in words:
            parts = {part: text.replace(sentence, GONE) for part, text in parts.items()}
        tx.execute(update(t.article_texts).where(t.article_texts.c.id == row.id).values(**parts))
