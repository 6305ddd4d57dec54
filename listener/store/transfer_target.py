"""The PostgreSQL side of `escucha db copy`: tables that are filled first and bound to each other later.

How far the copy is stands beside the rows and is committed with them, so that it goes on where it stopped, however it
stopped. Until it is finished nobody takes the database for a whole one: its step is `copying`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Integer, Table, Text, cast, delete, func, inspect, select, text, tuple_
from sqlalchemy.schema import AddConstraint, CreateIndex, ForeignKeyConstraint, UniqueConstraint

from listener.errors import Mistake
from listener.store import COPYING, SCHEMA, Store, Transaction
from listener.store import tables as t
from listener.store.transfer_source import AT_ONCE, Key, Row, key_of, keys, read_key, write_key

OWN = (t.lives, t.table_steps)  # what a database without anything in it holds; who merely looked in has a life there
LOCK = 0x65736363  # the advisory lock of whoever copies into this database


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far one table is: the last row that was copied and the last that was compared; None before any."""

    copied_to: Key | None = None
    copied: bool = False
    compared_to: Key | None = None
    compared: bool = False


def demand_fit(target: Store, name: str) -> bool:
    """Whether the copy `name` was begun in it. Raises Mistake for a database that nothing may be copied into."""
    with target.read() as tx:
        if (encoding := tx.scalar(text("SHOW server_encoding"))) != "UTF8":
            raise Mistake(f"The target writes {encoding}, not UTF8: make a database with ENCODING 'UTF8'.")
        there = set(inspect(tx).get_table_names())
        if "copy_progress" in there:
            if tx.scalar(text("SELECT name FROM copy_run")) == name:
                return True
            raise Mistake("The target holds an unfinished copy of another database: make a new, empty one.")
        ours = set(t.metadata.tables) | {"alembic_version"}
        if strangers := sorted(there - ours):
            raise Mistake(
                f"The target has tables of something else ({', '.join(strangers[:3])}): make a new, empty one."
            )
        if there:
            step = tx.scalar(text("SELECT version_num FROM alembic_version")) if "alembic_version" in there else None
            if there != ours or step != SCHEMA:
                raise Mistake("The target has tables of another version of Escucha: make a new, empty database.")
            for table in t.metadata.sorted_tables:
                if table not in OWN and tx.scalar(select(1).select_from(table).limit(1)):
                    raise Mistake(
                        f"The target is in use: its table {table.name} is not empty. Nothing was changed; make a new, "
                        "empty database."
                    )
    return False


def prepare(target: Store, name: str) -> None:
    """Makes the tables, without what holds them together: rows come in no order, from different moments."""
    target.upgrade()
    with target.write() as tx:
        for table in OWN:
            tx.execute(delete(table))  # the source's come with its rows
        for table in t.metadata.sorted_tables:
            look = inspect(tx)
            names = [each["name"] for each in look.get_foreign_keys(table.name)]
            names += [each["name"] for each in look.get_unique_constraints(table.name)]
            for name_of in names:
                tx.exec_driver_sql(f'ALTER TABLE "{table.name}" DROP CONSTRAINT "{name_of}"')
            for index in table.indexes:
                tx.exec_driver_sql(f'DROP INDEX "{index.name}"')
        tx.exec_driver_sql(
            "CREATE TABLE copy_run (name text NOT NULL, applied bigint NOT NULL, bound boolean NOT NULL)"
        )
        tx.execute(text("INSERT INTO copy_run VALUES (:name, 0, false)"), {"name": name})
        tx.exec_driver_sql(
            "CREATE TABLE copy_progress (place text PRIMARY KEY, copied_to text, copied boolean NOT NULL, "
            "compared_to text, compared boolean NOT NULL)"
        )
        for table in t.metadata.sorted_tables:
            tx.execute(text("INSERT INTO copy_progress VALUES (:p, NULL, false, NULL, false)"), {"p": table.name})
        tx.execute(text("UPDATE alembic_version SET version_num = :step"), {"step": COPYING})


def progress(tx: Transaction) -> Mapping[str, Progress]:
    """How far each table is."""
    return {
        row.place: Progress(
            copied_to=read_key(t.metadata.tables[row.place], row.copied_to) if row.copied_to else None,
            copied=row.copied,
            compared_to=read_key(t.metadata.tables[row.place], row.compared_to) if row.compared_to else None,
            compared=row.compared,
        )
        for row in tx.execute(text("SELECT * FROM copy_progress"))
    }


def copied(tx: Transaction, table: Table, last: Key | None, *, whole: bool) -> None:
    """Writes down that the rows up to that key are here."""
    _mark(tx, table, "copied", last, whole)


