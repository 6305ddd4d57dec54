"""The database's time, by which all machines go that share it, however wrong their own clocks are.

Leases, due times and signs of life are compared between machines. On one machine alone (SQLite) its own clock will do.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from listener.store import Store

SLACK = timedelta(seconds=1)  # by so much two clocks may differ without anybody minding
TOLD = timedelta(seconds=5)  # by more a person should set this machine's


def own_now() -> datetime:
    """The present moment by this machine's own clock, UTC."""
    return datetime.now(UTC)


class Clock:
    """The present moment by the database's clock, UTC: this machine's own, mended by how wrong it last was."""

    def __init__(self, store: Store, *, own: Callable[[], datetime] = own_now) -> None:
        """Looks at once. Raises Outage while the database does not answer."""
        self._store = store
        self._own = own
        self._behind = timedelta(0)
        self.look()

    def __call__(self) -> datetime:
        """The moment. Asks nobody."""
        return self._own() + self._behind

    def look(self) -> None:
        """Compares the two; an answer that took long tells less. Raises Outage while the database does not answer."""
        with self._store.read() as tx:
            asked = self._own()
            there: datetime = tx.execute(select(func.clock_timestamp())).scalar_one()
            answered = self._own()
        unsure = (answered - asked) / 2
        behind = there.astimezone(UTC) - (asked + unsure)
        if abs(behind - self._behind) > abs(unsure) + SLACK:
            self._behind = behind if abs(behind) > SLACK else timedelta(0)

    @property
    def trouble(self) -> str:
        """That this machine's clock is wrong, in a sentence; empty where it is not."""
        if abs(self._behind) <= TOLD:
            return ""
        by = f"{abs(self._behind).total_seconds():.0f} s {'behind' if self._behind > timedelta(0) else 'ahead of'}"
        return (
            f"This machine's clock is {by} the database's, which everybody goes by; set it, or networks may refuse "
            "what is signed here."
        )
