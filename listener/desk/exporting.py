"""Customers as CSV: what `customer import` reads again without changing a record, and no spreadsheet program runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from listener.desk import columns
from listener.desk.spreadsheet import neutralise
from listener.store import Transaction, customers
from listener.store.customers import COLUMNS, Customer

PAGE = 1_000
_PLAIN = tuple(name for name in COLUMNS if name != "fields")


def pages(tx: Transaction, *, search: str = "") -> Iterator[list[Customer]]:
    """The records by reference, so many at a time that memory stays the same."""
    after = ""
    while page := customers.listing(tx, search=search, after=after, limit=PAGE):
        yield page
        after = page[-1].reference


def fields(tx: Transaction, *, search: str = "") -> list[str]:
    """The names of the further fields that any of the records has."""
    return sorted({name for page in pages(tx, search=search) for customer in page for name in customer.fields})


def header(names: Sequence[str]) -> str:
    """The first line; a field whose name would mean something else is marked as one."""
    taken = {name for known in columns.NAMES.values() for name in known}
    marked = [f"field:{name}" if columns.fold(name) in taken or ":" in name else name for name in names]
    return _line(["reference", *_PLAIN, *marked])


def line(customer: Customer, names: Sequence[str]) -> str:
    """One record, with a cell for each of those fields."""
    plain = [_cell(getattr(customer, name)) for name in _PLAIN]
    return _line([customer.reference, *plain, *(_cell(customer.fields.get(name)) for name in names)])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _line(cells: list[str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerow([neutralise(cell) for cell in cells])
    return out.getvalue()
