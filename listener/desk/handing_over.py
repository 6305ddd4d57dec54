"""When to hand something over again that did not arrive: alerts to our people, news to a CRM. Pure.

What is handed over rests by itself, ever longer, and so does the receiver, for all that waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from listener import budget
from listener.errors import EscuchaError, NetworkError, Rejected

FIRST_REST = timedelta(
    seconds=10
)  # doubled for the first rest of a message that failed, and again for each further one
RECEIVER_REST = timedelta(seconds=5)  # likewise for a receiver
LONGEST_REST = timedelta(minutes=10)  # of a receiver that does not ask for more


@dataclass(frozen=True, kw_only=True)
class Next:
    """What follows a failure. `again` is None where it is given up; `reason` says why it failed, for people."""

    rests_until: datetime
    again: datetime | None
    reason: str


def told(error: Exception) -> str:
    """A failure in words that are fit to keep."""
    return str(error) if isinstance(error, EscuchaError) else f"a bug: {type(error).__name__}"


def after(
    error: Exception,
    *,
    failures: int,
    attempts: int,
    first_tried_at: datetime | None,
    patience: timedelta,
    for_so_long: str,
    now: datetime,
) -> Next:
    """What to do after the receiver's `failures`-th failure in a row, which was the message's `attempts`-th attempt.

    A message is tried for `patience` from its first attempt, once more at its end; `for_so_long` says that in words.
    """
    wait = error.retry_after if isinstance(error, NetworkError) else None
    rests = budget.back_off(now, failures=failures, every=RECEIVER_REST, retry_after=wait)
    rests = min(rests, now + max(LONGEST_REST, budget.within_ceiling(wait)))
    again = budget.back_off(now, failures=attempts, every=FIRST_REST, retry_after=wait)
    reason = told(error)
    if isinstance(error, Rejected):
        return Next(rests_until=rests, again=None, reason=reason)
    if first_tried_at is None:
        return Next(rests_until=rests, again=again, reason=reason)
    if now - first_tried_at >= patience:
        return Next(rests_until=rests, again=None, reason=f"Tried for {for_so_long}. {reason}")
    # Its last try is when the time ends; that the receiver rests, it minds anyway.
    return Next(rests_until=rests, again=min(again, max(now, first_tried_at + patience)), reason=reason)
