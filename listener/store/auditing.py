"""Looking through the audit log: who did what, to whom, since when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select

from listener.errors import Mistake
from listener.store import Transaction
from listener.store import tables as t
from listener.store.audit import Entry, entry

AT_ONCE = 2000


def listing(
    tx: Transaction,
    *,
    subject: str = "",
    by: str = "",
    action: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
) -> list[Entry]:
    """The newest `limit` entries that fit, oldest first. `action` may be the beginning of one, such as `case.`.

    Raises Mistake where what stands there is no entry any more.
    """
    columns = t.audit.c
    where: list[ColumnElement[bool]] = []
    if subject:
        where.append(columns.subject == subject)
    if by:
        where.append(columns.by == by)
    if action:
        where.append(columns.action.startswith(action, autoescape=True))
    if since:
        where.append(columns.at >= since)
    if until:
        where.append(columns.at < until)
    query = select(t.audit).where(*where).order_by(columns.id.desc()).limit(limit)
    try:
        return [entry(row) for row in tx.execute(query).mappings()][::-1]
    except ValueError:
        raise Mistake("One of these entries is none any more; `escucha audit verify` says which.") from None


class Unreadable(Exception):
    """What stands at that number is no entry any more: SQLite keeps anything in any column."""

    def __init__(self, number: int) -> None:
        super().__init__(f"entry {number} cannot be read")
        self.number = number


def rows(tx: Transaction, *, after: int, until: int) -> Iterator[Any]:
    """Every row of the table with `after` < number <= `until`, in order, a bounded number in memory.

    Raises Unreadable for the first that somebody made no row of ours.
    """
    columns = t.audit.c
    while True:
        within = (columns.id > after, columns.id <= until)
        page = select(t.audit).where(*within).order_by(columns.id).limit(AT_ONCE)
        try:
            found = tx.execute(page).all()
        except ValueError:
            for number in tx.scalars(select(columns.id).where(*within).order_by(columns.id).limit(AT_ONCE)).all():
                yield _one(tx, number)
            raise
        yield from found
        if len(found) < AT_ONCE:
            return
        after = found[-1].id


def _one(tx: Transaction, number: int) -> Any:
    try:
        return tx.execute(select(t.audit).where(t.audit.c.id == number)).one()
    except ValueError:
        raise Unreadable(number) from None
