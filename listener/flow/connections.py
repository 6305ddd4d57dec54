"""Connections to the networks, one for each account and role, and what was seen through them of each network."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from listener import situations
from listener.contract import Connector
from listener.store import Store, decisions, identities
from listener.types import Facts

AS_HEARD = 60.0  # seconds for which another process's word on what is true of a network is taken


class Connections:
    """Those of one process, opened when they are first asked for.

    `connect(account)` opens one; `network_facts(network)` gives what is true of a network before anything is connected.
    """

    def __init__(
        self, store: Store, *, connect: Callable[[str], Connector], network_facts: Callable[[str], Facts]
    ) -> None:
        self._store = store
        self._connect = connect
        self._network_facts = network_facts
        self._open: dict[tuple[str, str], Connector] = {}
        self._connecting = threading.Lock()
        self._as_heard: dict[str, tuple[Facts, float]] = {}  # by account, and until when that is not asked again
        self._told: dict[str, Facts] = {}

    def of(self, account: str, role: str) -> Connector:
        """The account's connection for that role. Raises whatever opening it does."""
        with self._connecting:
            if (account, role) not in self._open:
                self._open[account, role] = self._connect(account)
            return self._open[account, role]

    def listening(self, account: str) -> Connector | None:
        """The one that the account listens through, where it is open."""
        return self._open.get((account, "listen"))

    def drop(self, account: str, role: str | None = None) -> None:
        """Opens that one anew the next time; without a role, all of the account's."""
        with self._connecting:
            self._open = {key: each for key, each in self._open.items() if key != (account, role or key[1])}

    def facts(self, network: str, account: str) -> Facts:
        """What is true of the network as whoever listens through that account has seen it, or else of any."""
        connected = self.listening(account)
        return connected.facts if connected else self._facts_as_heard(network, account)

    def _facts_as_heard(self, network: str, account: str) -> Facts:
        known = self._as_heard.get(account)
        if known is None or time.monotonic() > known[1]:
            of_any = self._network_facts(network)
            with self._store.read() as tx:
                kept = identities.facts_of(tx, account)
            try:
                found = situations.rebuilt_facts(kept, of_any) if kept else None
            except situations.Unfit:
                found = None
            known = self._as_heard[account] = found or of_any, time.monotonic() + AS_HEARD
        return known[0]

    def tell_facts(self, account: str) -> None:
        """Keeps what the network told of itself, for those who decide in another process."""
        facts = self._open[account, "listen"].facts
        if self._told.get(account) is not facts:
            with self._store.write() as tx:
                if identities.found(tx, account, facts=decisions.keep_facts(tx, facts)):
                    self._told[account] = facts
