"""Contact points: where a customer can be reached, and where they must not be.

The e-mail and the phone of the record are contact points too (`of_record`) and follow it: `customers.write` keeps them.
What people said of one (preferred, verified, do not use) stays with it, also when the record changes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, and_, bindparam, delete, distinct, func, select, update

from listener import reach
from listener.errors import NotFound
from listener.store import Transaction, audit, bulk, upsert
from listener.store import tables as t

COLUMNS = {"email": reach.MAIL, "phone": reach.PHONE}  # of a record, with the kind of contact point each is

_NAMES = ("customer_id", "kind", "value", "written", "of_record", "preferred", "do_not_use", "added_at")


@dataclass(frozen=True, kw_only=True)
class ContactPoint:
    """One way to reach a customer. `value` is as it is compared, `written` as people write it."""

    id: int
    kind: str
    value: str
    written: str
    of_record: bool
    preferred: bool
    do_not_use: bool
    verified_at: datetime | None
    added_at: datetime


def of(tx: Transaction, customer_id: int) -> list[ContactPoint]:
    """All of a customer's: preferred ones first, those that must not be used last."""
    c = t.contact_points.c
    query = select(t.contact_points).where(c.customer_id == customer_id)
    return [
        _point(row) for row in tx.execute(query.order_by(c.do_not_use, c.preferred.desc(), c.of_record.desc(), c.id))
    ]


def get(tx: Transaction, customer_id: int, kind: str, written: str) -> ContactPoint:
    """That one, however it is written. Raises NotFound."""
    c = t.contact_points.c
    value = reach.compared(kind, written, country=country(tx))
    row = tx.execute(
        select(t.contact_points).where(c.customer_id == customer_id, c.kind == kind, c.value == value)
    ).first()
    if row is None:
        raise NotFound(f"There is no {kind} {written!r} on the record; see `escucha customer show`.")
    return _point(row)


def whose(tx: Transaction, kind: str, written: str) -> list[str]:
    """The references of the customers who are reached there."""
    c = t.contact_points.c
    value = reach.compared(kind, written, country=country(tx))
    query = (
        select(t.customers.c.reference)
        .join(t.contact_points, c.customer_id == t.customers.c.id)
        .where(c.value == value, c.kind == kind)
        .order_by(t.customers.c.reference)
    )
    return list(tx.scalars(query)) if value else []


def owners(tx: Transaction, kind: str, values: Collection[str]) -> dict[str, int]:
    """By value as compared, whose contact point it is; not those that are several customers'."""
    c = t.contact_points.c
    query = select(c.value, func.min(c.customer_id)).where(c.kind == kind, c.value.in_(values))
    alone = query.group_by(c.value).having(func.count(distinct(c.customer_id)) == 1)
    return {value: customer_id for value, customer_id in tx.execute(alone)}


def put(
    tx: Transaction, *, customer_id: int, reference: str, kind: str, written: str, by: str, now: datetime
) -> ContactPoint:
    """Adds one; harmless where it is there already. The audit log hears of the kind, never of the value."""
    value = reach.compared(kind, written, country=country(tx))
    new = upsert(tx, t.contact_points).values(
        customer_id=customer_id,
        kind=kind,
        value=value,
        written=written,
        of_record=False,
        preferred=False,
        do_not_use=False,
        added_at=now,
    )
    if tx.execute(new.on_conflict_do_nothing()).rowcount:
        _record(tx, "customer.contact_added", reference, by, now, kind=kind)
    return get(tx, customer_id, kind, written)


