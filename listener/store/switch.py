"""The kill switch: while a scope is paused, nothing in it is sent, by any process.

A scope is a network, a kind of what goes out (`SendKind`), both, or everything. `held` stands in the very statement
that claims something to be sent, so that a pause once committed lets no later claim through. A claim whose statement
began before that commit may still win; `Store.claims_underway` names such claims, for whoever must wait for them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, delete, exists, select

from listener.store import Transaction, audit, enter_gate, upsert
from listener.store import tables as t
from listener.types import SendKind


@dataclass(frozen=True, kw_only=True)
class Pause:
    """One scope that is held. `network` and `kind`: empty for every one. `scope`: both as one name, see `scope_of`."""

    scope: str
    network: str
    kind: str
    by: str
    at: datetime
    reason: str

    def holds(self, network: str, kinds: Collection[str]) -> bool:
        """Whether something of those kinds, on that network, is in this scope."""
        return self.network in ("", network) and (not self.kind or self.kind in kinds)

    def within(self, network: str, kind: str) -> bool:
        """Whether that whole scope is in this one."""
        return self.network in ("", network) and self.kind in ("", kind)


def scope_of(network: str | None, kind: str | None = None) -> str:
    """The scope's name: `all`, `network NAME`, `kind NAME`, or `kind NAME on NETWORK`."""
    if kind:
        return f"kind {kind} on {network}" if network else f"kind {kind}"
    return f"network {network}" if network else "all"


def pause(
    tx: Transaction, *, network: str | None, kind: SendKind | None = None, by: str, reason: str, now: datetime
) -> Pause | None:
    """Holds everything, one network, one kind, or one kind there, from the next claim on.

    Gives the pause that held exactly that already, which stays as it was; None where it is new.
    """
    known = next((each for each in pauses(tx) if (each.network, each.kind) == (network or "", kind or "")), None)
    if known:
        return known
    values = {"network": network or "", "kind": kind or "", "by": by, "at": now, "reason": reason}
    tx.execute(upsert(tx, t.pauses).values(**values).on_conflict_do_nothing())
    audit.record(tx, at=now, by=by, action="pause", subject=scope_of(network, kind), reason=reason)
    return None


def resume(
    tx: Transaction, *, network: str | None, kind: SendKind | None = None, by: str, now: datetime, **detail: int
) -> bool:
    """Lets exactly that go on; False when it was not held as such. `detail`: more for the audit log."""
    lifted = tx.execute(delete(t.pauses).where(*_exactly(network, kind))).rowcount
    if lifted:
        audit.record(tx, at=now, by=by, action="resume", subject=scope_of(network, kind), **detail)
    return bool(lifted)


def _exactly(network: str | None, kind: str | None) -> tuple[ColumnElement[bool], ...]:
    return t.pauses.c.network == (network or ""), t.pauses.c.kind == (kind or "")


def pauses(tx: Transaction) -> list[Pause]:
    """What is held now, the widest first."""
    rows = tx.execute(select(t.pauses).order_by(t.pauses.c.network, t.pauses.c.kind))
    return [
        Pause(
            scope=scope_of(row.network, row.kind),
            network=row.network,
            kind=row.kind,
            by=row.by,
            at=row.at,
            reason=row.reason,
        )
        for row in rows
    ]


def held(tx: Transaction, network: str, *kinds: SendKind) -> ColumnElement[bool]:
    """Whether something of those kinds is held there, as a condition for the very statement that claims it.

    Execute that statement next, in `tx`: until `tx` ends, who pauses can see that a claim is under way.
    """
    enter_gate(tx)
    return _held(network, kinds)


def _held(network: str, kinds: Iterable[SendKind]) -> ColumnElement[bool]:
    columns = t.pauses.c
    return exists().where(columns.network.in_(("", network)), columns.kind.in_(_kinds(kinds)))


def is_paused(tx: Transaction, network: str, *kinds: SendKind) -> bool:
    """Whether something of those kinds is held on that network; without kinds, whether everything there is."""
    return bool(tx.scalar(_is_held(), {"networks": ("", network), "of": _kinds(kinds)}))


@cache
def _is_held() -> Select[Any]:
    columns = t.pauses.c
    here = columns.network.in_(bindparam("networks", expanding=True))
    return select(exists().where(here, columns.kind.in_(bindparam("of", expanding=True))))


def _kinds(kinds: Iterable[SendKind]) -> tuple[str, ...]:
    return ("", *(kind.value for kind in kinds))
