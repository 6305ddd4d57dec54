"""Spans on calendars, beside somebody who looks at the clock minute by minute."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from policies.calendars import WEEKDAYS, Calendar, OpeningHours
from policies.open_time import HORIZON, OpenTime, later, open_a_week

MINUTE = timedelta(minutes=1)
MADRID = ZoneInfo("Europe/Madrid")


def opens(*, zone: str = "Europe/Madrid", **written: object) -> OpenTime:
    return OpenTime(OpeningHours(Calendar.model_validate(written), time_zone=zone))


OFFICE = opens(
    hours={"mon-fri": ["09:00-14:00", "16:00-19:00"], "sat": "10:00-14:00"}, holidays="ES-MD", closed=["2026-12-24"]
)
NIGHT = opens(hours={"daily": "22:00-08:00"})
ALWAYS = opens(hours={"daily": "00:00-24:00"})


def there(local: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(local).replace(tzinfo=MADRID, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("calendar", "start", "span", "due"),
    [
        pytest.param(OFFICE, "2026-11-20 10:00", "1h", "2026-11-20 11:00", id="while it is open"),
        pytest.param(OFFICE, "2026-11-20 13:30", "1h", "2026-11-20 16:30", id="over lunch"),
        pytest.param(OFFICE, "2026-11-20 18:30", "1h", "2026-11-21 10:30", id="into Saturday"),
        pytest.param(OFFICE, "2026-11-21 13:30", "1h", "2026-11-23 09:30", id="over Sunday"),
        pytest.param(OFFICE, "2026-11-22 11:00", "1h", "2026-11-23 10:00", id="from a closed day"),
        pytest.param(OFFICE, "2026-11-20 18:00", "1h", "2026-11-20 19:00", id="until the minute it closes"),
        pytest.param(OFFICE, "2026-12-23 18:00", "2h", "2026-12-26 11:00", id="over Christmas, one day named by hand"),
        pytest.param(OFFICE, "2026-11-20 09:00", "24h", "2026-11-24 13:00", id="a day is 24 open hours"),
        pytest.param(NIGHT, "2026-03-28 22:00", "9h", "2026-03-29 08:00", id="a night of nine hours"),
        pytest.param(NIGHT, "2026-10-24 22:00", "11h", "2026-10-25 08:00", id="a night of eleven hours"),
        pytest.param(ALWAYS, "2026-03-28 12:00", "24h", "2026-03-29 13:00", id="a day of 23 hours"),
    ],
)
def test_when_so_much_open_time_has_passed(calendar: OpenTime, start: str, span: str, due: str) -> None:
    length = timedelta(hours=int(span[:-1]))
    assert calendar.after(there(start), length) == there(due)
    assert calendar.between(there(start), there(due)) == length


def test_an_hour_that_the_clock_shows_twice_counts_twice() -> None:
    small = opens(hours={"sun": "02:00-03:00"})
    assert small.between(there("2026-10-25 00:00"), there("2026-10-25 12:00")) == timedelta(hours=2)
    assert small.between(there("2026-03-29 00:00"), there("2026-03-29 12:00")) == timedelta()
    assert small.after(there("2026-10-25 00:00"), timedelta(minutes=90)) == there("2026-10-25 02:30", fold=1)


def test_a_day_that_was_left_out_has_no_open_time() -> None:
    samoa = opens(zone="Pacific/Apia", hours={"daily": "09:00-17:00"})
    since, until = datetime(2011, 12, 29, 22, tzinfo=UTC), datetime(2012, 1, 1, 22, tzinfo=UTC)
    assert samoa.between(since, until) == sum(
        (MINUTE for minute in range(72 * 60) if samoa.hours and samoa.hours.holds(since + minute * MINUTE)), timedelta()
    )


# --- beside somebody who looks at the clock minute by minute ---

ZONES = ("UTC", "Europe/Madrid", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns")
ZONES += ("Africa/Casablanca", "Pacific/Chatham", "America/Havana")
times = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
windows = st.tuples(times, times).filter(lambda pair: pair[0] != pair[1]).map("-".join)
NEAR = (
    date(2026, 3, 8),
    date(2026, 3, 29),
    date(2026, 4, 5),
    date(2026, 10, 25),
    date(2026, 11, 1),
    date(2026, 12, 24),
)


def apart(spans: list[str]) -> list[str]:
    """Those that do not overlap one before them, which one line of hours may not."""
    kept: list[str] = []
    for span in spans:
        with suppress(ValidationError):
            Calendar.model_validate({"hours": {"mon": [*kept, span]}})
            kept.append(span)
    return kept


@st.composite
def calendars(draw: st.DrawFn) -> OpenTime:
    days = draw(st.lists(st.sampled_from([*WEEKDAYS, "mon-fri", "daily"]), min_size=1, max_size=3, unique=True))
    written: dict[str, Any] = {"hours": {each: apart(draw(st.lists(windows, min_size=1, max_size=3))) for each in days}}
    written["closed"] = [each.isoformat() for each in draw(st.lists(st.sampled_from(NEAR), max_size=2, unique=True))]
    written["holidays"] = draw(st.sampled_from([[], ["ES"], ["AR", "CL"]]))
    return opens(zone=draw(st.sampled_from(ZONES)), **written)


@st.composite
def moments(draw: st.DrawFn) -> datetime:
    """A minute within two days of one on which clocks change somewhere."""
    day = draw(st.sampled_from(NEAR))
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + draw(st.integers(-2880, 2880)) * MINUTE


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(calendars(), moments(), st.integers(1, 2880))
def test_the_open_time_is_that_of_every_minute(calendar: OpenTime, since: datetime, minutes: int) -> None:
    assert calendar.hours is not None
    walked = sum(calendar.hours.holds(since + minute * MINUTE) for minute in range(minutes))
    assert calendar.between(since, since + minutes * MINUTE) == walked * MINUTE


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(calendars(), moments(), st.integers(1, 600))
def test_the_moment_is_the_one_that_the_walker_stops_at(calendar: OpenTime, since: datetime, span: int) -> None:
    assert calendar.hours is not None
    at, left = since, span
    for _ in range(4 * 1440):
        if left == 0:
            assert calendar.after(since, span * MINUTE) == at
            return
        left -= calendar.hours.holds(at)
        at += MINUTE
    assert calendar.after(since, span * MINUTE) > at - MINUTE


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(calendars(), moments(), st.timedeltas(timedelta(), timedelta(days=3)), st.timedeltas(timedelta(), timedelta(5)))
def test_adding_and_measuring_are_each_others_inverse(
    calendar: OpenTime, since: datetime, span: timedelta, more: timedelta
) -> None:
    due = calendar.after(since, span)
    if due < since + HORIZON:
        assert calendar.between(since, due) == span
        both = calendar.after(since, span + more)
        if both < since + HORIZON:
            assert calendar.after(due, more) == both
        else:  # a minute a week: each walk ends where it is looked no further
            assert both == since + HORIZON
            assert calendar.after(due, more) >= both
        assert both >= due >= since
        assert calendar.after(since + more, span) >= due  # who comes later is not due sooner


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(calendars(), moments(), st.lists(st.timedeltas(timedelta(), timedelta(days=400)), max_size=6))
def test_several_moments_are_each_the_one_that_is_found_alone(
    calendar: OpenTime, since: datetime, spans: list[timedelta]
) -> None:
    in_order = sorted(spans)
    together = OpenTime(calendar.hours).each_after(since, in_order)
    assert together == [calendar.after(since, span) for span in in_order]
    assert calendar.each_after(since, in_order) == together  # its days are remembered by now
    assert OpenTime(None).each_after(since, in_order) == [since + span for span in in_order]


def test_without_a_calendar_all_time_is_open() -> None:
    clock = OpenTime(None)
    start = there("2026-03-28 12:00")
    assert clock.after(start, timedelta(days=3)) == start + timedelta(days=3)
    assert clock.between(start, start + timedelta(days=3)) == timedelta(days=3)
    assert clock.between(start, start - MINUTE) == timedelta()


@pytest.mark.parametrize("written", ["0001-01-01", "0001-01-02", "9999-12-30", "9999-12-31T23:59:59"])
@pytest.mark.parametrize("calendar", [OFFICE, OpenTime(None), opens(zone="Pacific/Apia", hours={"mon": "09:00-10:00"})])
def test_the_ends_of_time_break_nothing(calendar: OpenTime, written: str) -> None:
    start = datetime.fromisoformat(written).replace(tzinfo=UTC)
    due = calendar.after(start, timedelta(days=366))
    assert start <= due <= datetime.max.replace(tzinfo=UTC)
    assert calendar.between(start, due) >= timedelta()
    assert calendar.after(start, timedelta(days=366)) == due  # as well as when its days are remembered
    assert calendar.why_not_sooner(start, due, "office").count("\n") == 0


def test_a_calendar_that_hardly_opens_ends_at_the_horizon() -> None:
    rare = opens(hours={"mon": "09:00-09:01"})
    start = there("2026-11-20 10:00")
    assert rare.after(start, timedelta(days=366)) == later(start, HORIZON)


@pytest.mark.parametrize(
    ("hours", "week"),
    [
        ({"mon-fri": ["09:00-14:00", "16:00-19:00"], "sat": "10:00-14:00"}, 44),
        ({"daily": "22:00-08:00"}, 70),
        ({"sun": "22:00-08:00", "mon": "00:00-09:00"}, 11),
        ({"daily": "00:00-24:00", "mon-fri": "10:00-12:00"}, 168),
    ],
)
def test_how_long_it_is_open_in_a_week(hours: dict[str, object], week: int) -> None:
    assert open_a_week(Calendar.model_validate({"hours": hours})) == timedelta(hours=week)


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-11-20 10:00", "2026-11-20 11:00", ""),
        ("2026-11-21 13:30", "2026-11-23 09:30", "office is closed on Sundays"),
        (
            "2026-12-23 18:00",
            "2026-12-26 11:00",
            "office is closed on Thu 24 Dec and Fri 25 Dec (Natividad del Señor)",
        ),
        ("2026-11-20 18:00", "2027-03-26 11:00", "office is closed on Sundays, Mon 7 Dec"),
    ],
)
def test_why_it_is_not_sooner_is_said(since: str, until: str, said: str) -> None:
    found = OFFICE.why_not_sooner(there(since), there(until), "office")
    assert found.startswith(said)
    assert bool(found) == bool(said)
