"""The CRMs of the settings, as whoever speaks with them needs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from listener.contract import Crm


@dataclass(kw_only=True)
class System:
    """One CRM of the settings. `connect` is asked when it is first needed; it raises Mistake where a person must act.

    `takes`: what it is told, "cases" or "customers". `texts`: whether it gets what people wrote. `receives`: whether
    it may post its customers to us; `pulls`: whether it is asked for them, and how often.
    """

    connect: Callable[[], Crm]
    takes: frozenset[str] = frozenset()
    texts: bool = False
    receives: bool = False
    pulls: bool = False
    every: timedelta = timedelta(minutes=5)
    _open: dict[str, Crm] = field(default_factory=dict, repr=False)

    def reach(self, way: str) -> Crm:
        """The connection for one way; each has its own, so that neither waits for the other."""
        if way not in self._open:
            self._open[way] = self.connect()
        return self._open[way]

    def leave(self, way: str) -> None:
        """Forgets the connection: the next one begins with the secrets as they are then."""
        self._open.pop(way, None)
