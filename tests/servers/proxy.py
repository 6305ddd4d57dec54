"""A loopback proxy that stands before a real HTTP server and lets it fail: cut, late, refused, garbled, endless.

    with Proxy(server_url) as proxy:
        proxy.fail("POST /xrpc/", "cut_after")        # the next one is carried out, and its answer lost
        proxy.fail("GET", "status", status=429, headers={"Retry-After": "30"}, times=3)

Kinds of failure: `status` (an answer of ours: `status`, `headers`, `body`), `cut_before` (the request is never passed
on), `cut_after` (passed on, the answer lost), `silent_before` and `silent_after` (the same without a word, for
`seconds`), `truncated`, `endless` (a body that does not end), `slow` (a byte every  (a small packed
body that unpacks to 64 MB) and `redirect` (to `to`). Knows no network.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import re
import threading
import time
import zlib
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "content-encoding",
    "accept-encoding",
    "host",
}
_TOO_LONG = 120.0


@dataclass
class Fault:
    pattern: re.Pattern[str]
    kind: str
    times: int
    options: dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """One request as it came, its headers by their names in small letters, and whether it was passed on."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    passed_on: bool


@functools.cache
def _bomb() -> bytes:
    pack = zlib.compressobj(1, wbits=31)
    return b"".join(pack.compress(b" " * 1024 * 1024) for _ in range(64)) + pack.flush()


class Proxy:
    """Listens on a port of its own while the `with` block runs."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "localhost", parts.port or 80)
        self.requests: list[Seen] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, pattern: str, kind: str, *, times: int = 1, **options: Any) -> None:
        """The next `times` requests whose `METHOD /path?query` begins like that fail that way."""
        with self._lock:
            self._faults.append(Fault(re.compile(pattern), kind, times, options))

    def heal(self) -> None:
        """Nothing fails any more."""
        with self._lock:
            self._faults.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # --- one request ---

    def _fault(self, line: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.pattern.match(line):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    return fault
        return None

    def _pass_on(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        link = http.client.HTTPConnection(*self._target, timeout=_TOO_LONG)
        try:
            link.request(
                method, path, body=body or None, headers={n: v for n, v in headers.items() if n.lower() not in _HOP}
            )
            answer = link.getresponse()
            return answer.status, {n: v for n, v in answer.getheaders() if n.lower() not in _HOP}, answer.read()
        finally:
            link.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                fault = proxy._fault(f"{self.command} {self.path}")
                kind = fault.kind if fault else ""
                passed_on = not fault or kind in ("cut_after", "silent_after", "truncated")
                proxy.requests.append(
                    Seen(self.command, self.path, {n.lower(): v for n, v in self.headers.items()}, passed_on)
                )
                answer = (200, {"Content-Type": "application/json"}, b"{}")
                if passed_on:
                    answer = proxy._pass_on(self.command, self.path, dict(self.headers), body)
                if fault:
                    self.close_connection = True
                    self.misbehave(kind, fault.options, *answer)
                else:
                    self.answer(*answer)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = handle_one

            def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                if self.close_connection:
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(body)

            def misbehave(
                self, kind: str, options: dict[str, Any], status: int, headers: dict[str, str], body: bytes
            ) -> None:
                said = options.get("body", b"")
                said = (
                    said
                    if isinstance(said, bytes)
                    else said.encode()
                    if isinstance(said, str)
                    else json.dumps(said).encode()
                )
                given = options.get("headers", {"Content-Type": "application/json"})
                if kind == "status":
                    self.answer(options.get("status", 500), given, said)
                elif kind == "redirect":
                    self.answer(options.get("status", 302), {"Location": options["to"]}, b"")
                elif kind == "truncated":
                    self.answer(status, headers, body[: len(body) // 2])
                elif kind in ("silent_before", "silent_after"):
                    proxy._closing.wait(options.get("seconds", _TOO_LONG))
                elif kind == "bomb":
                    self.answer(200, {"Content-Type": "application/json", "Content-Encoding": "gzip"}, _bomb())
                elif kind in ("endless", "slow"):
                    self.send_response_only(200)
                    self.send_header("Content-Type", "application/json")
                    self.end_headers()
                    ends = time.monotonic() + _TOO_LONG
                    while not proxy._closing.is_set() and time.monotonic() < ends:
                        self.wfile.write(b"[" if kind == "slow" else b" " * 65536)
                        proxy._closing.wait(options.get("seconds", 0.1) if kind == "slow" else 0)
                # the cuts say nothing: the connection closes

            def handle(self) -> None:
                with contextlib.suppress(OSError):  # whoever asked has gone
                    super().handle()

        return Handler
