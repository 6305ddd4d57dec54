"""The SQLite side of `escucha db copy`: what changes while it is copied is written down beside it, key by key.

A trigger on each table notes the key of every row that is written, so that the copy can follow a database in use; once
everything has moved, the same triggers refuse every write.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import JSON, Date, Select, String, Table, Text, func, inspect, select, text, tuple_, type_coerce
from sqlalchemy.engine import make_url

from listener.errors import Mistake
from listener.store import MOVED, SCHEMA, Transaction, named
from listener.store import tables as t

AT_ONCE = 400  # rows asked for by their keys
Key = tuple[Any, ...]
Row = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Order:
    """A copy that was begun: which one, and where to (without a password)."""

    name: str
    target: str


def order(tx: Transaction) -> Order | None:
    """The copy of this database that was begun and not given up."""
    if not inspect(tx).has_table("copy_order"):
        return None
    row = tx.execute(text("SELECT name, target FROM copy_order")).first()
    return Order(name=row.name, target=named(make_url(row.target))) if row else None


def begin(tx: Transaction, target: str) -> Order:
    """From this transaction on every change is written down. Raises Mistake where another copy was begun."""
    if (begun := order(tx)) is not None:
        if begun.target != target:
            raise Mistake(
                f"A copy to {begun.target} was begun: go on with that one, or give it up with "
                "`escucha db copy --give-up`."
            )
        return begun
    made = Order(name=secrets.token_hex(16), target=target)
    tx.execute(text("CREATE TABLE copy_order (name TEXT NOT NULL, target TEXT NOT NULL)"))
    tx.execute(text("INSERT INTO copy_order VALUES (:name, :target)"), {"name": made.name, "target": target})
    tx.execute(
        text("CREATE TABLE copy_changes (id INTEGER PRIMARY KEY AUTOINCREMENT, place TEXT NOT NULL, row TEXT NOT NULL)")
    )
    for table in t.metadata.sorted_tables:
        old, new = (f"json_array({', '.join(f'{side}.{_quoted(each)}' for each in keys(table))})" for side in _SIDES)
        note = "INSERT INTO copy_changes (place, row)"
        for event, what in (
            ("INSERT", f"{note} VALUES ('{table.name}', {new});"),
            ("DELETE", f"{note} VALUES ('{table.name}', {old});"),
            ("UPDATE", f"{note} SELECT '{table.name}', {old} UNION SELECT '{table.name}', {new};"),
        ):
            name = f"copy_{event.lower()}_{table.name}"
            tx.exec_driver_sql(f"CREATE TRIGGER {name} AFTER {event} ON {_quoted(table)} BEGIN {what} END")
    return made


_SIDES = ("OLD", "NEW")


def give_up(tx: Transaction) -> bool:
    """Nothing is written down any more, and a database that has moved may be used again; whether there was a copy."""
    if order(tx) is None:
        return False
    _disarm(tx)
    tx.execute(text("DROP TABLE copy_changes"))
    tx.execute(text("DROP TABLE copy_order"))
    tx.execute(text("UPDATE alembic_version SET version_num = :now WHERE version_num = :moved"), _STEPS)
    return True


_STEPS = {"now": SCHEMA, "moved": MOVED}


def move(tx: Transaction) -> None:
    """Everything is elsewhere from this transaction on: who opens the database is told, whoever writes is refused."""
    _disarm(tx)
    for table in t.metadata.sorted_tables:
        for event in ("INSERT", "UPDATE", "DELETE"):
            refusal = "SELECT RAISE(ABORT, 'this database has moved to PostgreSQL');"
            name = f"copy_{event.lower()}_{table.name}"
            tx.exec_driver_sql(f"CREATE TRIGGER {name} BEFORE {event} ON {_quoted(table)} BEGIN {refusal} END")
    tx.execute(text("UPDATE alembic_version SET version_num = :moved"), _STEPS)


def _disarm(tx: Transaction) -> None:
    query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'copy\\_%' ESCAPE '\\'"
    for name in tx.scalars(text(query)).all():
        tx.exec_driver_sql(f'DROP TRIGGER "{name}"')


# --- what PostgreSQL could not hold ---


def unfit(tx: Transaction) -> list[str]:
    """What SQLite took and PostgreSQL refuses, one sentence for each column: too long, or with a zero byte in it."""
    found = []
    for table in t.metadata.sorted_tables:
        for column in table.columns:
            if not isinstance(column.type, String):
                continue
            longest = column.type.length
            value = type_coerce(column, Text)
            bad = func.instr(value, func.char(0)) > 0
            many = tx.scalar(select(func.count()).where(bad | (func.length(value) > longest) if longest else bad))
            if many:
                limit = f" longer than {longest} letters or" if longest else ""
                found.append(f"{table.name}.{column.name} is{limit} with a zero byte in {many} of its rows")
    return found


# --- rows ---


def keys(table: Table) -> list[Any]:
    """The columns that a row is known by."""
    return list(table.primary_key.columns)


def _quoted(named: Any) -> str:
    return f'"{named.name}"'


def picked(table: Table) -> Select[Any]:
    """All columns, as they are compared: JSON to the letter, everything else by its value."""
    return select(*(type_coerce(each, Text) if isinstance(each.type, JSON) else each for each in table.columns))


def key_of(table: Table, row: Row) -> Key:
    """The key of a row that holds all columns."""
    places = [list(table.columns).index(column) for column in keys(table)]
    return tuple(row[place] for place in places)


def count(tx: Transaction, table: Table) -> int:
    """How many rows there are."""
    return int(tx.scalar(select(func.count()).select_from(table)) or 0)


def after(tx: Transaction, table: Table, last: Key | None, *, at_most: int) -> list[Row]:
    """The next rows behind that key, in the order of the keys."""
    columns = keys(table)
    query = picked(table).order_by(*columns).limit(at_most)
    if last is not None:
        query = query.where(tuple_(*columns) > tuple_(*last))
    return [tuple(row) for row in tx.execute(query)]


def by_keys(tx: Transaction, table: Table, wanted: Sequence[Key]) -> dict[Key, Row]:
    """The rows of those keys, as far as there are any."""
    found: dict[Key, Row] = {}
    columns = keys(table)
    for start in range(0, len(wanted), AT_ONCE):
        part = wanted[start : start + AT_ONCE]
        only = columns[0].in_([key[0] for key in part]) if len(columns) == 1 else tuple_(*columns).in_(part)
        for row in tx.execute(picked(table).where(only)):
            found[key_of(table, tuple(row))] = tuple(row)
    return found


def write_key(key: Key) -> str:
    """A key as text, for `read_key`."""
    return json.dumps([value.isoformat() if isinstance(value, date) else value for value in key])


def read_key(table: Table, written: str) -> Key:
    """What `write_key` or a trigger wrote."""
    values = json.loads(written)
    return tuple(
        date.fromisoformat(value) if isinstance(column.type, Date) else value
        for column, value in zip(keys(table), values, strict=True)
    )


# --- changes ---


def newest_change(tx: Transaction) -> int:
    """The number of the newest change that was written down; 0 before any."""
    return int(tx.scalar(text("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'copy_changes'")) or 0)


def changed(tx: Transaction, *, behind: int, until: int) -> Iterator[tuple[Table, list[Key]]]:
    """The keys of what changed behind one change up to another, by table; each once."""
    query = "SELECT DISTINCT row FROM copy_changes WHERE place = :place AND id > :behind AND id <= :until"
    there = "SELECT DISTINCT place FROM copy_changes WHERE id > :behind AND id <= :until"
    span: Mapping[str, Any] = {"behind": behind, "until": until}
    places = set(tx.scalars(text(there), span))
    for table in t.metadata.sorted_tables:
        if table.name in places:
            found = tx.scalars(text(query), {**span, "place": table.name})
            yield table, [read_key(table, written) for written in found]


def forget_changes(tx: Transaction, until: int) -> None:
    """Lets go of what was copied."""
    tx.execute(text("DELETE FROM copy_changes WHERE id <= :until"), {"until": until})
