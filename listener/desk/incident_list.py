"""A list of those whom an incident hits, from a file: which customers they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from listener import reach
from listener.desk import columns, importing
from listener.desk.spreadsheet import Record, Sheet
from listener.errors import Mistake
from listener.store import Store, Transaction, contacts, customers

BATCH = 1000  # lines looked up at once
WAYS = (("reference", ""), ("email", reach.MAIL), ("phone", reach.PHONE))  # in which a line says who it is, best first


@dataclass(kw_only=True)
class Listed:
    """Who the lines are: the customers' row ids, and the numbers of lines that are nobody's whom we know."""

    lines: int = 0
    customers: set[int] = field(default_factory=set)
    unknown: list[int] = field(default_factory=list)


def read(store: Store, path: Path, *, networks: Collection[str], by_contact: bool = True) -> Listed:
    """The customers on the list in that file: a spreadsheet as text, a workbook, or a JSON object a line.

    A line says who it is by reference, mail address or telephone number, the first that is somebody's; one that is
    several people's is nobody's. Without `by_contact` only the reference says it, so that nobody learns here whose
    address or number something is. Raises Mistake for what is no such file.
    """
    sheet = importing.opened(path, networks=networks)
    ways = _ways(sheet, by_contact=by_contact)
    found = Listed()
    records = sheet.records()
    with store.read() as tx:
        while batch := list(islice(records, BATCH)):
            found.lines += len(batch)
            for record, customer_id in _whose(tx, batch, ways):
                if customer_id is None:
                    found.unknown.append(record.first_line)
                else:
                    found.customers.add(customer_id)
    return found


def _ways(sheet: Sheet, *, by_contact: bool) -> list[tuple[str, int]]:
    """By which columns a line says who it is: a contact's kind, or "" for the reference."""
    folded = [columns.fold(header) for header in sheet.header]
    ways = [
        (kind, folded.index(called))
        for name, kind in WAYS
        for called in islice((each for each in columns.NAMES[name] if each in folded), 1)
    ]
    if not by_contact:
        ways = [each for each in ways if not each[0]]
        if not ways:
            raise Mistake(
                f"{sheet.path.name} has no column reference. Only who may see addresses and numbers of customers, such "
                "as a supervisor, lists them by these."
            )
    if not ways:
        raise Mistake(f"{sheet.path.name} has no column reference, email or phone; name one of them so.")
    return ways


def _whose(
    tx: Transaction, batch: Sequence[Record], ways: Sequence[tuple[str, int]]
) -> Iterator[tuple[Record, int | None]]:
    country = contacts.country(tx)
    known: list[tuple[int, dict[str, int], str]] = []
    for kind, place in ways:
        cells = [_cell(record, place) for record in batch]
        if kind:
            values = {reach.compared(kind, cell, country=country) for cell in cells if cell} - {""}
            known.append((place, contacts.owners(tx, kind, values), kind))
        else:
            known.append((place, customers.ids(tx, {cell for cell in cells if cell}), kind))
    rules = customers.rulers(tx, {each for _, owners, _ in known for each in owners.values()})
    for record in batch:
        owner = None
        for place, owners, kind in known:
            cell = _cell(record, place)
            owner = owners.get(reach.compared(kind, cell, country=country) if kind else cell)
            if owner is not None:
                break
        yield record, None if owner is None else rules.get(owner, owner)


def _cell(record: Record, place: int) -> str:
    return "" if record.trouble or place >= len(record.cells) else record.cells[place].strip()
