"""Looking through the audit log: who did what, to whom, since when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select

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
    """The newest `limit` entries that fit, oldest first. `action` may be the beginning of one, such as `case.`."""
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
    rows = tx.execute(select(t.audit).where(*where).order_by(columns.id.desc()).limit(limit)).mappings()
    return [entry(row) for row in rows][::-1]


def rows(tx: Transaction, *, after: int, until: int) -> Iterator[Any]:
    """Every row of the table with `after` < number <= `until`, in order, a bounded number in memory."""
    columns = t.audit.c
    while True:
        page = select(t.audit).where(columns.id > after, columns.id <= until).order_by(columns.id).limit(AT_ONCE)
        found = tx.execute(page).all()
        yield from found
        if len(found) < AT_ONCE:
            return
        after = found[-1].id
