"""What the accounts of one process may still spend, as the stages ask for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from listener.budget import Allowance, Use
from listener.desk.clearance import Price
from listener.desk.purse import Purse
from listener.flow.connections import Connections
from listener.store import Store, Transaction, sources
from listener.store.notices import Notice
from listener.store.sources import Source


class Money:
    """The accounts' purses, by name; one that is not in `allowances` may spend what it takes.

    `accounts` gives each account's network.
    """

    def __init__(
        self,
        store: Store,
        *,
        accounts: Mapping[str, str],
        allowances: Mapping[str, Allowance],
        connections: Connections,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._connections = connections
        self.purses = {name: Purse(store, name, allowances.get(name, Allowance()), clock) for name in accounts}

    def look_again(self, source: Source) -> None:
        """A source that waits for money need not wait for what the settings no longer say."""
        if source.poll_usd and not source.failures and source.account in self.purses:
            at = self.purses[source.account].due_at(source)
            with self._store.write() as tx:
                sources.sooner(tx, source, at)

    def why_broke(self, tx: Transaction, account: str) -> str:
        """Why that account has no money to send anything; empty where it has, or needs none."""
        purse = self.purses.get(account)
        if purse is None or not purse.allowance.limited:
            return ""
        return purse.standing(tx).refusal(Use.SENDING) or ""

    def prices(self, notice: Notice) -> dict[str, Price]:
        """What it costs to publish the notice, by account; nothing for those where it is free."""
        found = {}
        for account in {each.account for each in notice.deliveries} & set(self._accounts):
            price = self._connections.facts(self._accounts[account], account).publish_price
            if price:
                found[account] = price
        return found

    def left(self, tx: Transaction, notice: Notice) -> dict[str, float]:
        """What each of the notice's accounts may still spend on it, in USD; without those that know no limit."""
        accounts = {each.account for each in notice.deliveries} & set(self.purses)
        return {
            name: self.purses[name].left(tx, Use.SENDING) for name in accounts if self.purses[name].allowance.limited
        }
