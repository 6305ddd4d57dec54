"""Servers that mean no good, one connector's library at a time.

`Garbage` gives every request the same ill-made answer, byte for byte. `Mutating` stands in front of an honest server
and spoils one value in each of its answers, differently each time but always the same for one seed.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import random
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Answer = Callable[[socket.socket], None]  # writes whatever it likes on a connection that has said its request

MEGABYTE = 1024 * 1024


def whole(body: bytes, *headers: str, status: str = "200 OK", kind: str = "application/json") -> Answer:
    """A well-formed answer with that body."""
    head = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    return raw("\r\n".join(head).encode() + b"\r\n\r\n" + body)


def raw(answer: bytes) -> Answer:
    """These bytes, and the end."""
    return lambda link: link.sendall(answer)


@functools.cache
def _pressed(sign: bytes, megabytes: int) -> bytes:
    return gzip.compress(sign * megabytes * MEGABYTE)


def _bomb(sign: bytes, megabytes: int, link: socket.socket) -> None:
    whole(_pressed(sign, megabytes), "Content-Encoding: gzip")(link)


def _huge(link: socket.socket) -> None:
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    for _ in range(64):
        link.sendall(b'"' + b"a" * MEGABYTE + b'",')


def _drip(begins: bytes, goes_on: bytes, link: socket.socket) -> None:
    link.sendall(begins)
    link.settimeout(0.5)
    while True:
        link.sendall(goes_on)
        with contextlib.suppress(TimeoutError):
            if not link.recv(1):
                return


_HTML = b"<!doctype html><title>Sign in to the hotel</title><h1>Welcome</h1>"

_TOP = ("data", "cid", "feed", "posts", "notifications", "account", "access_token", "json", "things", "includes")

GARBAGE: Mapping[str, Answer] = {
    "nothing": whole(b""),
    "no content": raw(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
    "not modified": raw(b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"),
    "null": whole(b"null"),
    "a number": whole(b"42"),
    "a text": whole(b'"ok"'),
    "a list of nulls": whole(b"[null, null]"),
    "an empty list": whole(b"[]"),
    "an empty object": whole(b"{}"),
    "wrong types": whole(json.dumps({key: [7] for key in ("id", "uri", *_TOP)}).encode()),
    "nested wrong types": whole(
        json.dumps({key: [{"id": None, "data": []}] for key in ("data", "json", "posts", "notifications")}).encode()
    ),
    "cut short": whole(b'{"data": [{"id": "1", "text": "hol'),
    "not a number": whole(b'{"id": NaN, "data": Infinity, "meta": 1e9999}'),
    "a very long number": whole(b'{"id": ' + b"9" * 20_000 + b"}"),
    "very deep": whole(b"[" * 100_000 + b"]" * 100_000),
    "not UTF-8": whole(b'{"id": "\xff\xfe\x00\xc3\x28"}'),
    "lone surrogates": whole(b'{"id": "\\ud800", "data": [{"id": "\\udfff\\u0000"}]}'),
    "a strange charset": whole(b'{"name": "1"}', kind="application/json; charset=utf-7"),
    "an unknown charset": whole(b'{"name": "1"}', kind="text/plain; charset=klingon"),
    "HTML": whole(_HTML, kind="text/html"),
    "HTML as 403": whole(_HTML, status="403 Forbidden", kind="text/html"),
    "HTML as 404": whole(_HTML, status="404 Not Found", kind="text/html"),
    "HTML as 502": whole(_HTML, status="502 Bad Gateway", kind="text/html"),
    "an unheard-of status": whole(b"{}", status="799 Whatever"),
    "a status of four digits": whole(b"{}", status="2000 Fine"),
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "silence": raw(b""),
    "half a head": raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "an endless head": raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 70_000 + b"\r\n\r\n{}"),
    "a thousand headers": raw(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(1000)) + b"\r\n{}"),
    "promises more": raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n{}"),
    "promises less": raw(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{"id": 1}'),
    "a negative length": raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: -5\r\n\r\n{}"),
    "broken chunks": raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"
    ),
    "chunks that stop": raw(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{}"
    ),
    "no gzip": whole(b'{"id": "1"}', "Content-Encoding: gzip"),
    "a bomb": functools.partial(_bomb, b" ", 256),
    "a bomb of brackets": functools.partial(_bomb, b"[", 32),
    "huge": _huge,
    "absurd limits": whole(
        b'{"error": "slow down"}',
        *(
            f"{name}: {value}"
            for name in ("Retry-After", "X-RateLimit-Reset")
            for value in ("99999999999999", "-1", "né")
        ),
        "RateLimit-Remaining: 1e400",
        "x-rate-limit-reset: 9999-99-99",
        status="429 Too Many Requests",
    ),
}

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SLOW_GARBAGE: Mapping[str, Answer] = {
    "a drip": functools.partial(_drip, _HEAD + b"Content-Length: 100000\r\n\r\n[", b" "),
    "a drip in the head": functools.partial(_drip, _HEAD + b"X-Patience: ", b"a"),
    "a drip of headers": functools.partial(_drip, _HEAD, b"X-A: b\r\n"),
}

ELSEWHERE = (301, 302, 303, 307, 308)


class Garbage:
    """The server. `answer` is what everybody gets, but those who ask for a path in `honest` (its JSON, with 200)."""

    def __init__(self, answer: Answer, honest: Mapping[str, Any] | None = None) -> None:
        self.answer = answer
        self.honest = dict(honest or {})
        self.asked: list[str] = []  # "POST /path"
        self.heads: list[bytes] = []

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                link, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(link,), daemon=True).start()

    def _talk(self, link: socket.socket) -> None:
        with link, contextlib.suppress(OSError):
            link.settimeout(10)
            request = b""
            while b"\r\n\r\n" not in request and (piece := link.recv(65536)):
                request += piece
            head, _, body = request.partition(b"\r\n\r\n")
            self.heads.append(head)
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            while length and len(body) < int(length[1]) and (piece := link.recv(65536)):
                body += piece
            method, path = head.split(b" ")[:2]
            path = path.split(b"?")[0]
            self.asked.append(f"{method.decode()} {path.decode()}")
            honest = self.honest.get(path.decode())
            (self.answer if honest is None else whole(json.dumps(honest).encode()))(link)


# --- an honest server's answers, spoilt -----------------------------------------------------------------------------

SPOILT: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    10**400,
    "",
    "\x00",
    "\x1b[2J\x1b]0;owned\x07",
    "\ud800",
    "\u202egnp.exe",
    "a" * 100_000,
    "9999-99-99T99:99:99Z",
    "0001-01-01T00:00:00+14:00",
    "javascript:alert(1)",
    "http://[::1",
    "file:///etc/passwd",
    "../../etc/passwd",
    "{{ 7 * 7 }}",
    "<script>alert(1)</script>" * 50,
    [],
    [None],
    [[[[[]]]]],
    {},
    {"": {}},
    {"id": {"id": []}},
)


class Mutating:
    """A proxy in front of `upstream`. While `spoiling`, each JSON answer has one value replaced, or left out."""

    def __init__(self, upstream: str, *, seed: int) -> None:
        self.upstream = upstream
        self.spoiling = False
        self.spoilt: list[str] = []  # what was done, for the failure's story
        self._dice = random.Random(seed)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length) if length else None
                passed = {
                    k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection", "accept-encoding")
                }
                request = urllib.request.Request(
                    proxy.upstream + self.path, data=body, headers=passed, method=self.command
                )
                try:
                    with urllib.request.urlopen(request, timeout=30) as answer:
                        status, headers, said = answer.status, answer.headers, answer.read()
                except urllib.error.HTTPError as error:
                    with error:
                        status, headers, said = error.code, error.headers, error.read()
                said = proxy.spoil(said)
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    for name, value in headers.items():
                        if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                            self.send_header(name, value)
                    self.send_header("Content-Length", str(len(said)))
                    self.send_header("Connection", "close")
                    self.end_headers()
                    self.wfile.write(said)
                self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(5)

    def spoil(self, said: bytes) -> bytes:
        """The answer with one value replaced; as it was, while not `spoiling`, or where it is no JSON."""
        if not self.spoiling:
            return said
        try:
            data = json.loads(said)
        except ValueError:
            return said
        with self._lock:
            places = list(_places(data))
            if not places:
                return json.dumps(self._dice.choice(SPOILT)).encode()
            holder, key = self._dice.choice(places)
            if self._dice.random() < 0.2:
                self.spoilt.append(f"without {key!r}")
                del holder[key]
            else:
                value = self._dice.choice(SPOILT)
                self.spoilt.append(f"{key!r} = {str(value)[:40]!r}")
                holder[key] = value
        return json.dumps(data).encode()


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a JSON document, as (its holder, its key there)."""
    if isinstance(data, dict | list):
        for key in list(data) if isinstance(data, dict) else range(len(data)):
            yield data, key
            yield from _places(data[key])
