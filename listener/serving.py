"""A small HTTP server for what is asked of the daemon: so many at once, so long each, and nobody keeps the others out.

A fixed number of threads serve, a fixed number of callers wait, whoever comes beyond is sent away (503, or what `full`
says). A caller has so many seconds to say what they want, however slowly they speak; one answer, then the connection
ends. TLS is the business of what stands before it.
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from listener.log import logger

log = logger(__name__)

THREADS = 8
WAITING = 64  # callers who wait for a thread
PATIENCE = 10.0  # seconds that a caller may be silent
DEADLINE = 30.0  # seconds for a whole request
LINGER = 1.0  # seconds for which a caller who was refused may go on speaking
COME_BACK = 30  # seconds after which one who was sent away may ask again
LOOK_EVERY = 0.5


def place(listen: str) -> tuple[str, int]:
    """`127.0.0.1:8425` or `[::1]:8425` as an address and a port."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


class Server(socketserver.TCPServer):
    """The server at an address and a port; `handler` says what is answered. `full`: what is said beyond so many."""

    allow_reuse_address = True
    request_queue_size = WAITING
    full = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(
        self,
        at: tuple[str, int],
        handler: type[Handler],
        *,
        name: str,
        patience: float = PATIENCE,
        deadline: float = DEADLINE,
        threads: int = THREADS,
    ) -> None:
        """Raises OSError where the address cannot be had, OverflowError where there is no such port."""
        self.address_family = socket.AF_INET6 if ":" in at[0] else socket.AF_INET
        self.patience = patience
        self._deadline = deadline
        self._speaking: dict[socket.socket, float] = {}  # until when they must have said what they want
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(threads + WAITING)
        self._ended = threading.Event()
        super().__init__(at, handler)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._watch = threading.Thread(target=self._watch_the_clock, name=f"{name} clock", daemon=True)
        self._watch.start()

    @property
    def url(self) -> str:
        """Where it is."""
        host, port = self.server_address[:2]
        return f"http://{f'[{host!s}]' if ':' in str(host) else host!s}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Into the queue, or away where that is full. The time runs from here."""
        request.settimeout(self.patience)
        if not self._places.acquire(blocking=False):
            with suppress(OSError):
                request.settimeout(1.0)
                request.sendall(_sent_away(self.full))
            self.shutdown_request(request)
            return
        with self._lock:
            self._speaking[request] = time.monotonic() + self._deadline
        self._pool.submit(self._serve, request, client_address)

    def _serve(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except OSError:
            pass  # the caller went away
        except Exception:
            log.exception("Receiving broke.", action="receive_bug")
        finally:
            self.heard(request)
            self._places.release()
            self.shutdown_request(request)

    def heard(self, request: socket.socket) -> None:
        """The caller has said what they want."""
        with self._lock:
            self._speaking.pop(request, None)

    def _watch_the_clock(self) -> None:
        while not self._ended.wait(LOOK_EVERY):
            with self._lock:
                late = [link for link, ends in self._speaking.items() if time.monotonic() > ends]
                self._interrupt(late)

    def _interrupt(self, links: list[socket.socket]) -> None:
        for link in links:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RD)  # they can still be told why

    def finish(self) -> None:
        """Whoever has not said all is not waited for; what was said is answered."""
        self.server_close()
        with self._lock:
            self._interrupt(list(self._speaking))
        self._pool.shutdown(wait=True)
        self._ended.set()
        self._watch.join(LOOK_EVERY * 4)


class Handler(BaseHTTPRequestHandler):
    """What every answer has in common; a request that nobody can read is refused in JSON."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Escucha", ""
    refusal = "There is nothing here."  # what is said to a method that is not served

    def handle(self) -> None:
        """One request; then the connection ends, once a caller who is still speaking had time to read the answer."""
        self.handle_one_request()
        ends = time.monotonic() + LINGER
        with suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(0.2)
            while time.monotonic() < ends and self.connection.recv(65536):
                pass

    def say_json(self, status: int, fields: Mapping[str, Any], *, retry_after: int = 0, challenge: str = "") -> None:
        """That answer, as JSON. `challenge`: what one must show to be let in."""
        body = json.dumps(fields).encode() + b"\n"
        self.say(status, body, "application/json", retry_after=retry_after, challenge=challenge)

    def say(self, status: int, body: bytes, kind: str, *, retry_after: int = 0, challenge: str = "") -> None:
        """That answer, of that content type."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        if retry_after:
            self.send_header("Retry-After", str(retry_after))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """A request that is none: the same in JSON, without its own words."""
        code = 405 if code == 501 else code
        sentence = self.refusal if code == 405 else "This is no request that can be read."
        self.say_json(code, {"error": sentence})

    def log_message(self, format: str, *args: Any) -> None:
        """Kept out of the log but for those who look closely."""
        log.debug("A request came.", action="received", line=format % args)


def _sent_away(status: HTTPStatus) -> bytes:
    """The whole answer to whoever comes beyond those who may wait."""
    body = b'{"error": "Too many callers at once; send it again."}\n'
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\nConnection: close\r\n"
        f"Retry-After: {COME_BACK}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
