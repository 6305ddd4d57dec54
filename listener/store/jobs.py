"""The queue of jobs as the store sees it: where its tables are, what no job carries, who waits to be sent.

The tables are the queue engine's own (`cluster.py`), in a schema named after the engine's version: two versions of
Escucha that bring different engines run side by side, each with its own queue, and each finds by its sweep what the
other's died with. Only PostgreSQL has them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from importlib import metadata
from typing import Any
from zlib import crc32

from sqlalchemy import or_, select, text

from listener.store import Transaction
from listener.store import tables as t
from listener.types import AmendmentState, DeliveryState, DraftState, PostKind

_LOCK = crc32(b"escucha jobs")
_PREFIX = "escucha_jobs_"
UNUSED = 300  # seconds without a sign of life after which another version's queue counts as left


def schema() -> str:
    """The schema of this version's queue. Raises importlib.metadata.PackageNotFoundError without the engine."""
    return _PREFIX + re.sub(r"\W", "_", metadata.version("procrastinate"))


def there(tx: Transaction) -> bool:
    """Whether this version's queue was made."""
    return bool(tx.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": f"{schema()}.procrastinate_jobs"}))


def make(tx: Transaction, statements: str) -> bool:
    """Makes this version's queue of the engine's own statements, where it is not there; whether it did."""
    tx.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
    if there(tx):
        return False
    tx.exec_driver_sql(f"CREATE SCHEMA {schema()}")
    before = tx.scalar(text("SELECT current_setting('search_path')"))
    tx.execute(text("SELECT set_config('search_path', :path, true)"), {"path": schema()})
    link = _driver(tx)
    link.execute(statements)
    tx.execute(text("SELECT set_config('search_path', :path, true)"), {"path": before})
    return True


def drop_left(tx: Transaction) -> list[str]:
    """Drops the queues of other versions that no process has used for `UNUSED` seconds; gives their schemas."""
    tx.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
    query = text("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, :prefix) ORDER BY nspname")
    dropped = []
    for name in tx.scalars(query, {"prefix": _PREFIX}).all():
        if name == schema() or not re.fullmatch(r"\w+", name):
            continue
        newest = f"SELECT max(last_heartbeat) > now() - interval '{UNUSED} s' FROM {name}.procrastinate_workers"  # noqa: S608
        if not tx.scalar(text(newest)):
            tx.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
            dropped.append(str(name))
    return dropped


def enter(tx: Transaction) -> Any:
    """The driver's connection of this transaction, on which the queue's own names are known until it ends."""
    add = "SELECT set_config('search_path', current_setting('search_path') || ', ' || :schema, true)"
    tx.execute(text(add), {"schema": schema()})
    return _driver(tx)


def _driver(tx: Transaction) -> Any:
    return tx.connection.driver_connection


def queued(tx: Transaction, queue: str) -> set[str]:
    """What is in that queue and was taken by nobody yet, by the name under which it may be there once."""
    query = (
        f"SELECT queueing_lock FROM {schema()}.procrastinate_jobs "  # noqa: S608 - our own schema's name
        "WHERE status = 'todo' AND queue_name = :queue AND queueing_lock IS NOT NULL"
    )
    return set(tx.scalars(text(query), {"queue": queue}))


def uncarried(tx: Transaction, task: str, limit: int) -> list[int]:
    """Mentions that wait to be read or decided, in no job of that task: what addresses us first, then the oldest."""
    query = f"""
        WITH carried AS MATERIALIZED (
            SELECT CAST(jsonb_array_elements_text(args -> 'ids') AS bigint) AS id
            FROM {schema()}.procrastinate_jobs WHERE task_name = :task AND status IN ('todo', 'doing')
        )
        SELECT mentions.id FROM mentions LEFT JOIN carried ON carried.id = mentions.id
        WHERE mentions.state IN ('new', 'understood') AND mentions.trouble IS NULL AND carried.id IS NULL
          AND NOT EXISTS (SELECT 1 FROM suspects WHERE suspects.mention_id = mentions.id)
        ORDER BY mentions.kind = 'found', mentions.id LIMIT :limit
    """  # noqa: S608 - our own schema's name
    return [int(each) for each in tx.scalars(text(query), {"task": task, "limit": limit})]


def waiting(tx: Transaction, ids: Sequence[int]) -> list[int]:
    """Those of these mentions that are not decided yet, and that nothing holds."""
    columns = t.mentions.c
    states = columns.state.in_(("new", "understood"))
    query = select(columns.id).where(columns.id.in_(list(ids)), states, columns.trouble.is_(None))
    return list(tx.scalars(query.order_by(columns.id)))


def addressing(tx: Transaction, ids: Sequence[int]) -> set[int]:
    """Those of these mentions that address us."""
    columns = t.mentions.c
    return set(tx.scalars(select(columns.id).where(columns.id.in_(list(ids)), columns.kind != PostKind.FOUND.value)))


def to_send(tx: Transaction, now: datetime) -> set[str]:
    """The accounts on which something is approved and due, under way, or of unknown outcome."""
    drafts, notices, changes = t.drafts.c, t.deliveries.c, t.amendments.c
    approved = (drafts.state == DraftState.APPROVED.value) & or_(drafts.not_before.is_(None), drafts.not_before <= now)
    open_ = drafts.state.in_((DraftState.SENDING.value, DraftState.UNKNOWN.value))
    found = set(tx.scalars(select(drafts.account).where(or_(approved, open_)).distinct()))
    states = (DeliveryState.WAITING.value, DeliveryState.SENDING.value, DeliveryState.UNKNOWN.value)
    found |= set(tx.scalars(select(notices.account).where(notices.state.in_(states)).distinct()))
    states = (AmendmentState.WAITING.value, AmendmentState.SENDING.value, AmendmentState.UNKNOWN.value)
    there_ = select(notices.account).join(t.amendments, changes.delivery_id == notices.id)
    return found | set(tx.scalars(there_.where(changes.state.in_(states)).distinct()))
