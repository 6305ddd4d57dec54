"""The door of the daemon: a small HTTP server for what CRMs post to us.

    POST /crm/NAME   one event, as JSON of at most a megabyte; every answer is JSON, a refusal `{"error": "…"}`

A fixed number of threads serve, a fixed number of callers wait, whoever comes beyond is sent away with 503. A caller
has so many seconds to say what they want, however slowly they speak; one answer, then the connection ends. TLS is the
business of what stands before it.
"""

from __future__ import annotations

import json
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

import structlog

from listener.errors import Mistake
from listener.flow.receive import COME_BACK, Reply, refused

log = structlog.get_logger(__name__)

Answer = Callable[[str, Mapping[str, str], bytes], Reply]

LARGEST = 1024 * 1024  # bytes of a body
THREADS = 8
WAITING = 64  # callers who wait for a thread
PATIENCE = 10.0  # seconds that a caller may be silent
DEADLINE = 30.0  # seconds for a whole request
LINGER = 1.0  # seconds for which a caller who was refused may go on speaking
LOOK_EVERY = 0.5

_PLACE = re.compile(r"/crm/([a-z][a-z0-9]*(?:_[a-z0-9]+)*)")


class Reception:
    """The server, open while the `with` block runs. `answer(name, headers, body)` says what to reply to a post."""

    def __init__(
        self,
        listen: str,
        answer: Answer,
        *,
        patience: float = PATIENCE,
        deadline: float = DEADLINE,
        threads: int = THREADS,
    ) -> None:
        """`listen`: an address and a port, such as `127.0.0.1:8425`."""
        host, _, port = listen.rpartition(":")
        self._at = host.strip("[]"), int(port)
        self._listen = listen
        self._answer = answer
        self._patience = patience
        self._deadline = deadline
        self._threads = threads

    def __enter__(self) -> Self:
        """Opens it. Raises Mistake where the address cannot be had."""
        try:
            self._server = _Server(self._at, self._answer, self._patience, self._deadline, threads=self._threads)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "there is no such port"
            raise Mistake(
                f"Nothing can be received at daemon.listen = {self._listen} ({reason}): choose another address or port."
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="reception", daemon=True)
        self._thread.start()
        log.info("CRMs may post to us.", action="receiving", url=self.url)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Lets nobody in any more, and finishes what was said."""
        self._server.shutdown()
        self._server.finish()
        self._thread.join(LOOK_EVERY * 4)

    @property
    def url(self) -> str:
        """Where it is, without the CRM's place."""
        host, port = self._server.server_address[:2]
        return f"http://{f'[{host!s}]' if ':' in str(host) else host!s}:{port}"


class _Server(socketserver.TCPServer):
    allow_reuse_address = True
    request_queue_size = WAITING

    def __init__(self, at: tuple[str, int], answer: Answer, patience: float, deadline: float, *, threads: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in at[0] else socket.AF_INET
        self.answer = answer
        self.patience = patience
        self._deadline = deadline
        self._speaking: dict[socket.socket, float] = {}  # until when they must have said what they want
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(threads + WAITING)
        self._ended = threading.Event()
        super().__init__(at, _Handler)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reception")
        self._watch = threading.Thread(target=self._watch_the_clock, name="reception clock", daemon=True)
        self._watch.start()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Into the queue, or away where that is full. The time runs from here."""
        request.settimeout(self.patience)
        if not self._places.acquire(blocking=False):
            with suppress(OSError):
                request.settimeout(1.0)
                request.sendall(_FULL)
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


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Escucha", ""

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

    def do_POST(self) -> None:
        """One event."""
        place = _PLACE.fullmatch(self.path)
        length = self.headers.get("Content-Length", "")
        if place is None:
            return self._say(refused(404, "There is nothing here; post to /crm/ and the CRM's name."))
        if self.headers.get("Transfer-Encoding") or not length:
            return self._say(refused(411, "The header Content-Length is missing; send the body in one piece."))
        if not length.isascii() or not length.isdecimal() or len(length) > 10:
            return self._say(refused(400, "The header Content-Length holds no number."))
        if int(length) > LARGEST:
            return self._say(refused(413, f"The body is larger than {LARGEST:,} bytes; send several events."))
        try:
            body = self.rfile.read(int(length))
        except TimeoutError:
            body = b""
        if len(body) < int(length):
            return self._say(refused(408, "The body did not arrive whole in time; send it again."))
        self.server.heard(self.connection)
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            reply = self.server.answer(place[1], headers, body)
        except Exception:
            log.exception("Receiving broke.", action="receive_bug", crm=place[1])
            reply = refused(500, "This is a fault of ours; send it again later.")
        return self._say(reply)

    def _say(self, reply: Reply) -> None:
        body = json.dumps(reply.fields).encode() + b"\n"
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        if reply.retry_after:
            self.send_header("Retry-After", str(reply.retry_after))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """A request that is none: the same in JSON, without its own words."""
        code = 405 if code == 501 else code
        sentence = "Post to /crm/ and the CRM's name." if code == 405 else "This is no request that can be read."
        self._say(refused(code, sentence))

    def log_message(self, format: str, *args: Any) -> None:
        """Kept out of the log but for those who look closely."""
        log.debug("A request came.", action="received", line=format % args)


_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Retry-After: %d\r\nContent-Length: %d\r\n\r\n%s"
)
_SORRY = b'{"error": "Too many callers at once; send it again."}\n'
_FULL = _FULL % (COME_BACK, len(_SORRY), _SORRY)
