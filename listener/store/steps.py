"""What is to be done about a case at a moment: warnings, breaches and the steps that follow them.

A row is taken once: whoever writes its `done_at` first does it. `at` is when it is to be done, later than planned where
that failed, null once it is done or while its clock stands still; `planned` stays.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, exists, func, insert, or_, select, update

from listener.store import Transaction
from listener.store import tables as t
from listener.types import CaseState, Clock, Occasion, Step

_LIVE = (CaseState.OPEN.value, CaseState.PENDING.value)
_RUNS = {  # which columns say that a clock runs, and until when
    Clock.FIRST_RESPONSE: (t.cases.c.first_response_at.is_(None), t.cases.c.first_response_due),
    Clock.RESOLUTION: (t.cases.c.state == CaseState.OPEN.value, t.cases.c.resolution_due),
}


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One step of a case, as it is kept. `at` is None where it is done, or its clock stands still."""

    id: int
    step: Step
    at: datetime | None
    done_at: datetime | None


def plan(tx: Transaction, case_id: int, steps: Sequence[Step]) -> None:
    """Keeps what is to be done."""
    rows = [
        {
            "case_id": case_id,
            "clock": step.clock.value,
            "occasion": step.occasion.value,
            "number": step.number,
            "planned": step.at,
            "at": step.at,
            "alerts": list(step.alerts),
            "team": step.team,
            "urgency": step.urgency,
        }
        for step in steps
    ]
    if rows:
        tx.execute(insert(t.case_steps), rows)


def withdraw(tx: Transaction, case_id: int, clock: Clock) -> None:
    """Forgets what that clock would still have brought; what was done stays."""
    tx.execute(delete(t.case_steps).where(*_undone(case_id, clock)))


def stand_still(tx: Transaction, case_id: int, clock: Clock) -> None:
    """Nothing of that clock is done until it runs on."""
    tx.execute(update(t.case_steps).where(*_undone(case_id, clock)).values(at=None))


def end_all(tx: Transaction, case_ids: Collection[int]) -> None:
    """What many cases that are over would still have brought: it stands still, and nobody is asked any more."""
    columns = t.case_steps.c
    undone = (columns.case_id.in_(case_ids), columns.done_at.is_(None))
    tx.execute(delete(t.case_steps).where(*undone, columns.clock == Clock.INFORMATION.value))
    tx.execute(update(t.case_steps).where(*undone).values(at=None))


def run_on(tx: Transaction, case_id: int, clock: Clock, later: Callable[[datetime], datetime] | None = None) -> None:
    """What that clock has still to bring comes again, at the moment that `later` makes of the one planned."""
    for row in tx.execute(select(t.case_steps).where(*_undone(case_id, clock))).all():
        moment = later(row.planned) if later else row.planned
        tx.execute(update(t.case_steps).where(t.case_steps.c.id == row.id).values(planned=moment, at=moment))


def waiting(tx: Transaction, now: datetime, limit: int) -> list[int]:
    """Up to so many cases that have something to be done by now, the longest waiting first."""
    columns = t.case_steps.c
    found = select(columns.case_id).where(columns.at <= now).group_by(columns.case_id)
    return list(tx.scalars(found.order_by(func.min(columns.at), columns.case_id).limit(limit)))


def put_back(tx: Transaction, case_id: int, now: datetime) -> None:
    """Lets what is to be done about the case by now wait behind all that waits already."""
    _hold(tx, case_id)
    columns = t.case_steps.c
    where = (columns.case_id == case_id, columns.at <= now, columns.done_at.is_(None))
    tx.execute(update(t.case_steps).where(*where).values(at=now))


def due(tx: Transaction, case_id: int, now: datetime) -> list[Planned]:
    """What is to be done about the case by now, in order. Locks the case, so that nobody else does it meanwhile."""
    _hold(tx, case_id)
    where = (t.case_steps.c.case_id == case_id, t.case_steps.c.at <= now, t.case_steps.c.done_at.is_(None))
    rows = tx.execute(select(t.case_steps).where(*where).order_by(t.case_steps.c.planned, t.case_steps.c.id))
    return [_planned(row) for row in rows]


def take(tx: Transaction, planned: Planned, now: datetime) -> bool:
    """Whether the step is ours to do: False where somebody else has done it."""
    where = (t.case_steps.c.id == planned.id, t.case_steps.c.done_at.is_(None))
    return bool(tx.execute(update(t.case_steps).where(*where).values(done_at=now, at=None)).rowcount)


def of(tx: Transaction, case_id: int) -> list[Planned]:
    """Every step of the case, done or not, in order."""
    query = select(t.case_steps).where(t.case_steps.c.case_id == case_id)
    return [_planned(row) for row in tx.execute(query.order_by(t.case_steps.c.planned, t.case_steps.c.id))]


def warned(tx: Transaction, case_ids: Sequence[int], now: datetime) -> dict[int, tuple[Clock, ...]]:
    """Of which clocks a warning was given, by case, for what is neither done nor overdue."""
    query = select(t.cases.c.id, *(_is_warned(clock, now).label(clock.value) for clock in _RUNS))
    rows = tx.execute(query.where(t.cases.c.id.in_(case_ids), or_(*(_is_warned(clock, now) for clock in _RUNS))))
    return {row.id: tuple(clock for clock in _RUNS if getattr(row, clock.value)) for row in rows}


def is_late(now: datetime) -> ColumnElement[bool]:
    """A live case that is past something it was promised."""
    return and_(t.cases.c.state.in_(_LIVE), or_(*(and_(runs, due < now) for runs, due in _RUNS.values())))


def is_warned(now: datetime) -> ColumnElement[bool]:
    """A case that was warned of and is not past what it was promised."""
    return and_(or_(*(_is_warned(clock, now) for clock in _RUNS)), ~is_late(now))


def _is_warned(clock: Clock, now: datetime) -> ColumnElement[bool]:
    runs, due = _RUNS[clock]
    given = exists().where(
        t.case_steps.c.case_id == t.cases.c.id,
        t.case_steps.c.clock == clock.value,
        t.case_steps.c.occasion == Occasion.WARNING.value,
        t.case_steps.c.number == 0,
        t.case_steps.c.done_at.is_not(None),
    )
    return and_(t.cases.c.state.in_(_LIVE), runs, due >= now, given)


def _hold(tx: Transaction, case_id: int) -> None:
    """Keeps everybody else from what is due about the case until the transaction ends."""
    tx.execute(select(t.cases.c.id).where(t.cases.c.id == case_id).with_for_update())


def _undone(case_id: int, clock: Clock) -> tuple[ColumnElement[bool], ...]:
    columns = t.case_steps.c
    return columns.case_id == case_id, columns.clock == clock.value, columns.done_at.is_(None)


def _planned(row: Row[Any]) -> Planned:
    step = Step(
        clock=Clock(row.clock),
        occasion=Occasion(row.occasion),
        number=row.number,
        at=row.planned,
        alerts=tuple(row.alerts),
        team=row.team,
        urgency=row.urgency,
    )
    return Planned(id=row.id, step=step, at=row.at, done_at=row.done_at)
