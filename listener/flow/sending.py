"""sending: `act` on each account through its own connection, and the rest of an account on which nothing goes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from listener import budget, metrics
from listener.desk.purse import Purse
from listener.errors import EscuchaError, Outage
from listener.flow.act import act
from listener.flow.connections import Connections
from listener.flow.holds import Holds
from listener.flow.outcomes import Acted
from listener.log import logger
from listener.store import Store, outbox, rests

log = logger(__name__)

# Doubled for the first rest of an account that cannot send, and again for each further one.
REST = timedelta(seconds=15)


class Sending:
    """What one process sends. `purses` are by account."""

    def __init__(
        self,
        store: Store,
        *,
        connections: Connections,
        purses: Mapping[str, Purse],
        clock: Callable[[], datetime],
        stopping: Callable[[], bool],
    ) -> None:
        self._store = store
        self._connections = connections
        self._purses = purses
        self._clock = clock
        self._stopping = stopping
        self._holds = Holds()

    def send(self, account: str) -> Acted | None:
        """Sends what is approved on the account; None where it must rest, cannot speak, or its connector failed."""
        if self._stopping() or self._holds.holds(account, self._clock()):
            return None
        try:
            connector = self._connections.of(account, "speak")
            if not connector.speaks:
                return None
            acted = act(
                self._store,
                connector,
                account,
                clock=self._clock,
                stopping=self._stopping,
                purse=self._purses[account],
            )
        except Outage:
            raise
        except EscuchaError as error:
            metrics.error("act", error)
            self._rest(account, str(error), self._clock())
            return None
        except Exception as error:
            log.exception("A connector broke.", action="act_bug", account=account)
            metrics.error("act", error)
            self._rest(account, f"a bug: {type(error).__name__}", self._clock())
            return None
        if acted.hold_until:
            self._rest(account, acted.errors[-1], acted.hold_until)
        elif acted.unclear:
            self._rest_if_again(account, acted.errors[-1])
        elif not acted.busy and (acted.sent or not acted.unsettled) and self._holds.worked(account):
            log.info("Sending works again.", action="send_up", account=account)
        return acted

    def lift(self, account: str) -> None:
        """The account may be tried again at once: a person resumed it."""
        self._holds.lift(account)

    def _rest(self, account: str, reason: str, until: datetime, *, already: int = 0) -> None:
        """Leaves the account in peace, longer each time in a row; said once when it begins.

        `already`: after so many failures in a row it was not yet left in peace.
        """
        failures = self._holds.failed(account)
        longer = budget.back_off(self._clock(), failures=max(1, failures - already), every=REST)
        until = min(max(until, longer), self._clock() + budget.CEILING)
        self._holds.hold(account, until)
        with self._store.write() as tx:
            outbox.held_up(tx, account, reason)
            rests.rest(tx, account, until)
        if failures == 1 + already:
            log.warning("Sending rests.", action="send_rest", account=account, reason=reason, until=until)

    def _rest_if_again(self, account: str, reason: str) -> None:
        """One write without a clear answer is looked for at once. Where the next one brings none either, it rests."""
        if self._holds.failures(account):
            self._rest(account, reason, self._clock(), already=1)
        else:
            self._holds.failed(account)
