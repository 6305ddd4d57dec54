"""The proof of what became of a send of unknown outcome: every look for it, what was asked and what was found.

A look that finds the same as the one before it is counted in that one's row, so what is looked for once an hour for
ever stays one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Row, func, insert, select, update

from listener.store import Transaction
from listener.store import tables as t
from listener.types import Finding, Posted, Sent

DAEMON = "daemon"
BY_EYE = "a person looked there"
_C = t.looks.c
_OF: dict[Sent, Column[Any]] = {
    Sent.REPLY: _C.draft_id,
    Sent.NOTICE: _C.delivery_id,
    Sent.AMENDMENT: _C.amendment_id,
}


@dataclass(frozen=True, kw_only=True)
class Look:
    """What `times` looks in a row found, from `first_at` to `at`. `since`: how far back; None where a person looked.

    `posted_id`, `posted_url`: the post that was found, also where it is not the one that was looked for.
    """

    asked: str
    since: datetime | None
    found: Finding
    posted_id: str | None
    posted_url: str | None
    detail: str
    by: str
    first_at: datetime
    at: datetime
    times: int


def keep(
    tx: Transaction,
    what: Sent,
    number: int,
    *,
    asked: str,
    found: Finding,
    at: datetime,
    since: datetime | None = None,
    posted: Posted | None = None,
    detail: str = "",
    by: str = DAEMON,
) -> None:
    """Writes down one look for that reply, delivery or amendment."""
    said: dict[str, Any] = {
        "asked": asked,
        "found": found.value,
        "posted_id": posted.external_id if posted else None,
        "posted_url": posted.url if posted else None,
        "detail": detail[:1000],
        "by": by,
    }
    last = tx.execute(select(t.looks).where(_OF[what] == number).order_by(_C.id.desc()).limit(1)).first()
    if last is not None and all(getattr(last, name) == value for name, value in said.items()) and last.at <= at:
        tx.execute(update(t.looks).where(_C.id == last.id).values(at=at, times=_C.times + 1))
        return
    row = {_OF[what].name: number, **said, "since": since, "first_at": at, "at": at, "times": 1}
    tx.execute(insert(t.looks).values(row))


def of(tx: Transaction, what: Sent, number: int) -> tuple[Look, ...]:
    """Every look for it, oldest first."""
    return of_several(tx, what, [number]).get(number, ())


def of_several(tx: Transaction, what: Sent, numbers: Sequence[int]) -> dict[int, tuple[Look, ...]]:
    """By number, every look for each of them, oldest first; only those that were looked for."""
    found: dict[int, list[Look]] = {}
    column = _OF[what]
    for row in tx.execute(select(t.looks, column.label("number")).where(column.in_(numbers)).order_by(_C.id)):
        found.setdefault(row.number, []).append(_look(row))
    return {number: tuple(looks) for number, looks in found.items()}


def earliest(tx: Transaction, what: Sent, number: int) -> datetime | None:
    """How far back to look for any attempt to send it; None where none was ever of unknown outcome."""
    return tx.scalar(select(func.coalesce(func.min(_C.since), func.min(_C.first_at))).where(_OF[what] == number))


def last(tx: Transaction, what: Sent, number: int) -> Look | None:
    """The newest look for it; None where there is none."""
    row = tx.execute(select(t.looks).where(_OF[what] == number).order_by(_C.id.desc()).limit(1)).first()
    return _look(row) if row else None


def _look(row: Row[Any]) -> Look:
    values = {name: getattr(row, name) for name in Look.__dataclass_fields__}
    return Look(**values | {"found": Finding(row.found)})
