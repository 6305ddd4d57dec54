"""Notes on a customer's record, for whoever talks to them next. They are never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select

from listener.store import Transaction, audit
from listener.store import tables as t


@dataclass(frozen=True, kw_only=True)
class Note:
    """What somebody wrote down."""

    text: str
    by: str
    at: datetime


def add(tx: Transaction, *, customer_id: int, reference: str, text: str, by: str, now: datetime) -> None:
    """Adds a note; the audit log hears that there is one."""
    tx.execute(insert(t.customer_notes).values(customer_id=customer_id, text=text, by=by, at=now))
    audit.record(tx, at=now, by=by, action="customer.noted", subject=f"customer {reference}")


def of(tx: Transaction, customer_id: int, *, limit: int | None = None) -> list[Note]:
    """A customer's notes, the newest first."""
    c = t.customer_notes.c
    query = select(t.customer_notes).where(c.customer_id == customer_id).order_by(c.at.desc(), c.id.desc())
    return [Note(text=row.text, by=row.by, at=row.at) for row in tx.execute(query.limit(limit))]
