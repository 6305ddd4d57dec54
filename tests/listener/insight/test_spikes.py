"""Far more people than normal are told once, and what only looks like it is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.insight.counting import OTHER, Gap, Key, Said, count
from listener.insight.looking import surprises
from listener.insight.normal import Normal, learn
from listener.insight.spikes import QUIET, Running, Suspect, gather, suspects
from tests.listener.insight.weeks import Rows, counts, day, lately, more, said

X, APP = Key(network="x"), Key(area="app", network="x")
SHARES = {
    X: 1.0,
    X._replace(intent="complaint"): 0.6,
    APP: 0.3,
    APP._replace(place="Vigo"): 0.01,
    Key(area="bills", network="x"): 0.3,
    Key(network="mail"): 0.3,
    Key(area="app", network="mail"): 0.1,
    X._replace(intent=OTHER): 1.0,
    Key(intent=OTHER, network="mail"): 0.2,
}
SINCE, LEARNED = day(1), day(43)
NOW = day(45, 15.25)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return counts(SHARES, SINCE, NOW, UTC)


@pytest.fixture(scope="module")
def normal(rows: Rows) -> Normal:
    return learn(until(rows, LEARNED), until=LEARNED, zone=UTC)


def until(rows: Rows, end: datetime) -> Rows:
    return {key: [row for row in some if row[0] * 300 < end.timestamp()] for key, some in rows.items()}


def look(normal: Normal, rows: Rows, now: datetime = NOW, **more: object) -> list[Suspect]:
    return suspects(normal, lately(rows, now), now, **more)  # type: ignore[arg-type]


def spiking(rows: Rows, at: datetime, people: int, keys: tuple[Key, ...] = (X, APP), minutes: int = 15) -> Rows:
    """So many people more in each of the five minutes from then on."""
    copy = {key: list(some) for key, some in rows.items()}
    for minute in range(0, minutes, 5):
        for key in keys:
            more(copy, key, at + timedelta(minutes=minute), people)
    return copy


def test_ordinary_days_are_quiet(normal: Normal, rows: Rows):
    assert [one for tick in range(288 * 2) if (one := look(normal, rows, LEARNED + tick * timedelta(minutes=5)))] == []


def test_a_step_is_found_within_a_quarter_of_an_hour(normal: Normal, rows: Rows):
    onset = NOW - timedelta(minutes=15)
    first = look(normal, spiking(rows, onset, 10), NOW)[0]
    assert first.key.area == "app"
    assert abs(first.onset - onset) <= timedelta(minutes=5)
    assert first.count >= 30
    assert 1 < first.expected < 5
    small = spiking(rows, onset, 5, (APP._replace(place="Vigo"),))
    assert look(normal, small)[0].key == Key("app", "", "Vigo", "x")


def test_at_night_fewer_people_are_a_spike(normal: Normal, rows: Rows):
    night, day_ = day(45, 3.25), NOW
    few = [len(look(normal, spiking(rows, at - timedelta(minutes=15), 3), at)) for at in (night, day_)]
    assert few[0] > 0
    assert few[1] == 0


def test_networks_add_up(normal: Normal, rows: Rows):
    at = NOW - timedelta(minutes=20)
    both = spiking(rows, at, 5, (APP, Key(area="app", network="mail")), minutes=20)
    assert look(normal, both)[0].key.network == ""


def test_too_few_people_are_no_spike_however_rare(normal: Normal, rows: Rows):
    soria = Key("app", "", "Soria", "x")
    assert look(normal, spiking(rows, NOW - timedelta(minutes=5), 5, (soria,), minutes=5)) == []
    assert look(normal, spiking(rows, NOW - timedelta(minutes=5), 8, (soria,), minutes=5))[0].key == soria


def test_a_viral_joke_is_no_spike_but_trouble_during_it_is(normal: Normal, rows: Rows):
    """One in seven is misread as a complaint; in the other, half of it is trouble."""
    at = NOW - timedelta(minutes=30)
    joke = spiking(rows, at, 36, (X._replace(intent=OTHER),), minutes=30)
    misread = spiking(joke, at, 6, (X,), minutes=30)
    assert look(normal, misread) == []
    assert look(normal, spiking(rows, at, 12, (X,), minutes=30))
    assert look(normal, spiking(misread, at, 12, (APP,), minutes=30))[0].key.area == "app"


def test_one_person_and_one_text_fire_nothing(normal: Normal, rows: Rows):
    flood = [said(n, NOW - timedelta(seconds=60 * n), person=9, areas=("app",)) for n in range(50)]
    copies = [said(n, NOW - timedelta(seconds=60 * n), copy="same", areas=("app",)) for n in range(50)]
    alone = [said(n, NOW - timedelta(seconds=60 * n), areas=("app",)) for n in range(50)]
    found = []
    for some in (flood, copies, alone):
        now = {key: list(had) for key, had in rows.items()}
        for key, had in count(sorted(some, key=lambda one: one.at)).items():
            for number, people in had:
                more(now, key, datetime.fromtimestamp(number * 300, tz=UTC), people)
        found.append(look(normal, now))
    assert found[:2] == [[], []]
    assert found[2]


def test_a_time_without_listening_is_no_quiet_time(rows: Rows):
    """Nothing was heard for ten hours of each of the last two days: what comes after is as ever, not a spike."""
    hole = [Gap(since=day(n, 4), until=day(n, 14), network="x") for n in (44, 45)]
    heard = {
        key: [row for row in some if not any(h.since.timestamp() <= row[0] * 300 < h.until.timestamp() for h in hole)]
        if key.network == "x"
        else some
        for key, some in rows.items()
    }
    learned = learn(until(heard, LEARNED), until=LEARNED, zone=UTC)
    for minutes in range(0, 75, 5):
        assert look(learned, heard, NOW - timedelta(minutes=minutes), gaps=hole) == []
    at = NOW - timedelta(minutes=15)
    told = {one.key: one for one in look(learned, spiking(heard, at, 10), gaps=hole)}[APP]
    unsaid = {one.key: one for one in look(learned, spiking(heard, at, 10))}[APP]
    whole = {one.key: one for one in look(learned, spiking(rows, at, 10))}[APP]
    assert told.expected == pytest.approx(whole.expected, rel=0.25)
    assert unsaid.expected < 0.65 * whole.expected  # silence would make a usual hour look like many


def test_a_trend_and_a_busy_holiday_become_normal():
    """It grows by 8 % a week; the last day has half as much again from its first hour on."""

    def level(at: datetime) -> float:
        return 1.08 ** ((at - SINCE) / timedelta(weeks=1)) * (1.5 if at >= day(45) else 1.0)

    rows = counts(SHARES, SINCE, NOW, UTC, level=level, seed=4)
    learned = learn(until(rows, LEARNED), until=LEARNED, zone=UTC)
    assert [one for tick in range(500) if (one := look(learned, rows, LEARNED + tick * timedelta(minutes=5)))] == []
    assert look(learned, spiking(rows, NOW - timedelta(minutes=15), 14))[0].key.area == "app"


def test_who_has_listened_for_three_days_is_told_of_less(rows: Rows, normal: Normal):
    """Of a network that was heard for a day nothing is said; after three days the same is less of a surprise."""
    short = {key: [row for row in some if row[0] * 300 >= day(42, 15).timestamp()] for key, some in rows.items()}
    one, three = (learn(short, until=day(42, 15) + timedelta(days=days), zone=UTC) for days in (1, 3))
    many = spiking(rows, NOW - timedelta(minutes=15), 40)
    assert look(one, many) == []
    few, weeks = ({found.key: found for found in look(known, many)} for known in (three, normal))
    assert few[APP].scatter > 1.3 * weeks[APP].scatter
    assert few[APP].surprise < weeks[APP].surprise


# --- what is behind it -----------------------------------------------------------------------------------------------


def event(first: int, people: int, at: datetime, **what: object) -> list[Said]:
    return [said(first + n, at + timedelta(seconds=20 * n), **what) for n in range(people)]


def of(some: list[Said], rows: Rows) -> Rows:
    found = {key: list(had) for key, had in rows.items()}
    for key, had in count(sorted(some, key=lambda one: one.at)).items():
        for number, people in had:
            more(found, key, datetime.fromtimestamp(number * 300, tz=UTC), people)
    return found


def test_one_event_in_many_keys_is_one_spike_with_what_drives_it(normal: Normal, rows: Rows):
    at = NOW - timedelta(minutes=14)
    some = event(1, 40, at, areas=("app",)) + event(100, 12, at, areas=("app",), network="mail", places=("Vigo",))
    some += event(200, 5, at, areas=("bills",))
    found = look(normal, of(some, rows))
    assert len(found) > 5
    (spike,) = gather(found, some, NOW, normal)
    assert spike.key.area == "app"
    assert set(spike.keys) == {one.key for one in found}
    assert set(range(1, 41)) <= set(spike.mentions)
    told = {(one.kind, one.name): one for one in spike.drivers}
    assert told["area", "app"].count == 52
    assert told["place", "Vigo"].count == 12
    assert told["network", "mail"].count == 12
    assert spike.drivers[0].count - spike.drivers[0].expected > 40
    assert 40 < spike.days < 43
    assert spike.since >= at
    assert spike.chance < 1e-6
    assert spike.continues is None


def test_two_events_at_once_are_two_spikes(normal: Normal, rows: Rows):
    at = NOW - timedelta(minutes=14)
    some = event(1, 40, at, areas=("app",)) + event(100, 30, at, areas=("bills",), network="mail")
    spikes = gather(look(normal, of(some, rows)), some, NOW, normal)
    assert [spike.key.area for spike in spikes] == ["app", "bills"]
    assert set(spikes[1].mentions) <= set(range(100, 130))


def test_a_running_spike_is_not_told_again(normal: Normal, rows: Rows):
    at = NOW - timedelta(minutes=14)
    some = event(1, 40, at, areas=("app",))
    found = look(normal, of(some, rows))
    (first,) = gather(found, some, NOW, normal)

    def again(key: Key, last: datetime) -> int | None:
        (spike,) = gather(found, some, NOW, normal, [Running(id=3, key=key, keys=(key,), last=last)])
        return spike.continues

    assert again(first.key, NOW - timedelta(minutes=5)) == 3
    assert again(first.key._replace(place="Vigo"), NOW - QUIET) == 3  # it was small at first
    assert again(Key(area="bills"), NOW) is None
    assert again(first.key, NOW - QUIET - timedelta(minutes=5)) is None


@given(st.floats(0.01, 40), st.floats(0.02, 2), st.integers(1, 120))
def test_the_surprise_bounds_the_chance(expected: float, scatter: float, people: int):
    """Chernoff: so many people or more are no likelier than e to the minus surprise."""
    size = 1 / scatter
    term, tail = (1 / (1 + scatter * expected)) ** size, 0.0
    for number in range(4000):
        if number >= people:
            tail += term
        term *= (size + number) / (number + 1) * expected / (size + expected)
    surprise = float(surprises(np.array([float(people)]), np.array([expected]), np.array([scatter]))[0])
    assert tail <= np.exp(-surprise) * (1 + 1e-6) + 1e-12
    more_people = float(surprises(np.array([people + 1.0]), np.array([expected]), np.array([scatter]))[0])
    assert more_people >= surprise


def test_two_thousand_series_cost_little():
    """Learned in seconds, looked at in hundredths of one: the bounds are ten times what a laptop needs."""
    from time import process_time

    shares = {Key(f"area {a}", "", f"place {p}" if p else "", "x"): 0.05 for a in range(50) for p in range(40)}
    shares |= {X: 20.0, X._replace(intent=OTHER): 20.0}
    shares |= {Key(f"area {a}", network="x"): 0.5 for a in range(50)}
    rows = counts(shares, day(1), day(57), UTC)
    begun = process_time()
    learned = learn(rows, until=day(57), zone=UTC)
    assert process_time() - begun < 20
    recent = lately(rows, day(57))
    begun = process_time()
    for _ in range(5):
        assert suspects(learned, recent, day(57)) == []
    assert process_time() - begun < 5
