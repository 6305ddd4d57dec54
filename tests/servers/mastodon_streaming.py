"""The streams of the local Mastodon server: server-sent events, a heartbeat between them, and ways to go wrong.

What `disturb(kind)` does to every stream that is open, and `fail("GET /api/v1/streaming/…", kind)` to the next one:

    silent    stays open and says nothing any more, not even that it lives
    slow      a line that trickles and never ends
    garbage   lines and events that are none; then it goes on
    huge      an event larger than anybody should read
    end       ends as it should
    cut       the connection breaks
"""

from __future__ import annotations

import json
import queue
import select
import socket
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

KINDS = ("silent", "cut", "end", "garbage", "huge", "slow")

_GARBAGE = (
    b'event: update\ndata: {"id": \n\n'
    b"event: notification\ndata: [1, null]\n\n"
    b'event: notification\ndata: {"type": "mention", "status": 7}\n\n'
    b"event: delete\ndata: ../../etc/passwd\n\n"
    b"event: \xff\xfe\ndata: \xff\x00\n\n"
    b"data: nameless\n\n"
    b"event: filters_changed\ndata: undefined\n\n"
    b"no field at all\r\n: a comment\r\n\r\n\n"
)


@dataclass
class Open:
    """One stream that is open: our account's own, or that of a hashtag."""

    acct: str
    tag: str | None
    waiting: queue.Queue[tuple[str, str]] = field(default_factory=queue.Queue)


class Streams:
    """All that are open. `thump`: seconds between two heartbeats; Mastodon's own are 15 apart."""

    def __init__(self) -> None:
        self.thump = 1.0
        self.open: list[Open] = []
        self.opened = 0
        self._lock = threading.Lock()

    def publish(self, event: str, payload: Any, *, accts: Collection[str] = (), tags: Collection[str] = ()) -> None:
        """Says it on the streams of those accounts and hashtags."""
        data = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
        wanted = {tag.casefold() for tag in tags}
        with self._lock:
            for each in self.open:
                if each.tag in wanted if each.tag is not None else each.acct in accts:
                    each.waiting.put((event, data))

    def disturb(self, kind: str) -> None:
        """Every open stream goes wrong in that way."""
        if kind not in KINDS:
            raise ValueError(f"no stream goes wrong as {kind!r}")
        with self._lock:
            for each in self.open:
                each.waiting.put((f"!{kind}", ""))

    def serve(
        self,
        handler: BaseHTTPRequestHandler,
        acct: str,
        tag: str | None,
        *,
        stopping: threading.Event,
        fault: str | None = None,
    ) -> None:
        """Answers one request with a stream, until it is closed, cut or `stopping`."""
        mine = Open(acct=acct, tag=tag.casefold() if tag is not None else None)
        if fault:
            mine.waiting.put((f"!{fault}", ""))
        handler.close_connection = True
        with self._lock:
            self.open.append(mine)
            self.opened += 1
        try:
            handler.send_response(200)
            handler.send_header("Content-Type", "text/event-stream")
            handler.send_header("Cache-Control", "no-store")
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            _write(handler, b":)\n")
            self._speak(handler, mine, stopping)
        except OSError:
            pass  # whoever listened is gone
        finally:
            with self._lock:
                self.open.remove(mine)

    def _speak(self, handler: BaseHTTPRequestHandler, mine: Open, stopping: threading.Event) -> None:
        beats_at = time.monotonic() + self.thump
        while not stopping.is_set():
            try:
                event, data = mine.waiting.get(timeout=0.05)
            except queue.Empty:
                if _left(handler):
                    return
                if time.monotonic() >= beats_at:
                    _write(handler, b":thump\n")
                    beats_at = time.monotonic() + self.thump
                continue
            if not event.startswith("!"):
                _write(handler, f"event: {event}\n".encode())
                _write(handler, f"data: {data}\n\n".encode())
            elif event == "!garbage":
                _write(handler, _GARBAGE)
            elif event == "!huge":
                _write(handler, b'event: update\ndata: {"content": "')
                for _ in range(300):
                    _write(handler, b"a" * 65536)
            elif event == "!end":
                handler.wfile.write(b"0\r\n\r\n")
                return
            elif event == "!cut":
                with suppress(OSError):
                    handler.connection.shutdown(socket.SHUT_RDWR)
                return
            else:
                self._die(handler, stopping, trickles=event == "!slow")
                return

    def _die(self, handler: BaseHTTPRequestHandler, stopping: threading.Event, *, trickles: bool) -> None:
        """Open, but of no use any more, until whoever listens has enough of it."""
        while not stopping.wait(0.05) and not _left(handler):
            if trickles:
                _write(handler, b"a")


def _left(handler: BaseHTTPRequestHandler) -> bool:
    """Whether whoever listened has closed the connection."""
    readable, _, _ = select.select([handler.connection], [], [], 0)
    return bool(readable) and not handler.connection.recv(1, socket.MSG_PEEK)


def _write(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
    handler.wfile.flush()
