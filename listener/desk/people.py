"""One line of a customer file: what each cell must be, and what a record may hold."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, NamedTuple

from listener.desk import belongings, field_values
from listener.desk.belongings import More
from listener.desk.checks import CHECKS, MAX_CELL, MAX_HANDLES, SHORT, check_since, check_text
from listener.desk.columns import Layout
from listener.desk.customers import MAX_HANDLE, check_handle
from listener.desk.spreadsheet import restore
from listener.errors import Mistake
from listener.escapes import may_hide
from listener.store.customers import COLUMNS, Customer, Edit

Short = tuple[str, str, int, Callable[[str], Any] | None]  # kind, name, place, and its check


class Person(NamedTuple):
    """One checked line. It holds only what the file has columns for; a tuple, since a file has a million of them."""

    reference: str
    values: Mapping[str, Any]
    fields: Mapping[str, Any] = {}  # by their types
    handles: tuple[tuple[str, str], ...] = ()  # (network, handle)
    more: More | None = None
    digest: str = ""


def read(shape: Layout, cells: Sequence[str]) -> Person | str:
    """The person on one line, or everything that is wrong with it in one line of reasons."""
    if len(cells) < len(shape.columns) or any(cell.strip() for cell in cells[len(shape.columns) :]):
        return f"it has {len(cells)} cells where the header has {len(shape.columns)}"
    values: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    handles: list[tuple[str, str]] = []
    told: list[tuple[str, str, str]] = []
    wrong: list[str] = []
    for (kind, name), raw in zip(shape.columns, cells, strict=False):
        if not kind:
            continue
        called = name or kind
        try:
            cell = unicodedata.normalize("NFC", restore(raw)).strip() if len(raw) <= MAX_CELL else raw
            check_text(called, cell)
            if kind == "field":
                fields[name] = _field(shape, name, cell)
            elif kind == "account":
                handles += [(name, check_handle(handle)) for handle in _BETWEEN.split(cell) if handle]
            elif kind == "since":
                values[kind] = check_since(cell, shape.habits)
            elif kind in CHECKS:
                values[kind] = CHECKS[kind](cell)
            else:
                told.append((kind, name, cell))
        except Mistake as mistake:
            wrong.append(str(mistake).rstrip("."))
    if len(handles) > MAX_HANDLES:
        wrong.append(f"it has {len(handles)} accounts, more than {MAX_HANDLES}")
    more = belongings.read(told, shape.habits) if told else None
    if isinstance(more, str):
        wrong.append(more)
        more = None
    if wrong:
        return "; ".join(wrong)
    reference = values.pop("reference")
    return Person(reference=reference, values=values, fields=fields, handles=tuple(dict.fromkeys(handles)), more=more)


def _field(shape: Layout, name: str, cell: str) -> Any:
    kind = shape.types.get(name)
    if kind is None:
        return cell
    try:
        return field_values.read(kind, cell, shape.habits)
    except Mistake as mistake:
        raise Mistake(f"{name}: {mistake}") from None


def reader(shape: Layout) -> Callable[[Sequence[str]], Person | str]:
    """`read` for many lines of one file, each with its digest: lines without anything odd are read the short way."""
    width = len(shape.columns)
    seal = hashlib.blake2b(repr((shape.columns, shape.types, shape.habits)).encode(), digest_size=16).digest()
    short = _short_ways(shape)

    def read_one(cells: Sequence[str]) -> Person | str:
        whole = SEPARATOR.join(cells)
        digest = hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=16, key=seal).hexdigest()
        person = None
        if len(cells) == width and len(whole) <= MAX_CELL and not _odd(whole, width):
            person = _read_short(short, cells, digest)
        if person is not None:
            return person
        found = read(shape, cells)
        return found if isinstance(found, str) else found._replace(digest=digest)

    return read_one


_BETWEEN = re.compile(r"[\s,;]+")
_ODD_ASCII = re.compile("[\x00-\x1e\x7f]")
SEPARATOR = "\x1f"  # ASCII's own; a cell that holds it is odd


def _odd(whole: str, width: int) -> bool:
    """Whether a line needs a closer look: apostrophes, tabs and line breaks, what is hidden, what is not composed."""
    if "'" in whole or whole.count(SEPARATOR) != width - 1:
        return True
    if whole.isascii():
        return _ODD_ASCII.search(whole) is not None
    return not unicodedata.is_normalized("NFC", whole) or may_hide(whole.replace(SEPARATOR, " "))


def _read_short(short: Sequence[Short], cells: Sequence[str], digest: str) -> Person | None:
    """The person on a line without anything odd; None where a cell is not what it should be."""
    values: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    handles: list[tuple[str, str]] = []
    for kind, name, place, check in short:
        cell = cells[place].strip()
        if check is None:
            fields[name] = cell
            continue
        if kind == "account":
            parts = _BETWEEN.split(cell)
            handles += [(name, each.removeprefix("@")) for each in parts if each]
            if "@" in parts or len(handles) > MAX_HANDLES or len(cell) > MAX_HANDLE:
                return None
            continue
        try:
            value = check(cell)
        except Mistake:
            return None
        if kind == "field":
            fields[name] = value
        else:
            values[kind] = value
    return Person(values.pop("reference"), values, fields, tuple(dict.fromkeys(handles)), None, digest)


def _short_ways(shape: Layout) -> list[Short]:
    """How each column is read the short way; none for a file with columns that only `read` knows."""
    found: list[Short] = []
    for place, (kind, name) in enumerate(shape.columns):
        if kind == "field":
            kind_of = shape.types.get(name)
            check = partial(field_values.read, kind_of, habits=shape.habits) if kind_of else None
            found.append((kind, name, place, check))
        elif kind == "since":
            found.append((kind, name, place, lru_cache(maxsize=10_000)(partial(check_since, habits=shape.habits))))
        elif kind == "account":
            found.append((kind, name, place, check_handle))
        elif kind in CHECKS:
            found.append((kind, name, place, SHORT.get(kind) or lru_cache(maxsize=1000)(CHECKS[kind])))
        elif kind:
            return [("reference", "", 0, _never)]
    return found


def _never(_cell: str) -> None:
    raise Mistake("This file is read the long way.")


EMPTY: Mapping[str, Any] = {name: empty for name, empty in COLUMNS.items() if name != "fields"}


def merged(person: Person, before: Customer | None) -> Edit:
    """The record as it is to be: what the file has columns for is as the file says, the rest as it was.

    A further field whose cell is empty is taken away.
    """
    if before is None:
        said = {name: value for name, value in person.fields.items() if value != ""}
        values = {**EMPTY, **person.values, "fields": said}
        return Edit(person.reference, values, (), person.digest)
    was = {column: getattr(before, column) for column in EMPTY}
    now = {**was, **person.values}
    old = dict(before.fields)
    fields = {name: value for name, value in {**old, **person.fields}.items() if value != ""}
    changed = [column for column in EMPTY if now[column] != was[column]]
    changed += sorted(f"fields.{name}" for name in {*old, *fields} if old.get(name) != fields.get(name))
    values = {**now, "tags": list(now["tags"]), "fields": fields}
    return Edit(person.reference, values, tuple(changed), person.digest)


def erased(since: datetime) -> str:
    """Why somebody is not brought back in silence."""
    return f"they were erased on {since:%Y-%m-%d}; if they are a customer again"
