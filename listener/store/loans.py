"""What one process of several does at a time, on loan by the database's clock: to lead a duty, to open a stream.

Whoever has a loan renews it; a process that died or hangs does not, and after `LASTS` another has it. Two may have one
for a moment: what is done on loan is only done too often then, never wrongly.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from listener.store import Transaction, upsert
from listener.store import tables as t

LASTS = timedelta(seconds=15)


def take(tx: Transaction, names: Collection[str], *, holder: str) -> set[str]:
    """Those of these that are the holder's until `LASTS` from now: its own, renewed, and such as are free."""
    if not names:
        return set()
    now = tx.scalar(select(func.now()))
    assert isinstance(now, datetime)
    columns = t.loans.c
    rows = [{"name": name, "holder": holder, "until": now + LASTS} for name in sorted(names)]
    statement = upsert(tx, t.loans).values(rows)
    free = (columns.holder == holder) | (columns.until < now)
    taken = {"holder": statement.excluded.holder, "until": statement.excluded.until}
    statement = statement.on_conflict_do_update(index_elements=["name"], set_=taken, where=free)
    return set(tx.scalars(statement.returning(columns.name)))


def leave(tx: Transaction, *, holder: str) -> None:
    """Gives back all that it holds."""
    tx.execute(delete(t.loans).where(t.loans.c.holder == holder))


def forget(tx: Transaction) -> None:
    """Drops what nobody has renewed for a day."""
    tx.execute(delete(t.loans).where(t.loans.c.until < func.now() - timedelta(days=1)))
