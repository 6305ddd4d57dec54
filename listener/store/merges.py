"""Two records of one person: the one that no longer rules keeps its row, and all that hung on it goes to the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Table, UniqueConstraint, func, select, update

from listener.errors import NotFound
from listener.store import Transaction, audit, cases, contacts, moves
from listener.store import tables as t
from listener.store.customers import COLUMNS, Customer, Edit, by_id, write
from listener.store.moves import MoveKind

# Every column that names a customer either goes with a merge or stays; a test finds those that are in neither.
GOES = (
    "links.customer_id",
    "expected_links.customer_id",
    "link_codes.customer_id",
    "link_suggestions.customer_id",
    "contact_points.customer_id",
    "consents.customer_id",
    "customer_notes.customer_id",
    "contracts.customer_id",
    "products.customer_id",
    "payments.customer_id",
    "holds.customer_id",
    "cases.customer_id",
    "incident_customers.customer_id",
)
STAYS: Mapping[str, str] = {
    "answers.customer_id": "who was answered once is not answered again, whatever they are called since",
    "crm_records.customer_id": "a CRM's own record goes on meaning that very record here",
    "customers.merged_into_id": "who was merged into the other one before stays so: it is undone step by step",
    "link_suggestions.other_id": "which two records were compared stays said as it was",
    "moves.customer_id": "what was done to which record is history",
    "moves.other_id": "what was done to which record is history",
}
_CAME = ("linked_at", "issued_at", "opened_at", "added_at", "noted_at", "at", "changed_at")  # when a row came to be


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What a merge moved: how many rows by table, and how many the other record keeps because there is the same."""

    move_id: int
    moved: Mapping[str, int]
    kept: Mapping[str, int]
    filled: tuple[str, ...]  # columns of the record that were empty, or grew


def merge(tx: Transaction, customer: Customer, other: Customer, *, by: str, now: datetime) -> Merged:
    """Makes `customer` rule for both. The caller has looked that both rule themselves, and holds `links.alone`."""
    move_id = moves.begin(tx, MoveKind.MERGE, customer_id=customer.id, other_id=other.id, by=by, now=now)
    moved: dict[str, int] = {}
    kept: dict[str, int] = {}
    for named in GOES:
        table, column = _column(named)
        rows = tx.execute(select(table).where(table.c[column] == other.id).with_for_update()).all()
        for row in rows:
            if _has_the_same(tx, table, column, row._mapping, customer.id):
                _keep_away(tx, move_id, table, row._mapping, customer.id)
                kept[table.name] = kept.get(table.name, 0) + 1
                continue
            if table is t.cases:
                why = f"{other.reference} is {customer.reference}"
                cases.set_customer(tx, cases.by_id(tx, row.id), customer.id, by=by, now=now, why=why)
                moves.keep(tx, move_id, "cases", {"id": row.id}, was={column: other.id}, becomes={column: customer.id})
            else:
                key = {each.name: row._mapping[each.name] for each in table.primary_key.columns}
                more = {"of_record": False} if table is t.contact_points else {}  # it follows the other record's column
                moves.change(tx, move_id, table, key, **{column: customer.id}, **more)
            moved[table.name] = moved.get(table.name, 0) + 1
    filled = _fill(tx, move_id, customer, other, by=by, now=now)
    tx.execute(update(t.customers).where(t.customers.c.id == other.id).values(merged_into_id=customer.id))
    _record(tx, "merged", (customer, other), by, now)
    return Merged(move_id=move_id, moved=moved, kept=kept, filled=filled)


def merged_at(tx: Transaction, customer: Customer, other: Customer) -> datetime:
    """When `other` was merged into the customer. Raises NotFound where it is not."""
    move = moves.last(tx, MoveKind.MERGE, customer_ids=[customer.id], other_id=other.id)
    if move is None:
        raise NotFound(f"{other.reference} is not merged into {customer.reference}.")
    return move.at


def part(tx: Transaction, customer: Customer, other: Customer, *, by: str, now: datetime) -> moves.Undone:
    """Lets `other` rule itself again, and gives back what the merge moved, where it is still as it was left then.

    The caller holds `links.alone`, and has looked that they are merged.
    """
    move = moves.last(tx, MoveKind.MERGE, customer_ids=[customer.id], other_id=other.id)
    if move is None:
        raise NotFound(f"{other.reference} is not merged into {customer.reference}.")
    undone = moves.undo(tx, move, by=by, now=now, but=["customers", "cases"])
    for put in undone.back:
        if put.table == "cases":
            why = f"{other.reference} is a record of its own"
            cases.set_customer(tx, cases.by_id(tx, put.key["id"]), put.was, by=by, now=now, why=why)
    reached = [
        (other.reference, kind, written) for name, kind in contacts.COLUMNS.items() if (written := getattr(other, name))
    ]
    contacts.follow(tx, ids={other.reference: other.id}, added=reached, gone=[], now=now)
    values = {put.column: put.was for put in undone.back if put.table == "customers"}
    if values:
        _write(tx, by_id(tx, customer.id), values, by=by, now=now, source=f"{other.reference} is a record of its own")
    tx.execute(update(t.customers).where(t.customers.c.id == other.id).values(merged_into_id=None))
    _record(tx, "unmerged", (customer, other), by, now)
    return replace(undone, left=tuple(put for put in undone.left if put.column != "of_record"))


