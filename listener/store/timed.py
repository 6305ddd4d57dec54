"""Which cases have clocks that go by another rule than they should: an incident's, or their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, or_, select

from listener.store import Transaction, cases
from listener.store import tables as t
from listener.store.cases import Case
from listener.types import Clock, IncidentState

_LIVE = [state.value for state in cases.LIVE]
_LASTING = [state.value for state in IncidentState if state.active]
_OVER = [IncidentState.RESOLVED.value, IncidentState.CLOSED.value]
WAITS, FROM_END = "waits", "from_end"  # in a case's promise: it waits for the incident's end, or counts from it


@dataclass(frozen=True, kw_only=True)
class Was:
    """What a clock was by before an incident set it, and what the incident made due; moments None: nothing."""

    due: datetime | None
    became: datetime | None
    promise: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """When an incident set the clocks of a case, and how those were by then, by name; empty where it began so."""

    at: datetime
    was: Mapping[str, Was]


def to_follow(tx: Transaction, *, with_rule: bool, limit: int) -> list[int]:
    """Up to so many live cases whose clocks do not go as the incident has it that they are a part of, or were.

    `with_rule`: whether the policy has a rule for an incident's cases, so that there is something to take on.
    """
    case, incident, inside = t.cases.c, t.incidents.c, t.incident_mentions.c
    live, theirs = case.state.in_(_LIVE), case.timed_by == incident.id
    joins = (
        select(inside.id)
        .join(t.case_mentions, t.case_mentions.c.mention_id == inside.mention_id)
        .where(t.case_mentions.c.case_id == case.id, inside.incident_id == case.timed_by)
        .where(inside.undone_at.is_(None), inside.joined_at.is_(None))
    )
    part = exists().where(theirs, incident.case_id == case.parent_id)
    left = select(case.id).where(case.timed_by.is_not(None), live, ~part, ~joins.exists())
    solution = case.promise[Clock.RESOLUTION.value]
    lasts, over = incident.state.in_(_LASTING), incident.state.in_(_OVER)
    waits, counts = solution[WAITS].as_boolean().is_(True), solution[FROM_END].as_boolean().is_(True)
    came = or_(and_(over, waits), and_(lasts, counts))
    ended = select(case.id).join(t.incidents, theirs).where(case.timed_by.is_not(None), live, came)
    asked = [left, ended]
    if with_rule:
        fresh = select(case.id).join(t.incidents, incident.case_id == case.parent_id)
        asked.append(fresh.where(lasts, live, case.timed_by.is_(None)))
    found: list[int] = []
    for query in asked:
        found += tx.scalars(query.order_by(case.id).limit(limit)).all()
    return list(dict.fromkeys(found))[:limit]


def taken_on(tx: Transaction, case: Case) -> Taken:
    """How its clocks were before the incident set them that it goes by."""
    told = [event for event in cases.events_of(tx, case) if event.kind == "promised" and "was" in event.detail]
    if not told:
        return Taken(at=case.opened_at, was={})
    was = {
        clock: Was(due=_moment(each["due"]), became=_moment(each["became"]), promise=each["promise"])
        for clock, each in told[-1].detail["was"].items()
    }
    return Taken(at=told[-1].at, was=was)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
