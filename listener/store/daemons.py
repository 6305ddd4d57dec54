"""Which daemons are running on this database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from sqlalchemy import delete, func, select

from listener import store
from listener.store import Transaction, upsert
from listener.store import tables as t
from listener.types import Duty

SILENT = timedelta(seconds=30)  # who has said nothing for so long is taken for dead

FAREWELL = crc32(b"escucha farewell")  # the advisory lock of whoever says good-bye (PostgreSQL)


@dataclass(frozen=True, kw_only=True)
class Running:
    """One process, by `host:pid`, and when it last said that it lives.

    `step`: of the tables, that it was made for. `policy` is the one by which it decides; `trouble`, where there is any,
    says why it decides nothing. `hurts`: what else it does without, in sentences. `reads`: whether its model reads.
    `roles`: of the work that it shares with other processes, none for one that does everything; `doing`: what it then
    had in hand.
    """

    name: str
    started_at: datetime
    seen_at: datetime
    version: str
    step: str = ""
    policy: str = ""
    trouble: str = ""
    hurts: Sequence[str] = ()
    reads: bool = False
    roles: Sequence[str] = ()
    doing: str = ""


def alive(
    tx: Transaction,
    *,
    name: str,
    version: str,
    started_at: datetime,
    now: datetime,
    policy: str = "",
    trouble: str = "",
    hurts: Sequence[str] = (),
    reads: bool = False,
    roles: Sequence[str] = (),
    doing: str = "",
) -> None:
    """Says that this process lives; rows of processes that died are forgotten after a day."""
    tx.execute(delete(t.daemons).where(t.daemons.c.seen_at < now - timedelta(days=1)))
    values = {
        "started_at": started_at,
        "seen_at": now,
        "version": version,
        "step": store.SCHEMA,
        "policy": policy,
        "trouble": trouble,
        "hurts": list(hurts),
        "reads": reads,
        "roles": list(roles),
        "doing": doing,
    }
    statement = upsert(tx, t.daemons).values(name=name, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


def sends(tx: Transaction, now: datetime) -> bool:
    """Whether a process lives that says what is approved."""
    alive = (each for each in running(tx) if abs(now - each.seen_at) < SILENT)
    return any(not each.roles or Duty.SEND in each.roles for each in alive)


def gone(tx: Transaction, name: str, now: datetime) -> None:
    """Says that it stopped in good order; the last to stop forgets those that died before, but who may hang in a send.

    What was theirs others had taken over, and that all has stopped is what is true then.
    """
    if tx.dialect.name == "postgresql":  # of two that stop in the same moment one is the last
        tx.execute(select(func.pg_advisory_xact_lock(FAREWELL)))
    columns = t.daemons.c
    tx.execute(delete(t.daemons).where(columns.name == name))
    if not any(abs(now - each.seen_at) < SILENT for each in running(tx)):
        tx.execute(delete(t.daemons).where(columns.doing.not_like("%sends on%")))


def running(tx: Transaction) -> list[Running]:
    """Every process that did not say good-bye, last seen first; those long unseen died."""
    rows = tx.execute(select(t.daemons).order_by(t.daemons.c.seen_at.desc()))
    return [Running(**row._mapping) for row in rows]


def anybody_reads(tx: Transaction, now: datetime) -> bool:
    """Whether a process that was alive just now has a model that reads."""
    columns = t.daemons.c
    alive = (columns.seen_at > now - SILENT, columns.seen_at <= now + SILENT, columns.reads)
    return bool(tx.scalar(select(func.count()).select_from(t.daemons).where(*alive)))
