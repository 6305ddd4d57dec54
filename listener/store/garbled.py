"""Posts that could not be read or stored, of which only the address is known: shown until a person saw to them.

Nothing of what they say is kept here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, insert, select, update

from listener.errors import NotFound
from listener.store import Transaction, audit
from listener.store import tables as t
from listener.types import Garbled

LONGEST = 300  # characters of an id and of a reason


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One such post. `times`: how often it came and could not be read."""

    id: int
    source: str
    account: str
    network: str
    source_id: int
    external_id: str
    reason: str
    first_at: datetime
    last_at: datetime
    times: int


def keep(tx: Transaction, *, source_id: int, network: str, posts: Sequence[Garbled], now: datetime) -> list[str]:
    """Keeps that these came; gives the ids of those that came for the first time."""
    columns, new = t.garbled.c, []
    for post in posts:
        where = (columns.network == network, columns.external_id == post.external_id[:LONGEST])
        values = {"reason": post.reason[:LONGEST], "last_at": now, "times": columns.times + 1}
        if tx.execute(update(t.garbled).where(*where).values(**values)).rowcount:
            continue
        row = {
            "source_id": source_id,
            "network": network,
            "external_id": post.external_id[:LONGEST],
            "reason": post.reason[:LONGEST],
            "first_at": now,
            "last_at": now,
            "times": 1,
        }
        tx.execute(insert(t.garbled).values(**row))
        new.append(post.external_id)
    return new


def heard(tx: Transaction, network: str, external_ids: Sequence[str]) -> None:
    """These could be read after all."""
    if external_ids and tx.scalar(select(t.garbled.c.id).where(t.garbled.c.network == network).limit(1)) is not None:
        gone = (t.garbled.c.network == network, t.garbled.c.external_id.in_(list(external_ids)))
        tx.execute(delete(t.garbled).where(*gone))


def listing(tx: Transaction, *, network: str | None = None, limit: int | None = None) -> list[Kept]:
    """Those that nobody has seen to, the newest first."""
    query = _all().where(t.garbled.c.left_at.is_(None)).order_by(t.garbled.c.id.desc()).limit(limit)
    if network:
        query = query.where(t.garbled.c.network == network)
    return [Kept(**row._mapping) for row in tx.execute(query)]


def how_many(tx: Transaction, *, network: str | None = None) -> int:
    """How many `listing` would give without a limit."""
    query = select(func.count()).select_from(t.garbled).where(t.garbled.c.left_at.is_(None))
    if network:
        query = query.where(t.garbled.c.network == network)
    return int(tx.scalar(query) or 0)


def get(tx: Transaction, number: int) -> Kept:
    """That one. Raises NotFound."""
    row = tx.execute(_all().where(t.garbled.c.id == number, t.garbled.c.left_at.is_(None))).first()
    if row is None:
        raise NotFound(f"There is no G{number}; see `escucha mention set-aside`.")
    return Kept(**row._mapping)


def leave(tx: Transaction, number: int, *, by: str, now: datetime) -> Kept:
    """A person has seen to it: it is shown no more. Raises NotFound."""
    found = get(tx, number)
    tx.execute(update(t.garbled).where(t.garbled.c.id == number).values(left_at=now))
    audit.record(tx, at=now, by=by, action="post.left", subject=f"post {number}", network=found.network)
    return found


def _all() -> Select[Any]:
    columns = t.garbled.c
    source = [t.sources.c.name.label("source"), t.sources.c.account]
    own = [getattr(columns, name) for name in ("id", "network", "source_id", "external_id", "reason")]
    own += [columns.first_at, columns.last_at, columns.times]
    return select(*own, *source).join(t.sources, t.sources.c.id == columns.source_id)
