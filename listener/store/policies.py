"""Which policies ruled, and which rules now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from listener.store import Transaction, audit
from listener.store import tables as t
from listener.store.mentions import upsert


def activate(tx: Transaction, *, version: str, text: str, by: str, now: datetime) -> bool:
    """Makes that policy the one that rules, its text kept for good; False when it ruled already."""
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
