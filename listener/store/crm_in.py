"""What CRMs gave us: which customer is which of their records, and which of their events came already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update

from listener.store import Transaction, upsert
from listener.store import tables as t

KEPT = timedelta(days=30)  # for so long an event that comes again is known again

_COLUMNS = t.crm_records.c


@dataclass(frozen=True, kw_only=True)
class Known:
    """One record of a CRM as we know it. `digest` is of what it last said; `reference` the customer's here."""

    record: str
    customer_id: int
    reference: str
    digest: str
    changed_at: datetime | None
    gone_at: datetime | None


def known(tx: Transaction, system: str, records: Iterable[str]) -> dict[str, Known]:
    """Those of them that we know, by the CRM's own id, locked until this transaction ends."""
    query = (
        select(t.crm_records, t.customers.c.reference)
        .join(t.customers, t.customers.c.id == _COLUMNS.customer_id)
        .where(_COLUMNS.system == system, _COLUMNS.record.in_(list(records)))
        .with_for_update(of=t.crm_records)
    )
    return {row.record: _known(row) for row in tx.execute(query)}


def of_customer(tx: Transaction, customer_id: int) -> list[tuple[str, Known]]:
    """Which records of which CRMs the customer is, by the CRM's name."""
    query = (
        select(t.crm_records, t.customers.c.reference)
        .join(t.customers, t.customers.c.id == _COLUMNS.customer_id)
        .where(_COLUMNS.customer_id == customer_id)
        .order_by(_COLUMNS.system, _COLUMNS.record)
    )
    return [(row.system, _known(row)) for row in tx.execute(query)]


def keep(tx: Transaction, system: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Keeps for each row which customer its record is, and what it said; it is there."""
    values = [{"system": system, "gone_at": None, **row} for row in rows]
    if values:
        new = upsert(tx, t.crm_records)
        fresh = {name: new.excluded[name] for name in values[0] if name not in ("system", "record")}
        tx.execute(new.on_conflict_do_update(index_elements=["system", "record"], set_=fresh), values)


def mark_gone(tx: Transaction, system: str, records: Iterable[str], *, now: datetime) -> None:
    """Keeps that they were deleted there. What was last said of them counts no more, should they come back."""
    where = (_COLUMNS.system == system, _COLUMNS.record.in_(list(records)), _COLUMNS.gone_at.is_(None))
    tx.execute(update(t.crm_records).where(*where).values(gone_at=now, digest=""))


def counts(tx: Transaction) -> dict[str, tuple[int, int]]:
    """By CRM: how many of its records we know, and how many of them were deleted there."""
    gone = func.count(_COLUMNS.gone_at)
    query = select(_COLUMNS.system, func.count().label("records"), gone.label("gone")).group_by(_COLUMNS.system)
    return {row.system: (row.records, row.gone) for row in tx.execute(query)}


# --- events ---


def outcome(tx: Transaction, system: str, event: str) -> tuple[str, dict[str, Any]] | None:
    """The digest of the event's body and what came of it; None where it never came."""
    columns = t.crm_events.c
    row = tx.execute(select(t.crm_events).where(columns.system == system, columns.event == event)).first()
    return (row.digest, row.outcome) if row else None


def begin_event(tx: Transaction, system: str, event: str, *, digest: str, now: datetime) -> bool:
    """Writes down that the event came; False where it had. Two that bring it at once wait for each other."""
    values = {"system": system, "event": event, "digest": digest, "came_at": now, "outcome": {}}
    new = upsert(tx, t.crm_events).values(**values).on_conflict_do_nothing()
    return tx.execute(new.returning(t.crm_events.c.event)).first() is not None


def end_event(tx: Transaction, system: str, event: str, outcome: Mapping[str, Any]) -> None:
    """Writes down what came of it."""
    where = (t.crm_events.c.system == system, t.crm_events.c.event == event)
    tx.execute(update(t.crm_events).where(*where).values(outcome=dict(outcome)))


def forget(tx: Transaction, *, now: datetime) -> int:
    """Drops the events that came long ago; gives how many."""
    return int(tx.execute(delete(t.crm_events).where(t.crm_events.c.came_at < now - KEPT)).rowcount)


def _known(row: Any) -> Known:
    return Known(**{name: getattr(row, name) for name in Known.__dataclass_fields__})
