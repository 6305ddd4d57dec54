"""When a notice goes out: what clocks show in one place, through changes of the clocks, leap days and midnights."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.desk import scheduling
from listener.errors import Mistake

MADRID, NEW_YORK, LORD_HOWE = ZoneInfo("Europe/Madrid"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")
UTC_ZONE = ZoneInfo("UTC")
CHANGING = ("Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def due(text: str, zone: str = "Europe/Madrid", which: str = "", now: datetime = NOW) -> str:
    return scheduling.due(text, scheduling.zone(zone), which=which, now=now).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("text", "zone", "which", "expected"),
    [
        ("2026-12-01 09:00", "Europe/Madrid", "", "2026-12-01 08:00"),
        ("2026-07-01 09:00", "Europe/Madrid", "", "2026-07-01 07:00"),
        ("2026-12-01T09:00", "America/Bogota", "", "2026-12-01 14:00"),
        ("2026-3-5 9:05", "UTC", "", "2026-03-05 09:05"),
        ("2026-07-01 00:00", "Europe/Madrid", "", "2026-06-30 22:00"),  # midnight is another day elsewhere
        ("2026-06-30 23:59", "America/Bogota", "", "2026-07-01 04:59"),
        ("2028-02-29 09:00", "Europe/Madrid", "", "2028-02-29 08:00"),
        ("2026-03-29 01:59", "Europe/Madrid", "", "2026-03-29 00:59"),  # the minute before the clocks go forward
        ("2026-03-29 03:00", "Europe/Madrid", "", "2026-03-29 01:00"),  # and the next one
        ("2026-10-25 01:59", "Europe/Madrid", "", "2026-10-24 23:59"),
        ("2026-10-25 02:30", "Europe/Madrid", "first", "2026-10-25 00:30"),
        ("2026-10-25 02:30", "Europe/Madrid", "second", "2026-10-25 01:30"),
        ("2026-10-25 03:00", "Europe/Madrid", "", "2026-10-25 02:00"),
        ("2026-11-01 01:30", "America/New_York", "second", "2026-11-01 06:30"),
        ("2026-04-05 01:45", "Australia/Lord_Howe", "second", "2026-04-04 15:15"),  # by half an hour
        ("2026-12-01 09:00", "europe/madrid", "first", "2026-12-01 08:00"),  # `first` of one is that one
        ("2026-12-01 09:00", "Asia/Kathmandu", "", "2026-12-01 03:15"),
    ],
)
def test_what_a_clock_shows_is_one_moment(text: str, zone: str, which: str, expected: str) -> None:
    now = NOW if text < "2028" else datetime(2027, 3, 1, tzinfo=UTC)
    assert due(text, zone, which, now) == expected


@pytest.mark.parametrize(
    ("text", "zone", "words"),
    [
        ("2026-03-29 02:30", "Europe/Madrid", "There is no 02:30 on 2026-03-29 in Europe/Madrid"),
        ("2026-03-29 02:00", "Europe/Madrid", "The nearest times are 01:59 and 03:00."),
        ("2026-03-08 02:15", "America/New_York", "The nearest times are 01:59 and 03:00."),
        ("2026-10-04 02:10", "Australia/Lord_Howe", "The nearest times are 01:59 and 02:30."),
        ("2026-10-25 02:30", "Europe/Madrid", "at 00:30 UTC, say --first, and at 01:30 UTC, say --second"),
        ("2027-02-29 09:00", "Europe/Madrid", "There is no day 2027-02-29"),
        ("2026-04-31 09:00", "Europe/Madrid", "There is no day 2026-04-31"),
        ("2026-12-01 24:00", "Europe/Madrid", "Midnight is 00:00 of the day that begins"),
        ("2026-12-01 25:00", "Europe/Madrid", "25:00 is no time"),
        ("2026-12-01", "Europe/Madrid", "is no day and time; write it like 2026-12-01 09:00"),
        ("mañana", "Europe/Madrid", "is no day and time"),
        ("2026-12-01 09:00+01:00", "Europe/Madrid", "names a zone of its own"),
        ("2026-12-01T09:00Z", "Europe/Madrid", "names a zone of its own"),
        ("2026-03-01 12:59", "Europe/Madrid", "is past; it is 13:00 there now"),
        ("2026-03-01 13:00", "Europe/Madrid", "is past"),  # now is not later
        ("0001-01-01 00:00", "Asia/Tokyo", "is past"),
        ("2026-02-01 00:00", "Europe/Madrid", "notice publish"),
        ("1999-01-01 00:00", "Europe/Madrid", "1999-01-01 is past; give a later day."),
        ("2062-12-01 09:00", "Europe/Madrid", "more than two years away"),
        ("9999-12-31 23:59", "America/Bogota", "more than two years away"),
        ("2026-12-01 09:00", "Madrid", "'Madrid' is no time zone; did you mean Europe/Madrid?"),
        ("2026-12-01 09:00", "Europe/Madird", "did you mean Europe/Madrid?"),
        ("2026-12-01 09:00", "buenos aires", "did you mean America/"),
        ("2026-12-01 09:00", "qqq", "write one such as Europe/Madrid"),
        ("2026-12-01 09:00", "../etc/passwd", "is no time zone"),
    ],
)
def test_what_no_clock_shows_is_refused_with_the_next_step(text: str, zone: str, words: str) -> None:
    with pytest.raises(Mistake, match=re.escape(words)):
        due(text, zone)


@settings(max_examples=300)
@given(
    zone=st.sampled_from(sorted(available_timezones() - {"localtime"})),
    minutes=st.integers(0, 2 * 366 * 24 * 60),
)
def test_every_moment_is_shown_by_clocks_and_found_again(zone: str, minutes: int) -> None:
    """Of any zone: what clocks show at a moment is that moment, once or as the first or second of two."""
    where, moment = ZoneInfo(zone), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    local = moment.astimezone(where)
    shown = local.replace(tzinfo=None, fold=0)
    if shown.second:
        return
    which = "second" if local.fold else "first"
    assert scheduling.moment(scheduling.read(shown.strftime("%Y-%m-%d %H:%M")), where, which) == moment


@settings(max_examples=300)
@given(
    zone=st.sampled_from(["Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"]),
    data=st.data(),
)
def test_a_time_is_refused_exactly_where_no_clock_shows_it(zone: str, data: st.DataObject) -> None:
    """Near a change of the clocks: refused, asked about or taken as a look at every minute of that day says."""
    where = ZoneInfo(zone)
    changes = [
        day
        for day in (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(365))
        if day.astimezone(where).utcoffset() != (day + timedelta(days=1)).astimezone(where).utcoffset()
    ]
    day = data.draw(st.sampled_from(changes))
    shown = (day + timedelta(minutes=data.draw(st.integers(0, 1440)))).astimezone(where).replace(tzinfo=None, fold=0)
    shown += timedelta(minutes=data.draw(st.sampled_from([0, -30, 30, 60])))
    around = (day + timedelta(minutes=n) for n in range(-300, 1740))
    real = [each for each in around if each.astimezone(where).replace(tzinfo=None, fold=0) == shown]
    try:
        assert [scheduling.moment(shown, where)] == real
    except Mistake as mistake:
        if not real:
            times = re.findall(r"\d\d:\d\d", str(mistake).partition("nearest")[2])
            for time in times:  # both exist
                scheduling.moment(datetime.fromisoformat(f"{shown:%Y-%m-%d} {time}"), where, "first")
            assert len(times) == 2
        else:
            assert len(real) == 2
            assert [scheduling.moment(shown, where, which) for which in ("first", "second")] == real


def test_a_moment_is_said_by_its_own_clocks_and_by_others_that_differ() -> None:
    moment = datetime(2026, 12, 1, 23, 30, tzinfo=UTC)
    assert scheduling.everywhere(moment, MADRID) == "Wed 2026-12-02 00:30 (Europe/Madrid, UTC+1), 2026-12-01 23:30 UTC"
    assert scheduling.everywhere(moment, NEW_YORK, MADRID) == (
        "Tue 2026-12-01 18:30 (America/New_York, UTC-5), 2026-12-02 00:30 Europe/Madrid, 23:30 UTC"
    )
    assert scheduling.everywhere(moment, UTC_ZONE, ZoneInfo("Africa/Abidjan")) == "Tue 2026-12-01 23:30 (UTC, UTC)"
    assert scheduling.spoken(moment, ZoneInfo("Asia/Kathmandu")) == "Wed 2026-12-02 05:15 (Asia/Kathmandu, UTC+5:45)"
