"""What is polled: cursors, due times, health. The settings file names the sources; this table says how they fare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, insert, or_, select, update

from listener.errors import NotFound
from listener.store import Transaction, audit
from listener.store import tables as t
from listener.types import Cursor

LONGEST_WAIT = timedelta(hours=1)  # whatever a network asks, a failure costs or money wants; then it is looked at anew


@dataclass(frozen=True, kw_only=True)
class Source:
    """One thing polled, and how it fares. `failing_since` is None while it works."""

    id: int
    name: str
    account: str
    network: str
    query: str
    every: timedelta
    cursor: Cursor | None
    next_poll_at: datetime
    polled_at: datetime | None
    succeeded_at: datetime | None
    failures: int
    failing_since: datetime | None
    last_error: str | None
    paused: str | None
    mentions_total: int
    streaming_since: datetime | None = None
    stream_down_since: datetime | None = None
    stream_error: str | None = None
    stream_deaths: int = 0  # of processes that heard it, in a row
    stream_rests_until: datetime | None = None
    poll_usd: float = 0.0  # what a poll of it has lately cost

    def health(self, now: datetime) -> str:
        """`new` until it was first heard, `well`, `late`, `failing` or `paused`."""
        if self.paused:
            return "paused"
        if self.failing_since:
            return "failing"
        if self.succeeded_at is None:
            return "new"
        return "late" if now - self.next_poll_at > max(2 * self.every, timedelta(minutes=1)) else "well"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One source as the settings file has it."""

    name: str
    account: str
    network: str
    query: str
    every: timedelta


def sync(tx: Transaction, wanted: Sequence[Wanted], now: datetime) -> None:
    """Makes the table agree with the settings file.

    A new source is due at once; one whose query or account changed forgets its cursor; one no longer named rests, with
    everything it heard.
    """
    known = {row.name: row for row in tx.execute(select(t.sources))}
    for source in wanted:
        values: dict[str, Any] = {
            "account": source.account,
            "network": source.network,
            "query": source.query,
            "every_seconds": source.every.total_seconds(),
            "removed": False,
        }
        row = known.get(source.name)
        if row is None:
            tx.execute(
                insert(t.sources).values(name=source.name, next_poll_at=now, failures=0, mentions_total=0, **values)
            )
            continue
        if all(getattr(row, column) == value for column, value in values.items()):
            continue
        if (row.query, row.account, row.network) != (source.query, source.account, source.network):
            values |= {"cursor": None, "failures": 0, "failing_since": None, "last_error": None}
            values |= {"streaming_since": None, "stream_down_since": None, "stream_error": None}
            values |= {"stream_deaths": 0, "stream_rests_until": None}
        tx.execute(update(t.sources).where(t.sources.c.id == row.id).values(next_poll_at=now, **values))
    names = [source.name for source in wanted]
    tx.execute(update(t.sources).where(t.sources.c.name.not_in(names)).values(removed=True))


def list_all(tx: Transaction) -> list[Source]:
    """Every source that the settings name, by name."""
    query = select(t.sources).where(t.sources.c.removed.is_(False)).order_by(t.sources.c.name)
    return [_source(row) for row in tx.execute(query)]


def paused(tx: Transaction) -> set[tuple[str, str]]:
    """The paused sources that the settings name, each with its account."""
    columns = t.sources.c
    query = select(columns.name, columns.account).where(columns.paused.is_not(None), columns.removed.is_(False))
    return {(name, account) for name, account in tx.execute(query)}


def origins(tx: Transaction) -> list[tuple[str, str]]:
    """Every (account, network) that was ever listened through, by name."""
    both = t.sources.c.account, t.sources.c.network
    return [(account, network) for account, network in tx.execute(select(*both).distinct().order_by(*both))]


def get(tx: Transaction, name: str) -> Source:
    """The source of that name. Raises NotFound."""
    row = tx.execute(select(t.sources).where(t.sources.c.name == name, t.sources.c.removed.is_(False))).first()
    if row is None:
        raise NotFound(f"There is no source named {name!r}; see `escucha source list`.")
    return _source(row)


