"""When to call again, and whether there is money for it. Pure arithmetic; every wait has a ceiling.

Money goes by UTC days and months, as the networks count it. How a paid account is slowed down:

    demand      = what its sources would cost as often as the settings say: the sum of cost of a poll / every, in USD/s
    affordable  = what is left for reading / the time left, in USD/s; of the day's and the month's the smaller
    slower      = demand / affordable, at least 1

Every source of the account is polled `slower` times less often, so that the money lasts until the day or the month
turns. More spent, dearer polls or more sources never make it faster; nothing makes it faster than `every`.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

FIRST_LOOKS = timedelta(seconds=2)  # between the first looks for something of ours of which nobody knows
CEILING = timedelta(hours=1)  # no header, clock or streak of failures keeps us away for longer
UNPRESSED = timedelta(minutes=2)  # mentions may wait so long to be read before polls slow down
MOST_PRESSED = 16.0
PRESSED = timedelta(minutes=15)  # longer apart, a network's listings could run out between two polls
POLL_LEASE = timedelta(minutes=1)  # a poller that has not come back by then is taken for dead; two at once do no harm
STREAM_REST = timedelta(seconds=2)  # doubled for the first rest of a stream that ended, and again for each further one
HASTE = timedelta(seconds=5)  # a stream may ask for a poll as often as that
DAY = timedelta(days=1)

# Up to this age a post is looked up again this often. Edits and deletions come mostly early; a network that must be
# followed within 24 hours (platform rules of 2026) is.
RECHECKS: tuple[tuple[timedelta, timedelta], ...] = (
    (timedelta(hours=1), timedelta(minutes=10)),
    (timedelta(days=1), timedelta(hours=1)),
    (timedelta(days=14), timedelta(hours=12)),
    (timedelta(days=90), timedelta(days=3)),
)


def next_poll(
    now: datetime, *, every: timedelta, more: bool, retry_after: float | None, slower: float = 1.0
) -> datetime:
    """When to poll again after a success: at once while more is waiting, but never sooner than the network asks.

    `slower` (1 to infinity) stretches both, for the money's sake, at most until the UTC day turns.
    """
    factor = max(1.0, slower) - (1.0 if more else 0.0)
    until_midnight = day_turns(now) - now
    if factor * every.total_seconds() < until_midnight.total_seconds():
        pause = every * factor
    else:
        pause = until_midnight if slower > 1 else every
    return now + max(pause, within_ceiling(retry_after))


def pressure(waited: timedelta) -> float:
    """By how much polls that only find are slowed, from 1 to `MOST_PRESSED`, where mentions waited so long."""
    return min(max(1.0, waited / UNPRESSED), MOST_PRESSED)


def pressed_poll(now: datetime, *, every: timedelta, ratio: float) -> datetime:
    """When to poll again what only finds, under that pressure: within `PRESSED`, or as usual where that is longer."""
    return now + min(every * ratio, max(every, PRESSED))


def back_off(
    now: datetime, *, failures: int, every: timedelta, retry_after: float | None = None, dice: float | None = None
) -> datetime:
    """When to try again after the `failures`-th failure in a row (1 or more).

    Doubles from the source's own interval with full jitter on the upper half (`dice` in 0..1), see Brooker,
    "Exponential Backoff And Jitter", 2015. A wait that the network names wins where it is longer.
    """
    dice = random.random() if dice is None else dice  # noqa: S311  spreads retries, guards nothing
    longest: timedelta = min(every * 2 ** min(failures, 20), CEILING)
    return now + max(longest * (0.5 + dice / 2), within_ceiling(retry_after))


def until_next_look(began: datetime, looked_at: datetime) -> timedelta:
    """How long after a look for something of unknown outcome, sent at `began`, the next one comes.

    They double, from seconds up to the ceiling: looking costs requests of the same allowance that listening lives on.
    """
    return min(max(looked_at - began, FIRST_LOOKS), CEILING)


def reopen(
    now: datetime, *, failures: int, refused: bool, retry_after: float | None = None, dice: float | None = None
) -> datetime:
    """When to open a stream again after its `failures`-th end in a row (1 or more): within seconds at first.

    One that was `refused` to us is tried hardly ever again: what is in its way will not go away by itself.
    """
    failures = 20 if refused else failures
    return back_off(now, failures=failures, every=STREAM_REST, retry_after=retry_after, dice=dice)


def within_ceiling(seconds: float | None) -> timedelta:
    """A wait that a network asked for, kept between nothing and the ceiling however absurd it is."""
    if seconds is None or math.isnan(seconds) or seconds <= 0:
        return timedelta(0)
    return min(timedelta(seconds=min(seconds, CEILING.total_seconds())), CEILING)


# --- money ----------------------------------------------------------------------------------------------------------


class Use(StrEnum):
    """What money is spent on; what stands first has to stop first."""

    READING = "reading"  # polls, streams, and second looks that no rule of the network demands
    SENDING = "sending"  # replies and notices, and the looks that belong to them
    FOLLOWING = "following"  # second looks that the network demands, so that what is deleted there goes here


SENDING_SHARE = 0.95  # the last twentieth is for following deletions, which a network's terms demand


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What one account may spend in USD for each UTC day and month; None: as much as it takes.

    `reading` is the share of it (0 to 1) that reading may use, so that answers still go out.
    """

    day: float | None = None
    month: float | None = None
    reading: float = 0.8

    @property
    def limited(self) -> bool:
        return self.day is not None or self.month is not None

    def share(self, use: Use) -> float:
        """The share of the allowance that may be gone before that use stops."""
        match use:
            case Use.READING:
                return min(self.reading, SENDING_SHARE)
            case Use.SENDING:
                return SENDING_SHARE
            case Use.FOLLOWING:
                return 1.0


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What one account has spent in USD: on this UTC day, the day before, and in this UTC month, today included."""

    today: float = 0.0
    yesterday: float = 0.0
    month: float = 0.0


def day_turns(now: datetime) -> datetime:
    """The end of the UTC day."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + DAY


