"""What came of asking a network to say something: counted for the round, and written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from listener import budget, metrics
from listener.errors import AuthFailed, NetworkError
from listener.flow.ways import Way
from listener.store import Store
from listener.types import Finding

UNCLEAR = 3  # writes in a row without a clear answer, after which a round ends
TROUBLED = timedelta(seconds=30)  # how long an account rests after the network was unavailable


@dataclass(kw_only=True)
class Acted:
    """What one round on one account did. `hold_until`: the network wants, or needs, a rest until then.

    `unclear`: so many in a row, the last ones, brought no clear answer; a few, and nothing more is sent in this round.
    `unsettled`: of so many writes nobody knows yet what became of them.
    `broke`: there is no money to send anything, and why; what is approved stays approved.
    """

    sent: int = 0
    failed: int = 0
    unknown: int = 0
    settled: int = 0
    busy: bool = False  # another process is this account's sender
    hold_until: datetime | None = None
    unclear: int = 0
    unsettled: int = 0
    broke: str | None = None
    errors: list[str] = field(default_factory=list)
    kind: str = ""  # of the last error: the name of its class, which holds nobody's words

    @property
    def shaken(self) -> bool:
        """Whether so much is unclear that sending more would only make it worse."""
        return self.unclear >= UNCLEAR


def note(
    way: Way, item: Any, found: Finding, now: datetime, since: datetime, *, detail: str = "", asked: str | None = None
) -> None:
    """Keeps what a look came to. `asked`: for what, where not for the item itself."""
    with way.store.write() as tx:
        way.note(tx, item, found, now, since, detail=detail, asked=asked)


def record(store: Store, outcome: Callable[..., None], item: Any, reason: str, now: datetime) -> None:
    """Writes an outcome down, by one of the box's verbs."""
    with store.write() as tx:
        outcome(tx, item, reason, now)


def count(way: Way, item: Any, outcome: str, error: Exception) -> None:
    """Counts it for who watches."""
    metrics.sent(item.network, way.kind, outcome)
    metrics.error(f"send {way.kind}", error)


def unclear(done: Acted, reason: str, kind: str) -> None:
    """One more of unknown outcome. `kind`: the name of the error's class."""
    done.kind = kind
    done.unknown += 1
    done.unclear += 1
    done.errors.append(reason)


def rest_account(done: Acted, error: NetworkError, now: datetime) -> None:
    """The account is left in peace."""
    done.hold_until = now + rest(error)
    done.kind = type(error).__name__
    done.errors.append(str(error))


def rest(error: NetworkError) -> timedelta:
    """How long a network wants, or needs, to be left in peace after that."""
    if error.retry_after:
        return budget.within_ceiling(error.retry_after)
    return 10 * TROUBLED if isinstance(error, AuthFailed) else TROUBLED
