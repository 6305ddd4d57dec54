"""Which cases agents have, which nobody has yet, and what of their past says who should have them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select

from listener.store import Transaction
from listener.store import tables as t
from listener.store.cases import LIVE, Case
from listener.types import CaseState

Place = tuple[datetime, int]  # in the queue


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A case that nobody has, as far as it takes to see whether anybody could."""

    id: int
    queue_at: datetime
    team: str
    skills: tuple[str, ...]


_LIVE = [state.value for state in LIVE]


def unassigned(
    tx: Transaction, *, teams: Collection[str], now: datetime, limit: int, after: Place | None = None
) -> list[Waiting]:
    """Open cases of those teams that nobody has, as the queue has them; those that are snoozed are left out.

    `after`: only what comes behind that place.
    """
    c = t.cases.c
    query = select(c.id, c.queue_at, c.team, c.skills).where(
        c.state == CaseState.OPEN.value,
        c.agent.is_(None),
        c.team.in_(list(teams)),
        c.merged_into.is_(None),
        or_(c.snoozed_until.is_(None), c.snoozed_until <= now),
    )
    if after is not None:
        query = query.where(or_(c.queue_at > after[0], and_(c.queue_at == after[0], c.id > after[1])))
    rows = tx.execute(query.order_by(c.queue_at, c.id).limit(limit))
    return [Waiting(id=row.id, queue_at=row.queue_at, team=row.team, skills=tuple(row.skills)) for row in rows]


def load(tx: Transaction, names: Collection[str] | None = None) -> dict[str, int]:
    """How many live cases each agent has, or each of those; who has none is left out."""
    c = t.cases.c
    query = select(c.agent, func.count()).where(c.agent.is_not(None), c.state.in_(_LIVE)).group_by(c.agent)
    if names is not None:
        query = query.where(c.agent.in_(list(names)))
    return {row[0]: int(row[1]) for row in tx.execute(query)}


def held(tx: Transaction, names: Collection[str], *, only_open: bool = False) -> list[int]:
    """The numbers of the live cases that those agents have; `only_open`: not those that wait for somebody or a time."""
    c = t.cases.c
    states = [CaseState.OPEN.value] if only_open else _LIVE
    query = select(c.id).where(c.agent.in_(list(names)), c.state.in_(states)).order_by(c.queue_at, c.id)
    return list(tx.scalars(query.where(c.snoozed_until.is_(None)) if only_open else query).all())


def knew(tx: Transaction, case: Case) -> dict[str, int]:
    """Who had other cases of the same person, and how many."""
    c = t.cases.c
    whose = [column == value for column, value in ((c.customer_id, case.customer_id), (c.account_id, case.account_id))
             if value is not None]  # fmt: skip
    if not whose:
        return {}
    query = select(c.agent, func.count()).where(or_(*whose), c.agent.is_not(None), c.id != case.id).group_by(c.agent)
    return {row[0]: int(row[1]) for row in tx.execute(query)}


def gave_back(tx: Transaction, case: Case) -> frozenset[str]:
    """Who had the case and did not want to keep it."""
    c = t.case_events.c
    query = select(c.detail).where(c.case_id == case.id, c.kind == "assigned")
    return frozenset(str(detail["gave_back"]) for detail in tx.scalars(query) if detail.get("gave_back"))


def language(tx: Transaction, case: Case) -> str:
    """What they wrote in last, else what the customer's record says; "" where nobody knows."""
    c, inside = t.understandings.c, t.case_mentions.c
    query = (
        select(c.language)
        .join(t.case_mentions, inside.mention_id == c.mention_id)
        .where(inside.case_id == case.id)
        .order_by(c.mention_id.desc(), c.id.desc())
        .limit(1)
    )
    found = tx.scalar(query)
    if found in (None, "", "und") and case.customer_id is not None:
        found = tx.scalar(select(t.customers.c.language).where(t.customers.c.id == case.customer_id))
    return "" if found in (None, "und") else str(found).partition("-")[0].casefold()


def newest(tx: Transaction, case_ids: Sequence[int]) -> dict[int, dict[str, object]]:
    """What was last said of who has each of those cases: the event's details, with `by` and `at`."""
    c = t.case_events.c
    last = (
        select(func.max(c.id))
        .where(c.case_id.in_(case_ids), c.kind == "assigned")
        .group_by(c.case_id)
        .scalar_subquery()
    )
    rows = tx.execute(select(t.case_events).where(c.id.in_(last)))
    return {row.case_id: {**row.detail, "by": row.by, "at": row.at} for row in rows}
