"""Customers: the company's records of people. Which accounts are theirs stands in `links.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, func, or_, select, update

from listener.errors import NotFound
from listener.store import Transaction, audit, upsert
from listener.store import tables as t


@dataclass(frozen=True, kw_only=True)
class Customer:
    """The company's record of a person. `fields` holds what was imported beyond the known columns."""

    id: int
    reference: str
    name: str
    email: str | None
    phone: str | None
    language: str
    tier: str
    tags: tuple[str, ...]
    fields: dict[str, Any]
    added_at: datetime
    changed_at: datetime


@dataclass(frozen=True, kw_only=True)
class Edit:
    """How one record is to be: every column but the key and the times. `changed` names what differs from before."""

    reference: str
    values: Mapping[str, Any]
    changed: tuple[str, ...]


def get(tx: Transaction, reference: str) -> Customer:
    """The customer with that reference. Raises NotFound."""
    row = tx.execute(select(t.customers).where(t.customers.c.reference == reference)).first()
    if row is None:
        raise NotFound(f"There is no customer {reference!r}; see `escucha customer list`.")
    return _customer(row)


def by_id(tx: Transaction, customer_id: int) -> Customer:
    """The customer with that row id. Raises NotFound."""
    row = tx.execute(select(t.customers).where(t.customers.c.id == customer_id)).first()
    if row is None:
        raise NotFound(f"There is no customer number {customer_id}.")
    return _customer(row)


def merged_into(tx: Transaction, customer: Customer) -> Customer | None:
    """The record that this one was merged into; None where it rules itself."""
    into = tx.scalar(select(t.customers.c.merged_into_id).where(t.customers.c.id == customer.id))
    return None if into is None else by_id(tx, into)


def ruling(tx: Transaction, customer: Customer) -> Customer:
    """The record that rules for this one: itself, unless it was merged into another."""
    seen = {customer.id}
    while (into := merged_into(tx, customer)) is not None and into.id not in seen:
        seen.add(into.id)
        customer = into
    return customer


def behind(tx: Transaction, account_id: int) -> Customer | None:
    """The customer this account is linked to now."""
    query = (
        select(t.customers)
        .join(t.links, t.links.c.customer_id == t.customers.c.id)
        .where(t.links.c.account_id == account_id, t.links.c.unlinked_at.is_(None))
    )
    row = tx.execute(query).first()
    return _customer(row) if row else None


def known(tx: Transaction, references: Iterable[str]) -> dict[str, Customer]:
    """Those of them that exist, by reference, locked until this transaction ends."""
    query = select(t.customers).where(t.customers.c.reference.in_(list(references))).with_for_update()
    return {row.reference: _customer(row) for row in tx.execute(query)}


def write(
    tx: Transaction, *, added: Sequence[Edit], changed: Sequence[Edit], by: str, now: datetime, source: str
) -> None:
    """Adds and changes records in bulk, each with its entry in the audit log (names of columns, never their values)."""
    if added:
        rows = [{"reference": edit.reference, **edit.values, "added_at": now, "changed_at": now} for edit in added]
        new = upsert(tx, t.customers)
        fresh = {name: new.excluded[name] for name in (*added[0].values, "changed_at")}
        tx.execute(new.on_conflict_do_update(index_elements=["reference"], set_=fresh), rows)
    if changed:
        columns: dict[str, Any] = {name: bindparam(f"new_{name}") for name in (*changed[0].values, "changed_at")}
        rows = [
            {"of": edit.reference, "new_changed_at": now, **{f"new_{name}": each for name, each in edit.values.items()}}
            for edit in changed
        ]
        tx.execute(update(t.customers).where(t.customers.c.reference == bindparam("of")).values(columns), rows)
    done: list[tuple[str, Edit, dict[str, Any]]] = [("customer.added", edit, {"source": source}) for edit in added]
    done += [("customer.changed", edit, {"source": source, "columns": list(edit.changed)}) for edit in changed]
    entries = [
        audit.Entry(at=now, by=by, action=action, subject=f"customer {edit.reference}", detail=detail)
        for action, edit, detail in done
    ]
    audit.record_all(tx, entries)


def listing(tx: Transaction, *, search: str = "", limit: int | None = None) -> list[Customer]:
    """Customers by reference; `search` is looked for in reference, name, e-mail, phone and tier.

    Records that were merged into another are left out.
    """
    query = select(t.customers).where(*_matches(search)).order_by(t.customers.c.reference).limit(limit)
    return [_customer(row) for row in tx.execute(query)]


def count(tx: Transaction, *, search: str = "") -> int:
    """How many `listing` would give without a limit."""
    return int(tx.scalar(select(func.count()).select_from(t.customers).where(*_matches(search))) or 0)


def _matches(search: str) -> list[ColumnElement[bool]]:
    columns = t.customers.c
    looked_at = (columns.reference, columns.name, columns.email, columns.phone, columns.tier)
    rules = [columns.merged_into_id.is_(None)]
    return rules + [
        or_(*(func.lower(column).contains(word.lower(), autoescape=True) for column in looked_at))
        for word in search.split()
    ]


def recent_mentions(tx: Transaction, customer: Customer, limit: int) -> list[int]:
    """The numbers of the newest mentions from accounts linked to the customer now, newest first."""
    query = (
        select(t.mentions.c.id)
        .join(t.links, t.links.c.account_id == t.mentions.c.account_id)
        .where(t.links.c.customer_id == customer.id, t.links.c.unlinked_at.is_(None))
        .order_by(t.mentions.c.posted_at.desc(), t.mentions.c.id.desc())
        .limit(limit)
    )
    return list(tx.scalars(query).all())


def _customer(row: Row[Any]) -> Customer:
    same = {name: getattr(row, name) for name in Customer.__dataclass_fields__ if name != "tags"}
    return Customer(**same, tags=tuple(row.tags))
