"""How it goes with each CRM lately, by way: "out" what it is told, "in" what it is asked or sends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from listener.store import Transaction, upsert
from listener.store import tables as t
from listener.types import Cursor

IN, OUT = "in", "out"
LONGEST_REST = timedelta(hours=6)  # what lies further ahead comes from a clock that was set back

_COLUMNS = t.crm_ways.c


@dataclass(frozen=True, kw_only=True)
class Way:
    """One CRM in one direction."""

    system: str
    way: str
    next_at: datetime | None
    failures: int
    failing_since: datetime | None
    last_error: str | None
    succeeded_at: datetime | None
    allowance: str
    problems: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """Where somebody who asks goes on from, and what could not be used before."""

    cursor: Cursor | None
    problems: Mapping[str, str]


def lock(tx: Transaction, system: str, way: str) -> Mapping[str, Any]:
    """The way's row, made where there was none; nobody else has it before this transaction ends."""
    new = upsert(tx, t.crm_ways).values(system=system, way=way, failures=0, allowance="", problems={})
    tx.execute(new.on_conflict_do_nothing())
    where = (_COLUMNS.system == system, _COLUMNS.way == way)
    return dict(tx.execute(select(t.crm_ways).where(*where).with_for_update()).one()._mapping)


def rests(tx: Transaction, system: str, way: str, *, now: datetime) -> bool:
    """Whether nothing goes that way now."""
    until = tx.scalar(select(_COLUMNS.next_at).where(_COLUMNS.system == system, _COLUMNS.way == way))
    return until is not None and now < until <= now + LONGEST_REST


def worked(
    tx: Transaction, system: str, way: str, *, now: datetime, next_at: datetime | None = None, **columns: Any
) -> bool:
    """It went well; whether it had failed before. `columns`: the cursor, the allowance or the problems, where new."""
    before = tx.scalar(select(_COLUMNS.failures).where(_COLUMNS.system == system, _COLUMNS.way == way))
    well = {"failures": 0, "failing_since": None, "last_error": None, "succeeded_at": now, "claimed_until": None}
    _write(tx, system, way, **well, next_at=next_at, **columns)
    return bool(before)


def failed(tx: Transaction, system: str, way: str, *, error: str, now: datetime) -> tuple[int, datetime]:
    """Counts a failure; gives how many there were in a row, and since when."""
    row = lock(tx, system, way)
    failures, since = row["failures"] + 1, row["failing_since"] or now
    _write(tx, system, way, failures=failures, failing_since=since, last_error=error, claimed_until=None)
    return failures, since


def rest(tx: Transaction, system: str, way: str, *, until: datetime) -> None:
    """Nothing goes that way before then."""
    _write(tx, system, way, next_at=until)


def wake(tx: Transaction, way: str, *, system: str | None = None) -> None:
    """Nothing rests any more that way, of that CRM or of all."""
    where = [_COLUMNS.way == way] + ([_COLUMNS.system == system] if system is not None else [])
    tx.execute(update(t.crm_ways).where(*where).values(next_at=None))


def claim(
    tx: Transaction, system: str, way: str, *, lease: timedelta, now: datetime, at_once: bool = False
) -> Claimed | None:
    """Where to go on from, for us alone until the lease ends; None where it is not due or somebody has it.

    `at_once`: also where it is not due.
    """
    row = lock(tx, system, way)
    if row["claimed_until"] and now < row["claimed_until"] <= now + 2 * lease:
        return None
    if not at_once and rests(tx, system, way, now=now):
        return None
    _write(tx, system, way, claimed_until=now + lease)
    return Claimed(cursor=row["cursor"], problems=row["problems"])


def listing(tx: Transaction) -> list[Way]:
    """All of them, by name and way."""
    query = select(t.crm_ways).order_by(_COLUMNS.system, _COLUMNS.way)
    return [Way(**{name: getattr(row, name) for name in Way.__dataclass_fields__}) for row in tx.execute(query)]


def _write(tx: Transaction, system: str, way: str, **columns: Any) -> None:
    tx.execute(update(t.crm_ways).where(_COLUMNS.system == system, _COLUMNS.way == way).values(**columns))
