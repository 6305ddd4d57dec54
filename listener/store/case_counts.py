"""How many cases there are of each kind: for those who plan the work, and for policies that ask."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select, union

from listener.store import Transaction, steps
from listener.store import tables as t
from listener.store.cases import LIVE
from listener.types import CaseState, Clock, Intent, Urgency

_LIVE_BY_TEAM = (  # asked for each batch that is decided, as all statements that stand ready like this
    select(t.cases.c.team, func.count())
    .where(t.cases.c.state.in_([state.value for state in LIVE]))
    .group_by(t.cases.c.team)
    .order_by(t.cases.c.team)
)


def open_count(tx: Transaction, customer_id: int) -> int:
    """How many live cases the customer has."""
    return open_counts(tx, [customer_id]).get(customer_id, 0)


def open_counts(tx: Transaction, customer_ids: Collection[int]) -> dict[int, int]:
    """The same of many customers; who has none is left out."""
    if not customer_ids:
        return {}
    live = t.cases.c.state.in_([state.value for state in LIVE])
    of = t.cases.c.customer_id
    query = select(of, func.count()).where(of.in_(list(customer_ids)), live).group_by(of)
    return {number: int(count) for number, count in tx.execute(query)}


def with_unsolved(tx: Transaction, customer_ids: Collection[int]) -> set[int]:
    """Those of the customers of whom a case was closed without a solution."""
    if not customer_ids:
        return set()
    c = t.cases.c
    closed = (c.state == CaseState.CLOSED.value, c.resolved_at.is_(None))
    return set(tx.scalars(select(c.customer_id).where(c.customer_id.in_(list(customer_ids)), *closed).distinct()))


def unsolved_complaints(tx: Transaction, *, account_id: int, customer_id: int | None, limit: int = 500) -> int:
    """How many cases of this person were closed without a solution, with a complaint in them, among the newest.

    `limit`: of so many mentions in such cases it is looked at, so that nobody's long history takes long.
    """
    whose = t.cases.c.account_id == account_id
    if customer_id is not None:
        whose = whose | (t.cases.c.customer_id == customer_id)
    query = (
        select(t.cases.c.id, t.understandings.c.intents)
        .join(t.case_mentions, t.case_mentions.c.case_id == t.cases.c.id)
        .join(t.understandings, t.understandings.c.mention_id == t.case_mentions.c.mention_id)
        .where(whose, t.cases.c.state == CaseState.CLOSED.value, t.cases.c.resolved_at.is_(None))
        .order_by(t.cases.c.id.desc())
        .limit(limit)
    )
    return len({row.id for row in tx.execute(query) if Intent.COMPLAINT in row.intents})


@dataclass(frozen=True, kw_only=True)
class Pressing:
    """How many live cases a person should look at, and why."""

    overdue: int  # past the promised first answer
    solutions_overdue: int  # open, and past the promised solution
    warned: int  # soon late: a warning was given
    asked: int  # wait for what another team was asked
    unattended: int  # critical, and no agent has them


def pressing(tx: Transaction, now: datetime) -> Pressing:
    """Counts those in one look at the live cases."""
    c = t.cases.c
    which = {
        "overdue": c.first_response_at.is_(None) & (c.first_response_due < now),
        "solutions_overdue": (c.state == CaseState.OPEN.value) & (c.resolution_due < now),
        "warned": steps.is_warned(now),
        "asked": c.asked_at.is_not(None),
        "unattended": (c.urgency_rank == Urgency.CRITICAL.rank) & c.agent.is_(None),
    }
    live = c.state.in_([state.value for state in LIVE])
    query = select(*(func.count(case((such, 1))).label(name) for name, such in which.items())).where(live)
    return Pressing(**tx.execute(query).one()._mapping)


def calendars(tx: Transaction) -> dict[str, int]:
    """By which calendars live cases were promised something, with how many cases; nothing of those without one."""
    live = t.cases.c.state.in_([state.value for state in LIVE])
    clocks = (Clock.FIRST_RESPONSE, Clock.RESOLUTION)
    named = [t.cases.c.promise[clock.value]["calendar"].as_string().label("name") for clock in clocks]
    by_case = union(*(select(t.cases.c.id, name).where(live) for name in named)).subquery()  # one row for both clocks
    query = select(by_case.c.name, func.count()).where(by_case.c.name != "").group_by(by_case.c.name)
    return {name: int(count) for name, count in tx.execute(query.order_by(by_case.c.name))}


def live_by_team(tx: Transaction) -> dict[str, int]:
    """How many live cases each team has; who has none is left out."""
    return {team: int(count) for team, count in tx.execute(_LIVE_BY_TEAM)}
