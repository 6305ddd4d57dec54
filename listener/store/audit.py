"""The append-only record of what people and the daemon did. Ids, states and reasons; never a post's text.

Beside a name that somebody gave themselves stands `os_user`, under which the machine knows them. Entries are chained
when their transaction ends (`chain.py`), and looked through by `auditing.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, select

from listener.store import Transaction, chain
from listener.store import tables as t


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that was done. `number` is its place in the chain; 0 while its transaction has not ended."""

    at: datetime
    by: str
    action: str
    subject: str
    detail: dict[str, Any]
    number: int = field(default=0, compare=False)


def record(tx: Transaction, *, at: datetime, by: str, action: str, subject: str, **detail: Any) -> None:
    """Adds one entry, in the transaction of what it records."""
    record_all(tx, [Entry(at=at, by=by, action=action, subject=subject, detail=detail)])


def record_all(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Adds many entries at once, for what is done in bulk."""
    users = tx.get_execution_options().get("escucha_users", {})
    waiting = tx.get_execution_options()["escucha_audit"].rows
    for entry in entries:
        detail = dict(entry.detail)
        if entry.by in users:
            detail["os_user"] = users[entry.by]
        waiting.append(
            {"at": entry.at, "by": entry.by, "action": entry.action, "subject": entry.subject, "detail": detail}
        )


def about(tx: Transaction, *subjects: str) -> list[Entry]:
    """Everything done to those subjects, oldest first; with what this transaction does."""
    rows = tx.execute(select(t.audit).where(t.audit.c.subject.in_(subjects)).order_by(t.audit.c.id)).mappings()
    waiting = (row for row in chain.pending(tx).rows if row["subject"] in subjects)
    return [*(entry(row) for row in rows), *(entry(row) for row in waiting)]


def last(tx: Transaction, subject: str, action: str) -> Entry | None:
    """The newest entry about the subject whose action begins with `action`; None where there is none."""
    for waiting in reversed(chain.pending(tx).rows):
        if waiting["subject"] == subject and waiting["action"].startswith(action):
            return entry(waiting)
    where = (t.audit.c.subject == subject, t.audit.c.action.startswith(action, autoescape=True))
    row = tx.execute(select(t.audit).where(*where).order_by(t.audit.c.id.desc()).limit(1)).mappings().first()
    return entry(row) if row else None


def entry(row: RowMapping | Mapping[str, Any]) -> Entry:
    """The entry of a row of the table, or of one that waits for the end of its transaction."""
    names = ("at", "by", "action", "subject", "detail")
    return Entry(number=row.get("id", 0), **{name: row[name] for name in names})
