"""Which sources are heard as a stream, since when, and why not; what a stream stores about its source.

A stream changes neither when its source is polled nor who polls it, but for `hasten`: the poll stays the net under it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, literal, or_, select, update

from listener.store import Transaction
from listener.store import tables as t
from listener.store.sources import Source
from listener.types import Cursor

_COLUMNS = t.sources.c


def up(tx: Transaction, source: Source, now: datetime) -> None:
    """The stream is open, since now."""
    values = {"streaming_since": now, "stream_down_since": None, "stream_error": None}
    tx.execute(update(t.sources).where(_COLUMNS.id == source.id).values(**values))


def down(tx: Transaction, source: Source, *, error: str, now: datetime) -> None:
    """The stream is not open although it should be, and why."""
    tx.execute(
        update(t.sources)
        .where(_COLUMNS.id == source.id)
        .values(
            streaming_since=None,
            stream_down_since=func.coalesce(_COLUMNS.stream_down_since, literal(now, t.Moment())),
            stream_error=error,
        )
    )


def died(tx: Transaction, source: Source, *, error: str, rests_until: datetime, now: datetime) -> None:
    """A process died while it heard it; nobody opens it before that moment."""
    down(tx, source, error=error, now=now)
    values = {"stream_deaths": source.stream_deaths + 1, "stream_rests_until": rests_until}
    tx.execute(update(t.sources).where(_COLUMNS.id == source.id).values(**values))


def proven(tx: Transaction, source: Source) -> None:
    """It was open for a while, and nobody died of it."""
    tx.execute(update(t.sources).where(_COLUMNS.id == source.id).values(stream_deaths=0, stream_rests_until=None))


def closed(tx: Transaction, name: str) -> None:
    """There is no stream, and none is missed."""
    some = or_(_COLUMNS.streaming_since.is_not(None), _COLUMNS.stream_down_since.is_not(None))
    values = {"streaming_since": None, "stream_down_since": None, "stream_error": None}
    tx.execute(update(t.sources).where(_COLUMNS.name == name, some).values(**values))


def heard(tx: Transaction, source: Source, *, cursor: Cursor | None, new_mentions: int) -> Cursor | None:
    """Counts what a page of the stream brought, and moves the source's cursor on if the page has one.

    The cursor moves only where it is still `source.cursor`: a poll or another process that moved it meanwhile has
    stored what it covers. Gives the cursor that stands there now, for the reader to go on from.
    """
    row = tx.execute(select(t.sources).where(_COLUMNS.id == source.id).with_for_update()).one()
    values: dict[str, Any] = {"mentions_total": _COLUMNS.mentions_total + new_mentions}
    stands: Cursor | None = row.cursor
    if cursor is not None and row.cursor == source.cursor and _same(row, source):
        stands = values["cursor"] = dict(cursor)
    tx.execute(update(t.sources).where(_COLUMNS.id == source.id).values(**values))
    return stands


def hasten(tx: Transaction, source: Source, *, now: datetime, apart: timedelta) -> None:
    """Makes the source due now, or `apart` after its last poll began; also where that poll is still under way.

    Where polls fail (see `sources.try_again`), or the network asked us to wait, they stay when they are.
    """
    row = tx.execute(select(t.sources).where(_COLUMNS.id == source.id).with_for_update()).one()
    under_way = row.claimed_until is not None
    last = row.succeeded_at or row.polled_at
    told_to_wait = last is not None and (row.next_poll_at - last).total_seconds() > row.every_seconds
    if row.failures or (told_to_wait and not under_way):
        return
    at = now if row.polled_at is None or row.polled_at > now else max(now, row.polled_at + apart)
    if under_way or row.next_poll_at > at:
        tx.execute(update(t.sources).where(_COLUMNS.id == source.id).values(next_poll_at=at))


def _same(row: Row[Any], source: Source) -> bool:
    """Whether it still reads the same thing."""
    return (row.query, row.account, row.network) == (source.query, source.account, source.network)
