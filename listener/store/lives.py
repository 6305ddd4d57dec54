"""The lives of a database: it went on as what it had been earlier, from a backup, a point in time, or another server.

What was said after that earlier moment stands on the networks and nowhere here. So the database knows where it is: the
server, its timeline (PostgreSQL counts one up whenever a server is promoted or recovered to a point in time) and its
tables; or the file, as long as it is not the copy that `escucha db backup` made. Where it finds itself elsewhere, a
life begins, and `flow/act.py` looks on the network for what may have been said before it says anything.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, insert, select, text, update

from listener.log import logger
from listener.store import Store, Transaction, audit, references, switch
from listener.store import tables as t

SHORT = timedelta(minutes=10)  # where more than this is missing, nothing goes out before a person has looked
MONTH = timedelta(days=30)  # as much may be missing where nothing was ever written down
SPARE = 100  # numbers of cases left out, besides twice those of an equally long time
BEGUN = "database.put_back"
_C = t.lives.c
_WHERE = text(  # a server that only repeats another one's writes is nowhere: nothing begins there
    "CASE WHEN pg_is_in_recovery() THEN NULL ELSE concat_ws(' ', (SELECT system_identifier FROM pg_control_system()), "
    "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), 'lives'::regclass::oid) END"
)


@dataclass(frozen=True, kw_only=True)
class Life:
    """One that was not the first: it knows what was known at `known_until`; what came until `began_at` is lost."""

    began_at: datetime
    known_until: datetime


def recognise(store: Store, now: datetime) -> Life | None:
    """Begins a life where the database is not where it was, and gives it; the log says so. None where all is as ever.

    Ask before anything is written: what is written first counts as known, a sign of life too. Only where another
    server took over does the database itself know better.
    """
    with store.read() as tx:
        known, where = _newest(tx)
    if where is None or (known is not None and known.place == where):
        return None
    life = None
    with store.write() as tx:
        if not store.is_sqlite:
            tx.execute(text("LOCK TABLE lives IN EXCLUSIVE MODE"))
        known, where = _newest(tx)
        if known is None:
            tx.execute(insert(t.lives).values(place=where, by="daemon"))
        elif known.place != where:  # no other process was first
            learned = _learned_until(tx, known.place, where or "")
            life = _begin(tx, where or "", by="daemon", now=now, hold=False, learned=learned)
    if life:
        news = "The database is not where it was: what went out since is looked for before anything is said."
        logger(__name__).warning(news, action="put_back", known_until=life.known_until.isoformat())
    return life


def begin(store: Store, *, by: str, now: datetime) -> Life:
    """A new life because a person says so, for what cannot be recognised; nothing goes out before they say more."""
    with store.write() as tx:
        return begin_in(tx, by=by, now=now)


def begin_in(tx: Transaction, *, by: str, now: datetime) -> Life:
    """The same in a transaction that goes on."""
    _, where = _newest(tx)
    return _begin(tx, where or "", by=by, now=now, hold=True)


def lost(tx: Transaction, since: datetime) -> Life | None:
    """The time of which nothing is known here, as far as what answers something of `since` may have gone out in it.

    Where it happened more than once, from the first loss to the last beginning. None: all is known.
    """
    after = select(func.max(_C.began_at), func.min(_C.known_until)).where(_C.began_at > since)
    began_at, known_until = tx.execute(after).one()
    return Life(began_at=began_at, known_until=known_until) if began_at else None


def settle(tx: Transaction) -> None:
    """The database knows itself where it is now: it was moved as a whole, nothing is missing."""
    _, where = _newest(tx)
    last = select(func.max(_C.id)).scalar_subquery()
    tx.execute(update(t.lives).where(_C.id == last).values(place=where))


def mark_copy(link: sqlite3.Connection) -> None:
    """Writes into the copy of a database that it is one: whoever puts it in place begins a new life by that."""
    with suppress(sqlite3.OperationalError):  # an older version's tables
        if not link.execute("UPDATE lives SET place = 'a copy' WHERE id = (SELECT max(id) FROM lives)").rowcount:
            link.execute("INSERT INTO lives (place, by) VALUES ('a copy', 'daemon')")
        link.commit()


def _learned_until(tx: Transaction, before: str, where: str) -> datetime | None:
    """When the other server wrote the last that this one learned before it took over; None where it did not."""
    if tx.dialect.name != "postgresql" or where.rpartition(" ")[0] == before.rpartition(" ")[0]:
        return None
    learned: datetime | None = tx.scalar(text("SELECT pg_last_xact_replay_timestamp()"))
    return learned and learned.astimezone(UTC)


def _begin(tx: Transaction, where: str, *, by: str, now: datetime, hold: bool, learned: datetime | None = None) -> Life:
    written = select(func.max(t.audit.c.at)).where(t.audit.c.at <= now, t.audit.c.action != BEGUN)
    alive = select(func.max(t.daemons.c.seen_at)).where(t.daemons.c.seen_at <= now)
    known_until = max((at for at in (tx.scalar(written), tx.scalar(alive)) if at), default=now - MONTH)
    known_until = min(known_until, learned or now)
    life = Life(began_at=now, known_until=known_until)
    tx.execute(insert(t.lives).values(place=where, began_at=now, known_until=known_until, by=by))
    _leave_out_numbers(tx, life)
    if hold or now - known_until > SHORT:
        reason = f"the database was put back, and knows nothing of what came after {known_until:%Y-%m-%d %H:%M:%S} UTC"
        switch.pause(tx, network=None, by=by, reason=reason, now=now)
    audit.record(tx, at=now, by=by, action=BEGUN, subject="database", known_until=known_until.isoformat())
    return life


def _leave_out_numbers(tx: Transaction, life: Life) -> None:
    """Gives to nobody what may have been given to cases that are lost: people were told those numbers."""
    opened = t.cases.c.opened_at
    as_long = life.known_until - (life.began_at - life.known_until)
    many = tx.scalar(select(func.count()).select_from(t.cases).where(opened > as_long, opened <= life.known_until))
    for year in range(life.known_until.year, life.began_at.year + 1):
        references.draw(tx, year, SPARE + 2 * (many or 0))


def _newest(tx: Transaction) -> tuple[Row[Any] | None, str | None]:
    """The newest row, and where the database is now: None on a server that only follows another."""
    row = tx.execute(select(t.lives).order_by(_C.id.desc()).limit(1)).first()
    return row, tx.scalar(select(_WHERE)) if tx.dialect.name == "postgresql" else ""
