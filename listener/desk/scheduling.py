"""When a notice goes out by itself: what clocks say in one place, and what is too late. Pure: `now` is handed in.

03-31 02:30 in Madrid        does not exist: the clocks go from 02:00 to 03:00
10-26 02:30 in Madrid        comes twice: `first` or `second` says which
due_at … late_after          it goes out by itself in between; before: ahead; after: a person is asked (stale)
"""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, available_timezones

from listener.errors import Mistake
from listener.escapes import visible
from listener.store.notices import Notice
from listener.types import DeliveryState, NoticeState

FARTHEST = timedelta(days=731)  # beyond that it is rather a slip of the pen
EXAMPLE = "2026-12-01 09:00"
_FAR = "more than two years away; give an earlier"
_WRITTEN = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[ T]+(\d{1,2}):(\d{2})")
_WITH_OFFSET = re.compile(r"(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})$", re.IGNORECASE)


class Standing(StrEnum):
    """How a notice stands with its time."""

    UNSCHEDULED = "unscheduled"
    AHEAD = "ahead"  # its time comes
    DUE = "due"  # it goes out now, unless something holds it
    STALE = "stale"  # its time went by: somebody says what becomes of it
    DONE = "done"  # out, on its way or withdrawn


def standing(notice: Notice, now: datetime) -> Standing:
    """How it stands now. A draft whose time went by is stale too: nobody approved it in time."""
    if notice.due_at is None or notice.late_after is None:
        return Standing.UNSCHEDULED
    match notice.state:
        case NoticeState.DRAFT | NoticeState.APPROVED:
            waits = True
        case NoticeState.PUBLISHING:
            waits = any(each.state is DeliveryState.WAITING for each in notice.deliveries)
        case _:
            waits = False
    if not waits:
        return Standing.DONE
    if now < notice.due_at:
        return Standing.AHEAD
    return Standing.DUE if now < notice.late_after else Standing.STALE


def stale(notice: Notice, now: datetime) -> bool:
    """Whether its time went by, so that nothing more of it goes out before somebody says so."""
    return standing(notice, now) is Standing.STALE


def zone(name: str) -> ZoneInfo:
    """The time zone of that name. Raises Mistake."""
    known = available_timezones()
    if name in known:
        return ZoneInfo(name)
    folded = {each.lower(): each for each in known}
    if name.strip().lower() in folded:
        return ZoneInfo(folded[name.strip().lower()])
    cities = {each.rpartition("/")[2].lower(): each for each in sorted(known) if "/" in each}
    wanted = name.strip().lower().replace(" ", "_")
    near = difflib.get_close_matches(wanted, folded, n=1) or difflib.get_close_matches(wanted, cities, n=1)
    meant = folded.get(near[0]) or cities[near[0]] if near else ""
    hint = f"did you mean {meant}?" if meant else "write one such as Europe/Madrid or America/Bogota."
    raise Mistake(f"{visible(name)[:60]!r} is no time zone; {hint}")


def read(text: str) -> datetime:
    """What a clock shows, as somebody typed it, without any zone. Raises Mistake."""
    given = text.strip()
    if _WITH_OFFSET.search(given) and _WRITTEN.match(given):
        raise Mistake(f"{visible(given)[:60]!r} names a zone of its own; leave it out there and say it with --zone.")
    found = _WRITTEN.fullmatch(given)
    if not found:
        raise Mistake(f"{visible(given)[:60]!r} is no day and time; write it like {EXAMPLE}.")
    year, month, day, hour, minute = map(int, found.groups())
    if (hour, minute) == (24, 0):
        raise Mistake("Midnight is 00:00 of the day that begins; write that day.")
    try:
        return datetime(year, month, day, hour, minute)  # noqa: DTZ001  what a clock shows; `moment` makes it one
    except ValueError:
        there = f"{year:04}-{month:02}-{day:02}"
        what = f"{hour:02}:{minute:02} is no time" if _is_day(year, month, day) else f"there is no day {there}"
        raise Mistake(f"{what[:1].upper()}{what[1:]}; write it like {EXAMPLE}.") from None


