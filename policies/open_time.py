"""Spans that run only while a calendar is open: when so much of it has passed, and how much passed between two moments.

    clock = OpenTime(hours)
    due = clock.after(now, timedelta(hours=4))        # four hours of being open
    clock.between(now, due) == timedelta(hours=4)

Exact to the second, over holidays, windows that go past midnight, and days on which the clocks change: an hour that the
clock shows twice counts twice, one that it leaves out does not count. No walk is longer than `HORIZON`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from policies.calendars import Calendar, OpeningHours, local_time, spoken_clock, weekdays
from policies.words import shown

HORIZON = timedelta(days=1100)  # a calendar that opens too little by then is looked at no further
REMEMBERED = 4096  # days
LAST = date.max - timedelta(days=4)  # there is no telling what stands later
_FIRST = date.min + timedelta(days=4)
_DAY = timedelta(days=1)
_WEEK = 7 * 24 * 60  # minutes
_NAMES = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_SAID = 3  # closed days in one sentence

Span = tuple[datetime, datetime]


class OpenTime:
    """The open time of one calendar; without one, all time."""

    def __init__(self, hours: OpeningHours | None) -> None:
        self.hours = hours
        self._days: dict[date, tuple[Span, ...]] = {}

    def after(self, start: datetime, span: timedelta) -> datetime:
        """The first moment by which so much open time has passed since `start`, in UTC.

        Where the calendar opens for less than that within `HORIZON`, the end of that.
        """
        return later(start, span) if self.hours is None else self.each_after(start, (span,))[0]

    def each_after(self, start: datetime, spans: Sequence[timedelta]) -> list[datetime]:
        """The same for several spans, none shorter than the one before it, in one walk."""
        if self.hours is None or not spans or spans[-1] <= timedelta():
            return [later(start, span) for span in spans]
        start = start.astimezone(UTC)
        for opens, closes in self._days.get(start.date(), ()):  # most spans end on the day on which they begin
            if opens <= start < closes and spans[-1] <= closes - start:
                return [start + span for span in spans]
        found = [start for span in spans if span <= timedelta()]
        passed = timedelta()
        for opens, closes in self._spans(start):
            for span in spans[len(found) :]:
                if span - passed > closes - opens:
                    break
                found.append(opens + (span - passed))
            if len(found) == len(spans):
                return found
            passed += closes - opens
        return found + [later(start, HORIZON)] * (len(spans) - len(found))

    def between(self, since: datetime, until: datetime) -> timedelta:
        """How much open time passed between two moments; none where the second is no later. `HORIZON` at most."""
        if until <= since:
            return timedelta()
        until = min(until, later(since, HORIZON))
        if self.hours is None:
            return until - since
        passed = timedelta()
        for opens, closes in self._spans(since):
            if opens >= until:
                break
            passed += min(closes, until) - opens
        return passed

    def _spans(self, start: datetime) -> Iterator[Span]:
        """When it is open from `start` on, in order, until `HORIZON` after it."""
        start = start.astimezone(UTC)
        end = later(start, HORIZON)
        day = max(start.date(), _FIRST)
        while day <= min(end.date(), LAST):
            for opens, closes in self._on(day):
                if opens < end and start < closes:
                    yield max(opens, start), min(closes, end)
            day += _DAY

    def _on(self, day: date) -> tuple[Span, ...]:
        """When it is open on a day of UTC, in order and apart."""
        found = self._days.get(day)
        if found is None:
            if len(self._days) >= REMEMBERED:
                self._days.clear()
            found = self._days[day] = self._worked_out(day)
        return found

    def _worked_out(self, day: date) -> tuple[Span, ...]:
        assert self.hours is not None
        found: list[Span] = []
        for since, until, offset in _offsets(day, self.hours):
            here = (since + offset).date() - _DAY  # its nights go on into the day after
            while here <= (until + offset).date():
                midnight = datetime.combine(here, time(), UTC) - offset
                for window in self.hours.windows_on(here):
                    opens = max(since, midnight + timedelta(minutes=window.start))
                    closes = min(until, midnight + timedelta(minutes=window.end))
                    if opens < closes:
                        found.append((opens, closes))
                here += _DAY
        return tuple(_joined(sorted(found)))

    # --- in words ---

    def why_not_sooner(self, since: datetime, until: datetime, name: str) -> str:
        """Which closed days lie between two moments: `office is closed on Sundays and on Tue 8 Dec (Navidad)`; or "".

        The day of `until` counts only where nothing is open on it; so does that of `since`.
        """
        if self.hours is None or until <= since:
            return ""
        zone = self.hours.zone
        day, last = local_time(since, zone).date(), local_time(until, zone).date()
        weekly: dict[int, None] = {}
        single: list[str] = []
        for _ in range(60):
            if day > min(last, LAST) or len(weekly) + len(single) > _SAID:
                break
            if why := self.hours.closed_on(day):
                because = f" ({shown(why, 40)})" if why != "closed" else ""
                single.append(f"{spoken_clock(datetime.combine(day, time()))[:-6]}{because}")
            elif not self._opens_on(day):
                weekly[day.weekday()] = None
            day += _DAY
        parts = [*(_NAMES[number] for number in weekly), *single]
        more = " and other days" if len(parts) > _SAID else ""
        return f"{shown(name)} is closed on {_listed(parts[:_SAID])}{more}" if parts else ""

    def _opens_on(self, day: date) -> bool:
        """Whether it is open at all on a local day, be it for the rest of a night."""
        assert self.hours is not None
        zone = self.hours.zone
        if day <= _FIRST or self.hours.windows_on(day):
            return True
        start, end = (datetime.combine(each, time(), zone).astimezone(UTC) for each in (day, day + _DAY))
        return self.between(start, end) > timedelta()


def later(moment: datetime, span: timedelta) -> datetime:
    """The moment so much later; where there is no such moment, the last that there is."""
    try:
        return moment + span
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def open_a_week(calendar: Calendar) -> timedelta:
    """For how long it is open in a week without holidays."""
    minutes = bytearray(_WEEK)
    for days, windows in calendar.hours.items():
        for number in weekdays(days):
            for window in windows:
                start, end = (number * 24 * 60 + minute for minute in (window.start, window.end))
                minutes[start : min(end, _WEEK)] = b"\1" * (min(end, _WEEK) - start)
                over = max(0, end - _WEEK)
                minutes[:over] = b"\1" * over
    return timedelta(minutes=sum(minutes))


def _offsets(day: date, hours: OpeningHours) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The parts of a day of UTC in which the clocks there do not change, each with how far they are ahead."""
    midnight = datetime.combine(day, time(), UTC)
    marks = [midnight + timedelta(hours=hour) for hour in range(25)]
    since, offset = midnight, _ahead(midnight, hours)
    for here, there in pairwise(marks):
        if _ahead(there, hours) == offset:
            continue
        low, high = here, there
        while high - low > timedelta(seconds=1):
            middle = low + timedelta(seconds=(high - low).total_seconds() // 2)
            low, high = (middle, high) if _ahead(middle, hours) == offset else (low, middle)
        if high < marks[-1]:
            yield since, high, offset
            since, offset = high, _ahead(high, hours)
    yield since, marks[-1], offset


def _ahead(moment: datetime, hours: OpeningHours) -> timedelta:
    return moment.astimezone(hours.zone).utcoffset() or timedelta()


def _joined(spans: list[Span]) -> Iterator[Span]:
    """The same time in spans that do not touch."""
    begun: Span | None = None
    for opens, closes in spans:
        if begun and opens <= begun[1]:
            begun = begun[0], max(begun[1], closes)
            continue
        if begun:
            yield begun
        begun = opens, closes
    if begun:
        yield begun


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
