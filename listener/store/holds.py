"""Reasons why a customer must not be erased for now: a lawsuit, an open claim, a duty to keep books."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update

from listener.errors import AlreadyDone, NotFound
from listener.store import Transaction, audit
from listener.store import tables as t
from listener.store.customers import Customer


@dataclass(frozen=True, kw_only=True)
class Hold:
    """One reason; it stands while `ended_at` is None."""

    reason: str
    by: str
    at: datetime
    ended_by: str | None
    ended_at: datetime | None


def of(tx: Transaction, customer_id: int, *, standing: bool = True) -> list[Hold]:
    """Those of the customer, oldest first; all of them, or those that stand."""
    query = select(t.holds).where(t.holds.c.customer_id == customer_id).order_by(t.holds.c.id)
    if standing:
        query = query.where(t.holds.c.ended_at.is_(None))
    return [
        Hold(reason=row.reason, by=row.by, at=row.at, ended_by=row.ended_by, ended_at=row.ended_at)
        for row in tx.execute(query)
    ]


def put(tx: Transaction, customer: Customer, *, reason: str, by: str, now: datetime) -> None:
    """Keeps the customer from being erased. Raises AlreadyDone where a hold stands."""
    tx.execute(select(t.customers.c.id).where(t.customers.c.id == customer.id).with_for_update())
    if standing := of(tx, customer.id):
        since = f"{standing[0].at:%Y-%m-%d}"
        raise AlreadyDone(f"{customer.reference} is held since {since} by {standing[0].by}: {standing[0].reason}")
    tx.execute(insert(t.holds).values(customer_id=customer.id, reason=reason, by=by, at=now))
    audit.record(tx, at=now, by=by, action="customer.held", subject=f"customer {customer.reference}", reason=reason)


def end(tx: Transaction, customer: Customer, *, reason: str, by: str, now: datetime) -> None:
    """Lets the customer be erased again. Raises NotFound where no hold stands."""
    where = (t.holds.c.customer_id == customer.id, t.holds.c.ended_at.is_(None))
    if not tx.execute(update(t.holds).where(*where).values(ended_by=by, ended_at=now)).rowcount:
        raise NotFound(f"No hold stands on {customer.reference}; `escucha customer erase` is free to go.")
    audit.record(tx, at=now, by=by, action="customer.released", subject=f"customer {customer.reference}", reason=reason)
