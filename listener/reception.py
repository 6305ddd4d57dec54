"""The door of the daemon: a small HTTP server for what CRMs post to us.

    POST /crm/NAME   one event, as JSON of at most a megabyte; every answer is JSON, a refusal `{"error": "…"}`

How many at once and how long each: see `serving.py`.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from listener.errors import Mistake
from listener.flow.receive import Reply, refused
from listener.log import logger
from listener.serving import DEADLINE, LOOK_EVERY, PATIENCE, THREADS, Handler, Server, place

log = logger(__name__)

Answer = Callable[[str, Mapping[str, str], bytes], Reply]

LARGEST = 1024 * 1024  # bytes of a body

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
        self._at = place(listen)
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
        return self._server.url


class _Server(Server):
    def __init__(self, at: tuple[str, int], answer: Answer, patience: float, deadline: float, *, threads: int) -> None:
        self.answer = answer
        super().__init__(at, _Handler, name="reception", patience=patience, deadline=deadline, threads=threads)


class _Handler(Handler):
    server: _Server
    refusal = "Post to /crm/ and the CRM's name."

    def do_POST(self) -> None:
        """One event."""
        found = _PLACE.fullmatch(self.path)
        length = self.headers.get("Content-Length", "")
        if found is None:
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
            reply = self.server.answer(found[1], headers, body)
        except Exception:
            log.exception("Receiving broke.", action="receive_bug", crm=found[1])
            reply = refused(500, "This is a fault of ours; send it again later.")
        return self._say(reply)

    def _say(self, reply: Reply) -> None:
        self.say_json(reply.status, reply.fields, retry_after=reply.retry_after)
