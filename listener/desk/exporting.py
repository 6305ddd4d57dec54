"""Customers as CSV: what `customer import` reads again without changing a record, and no spreadsheet program runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from listener.desk import columns
from listener.desk.spreadsheet import neutralise
from listener.store import Transaction, customers
from listener.store.customers import COLUMNS, Customer

PAGE = 1_000
_PLAIN = tuple(name for name in COLUMNS if name != "fields")


def as_csv(
    tx: Transaction, *, search: str = "", limit: int | None = None, looked: Callable[[Sequence[Customer]], None]
) -> Iterator[str]:
    """The lines, header first, read a page at a time. A field has a column, by its name, where any record has it.

    `looked` is told of each page before any of it is given.
    """
    names: dict[str, None] = {}
    for page in _pages(tx, search, limit):
        for customer in page:
            names.update(dict.fromkeys(customer.fields))
    fields = sorted(names)
    taken = {name for known in columns.NAMES.values() for name in known}
    headers = [f"field:{name}" if columns.fold(name) in taken or ":" in name else name for name in fields]
    yield _line(["reference", *_PLAIN, *headers])
    for page in _pages(tx, search, limit):
        looked(page)
        for customer in page:
            plain = [_cell(getattr(customer, name)) for name in _PLAIN]
            yield _line([customer.reference, *plain, *(_cell(customer.fields.get(name)) for name in fields)])


def _pages(tx: Transaction, search: str, limit: int | None) -> Iterator[list[Customer]]:
    after, left = "", limit
    while page := customers.listing(tx, search=search, after=after, limit=min(PAGE, left or PAGE)):
        yield page
        after = page[-1].reference
        if left is not None:
            left -= len(page)
            if left <= 0:
                return


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
