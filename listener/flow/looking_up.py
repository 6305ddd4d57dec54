"""looking up: the second looks at known posts, batch after batch, as far as requests and time reach. See `recheck.py`.

Polls, which share the connection, get their turn in between; a network that answers no look is left in peace a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from listener import budget, metrics
from listener.desk.purse import Purse
from listener.errors import EscuchaError, NetworkError, Outage
from listener.flow.connections import Connections
from listener.flow.holds import Holds
from listener.flow.recheck import batches, recheck
from listener.log import logger
from listener.store import Store
from listener.store.mentions import Saved

log = logger(__name__)

TURN = 0.02  # seconds between two batches of second looks, in which a poll that waits gets its turn
TOLD = 3  # looks in a row that failed, after which it is said; where everything fails, polls have said it before
REST = timedelta(minutes=1)  # doubled for the first rest of looks that failed, and again for each further one
SPELL = 20.0  # seconds for which one round looks up what is due, batch after batch


class Looks:
    """The second looks of one process. `accounts`: our accounts' networks; `locks`: who uses an account's connection.

    `stop` ends a round between two batches.
    """

    def __init__(
        self,
        store: Store,
        *,
        accounts: Mapping[str, str],
        connections: Connections,
        purses: Mapping[str, Purse],
        locks: Mapping[str, threading.Lock],
        clock: Callable[[], datetime],
        stop: threading.Event,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._connections = connections
        self._purses = purses
        self._locks = locks
        self._clock = clock
        self._stop = stop
        self._holds = Holds()

    def look(self, account: str) -> int:
        """Looks up what is due on the account; gives how many mentions changed."""
        if self._holds.holds(account, self._clock()):
            return 0
        changed, done, ends = 0, 0, time.monotonic() + SPELL
        while (saved := self._batch(account)) is not None:
            changed += len(saved.edited) + len(saved.gone)
            done += 1
            if done >= batches(self._connections.facts(self._accounts[account], account)) or time.monotonic() > ends:
                break
            if self._stop.wait(TURN):
                break
        return changed

    def lift(self, account: str) -> None:
        """Looks again at once, for a person resumed a source of the account."""
        self._holds.lift(account)

    def _batch(self, account: str) -> Saved | None:
        with self._locks[account]:
            try:
                connector = self._connections.of(account, "listen")
                purse, network = self._purses[account], self._accounts[account]
                saved = recheck(self._store, connector, account, network, now=self._clock(), purse=purse)
            except Outage:
                raise
            except NetworkError as error:
                metrics.error("recheck", error)
                self._rest(account, error)
                return None
            except EscuchaError:
                return None  # polling says so already
            except Exception as error:
                log.exception("A connector broke.", action="recheck_bug", account=account)
                metrics.error("recheck", error)
                return None
            if saved is not None and self._holds.worked(account) >= TOLD:
                log.info("Posts are looked up again.", action="looks_up", account=account)
            return saved

    def _rest(self, account: str, error: NetworkError) -> None:
        """Looks nothing up for a while: as long as the network asks, and longer each time in a row."""
        failures = self._holds.failed(account)
        until = budget.back_off(self._clock(), failures=failures, every=REST, retry_after=error.retry_after)
        self._holds.hold(account, until)
        say = log.warning if failures == TOLD else log.debug
        say("Posts cannot be looked up.", action="looks_down", account=account, reason=str(error), again_at=until)
