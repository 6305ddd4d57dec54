"""Who we are on each network, as the network told us: so that nobody answers themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update

from listener.store import Transaction, upsert
from listener.store import tables as t
from listener.types import Author

_OURS = select(t.identities.c.external_id).where(t.identities.c.network == bindparam("network"))


def remember(tx: Transaction, *, account: str, network: str, me: Author, now: datetime) -> None:
    """Keeps our own id behind one of our accounts."""
    values = {"network": network, "external_id": me.external_id, "handle": me.handle, "seen_at": now}
    statement = upsert(tx, t.identities).values(account=account, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["account"], set_=values))


def found(tx: Transaction, account: str, *, facts: str) -> bool:
    """Keeps what is true of the network as that account sees it, by its digest; False before we know who we are."""
    where = t.identities.c.account == account
    return bool(tx.execute(update(t.identities).where(where).values(facts=facts)).rowcount)


def facts_of(tx: Transaction, account: str) -> dict[str, Any] | None:
    """What is true of the network as that account last saw it; None where it was never seen."""
    query = select(t.facts.c.facts).join(t.identities, t.identities.c.facts == t.facts.c.digest)
    kept = tx.scalar(query.where(t.identities.c.account == account))
    return dict(kept) if kept is not None else None


def ours(tx: Transaction, network: str) -> frozenset[str]:
    """Every id of ours on that network."""
    return frozenset(tx.scalars(_OURS, {"network": network}))


def everywhere(tx: Transaction) -> frozenset[tuple[str, str]]:
    """Every id of ours, with its network."""
    rows = tx.execute(select(t.identities.c.network, t.identities.c.external_id))
    return frozenset((network, external_id) for network, external_id in rows)
