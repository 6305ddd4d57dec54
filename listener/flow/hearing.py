"""hearing: which streams should be open, and what becomes of each from its opening to its end. See `stream.py`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from listener import inhand, metrics
from listener.budget import Use
from listener.desk.purse import Purse
from listener.errors import EscuchaError, Outage, Unavailable
from listener.flow.connections import Connections
from listener.flow.stream import LIFELESS, Ended, Rests, Signs, note_end, offers, stream
from listener.log import logger
from listener.store import Store, sources, streams
from listener.store.sources import Source
from listener.types import Page

log = logger(__name__)


class Hearing:
    """The streams of one process. `keep(source, page)` stores what one brought; `purses` are by account."""

    def __init__(
        self,
        store: Store,
        *,
        connections: Connections,
        purses: Mapping[str, Purse],
        keep: Callable[[Source, Page], Source],
        clock: Callable[[], datetime],
        stopping: Callable[[], bool],
    ) -> None:
        self._store = store
        self._connections = connections
        self._purses = purses
        self._keep = keep
        self._clock = clock
        self._stopping = stopping
        self._storing = threading.Lock()  # one stream stores at a time, so that many leave the database to others
        self._offered: dict[tuple[str, str], bool] = {}
        self._rests = Rests()
        self._signs = Signs()

    def wanted(self) -> list[str]:
        """The sources whose stream should be open now: that have one, are not paused, and do not rest."""
        with self._store.read() as tx:
            known = sources.list_all(tx)
        offered = [
            source
            for source in known
            if not source.paused and self._offers(source) and not self._purses[source.account].refusal(Use.READING)
        ]
        stale = [
            source.name
            for source in known
            if source not in offered and (source.streaming_since or source.stream_down_since)
        ]
        if stale:
            with self._store.write() as tx:
                for name in stale:
                    streams.closed(tx, name)
        now = self._clock()
        return [source.name for source in offered if not self._rests.holds(source, now)]

    def hear(self, name: str) -> None:
        """Stores what the stream of that source brings, until it ends or breaks, we stop, or the source is paused,
        removed or changed. What broke it stands in the source's row, and a poll fills the hole.
        """
        with self._store.read() as tx:
            source = sources.get(tx, name)
        turn = self._signs.begin(name)
        inhand.take("stream", [source.id])
        try:
            ended = self._listen(source, turn)
        finally:
            inhand.drop()
            mine = self._signs.end(name, turn)
        if mine:
            self._note_end(source, ended)

    def give_up(self) -> list[str]:
        """The streams whose connector hangs, as none should: whoever reads them is left behind, and others may open."""
        lifeless = self._signs.give_up()
        if not lifeless:
            return []
        with self._store.read() as tx:
            known = [source for source in sources.list_all(tx) if source.name in lifeless]
        for source in known:
            self._connections.drop(source.account, f"stream {source.name}")
            error = Unavailable(f"its connector has shown no sign of life for {LIFELESS:g} s")
            self._note_end(source, Ended(error=error, opened_at=self._clock()))
        return lifeless

    def connected_anew(self, account: str) -> None:
        """Whether the account has streams is asked again."""
        self._offered = {key: each for key, each in self._offered.items() if key[0] != account}

    def _listen(self, source: Source, turn: int) -> Ended:
        purse = self._purses[source.account]
        try:
            connector = self._connections.of(source.account, f"stream {source.name}")
        except Outage:
            raise
        except Exception as error:
            if not isinstance(error, EscuchaError):
                log.exception("A connector broke.", action="stream_bug", source=source.name)
            return Ended(error=error)
        passes_over = self._rests.passes_over(source)

        def take(source: Source, page: Page) -> Source:
            purse.pay(connector)
            with self._storing:
                return self._keep(source, replace(page, cursor=None) if passes_over else page)

        def stopping() -> bool:
            given_up = not self._signs.sign(source.name, turn)
            return given_up or self._stopping() or purse.refusal(Use.READING) is not None

        try:
            begins = replace(source, cursor=None) if passes_over else source
            return stream(self._store, connector, begins, take=take, clock=self._clock, stopping=stopping)
        finally:
            purse.pay(connector)

    def _note_end(self, source: Source, ended: Ended) -> None:
        now = self._clock()
        if ended.error:
            metrics.error("stream", ended.error)
        reopens = self._rests.after(source.name, ended, now)
        note_end(self._store, source, ended, now=now, reopens=reopens, again=self._rests.again(source.name))

    def _offers(self, source: Source) -> bool:
        """Whether there is a stream of it, asked once for each query of an account."""
        if source.account not in self._purses:
            return False  # the settings name it no more
        asked = source.account, source.query
        if asked not in self._offered:
            try:
                self._offered[asked] = offers(self._connections.of(source.account, "listen"), source.query)
            except EscuchaError:
                return False  # polling says so already
            except Exception:
                log.exception("A connector broke.", action="stream_bug", source=source.name)
                self._offered[asked] = False
        return self._offered[asked]
