"""When we listened to each network, so that what nobody heard is not taken for silence.

Polls begin where the last one ended, so a time in which nothing was polled is heard afterwards. A hole is what a
network admitted to have skipped, what was said before we began, and what is not yet polled. A poll of a much later
time than now was made by a clock that was wrong: nothing is heard by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import func, insert, select, update

from listener.store import Transaction, upsert
from listener.store import tables as t

ENOUGH = 0.75  # of what a network usually brings must have been heard, for a time to be compared with others
LATE = timedelta(minutes=10)  # without a poll, and a network is not heard now
LEAST_SPAN = timedelta(days=1)  # by which what a source brought is divided, lest its first page look like an hour's


@dataclass(frozen=True, kw_only=True)
class Hole:
    """A time in which too little of a network was heard."""

    network: str
    since: datetime
    until: datetime


def note(tx: Transaction, now: datetime) -> None:
    """Writes down how far each source was heard, and what was skipped since the last note."""
    sources, listening = t.sources.c, t.listening.c
    query = (
        select(sources.id, sources.succeeded_at, listening.since, listening.until)
        .outerjoin(t.listening, listening.source_id == sources.id)
        .where(sources.succeeded_at.is_not(None), sources.removed.is_(False))
        .order_by(sources.id)
        .with_for_update(of=t.sources)
    )
    for row in tx.execute(query).all():
        if row.until is None:
            first = tx.scalar(
                select(t.mentions.c.heard_at).where(t.mentions.c.source_id == row.id).order_by(t.mentions.c.id).limit(1)
            )
            since = min(first or row.succeeded_at, row.succeeded_at)
            begun = {"source_id": row.id, "since": since, "until": row.succeeded_at}
            tx.execute(upsert(tx, t.listening).values(**begun).on_conflict_do_nothing())
            _skipped(tx, row.id, since, row.succeeded_at)
        elif row.until > now + LATE:  # the clock was set back: what it said before proves nothing of what is to come
            right = {"since": min(row.since, now), "until": now}
            tx.execute(update(t.listening).where(listening.source_id == row.id).values(**right))
        elif row.until < row.succeeded_at <= now + LATE:
            _skipped(tx, row.id, row.until, row.succeeded_at)
            tx.execute(update(t.listening).where(listening.source_id == row.id).values(until=row.succeeded_at))


def _skipped(tx: Transaction, source_id: int, since: datetime, until: datetime) -> None:
    """A gap that was noticed between two notes began somewhere behind the first."""
    columns = t.gaps.c
    where = (columns.source_id == source_id, columns.noticed_at > since, columns.noticed_at <= until)
    noticed = tx.scalar(select(func.max(columns.noticed_at)).where(*where))
    if noticed is not None:
        tx.execute(insert(t.unheard).values(source_id=source_id, since=since, until=noticed))


def holes(tx: Transaction, since: datetime, now: datetime) -> list[Hole]:
    """The times since then in which too little of a network was heard to compare it; by network, in order.

    A source that was added later makes a hole of all before it, where it brings much of its network. What is going on
    now counts as heard while any source of the network is.
    """
    sources, listening = t.sources.c, t.listening.c
    query = select(
        sources.id, sources.network, sources.mentions_total, sources.every_seconds, listening.since, listening.until
    ).join(t.listening, listening.source_id == sources.id)
    networks: dict[str, dict[int, _Heard]] = {}
    for row in tx.execute(query.where(sources.removed.is_(False))):
        span = max(row.until - row.since, LEAST_SPAN)
        late = max(LATE, 2 * timedelta(seconds=row.every_seconds))
        rate = row.mentions_total / span.total_seconds()
        networks.setdefault(row.network, {})[row.id] = _Heard(row.since, row.until, rate, late)
    skipped: dict[int, list[tuple[datetime, datetime]]] = {}
    for row in tx.execute(select(t.unheard).where(t.unheard.c.until > since).order_by(t.unheard.c.id)):
        skipped.setdefault(row.source_id, []).append((row.since, row.until))
    found = []
    for network, heard in sorted(networks.items()):
        spans = [
            (number, begins, ends)
            for number, each in heard.items()
            for begins, ends in [(since, each.since), *skipped.get(number, ())]
            if begins < ends and ends > since
        ]
        shares = _shares(heard)
        found += [Hole(network=network, since=a, until=b) for a, b in _lacking(spans, shares, since)]
        last = max(each.until for each in heard.values())
        if all(now - each.until > each.late for each in heard.values()):
            found.append(Hole(network=network, since=last, until=now))
    return found


@dataclass(frozen=True)
class _Heard:
    since: datetime
    until: datetime
    rate: float  # mentions a second
    late: timedelta


def _shares(heard: Mapping[int, _Heard]) -> dict[int, float]:
    """What part of a network each source brings; all the same where nothing was ever brought."""
    whole = sum(each.rate for each in heard.values())
    return {number: each.rate / whole if whole else 1 / len(heard) for number, each in heard.items()}


def _lacking(
    spans: Iterable[tuple[int, datetime, datetime]], shares: Mapping[int, float], since: datetime
) -> list[tuple[datetime, datetime]]:
    """The times in which sources with more than a quarter of the network were silent together."""
    listed = [(number, max(begins, since), ends) for number, begins, ends in spans]
    edges = sorted({edge for _, begins, ends in listed for edge in (begins, ends)})
    found: list[tuple[datetime, datetime]] = []
    for begins, ends in pairwise(edges):
        silent = {number for number, a, b in listed if a <= begins and ends <= b}
        if sum(shares[number] for number in silent) <= 1 - ENOUGH:
            continue
        if found and found[-1][1] == begins:
            found[-1] = (found[-1][0], ends)
        else:
            found.append((begins, ends))
    return found


def forget(tx: Transaction, before: datetime) -> None:
    """Lets go of what was skipped before then."""
    tx.execute(t.unheard.delete().where(t.unheard.c.until < before))