def due(tx: Transaction, now: datetime, *, lease: timedelta) -> list[Source]:
    """The sources that `claim_due` would claim; claims none."""
    where = (t.sources.c.paused.is_(None), _timely(now, lease), _free(now, lease), t.sources.c.removed.is_(False))
    return [_source(row) for row in tx.execute(select(t.sources).where(*where).order_by(t.sources.c.next_poll_at))]


def claim_due(
    tx: Transaction,
    now: datetime,
    *,
    lease: timedelta,
    names: Sequence[str] = (),
    account: str | None = None,
    source: str | None = None,
) -> list[Source]:
    """The sources whose time has come (or the named ones at once), claimed so that no other poller takes them.

    Only those of `account`, and only `source`, where given.

    A claim ends with the poll's outcome or, where the poller died, after `lease`. Times that only a clock set back
    can explain count as past.
    """
    columns = t.sources.c
    due = columns.name.in_(names) if names else and_(columns.paused.is_(None), _timely(now, lease))
    if account is not None:
        due = and_(due, columns.account == account)
    if source is not None:
        due = and_(due, columns.name == source)
    free = _free(now, lease)
    claimed = []
    for row in tx.execute(
        select(t.sources).where(due, free, columns.removed.is_(False)).order_by(columns.next_poll_at)
    ):
        won = tx.execute(
            update(t.sources).where(columns.id == row.id, free).values(claimed_until=now + lease, polled_at=now)
        )
        if won.rowcount:
            claimed.append(_source(row))
    return claimed


def _timely(now: datetime, lease: timedelta) -> ColumnElement[bool]:
    columns = t.sources.c
    # No wait is longer than an hour, or the source's own interval, which is a day at most.
    absurd = now + LONGEST_WAIT + lease
    frequent = columns.every_seconds <= LONGEST_WAIT.total_seconds()
    return or_(
        columns.next_poll_at <= now,
        and_(frequent, columns.next_poll_at > absurd),
        columns.next_poll_at > absurd + timedelta(days=1),
    )


def _free(now: datetime, lease: timedelta) -> ColumnElement[bool]:
    until = t.sources.c.claimed_until
    return or_(until.is_(None), until <= now, until > now + 2 * lease)


def succeeded(
    tx: Transaction, source: Source, *, cursor: Cursor | None, next_poll_at: datetime, new_mentions: int, now: datetime
) -> None:
    """Stores where to go on, in the transaction that stored the page.

    The cursor moves only from where the poll began: a stream or another poller that moved it meanwhile has stored what
    it covers, and a source that was changed meanwhile begins anew.
    """
    columns = t.sources.c
    same = (columns.query == source.query, columns.account == source.account, columns.network == source.network)
    row = tx.execute(select(columns.cursor).where(columns.id == source.id, *same).with_for_update()).first()
    if row is None:
        return
    moved = {"cursor": dict(cursor)} if cursor is not None and row.cursor == source.cursor else {}
    tx.execute(
        update(t.sources)
        .where(columns.id == source.id)
        .values(
            **moved,
            next_poll_at=next_poll_at,
            succeeded_at=now,
            failures=0,
            failing_since=None,
            last_error=None,
            wait_until=None,
            claimed_until=None,
            mentions_total=t.sources.c.mentions_total + new_mentions,
        )
    )


def hastened(tx: Transaction, source: Source) -> bool:
    """Whether another poll was asked for since this one was claimed."""
    next_poll_at = tx.scalar(select(t.sources.c.next_poll_at).where(t.sources.c.id == source.id).with_for_update())
    return bool(next_poll_at != source.next_poll_at)


def failed(
    tx: Transaction,
    source: Source,
    *,
    error: str,
    next_poll_at: datetime,
    now: datetime,
    pause: bool = False,
    told: bool = False,
) -> None:
    """Records a failed poll; the cursor stays. `pause`: a person must act first. `told`: the network wants the wait."""
    values: dict[str, Any] = {
        "next_poll_at": next_poll_at,
        "failures": source.failures + 1,
        "failing_since": source.failing_since or now,
        "last_error": error,
        "wait_until": next_poll_at if told else None,
        "claimed_until": None,
    }
    if pause:
        values["paused"] = error
    tx.execute(update(t.sources).where(t.sources.c.id == source.id).values(**values))


