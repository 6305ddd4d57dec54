"""stream: hear one source as it is said. Polling stays the net under it, and fills the holes that streams leave."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from listener import budget
from listener.contract import BEAT, Connector, Streams
from listener.desk import hearing
from listener.errors import AuthFailed, NetworkError, NotFound, Outage, RateLimited, Rejected, Unavailable
from listener.log import logger
from listener.store import Store, sources, streams
from listener.store.sources import Source
from listener.types import Page

log = logger(__name__)

STEADY = timedelta(minutes=1)  # a stream that was open for so long has not failed to open
TRIED = 2  # deaths or bugs in a row, after which a stream is not heard again from where they were
LIFELESS = 300.0  # seconds without a page, be it an empty one, after which a connector hangs


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a stream ended. `error` None: nobody wanted it any more. `opened_at` None: it never was open.

    `proven`: it brought something, or stayed open for a while; one that only lets us in has not shown that it works.
    """

    error: Exception | None = None
    opened_at: datetime | None = None
    proven: bool = False


def offers(connector: Connector, query: str) -> bool:
    """Whether this network has a stream for that query. Asks it nothing."""
    return isinstance(connector, Streams) and connector.streams(query)


def stream(
    store: Store,
    connector: Connector,
    source: Source,
    *,
    take: Callable[[Source, Page], Source],
    clock: Callable[[], datetime],
    stopping: Callable[[], bool],
) -> Ended:
    """Reads page after page until the stream ends or breaks, or nobody wants it any more; `take` stores each.

    Nobody wants it when we are `stopping`, or when the source was paused, removed or changed.
    Raises Outage; what else goes wrong is a value in the result.
    """
    assert isinstance(connector, Streams)
    opened_at: datetime | None = None
    proven = False
    looked = time.monotonic()
    try:
        pages = connector.stream(source.query, source.cursor)
        try:
            for page in pages:
                if opened_at is None:
                    opened_at = clock()
                    _note_opening(store, source, opened_at)
                quiet = not says_something(page)
                if not proven and (not quiet or clock() - opened_at >= STEADY):
                    proven = True
                    since = source.stream_down_since
                    log.info("The stream is open.", action="stream_up", source=source.name, down_since=since)
                source = _note_proof(store, source, open_for=clock() - opened_at)
                if not quiet:
                    source = take(source, hearing.with_terms(page, connector, source.query))
                if stopping():
                    return Ended(opened_at=opened_at, proven=proven)
                if quiet or time.monotonic() - looked >= BEAT:
                    looked = time.monotonic()
                    if not _still_wanted(store, source, clock()):
                        return Ended(opened_at=opened_at, proven=proven)
        finally:
            if close := getattr(pages, "close", None):
                close()
        error: Exception = Unavailable("the network ended the stream")
    except Outage:
        raise
    except NetworkError as trouble:
        error = trouble
    except Exception as bug:
        log.exception("A stream broke.", action="stream_bug", source=source.name, network=source.network)
        error = bug
    return Ended(error=error, opened_at=opened_at, proven=proven)


def note_end(
    store: Store, source: Source, ended: Ended, *, now: datetime, reopens: datetime | None, again: bool = False
) -> None:
    """Writes down that the stream is not open, and why; a poll, made due at once, reads what it would have brought.

    `source` as it was when the stream was to be opened. `reopens`: when it is tried again. `again`: it ended
    before, and has not been open for long since.
    """
    with store.write() as tx:
        if ended.error is None:
            streams.closed(tx, source.name)
            return
        streams.down(tx, source, error=reason(ended.error), now=now)
        if ended.opened_at is not None and not isinstance(ended.error, RateLimited):
            streams.hasten(tx, source, now=now, apart=budget.HASTE)
    if ended.proven or (source.stream_down_since is None and not again):
        log.warning(
            "The stream broke; polling goes on.",
            action="stream_down",
            source=source.name,
            reason=reason(ended.error),
            retry_at=reopens,
        )


