"""pressure: where more is heard than can be read, polls that only find slow down; what addresses us never waits for it.

Nothing is dropped: what is not asked for now is asked for later, from the same cursor on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from listener import budget, metrics
from listener.log import logger
from listener.store import Store, stats
from listener.types import Page, PostKind

log = logger(__name__)

FRESH = 5.0  # seconds for which one look at what waits counts


def ratio(oldest: Mapping[str, datetime], now: datetime) -> float:
    """By how much polls that only find are slowed, 1 for not at all. `oldest`: see `stats.oldest_waiting`."""
    return budget.pressure(max((now - since for since in oldest.values()), default=timedelta(0)))


def only_finds(page: Page) -> bool:
    """Whether all that a poll brought was found, and none of it addressed us."""
    return bool(page.posts) and all(post.kind is PostKind.FOUND for post in page.posts)


class Pressure:
    """How much waits, as one process sees it; all of them see the same, for it stands in the database."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._ratio = 1.0
        self._looked = float("-inf")

    def now(self) -> float:
        """By how much polls that only find are slowed now; said once when it begins and once when it ends."""
        with self._lock:
            if time.monotonic() - self._looked < FRESH:
                return self._ratio
            with self._store.read() as tx:
                oldest = stats.oldest_waiting(tx)
            before, self._ratio = self._ratio, ratio(oldest, self._clock())
            self._looked = time.monotonic()
        metrics.slowed(self._ratio)
        if self._ratio > 1 >= before:
            log.warning(
                "More is heard than can be read: polls that only find slow down until it is caught up.",
                action="pressure",
                waiting_since=min(oldest.values()),
            )
        elif self._ratio <= 1 < before:
            log.info("What was heard is read again as it comes.", action="pressure_off")
        return self._ratio
