"""When we are there: business calendars with several windows a day, days of the week, holidays, time zones.

    calendars:
      office:
        time_zone: Europe/Madrid
        hours: {mon-fri: ["09:00-14:00", "16:00-19:00"], sat: "10:00-14:00"}
        holidays: ES-MD
        closed: [2026-12-24]

All of it is local time, so a day on which the clocks change needs no care. A window that ends before it begins goes on
into the next day and belongs to the day on which it began: holidays close the night that starts on them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field

from policies.blocks import Block
from policies.fields import Word, listed, sentences
from policies.words import shown

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAILY = "daily"
MOST_PARTS = 60  # of a country, in one sentence
PARTS = "https://holidays.readthedocs.io says which is which"

MOST_REGIONS = 100  # whose holidays one policy names, all calendars together

_DAY = 24 * 60  # minutes
_NO_PLACES = frozenset({"localtime", "Factory", "posixrules", "Etc/Unknown"})
_WINDOW = re.compile(r"(\d{1,2}):(\d{2}) ?[-–] ?(\d{1,2}):(\d{2})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

# --- what may be written ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Window:
    """Minutes since midnight; `end` is past 24 hours where it goes on into the next day."""

    start: int
    end: int

    def __str__(self) -> str:
        start, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in (self.start, self.end % _DAY or _DAY))
        return f"{start}-{end}"


@dataclass(frozen=True, kw_only=True)
class Region:
    """Whose holidays: a country by its two letters, and a part of it or ""."""

    country: str
    part: str = ""

    def __str__(self) -> str:
        return f"{self.country}-{self.part}" if self.part else self.country


def day(value: object) -> date:
    """`2026-12-24` as a date. Raises ValueError with a sentence."""
    text = value.strip() if isinstance(value, str) else ""
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"`{shown(value)}` is not a day; write it like 2026-12-24") from None


def weekdays(value: object) -> frozenset[int]:
    """`mon-fri`, `sat, sun`, `daily` as numbers, Monday 0. Raises ValueError with a sentence."""
    text = value.strip().casefold() if isinstance(value, str) else ""
    if text == DAILY:
        return frozenset(range(7))
    found: set[int] = set()
    for piece in text.split(","):
        first, dash, last = (part.strip() for part in piece.partition("-"))
        if first not in WEEKDAYS or (dash and last not in WEEKDAYS):
            raise ValueError(
                f"`{shown(value)}` is no day of the week; write it like `mon`, `mon-fri`, `sat, sun`, `daily`"
            )
        start = WEEKDAYS.index(first)
        length = (WEEKDAYS.index(last) - start) % 7 if dash else 0
        found.update((start + step) % 7 for step in range(length + 1))
    return frozenset(found)


def _weekdays_as_text(value: object) -> str:
    weekdays(value)
    return str(value).strip().casefold()


def _window(value: object) -> object:
    if isinstance(value, Window):
        return value
    match = _WINDOW.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f'`{shown(value)}` is no span of a day; write it like "09:00-18:00"')
    hours, minutes = (int(match[1]), int(match[3])), (int(match[2]), int(match[4]))
    start, end = (hour * 60 + minute for hour, minute in zip(hours, minutes, strict=True))
    if max(minutes) > 59 or start >= _DAY or end > _DAY or start == end:
        raise ValueError(
            f'`{shown(value)}` is no span of a day; write it like "09:00-18:00", the whole day "00:00-24:00"'
        )
    return Window(start=start, end=end if end > start else end + _DAY)


def _apart(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    """Refuses spans of one line that lie over each other: one of the two is a slip."""
    in_order = sorted(windows, key=lambda window: window.start)
    for earlier, later in pairwise(in_order):
        if later.start < earlier.end:
            raise ValueError(f"{earlier} and {later} overlap; correct one, or write them as one span")
    return windows


@lru_cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    """The names of places and of UTC; none that means another one on every machine, or no place at all."""
    return frozenset(name for name in available_timezones() if name not in _NO_PLACES)


def _time_zone(value: object) -> str:
    try:
        if not isinstance(value, str) or value.strip() not in _zones():
            raise ValueError
        return _zone(value.strip()).key
    except (KeyError, ValueError, OSError):
        raise ValueError(f"`{shown(value)}` is no time zone; write it like Europe/Madrid or UTC") from None


def _region(value: object) -> object:
    if isinstance(value, Region):
        return value
    import holidays

    country, _, part = value.strip().partition("-") if isinstance(value, str) else ("", "", "")
    known = holidays.list_supported_countries()
    country = country.upper()
    if country not in known:
        raise ValueError(
            f"`{shown(value)}` has no holidays that we know; write a country's two letters, like `ES` or `AR`"
        )
    parts = {each.casefold(): each for each in known[country]}
    if part and part.casefold() not in parts:
        raise ValueError(f"`{country}` has no part `{shown(part)}`{_part_meant(country, part, known[country])}")
    return Region(country=country, part=parts[part.casefold()] if part else "")


def _part_meant(country: str, part: str, known: Sequence[str]) -> str:
    """The part whose code or name is nearest, and all the codes there are; ready to append to a sentence."""
    import holidays

    names = holidays.country_holidays(country).get_subdivision_aliases()
    called = {name.casefold(): code for code in known for name in (code, *names.get(code, ()))}
    words = {word: code for name, code in called.items() for word in (name, *re.findall(r"\w{4,}", name))}
    nearest = difflib.get_close_matches(part[:60].casefold(), words, n=1, cutoff=0.6)
    meant = f"; did you mean `{words[nearest[0]]}`?" if nearest else ";"
    if not known:
        return f"; write `{country}` alone"
    listed = ", ".join(sorted(known)[:MOST_PARTS]) + (" …" if len(known) > MOST_PARTS else "")
    return f"{meant} its parts are {listed} ({PARTS})"


TimeZone = Annotated[str, BeforeValidator(sentences(_time_zone), json_schema_input_type=str)]
Day = Annotated[date, BeforeValidator(sentences(lambda value: value if isinstance(value, date) else day(value)))]
Weekdays = Annotated[str, BeforeValidator(sentences(_weekdays_as_text), json_schema_input_type=str)]
Windows = Annotated[
    tuple[Annotated[Window, BeforeValidator(sentences(_window), json_schema_input_type=str)], ...],
    Field(min_length=1, max_length=12),
    BeforeValidator(listed, json_schema_input_type=str | list[str]),
    AfterValidator(sentences(_apart)),
]
Regions = Annotated[
    tuple[Annotated[Region, BeforeValidator(sentences(_region), json_schema_input_type=str)], ...],
    Field(max_length=20),
    BeforeValidator(listed, json_schema_input_type=str | list[str]),
]
Calendars = Annotated[
    tuple[Word, ...],
    Field(min_length=1, max_length=20),
    BeforeValidator(listed, json_schema_input_type=Word | list[Word]),
]
WeekdayList = Annotated[
    tuple[Weekdays, ...],
    Field(min_length=1, max_length=7),
    BeforeValidator(listed, json_schema_input_type=str | list[str]),
]


class Calendar(Block):
    """When somebody is there, or when it is quiet."""

    time_zone: TimeZone | None = Field(default=None, description="Like Europe/Madrid; left out: the policy's own.")
    hours: dict[Weekdays, Windows] = Field(
        min_length=1, max_length=20, description='By days, like `mon-fri: ["09:00-14:00", "16:00-19:00"]`.'
    )
    holidays: Regions = Field(default=(), description="Public holidays that close it, like ES, ES-MD or AR.")
    closed: tuple[Day, ...] = Field(default=(), max_length=400, description="Further days on which it is closed.")


# --- what it comes to ------------------------------------------------------------------------------------------------


class OpeningHours:
    """A calendar, compiled: `at` says whether a moment is inside and how the clock there stands."""

    def __init__(self, calendar: Calendar, *, time_zone: str) -> None:
        """`time_zone`: the policy's own, for a calendar that names none."""
        self.zone = _zone(calendar.time_zone or time_zone)
        self._holidays = calendar.holidays
        self._closed = frozenset(calendar.closed)
        windows: list[list[Window]] = [[] for _ in WEEKDAYS]
        for days, written in calendar.hours.items():
            for number in weekdays(days):
                windows[number] += written
        self._windows = tuple(map(tuple, windows))

    def holds(self, moment: datetime) -> bool:
        """Whether the moment lies in one of the windows, on a day that is open."""
        local = local_time(moment, self.zone)
        minute = local.hour * 60 + local.minute
        today, yesterday = local.date(), _day_before(local.date())
        if any(w.start <= minute < w.end for w in self._windows[local.weekday()]) and not self.closed_on(today):
            return True
        late = any(minute + _DAY < w.end for w in self._windows[yesterday.weekday()])
        return late and not self.closed_on(yesterday)

    def windows_on(self, today: date) -> tuple[Window, ...]:
        """The windows that belong to the day: none where it is closed."""
        windows = self._windows[today.weekday()]
        return () if windows and self.closed_on(today) else windows

    def closed_on(self, today: date) -> str:
        """Why it is closed all day, "" when it is not: a holiday's name, or that the calendar says so."""
        if today in self._closed:
            return "closed"
        return self.holiday(today)

    def holiday(self, today: date) -> str:
        """The name of the public holiday that falls on the day, or ""."""
        for region in self._holidays:
            if name := _holidays_in(region, today.year).get(today):
                return name
        return ""

    def today(self, moment: datetime) -> date:
        """Which day it is there."""
        return local_time(moment, self.zone).date()

    def clock(self, moment: datetime) -> str:
        """`Thu 24 Dec 21:05, Navidad`: the day and the time there, and why it is closed all day."""
        local = local_time(moment, self.zone)
        return spoken_clock(local) + (f", {shown(why, 80)}" if (why := self.closed_on(local.date())) else "")


