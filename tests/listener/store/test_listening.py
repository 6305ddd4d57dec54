"""When too little of a network was heard to compare it with other times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, update

from listener.store import Store, listening, sources
from listener.store import tables as t
from listener.store.sources import Wanted

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
DAY, WEEKS = timedelta(days=1), timedelta(weeks=8)


def heard(store: Store, at: datetime, **totals: int) -> None:
    """Each source was polled at that moment, and brought so many mentions until then."""
    wanted = [Wanted(name=name, account="a", network="one", query=name, every=timedelta(minutes=1)) for name in totals]
    with store.write() as tx:
        sources.sync(tx, wanted, at)
        for name, total in totals.items():
            tx.execute(update(t.sources).where(t.sources.c.name == name).values(succeeded_at=at, mentions_total=total))
        listening.note(tx, at)


def holes(store: Store, now: datetime) -> list[tuple[datetime, datetime]]:
    with store.read() as tx:
        return [(each.since, each.until) for each in listening.holes(tx, now - WEEKS, now)]


def test_what_was_before_we_began_is_unknown_and_a_poll_hears_what_was_missed(store: Store) -> None:
    heard(store, NOW, a=0)
    later = NOW + 3 * DAY
    heard(store, later, a=500)
    assert holes(store, later) == [(later - WEEKS, NOW)]


def test_what_the_network_skipped_is_unknown(store: Store) -> None:
    heard(store, NOW, a=0)
    with store.write() as tx:
        tx.execute(insert(t.gaps).values(source_id=1, noticed_at=NOW + 2 * DAY, reason="too long ago"))
    later = NOW + 2 * DAY + timedelta(minutes=1)
    heard(store, later, a=500)
    assert holes(store, later) == [(later - WEEKS, NOW + 2 * DAY)]
    heard(store, later + DAY, a=600)
    assert holes(store, later + DAY)[-1][1] == NOW + 2 * DAY, "once, and it is not forgotten"


def test_a_new_source_makes_unknown_what_was_before_it_only_where_it_brings_much(store: Store) -> None:
    heard(store, NOW, a=0)
    heard(store, NOW + 20 * DAY, a=2000, small=0)
    heard(store, NOW + 22 * DAY, a=2200, small=20)
    now = NOW + 22 * DAY
    assert holes(store, now) == [(now - WEEKS, NOW)]
    heard(store, NOW + 23 * DAY, a=2300, small=25, big=0)
    heard(store, NOW + 25 * DAY, a=2500, small=30, big=400)
    now = NOW + 25 * DAY
    assert holes(store, now) == [(now - WEEKS, NOW + 23 * DAY)]


def test_now_is_unknown_only_while_no_source_of_the_network_is_heard(store: Store) -> None:
    heard(store, NOW, a=100, b=100)
    heard(store, NOW + 9 * DAY, a=1000, b=1000)
    now = NOW + 9 * DAY + timedelta(hours=2)
    assert holes(store, now)[-1] == (NOW + 9 * DAY, now)
    with store.write() as tx:
        tx.execute(update(t.sources).where(t.sources.c.name == "b").values(succeeded_at=now))
        listening.note(tx, now)
    assert holes(store, now) == [(now - WEEKS, NOW)]


def test_what_a_clock_that_was_a_day_ahead_has_heard_is_nothing_once_it_is_right_again(store: Store) -> None:
    heard(store, NOW, a=100)
    heard(store, NOW + DAY, a=110)  # the clock jumps, a poll succeeds, and the clock is set right
    hour = timedelta(hours=1)
    for minutes in range(1, 180):  # meanwhile the network is away
        with store.write() as tx:
            listening.note(tx, NOW + timedelta(minutes=minutes))
    assert holes(store, NOW + 3 * hour)[-1] == (NOW + timedelta(minutes=1), NOW + 3 * hour)
    heard(store, NOW + 3 * hour, a=120)
    assert holes(store, NOW + 3 * hour) == [(NOW + 3 * hour - WEEKS, NOW)]


def test_a_clock_that_falls_back_a_day_hides_nothing_for_longer(store: Store) -> None:
    heard(store, NOW, a=100)
    heard(store, NOW - DAY, a=110)
    assert holes(store, NOW - DAY + timedelta(minutes=5)) == [(NOW - DAY + timedelta(minutes=5) - WEEKS, NOW - DAY)]
    away = NOW - DAY + timedelta(hours=3)
    assert holes(store, away)[-1] == (NOW - DAY, away)
