"""Server-sent events over `requests` that cannot hang, wander or drown: for networks that speak them.

A read that timed out cannot be taken up again, so a thread of its own reads the connection, and whoever listens asks
for as long as it likes. It never opens the connection again, follows no redirect, keeps no cookies, sends a token to
the one address it was given for, and takes silence for death: only a comment or a field, as a living server sends
them, shows that it is not.

The format: html.spec.whatwg.org, “Server-sent events” (read November 2026); ids and retry times are left out.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Self

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, ReadTimeoutError

from connectors import faults
from connectors.wire import MEGABYTE, Bounded, within
from listener.errors import NetworkError, Unavailable

_PIECE = 65536
_WAITING = 16  # events that wait here to be taken; the others wait at the server
_LEAVE = 2.0  # seconds for the reading thread to end


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event; its name is `message` where the server gives none."""

    name: str
    data: str


class _Bearer(AuthBase):
    """The token, so that no login from elsewhere (~/.netrc) takes its place."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Events:
    """One open connection; opening it raises a NetworkError. `where` names the server to a person.

    `silence`: seconds without a sign of life after which it is dead. `largest`: bytes of one event.
    """

    def __init__(
        self,
        url: str,
        *,
        params: Mapping[str, str],
        token: str,
        where: str,
        now: Callable[[], datetime],
        silence: float,
        connect_timeout: float = 8.0,
        largest: int = MEGABYTE,
        proxies: bool = True,
    ) -> None:
        self._where = where
        self._silence = silence
        self._largest = largest
        self._session = requests.Session()
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, Bounded())
        self._session.trust_env = proxies
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._closed = threading.Event()
        self._queue: queue.Queue[Event | NetworkError] = queue.Queue(maxsize=_WAITING)
        self._end: NetworkError | None = None
        try:
            with within(connect_timeout + silence):
                self._response = self._open(url, params, token, connect_timeout, now)
        except BaseException:
            self._session.close()
            raise
        self._alive_at = time.monotonic()
        self._reader = threading.Thread(target=self._read, name=f"events of {where}", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self, *, wait: float, most: int) -> list[Event]:
        """The events that came, at most so many; none when none came within `wait` seconds.

        Raises Unavailable when the stream has ended, broken or fallen silent, after all that came before.
        """
        taken: list[Event] = []
        while len(taken) < most and self._end is None:
            try:
                item = self._queue.get(timeout=wait) if not taken else self._queue.get_nowait()
            except queue.Empty:
                break
            if isinstance(item, Event):
                taken.append(item)
            else:
                self._end = item
        if taken:
            return taken
        if self._end is not None:
            raise self._end
        if time.monotonic() - self._alive_at > self._silence:
            raise self._silent()
        return []

    def close(self) -> None:
        """Ends the connection, also under the hands of the thread that reads it."""
        self._closed.set()
        with suppress(ValueError, RuntimeError, OSError):  # it is closed already
            self._response.raw.shutdown()
        self._reader.join(_LEAVE)
        self._session.close()

    def _open(
        self, url: str, params: Mapping[str, str], token: str, connect_timeout: float, now: Callable[[], datetime]
    ) -> requests.Response:
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", "User-Agent": "Escucha"}
        try:
            response = self._session.get(
                url,
                params=dict(params),
                headers=headers,
                auth=_Bearer(token),
                stream=True,
                allow_redirects=False,
                timeout=(connect_timeout, self._silence),
            )
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise faults.of_failure(error, where=self._where, writing=False) from error
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if response.status_code == 200 and kind == "text/event-stream" and encoding == "identity":
            return response
        try:
            said = _said(response)
        finally:
            response.close()
        if response.status_code == 200:
            raise Unavailable(f"{self._where} answered something that is no stream")
        raise faults.of_status(
            response.status_code,
            response.headers,
            where=self._where,
            writing=False,
            now=now(),
            said=said,
            secrets=[token],
        )

    # --- in the thread that reads ---

    def _read(self) -> None:
        end: NetworkError
        try:
            for event in self._events():
                if not self._put(event):
                    return
            end = Unavailable(f"{self._where} ended the stream")
        except NetworkError as error:
            end = error
        except ReadTimeoutError:
            end = self._silent()
        except Exception as error:  # noqa: BLE001 - whatever a broken connection makes of libraries, or our closing it
            end = faults.of_failure(error, where=self._where, writing=False)
        finally:
            self._response.close()
        self._put(end)

    def _silent(self) -> Unavailable:
        return Unavailable(f"The stream of {self._where} has been silent for {self._silence:g} s")

    def _put(self, item: Event | NetworkError) -> bool:
        """Whether it could be handed over before nobody wants it any more."""
        while not self._closed.is_set():
            with suppress(queue.Full):
                self._queue.put(item, timeout=0.2)
                return True
        return False

    def _events(self) -> Iterator[Event]:
        name, data, size = "", list[str](), 0
        for line in self._lines():
            if not line:
                if data:
                    yield Event(name=name or "message", data="\n".join(data))
                name, data, size = "", [], 0
                continue
            field, _, value = line.decode("utf-8", "replace").partition(":")
            value = value.removeprefix(" ")
            if field not in ("", "event", "data"):
                continue
            self._alive_at = time.monotonic()
            if field == "event":
                name = value
            elif field == "data":
                data.append(value)
                size += len(line)
                self._check(size)

    def _lines(self) -> Iterator[bytes]:
        rest = bytearray()
        while piece := self._response.raw.read1(_PIECE, decode_content=False):
            *whole, last = piece.split(b"\n")
            for line in whole:
                rest += line
                self._check(len(rest))
                yield bytes(rest).removesuffix(b"\r")
                rest.clear()
            rest += last
            self._check(len(rest))

    def _check(self, size: int) -> None:
        if size > self._largest:
            raise Unavailable(f"{self._where} sent an event that is larger than any should be")


def _said(response: requests.Response) -> str:
    """What the server gave as the reason, in the words of its API; empty where it did not."""
    try:
        body = json.loads(response.raw.read1(_PIECE, decode_content=True) or b"")
    except (HTTPError, OSError, ValueError, RecursionError):
        return ""
    said = body.get("error") if isinstance(body, dict) else None
    return said if isinstance(said, str) else ""
