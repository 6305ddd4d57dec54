"""The kill switch: while a scope is paused, nothing in it is sent, by any process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, select

from listener.store import Transaction, audit, upsert
from listener.store import tables as t


@dataclass(frozen=True, kw_only=True)
class Pause:
    """One scope that is held: `all`, or `network NAME`."""

    scope: str
    by: str
    at: datetime
    reason: str


def scope_of(network: str | None) -> str:
    """The scope's name for one network, or for everything."""
    return f"network {network}" if network else "all"


def pause(tx: Transaction, *, network: str | None, by: str, reason: str, now: datetime) -> None:
    """Holds everything, or one network, from the next claim on."""
    scope = scope_of(network)
    values = {"by": by, "at": now, "reason": reason}
    tx.execute(upsert(tx, t.pauses).values(scope=scope, **values).on_conflict_do_nothing())
    audit.record(tx, at=now, by=by, action="pause", subject=scope, reason=reason)


def resume(tx: Transaction, *, network: str | None, by: str, now: datetime) -> bool:
    """Lets it go on; False when it was not held."""
    scope = scope_of(network)
    lifted = tx.execute(delete(t.pauses).where(t.pauses.c.scope == scope)).rowcount
    if lifted:
        audit.record(tx, at=now, by=by, action="resume", subject=scope)
    return bool(lifted)


def pauses(tx: Transaction) -> list[Pause]:
    """What is held now."""
    rows = tx.execute(select(t.pauses).order_by(t.pauses.c.scope))
    return [Pause(scope=row.scope, by=row.by, at=row.at, reason=row.reason) for row in rows]


def held(network: str) -> ColumnElement[bool]:
    """The same as a condition, for the very statement that claims something to be sent."""
    return exists().where(t.pauses.c.scope.in_(("all", scope_of(network))))


def is_paused(tx: Transaction, network: str) -> bool:
    """Whether sends on that network are held."""
    return bool(tx.scalar(select(held(network))))
