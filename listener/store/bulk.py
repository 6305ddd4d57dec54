"""Many rows at once, without a mapping for each: tuples, each column turned into the database's form as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Column, Dialect, Select, Table, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement

from listener.store import Transaction, engines, upsert

_EMPTY = "[]"  # as JSON


class Json(str):
    """What a JSON column is to hold, written down already."""

    __slots__ = ()

    @classmethod
    def of(cls, value: Any) -> Json:
        """The value, written as the columns are."""
        return cls(engines.as_json(value))


_Words = tuple[str, "list[str] | None"]  # a statement, and the order of its columns where it has places for them
_ADDS: dict[tuple[str, str, tuple[str, ...], bool], _Words] = {}  # by database, table, columns, whether it skips


def put(tx: Transaction, statement: ClauseElement, table: Table, names: Sequence[str], rows: Sequence[Any]) -> int:
    """Runs an INSERT of those columns of the table once for each row, a tuple in their order; how many rows it made.

    -1 where the database does not say.
    """
    return _run(tx, _words(tx, statement, names), table, names, rows) if rows else 0


def add(
    tx: Transaction,
    table: Table,
    names: tuple[str, ...],
    rows: Sequence[tuple[Any, ...]],
    *,
    unless_there: bool = False,
) -> int:
    """As `put`, by a plain INSERT; `unless_there`: rows that stand in the way stay."""
    if not rows:
        return 0
    if tx.dialect.name == "postgresql" and not unless_there:
        return _copy(tx, table, names, rows)
    asked = tx.dialect.name, table.name, names, unless_there
    words = _ADDS.get(asked)
    if words is None:
        statement = upsert(tx, table).on_conflict_do_nothing() if unless_there else insert(table)
        words = _ADDS[asked] = _words(tx, statement, names)
    return _run(tx, words, table, names, rows)


def _words(tx: Transaction, statement: ClauseElement, names: Sequence[str]) -> _Words:
    compiled = statement.compile(dialect=tx.dialect, column_keys=list(names))
    return str(compiled), getattr(compiled, "positiontup", None)


def _run(tx: Transaction, words: _Words, table: Table, names: Sequence[str], rows: Sequence[Any]) -> int:
    statement, order = words
    columns = _columns(tx, table, names, rows)
    if order is not None:
        by_name = dict(zip(names, columns, strict=True))
        values: Any = list(zip(*(by_name[name] for name in order), strict=True))
    else:
        values = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return tx.exec_driver_sql(statement, values).rowcount


def _copy(tx: Transaction, table: Table, names: Sequence[str], rows: Sequence[Any]) -> int:
    """PostgreSQL's own way in for many rows, which it neither parses nor plans one by one. Raises as an INSERT does."""
    quote, driver = tx.dialect.identifier_preparer.quote, tx.dialect.loaded_dbapi
    statement = f"COPY {quote(table.name)} ({', '.join(map(quote, names))}) FROM STDIN"
    cursor: Any = tx.connection.cursor()
    try:
        with cursor, cursor.copy(statement) as copy:
            for row in zip(*_columns(tx, table, names, rows), strict=True):
                copy.write_row(row)
    except driver.Error as error:
        raise DBAPIError.instance(statement, None, error, driver.Error, dialect=tx.dialect) from error
    return len(rows)


def _columns(tx: Transaction, table: Table, names: Sequence[str], rows: Sequence[Any]) -> list[Sequence[Any]]:
    """The rows column by column, in the database's form."""
    return [_formed(tx, table, name, values) for name, values in zip(names, zip(*rows, strict=True), strict=True)]


def _formed(tx: Transaction, table: Table, name: str, values: tuple[Any, ...]) -> Sequence[Any]:
    dialect = tx.dialect
    form = _form(dialect, table.c[name])
    if form is None:
        return values
    formed: list[Any] = []
    moments: dict[datetime, Any] = {}
    last: Any = form  # no column holds it
    made: Any = None
    for value in values:
        if value is not last:  # the same moment, or the same empty list, stands in every row
            last, kind = value, type(value)
            if kind is datetime:
                made = moments.get(value)
                if made is None:
                    made = moments[value] = form(value)
            else:
                made = str(value) if kind is Json else _EMPTY if value == [] else form(value)
        formed.append(made)
    return formed


@lru_cache(maxsize=1024)
def _form(dialect: Dialect, column: Column[Any]) -> Callable[[Any], Any] | None:
    return column.type.dialect_impl(dialect).bind_processor(dialect)


def numbers(tx: Transaction, table: Table, how_many: int) -> list[int]:
    """So many numbers for new rows of the table, in order, that nobody else gets."""
    if not how_many:
        return []
    if tx.dialect.name == "postgresql":
        drawn = "SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :many)"
        return sorted(tx.scalars(text(drawn), {"name": table.name, "many": how_many}))
    last = tx.scalar(_last(table)) or 0  # SQLite's writers are alone, and it counts from there itself
    return list(range(last + 1, last + 1 + how_many))


@cache
def _last(table: Table) -> Select[Any]:
    return select(func.max(table.c.id))
