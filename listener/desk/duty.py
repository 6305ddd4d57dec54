"""When somebody is on duty: a calendar of the policy by its name, or hours of their own such as

    mon-fri 09:00-14:00 16:00-19:00 sat 10:00-14:00 Europe/Madrid

in local time, so that a day on which the clocks change needs no care. A span that ends before it begins goes on into
the next day. "" is always.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from listener.errors import Mistake
from listener.escapes import visible

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONGEST = 300  # characters
_DAY = 24 * 60  # minutes
_SPAN = re.compile(r"([0-9]{1,2}):([0-9]{2})[-–]([0-9]{1,2}):([0-9]{2})")
_CALENDAR = re.compile(r"\w[\w-]{0,99}")
EXAMPLE = '"mon-fri 09:00-17:00 Europe/Madrid"'


@dataclass(frozen=True, kw_only=True)
class Hours:
    """Spans as (day, first minute, last minute), Monday 0; the last is past 24 hours where it goes on into the next."""

    spans: tuple[tuple[int, int, int], ...]
    zone: str

    def hold(self, now: datetime) -> bool:
        """Whether that moment is in one of them."""
        local = now.astimezone(ZoneInfo(self.zone))
        minute, today = local.hour * 60 + local.minute, local.weekday()
        return any(
            (day == today and start <= minute < end) or ((day + 1) % 7 == today and minute + _DAY < end)
            for day, start, end in self.spans
        )


@lru_cache(maxsize=1000)
def read(text: str) -> Hours | str:
    """The hours that the text says, or the name of a calendar; "" is always. Raises Mistake."""
    words = [word for word in re.split(r"[\s,;]+", text.strip()) if word]
    if len(text) > LONGEST:
        raise Mistake(f"The duty is longer than {LONGEST} characters.")
    if not words:
        return ""
    if len(words) == 1 and _days(words[0]) is None and _CALENDAR.fullmatch(words[0]):
        return words[0]
    *said, zone = words
    if zone not in available_timezones():
        raise Mistake(f"The duty ends with a time zone, and {visible(zone)[:60]!r} is none; write it like {EXAMPLE}.")
    spans: list[tuple[int, int, int]] = []
    days: list[int] = []
    named_last = False
    for word in said:
        if (named := _days(word)) is not None:
            days = [*days, *named] if named_last else named
            named_last = True
            continue
        named_last = False
        if not days:
            raise Mistake(f"Before {visible(word)[:60]!r} the duty must say a day; write it like {EXAMPLE}.")
        start, end = _span(word)
        spans += [(day, start, end) for day in days]
    if not spans or named_last:
        raise Mistake(f"The duty says days without hours; write it like {EXAMPLE}.")
    return Hours(spans=tuple(sorted(set(spans))), zone=zone)


def _days(word: str) -> list[int] | None:
    if word.casefold() == "daily":
        return list(range(7))
    first, dash, last = word.casefold().partition("-")
    if first not in DAYS or (dash and last not in DAYS):
        return None
    start = DAYS.index(first)
    length = (DAYS.index(last) - start) % 7 if dash else 0
    return [(start + step) % 7 for step in range(length + 1)]


def _span(word: str) -> tuple[int, int]:
    match = _SPAN.fullmatch(word)
    hours = [int(part) for part in match.groups()] if match else []
    if not hours or max(hours[1], hours[3]) > 59:
        raise Mistake(f"{visible(word)[:60]!r} is neither days nor hours; write it like {EXAMPLE}.")
    start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    if start >= _DAY or end > _DAY or start == end:
        raise Mistake(f"{visible(word)[:60]!r} is no span of a day; the whole day is 00:00-24:00.")
    return start, end if end > start else end + _DAY


def on(duty: str, now: datetime, moved: Callable[..., datetime]) -> bool:
    """Whether that duty holds now; a calendar that the policy no longer has counts as always open.

    `moved`: `listener.contract.Promises.moved`, which knows the policy's calendars.
    """
    hours = read(duty)
    if isinstance(hours, Hours):
        return hours.hold(now)
    if not hours:
        return True
    return moved(now, calendar=hours, since=now, until=now + timedelta(minutes=1)) > now