def mark(
    tx: Transaction,
    point: ContactPoint,
    *,
    customer_id: int,
    reference: str,
    by: str,
    now: datetime,
    preferred: bool | None = None,
    verified: bool | None = None,
    do_not_use: bool | None = None,
) -> None:
    """Says what holds of it. Only one of each kind is preferred; what must not be used is not."""
    c = t.contact_points.c
    values: dict[str, object] = {}
    if do_not_use is not None:
        values["do_not_use"] = do_not_use
        if do_not_use:
            values["preferred"] = False
    if preferred is not None:
        values["preferred"] = preferred
        if preferred:
            values["do_not_use"] = False
            same = and_(c.customer_id == customer_id, c.kind == point.kind)
            tx.execute(update(t.contact_points).where(same).values(preferred=False))
    if verified is not None:
        values["verified_at"] = now if verified else None
    if values:
        tx.execute(update(t.contact_points).where(c.id == point.id).values(**values))
        told = {"preferred": preferred, "verified": verified, "do_not_use": do_not_use}
        said = {name: value for name, value in told.items() if value is not None}
        _record(tx, "customer.contact_marked", reference, by, now, kind=point.kind, **said)


def remove(tx: Transaction, point: ContactPoint, *, reference: str, by: str, now: datetime) -> None:
    """Takes one away."""
    tx.execute(delete(t.contact_points).where(t.contact_points.c.id == point.id))
    _record(tx, "customer.contact_removed", reference, by, now, kind=point.kind)


def among(tx: Transaction, customer_ids: Collection[int]) -> set[tuple[int, str, str]]:
    """The contact points of those customers: customer id, kind and value as it is compared."""
    c = t.contact_points.c
    query = select(c.customer_id, c.kind, c.value).where(c.customer_id.in_(customer_ids))
    return {(row.customer_id, row.kind, row.value) for row in tx.execute(query)}


def put_all(tx: Transaction, told: Sequence[tuple[int, str, str]], *, now: datetime) -> None:
    """Adds contact points in bulk: customer id, kind and how it is written; harmless where they are there already."""
    where = country(tx)
    rows = [
        (customer_id, kind, value, written, False, False, False, now)
        for customer_id, kind, written in told
        if (value := reach.compared(kind, written, country=where))
    ]
    bulk.put(tx, upsert(tx, t.contact_points).on_conflict_do_nothing(), t.contact_points, _NAMES, rows)


def follow(
    tx: Transaction,
    *,
    ids: Mapping[str, int],
    added: Sequence[tuple[str, str, str]],
    gone: Sequence[tuple[str, str]],
    now: datetime,
) -> None:
    """Brings the records' own contact points after them.

    `added` are (reference, kind, written), `gone` are (reference, kind). What somebody said something
    of stays as a contact point of its own.
    """
    c = t.contact_points.c
    if gone:
        rows = [{"of": ids[reference], "as": kind} for reference, kind in gone]
        mine = and_(c.customer_id == bindparam("of"), c.kind == bindparam("as"), c.of_record)
        bare = and_(~c.preferred, ~c.do_not_use, c.verified_at.is_(None))
        tx.execute(delete(t.contact_points).where(mine, bare), rows)
        tx.execute(update(t.contact_points).where(mine).values(of_record=False), rows)
    where = country(tx)
    compared = reach.compared
    found = [
        (ids[reference], kind, value, written, True, False, False, now)
        for reference, kind, written in added
        if (value := compared(kind, written, country=where))
    ]
    new = upsert(tx, t.contact_points)
    kept = new.on_conflict_do_update(
        index_elements=["customer_id", "kind", "value"],
        set_={name: new.excluded[name] for name in ("of_record", "written")},
    )
    bulk.put(tx, kept, t.contact_points, _NAMES, found)


def country(tx: Transaction) -> str:
    """Where a number without its country code is dialled, as the settings say."""
    return str(tx.get_execution_options().get("escucha_country", ""))


def _point(row: Row[tuple[object, ...]]) -> ContactPoint:
    return ContactPoint(**{name: getattr(row, name) for name in ContactPoint.__dataclass_fields__})


def _record(tx: Transaction, action: str, reference: str, by: str, now: datetime, **detail: object) -> None:
    audit.record(tx, at=now, by=by, action=action, subject=f"customer {reference}", **detail)
