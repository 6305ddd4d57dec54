"""Requests to a Bluesky server through the atproto library, with answers that cannot hang, wander or drown us.

The library builds and sends the request; its answer is kept as it came, because the library drops what we need (the
reset time of some refusals), knows 401 and 403 as one, and would spend most of a poll on turning a page into models.
It never follows a redirect, gives up on an answer that trickles or does not end, and sends every write on a new
connection: an idle one that the server just closed would leave us not knowing whether the write arrived.
"""

from __future__ import annotations

import functools
import ssl
import threading
import urllib.request
import weakref
import zlib
from collections.abc import Mapping, Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpcore
import httpx
from atproto_client.client.base import ClientBase
from atproto_client.models.dot_dict import DotDict
from atproto_client.request import Request
from atproto_core.exceptions import AtProtocolError

from connectors.wire import MEGABYTE, Answer, time_left, within

FAILURES = (AtProtocolError, httpx.HTTPError, httpx.InvalidURL, OSError)  # what keeps an answer from coming

Params = Mapping[str, str | int | Sequence[str]]


class AnswerTooLarge(httpx.TransportError):
    """The answer does not end within the limit, or cannot be unpacked."""


class AnswerTimeout(httpx.ReadTimeout):
    """The answer trickles and was given up."""


class _Hurried(httpcore.NetworkStream):
    """What a connection brings while there is time left: the library's own time-out begins anew with each byte."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self.write, self.close, self.get_extra_info = stream.write, stream.close, stream.get_extra_info  # type: ignore[method-assign]

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = time_left()
        if left <= 0:
            raise httpcore.ReadTimeout("the answer took too long")
        return self._stream.read(max_bytes, left if timeout is None else min(timeout, left))

    def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Hurried(self._stream.start_tls(*args, **kwargs))


class _Backend(httpcore.SyncBackend):
    def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Hurried(super().connect_tcp(*args, **kwargs))


class _Transport(httpx.BaseTransport):
    """Reads every answer to its end, within a time and a size, and keeps it per thread."""

    def __init__(self, *, deadline: float, largest: int, proxy: str | None) -> None:
        self._deadline = deadline
        self._largest = largest
        self._reads = httpx.HTTPTransport(verify=_tls(), proxy=proxy)
        self._writes = httpx.HTTPTransport(verify=_tls(), proxy=proxy, limits=httpx.Limits(max_keepalive_connections=0))
        for transport in (self._reads, self._writes):
            transport._pool._network_backend = _Backend()  # its constructor cannot be told
        self._here = threading.local()

    @property
    def answer(self) -> Answer | None:
        return getattr(self._here, "answer", None)

    def forget(self) -> None:
        self._here.answer = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Accept-Encoding"] = "gzip"
        transport = self._reads if request.method == "GET" else self._writes
        with within(self._deadline):
            response = transport.handle_request(request)
            try:
                body = self._unpacked(self._read(response), response.headers.get("content-encoding", ""))
            finally:
                response.close()
        self._here.answer = Answer(status=response.status_code, headers=response.headers, body=body)
        # The library is shown an empty answer: we read it ourselves.
        return httpx.Response(response.status_code, json={})

    def close(self) -> None:
        self._reads.close()
        self._writes.close()

    def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        for piece in response.stream:  # type: ignore[union-attr]  # a transport's answer can be iterated
            body += piece
            if len(body) > self._largest:
                raise AnswerTooLarge("the answer is too large")
            if time_left() <= 0:
                raise AnswerTimeout("the answer took too long")
        return bytes(body)

    def _unpacked(self, body: bytes, encoding: str) -> bytes:
        if encoding.strip().lower() in ("", "identity"):
            return body
        unpack = zlib.decompressobj(wbits=47)  # gzip and zlib; anything else is no answer to what we asked for
        try:
            unpacked = unpack.decompress(body, self._largest + 1)
        except zlib.error as error:
            raise AnswerTooLarge("the answer cannot be unpacked") from error
        if len(unpacked) > self._largest or not unpack.eof:
            raise AnswerTooLarge("the answer is too large, or cut short")
        return unpacked


class Wire:
    """One server. `get` and `post` give the answer, or raise one of `FAILURES`."""

    def __init__(
        self,
        address: str,
        *,
        connect_timeout: float = 8.0,
        read_timeout: float = 20.0,
        deadline: float = 28.0,
        largest: int = 16 * MEGABYTE,
        proxies: bool = True,
    ) -> None:
        timeout = httpx.Timeout(read_timeout, connect=connect_timeout, pool=connect_timeout)
        proxy = _proxy(address) if proxies else None
        self._transport = _Transport(deadline=deadline, largest=largest, proxy=proxy)
        request = Request(transport=self._transport, timeout=timeout, trust_env=False)
        request._client.follow_redirects = False  # its constructor says otherwise and cannot be told
        request._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._client = ClientBase(address, request)
        weakref.finalize(self, self._transport.close)  # nobody tells a connector that it is done with

    def get(self, call: str, params: Params, *, token: str | None = None) -> Answer:
        """A query, such as app.bsky.feed.getPosts."""
        self._transport.forget()
        try:
            self._client.invoke_query(call, params=DotDict(params), headers=_headers(token))
        except AtProtocolError as error:  # whatever it made of the answer, we look at the answer itself
            return self._answer(error)
        return self._answer(None)

    def post(
        self, call: str, body: bytes, *, content_type: str = "application/json", token: str | None = None
    ) -> Answer:
        """A procedure, such as com.atproto.repo.createRecord."""
        self._transport.forget()
        headers = {**_headers(token), "Content-Type": content_type}
        try:
            self._client.invoke_procedure(call, content=body, headers=headers)
        except AtProtocolError as error:
            return self._answer(error)
        return self._answer(None)

    @property
    def last(self) -> Answer | None:
        """The last answer in this thread."""
        return self._transport.answer

    def _answer(self, error: AtProtocolError | None) -> Answer:
        if self._transport.answer is None:
            raise error or httpx.RemoteProtocolError("no answer")
        return self._transport.answer


@functools.cache
def _tls() -> ssl.SSLContext:
    """One for all connections, for it is slow to make."""
    return httpx.create_ssl_context()


def _headers(token: str | None) -> dict[str, str]:
    return {"User-Agent": "Escucha", **({"Authorization": f"Bearer {token}"} if token else {})}


def _proxy(address: str) -> str | None:
    """The way out that the environment names for that address."""
    scheme, _, host = address.partition("://")
    return None if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(scheme)
