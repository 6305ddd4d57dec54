"""Who we are on each network, as the network told us: so that nobody answers themselves."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from listener.store import Transaction, upsert
from listener.store import tables as t
from listener.types import Author


def remember(tx: Transaction, *, account: str, network: str, me: Author, now: datetime) -> None:
    """Keeps our own id behind one of our accounts."""
    values = {"network": network, "external_id": me.external_id, "handle": me.handle, "seen_at": now}
    statement = upsert(tx, t.identities).values(account=account, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["account"], set_=values))


def ours(tx: Transaction, network: str) -> frozenset[str]:
    """Every id of ours on that network."""
    return frozenset(tx.scalars(select(t.identities.c.external_id).where(t.identities.c.network == network)))


def everywhere(tx: Transaction) -> frozenset[tuple[str, str]]:
    """Every id of ours, with its network."""
    rows = tx.execute(select(t.identities.c.network, t.identities.c.external_id))
    return frozenset((network, external_id) for network, external_id in rows)
