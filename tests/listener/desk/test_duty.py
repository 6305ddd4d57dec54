"""When somebody is on duty, by hours of their own or a calendar of the policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from listener.desk import duty
from listener.errors import Mistake

MADRID = ZoneInfo("Europe/Madrid")
SPLIT = "mon-fri 09:00-14:00 16:00-19:00, sat 10:00-14:00; Europe/Madrid"
NIGHT = "fri-sat 22:00-06:00 Europe/Madrid"


def never(moment: datetime, **_: object) -> datetime:
    return moment


def always(moment: datetime, *, since: datetime, until: datetime, **_: object) -> datetime:
    return moment + (until - since)


@pytest.mark.parametrize(
    ("text", "day", "at", "on"),
    [
        (SPLIT, 2, "09:00", True),
        (SPLIT, 2, "08:59", False),
        (SPLIT, 2, "13:59", True),
        (SPLIT, 2, "14:00", False),
        (SPLIT, 2, "18:59", True),
        (SPLIT, 7, "11:00", True),
        (SPLIT, 7, "16:30", False),
        (SPLIT, 8, "11:00", False),
        (NIGHT, 6, "22:00", True),
        (NIGHT, 7, "05:59", True),
        (NIGHT, 7, "06:00", False),
        (NIGHT, 8, "05:59", True),
        (NIGHT, 9, "05:59", False),
        (NIGHT, 6, "05:59", False),
        ("sun 22:00-06:00 Europe/Madrid", 9, "03:00", True),
        ("fri-mon 10:00-11:00 Europe/Madrid", 8, "10:30", True),
        ("fri-mon 10:00-11:00 Europe/Madrid", 10, "10:30", False),
        ("mon wed 10:00-11:00 Europe/Madrid", 4, "10:30", True),
        ("mon wed 10:00-11:00 Europe/Madrid", 3, "10:30", False),
        ("daily 00:00-24:00 Europe/Madrid", 8, "23:59", True),
    ],
)
def test_hours_of_their_own(text: str, day: int, at: str, on: bool) -> None:
    """March 2026 begins on a Sunday: the 2nd is a Monday."""
    moment = datetime.fromisoformat(f"2026-03-{day:02}T{at}").replace(tzinfo=MADRID).astimezone(UTC)
    assert duty.on(text, moment, never) is on


def test_hours_are_local_on_both_sides_of_a_clock_change() -> None:
    hours = "daily 09:00-10:00 Europe/Madrid"
    assert duty.on(hours, datetime(2026, 3, 28, 8, 30, tzinfo=UTC), never)
    assert not duty.on(hours, datetime(2026, 3, 29, 8, 30, tzinfo=UTC), never)
    assert duty.on(hours, datetime(2026, 3, 29, 7, 30, tzinfo=UTC), never)


def test_a_calendar_of_the_policy_is_asked() -> None:
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert duty.on("office", now, always)
    assert not duty.on("office", now, never)
    assert duty.on("", now, never)


@pytest.mark.parametrize(
    "text",
    [
        "mon-fri",
        "mon-fri 09:00-17:00",
        "09:00-17:00 Europe/Madrid",
        "mon 9-17 Europe/Madrid",
        "mon 09:00-17:00 Europe/Nowhere",
        "mon 25:00-26:00 Europe/Madrid",
        "mon 09:61-17:00 Europe/Madrid",
        "mon 09:00-09:00 Europe/Madrid",
        "mon 09:00-17:00 tue Europe/Madrid",
        "lun 09:00-17:00 Europe/Madrid",
        "mon\x1b[31m 09:00-17:00 Europe/Madrid",
        "x" * 400,
        "../../etc/localtime",
    ],
)
def test_what_is_no_duty_is_one_sentence(text: str) -> None:
    with pytest.raises(Mistake) as raised:
        duty.read(text)
    assert "\x1b" not in str(raised.value)
    assert "\n" not in str(raised.value)


@given(some.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read = duty.read(text)
    except Mistake:
        return
    assert isinstance(read, (str, duty.Hours))


@given(some.integers(0, 1439), some.integers(1, 1440), some.sampled_from(duty.DAYS))
def test_a_week_holds_just_the_minutes_that_were_written(start: int, end: int, day: str) -> None:
    if start == end:
        return
    span = f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    hours = duty.read(f"{day} {span} UTC")
    assert isinstance(hours, duty.Hours)
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    edges = [hours.hold(monday + timedelta(minutes=minute)) for minute in range(7 * 1440)]
    assert sum(edges) == (end - start) % 1440 or (end, start) == (1440, 0)
    begins = sum(now and not before for before, now in pairwise([edges[-1], *edges]))
    assert begins <= 1
