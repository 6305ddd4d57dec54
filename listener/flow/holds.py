"""Which accounts are left in peace for a while after what failed on them, and how often in a row it did."""

from __future__ import annotations

from datetime import datetime

from listener import budget


class Holds:
    """Those of one kind of work in one process, by account."""

    def __init__(self) -> None:
        self._until: dict[str, datetime] = {}
        self._failures: dict[str, int] = {}

    def failed(self, account: str) -> int:
        """Counts one more failure; gives how many there were in a row."""
        self._failures[account] = self._failures.get(account, 0) + 1
        return self._failures[account]

    def failures(self, account: str) -> int:
        """How many there were in a row."""
        return self._failures.get(account, 0)

    def worked(self, account: str) -> int:
        """Begins to count anew; gives how many failures there were in a row until now."""
        return self._failures.pop(account, 0)

    def hold(self, account: str, until: datetime) -> None:
        """It is left in peace until then."""
        self._until[account] = until

    def lift(self, account: str) -> None:
        """It may be tried again at once; what comes of it counts on."""
        self._until.pop(account, None)

    def holds(self, account: str, now: datetime) -> bool:
        """Whether it is left in peace; a clock that was set back must not make that last."""
        until = self._until.get(account)
        return until is not None and now < until <= now + budget.CEILING
