"""polling: the sources that are due are asked, several at once, and what they bring is stored.

One is asked by `poll.py`, and what it brings is stored by `ingest.py`. What a page breaks on is found post by post and
set aside; the rest of it is stored.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from listener import budget, inhand, metrics
from listener.budget import Use
from listener.desk.purse import Purse
from listener.errors import EscuchaError, Outage
from listener.flow.connections import Connections
from listener.flow.crossing import again
from listener.flow.ingest import Ingested, failed, ingest, overhear
from listener.flow.poll import Polled, poll
from listener.flow.pressure import Pressure, only_finds
from listener.flow.suspecting import storable
from listener.log import logger
from listener.store import Store, sources
from listener.store.mentions import Saved
from listener.store.sources import Source
from listener.types import Page

log = logger(__name__)

POLLERS = 8  # sources waited for at once; each of one account after the other
PUNCTUAL = timedelta(seconds=1)  # for so little, money keeps no poll waiting

Result = TypeVar("Result")


class Polls:
    """What one process hears by asking. `purses` are by account; `locks`: who uses an account's connection."""

    def __init__(
        self,
        store: Store,
        *,
        connections: Connections,
        purses: Mapping[str, Purse],
        locks: Mapping[str, threading.Lock],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._connections = connections
        self._purses = purses
        self._locks = locks
        self._clock = clock
        self._pressure = Pressure(store, clock)

    def poll(self, names: Sequence[str], *, account: str | None, source: str | None, thrifty: bool) -> list[Ingested]:
        """Polls and stores whatever is due, or the named sources at once; see `Pipeline.poll`."""
        with self._store.write() as tx:
            due = sources.claim_due(
                tx, self._clock(), lease=budget.POLL_LEASE, names=names, account=account, source=source
            )
        if not due:
            return []
        with ThreadPoolExecutor(max_workers=min(POLLERS, len(due)), thread_name_prefix="poll") as pollers:
            return list(pollers.map(partial(self._poll_one, thrifty=thrifty), due))

    def overhear(self, source: Source, page: Page) -> Source:
        """Stores what a stream brought; gives the source with the cursor that its row has now."""
        return self._whole_or_what_can_be(
            source, page, lambda page: overhear(self._store, source, page, now=self._clock())
        )

    def _poll_one(self, source: Source, *, thrifty: bool) -> Ingested:
        purse = self._purses[source.account]
        with self._locks[source.account]:
            waits = self._wait_for_money(source, purse, thrifty=thrifty)
            if waits:
                return waits
            try:
                connector = self._connections.of(source.account, "listen")
                # Who we are is asked for now and then; what that costs is not what a poll costs.
                started = time.perf_counter()
                inhand.take("poll", [source.id])
                polled = poll(source, connector, introduced=partial(purse.pay, connector))
                metrics.polled(source.network, time.perf_counter() - started)
            except Outage:
                raise
            except EscuchaError as error:  # it cannot even be connected
                polled = Polled(source=source, error=error)
            except Exception as error:
                log.exception("A connector broke.", action="connect_bug", source=source.name)
                polled = Polled(source=source, error=error)
            finally:
                inhand.drop()
            if connected := self._connections.listening(source.account):
                purse.pay(connected, source)
        if polled.error:
            metrics.error("poll", polled.error)
        if polled.page is None:
            return failed(self._store, source, polled.error or RuntimeError("no page"), self._clock())
        try:
            page, slower = polled.page, purse.slower()
            pressed = self._pressure.now() if only_finds(page) else 1.0
            keep = partial(ingest, self._store, source, me=polled.me, slower=slower, pressed=pressed)
            ingested = self._whole_or_what_can_be(source, page, lambda page: keep(page, now=self._clock()))
            self._connections.tell_facts(source.account)
            return ingested
        except Outage:
            raise
        except Exception as error:
            log.exception("A page could not be stored.", action="ingest_bug", source=source.name)
            metrics.error("ingest", error)
            return failed(self._store, source, error, self._clock())

    def _whole_or_what_can_be(self, source: Source, page: Page, keep: Callable[[Page], Result]) -> Result:
        """What `keep` gives for the page or, where it breaks, for what is left without the posts it breaks on."""
        try:
            return again(lambda: keep(page))
        except EscuchaError:
            raise
        except Exception:
            log.exception("A page could not be stored; trying post by post.", action="ingest_bug", source=source.name)
        rest = storable(self._store, source, page, now=self._clock())
        return again(lambda: keep(rest))

    def _wait_for_money(self, source: Source, purse: Purse, *, thrifty: bool) -> Ingested | None:
        """Why the source is not polled now, None where it may be; it comes again when there is money."""
        now = self._clock()
        refusal = purse.refusal(Use.READING)
        at = budget.day_turns(now) if refusal else purse.due_at(source) if thrifty else now
        if at <= now + PUNCTUAL:
            return None
        with self._store.write() as tx:
            sources.wait_for_money(tx, source, until=min(at, now + max(source.every, budget.CEILING)))
        return Ingested(
            source=source.name, saved=Saved(), waits=refusal or f"is polled again at {at:%H:%M} UTC, to make money last"
        )
