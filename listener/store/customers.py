"""Customers: the company's records of people. Which accounts are theirs stands in `links.py`."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, bindparam, func, or_, select, update

from listener.errors import NotFound
from listener.store import Transaction, audit, bulk, contacts, crm_out, sight, upsert
from listener.store import tables as t

_ACCENTED, _BARE = "áéíóúüñ", "aeiouun"  # of Spanish; SQLite nests no more than some thirty calls
_UNACCENTED = str.maketrans(_ACCENTED, _BARE)


@dataclass(frozen=True, kw_only=True)
class Customer:
    """The company's record of a person. `fields` holds what was imported beyond the known columns, by its type."""

    id: int
    reference: str
    name: str
    email: str | None
    phone: str | None
    language: str
    tier: str
    tags: tuple[str, ...]
    fields: dict[str, Any]
    since: date | None
    added_at: datetime
    changed_at: datetime


class Edit(NamedTuple):
    """How one record is to be: every column but the key and the times. `changed` names what differs from before.

    `digest`: of the line that said so, by which the same line is known when it comes again. A tuple, since an import
    makes a million of them.
    """

    reference: str
    values: Mapping[str, Any]
    changed: tuple[str, ...]
    digest: str = ""


# A record's columns beside its reference, and what each holds where nobody says.
COLUMNS: Mapping[str, Any] = {
    "name": "",
    "email": None,
    "phone": None,
    "language": "",
    "tier": "",
    "tags": (),
    "fields": {},
    "since": None,
}


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


def merged_among(tx: Transaction, customer_ids: Collection[int]) -> set[int]:
    """Those of them that were merged into another record."""
    c = t.customers.c
    return set(tx.scalars(select(c.id).where(c.id.in_(customer_ids), c.merged_into_id.is_not(None))))


def rulers(tx: Transaction, customer_ids: Collection[int]) -> dict[int, int]:
    """Of the records that were merged into others, the one that rules now, by row id."""
    c = t.customers.c
    found: dict[int, int] = {}
    asked = set(customer_ids)
    while asked:
        merged = select(c.id, c.merged_into_id).where(c.id.in_(asked), c.merged_into_id.is_not(None))
        step = {row[0]: row[1] for row in tx.execute(merged)}
        found = {each: step.get(into, into) for each, into in found.items()} | {
            each: into for each, into in step.items() if each in customer_ids
        }
        asked = set(step.values())
    return found


def behind(tx: Transaction, account_id: int) -> Customer | None:
    """The customer this account is linked to now."""
    query = (
        select(t.customers)
        .join(t.links, t.links.c.customer_id == t.customers.c.id)
        .where(t.links.c.account_id == account_id, t.links.c.unlinked_at.is_(None))
    )
    row = tx.execute(query).first()
    return _customer(row) if row else None


def behind_all(tx: Transaction, account_ids: Collection[int]) -> dict[int, Customer]:
    """The same of many accounts, by account; who is nobody's is left out."""
    rows = tx.execute(_linked(), {"accounts": list(account_ids)})
    return {row.of_account: _customer(row) for row in rows}


@cache
def _linked() -> Select[Any]:
    c = t.links.c
    query = select(t.customers, c.account_id.label("of_account")).join(t.links, c.customer_id == t.customers.c.id)
    return query.where(c.account_id.in_(bindparam("accounts", expanding=True)), c.unlinked_at.is_(None))


def known(tx: Transaction, references: Iterable[str], *, lock: bool = True) -> dict[str, Customer]:
    """Those of them that exist, by reference; with `lock` nobody else changes them until this transaction ends."""
    query = select(t.customers).where(t.customers.c.reference.in_(list(references))).order_by(t.customers.c.id)
    return {row.reference: _customer(row) for row in tx.execute(query.with_for_update() if lock else query)}


def ids(tx: Transaction, references: Iterable[str]) -> dict[str, int]:
    """The row ids of those that exist, by reference."""
    c = t.customers.c
    return {row[0]: row[1] for row in tx.execute(select(c.reference, c.id).where(c.reference.in_(list(references))))}


def as_imported(tx: Transaction, references: Iterable[str], *, lock: bool) -> dict[str, tuple[int, str]]:
    """Row id and digest of the line last imported of those that exist, by reference; `lock` as for `known`."""
    c = t.customers.c
    query = select(c.reference, c.id, c.imported).where(c.reference.in_(list(references))).order_by(c.id)
    return {row[0]: (row[1], row[2]) for row in tx.execute(query.with_for_update() if lock else query)}


def write(
    tx: Transaction, *, added: Sequence[Edit], changed: Sequence[Edit], by: str, now: datetime, source: str
) -> dict[str, int]:
    """Adds and changes records in bulk, each with its entry in the audit log (names of columns, never their values).

    The contact points of the records follow. Gives the row ids by reference.
    """
    _add(tx, added, now)
    _change(tx, changed, now)
    found = ids(tx, [edit.reference for edit in (*added, *changed)])
    _follow(tx, found, added, changed, now)
    entries = [
        audit.Entry(
            at=now,
            by=by,
            action="customer.added",
            subject=f"customer {edit.reference}",
            detail={"source": source},
        )
        for edit in added
    ]
    entries += [
        audit.Entry(
            at=now,
            by=by,
            action="customer.changed",
            subject=f"customer {edit.reference}",
            detail={"source": source, "columns": list(edit.changed)},
        )
        for edit in changed
    ]
    audit.record_all(tx, entries)
    for edits, kind in ((added, "added"), (changed, "changed")):
        subjects = [f"customer {edit.reference}" for edit in edits]
        crm_out.note(tx, "customers", subjects, kind, now=now, source=source)
    return found


