"""Which replies were made from which version of an article, and what becomes of them when that no longer stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select, update

from listener.errors import Stale
from listener.store import Transaction, audit, upsert
from listener.store import tables as t
from listener.types import DraftState

WAITING = (DraftState.PROPOSED.value, DraftState.APPROVED.value)


@dataclass(frozen=True, kw_only=True)
class MadeFrom:
    """Where a draft's words came from. `published`: the version that is out now; None: the article is retired."""

    draft_id: int
    article_id: int
    number: int
    language: str
    by: str
    at: datetime
    published: int | None

    @property
    def name(self) -> str:
        """`K12@3`."""
        return f"K{self.article_id}@{self.number}"

    @property
    def outdated(self) -> str:
        """Why its words may no longer be true, `K12@3 is replaced by K12@4`; "" where they stand."""
        if self.published == self.number:
            return ""
        if self.published is None:
            return f"{self.name} is retired"
        return f"{self.name} is replaced by K{self.article_id}@{self.published}"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A version in one language, from which a reply is made."""

    article_id: int
    number: int
    language: str


def note(tx: Transaction, draft_id: int, source: Source, *, by: str, now: datetime) -> None:
    """Keeps that the draft's words were taken from that version. Raises Stale where it is no longer out."""
    published = tx.scalar(select(t.articles.c.published).where(t.articles.c.id == source.article_id).with_for_update())
    if published != source.number:
        raise Stale(f"K{source.article_id}@{source.number} was replaced or retired just now; look again.")
    values = {**asdict(source), "by": by, "at": now}
    statement = upsert(tx, t.draft_articles).values(draft_id=draft_id, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["draft_id"], set_=values))
    name = f"K{source.article_id}@{source.number}"
    audit.record(tx, at=now, by=by, action="draft.from_article", subject=f"draft {draft_id}", article=name)


def of_drafts(tx: Transaction, draft_ids: Iterable[int]) -> dict[int, MadeFrom]:
    """What each of those drafts was made from, by its number; one that was made from none is left out."""
    query = select(t.draft_articles, t.articles.c.published).join(
        t.articles, t.articles.c.id == t.draft_articles.c.article_id
    )
    rows = tx.execute(query.where(t.draft_articles.c.draft_id.in_(list(draft_ids))))
    return {
        row.draft_id: MadeFrom(**{name: getattr(row, name) for name in MadeFrom.__dataclass_fields__}) for row in rows
    }


def waiting(tx: Transaction, article_id: int) -> list[int]:
    """The drafts made from an article that have not gone out."""
    columns = t.draft_articles.c
    query = select(columns.draft_id).join(t.drafts, t.drafts.c.id == columns.draft_id)
    query = query.where(columns.article_id == article_id, t.drafts.c.state.in_(WAITING))
    return list(tx.scalars(query.order_by(columns.draft_id)))


def put_back(tx: Transaction, article_id: int, number: int, *, why: str, now: datetime) -> None:
    """Puts before people what was approved with the words of that version and has not gone out."""
    drafts = t.drafts.c
    made = select(t.draft_articles.c.draft_id).where(
        t.draft_articles.c.article_id == article_id, t.draft_articles.c.number == number
    )
    undone = {"decided_by": None, "decided_at": None, "automatic": False, "not_before": None}
    stopped = tx.scalars(
        update(t.drafts)
        .where(drafts.id.in_(made), drafts.state == DraftState.APPROVED.value)
        .values(state=DraftState.PROPOSED.value, edit=drafts.edit + 1, **undone)
        .returning(drafts.id)
    ).all()
    for draft_id in sorted(stopped):
        audit.record(tx, at=now, by="daemon", action="draft.shown_again", subject=f"draft {draft_id}", reason=why)


def used(tx: Transaction, article_id: int) -> int:
    """How many replies were sent with the words of an article."""
    columns = t.draft_articles.c
    query = select(columns.draft_id).join(t.drafts, t.drafts.c.id == columns.draft_id)
    return len(tx.scalars(query.where(columns.article_id == article_id, t.drafts.c.state == "sent")).all())
