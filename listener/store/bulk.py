"""Many rows at once, without a mapping for each: tuples, each column turned into the database's form as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.sql import ClauseElement

from listener.store import Transaction


def put(tx: Transaction, statement: ClauseElement, table: Table, names: Sequence[str], rows: Sequence[Any]) -> int:
    """Runs an INSERT of those columns of the table once for each row, a tuple in their order; how many rows it made.

    -1 where the database does not say.
    """
    if not rows:
        return 0
    compiled = statement.compile(dialect=tx.dialect, column_keys=list(names))
    columns = [_formed(tx, table, name, values) for name, values in zip(names, zip(*rows, strict=True), strict=True)]
    order = getattr(compiled, "positiontup", None)
    if order is not None:
        by_name = dict(zip(names, columns, strict=True))
        values: Any = list(zip(*(by_name[name] for name in order), strict=True))
    else:
        values = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return tx.exec_driver_sql(str(compiled), values).rowcount


def _formed(tx: Transaction, table: Table, name: str, values: tuple[Any, ...]) -> Sequence[Any]:
    dialect = tx.dialect
    form: Callable[[Any], Any] | None = table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
    if form is None:
        return values
    formed: list[Any] = []
    last: Any = form  # no column holds it
    made: Any = None
    for value in values:
        if value is not last:  # the same moment, or the same empty list, stands in every row
            last, made = value, form(value)
        formed.append(made)
    return formed