class Rests:
    """Until when each stream that broke is left alone. One that was open for a while is opened again soon."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        self._bugs: dict[str, int] = {}
        self._until: dict[str, datetime] = {}

    def after(self, name: str, ended: Ended, now: datetime) -> datetime | None:
        """When to open it again; None where nobody wants it."""
        is_bug = ended.error is not None and not isinstance(ended.error, NetworkError)
        self._bugs[name] = self._bugs.get(name, 0) + 1 if is_bug else 0
        if ended.error is None:
            self._failures.pop(name, None)
            self._until.pop(name, None)
            return None
        steady = ended.opened_at is not None and now - ended.opened_at >= STEADY
        failures = self._failures[name] = 1 if steady else self._failures.get(name, 0) + 1
        # Whether our credentials or the query are refused altogether, the polls find out and say.
        refused = isinstance(ended.error, AuthFailed | Rejected)
        wait = ended.error.retry_after if isinstance(ended.error, NetworkError) else None
        self._until[name] = budget.reopen(now, failures=failures, refused=refused, retry_after=wait)
        return self._until[name]

    def again(self, name: str) -> bool:
        """Whether it ended more than once without having been open for a while in between."""
        return self._failures.get(name, 0) > 1

    def passes_over(self, source: Source) -> bool:
        """Whether it is heard from now on, as what it said where we were killed or broke those who heard it.

        What is passed over stays for the polls, whose cursor such a stream leaves alone.
        """
        return source.stream_deaths >= TRIED or self._bugs.get(source.name, 0) >= TRIED

    def holds(self, source: Source, now: datetime) -> bool:
        """Whether it is to be left alone; a clock that was set back must not make that last."""
        return any(
            until is not None and now < until <= now + budget.CEILING
            for until in (self._until.get(source.name), source.stream_rests_until)
        )


class Signs:
    """When each stream that is being read last gave a page. One that is given up is not what it was if it wakes."""

    def __init__(self) -> None:
        self._turns = itertools.count()
        self._reading: dict[str, tuple[int, float]] = {}

    def begin(self, name: str) -> int:
        """The turn that reads it from now on."""
        turn = next(self._turns)
        self._reading[name] = turn, time.monotonic()
        return turn

    def sign(self, name: str, turn: int) -> bool:
        """Notes a page; False if that turn was given up."""
        if not self._current(name, turn):
            return False
        self._reading[name] = turn, time.monotonic()
        return True

    def end(self, name: str, turn: int) -> bool:
        """Whether that turn still was the one that reads it."""
        current = self._current(name, turn)
        if current:
            self._reading.pop(name, None)
        return current

    def give_up(self) -> list[str]:
        """The streams that have shown no sign of life for too long; nobody reads them any more."""
        late = time.monotonic() - LIFELESS
        lifeless = [name for name, (_, seen) in list(self._reading.items()) if seen < late]
        for name in lifeless:
            self._reading.pop(name, None)
        return lifeless

    def _current(self, name: str, turn: int) -> bool:
        reading = self._reading.get(name)
        return reading is not None and reading[0] == turn


def reason(error: Exception) -> str:
    """What ended a stream, for people."""
    return str(error) if isinstance(error, NetworkError) else f"a bug: {type(error).__name__}"


def says_something(page: Page) -> bool:
    """Whether there is anything in it to store."""
    return bool(page.posts or page.gone or page.gap or page.more or page.cursor is not None)


def _note_opening(store: Store, source: Source, now: datetime) -> None:
    """Since now it is open; what was said before, a poll is to read."""
    with store.write() as tx:
        streams.up(tx, source, now)
        sources.try_again(tx, source, now=now, apart=budget.HASTE)
        streams.hasten(tx, source, now=now, apart=budget.HASTE)


def _note_proof(store: Store, source: Source, *, open_for: timedelta) -> Source:
    """Processes that died of it are past once it was open for a while."""
    if not source.stream_deaths or open_for < STEADY:
        return source
    with store.write() as tx:
        streams.proven(tx, source)
    return replace(source, stream_deaths=0)


def _still_wanted(store: Store, source: Source, now: datetime) -> bool:
    try:
        with store.read() as tx:
            seen = sources.get(tx, source.name)
    except NotFound:
        return False
    if seen.paused or (seen.query, seen.account, seen.network) != (source.query, source.account, source.network):
        return False
    if seen.streaming_since is None:  # another process, which streams the same source too, has lost its own stream
        with store.write() as tx:
            streams.up(tx, source, now)
    return True
