"""What watches the daemon asks here: a small HTTP server of its own, at the setting `daemon.watch`.

    GET /metrics   everything that is measured, as Prometheus reads it
    GET /healthz   200 while the process works, 503 once it hangs: then it should be started anew
    GET /readyz    200 while it can do its part, 503 while it cannot: its database is away, it starts or it stops

On an address of this machine alone everybody on it may look, under an address or as `localhost`: any other name in the
header `Host` is a web page's that had its own name stand for this machine (DNS rebinding), and hears nothing (421). On
any other address, `/metrics` wants a token (`escucha access add NAME --for metrics`), and the two others say no more
than yes or no.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Self

from listener import metrics
from listener.desk.doors import METRICS, Door
from listener.errors import Mistake, Outage
from listener.log import logger
from listener.metrics import SourceStanding, Standing
from listener.serving import LOOK_EVERY, Handler, Server, place
from listener.store import Store, Transaction, backlog, daemons, sources, spending, stats, switch
from listener.store.sources import Source

log = logger(__name__)

FRESH = 5.0  # seconds for which what the database said is said again: several may scrape
AWAY = 10.0  # seconds after which a database that was asked and says nothing counts as away
# Whoever asks here says so in one packet. A probe gives up after a second, and then what works is started anew: so
# callers who say nothing must not be in its way.
THREADS, PATIENCE, DEADLINE = 64, 0.5, 1.0  # of so many at once, seconds of silence, seconds for a whole request
ALIVE = timedelta(seconds=30)  # since when a process counts as dead that said nothing


@dataclass(frozen=True, kw_only=True)
class Health:
    """How one process is. `hangs` and `waits` are sentences, empty where all is well; `hurts`: what it does without.

    `hangs`: why it does not work any more; `waits`: why it cannot do its part now.
    """

    hangs: str = ""
    waits: str = ""
    hurts: Sequence[str] = ()


class Watch:
    """The server, open while the `with` block runs; what is measured is counted from then on."""

    def __init__(
        self,
        listen: str,
        *,
        store: Store,
        health: Callable[[], Health],
        clock: Callable[[], datetime],
        version: str,
        roles: str = "all",
        budgets: Mapping[tuple[str, str], float] | None = None,
    ) -> None:
        """`listen`: an address and a port, such as `127.0.0.1:9425`. `budgets`: (account, `day` or `month`) -> USD."""
        self._at = place(listen)
        self._listen = listen
        self._health = health
        self._labels = {"version": version, "roles": roles}
        self._standing = _Fresh(store, clock, dict(budgets or {}))
        self._door = None if _of_this_machine(self._at[0]) else Door(store, METRICS, clock)

    def __enter__(self) -> Self:
        """Opens it. Raises Mistake where the address cannot be had."""
        try:
            self._server = _Server(self._at, health=self._health, door=self._door)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "there is no such port"
            raise Mistake(
                f"Nothing can be watched at daemon.watch = {self._listen} ({reason}): choose another address or port; "
                "each process on one machine needs its own."
            ) from error
        metrics.start(**self._labels, standing=self._standing)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="watch", daemon=True)
        self._thread.start()
        log.info("It can be watched.", action="watched", url=self.url)
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        """Lets nobody in any more."""
        self._server.shutdown()
        self._server.finish()
        self._thread.join(LOOK_EVERY * 4)
        metrics.stop()

    @property
    def url(self) -> str:
        """Where it is."""
        return self._server.url


def _of_this_machine(host: str) -> bool:
    """Whether only this machine can reach that address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _means_this_machine(host: str) -> bool:
    """Whether a header `Host` names no name but `localhost`: an address, which no web page can have stand for another.

    Without one it is no browser that asks.
    """
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    if name in ("", "localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


class _Server(Server):
    request_queue_size = 1024  # who comes beyond those is let in a second later, which is too late for a probe
    full = HTTPStatus.TOO_MANY_REQUESTS  # 503 would say that what works is to be started anew

    def __init__(self, at: tuple[str, int], *, health: Callable[[], Health], door: Door | None) -> None:
        self.health = health
        self.door = door
        super().__init__(at, _Handler, name="watch", threads=THREADS, patience=PATIENCE, deadline=DEADLINE)


class _Handler(Handler):
    server: _Server
    refusal = "Ask with GET for /metrics, /healthz or /readyz."

    def do_GET(self) -> None:
        """One question."""
        self.server.heard(self.connection)
        if self.server.door is None and not _means_this_machine(self.headers.get("Host", "")):
            sentence = "Ask by the address of this machine or as localhost; no other name is answered here."
            self.say_json(HTTPStatus.MISDIRECTED_REQUEST, {"error": sentence})
            return
        match self.path.partition("?")[0]:
            case "/healthz":
                health = self.server.health()
                self._tell(not health.hangs, {"alive": not health.hangs}, {"why": health.hangs})
            case "/readyz":
                health = self.server.health()
                ready = not health.waits and not health.hangs
                why = {"why": health.waits or health.hangs, "without": list(health.hurts)}
                self._tell(ready, {"ready": ready}, why)
            case "/metrics":
                self._measure()
            case _:
                self.say_json(404, {"error": self.refusal})

    do_HEAD = do_GET

    def _tell(self, well: bool, said: dict[str, Any], inside: dict[str, Any]) -> None:
        more = {} if self.server.door else {key: value for key, value in inside.items() if value}
        self.say_json(200 if well else 503, said | more)

    def _measure(self) -> None:
        if self.server.door:
            try:
                opens = self.server.door.opens(self.headers.get("Authorization", ""))
            except Outage:
                return self.say_json(503, {"error": "Nobody can say whether you may; ask again."}, retry_after=5)
            if not opens:
                sentence = "Show a token: escucha access add NAME --for metrics gives one."
                return self.say_json(401, {"error": sentence}, challenge="Bearer")
        return self.say(200, metrics.text(), metrics.CONTENT_TYPE)


class _Fresh:
    """What the database knows, asked at most once in `FRESH` seconds, by one; None while it does not answer.

    Whoever comes while it is asked gets what it said last, and waits for nothing.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime], budgets: dict[tuple[str, str], float]) -> None:
        self._store = store
        self._clock = clock
        self._budgets = budgets
        self._asking = threading.Lock()
        self._seen: Standing | None = None
        self._asked = float("-inf")
        self._since = float("inf")  # when it was last begun to ask

    def __call__(self) -> Standing | None:
        if not self._asking.acquire(blocking=False):
            return self._seen if time.monotonic() - self._since < AWAY else None
        try:
            if time.monotonic() - self._asked >= FRESH:
                self._since = time.monotonic()
                try:
                    with self._store.read() as tx:
                        self._seen = look(tx, self._clock(), self._budgets)
                except Outage:
                    self._seen = None
                self._asked = time.monotonic()
            return self._seen
        finally:
            self._asking.release()


def look(tx: Transaction, now: datetime, budgets: dict[tuple[str, str], float]) -> Standing:
    """What the database knows now, for whoever measures."""
    drafts, deliveries = backlog.unfinished(tx)
    spent: dict[tuple[str, str], float] = {}
    for account in sorted({*spending.accounts(tx), *(account for account, _ in budgets)}):
        today, _, month = spending.by_day(tx, account, now)
        spent |= {(account, "day"): today, (account, "month"): month}
    return Standing(
        waiting=backlog.waiting(tx),
        oldest={state: max(0.0, (now - since).total_seconds()) for state, since in stats.oldest_waiting(tx).items()},
        drafts=dict(drafts),
        deliveries=dict(deliveries),
        set_aside=backlog.set_aside(tx),
        sources=[_source(source, now) for source in sources.list_all(tx)],
        spent=spent,
        budgets=budgets,
        paused=[pause.scope for pause in switch.pauses(tx)],
        daemons=_by_role(daemons.running(tx), now),
    )


def _by_role(running: Sequence[daemons.Running], now: datetime) -> dict[str, int]:
    """How many live of each role, one of several roles counted in each; `all` are those that do everything alone."""
    alive = [each for each in running if abs(now - each.seen_at) < ALIVE]
    roles = Counter(role for each in alive for role in each.roles or ("all",))
    return dict(roles) if roles else {"all": 0}


def _source(source: Source, now: datetime) -> SourceStanding:
    streams = source.streaming_since is not None
    lag = 0.0 if streams else None
    if lag is None and source.succeeded_at is not None:
        lag = max(0.0, (now - source.succeeded_at).total_seconds())
    return SourceStanding(
        name=source.name,
        network=source.network,
        lag=None if source.paused else lag,
        failing=source.failing_since is not None,
        paused=bool(source.paused),
        stream=streams if streams or source.stream_down_since else None,
    )
