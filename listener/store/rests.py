"""Until when nothing is sent on an account, be it by another process than the one that was told so."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select

from listener.store import Transaction, upsert
from listener.store import tables as t


def rest(tx: Transaction, account: str, until: datetime) -> None:
    """Nobody sends on it until then."""
    statement = upsert(tx, t.rests).values(account=account, until=until)
    tx.execute(statement.on_conflict_do_update(index_elements=["account"], set_={"until": until}))


def over(tx: Transaction, accounts: Collection[str]) -> None:
    """Whoever sends on these may do so again."""
    tx.execute(delete(t.rests).where(t.rests.c.account.in_(list(accounts))))


def until(tx: Transaction) -> dict[str, datetime]:
    """When each account's rest ends, be it past."""
    return {row.account: row.until for row in tx.execute(select(t.rests))}
