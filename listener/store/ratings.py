"""What our own people think of an article's versions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, and_, cast, func, select

from listener.store import Transaction, audit, upsert
from listener.store import tables as t


@dataclass(frozen=True, kw_only=True)
class Ratings:
    """How many rated a version, and to how many of them it was useful."""

    many: int = 0
    useful: int = 0

    @property
    def share(self) -> float:
        """0 to 1; 1 where nobody rated it."""
        return self.useful / self.many if self.many else 1.0


NONE = Ratings()


@dataclass(frozen=True, kw_only=True)
class Rating:
    """One person's."""

    number: int
    by: str
    useful: bool
    reason: str
    at: datetime


def rate(tx: Transaction, article_id: int, number: int, *, useful: bool, reason: str, by: str, now: datetime) -> None:
    """Keeps it, in place of what the same person said of the same version before."""
    values = {"useful": useful, "reason": reason, "at": now}
    statement = upsert(tx, t.article_ratings).values(article_id=article_id, number=number, by=by, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["article_id", "number", "by"], set_=values))
    audit.record(
        tx, at=now, by=by, action="article.rated", subject=f"article {article_id}", version=number, useful=useful
    )


def of_published(tx: Transaction, of: Iterable[int] | None = None) -> dict[int, Ratings]:
    """The ratings of each article's published version, by the article's number; who has none is left out."""
    columns = t.article_ratings.c
    out = and_(t.articles.c.id == columns.article_id, t.articles.c.published == columns.number)
    useful = func.sum(cast(columns.useful, Integer)).label("useful")
    query = select(columns.article_id, func.count().label("many"), useful).join(t.articles, out)
    if of is not None:
        query = query.where(columns.article_id.in_(list(of)))
    rows = tx.execute(query.group_by(columns.article_id))
    return {row.article_id: Ratings(many=row.many, useful=int(row.useful)) for row in rows}


def all_of(tx: Transaction, article_id: int) -> list[Rating]:
    """Every rating of every version of an article, the newest first."""
    columns = t.article_ratings.c
    query = select(t.article_ratings).where(columns.article_id == article_id).order_by(columns.at.desc(), columns.by)
    return [
        Rating(number=row.number, by=row.by, useful=row.useful, reason=row.reason, at=row.at)
        for row in tx.execute(query)
    ]
