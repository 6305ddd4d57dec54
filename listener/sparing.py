"""What anybody outside can bring about is said once a minute, with how often it came: or the log fills the disk."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

from listener.log import logger

log = logger(__name__)

EVERY = timedelta(minutes=1)


class Sparing:
    """Warnings of a few kinds. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[tuple[str, str], tuple[datetime, int]] = {}  # by kind and place: when, and how many since

    def warn(self, sentence: str, *, action: str, crm: str, now: datetime, **more: Any) -> None:
        """Says it, or counts it for the next time. `crm`: a name from the settings, so that there are few."""
        with self._lock:
            since, many = self._said.get((action, crm), (None, 0))
            if since is not None and abs(now - since) < EVERY:
                self._said[action, crm] = since, many + 1
                return
            self._said[action, crm] = now, 0
        log.warning(sentence, action=action, crm=crm, unsaid=many, **more)
