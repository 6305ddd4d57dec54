"""Before and after: worked examples from the papers, and intervals that keep what they promise."""

from __future__ import annotations

import random
from datetime import timedelta
from math import inf

import pytest

from listener.insight.before_after import change_of_rate, change_of_share, scatter, wilson
from listener.insight.incident_report import quantile, step_for


def test_newcombes_example() -> None:
    """56 of 70 against 48 of 80: 0.2, from 0.0524 to 0.3339 (Newcombe 1998, table II, method 10)."""
    found = change_of_share((48, 80), (56, 70))
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=0.0001)
    assert found.sure
    assert change_of_share((0, 0), (5, 10)) is None


def test_wilsons_interval() -> None:
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=0.0001)  # Newcombe 1998, part one, table I
    assert wilson(0, 0) == (0, 1)


def test_a_rate_that_halves_and_one_that_ends() -> None:
    halved = change_of_rate([10] * 12, [5] * 12)
    assert halved is not None
    assert halved.value == -0.5
    assert halved.sure
    assert (halved.low, halved.high) == pytest.approx((-0.63, -0.33), abs=0.02)
    few = change_of_rate([1, 0], [0, 1])
    assert few is not None
    assert not few.sure
    begun = change_of_rate([0, 1], [500, 500])
    assert begun is not None
    assert begun.high > 100
    assert change_of_rate([0, 0], [3, 4]) is None
    over = change_of_rate([30, 30], [0, 0])
    assert over is not None
    assert (over.value, over.high < 0, over.high < inf) == (-1, True, True)


def test_bursts_make_it_less_sure() -> None:
    assert scatter([5] * 12, [5] * 12) == 1
    assert scatter() == scatter([0, 0]) == 1
    calm, wild = change_of_rate([10] * 12, [7] * 12), change_of_rate([30, 0, 0] * 4, [21, 0, 0] * 4)
    assert calm is not None
    assert wild is not None
    assert calm.value == wild.value
    assert wild.high - wild.low > 2 * (calm.high - calm.low)


def test_nothing_is_called_sure_more_often_than_one_time_in_twenty() -> None:
    """Bursts that come at the same rate before and after."""
    chance = random.Random(11)

    def stretch() -> list[int]:
        return [chance.choice((0, 0, 1, 3, 8)) for _ in range(12)]

    sure = sum(bool((found := change_of_rate(stretch(), stretch())) and found.sure) for _ in range(1000))
    assert sure < 80


def test_quantiles_are_of_those_there_are() -> None:
    minutes = [timedelta(minutes=n) for n in (2, 10, 30)]
    assert quantile(minutes, 0.5) == minutes[1]
    assert quantile(minutes, 0.9) == minutes[2]
    assert quantile(minutes[:1], 0.01) == minutes[0]
    assert quantile([], 0.5) is None


def test_a_week_and_a_minute_are_both_drawn_in_at_most_48_steps() -> None:
    assert step_for(timedelta(minutes=1)) == timedelta(minutes=5)
    assert step_for(timedelta(hours=4)) == timedelta(minutes=5)
    assert step_for(timedelta(hours=4, minutes=1)) == timedelta(minutes=10)
    assert step_for(timedelta(days=7)) == timedelta(hours=6)
    assert step_for(timedelta(days=4000)) == timedelta(days=28)