@dataclass(frozen=True, kw_only=True)
class Hours:
    """All calendars of a policy by name, and the time zone of its own days."""

    zone: ZoneInfo
    calendars: Mapping[str, OpeningHours]

    @classmethod
    def of(cls, calendars: Mapping[str, Calendar], *, time_zone: str) -> Hours:
        """Those of a policy whose own time zone is `time_zone`."""
        made = {name: OpeningHours(calendar, time_zone=time_zone) for name, calendar in calendars.items()}
        return cls(zone=_zone(time_zone), calendars=made)


NO_HOURS = Hours(zone=_zone("UTC"), calendars={})


def local_time(moment: datetime, zone: ZoneInfo) -> datetime:
    """What the clock there shows; at the ends of the calendar, where it can show nothing, as in UTC."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment.astimezone(UTC)


def spoken_clock(local: datetime) -> str:
    """`Thu 24 Dec 21:05`, in English whatever the machine speaks."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    weekday = WEEKDAYS[local.weekday()].capitalize()
    return f"{weekday} {local.day} {months[local.month - 1]} {local.hour:02}:{local.minute:02}"


def _day_before(today: date) -> date:
    return today - timedelta(days=1) if today > date.min else today


def many_regions(calendars: Mapping[str, Calendar]) -> str:
    """The calendar with which a policy names more regions than are looked up at each decision; "" if none does."""
    named: set[Region] = set()
    for name, calendar in calendars.items():
        named.update(calendar.holidays)
        if len(named) > MOST_REGIONS:
            return name
    return ""


@lru_cache(maxsize=12 * MOST_REGIONS)  # several years of two policies: found once each, never again and again
def _holidays_in(region: Region, year: int) -> Mapping[date, str]:
    """The public holidays of that year by day."""
    import holidays

    # Names in the country's own language: left to itself, the library asks the machine which one it speaks.
    language = holidays.country_holidays(region.country).default_language
    found = holidays.country_holidays(
        region.country, subdiv=region.part or None, years=year, expand=False, language=language
    )
    return {each: str(name) for each, name in found.items()}
