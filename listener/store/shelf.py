"""What search reads of published articles: vectors, stems, and who may read each, one row for each text.

`number` grows with every change, so that a process that has read the shelf knows whether it must read it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import delete, func, insert, select

from listener.store import Transaction, upsert
from listener.store import tables as t

NAME = "shelf"


@dataclass(frozen=True, kw_only=True)
class Shelved:
    """One published text. `vectors`: float16, one passage after the other; `stems`: uint32; `counts`: a byte each."""

    article_id: int
    language: str
    readers: str
    model: str
    passages: int
    vectors: bytes
    stems: bytes
    counts: bytes


def number(tx: Transaction) -> int:
    """How often the shelf was changed."""
    return int(tx.scalar(select(t.shelf_changes.c.number).where(t.shelf_changes.c.name == NAME)) or 0)


def put(tx: Transaction, version_id: int, texts: Sequence[Shelved]) -> None:
    """Puts that version's texts in place of whatever stands there of their articles."""
    put_all(tx, [(version_id, texts)])


def put_all(tx: Transaction, versions: Sequence[tuple[int, Sequence[Shelved]]]) -> None:
    """The same for many at once."""
    take_away(tx, {text.article_id for _, texts in versions for text in texts})
    columns = t.article_texts.c
    wanted = [version_id for version_id, _ in versions]
    query = select(columns.id, columns.article_version_id, columns.language)
    ids = {
        (row.article_version_id, row.language): row.id
        for row in tx.execute(query.where(columns.article_version_id.in_(wanted)))
    }
    rows = [
        {"article_text_id": ids[version_id, text.language], **asdict(text)}
        for version_id, texts in versions
        for text in texts
    ]
    if rows:
        tx.execute(insert(t.shelf), rows)


def take_away(tx: Transaction, article_ids: Iterable[int]) -> None:
    """Nothing of those articles is found any more."""
    gone = list(article_ids)
    tx.execute(delete(t.shelf).where(t.shelf.c.article_id.in_(gone)))
    first = upsert(tx, t.shelf_changes).values(name=NAME, number=1)
    grown = {"number": t.shelf_changes.c.number + 1}
    tx.execute(first.on_conflict_do_update(index_elements=["name"], set_=grown))


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The whole shelf, column by column, each as `Shelved` has it."""

    article_id: Sequence[int] = ()
    language: Sequence[str] = ()
    readers: Sequence[str] = ()
    model: Sequence[str] = ()
    passages: Sequence[int] = ()
    vectors: Sequence[bytes] = ()
    stems: Sequence[bytes] = ()
    counts: Sequence[bytes] = ()


def everything(tx: Transaction) -> Columns:
    """All of it, in the order of the articles; as columns, because an object for each row would take half the time."""
    columns = [t.shelf.c[name] for name in Columns.__dataclass_fields__]
    rows = tx.execute(select(*columns).order_by(t.shelf.c.article_id, t.shelf.c.article_text_id)).all()
    if not rows:
        return Columns()
    return Columns(**dict(zip(Columns.__dataclass_fields__, zip(*rows, strict=True), strict=True)))


def is_empty(tx: Transaction) -> bool:
    """Whether nothing is published."""
    return tx.scalar(select(t.shelf.c.article_id).limit(1)) is None


def lacks(tx: Transaction, article_id: int) -> bool:
    """Whether nothing of an article stands there."""
    return tx.scalar(select(t.shelf.c.article_id).where(t.shelf.c.article_id == article_id).limit(1)) is None


def undoubted_and_away(tx: Transaction) -> list[int]:
    """Published articles that were taken away because words were erased from them, and that somebody has read since."""
    there = select(t.shelf.c.article_id).where(t.shelf.c.article_id == t.articles.c.id).exists()
    away = (t.articles.c.published.is_not(None), t.articles.c.doubt == "", ~there)
    return list(tx.scalars(select(t.articles.c.id).where(*away).order_by(t.articles.c.id)))


def of_other_models(tx: Transaction, model: str) -> list[int]:
    """The articles whose vectors are not of that model: they are found by their words only."""
    query = select(t.shelf.c.article_id).distinct().where(t.shelf.c.model != model)
    return list(tx.scalars(query.order_by(t.shelf.c.article_id)))


def count(tx: Transaction) -> int:
    """How many texts stand there."""
    return int(tx.scalar(select(func.count()).select_from(t.shelf)) or 0)
