"""Customers, and which accounts are theirs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from listener.errors import AlreadyDone, NotFound
from listener.store import Transaction, audit
from listener.store import tables as t
from listener.types import LinkBasis


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
class Link:
    """One account that belongs to a customer, and why we believe so."""

    account_id: int
    network: str
    handle: str
    basis: LinkBasis
    evidence: str
    linked_by: str
    linked_at: datetime


def get(tx: Transaction, reference: str) -> Customer:
    """The customer with that reference. Raises NotFound."""
    row = tx.execute(select(t.customers).where(t.customers.c.reference == reference)).first()
    if row is None:
        raise NotFound(f"There is no customer {reference!r}; see `escucha customer list`.")
    return _customer(row)


def behind(tx: Transaction, account_id: int) -> Customer | None:
    """The customer this account is linked to now."""
    query = (
        select(t.customers)
        .join(t.links, t.links.c.customer_id == t.customers.c.id)
        .where(t.links.c.account_id == account_id, t.links.c.unlinked_at.is_(None))
    )
    row = tx.execute(query).first()
    return _customer(row) if row else None


def links_of(tx: Transaction, customer: Customer) -> list[Link]:
    """The accounts linked to the customer now."""
    query = (
        select(t.links, t.accounts.c.network, t.accounts.c.handle)
        .join(t.accounts, t.accounts.c.id == t.links.c.account_id)
        .where(t.links.c.customer_id == customer.id, t.links.c.unlinked_at.is_(None))
        .order_by(t.accounts.c.network, t.accounts.c.handle)
    )
    return [
        Link(
            account_id=row.account_id,
            network=row.network,
            handle=row.handle,
            basis=LinkBasis(row.basis),
            evidence=row.evidence,
            linked_by=row.linked_by,
            linked_at=row.linked_at,
        )
        for row in tx.execute(query)
    ]


def account_named(tx: Transaction, network: str, handle: str) -> int:
    """The row id of the account with that handle, as we heard it. Raises NotFound."""
    where = (t.accounts.c.network == network, t.accounts.c.handle == handle.lstrip("@"))
    found = tx.scalar(select(t.accounts.c.id).where(*where).order_by(t.accounts.c.id.desc()))
    if found is None:
        raise NotFound(f"No {network} account @{handle.lstrip('@')} was heard yet; a link needs a mention of theirs.")
    return int(found)


def link(
    tx: Transaction, *, account_id: int, customer: Customer, basis: LinkBasis, evidence: str, by: str, now: datetime
) -> None:
    """Says that the account is the customer's. Raises AlreadyDone when it is linked to somebody."""
    owner = behind(tx, account_id)
    if owner is not None:
        raise AlreadyDone(f"That account is linked to {owner.reference} already; unlink it first.")
    tx.execute(
        insert(t.links).values(
            account_id=account_id,
            customer_id=customer.id,
            basis=basis.value,
            evidence=evidence,
            linked_by=by,
            linked_at=now,
        )
    )
    audit.record(
        tx,
        at=now,
        by=by,
        action="customer.linked",
        subject=f"customer {customer.reference}",
        account=account_id,
        basis=basis.value,
    )


def unlink(tx: Transaction, *, account_id: int, customer: Customer, by: str, now: datetime) -> None:
    """Takes the link back; it stays on record. Raises NotFound when there is none."""
    current = (
        t.links.c.account_id == account_id,
        t.links.c.customer_id == customer.id,
        t.links.c.unlinked_at.is_(None),
    )
    if not tx.execute(update(t.links).where(*current).values(unlinked_at=now, unlinked_by=by)).rowcount:
        raise NotFound(f"That account is not linked to {customer.reference}.")
    audit.record(
        tx, at=now, by=by, action="customer.unlinked", subject=f"customer {customer.reference}", account=account_id
    )


def _customer(row: Row[Any]) -> Customer:
    same = {name: getattr(row, name) for name in Customer.__dataclass_fields__ if name != "tags"}
    return Customer(**same, tags=tuple(row.tags))
