"""What customers have of ours: contracts, products, and how they stand with paying. All of it is imported."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, bindparam, delete, select

from listener.store import Transaction, bulk, upsert
from listener.store import tables as t


@dataclass(frozen=True, kw_only=True)
class Contract:
    """One contract. `ends_on` is its last day, None while nobody ended it."""

    reference: str
    product: str = ""
    begins_on: date | None = None
    ends_on: date | None = None

    def is_open(self, today: date) -> bool:
        """Whether it runs on that day."""
        return (self.begins_on is None or self.begins_on <= today) and (self.ends_on is None or today <= self.ends_on)


@dataclass(frozen=True, kw_only=True)
class Payments:
    """What was paid last and what is owed, in one currency ("" where nobody said which)."""

    last_on: date | None = None
    last_amount: Decimal | None = None
    arrears: Decimal | None = None
    arrears_since: date | None = None
    currency: str = ""


def contracts(tx: Transaction, customer_id: int) -> list[Contract]:
    """A customer's contracts, by reference."""
    c = t.contracts.c
    rows = tx.execute(select(t.contracts).where(c.customer_id == customer_id).order_by(c.reference))
    return [
        Contract(reference=row.reference, product=row.product, begins_on=row.begins_on, ends_on=row.ends_on)
        for row in rows
    ]


def products(tx: Transaction, customer_id: int) -> tuple[str, ...]:
    """The names of a customer's products, sorted."""
    c = t.products.c
    return tuple(tx.scalars(select(c.name).where(c.customer_id == customer_id).order_by(c.name)))


def payments(tx: Transaction, customer_id: int) -> Payments | None:
    """How a customer stands with paying; None where nothing was imported."""
    row = tx.execute(select(t.payments).where(t.payments.c.customer_id == customer_id)).first()
    if row is None:
        return None
    return _payments(row)


def contracts_among(tx: Transaction, customer_ids: Collection[int]) -> dict[tuple[int, str], Contract]:
    """The contracts of those customers, by customer id and reference."""
    rows = tx.execute(select(t.contracts).where(t.contracts.c.customer_id.in_(customer_ids)))
    return {
        (row.customer_id, row.reference): Contract(
            reference=row.reference, product=row.product, begins_on=row.begins_on, ends_on=row.ends_on
        )
        for row in rows
    }


def products_among(tx: Transaction, customer_ids: Collection[int]) -> dict[int, set[str]]:
    """The products of those customers, by customer id."""
    found: dict[int, set[str]] = {}
    c = t.products.c
    for row in tx.execute(select(c.customer_id, c.name).where(c.customer_id.in_(customer_ids))):
        found.setdefault(row.customer_id, set()).add(row.name)
    return found


def payments_among(tx: Transaction, customer_ids: Collection[int]) -> dict[int, Payments]:
    """How those customers stand with paying, by customer id."""
    return {
        row.customer_id: _payments(row)
        for row in tx.execute(select(t.payments).where(t.payments.c.customer_id.in_(customer_ids)))
    }


def put_contracts(tx: Transaction, told: Sequence[tuple[int, Contract]], *, now: datetime) -> None:
    """Adds or overwrites contracts of (customer id, contract)."""
    names = ("customer_id", "reference", "product", "begins_on", "ends_on", "changed_at")
    new = upsert(tx, t.contracts)
    fresh = {name: new.excluded[name] for name in names[2:]}
    rows = [(number, c.reference, c.product, c.begins_on, c.ends_on, now) for number, c in told]
    bulk.put(
        tx,
        new.on_conflict_do_update(index_elements=["customer_id", "reference"], set_=fresh),
        t.contracts,
        names,
        rows,
    )


def put_products(tx: Transaction, told: Mapping[int, Sequence[str]], *, now: datetime) -> None:
    """Says by customer id what they have now; what they had else is gone."""
    if not told:
        return
    mine = t.products.c.customer_id == bindparam("of")
    tx.execute(delete(t.products).where(mine), [{"of": number} for number in told])
    rows = [(number, name, now) for number, names in told.items() for name in dict.fromkeys(names)]
    new = upsert(tx, t.products).on_conflict_do_nothing()
    bulk.put(tx, new, t.products, ("customer_id", "name", "changed_at"), rows)


def put_payments(tx: Transaction, told: Sequence[tuple[int, Mapping[str, object]]], *, now: datetime) -> None:
    """Writes those columns of (customer id, columns), the same for all; the others stay as they were."""
    if not told:
        return
    columns = tuple(told[0][1])
    names = ("customer_id", *columns, "changed_at")
    new = upsert(tx, t.payments)
    fresh = {name: new.excluded[name] for name in (*columns, "changed_at")}
    everything = names if "currency" in columns else (*names, "currency")
    rows = [
        (number, *(_text(values[name]) for name in columns), now, *([] if "currency" in columns else [""]))
        for number, values in told
    ]
    bulk.put(tx, new.on_conflict_do_update(index_elements=["customer_id"], set_=fresh), t.payments, everything, rows)


def _payments(row: Row[Any]) -> Payments:
    return Payments(
        last_on=row.last_on,
        last_amount=_amount(row.last_amount),
        arrears=_amount(row.arrears),
        arrears_since=row.arrears_since,
        currency=row.currency,
    )


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(value: object) -> object:
    return format(value, "f") if isinstance(value, Decimal) else value
