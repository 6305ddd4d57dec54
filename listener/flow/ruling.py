"""The policy of one process: the one that rules, taken up as soon as another one was made to rule."""

from __future__ import annotations

from collections.abc import Callable

from listener import metrics
from listener.contract import Policy
from listener.desk import ruling
from listener.errors import EscuchaError
from listener.log import logger
from listener.store import Store, policies

log = logger(__name__)


class Ruler:
    """`policy` is the last that could be read, None before there is one; `trouble` says in a sentence why nothing is
    decided, empty while it rules.

    `read(text, name)` reads another one; without it, mentions are left to whoever holds that one.
    """

    def __init__(self, store: Store, policy: Policy | None, *, read: Callable[[str, str], Policy] | None) -> None:
        self._store = store
        self.policy = policy
        self._read = read
        self._refused: str | None = None  # the version that rules and cannot be read here
        self.trouble = ""

    def take_up(self) -> None:
        """From now on decides by the policy that rules, where that is another one than ours and can be read."""
        ours = self.policy.version if self.policy else None
        with self._store.read() as tx:
            stored = policies.ruling(tx)
        if stored is None or stored.version == ours:
            if self._refused:
                log.info("Mentions are decided again.", action="policy", version=ours)
            self._refused, self.trouble = None, ""
            metrics.ready(policy=True)
        elif self._read is not None and stored.version != self._refused:
            try:
                self.policy = ruling.read(stored, self._read, exactly=True)
            except EscuchaError as error:
                self._refuse(stored.version, str(error))
            except Exception as error:
                log.exception("A policy broke its reader.", action="policy_bug", version=stored.version)
                self._refuse(stored.version, f"Reading the policy {stored.version} broke ({type(error).__name__}).")
            else:
                self._refused, self.trouble = None, ""
                metrics.ready(policy=True)
                log.info("Another policy rules from now on.", action="policy", version=stored.version, was=ours)

    def _refuse(self, version: str, reason: str) -> None:
        self._refused, self.trouble = version, reason
        metrics.ready(policy=False)
        log.error("Nothing is decided.", action="policy_refused", version=version, reason=reason)
