"""Business calendars: windows, weekdays, nights, holidays, clocks that change, and what may be written."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import policies
from listener.errors import PolicyProblem
from policies.calendars import MOST_REGIONS, WEEKDAYS, Calendar, Hours, OpeningHours, _holidays_in, weekdays

MADRID = ZoneInfo("Europe/Madrid")


def opens(*, zone: str = "Europe/Madrid", **written: object) -> OpeningHours:
    return OpeningHours(Calendar.model_validate(written), time_zone=zone)


OFFICE = opens(
    hours={"mon-fri": ["09:00-14:00", "16:00-19:00"], "sat": "10:00-14:00"}, holidays="ES-MD", closed=["2026-12-24"]
)
QUIET = opens(hours={"daily": "22:00-08:00"})
FRIDAYS = opens(hours={"fri": "22:00-03:00"}, closed=["2026-11-27"])


@pytest.mark.parametrize(
    ("calendar", "local", "holds"),
    [
        pytest.param(OFFICE, "2026-11-20 08:59", False, id="before it opens"),
        pytest.param(OFFICE, "2026-11-20 09:00", True, id="the first minute"),
        pytest.param(OFFICE, "2026-11-20 13:59", True, id="the last minute"),
        pytest.param(OFFICE, "2026-11-20 14:00", False, id="lunch"),
        pytest.param(OFFICE, "2026-11-20 16:30", True, id="the second window"),
        pytest.param(OFFICE, "2026-11-21 13:00", True, id="Saturday"),
        pytest.param(OFFICE, "2026-11-21 16:30", False, id="Saturday has one window"),
        pytest.param(OFFICE, "2026-11-22 11:00", False, id="Sunday"),
        pytest.param(OFFICE, "2026-12-25 11:00", False, id="a holiday of the country"),
        pytest.param(OFFICE, "2025-05-02 11:00", False, id="a holiday of the region"),
        pytest.param(OFFICE, "2026-12-24 11:00", False, id="a day named by hand"),
        pytest.param(QUIET, "2026-11-20 23:00", True, id="late"),
        pytest.param(QUIET, "2026-11-20 03:00", True, id="early"),
        pytest.param(QUIET, "2026-11-20 08:00", False, id="morning"),
        pytest.param(FRIDAYS, "2026-11-21 02:00", True, id="a Friday's night on Saturday"),
        pytest.param(FRIDAYS, "2026-11-20 02:00", False, id="not a Thursday's"),
        pytest.param(FRIDAYS, "2026-11-28 02:00", False, id="the night of a day that is closed"),
        pytest.param(OFFICE, "2026-03-29 11:00", False, id="the clocks change on a Sunday"),
        pytest.param(OFFICE, "2026-03-30 09:00", True, id="and Monday opens by the new time"),
    ],
)
def test_whether_it_is_open(calendar: OpeningHours, local: str, holds: bool) -> None:
    moment = datetime.fromisoformat(local).replace(tzinfo=MADRID).astimezone(UTC)
    assert calendar.holds(moment) is holds


def test_a_calendar_without_a_zone_has_the_policys() -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert opens(zone="UTC", hours={"daily": "12:00-13:00"}).holds(noon)
    assert not opens(zone="Asia/Tokyo", hours={"daily": "12:00-13:00"}).holds(noon)
    assert opens(zone="Asia/Tokyo", time_zone="UTC", hours={"daily": "12:00-13:00"}).holds(noon)


def test_holidays_have_names() -> None:
    assert OFFICE.holiday(date(2026, 12, 25)) == "Natividad del Señor"
    assert OFFICE.holiday(date(2026, 12, 24)) == ""
    assert OFFICE.clock(datetime(2026, 12, 25, 10, 5, tzinfo=UTC)) == "Fri 25 Dec 11:05, Natividad del Señor"
    assert opens(hours={"daily": "00:00-24:00"}, holidays=["AR", "uy"]).holiday(date(2026, 8, 25))


@pytest.mark.parametrize(
    ("days", "numbers"),
    [("mon", {0}), ("mon-wed", {0, 1, 2}), ("fri-mon", {4, 5, 6, 0}), ("Sat, SUN", {5, 6}), ("daily", set(range(7)))],
)
def test_weekdays(days: str, numbers: set[int]) -> None:
    assert weekdays(days) == numbers


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ({"hours": {}}, "at least 1"),
        ({"hours": {"lunes": "09:00-18:00"}}, "no day of the week"),
        ({"hours": {"mon": "9-18"}}, "no span of a day"),
        ({"hours": {"mon": "09:00-09:00"}}, "no span of a day"),
        ({"hours": {"mon": "09:00-25:00"}}, "no span of a day"),
        ({"hours": {"mon": "09:60-10:00"}}, "no span of a day"),
        ({"hours": {"mon": 9}}, "no span of a day"),
        ({"hours": {"mon": []}}, "at least 1"),
        ({"hours": {"mon": "09:00-10:00"}, "holidays": "ZZ"}, "no holidays that we know"),
        ({"hours": {"mon": "09:00-10:00"}, "holidays": "ES-ZZ"}, "has no part"),
        ({"hours": {"mon": "09:00-10:00"}, "holidays": 34}, "no holidays that we know"),
        ({"hours": {"mon": "09:00-10:00"}, "closed": ["24/12/2026"]}, "not a day"),
        ({"hours": {"mon": "09:00-10:00"}, "closed": ["2026-02-30"]}, "not a day"),
        ({"hours": {"mon": "09:00-10:00"}, "time_zone": "../../etc/passwd"}, "no time zone"),
        ({"hours": {"mon": "09:00-10:00"}, "time_zone": "Europe"}, "no time zone"),
        ({"hours": {"mon": "09:00-10:00"}, "time_zone": ""}, "no time zone"),
        ({"hours": {"mon": "09:00-10:00"}, "time_zone": "localtime"}, "no time zone"),
        ({"hours": {"mon": "09:00-10:00"}, "time_zone": "Factory"}, "no time zone"),
        ({"hours": {"mon": "09:00-10:00"}, "time_zone": "posix/Europe/Madrid"}, "no time zone"),
        ({"hours": {"mon": "09:00-10:00"}, "time_zone": "right/Europe/Madrid"}, "no time zone"),
    ],
)
def test_what_cannot_be_written(written: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        Calendar.model_validate(written)


@given(
    st.dictionaries(
        st.sampled_from([*WEEKDAYS, "daily", "sat-mon"]),
        st.tuples(st.integers(0, 1439), st.integers(1, 1440)).filter(lambda pair: pair[0] != pair[1]),
        min_size=1,
    ),
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(["UTC", "Europe/Madrid", "America/Argentina/Buenos_Aires", "Pacific/Kiritimati"]),
)
def test_every_moment_is_inside_or_outside(hours: dict[str, tuple[int, int]], moment: datetime, zone: str) -> None:
    spans = {
        days: f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}" for days, (start, end) in hours.items()
    }
    calendar = opens(zone=zone, hours=spans)
    assert calendar.holds(moment) in (True, False)
    assert calendar.clock(moment)
    if set(hours) == {"daily"} and date(1900, 1, 1) < moment.date() < date(2200, 1, 1):
        start, end = hours["daily"]
        local = moment.astimezone(ZoneInfo(zone))
        minute = local.hour * 60 + local.minute
        assert calendar.holds(moment) is (start <= minute < end if start < end else minute >= start or minute < end)


def _policy(regions: list[str]) -> str:
    """A policy whose calendars name these regions, at most 20 each."""
    parts = [regions[at : at + 20] for at in range(0, len(regions), 20)]
    listed = [
        f"  c{n}: {{hours: {{daily: '09:00-18:00'}}, holidays: {json.dumps(each)}}}" for n, each in enumerate(parts)
    ]
    lines = ["name: small", "teams: {care: {}}", "default_team: care", "rules: []", "calendars:", *listed]
    return "\n".join(lines) + "\n"


def test_a_policy_names_the_holidays_of_so_many_regions_and_no_more() -> None:
    known = holidays.list_supported_countries()
    regions = [f"{country}-{part}" for country in ("US", "DE", "ES", "BR", "AR", "MX") for part in known[country]]
    many = sorted({region.upper() for region in regions})[: MOST_REGIONS + 1]
    assert len(many) == MOST_REGIONS + 1
    assert policies.load_text(_policy([*many[:-1], *many[:-1]]), "p.yaml")
    with pytest.raises(PolicyProblem) as caught:
        policies.load_text(_policy(many), "p.yaml")
    (problem,) = caught.value.problems
    assert problem.startswith("p.yaml:11: with this calendar the policy names the holidays of more than 100 countries")


def test_holidays_are_found_once_however_many_regions_are_named() -> None:
    known = holidays.list_supported_countries()
    regions = [f"US-{part}" for part in known["US"]][:50] + [f"DE-{part}" for part in known["DE"]][:16]
    policy = policies.load_text(_policy(regions), "p.yaml")
    hours = Hours.of(policy.file.calendars, time_zone="UTC")
    days = [date(2030 + year, 3, 6) for year in range(5)]
    asked = []
    for _ in range(2):
        assert [each.holiday(day) for day in days for each in hours.calendars.values()]
        asked.append(_holidays_in.cache_info().misses)
    assert asked[0] == asked[1]