def family(tx: Transaction, customer: Customer) -> list[Customer]:
    """The record itself and all that were merged into it, directly or through another."""
    found = [customer]
    known = {customer.id}
    for each in found:
        query = (
            select(t.customers.c.id).where(t.customers.c.merged_into_id == each.id).order_by(t.customers.c.reference)
        )
        for number in tx.scalars(query).all():
            if number not in known:
                known.add(number)
                found.append(by_id(tx, number))
    return found


def since(tx: Transaction, customer: Customer, moment: datetime) -> dict[str, int]:
    """How many rows came to the customer after that, by table, that do not say by themselves whose they are."""
    counts: dict[str, int] = {}
    for named in GOES:
        table, column = _column(named)
        came = next((table.c[name] for name in _CAME if name in table.c), None)
        if came is None:
            continue
        where = [table.c[column] == customer.id, came > moment]
        where += [table.c.account_id.is_(None)] if table is t.cases else []
        found = int(tx.scalar(select(func.count()).select_from(table).where(*where)) or 0)
        counts |= {table.name: found} if found else {}
    return counts


def _column(named: str) -> tuple[Table, str]:
    name, _, column = named.partition(".")
    return t.metadata.tables[name], column


def _has_the_same(tx: Transaction, table: Table, column: str, row: Mapping[Any, Any], customer_id: int) -> bool:
    """Whether a row that may be there once for each customer is there already."""
    unique: list[Sequence[str]] = [
        [each.name for each in constraint.columns]
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint) or constraint is table.primary_key
    ]
    unique += [[each.name for each in index.columns] for index in table.indexes if index.unique]
    for names in unique:
        others = [name for name in names if name != column]
        if column not in names or any(row[name] is None for name in others):
            continue
        where = (table.c[column] == customer_id, *(table.c[name] == row[name] for name in others))
        if tx.execute(select(table.c[column]).where(*where).limit(1)).first() is not None:
            return True
    return False


def _keep_away(tx: Transaction, move_id: int, table: Table, row: Mapping[Any, Any], customer_id: int) -> None:
    """Where both have one contact point and one of them said that it must not be used, it must not."""
    if table is t.contact_points and row["do_not_use"]:
        same = {"customer_id": customer_id, "kind": row["kind"], "value": row["value"]}
        moves.change(tx, move_id, table, same, do_not_use=True, preferred=False)


def _fill(
    tx: Transaction, move_id: int, customer: Customer, other: Customer, *, by: str, now: datetime
) -> tuple[str, ...]:
    """Fills what the record lacks from the other; tags and fields come together, the record's own first."""
    values: dict[str, Any] = {}
    for name in ("email", "phone", "language", "tier"):
        if not getattr(customer, name) and getattr(other, name):
            values[name] = getattr(other, name)
    tags = list(dict.fromkeys([*customer.tags, *other.tags]))
    values |= {"tags": tags} if tags != list(customer.tags) else {}
    fields = {**other.fields, **customer.fields}
    values |= {"fields": fields} if fields != customer.fields else {}
    if values:
        was = {name: _plain(getattr(customer, name)) for name in values}
        _write(tx, customer, values, by=by, now=now, source=f"merged with {other.reference}")
        moves.keep(tx, move_id, "customers", {"id": customer.id}, was=was, becomes=values)
    return tuple(values)


def _write(
    tx: Transaction, customer: Customer, values: Mapping[str, Any], *, by: str, now: datetime, source: str
) -> None:
    as_it_is = {name: _plain(getattr(customer, name)) for name in COLUMNS}
    edit = Edit(reference=customer.reference, values={**as_it_is, **values}, changed=tuple(values))
    write(tx, added=[], changed=[edit], by=by, now=now, source=source)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _record(tx: Transaction, done: str, both: tuple[Customer, Customer], by: str, now: datetime) -> None:
    for one, two in (both, both[::-1]):
        subject, told = f"customer {one.reference}", {"with": two.reference, "rules": both[0].reference}
        audit.record(tx, at=now, by=by, action=f"customer.{done}", subject=subject, **told)
