"""Several workers decide side by side (PostgreSQL): what hangs together is decided by one of them at a time.

    whose accounts are | the mentions | their authors | the customers | the threads | what the deciding itself locks

Everybody who decides takes these in this order, and each kind in one order, so that two of them wait for each other in
turn and never in a circle. On SQLite a writer is alone, and nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from sqlalchemy import select, text

from listener.store import Transaction, links, mentions
from listener.store import tables as t
from listener.store.mentions import Mention
from listener.types import Visibility

_THREADS = crc32(b"escucha threads") - 2**31  # PostgreSQL's pairs of numbers are signed
_AUTOMATIC = crc32(b"escucha automatic")


def steady(tx: Transaction) -> None:
    """To be called before the mentions that will be decided are read, so that this order holds from its beginning."""
    links.steady(tx)


def hold(tx: Transaction, batch: Sequence[Mention]) -> Sequence[Mention]:
    """Waits until nobody else decides anything of these people or threads, and keeps it so until `tx` ends.

    Gives the mentions as they are then, in their order. Two posts of one person, of one customer or in one private
    thread, decided at once, so find one case; in a public thread each has a case of their own (`desk/matters.py`),
    and what goes out by itself there is counted alone (`Automatic`). A thread is known by its root, by what a post
    answers, and by the post itself, as whoever answers it will name it.
    """
    if tx.dialect.name != "postgresql" or not batch:
        return batch
    accounts = sorted({mention.account_id for mention in batch})
    tx.execute(select(t.accounts.c.id).where(t.accounts.c.id.in_(accounts)).order_by(t.accounts.c.id).with_for_update())
    current = t.links.c.account_id.in_(accounts) & t.links.c.unlinked_at.is_(None)
    customers = select(t.customers.c.id).where(t.customers.c.id.in_(select(t.links.c.customer_id).where(current)))
    tx.execute(customers.order_by(t.customers.c.id).with_for_update(key_share=True))
    private = [mention for mention in batch if mention.visibility is Visibility.DIRECT]
    threads = {_key(mention.network, each) for mention in private for each in _names(mention)}
    locks = "SELECT pg_advisory_xact_lock(CAST(:kind AS integer), each) FROM unnest(CAST(:all AS integer[])) AS each"
    if threads:  # few at a time: the server has room for so many locks only (max_locks_per_transaction)
        tx.execute(text(locks), {"kind": _THREADS, "all": sorted(threads)})
    return mentions.awaiting(tx, batch[0].state, len(batch), ids=[mention.id for mention in batch])


class Automatic:
    """What lets replies go out without a person does so alone, from the first to the end of its transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._held = tx.dialect.name != "postgresql"

    def begin(self) -> bool:
        """Waits until nobody else does, so that no limit is passed by two at once.

        Gives whether what was counted before may be too little by now. To be called after `hold`.
        """
        if self._held:
            return False
        self._tx.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _AUTOMATIC})
        self._held = True
        return True


def _names(mention: Mention) -> set[str]:
    return {each for each in (mention.thread_id, mention.parent_id, mention.external_id) if each}


def _key(network: str, name: str) -> int:
    return crc32(f"{network} {name}".encode()) - 2**31
