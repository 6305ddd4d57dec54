"""A small Jetstream on loopback: the public stream of posts by websocket, with a memory, a cursor and faults.

It speaks the older form (`/subscribe`) and the newer one (any other path). `say` adds an event and sends it to whoever
listens; a cursor replays what is remembered from that time on. Faults: `silence` (open, and dead), `cut`, `send` (any
bytes, however wrong), `forget` (the memory begins later), `refuse` (the handshake fails with a status).
"""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

POST = "app.bsky.feed.post"


class JetstreamServer:
    """Listens on a port of its own while the `with` block runs."""

    def __init__(self, *, older: bool = False) -> None:
        self.older = older
        self.asked: list[dict[str, list[str]]] = []
        self._events: list[dict[str, Any]] = []
        self._open: list[ServerConnection] = []
        self._arriving: dict[ServerConnection, int] = {}  # how much was said when they came
        self._silent = False
        self._refusing: tuple[int, dict[str, str]] | None = None
        self._lock = threading.RLock()  # whoever goes while being told what they missed is struck off under it
        self._server = serve(self._serve, "127.0.0.1", 0, process_request=self._handshake, compression="deflate")
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        path = "/subscribe" if self.older else "/xrpc/network.bsky.jetstream.subscribeEvents"
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}{path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._server.shutdown()
        self._thread.join()

    # --- what happens on the network ---

    def say(
        self,
        did: str,
        record: dict[str, Any] | None,
        *,
        key: str,
        operation: str = "create",
        cid: str = "bafyreiaexample",
        time_us: int | None = None,
        collection: str = POST,
    ) -> int:
        """Somebody writes, changes or deletes a record; gives the time that the stream gave to it."""
        commit = {"rev": "3aaaaaaaaaaaa", "operation": operation, "collection": collection, "rkey": key}
        if operation != "delete":
            commit |= {"record": record, "cid": cid}  # type: ignore[dict-item]
        event = {"did": did, "time_us": time_us or int(time.time() * 1e6), "commit": commit}
        with self._lock:
            self._events.append(event)
            listening = list(self._open)
        for connection in listening:
            self._send(connection, self._message(event))
        return int(event["time_us"])

    # --- faults ---

    def silence(self) -> None:
        """Whoever listens hears nothing any more, and so does whoever comes."""
        self._let_in()
        self._silent = True

    def cut(self) -> None:
        """Every connection breaks."""
        self._let_in()
        with self._lock:
            listening, self._open = self._open, []
        for connection in listening:
            connection.socket.close() if self._silent else connection.close()

    def send(self, message: str | bytes) -> None:
        """These very bytes go to whoever listens."""
        self._let_in()
        for connection in list(self._open):
            self._send(connection, message)

    def forget(self, before_us: int) -> None:
        """The memory now begins there."""
        self._events = [event for event in self._events if event["time_us"] >= before_us]

    def refuse(self, status: int, **headers: str) -> None:
        """Nobody gets in."""
        self._refusing = (status, headers)

    # --- a connection ---

    def _let_in(self) -> None:
        """Waits until whoever has been answered listens; not for ever, since some go before they came."""
        patience = time.monotonic() + 5
        while self._arriving and time.monotonic() < patience:
            time.sleep(0.01)

    def _handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        if self._refusing is None:
            self._arriving[connection] = len(self._events)
            return None
        response = connection.respond(HTTPStatus(self._refusing[0]), "no")
        for name, value in self._refusing[1].items():
            response.headers[name.replace("_", "-")] = value
        return response

    def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        asked = parse_qs(urlsplit(connection.request.path).query)
        self.asked.append(asked)
        cursor = int(asked["cursor"][0]) if "cursor" in asked else None
        with self._lock:
            missed = self._events[self._arriving[connection] :]
            if cursor is not None:
                missed = [event for event in self._events if event["time_us"] >= cursor]
            for event in [] if self._silent else missed:
                self._send(connection, self._message(event))
            self._open.append(connection)
            del self._arriving[connection]
        try:
            for _ in connection:
                pass
        except ConnectionClosed:
            pass

    def _send(self, connection: ServerConnection, message: str | bytes) -> None:
        if self._silent:
            return
        try:
            connection.send(message)
        except ConnectionClosed:
            with self._lock:
                self._open = [each for each in self._open if each is not connection]

    def _message(self, event: dict[str, Any]) -> str:
        if self.older:
            return json.dumps(
                {"did": event["did"], "time_us": event["time_us"], "kind": "commit", "commit": event["commit"]}
            )
        at = (
            datetime.fromtimestamp(event["time_us"] / 1e6, UTC)
            .isoformat(timespec="microseconds")
            .replace("+00:00", "Z")
        )
        payload = {
            "$type": "network.bsky.jetstream.subscribeEvents#commit",
            "did": event["did"],
            "seq": event["time_us"] % 1_000_000_007,
            "time": at,
            "witnessedAt": at,
            **event["commit"],
        }
        return json.dumps({"$type": "message", "payload": payload}, separators=(",", ":"))
