"""A line to a real server on loopback that can break in every way in which a line to a network breaks.

    with Line(server_url) as line:
        line.fail(Trouble.RESET, "POST /api/v1/statuses")   # what begins like that fails so, the rest goes through
        line.heal()

It reads each request as HTTP, so that some fail and the rest pass, and otherwise passes bytes on as they come: answers
without end and websockets too. A `plain` line reads nothing (mail): then every connection fails, or none. Behind `tls`
it answers in its own name, or with a stranger's certificate; as a `tunnel` it is a proxy that is asked for the way
first. Knows no network.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

MEGABYTE = 1024 * 1024
WAIT = 1200  # seconds that the server asks us to wait, where it says how long
_PATIENCE = 60.0


class Trouble(StrEnum):
    """What the line does with a request instead of passing it on, or with the answer (marked: carried out)."""

    REFUSED = "connection refused"
    SILENT = "no answer"
    DRIP = "one byte at a time"  # carried out
    RESET = "reset in mid-answer"  # carried out
    CUT = "answer cut short"  # carried out
    BUSY = "429"
    BUSY_WAIT = "429, come back in 20 minutes"
    ERROR = "500 for an hour"
    AWAY = "503, come back in 20 minutes"
    GATEWAY = "502, though done"  # carried out
    GARBAGE = "broken JSON"
    HTML = "a page of HTML"
    TYPES = "JSON of other types"
    HUGE = "an answer without end"
    STRANGER = "certificate of a stranger"
    EXPIRED = "401"
    FORBIDDEN = "403"
    MISSING = "404"
    INVALID = "400"


CARRIED_OUT = frozenset({Trouble.DRIP, Trouble.RESET, Trouble.CUT, Trouble.GATEWAY})

_PAGE = b"<!doctype html><title>Sign in to the hotel</title><h1>Welcome</h1>"
_STATUS = {
    Trouble.BUSY: (429, "Too Many Requests", "RateLimitExceeded"),
    Trouble.BUSY_WAIT: (429, "Too Many Requests", "RateLimitExceeded"),
    Trouble.EXPIRED: (401, "Unauthorized", "AuthenticationRequired"),
    Trouble.FORBIDDEN: (403, "Forbidden", "Forbidden"),
    Trouble.MISSING: (404, "Not Found", "NotFound"),
    Trouble.INVALID: (400, "Bad Request", "InvalidRequest"),
}
_PAGES = {
    Trouble.ERROR: (500, "Internal Server Error"),
    Trouble.AWAY: (503, "Service Unavailable"),
    Trouble.GATEWAY: (502, "Bad Gateway"),
    Trouble.HTML: (200, "OK"),
}
_WRONG = {key: [7] for key in ("id", "uri", "data", "cid", "feed", "posts", "notifications", "json", "url", "statuses")}
_BODIES = {Trouble.GARBAGE: b'{"data": [{"id": "1", "text": "hol', Trouble.TYPES: json.dumps(_WRONG).encode()}


@dataclass(frozen=True, kw_only=True)
class Papers:
    """What proves who a server is: `ca` vouches for `ours` (certificate and key in a file), nobody for `strangers`."""

    ca: Path
    ours: Path
    strangers: Path


def papers(folder: Path, *others: str) -> Papers:
    """Makes both for 127.0.0.1, localhost and `others`, by the `openssl` command."""
    there = ",".join(["IP:127.0.0.1", *(f"DNS:{name}" for name in ("localhost", *others))])
    assert shutil.which("openssl")
    for name in ("ours", "stranger"):
        what = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName={there}"]
        files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")]
        subprocess.run(["openssl", "req", *what, *names, *files], capture_output=True, check=True)
        both = (folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text()
        (folder / f"{name}.pem").write_text(both)
    return Papers(ca=folder / "ours.crt", ours=folder / "ours.pem", strangers=folder / "stranger.pem")


class Line:
    """Listens on a port of its own while the `with` block runs. `asked`: what came, as "GET /path?query"."""

    def __init__(self, target: str, *, tls: Papers | None = None, plain: bool = False, tunnel: bool = False) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._scheme, self._rest = parts.scheme, target.partition(parts.netloc)[2]
        self._tls, self._plain, self._tunnel = tls, plain, tunnel
        self.asked: list[str] = []
        self.failed = 0  # how many failed
        self._trouble: Trouble | None = None
        self._which = re.compile("")
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._ends = threading.Event()
        self._listener: socket.socket | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The server's own address, by way of this line."""
        secure = {"http": "https", "ws": "wss"}.get(self._scheme, self._scheme)
        return f"{secure if self._tls else self._scheme}://127.0.0.1:{self.port}{self._rest}"

    def fail(self, trouble: Trouble, which: str = "") -> None:
        """From now on every request whose "GET /path?query" begins like that (a pattern) fails so; all, where plain."""
        self._which, self._trouble = re.compile(which), trouble
        if trouble is Trouble.REFUSED:
            self._close_up()

    def heal(self) -> None:
        """Everything goes through again."""
        self._trouble = None
        if self._listener is None:
            self._listen()

    def cut(self) -> None:
        """Every connection breaks now."""
        with self._lock:
            held, self._open = self._open, set()
        for link in held:
            _reset(link)

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._close_up()
        self.cut()

    # --- listening ---

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _close_up(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            link.settimeout(_PATIENCE)
            with self._held(self._greeted(link)) as secured:
                (self._serve_plain if self._plain else self._serve_one)(secured)

    def _greeted(self, link: socket.socket) -> socket.socket:
        if self._tunnel:
            _request(link)
            link.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        if self._tls is None:
            return link
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        stranger = self._trouble is Trouble.STRANGER
        self.failed += stranger
        context.load_cert_chain(self._tls.strangers if stranger else self._tls.ours)
        return context.wrap_socket(link, server_side=True)

    @contextlib.contextmanager
    def _held(self, link: socket.socket) -> Iterator[socket.socket]:
        with self._lock:
            self._open.add(link)
        try:
            yield link
        finally:
            with self._lock:
                self._open.discard(link)
            link.close()

    # --- one request ---

    def _serve_one(self, link: socket.socket) -> None:
        head, body = _request(link)
        if not head:
            return
        method, path = head.split(b" ", 2)[:2]
        asked = f"{method.decode()} {path.decode()}"
        self.asked.append(asked)
        trouble = self._trouble if self._which.match(asked) else None
        self.failed += trouble is not None
        if trouble is None or trouble is Trouble.STRANGER:
            self._pass_on(link, head, body)
        elif trouble in CARRIED_OUT:
            self._spoil(link, trouble, head, body)
        elif trouble is Trouble.SILENT:
            self._wait_for_the_end(link)
        elif trouble is Trouble.HUGE:
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n[")
            while not self._ends.is_set():
                link.sendall(b'"' + b"a" * MEGABYTE + b'",')
        else:
            link.sendall(_answer(trouble))

    def _spoil(self, link: socket.socket, trouble: Trouble, head: bytes, body: bytes) -> None:
        """The server does what was asked; what it answers comes badly, or not at all."""
        with self._held(socket.create_connection(self._target, timeout=_PATIENCE)) as server:
            server.sendall(_closing(head) + body)
            answer = _head(server)
            if trouble is Trouble.GATEWAY:
                link.sendall(_answer(trouble))
            elif trouble is Trouble.DRIP:
                while answer:
                    self._drip(link, answer)
                    answer = server.recv(65536)
            else:
                link.sendall(answer[: answer.find(b"\r\n\r\n") + 6])
                if trouble is Trouble.RESET:
                    _reset(link)

    def _drip(self, link: socket.socket, piece: bytes) -> None:
        for place in range(len(piece)):
            link.sendall(piece[place : place + 1])
            if self._ends.wait(0.05):
                raise OSError

    def _wait_for_the_end(self, link: socket.socket) -> None:
        link.settimeout(0.2)
        while not self._ends.is_set():
            with contextlib.suppress(TimeoutError):
                if not link.recv(65536):
                    return

    def _pass_on(self, link: socket.socket, head: bytes, body: bytes) -> None:
        with self._held(socket.create_connection(self._target, timeout=_PATIENCE)) as server:
            if re.search(rb"(?im)^upgrade:", head):
                server.sendall(head + body)
                self._both_ways(link, server)
                return
            server.sendall(_closing(head) + body)
            link.sendall(_closing(_head(server)))
            server.settimeout(None)  # an answer may last
            while piece := server.recv(65536):
                link.sendall(piece)

    # --- connections of which nothing is read ---

    def _serve_plain(self, link: socket.socket) -> None:
        trouble = self._trouble
        self.failed += trouble is not None
        if trouble is Trouble.SILENT:
            self._wait_for_the_end(link)
            return
        if trouble in (Trouble.GARBAGE, Trouble.HTML):
            link.sendall(_answer(Trouble.HTML))
            return
        if trouble is Trouble.HUGE:
            while not self._ends.is_set():
                link.sendall(b"* " + b"a" * MEGABYTE)
        with self._held(socket.create_connection(self._target, timeout=_PATIENCE)) as server:
            self._both_ways(link, server, trouble)

    def _both_ways(self, link: socket.socket, server: socket.socket, trouble: Trouble | None = None) -> None:
        link.settimeout(None)
        server.settimeout(None)
        back = threading.Thread(target=self._pump, args=(link, server), daemon=True)
        back.start()
        said = 0
        with contextlib.suppress(OSError):
            while piece := server.recv(65536):
                if trouble is Trouble.DRIP:
                    self._drip(link, piece)
                    continue
                said += len(piece)
                if trouble in (Trouble.RESET, Trouble.CUT) and said > 200:
                    link.sendall(piece[: len(piece) // 2])
                    if trouble is Trouble.RESET:
                        _reset(link)
                    break
                link.sendall(piece)
        for each in (link, server):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def _request(link: socket.socket) -> tuple[bytes, bytes]:
    """The head of a request with its empty line, and its whole body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = link.recv(65536)
        if not piece:
            return b"", b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?im)^content-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        piece = link.recv(65536)
        if not piece:
            return b"", b""
        body += piece
    return head + b"\r\n\r\n", body


def _head(server: socket.socket) -> bytes:
    """The head of an answer, and whatever came along with it."""
    answer = b""
    while b"\r\n\r\n" not in answer and (piece := server.recv(65536)):
        answer += piece
    return answer


def _closing(head: bytes) -> bytes:
    """A head, and whatever follows it, that says that the connection ends after this."""
    first, _, rest = head.partition(b"\r\n")
    lines, _, body = rest.partition(b"\r\n\r\n")
    kept = [each for each in lines.split(b"\r\n") if each and not each.lower().startswith(b"connection:")]
    return b"\r\n".join([first, b"Connection: close", *kept]) + b"\r\n\r\n" + body


def _answer(trouble: Trouble) -> bytes:
    """What the line says in the server's place."""
    more = [f"Retry-After: {WAIT}"] if trouble in (Trouble.BUSY_WAIT, Trouble.AWAY) else []
    if trouble in _PAGES:
        (status, phrase), kind, body = _PAGES[trouble], "text/html", _PAGE
    elif trouble in _STATUS:
        status, phrase, name = _STATUS[trouble]
        told = {"error": name, "message": phrase, "title": phrase, "detail": phrase, "status": status}
        kind, body = "application/json", json.dumps(told).encode()
    else:
        status, phrase, kind, body = 200, "OK", "application/json", _BODIES[trouble]
    head = [f"HTTP/1.1 {status} {phrase}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join([*head, "Connection: close"]).encode() + b"\r\n\r\n" + body


def _reset(link: socket.socket) -> None:
    """Ends a connection without a word: the other side finds it broken, not closed."""
    with contextlib.suppress(OSError):
        link.shutdown(socket.SHUT_RD)  # whoever of ours waits for it would keep it open
    with contextlib.suppress(OSError):
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if isinstance(link, ssl.SSLSocket):
        with contextlib.suppress(OSError, ValueError):
            link = socket.socket(fileno=link.detach())
    link.close()
