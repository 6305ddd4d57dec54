"""What X's calls cost, and when to spend a little to know more. Prices in USD, read August 2026 at
docs.x.com/x-api/getting-started/pricing.

X bills what it returns: an answer that holds nothing is free, and so is a call that it refuses. What was billed once is
free for the rest of the UTC day. A write is billed when it is made; one whose outcome nobody knows is counted as made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime

from listener.types import Charge

PRICES: Mapping[str, float] = {
    "post_read": 0.005,
    "owned_read": 0.001,  # our own mentions and our own posts
    "user_read": 0.010,
    "media_read": 0.005,
    "post": 0.015,
    "post_with_url": 0.200,
    "summoned_reply": 0.010,
    "delete": 0.010,  # the dearer of two that may be meant: see x_amending
    "media_metadata": 0.005,
    "counts": 0.005,
}

_REMEMBERED = 200_000  # resources of one day; beyond that we count some twice rather than grow


class Meter:
    """Counts what calls have cost since it was last read. Safe in several threads."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._units: dict[str, int] = {}
        self._today: date | None = None
        self._paid: set[tuple[str, str]] = set()

    def request(self, call: str) -> None:
        """One call that costs the same whatever it returns."""
        with self._lock:
            self._units[call] = self._units.get(call, 0) + 1

    def resources(self, call: str, kind: str, ids: Iterable[str]) -> None:
        """What came back: each is paid for once in a UTC day, whichever call returned it."""
        with self._lock:
            today = self._now().date()
            if today != self._today or len(self._paid) > _REMEMBERED:
                self._today, self._paid = today, set()
            fresh = {(kind, each) for each in ids} - self._paid
            if fresh:
                self._paid |= fresh
                self._units[call] = self._units.get(call, 0) + len(fresh)

    def drain(self) -> tuple[Charge, ...]:
        """What has come together, and starts again from nothing."""
        with self._lock:
            units, self._units = self._units, {}
        return tuple(Charge(call=call, units=n, usd=round(n * PRICES[call], 6)) for call, n in units.items())


def worth_counting(*, read: int, most: int, more: bool) -> bool:
    """Whether to ask how many posts wait (the price of one post) before buying the next page of a search.

    A search that finds nothing costs nothing, so asking first would only add to the price of every quiet look. It pays
    once a page has come, another waits, and what we may still buy costs more than the question: then a flood is known
    for what it is, and no page is bought that could not make the look whole.
    """
    return more and (most - read) * PRICES["post_read"] > PRICES["counts"]


def pages_to_buy(*, read: int, waiting: int | None, most: int) -> bool:
    """Whether to read on after the first page, when `waiting` posts (None: nobody knows) match since the last look.

    What fits under `most` is read to its end. A flood that does not fit is not bought at all beyond its first page:
    more of it would be dearer and still no whole.
    """
    return read < most and (waiting is None or waiting <= most)
