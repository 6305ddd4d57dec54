"""The stages in order. Decides nothing itself.

    sources due | poll | ingest | understand | decide | (moderator) | act

Stages talk through rows, never through each other: each can stop, crash or lag behind without the others noticing.
The daemon, the command line and the tests call these same functions.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from listener import budget
from listener.contract import Classifier, Connector, Policy
from listener.errors import EscuchaError, Outage
from listener.flow.act import Acted, act
from listener.flow.decide import Company, decide
from listener.flow.ingest import Ingested, failed, ingest
from listener.flow.poll import Polled, poll
from listener.flow.recheck import recheck
from listener.flow.understand import understand
from listener.store import Store, policies, sources
from listener.store.sources import Source, Wanted
from listener.types import Facts

log = structlog.get_logger(__name__)

BATCH = 64  # mentions understood or decided in one transaction
POLLERS = 8  # sources waited for at once; each of one account after the other
RECHECK_BATCH = 40
REST = timedelta(
    seconds=15
)  # doubled for the first rest of an account that cannot send, and again for each further one


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round brought, page by page, and how many replies and notices it sent."""

    heard: tuple[Ingested, ...]
    sent: int


class Pipeline:
    """The stages joined to one store, one policy, one model and the accounts of the settings file.

    `connect(account)` opens a connection; listening and speaking get one each, so that a slow poll delays no reply.
    `network_facts(network)` gives what is true of a network before anything is connected.
    """

    def __init__(
        self,
        store: Store,
        *,
        accounts: Mapping[str, str],
        connect: Callable[[str], Connector],
        network_facts: Callable[[str], Facts],
        classifier: Callable[[], Classifier],
        policy: Policy,
        company: Company,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.store = store
        self.accounts = accounts  # our account's name -> its network
        self.policy = policy
        self.clock = clock
        self._connect = connect
        self._network_facts = network_facts
        self._classifier = classifier
        self._company = company
        self._connections: dict[tuple[str, str], Connector] = {}
        self._locks = {account: threading.Lock() for account in accounts}
        self._hold: dict[str, datetime] = {}
        self._failures: dict[str, int] = {}
        self._stop = threading.Event()

    def start(self, wanted: Sequence[Wanted], *, by: str) -> None:
        """Writes down which sources are wanted and which policy rules from now on."""
        with self.store.write() as tx:
            sources.sync(tx, wanted, self.clock())
            if policies.activate(tx, version=self.policy.version, text=self.policy.text, by=by, now=self.clock()):
                log.info("This policy rules from now on.", action="policy", version=self.policy.version)

    def stop(self) -> None:
        """Asks every stage to end after what it has in hand."""
        self._stop.set()

    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    # --- the stages ---------------------------------------------------------------------------------------------------

    def poll(self, names: Sequence[str] = (), *, account: str | None = None) -> list[Ingested]:
        """Polls and stores whatever is due, or the named sources at once; only that account's, if one is given."""
        with self.store.write() as tx:
            due = sources.claim_due(tx, self.clock(), lease=budget.POLL_LEASE, names=names, account=account)
        if not due:
            return []
        with ThreadPoolExecutor(max_workers=min(POLLERS, len(due)), thread_name_prefix="poll") as pollers:
            return list(pollers.map(self._poll_one, due))

    def _poll_one(self, source: Source) -> Ingested:
        with self._locks[source.account]:
            try:
                polled = poll(source, self._connection(source.account, "listen"))
            except EscuchaError as error:  # it cannot even be connected
                polled = Polled(source=source, error=error)
            except Exception as error:
                log.exception("A connector broke.", action="connect_bug", source=source.name)
                polled = Polled(source=source, error=error)
        if polled.page is None:
            return failed(self.store, source, polled.error or RuntimeError("no page"), self.clock())
        try:
            return ingest(self.store, source, polled.page, me=polled.me, now=self.clock())
        except Outage:
            raise
        except Exception as error:
            log.exception("A page could not be stored.", action="ingest_bug", source=source.name)
            return failed(self.store, source, error, self.clock())

    def understand(self) -> int:
        """Reads one batch of new mentions; gives how many moved on."""
        return understand(self.store, self._classifier(), limit=BATCH, now=self.clock())

    def decide(self) -> int:
        """Decides one batch of understood mentions; gives how many."""
        return decide(
            self.store,
            self.policy,
            company=self._company,
            facts=self._facts,
            limit=BATCH,
            now=self.clock(),
        )

    def act(self, *, account: str | None = None) -> list[Acted]:
        """Sends what is approved, on every account or on one; an account that must rest is left in peace."""
        done = []
        for name in self.accounts if account is None else (account,):
            if self.stopping() or self._rests(name):
                continue
            try:
                connector = self._connection(name, "speak")
                if not connector.speaks:
                    continue
                acted = act(self.store, connector, name, clock=self.clock, stopping=self.stopping)
            except Outage:
                raise
            except EscuchaError as error:
                self._rest(name, str(error), self.clock())
                continue
            except Exception as error:
                log.exception("A connector broke.", action="act_bug", account=name)
                self._rest(name, f"a bug: {type(error).__name__}", self.clock())
                continue
            if acted.hold_until:
                self._rest(name, acted.errors[-1], acted.hold_until)
            elif not acted.busy and self._failures.pop(name, 0):
                log.info("Sending works again.", action="send_up", account=name)
            done.append(acted)
        return done

    def _rest(self, account: str, reason: str, until: datetime) -> None:
        """Leaves the account in peace, longer each time in a row; said once when it begins."""
        failures = self._failures[account] = self._failures.get(account, 0) + 1
        longer = budget.back_off(self.clock(), failures=failures, every=REST)
        self._hold[account] = min(max(until, longer), self.clock() + budget.CEILING)
        if failures == 1:
            log.warning("Sending rests.", action="send_rest", account=account, reason=reason, until=self._hold[account])

    def _rests(self, account: str) -> bool:
        """Whether the account is left in peace; a clock that was set back must not make that last."""
        until, now = self._hold.get(account), self.clock()
        return until is not None and now < until <= now + budget.CEILING

    def recheck(self, *, account: str | None = None) -> int:
        """Looks up again what may have been edited or deleted; gives how many mentions changed."""
        changed = 0
        for name in self.accounts if account is None else (account,):
            with self._locks[name]:
                try:
                    connector = self._connection(name, "listen")
                    saved = recheck(
                        self.store, connector, name, self.accounts[name], now=self.clock(), limit=RECHECK_BATCH
                    )
                    changed += len(saved.edited) + len(saved.gone)
                except Outage:
                    raise
                except EscuchaError:
                    continue  # polling says so already
                except Exception:
                    log.exception("A connector broke.", action="recheck_bug", account=name)
        return changed

    def digest(self) -> int:
        """Understands and decides until nothing is left or `stop` was called; gives how many mentions were decided."""
        decided = 0
        while not self.stopping():
            read, judged = self.understand(), self.decide()
            decided += judged
            if not read and not judged:
                break
        return decided

    def once(self, names: Sequence[str] = ()) -> Round:
        """One whole round: what is due, or the named sources, is polled page after page, read, decided and sent."""
        heard = self.poll(names)
        pages = heard
        while any(page.more for page in pages) and not self.stopping():
            pages = self.poll([page.source for page in pages if page.more])
            heard += pages
        self.digest()
        acted = self.act()
        self.recheck()
        self.digest()
        return Round(heard=tuple(heard), sent=sum(each.sent for each in acted))

    # --- connections ------------------------------------------------------------------------------------------------

    def _connection(self, account: str, role: str) -> Connector:
        if (account, role) not in self._connections:
            self._connections[account, role] = self._connect(account)
        return self._connections[account, role]

    def _facts(self, network: str, account: str) -> Facts:
        connected = self._connections.get((account, "listen"))
        return connected.facts if connected else self._network_facts(network)
