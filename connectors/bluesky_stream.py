"""Jetstream: every public post as it is said, by websocket and without an account.

    read_event(message)   one message as an Event, or None: what parsing costs at stream speed is this function
    Jetstream.open(...)   the messages from a cursor on
    Ear                   what of them was meant, as pages

Two forms are in use and both are read, told apart by the address: `…/subscribe`, the older one, and
`…/xrpc/network.bsky.jetstream.subscribeEvents`, since August 2026, with an envelope around each event. In both, a
cursor of unix microseconds says where to begin, and works at every instance alike; we begin a little earlier each
time, since instances differ.

The stream is never silent for long: if nothing of use is heard for `SILENCE` seconds it is dead. Nothing is compressed,
so that a message is no larger than it looks, and the server is asked to leave out what we would refuse for its size.

Sources: github.com/bluesky-social/jetstream and the lexicon network.bsky.jetstream.subscribeEvents, read November 2026.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from pydantic_core import from_json
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, reconnect
from websockets.typing import Subprotocol

from connectors import faults
from connectors.bluesky_posts import POST, is_did, read_time
from connectors.hosts import is_loopback
from listener.errors import NetworkError, Unavailable

SILENCE = 30.0
REWIND = 5_000_000  # microseconds that we go back when we come again
LARGEST = 1_000_000  # bytes of an event; a post has at most some ten thousand

_SILENT = logging.getLogger(__name__)  # what the library has to say, it raises too, and we tell
_SILENT.setLevel(logging.CRITICAL)
_WANTED = f'"{POST}"'.encode()
_ENDS = b'{"$type":"error"'
_KINDS = ("create", "update", "delete")


class Event(NamedTuple):
    """Something that happened to a post. `time_us`: when the stream saw it, in unix microseconds."""

    time_us: int
    did: str
    operation: str  # create, update or delete
    key: str
    cid: str
    record: dict[str, Any]  # empty when it was deleted


class Unreadable(ValueError):
    """A message that is none of Jetstream's."""


def read_event(message: bytes) -> Event | None:
    """What the message says of a post; None for all else. Unreadable for what claims to be of a post and cannot be.

    What is not about posts is told by its bytes alone, before any JSON is parsed.
    """
    if _WANTED not in message:
        return None
    try:
        event = from_json(message)
        event = event.get("payload", event)
        commit = event.get("commit", event)  # the newer form has no commit inside
        if commit["collection"] != POST:
            return None
        operation, key, did = commit["operation"], commit["rkey"], event["did"]
        time_us = event["time_us"] if "time_us" in event else _micros(event.get("witnessedAt") or event["time"])
        record = commit["record"] if operation != "delete" else {}
        cid = commit["cid"] if operation != "delete" else ""
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable("no event") from error
    fit = type(time_us) is int and type(record) is dict and type(key) is str and type(cid) is str
    if not fit or operation not in _KINDS or not is_did(did):
        raise Unreadable("no event")
    return Event(time_us, did, operation, key, cid, record)


def moment(time_us: int) -> datetime:
    """That many microseconds as a time; now where they make none."""
    try:
        return datetime.fromtimestamp(time_us / 1e6, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.now(UTC)


def _micros(value: object) -> int:
    at = read_time(value)
    if at is None:
        raise Unreadable("no time")
    return int(at.timestamp() * 1_000_000)


class _Connect(reconnect):
    """Connects where it was told to, and nowhere else."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Jetstream:
    """One address of the stream."""

    def __init__(self, address: str, *, open_timeout: float = 10.0, silence: float = SILENCE) -> None:
        self._address = address
        self.host = urlsplit(address).netloc
        self._open_timeout = open_timeout
        self.silence = silence

    @contextmanager
    def open(self, cursor: int | None) -> Iterator[Messages]:
        """The stream from that time on (None: from now). Raises a NetworkError, whatever goes wrong inside."""
        try:
            connection = _Connect(
                self._url(cursor),
                open_timeout=self._open_timeout,
                close_timeout=1.0,
                ping_interval=20.0,
                ping_timeout=20.0,
                max_size=LARGEST + 100_000,
                compression=None,
                user_agent_header="Escucha",
                logger=_SILENT,
                proxy=None if is_loopback(urlsplit(self._address).hostname or "") else True,
                subprotocols=None if self._is_older else [Subprotocol("xrpc.v1.json")],
            ).connect()
        except Exception as error:
            raise self._error(error) from error
        try:
            with connection:
                yield Messages(connection, self.host)
        except (WebSocketException, OSError) as error:
            raise self._error(error) from error

    @property
    def _is_older(self) -> bool:
        return urlsplit(self._address).path.endswith("/subscribe")

    def _url(self, cursor: int | None) -> str:
        if self._is_older:
            asked = {"wantedCollections": POST, "maxMessageSizeBytes": LARGEST}
        else:
            asked = {"collections": POST, "kinds": "commit", "maxMessageSizeBytes": LARGEST}
        return f"{self._address}?{urlencode(asked | ({'cursor': cursor} if cursor is not None else {}))}"

    def _error(self, error: Exception) -> NetworkError:
        if isinstance(error, NetworkError):
            return error
        if isinstance(error, InvalidStatus):  # there are no credentials here that a person could mend
            status, headers = error.response.status_code, dict(error.response.headers.raw_items())
            if status == 429:
                return faults.of_status(status, headers, where=self.host, writing=False, now=datetime.now(UTC))
            return Unavailable(f"{self.host} gives no stream ({status})")
        if isinstance(error, WebSocketException):
            return Unavailable(f"{self.host} broke the stream off, or sent what is none")
        return faults.of_failure(error, where=self.host, writing=False)


class Messages:
    """An open stream."""

    def __init__(self, connection: ClientConnection, host: str) -> None:
        self._connection = connection
        self._host = host

    def next(self, timeout: float) -> bytes | None:
        """The next message; None when none came in that many seconds."""
        try:
            message = self._connection.recv(timeout=timeout, decode=False)
        except TimeoutError:
            return None
        if message.startswith(_ENDS):
            raise Unavailable(f"{self._host} ends the stream")
        return message
