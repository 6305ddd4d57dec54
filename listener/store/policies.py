"""Which policies ruled, and which rules now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from listener.store import Transaction, audit, upsert
from listener.store import tables as t


@dataclass(frozen=True, kw_only=True)
class Ruled:
    """One policy that rules or ruled here. `active_since` is None where another one rules."""

    version: str
    first_used_at: datetime
    active_since: datetime | None
    activated_by: str  # the last time


def activate(tx: Transaction, *, version: str, text: str, by: str, now: datetime) -> bool:
    """Makes that policy the one that rules, its text kept for good; False when it ruled already."""
    if tx.dialect.name == "postgresql":  # one at a time: two at once would leave two that rule
        tx.exec_driver_sql("LOCK TABLE policy_versions IN SHARE ROW EXCLUSIVE MODE")
    if active(tx) == version:
        return False
    tx.execute(update(t.policy_versions).values(active_since=None))
    values = {"version": version, "text": text, "first_used_at": now, "active_since": now}
    statement = upsert(tx, t.policy_versions).values(**values)
    tx.execute(statement.on_conflict_do_update(index_elements=["version"], set_={"active_since": now}))
    audit.record(tx, at=now, by=by, action="policy.activated", subject=f"policy {version}")
    return True


def active(tx: Transaction) -> str | None:
    """The version that rules; None before any did."""
    return tx.scalar(select(t.policy_versions.c.version).where(t.policy_versions.c.active_since.is_not(None)))


def text_of(tx: Transaction, version: str) -> str | None:
    """The policy file as it was under that version; None where it never ruled here."""
    return tx.scalar(select(t.policy_versions.c.text).where(t.policy_versions.c.version == version))


def history(tx: Transaction) -> list[Ruled]:
    """Every policy that ever ruled here, the newest first."""
    versions = tx.execute(select(t.policy_versions).order_by(t.policy_versions.c.first_used_at.desc())).all()
    found = []
    for row in versions:
        activations = [each for each in audit.about(tx, f"policy {row.version}") if each.action == "policy.activated"]
        found.append(
            Ruled(
                version=row.version,
                first_used_at=row.first_used_at,
                active_since=row.active_since,
                activated_by=activations[-1].by if activations else "",
            )
        )
    return found