def costs(tx: Transaction, source: Source, usd: float) -> None:
    """Remembers what a poll of it costs now."""
    tx.execute(update(t.sources).where(t.sources.c.id == source.id).values(poll_usd=usd))


def demand(tx: Transaction, account: str) -> float:
    """What the account's sources would cost if each were polled as often as the settings say, in USD a second."""
    columns = t.sources.c
    where = (columns.account == account, columns.removed.is_(False), columns.paused.is_(None))
    return float(tx.scalar(select(func.sum(columns.poll_usd / columns.every_seconds)).where(*where)) or 0.0)


def wait_for_money(tx: Transaction, source: Source, *, until: datetime) -> None:
    """Gives a claimed source back unpolled; its health stays as it is."""
    values = {"next_poll_at": until, "claimed_until": None, "polled_at": source.polled_at}
    tx.execute(update(t.sources).where(t.sources.c.id == source.id).values(**values))


def sooner(tx: Transaction, source: Source, at: datetime) -> None:
    """Moves the next poll forward, never back."""
    columns = t.sources.c
    tx.execute(update(t.sources).where(columns.id == source.id, columns.next_poll_at > at).values(next_poll_at=at))


def try_again(tx: Transaction, source: Source, *, now: datetime, apart: timedelta) -> None:
    """A failing source is due now, or `apart` after its last poll began, unless the network told us to wait."""
    row = tx.execute(select(t.sources).where(t.sources.c.id == source.id).with_for_update()).one()
    told = row.wait_until is not None and now < row.wait_until <= now + LONGEST_WAIT
    if not row.failures or told:
        return
    at = now if row.polled_at is None or row.polled_at > now else max(now, row.polled_at + apart)
    if row.claimed_until is not None or row.next_poll_at > at:
        tx.execute(update(t.sources).where(t.sources.c.id == source.id).values(next_poll_at=at))


def gap(tx: Transaction, source: Source, reason: str, now: datetime) -> None:
    """Records that the network skipped something."""
    tx.execute(insert(t.gaps).values(source_id=source.id, noticed_at=now, reason=reason))


def pause(tx: Transaction, name: str, *, by: str, reason: str, now: datetime) -> None:
    """Stops polling one source. Raises NotFound."""
    source = get(tx, name)
    tx.execute(update(t.sources).where(t.sources.c.id == source.id).values(paused=reason or f"paused by {by}"))
    audit.record(tx, at=now, by=by, action="source.pause", subject=f"source {name}", reason=reason)


def resume(tx: Transaction, name: str, *, by: str, now: datetime) -> None:
    """Polls it again, at once. Raises NotFound."""
    source = get(tx, name)
    values = {"paused": None, "next_poll_at": now, "failures": 0, "failing_since": None, "last_error": None}
    values["wait_until"] = None
    tx.execute(update(t.sources).where(t.sources.c.id == source.id).values(**values))
    audit.record(tx, at=now, by=by, action="source.resume", subject=f"source {name}")


def gaps(tx: Transaction, since: datetime) -> list[tuple[str, datetime, str]]:
    """Admitted gaps as (source name, when noticed, why), newest first."""
    query = (
        select(t.sources.c.name, t.gaps.c.noticed_at, t.gaps.c.reason)
        .join(t.sources)
        .where(t.gaps.c.noticed_at >= since)
        .order_by(t.gaps.c.id.desc())
    )
    return [(row.name, row.noticed_at, row.reason) for row in tx.execute(query)]


def _source(row: Row[Any]) -> Source:
    return Source(
        id=row.id,
        name=row.name,
        account=row.account,
        network=row.network,
        query=row.query,
        every=timedelta(seconds=row.every_seconds),
        cursor=row.cursor,
        next_poll_at=row.next_poll_at,
        polled_at=row.polled_at,
        succeeded_at=row.succeeded_at,
        failures=row.failures,
        failing_since=row.failing_since,
        last_error=row.last_error,
        paused=row.paused,
        mentions_total=row.mentions_total,
        streaming_since=row.streaming_since,
        stream_down_since=row.stream_down_since,
        stream_error=row.stream_error,
        stream_deaths=row.stream_deaths,
        stream_rests_until=row.stream_rests_until,
        poll_usd=row.poll_usd,
    )