def moment(shown: datetime, where: ZoneInfo, which: str = "") -> datetime:
    """The moment, in UTC, at which clocks there show that. `which`: "first" or "second" where they do so twice.

    Raises Mistake where they never do, with the nearest times, and where they do twice and nobody said which.
    """
    first = shown.replace(tzinfo=where, fold=0)
    second = shown.replace(tzinfo=where, fold=1)
    before, after = first.astimezone(UTC), second.astimezone(UTC)
    if before.astimezone(where).replace(tzinfo=None) != shown:
        last, next_one = _around(min(before, after), max(before, after), where)
        raise Mistake(
            f"There is no {shown:%H:%M} on {shown:%Y-%m-%d} in {where.key}: the clocks go forward over it. The nearest "
            f"times are {last:%H:%M} and {next_one:%H:%M}."
        )
    if before == after:
        return before
    if which not in ("first", "second"):
        raise Mistake(
            f"Clocks in {where.key} show {shown:%H:%M} twice on {shown:%Y-%m-%d}: at {before:%H:%M} UTC, say --first, "
            f"and at {after:%H:%M} UTC, say --second."
        )
    return before if which == "first" else after


def due(text: str, where: ZoneInfo, *, which: str = "", now: datetime) -> datetime:
    """The moment that somebody typed, in UTC. Raises Mistake, also for what is past or too far away."""
    shown = read(text)
    if not now.year - 1 <= shown.year <= now.year + 3:  # at the ends of the calendar zones have no moments
        past = shown.year < now.year
        raise Mistake(f"{shown:%Y-%m-%d} is {'past; give a later' if past else _FAR} day.")
    found = moment(shown, where, which)
    if found <= now:
        raise Mistake(
            f"{spoken(found, where)} is past; it is {now.astimezone(where):%H:%M} there now. Give a later time, or "
            "let it go out at once with `notice publish`."
        )
    if found - now > FARTHEST:
        raise Mistake(f"{spoken(found, where)} is {_FAR} day.")
    return found


def spoken(at: datetime, where: ZoneInfo) -> str:
    """`Tue 2026-12-01 09:00 (Europe/Madrid, UTC+1)`: as the clocks there show it."""
    local = at.astimezone(where)
    offset = local.utcoffset() or timedelta(0)
    minutes = abs(int(offset.total_seconds())) // 60
    sign = "-" if offset < timedelta(0) else "+"
    behind = f"{sign}{minutes // 60}" + (f":{minutes % 60:02}" if minutes % 60 else "") if minutes else ""
    return f"{_DAYS[local.weekday()]} {local:%Y-%m-%d %H:%M} ({where.key}, UTC{behind})"


def everywhere(at: datetime, where: ZoneInfo, *others: ZoneInfo) -> str:
    """The same, and what other clocks show then, those of UTC among them, where that is something else."""
    said, shown = [spoken(at, where)], {at.astimezone(where).replace(tzinfo=None)}
    for other in (*others, ZoneInfo("UTC")):
        local = at.astimezone(other).replace(tzinfo=None)
        if local not in shown:
            shown.add(local)
            day = "" if local.date() == at.astimezone(where).date() else f"{local:%Y-%m-%d} "
            said.append(f"{day}{local:%H:%M} {other.key}")
    return ", ".join(said)


def _around(early: datetime, late: datetime, where: ZoneInfo) -> tuple[datetime, datetime]:
    """The last minute before the clocks jump between those two moments, and the first one after, as they show it."""
    minute, offset = timedelta(minutes=1), early.astimezone(where).utcoffset()
    while late - early > minute:
        middle = early + (late - early) // 2 // minute * minute
        if middle.astimezone(where).utcoffset() == offset:
            early = middle
        else:
            late = middle
    return early.astimezone(where), late.astimezone(where)


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        datetime(year, month, day)  # noqa: DTZ001
    except ValueError:
        return False
    return True


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")  # strftime would follow the machine's language
