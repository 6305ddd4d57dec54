"""When to call again: next poll, back-off, re-checks. Pure arithmetic; every wait has a ceiling."""

from __future__ import annotations

import math
import random
from datetime import datetime, timedelta

CEILING = timedelta(hours=1)  # no header, clock or streak of failures keeps us away for longer
POLL_LEASE = timedelta(minutes=1)  # a poller that has not come back by then is taken for dead; two at once do no harm

# Up to this age a post is looked up again this often. Edits and deletions come mostly early; a network that must be
# followed within 24 hours (platform rules of 2026) is.
RECHECKS: tuple[tuple[timedelta, timedelta], ...] = (
    (timedelta(hours=1), timedelta(minutes=10)),
    (timedelta(days=1), timedelta(hours=1)),
    (timedelta(days=14), timedelta(hours=12)),
    (timedelta(days=90), timedelta(days=3)),
)


def next_poll(now: datetime, *, every: timedelta, more: bool, retry_after: float | None) -> datetime:
    """When to poll again after a success: at once while more is waiting, but never sooner than the network asks."""
    pause = timedelta(0) if more else every
    return now + max(pause, within_ceiling(retry_after))


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


def within_ceiling(seconds: float | None) -> timedelta:
    """A wait that a network asked for, kept between nothing and the ceiling however absurd it is."""
    if seconds is None or math.isnan(seconds) or seconds <= 0:
        return timedelta(0)
    return min(timedelta(seconds=min(seconds, CEILING.total_seconds())), CEILING)
