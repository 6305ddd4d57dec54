"""Money: what may be spent, by how much sources are slowed, and that a day's budget holds whatever polls cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from listener import budget
from listener.budget import Allowance, Spent, Use

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
USD = st.floats(0, 1000)
LIMITS = st.none() | st.floats(0.01, 1000)


@pytest.mark.parametrize(
    ("now", "day", "month"),
    [
        (NOON, "2026-11-23", "2026-12-01"),
        (datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), "2027-01-01", "2027-01-01"),
        (datetime(2028, 2, 29, tzinfo=UTC), "2028-03-01", "2028-03-01"),
        (datetime(2027, 1, 31, 5, tzinfo=UTC), "2027-02-01", "2027-02-01"),
    ],
)
def test_when_the_utc_day_and_month_turn(now: datetime, day: str, month: str) -> None:
    assert budget.day_turns(now).isoformat() == f"{day}T00:00:00+00:00"
    assert budget.month_turns(now).isoformat() == f"{month}T00:00:00+00:00"


@pytest.mark.parametrize(
    ("spent", "stopped"),
    [
        pytest.param(7.99, [], id="enough for all"),
        pytest.param(8.0, [Use.READING], id="reading has had its share"),
        pytest.param(9.49, [Use.READING], id="answers still go out"),
        pytest.param(9.5, [Use.READING, Use.SENDING], id="the rest is for deletions"),
        pytest.param(10.0, [Use.READING, Use.SENDING, Use.FOLLOWING], id="nothing is left"),
    ],
)
def test_what_stops_first(spent: float, stopped: list[Use]) -> None:
    allowance = Allowance(day=10)
    broke = [use for use in Use if budget.left(allowance, Spent(today=spent, month=spent), use) <= 0]
    assert broke == stopped


def test_money_comes_again_when_the_day_turns_or_the_month() -> None:
    allowance = Allowance(day=5, month=50)
    assert budget.money_again_at(allowance, Spent(today=1, month=10), Use.READING, NOON) is None
    assert budget.money_again_at(allowance, Spent(today=5, month=10), Use.READING, NOON) == budget.day_turns(NOON)
    assert budget.money_again_at(allowance, Spent(today=1, month=50), Use.READING, NOON) == budget.month_turns(NOON)


@pytest.mark.parametrize(
    ("spent", "every", "expected"),
    [
        pytest.param(0.0, 60, 1.0, id="it lasts"),
        pytest.param(0.0, 1, 5.4, id="twelve hours at 0.01 a second, 80 dollars for them"),
        pytest.param(40.0, 1, 10.8, id="half of it is gone"),
        pytest.param(80.0, 1, math.inf, id="nothing is left for reading"),
        pytest.param(200.0, 1, math.inf, id="overdrawn"),
    ],
)
def test_by_how_much_sources_are_slowed(spent: float, every: float, expected: float) -> None:
    slower = budget.slower(Allowance(day=100), Spent(today=spent, month=spent), demand=0.01 / every, now=NOON)
    assert slower == pytest.approx(expected)


@given(
    day=LIMITS, month=LIMITS, today=USD, month_spent=USD, demand=st.floats(0, 10), now=MOMENTS, more=st.floats(0, 50)
)
def test_slowing_is_monotone_and_never_speeds_up(
    day: float | None, month: float | None, today: float, month_spent: float, demand: float, now: datetime, more: float
) -> None:
    def slower(allowance: Allowance, extra: float = 0, demand: float = demand) -> float:
        return budget.slower(allowance, Spent(today=today + extra, month=month_spent + extra), demand=demand, now=now)

    allowance = Allowance(day=day, month=month)
    here = slower(allowance)
    assert here >= 1
    assert slower(allowance, extra=more) >= here  # more is spent
    assert slower(allowance, demand=demand + more) >= here  # polls are dearer, or there are more sources
    assert slower(Allowance(day=day, month=month, reading=0.5)) >= here
    assert slower(Allowance(day=day and day + more, month=month)) <= here
    assert slower(Allowance()) == 1


@given(
    now=MOMENTS,
    every=st.timedeltas(timedelta(seconds=1), timedelta(days=1)),
    slower=st.floats(1, 1e9) | st.just(math.inf),
)
def test_a_slowed_poll_is_never_sooner_than_usual_nor_later_than_midnight_or_usual(
    now: datetime, every: timedelta, slower: float
) -> None:
    at = budget.next_poll(now, every=every, more=False, retry_after=None, slower=slower)
    midnight = budget.day_turns(now)
    assert min(now + every, midnight) <= at <= max(now + every, midnight)
    more = budget.next_poll(now, every=every, more=True, retry_after=None, slower=slower)
    assert now <= more <= at


def test_without_want_of_money_nothing_changes() -> None:
    assert budget.next_poll(NOON, every=timedelta(days=1), more=False, retry_after=None) == NOON + timedelta(days=1)
    assert budget.next_poll(NOON, every=timedelta(seconds=60), more=True, retry_after=None) == NOON


class Day:
    """A simulated day of one source on a paid network: what it cost and when it was polled."""

    def __init__(self, allowance: Allowance, every: timedelta, start: datetime) -> None:
        self.allowance, self.every = allowance, every
        self.now = start
        self.spent: dict[object, float] = {}
        self.poll_usd = 0.0
        self.polls: list[tuple[datetime, float]] = []

    @property
    def so_far(self) -> Spent:
        month = sum(usd for day, usd in self.spent.items() if str(day)[:7] == str(self.now.date())[:7])
        return Spent(today=self.spent.get(self.now.date(), 0.0), month=month)

    def live(self, until: datetime, cost: Callable[[], float]) -> None:
        while self.now < until and len(self.polls) < 5000:
            if budget.left(self.allowance, self.so_far, Use.READING) <= 0:
                self.now = budget.day_turns(self.now)
                continue
            usd = cost()
            self.polls.append((self.now, usd))
            self.spent[self.now.date()] = self.spent.get(self.now.date(), 0.0) + usd
            self.poll_usd = budget.smoothed(self.poll_usd, usd)
            slower = budget.slower(
                self.allowance, self.so_far, demand=self.poll_usd / self.every.total_seconds(), now=self.now
            )
            self.now = budget.next_poll(self.now, every=self.every, more=False, retry_after=None, slower=slower)


@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 1 << 30),
    limit=st.floats(0.05, 20),
    dearest=st.floats(0.001, 2),
    every=st.integers(300, 7200),
    start=MOMENTS,
)
def test_a_day_never_costs_more_than_reading_may_and_one_poll(
    seed: int, limit: float, dearest: float, every: int, start: datetime
) -> None:
    day = Day(Allowance(day=limit), timedelta(seconds=every), start)
    seeded = Random(seed)
    day.live(start + timedelta(days=2), lambda: seeded.uniform(0, dearest))
    for spent in day.spent.values():
        assert spent <= 0.8 * limit + dearest
    apart = [after - before for (before, _), (after, _) in zip(day.polls, day.polls[1:], strict=False)]
    crossing = [budget.day_turns(before) - before for before, _ in day.polls]
    assert all(gap >= min(day.every, turn) for gap, turn in zip(apart, crossing, strict=False))


@settings(deadline=None)
@given(limit=st.floats(0.1, 20), cost=st.floats(0.001, 0.05), every=st.integers(30, 600))
def test_at_a_steady_cost_it_slows_evenly_and_lasts_until_the_day_ends(limit: float, cost: float, every: int) -> None:
    assume(0.8 * limit > 20 * cost)
    start = datetime(2026, 11, 22, tzinfo=UTC)
    day = Day(Allowance(day=limit), timedelta(seconds=every), start)
    day.live(start + timedelta(days=1), lambda: cost)
    gaps = [(after - before).total_seconds() for (before, _), (after, _) in zip(day.polls, day.polls[1:], strict=False)]
    # All gaps but the first and the last few are alike: no burst in the morning, no silence in the evening.
    steady = [gap for gap, (at, _) in zip(gaps, day.polls, strict=False) if at < start + timedelta(hours=18)][1:]
    assert max(steady) <= 1.2 * min(steady)
    last, _ = day.polls[-1]
    assert last >= start + timedelta(hours=12)


@given(back=st.timedeltas(timedelta(seconds=1), timedelta(days=40)))
def test_a_clock_set_back_neither_stalls_nor_refunds(back: timedelta) -> None:
    day = Day(Allowance(day=1, month=10), timedelta(minutes=5), NOON)
    day.live(NOON + timedelta(hours=3), lambda: 0.01)
    before = sum(day.spent.values())
    day.now = NOON - back
    day.live(NOON - back + timedelta(days=1), lambda: 0.01)
    assert sum(day.spent.values()) > before  # it goes on
    for spent in day.spent.values():
        assert spent <= 0.8 + 0.01


def test_projection_goes_by_today_and_yesterday() -> None:
    assert budget.projected(Spent(today=1, month=11), NOON) == pytest.approx((2, 11 + 2 * 8.5))
    day, month = budget.projected(Spent(today=1, yesterday=5, month=30), NOON)
    assert (day, month) == pytest.approx((1 + 4 * 0.5, 30 + 4 * 8.5))
    early = datetime(2026, 11, 22, 0, 0, 30, tzinfo=UTC)
    assert budget.projected(Spent(today=0.1, month=0.1), early)[0] < 3  # half a minute is no measure of a day


@given(before=USD, cost=USD)
def test_the_cost_of_a_poll_is_smoothed_between_what_it_was_and_is(before: float, cost: float) -> None:
    assert min(before, cost) - 1e-9 <= budget.smoothed(before, cost) <= max(before, cost) + 1e-9
    assert budget.smoothed(0, cost) == cost