def compared(tx: Transaction, table: Table, last: Key | None, *, whole: bool) -> None:
    """Writes down that the rows up to that key are as they are in the source."""
    _mark(tx, table, "compared", last, whole)


def _mark(tx: Transaction, table: Table, what: str, last: Key | None, whole: bool) -> None:
    statement = f"UPDATE copy_progress SET {what}_to = coalesce(:last, {what}_to), {what} = :whole WHERE place = :place"  # noqa: S608 - our own words
    written = None if last is None else write_key(last)
    tx.execute(text(statement), {"last": written, "whole": whole, "place": table.name})


def applied(tx: Transaction) -> int:
    """Up to which change of the source this is as the source was."""
    return int(tx.scalar(text("SELECT applied FROM copy_run")) or 0)


def apply(tx: Transaction, changes: Mapping[str, tuple[Sequence[Key], Sequence[Row]]], until: int) -> None:
    """Puts all that changed up to `until` in the place of what was: by table the keys, and the rows there are for them.

    All old rows go before the first new one comes, so that nothing unique is there twice for a moment.
    """
    tx.exec_driver_sql("SET CONSTRAINTS ALL DEFERRED")
    for name, (gone, _) in changes.items():
        table = t.metadata.tables[name]
        columns = keys(table)
        for start in range(0, len(gone), AT_ONCE):
            part = gone[start : start + AT_ONCE]
            tx.execute(delete(table).where(tuple_(*columns).in_(part)))
    for name, (_, rows) in changes.items():
        put(tx, t.metadata.tables[name], rows)
    tx.execute(text("UPDATE copy_run SET applied = :until"), {"until": until})


def put(tx: Transaction, table: Table, rows: Sequence[Row]) -> None:
    """Adds those rows, as `transfer_source.picked` gives them."""
    if not rows:
        return
    quote = tx.dialect.identifier_preparer.quote
    columns = ", ".join(quote(column.name) for column in table.columns)
    link: Any = tx.connection.driver_connection
    with link.cursor() as cursor, cursor.copy(f"COPY {quote(table.name)} ({columns}) FROM STDIN") as stream:
        for row in rows:
            stream.write_row(row)


def by_keys(tx: Transaction, table: Table, wanted: Sequence[Key]) -> dict[Key, Row]:
    """The rows of those keys, as far as there are any; compared with what the source gives."""
    found: dict[Key, Row] = {}
    columns = keys(table)
    every = select(*(cast(each, Text) if isinstance(each.type, JSON) else each for each in table.columns))
    for start in range(0, len(wanted), AT_ONCE):
        for row in tx.execute(every.where(tuple_(*columns).in_(wanted[start : start + AT_ONCE]))):
            found[key_of(table, tuple(row))] = tuple(row)
    return found


# --- what holds the tables together ---


def bound(tx: Transaction) -> bool:
    """Whether that is there."""
    return bool(tx.scalar(text("SELECT bound FROM copy_run")))


def bind(tx: Transaction) -> None:
    """Makes indexes and constraints; the foreign keys look at the end of a transaction, as long as changes come in."""
    for table in t.metadata.sorted_tables:
        for constraint in table.constraints:
            if isinstance(constraint, UniqueConstraint):
                tx.execute(AddConstraint(constraint))
        for index in table.indexes:
            tx.execute(CreateIndex(index))
    for table in t.metadata.sorted_tables:
        for constraint in table.foreign_key_constraints:
            tx.execute(AddConstraint(constraint))
            tx.exec_driver_sql(f"{_altering(table, constraint)} DEFERRABLE INITIALLY IMMEDIATE")
    tx.exec_driver_sql("UPDATE copy_run SET bound = true")


def _altering(table: Table, constraint: ForeignKeyConstraint) -> str:
    return f'ALTER TABLE "{table.name}" ALTER CONSTRAINT "{constraint.name}"'


def complete(tx: Transaction) -> None:
    """Makes a whole database of it: foreign keys as they are elsewhere, numbers that go on, statistics, our step."""
    for table in t.metadata.sorted_tables:
        for constraint in table.foreign_key_constraints:
            tx.exec_driver_sql(f"{_altering(table, constraint)} NOT DEFERRABLE")
    for table in t.metadata.sorted_tables:
        for column in keys(table):
            numbered = tx.scalar(
                text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
            )
            if numbered and isinstance(column.type, Integer):
                newest = tx.scalar(select(func.max(column)))
                tx.execute(
                    text("SELECT setval(:s, :n, :used)"), {"s": numbered, "n": newest or 1, "used": bool(newest)}
                )
    tx.exec_driver_sql("DROP TABLE copy_progress")
    tx.exec_driver_sql("DROP TABLE copy_run")
    tx.execute(text("UPDATE alembic_version SET version_num = :step"), {"step": SCHEMA})
    tx.exec_driver_sql("ANALYZE")
