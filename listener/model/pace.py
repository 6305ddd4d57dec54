"""How fast an answer must come: a server that gives next to nothing does not keep anybody waiting for ever.

    pace = Pace(time.monotonic)
    session = Session(pace)      # whatever comes from the wire looks at the pace
    pace.begin()
    pace.gained(len(piece))      # what of it was of use

A time limit on reading ends silence alone, and a byte a second is no silence; nor is a head without end, or a body that
unpacks to nothing. So only what was of use counts, and everything that comes asks what the time is.
"""

from __future__ import annotations

import http.client
import io
from collections.abc import Callable
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from listener.errors import Unavailable

SLOWEST = 1024  # bytes a second, on average over …
WINDOW = 60.0  # … so many seconds


class TooSlow(Unavailable):
    """The answer comes too slowly to be waited for."""


class Pace:
    """What one answer has brought since `begin`, looked at in windows of time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.begin()

    def begin(self) -> None:
        """From here on anew."""
        self._since, self._bytes = self.clock(), 0

    def gained(self, size: int) -> None:
        """So many bytes of use have come."""
        self._bytes += size

    def look(self) -> None:
        """Raises TooSlow at the end of a window that brought too little."""
        now = self.clock()
        seconds = now - self._since
        if seconds < WINDOW:
            return
        if not enough(self._bytes, seconds):
            raise TooSlow("The answer comes too slowly to be waited for.")
        self._since, self._bytes = now, 0


def enough(size: int, seconds: float) -> bool:
    """Whether so many bytes in that time are worth waiting for; any time is taken for a second at least."""
    return size >= SLOWEST * max(seconds, 1.0)


class _Wire(io.RawIOBase):
    """The bytes of a connection; each time some come, the pace is looked at."""

    def __init__(self, raw: Any, pace: Pace) -> None:
        self._raw = raw
        self._pace = pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        size: int | None = self._raw.readinto(buffer)
        self._pace.look()
        return size

    def fileno(self) -> int:
        number: int = self._raw.fileno()
        return number

    def close(self) -> None:
        self._raw.close()
        super().close()


class Session(requests.Session):
    """Asks as the environment says, straight or through a proxy; every byte of an answer, its head too, looks at the
    pace."""

    def __init__(self, pace: Pace) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Paced(pace))

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002
        """Never any: requests would read a redirect's whole body, however long, before we looked where it leads."""
        return None


class _Paced(HTTPAdapter):
    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """As requests makes it, with connections of ours."""
        super().init_poolmanager(*args, **more)
        self._watch(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        """As requests makes it, with connections of ours."""
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **more)
        if not known:
            self._watch(manager)
        return manager

    def _watch(self, manager: Any) -> None:
        """Lets all connections that the manager will make be watched, whatever they are: SOCKS has its own."""
        pace, watched = self._pace, {}

        class Answer(http.client.HTTPResponse):
            def __init__(self, *args: Any, **more: Any) -> None:
                super().__init__(*args, **more)
                self.fp: Any = io.BufferedReader(_Wire(self.fp.detach(), pace))

        for scheme, pool in manager.pool_classes_by_scheme.items():
            connection = type("Connection", (pool.ConnectionCls,), {"response_class": Answer})
            watched[scheme] = type("Pool", (pool,), {"ConnectionCls": connection})
        manager.pool_classes_by_scheme = watched