_COLUMNS_OF = itemgetter(*COLUMNS)


def _row(edit: Edit) -> tuple[Any, ...]:
    values = edit.values
    if len(values) < len(COLUMNS):
        values = {**COLUMNS, **values}
    return (*_COLUMNS_OF(values), edit.digest)


def _add(tx: Transaction, added: Sequence[Edit], now: datetime) -> None:
    names = ("reference", *COLUMNS, "imported", "added_at", "changed_at")
    new = upsert(tx, t.customers)
    fresh = {name: new.excluded[name] for name in (*COLUMNS, "imported", "changed_at")}
    kept = new.on_conflict_do_update(index_elements=["reference"], set_=fresh)
    bulk.put(tx, kept, t.customers, names, [(edit.reference, *_row(edit), now, now) for edit in added])


def _change(tx: Transaction, changed: Sequence[Edit], now: datetime) -> None:
    if not changed:
        return
    names = (*COLUMNS, "imported")
    columns: dict[str, Any] = {name: bindparam(f"new_{name}") for name in (*names, "changed_at")}
    rows = [
        {
            "of": edit.reference,
            "new_changed_at": now,
            **{f"new_{name}": value for name, value in zip(names, _row(edit), strict=True)},
        }
        for edit in changed
    ]
    tx.execute(update(t.customers).where(t.customers.c.reference == bindparam("of")).values(columns), rows)


def _follow(
    tx: Transaction, found: Mapping[str, int], added: Sequence[Edit], changed: Sequence[Edit], now: datetime
) -> None:
    """The contact points of the records, as e-mail and phone now say."""
    moved = [
        (edit, column, kind) for edit in changed for column, kind in contacts.COLUMNS.items() if column in edit.changed
    ]
    reached = [
        (edit.reference, kind, written)
        for column, kind in contacts.COLUMNS.items()
        for edit in added
        if (written := edit.values.get(column))
    ]
    reached += [(edit.reference, kind, written) for edit, column, kind in moved if (written := edit.values.get(column))]
    gone = [(edit.reference, kind) for edit, _, kind in moved]
    contacts.follow(tx, ids=found, added=reached, gone=gone, now=now)


def mark_imported(tx: Transaction, digests: Mapping[int, str]) -> None:
    """Remembers by row id the digest of the line that said what the record says already."""
    if digests:
        rows = [{"of": number, "new_imported": digest} for number, digest in digests.items()]
        tx.execute(
            update(t.customers).where(t.customers.c.id == bindparam("of")).values(imported=bindparam("new_imported")),
            rows,
        )


def listing(
    tx: Transaction, *, search: str = "", after: str = "", reached: bool = True, limit: int | None = None
) -> list[Customer]:
    """Customers by reference, those after that one; `search`: in reference, name, e-mail, phone and tier.

    `reached`: whether e-mail and phone are looked at, by which who may not see them would guess them.
    Records that were merged into another are left out.
    """
    later = [t.customers.c.reference > after] if after else []
    query = select(t.customers).where(*_matches(search, reached), *later).order_by(t.customers.c.reference).limit(limit)
    return [_customer(row) for row in tx.execute(query)]


def count(tx: Transaction, *, search: str = "", reached: bool = True) -> int:
    """How many `listing` would give without a limit."""
    return int(tx.scalar(select(func.count()).select_from(t.customers).where(*_matches(search, reached))) or 0)


def _matches(search: str, reached: bool) -> list[ColumnElement[bool]]:
    columns = t.customers.c
    looked_at = [columns.reference, columns.tier]
    looked_at += [columns.email, columns.phone] if reached else []
    rules = [columns.merged_into_id.is_(None)]
    return rules + [
        or_(
            *(func.lower(column).contains(word.lower(), autoescape=True) for column in looked_at),
            _unaccented(columns.name).contains(word.lower().translate(_UNACCENTED), autoescape=True),
        )
        for word in unicodedata.normalize("NFC", search).split()
    ]


def _unaccented(column: ColumnElement[str]) -> ColumnElement[str]:
    """In small letters and without accents, so that `perez` finds Pérez: SQLite's own `lower` knows ASCII alone."""
    plain: ColumnElement[str] = column
    for letter, bare in zip(_ACCENTED, _BARE, strict=True):
        plain = func.replace(func.replace(plain, letter, bare), letter.upper(), bare)
    return func.lower(plain)


def recent_mentions(tx: Transaction, customer: Customer, limit: int) -> list[int]:
    """The numbers of the newest mentions from accounts linked to the customer now that may be seen, newest first."""
    query = (
        select(t.mentions.c.id)
        .join(t.links, t.links.c.account_id == t.mentions.c.account_id)
        .where(t.links.c.customer_id == customer.id, t.links.c.unlinked_at.is_(None), *sight.heard(tx))
        .order_by(t.mentions.c.posted_at.desc(), t.mentions.c.id.desc())
        .limit(limit)
    )
    return list(tx.scalars(query).all())


def _customer(row: Row[Any]) -> Customer:
    same = {name: getattr(row, name) for name in Customer.__dataclass_fields__ if name != "tags"}
    return Customer(**same, tags=tuple(row.tags))
