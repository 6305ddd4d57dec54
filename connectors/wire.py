"""A `requests` session that cannot hang, wander or drown, for the libraries that let us bring our own.

It never retries, never follows a redirect (a redirected write would be sent as something else, and a token would go to
a stranger), asks no other host than those that it is for, whatever address an answer names or a library makes, logs in
nowhere by a ~/.netrc, keeps no cookies, gives up on an answer that trickles or does not end, and sends every write on a
new connection: an idle one that the server just closed would leave us not knowing whether the write arrived.

It also keeps the last answer as it came, per thread, because libraries drop what we need (the headers of a refusal)
and some of them stumble over headers that are none of their business (`hide`).
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

MEGABYTE = 1024 * 1024

_hurry = threading.local()  # `ends`: when what this thread waits for must be there, by the monotonic clock


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What this thread is answered on a `Bounded` connection must come within so many seconds, however it trickles."""
    _hurry.ends = time.monotonic() + seconds
    try:
        yield
    finally:
        _hurry.ends = float("inf")


def time_left() -> float:
    """Seconds until then; negative once it is past, infinite where nothing hurries."""
    return float(getattr(_hurry, "ends", float("inf"))) - time.monotonic()


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AnswerTooLarge(requests.RequestException):
    """The answer does not end within the limit."""


class AnswerTimeout(requests.Timeout):
    """The answer trickles and was given up."""


class Astray(requests.RequestException):
    """A request was about to go to a host that this session is not for; nothing was sent."""


class _Hurried(io.RawIOBase):
    """What a socket brings, be it an answer's head or its body, while there is time left."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock, self._raw, self._patience = sock, raw, sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = time_left()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        if self._patience is not None:
            self._sock.settimeout(min(self._patience, left))
        return cast("int | None", self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """Reads its head, too, no longer than it may: the library's own time-out begins anew with each byte."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Hurried(sock, self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class Bounded(HTTPAdapter):
    """Connections whose answers come `within` their time or not at all. No retries: that is HTTPAdapter's default."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _bind(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        made = super().proxy_manager_for(proxy, **kwargs)
        _bind(made)
        return made


def _bind(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


class _Adapter(Bounded):
    """Reads share connections; every write gets one of its own."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if request.method in ("GET", "HEAD"):
            return super().send(request, *args, **kwargs)
        request.headers["Connection"] = "close"
        return Bounded().send(request, *args, **kwargs)


class Wire(requests.Session):
    """The session. After each call `answer` holds what came back, or `failure` why nothing did."""

    def __init__(
        self,
        *,
        connect_timeout: float = 8.0,
        read_timeout: float = 20.0,
        deadline: float = 28.0,
        largest: int = 16 * MEGABYTE,
        proxies: bool = True,
        hosts: Collection[str] | None = None,
    ) -> None:
        """`hosts`: the names that it may ask, `.example.org` for all below that one; None: any, where no secret is."""
        super().__init__()
        self._hosts = None if hosts is None else frozenset(name if name[:1] == "." else _host(name) for name in hosts)
        self.mount("https://", _Adapter())
        self.mount("http://", _Adapter())
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.trust_env = proxies
        self._timeout = (connect_timeout, read_timeout)
        self._deadline = deadline
        self._largest = largest
        self._hidden: frozenset[str] = frozenset()
        self._shown_body: bytes | None = None
        self._here = threading.local()

    @property
    def answer(self) -> Answer | None:
        """The last answer in this thread; None when the last call brought none, or none was made."""
        return getattr(self._here, "answer", None)

    @property
    def failure(self) -> BaseException | None:
        """Why the last call in this thread brought no answer."""
        return getattr(self._here, "failure", None)

    def hide(self, headers: Collection[str], *, show_body: bytes | None = None) -> None:
        """Headers that the library is not to see, and what it gets to read instead of a body; `answer` keeps all."""
        self._hidden = frozenset(name.lower() for name in headers)
        self._shown_body = show_body

    def prepare_call(self, extra: Mapping[str, str] | None = None, *, patience: float = 0.0) -> None:
        """Forget the last answer; `extra` joins the query of the next request, where a library has no word for it.

        `patience`: seconds more than usual for the next request, where there is much to send.
        """
        self._here.answer = self._here.failure = None
        self._here.extra = dict(extra or {})
        self._here.patience = patience

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """One request, one answer, read to its end before it is handed over."""
        extra, patience = getattr(self._here, "extra", {}), getattr(self._here, "patience", 0.0)
        self.prepare_call()
        if extra:
            kwargs["params"] = {**(kwargs.get("params") or {}), **extra}
        timeout = tuple(seconds + patience for seconds in self._timeout)
        kwargs.update(stream=True, allow_redirects=False, timeout=timeout)
        kwargs["auth"] = kwargs.get("auth") or _as_it_is  # or a ~/.netrc would put its login in place of our token
        try:
            with within(self._deadline + patience):
                response = super().request(method, url, *args, **kwargs)
                try:
                    body = self._read(response)
                finally:
                    response.close()
        except Exception as error:  # told by whoever asked; kept here because libraries wrap it beyond recognition
            self._here.failure = error
            raise
        self._here.answer = Answer(status=response.status_code, headers=response.headers.copy(), body=body)
        response._content = body if self._shown_body is None else self._shown_body
        for name in [name for name in response.headers if name.lower() in self._hidden]:
            del response.headers[name]
        return response

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """As requests sends it, where it goes to a host that is ours to ask. Raises Astray."""
        # By the parser that will connect, for another one may read `https://a\\@b` otherwise.
        host = urllib3.util.parse_url(request.url or "").host or ""
        if self._hosts is not None and not _among(host.lower(), self._hosts):
            raise Astray("the address names another host than ours", request=request)
        return super().send(request, **kwargs)

    def _read(self, response: requests.Response) -> bytes:
        body = bytearray()
        while piece := response.raw.read1(65536, decode_content=True):
            body += piece
            if len(body) > self._largest:
                raise AnswerTooLarge("the answer is too large", response=response)
            if time_left() <= 0:
                raise AnswerTimeout("the answer took too long", response=response)
        return bytes(body)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _host(name: str) -> str:
    """A host's name as requests will write it: in small letters, IDNA for other scripts, brackets around IPv6."""
    named = f"[{name}]" if ":" in name and not name.startswith("[") else name
    return (urllib3.util.parse_url(f"https://{named}").host or "").lower()


def _among(host: str, hosts: frozenset[str]) -> bool:
    return host in hosts or any(name.startswith(".") and host.endswith(name) for name in hosts)
