"""What is normal: by the hour of the local week, whatever happened in some of the weeks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from listener.insight.counting import OTHER, Gap, Key, bucket
from listener.insight.normal import learn, levels, slots
from tests.listener.insight.weeks import DAYTIME, counts, day, more

MADRID = ZoneInfo("Europe/Madrid")
X = Key(network="x")
SHARES = {X: 2.0, Key(intent=OTHER, network="x"): 2.0, Key(area="app", network="x"): 0.5}


@pytest.mark.parametrize("month", [3, 10], ids=["spring", "autumn"])
def test_a_change_of_the_clocks_moves_nothing(month: int):
    """Between ten and eleven, local time, people write; before and after the change, and at no other hour."""
    ten = tuple(30.0 if hour == 10 else 0.02 for hour in range(24))
    until = day(31 if month == 10 else 45, month=month)  # a week, or two, after the change
    rows = counts({X: 1.0}, until - timedelta(weeks=5), until, MADRID, hours=ten)
    rate = learn(rows, until=until, zone=MADRID).rates[X].hours.reshape(7, 24)
    assert rate[:, 10].min() > 20
    assert rate[:, [9, 11]].max() < 3


def test_slots_are_the_local_week_in_zones_of_half_hours_too():
    at = day(1, 3)  # a Monday; 8:30 in Kolkata
    assert slots(np.array([bucket(at)]), ZoneInfo("Asia/Kolkata"))[0] == 8 * 12 + 6
    assert slots(np.array([bucket(at - timedelta(hours=4))]), UTC)[0] == 6 * 288 + 23 * 12


def test_an_outbreak_of_the_past_is_not_normal():
    until = day(29)
    rows = counts(SHARES, day(1), until, UTC)
    rate = learn(rows, until=until, zone=UTC).rates
    for minute in range(0, 60, 5):
        for key in (X, Key(area="app", network="x")):
            more(rows, key, day(23, 15) + timedelta(minutes=minute), 40)
    after = learn(rows, until=until, zone=UTC).rates
    slot = day(23).weekday() * 24 + 15
    assert after[X].hours[slot] < 1.35 * rate[X].hours[slot]  # 480 people in one of four weeks: a mean would be 150
    assert after[Key(area="app", network="x")].hours[slot] < 2 * rate[Key(area="app", network="x")].hours[slot]
    assert after[X].scatter < 3 * rate[X].scatter + 0.05


def test_a_holiday_is_not_normal_either():
    until, feast = day(29), day(24).date()

    def level(at: datetime) -> float:
        return 0.3 if at.date() == feast else 1.0

    with_it = learn(counts(SHARES, day(1), until, UTC, level=level), until=until, zone=UTC).rates[X].hours
    without = learn(counts(SHARES, day(1), until, UTC), until=until, zone=UTC).rates[X].hours
    slots_of_it = slice(day(24).weekday() * 24 + 8, day(24).weekday() * 24 + 20)
    assert 0.88 < with_it[slots_of_it].sum() / without[slots_of_it].sum() < 1.05


def test_hours_that_were_not_heard_are_no_zeroes():
    until = day(29)
    whole = counts(SHARES, day(1), until, UTC)
    gone = [Gap(since=day(n, 8), until=day(n, 20), network="x") for n in (8, 9, 15, 16, 22, 23)]
    rows = {
        key: [row for row in some if not any(bucket(gap.since) <= row[0] < bucket(gap.until) for gap in gone)]
        for key, some in whole.items()
    }
    known = learn(rows, until=until, zone=UTC, gaps=gone).rates[X].hours
    deaf = learn(rows, until=until, zone=UTC).rates[X].hours
    truth = 2 * sum(DAYTIME[8:20])
    assert known[8:20].sum() == pytest.approx(truth, rel=0.2)
    assert deaf[8:20].sum() < 0.7 * truth


def test_little_history_leaves_more_doubt():
    until = day(50)
    known = {
        days: learn(counts(SHARES, until - timedelta(days=days), until, UTC), until=until, zone=UTC)
        for days in (3, 10, 42)
    }
    doubts = [known[days].rates[X].doubt.mean() for days in (3, 10, 42)]
    assert doubts[0] > doubts[1] > doubts[2]
    assert known[3].rates[X].hours.mean() == pytest.approx(2 * sum(DAYTIME) / 24, rel=0.25)
    night, noon = 3 * 24 + 3, 3 * 24 + 11  # also of days that it never saw: by the hour of the day
    assert known[3].rates[X].hours[noon] > 5 * known[3].rates[X].hours[night]


def test_a_key_that_never_occurred_has_a_little_of_its_parent():
    learned = learn(counts(SHARES, day(1), day(29), UTC), until=day(29), zone=UTC)
    new = learned.rate(Key(area="app", place="Soria", network="x"))
    assert new is not None
    assert 0 < new.hours.max() < 0.1
    assert new.doubt.min() > 1
    assert learned.rate(Key(network="mail")) is None


def test_the_level_follows_what_lasts_and_leaves_out_the_last_two_hours():
    usual = np.full((1, 48), 20.0)
    heard = np.ones((1, 48), dtype=bool)
    double = np.where(np.arange(48) >= 24, 2.0, 1.0) * usual
    level = levels(double, usual, heard, 25.0, 5.0)
    assert level[0, :26] == pytest.approx(1.0)
    assert level[0, -1] == pytest.approx(2.0, rel=0.12)
    spiking = usual.copy()
    spiking[0, -2:] = 500
    assert levels(spiking, usual, heard, 25.0, 5.0)[0, -1] == pytest.approx(1.0)
    silent = heard.copy()
    silent[0, 30:] = False
    assert levels(np.where(silent, usual, 0.0), usual, silent, 25.0, 5.0)[0, -1] == pytest.approx(1.0)
