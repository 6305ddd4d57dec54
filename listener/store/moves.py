"""What was joined or parted by a person's word, row by row, so that it can be put back.

A move keeps of each row what was changed: how it was, and how it became. Putting it back touches only what is still as
the move left it; what somebody changed since is theirs, and is named.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, Table, insert, select, update

from listener.store import Transaction
from listener.store import tables as t


class MoveKind(StrEnum):
    """What was done."""

    MERGE = "merge"
    UNLINK = "unlink"


@dataclass(frozen=True, kw_only=True)
class Move:
    """One merge of two records, or one link taken back with what hung on it."""

    id: int
    kind: MoveKind
    customer_id: int
    other_id: int | None
    account_id: int | None
    by: str
    at: datetime
    undone_by: str | None
    undone_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Put:
    """One column of one row that was put back, or could not be: it `is` something else by now, or the row is gone."""

    table: str
    key: Mapping[str, Any]
    column: str
    was: Any
    becomes: Any


@dataclass(frozen=True, kw_only=True)
class Undone:
    """What a move that was undone gave back, and what it could not."""

    back: tuple[Put, ...] = ()
    left: tuple[Put, ...] = ()


def begin(
    tx: Transaction,
    kind: MoveKind,
    *,
    customer_id: int,
    other_id: int | None = None,
    account_id: int | None = None,
    by: str,
    now: datetime,
) -> int:
    """A new move to which rows are added; gives its number."""
    values = {"customer_id": customer_id, "other_id": other_id, "account_id": account_id, "by": by, "at": now}
    return int(tx.execute(insert(t.moves).values(kind=kind.value, **values).returning(t.moves.c.id)).scalar_one())


def change(tx: Transaction, move_id: int, table: Table, key: Mapping[str, Any], **values: Any) -> None:
    """Changes those columns of the row with that key, and keeps how they were."""
    row = tx.execute(select(table).where(*_is(table, key)).with_for_update()).one()
    was = {name: getattr(row, name) for name, value in values.items() if getattr(row, name) != value}
    if not was:
        return
    tx.execute(update(table).where(*_is(table, key)).values(**values))
    keep(
        tx,
        move_id,
        table.name,
        {**key, **{name: values[name] for name in key if name in values}},
        was=was,
        becomes=values,
    )


def keep(
    tx: Transaction,
    move_id: int,
    table: str,
    key: Mapping[str, Any],
    *,
    was: Mapping[str, Any],
    becomes: Mapping[str, Any],
) -> None:
    """Keeps how those columns of a row were, which somebody else has changed; `key`: as it is since."""
    tx.execute(
        insert(t.moved_rows).values(
            move_id=move_id,
            table_name=table,
            key=dict(key),
            was={name: encode(value) for name, value in was.items()},
            becomes={name: encode(becomes[name]) for name in was},
        )
    )


def undo(tx: Transaction, move: Move, *, by: str, now: datetime, but: Sequence[str] = ()) -> Undone:
    """Puts every row back, the last one first, where it is still as the move left it; `but`: told, not written.

    What is told of those tables in `back` the caller has to write itself, through whatever door they have.
    """
    back: list[Put] = []
    left: list[Put] = []
    columns = t.moved_rows.c
    for kept in tx.execute(select(t.moved_rows).where(columns.move_id == move.id).order_by(columns.id.desc())).all():
        table = t.metadata.tables[kept.table_name]
        row = tx.execute(select(table).where(*_is(table, kept.key)).with_for_update()).first()
        puts = [
            Put(table=table.name, key=kept.key, column=name, was=decode(was), becomes=decode(kept.becomes[name]))
            for name, was in kept.was.items()
        ]
        same = [put for put in puts if row is not None and getattr(row, put.column) == put.becomes]
        left += [put for put in puts if put not in same]
        back += same
        if same and table.name not in but:
            tx.execute(update(table).where(*_is(table, kept.key)).values({put.column: put.was for put in same}))
    tx.execute(update(t.moves).where(t.moves.c.id == move.id).values(undone_by=by, undone_at=now))
    return Undone(back=tuple(back), left=tuple(left))


def last(
    tx: Transaction,
    kind: MoveKind,
    *,
    customer_ids: Sequence[int],
    other_id: int | None = None,
    account_id: int | None = None,
) -> Move | None:
    """The newest move of that kind about one of those customers that was not undone; None where there is none."""
    columns = t.moves.c
    where = [columns.kind == kind.value, columns.undone_at.is_(None), columns.customer_id.in_(customer_ids)]
    where += [] if other_id is None else [columns.other_id == other_id]
    where += [] if account_id is None else [columns.account_id == account_id]
    row = tx.execute(select(t.moves).where(*where).order_by(columns.id.desc()).limit(1)).first()
    return _move(row) if row else None


_KINDS: Sequence[tuple[str, type[Any], Callable[[Any], str], Callable[[str], Any]]] = (
    ("$moment", datetime, datetime.isoformat, datetime.fromisoformat),
    ("$date", date, date.isoformat, date.fromisoformat),
    ("$decimal", Decimal, str, Decimal),
    ("$bytes", bytes, lambda value: base64.b64encode(value).decode("ascii"), base64.b64decode),
)


def encode(value: Any) -> Any:
    """The value as JSON can keep it, so that `decode` gives it again, type and all."""
    for name, kind, write, _ in _KINDS:
        if isinstance(value, kind):
            return {name: write(value)}
    if isinstance(value, list | tuple):
        return [encode(each) for each in value]
    if isinstance(value, Mapping):
        plain = {name: encode(each) for name, each in value.items()}
        return {"$mapping": plain} if any(name.startswith("$") for name in plain) else plain
    return value


def decode(value: Any) -> Any:
    """What was encoded."""
    if isinstance(value, list):
        return [decode(each) for each in value]
    if not isinstance(value, dict):
        return value
    for name, _, _, read in _KINDS:
        if value.keys() == {name}:
            return read(value[name])
    plain = value["$mapping"] if value.keys() == {"$mapping"} else value
    return {name: decode(each) for name, each in plain.items()}


def _is(table: Table, key: Mapping[str, Any]) -> list[Any]:
    return [table.c[name] == value for name, value in key.items()]


def _move(row: Row[Any]) -> Move:
    same = {name: getattr(row, name) for name in Move.__dataclass_fields__ if name != "kind"}
    return Move(kind=MoveKind(row.kind), **same)
