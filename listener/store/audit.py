"""The append-only record of what people and the daemon did. Ids, states and reasons; never a post's text.

Beside a name that somebody gave themselves stands `os_user`, under which the machine knows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from listener.store import Transaction
from listener.store import tables as t


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing that was done."""

    at: datetime
    by: str
    action: str
    subject: str
    detail: dict[str, Any]


def record(tx: Transaction, *, at: datetime, by: str, action: str, subject: str, **detail: Any) -> None:
    """Adds one entry, in the transaction of what it records."""
    record_all(tx, [Entry(at=at, by=by, action=action, subject=subject, detail=detail)])


def record_all(tx: Transaction, entries: Sequence[Entry]) -> None:
    """Adds many entries at once, for what is done in bulk."""
    users = tx.get_execution_options().get("escucha_users", {})
    rows = [asdict(entry) for entry in entries]
    for row in rows:
        if row["by"] in users:
            row["detail"]["os_user"] = users[row["by"]]
    if rows:
        tx.execute(insert(t.audit), rows)


def about(tx: Transaction, *subjects: str) -> list[Entry]:
    """Everything done to those subjects, oldest first."""
    rows = tx.execute(select(t.audit).where(t.audit.c.subject.in_(subjects)).order_by(t.audit.c.id))
    return [Entry(at=r.at, by=r.by, action=r.action, subject=r.subject, detail=r.detail) for r in rows]


def last(tx: Transaction, subject: str, action: str) -> Entry | None:
    """The newest entry about the subject whose action begins with `action`; None where there is none."""
    where = (t.audit.c.subject == subject, t.audit.c.action.startswith(action, autoescape=True))
    row = tx.execute(select(t.audit).where(*where).order_by(t.audit.c.id.desc()).limit(1)).first()
    return Entry(at=row.at, by=row.by, action=row.action, subject=row.subject, detail=row.detail) if row else None