def month_turns(now: datetime) -> datetime:
    """The end of the UTC month."""
    return (now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + 32 * DAY).replace(day=1)


def left(allowance: Allowance, spent: Spent, use: Use) -> float:
    """What may still be spent on that now, in USD; negative when it is overdrawn, infinite without a limit."""
    share = allowance.share(use)
    of_day = math.inf if allowance.day is None else share * allowance.day - spent.today
    of_month = math.inf if allowance.month is None else share * allowance.month - spent.month
    return min(of_day, of_month)


def money_again_at(allowance: Allowance, spent: Spent, use: Use, now: datetime) -> datetime | None:
    """When there is money for that again; None: there is."""
    if left(allowance, spent, use) > 0:
        return None
    return month_turns(now) if month_is_gone(allowance, spent, use) else day_turns(now)


def month_is_gone(allowance: Allowance, spent: Spent, use: Use) -> bool:
    """Whether it is the month that has nothing left for that."""
    return allowance.month is not None and spent.month >= allowance.share(use) * allowance.month


def slower(allowance: Allowance, spent: Spent, *, demand: float, now: datetime) -> float:
    """By how much to slow the sources down, 1 to infinity; `demand` in USD a second. See the head of this file."""
    share = allowance.share(Use.READING)
    affordable = math.inf
    if allowance.day is not None:
        affordable = (share * allowance.day - spent.today) / _seconds(day_turns(now) - now)
    if allowance.month is not None:
        affordable = min(affordable, (share * allowance.month - spent.month) / _seconds(month_turns(now) - now))
    if affordable <= 0:
        return math.inf
    return max(1.0, demand / affordable)


def smoothed(before: float, cost: float) -> float:
    """What a poll costs lately, in USD: the newest counts a fifth; the first one counts whole."""
    return cost if before <= 0 else before + (cost - before) / 5


def projected(spent: Spent, now: datetime) -> tuple[float, float]:
    """What this day and this month will have cost in USD at the present pace: that of today and, if any, yesterday."""
    midnight = day_turns(now) - DAY
    elapsed = max(_seconds(now - midnight), _seconds(CEILING))  # the first minutes of a day are no measure
    if spent.yesterday > 0:
        elapsed += _seconds(DAY)
    pace = (spent.yesterday + spent.today) / elapsed
    return (
        spent.today + pace * _seconds(day_turns(now) - now),
        spent.month + pace * _seconds(month_turns(now) - now),
    )


def _seconds(span: timedelta) -> float:
    return max(span.total_seconds(), 1.0)
