"""What waits, for whoever measures: bounded questions, quick however much is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Table, func, select

from listener.store import Transaction
from listener.store import tables as t
from listener.types import DeliveryState, DraftState, MentionState, PostKind

MOST = 100_000  # counted of each; more is as bad
DRAFTS = (DraftState.PROPOSED, DraftState.APPROVED, DraftState.SENDING, DraftState.UNKNOWN, DraftState.FAILED)
DELIVERIES = (DeliveryState.WAITING, DeliveryState.SENDING, DeliveryState.UNKNOWN, DeliveryState.FAILED)


def waiting(tx: Transaction) -> dict[tuple[str, bool], int]:
    """(state, whether it addresses us) -> how many mentions wait to be read (`new`) or decided (`understood`).

    Each key is there, be it with 0; at most `MOST` are counted of each state.
    """
    found: dict[tuple[str, bool], int] = {}
    columns = t.mentions.c
    for state in (MentionState.NEW, MentionState.UNDERSTOOD):
        some = (
            select((columns.kind != PostKind.FOUND.value).label("addressed"))
            .where(columns.state == state.value, columns.trouble.is_(None))
            .order_by(columns.id)
            .limit(MOST)
            .subquery()
        )
        rows = tx.execute(select(some.c.addressed, func.count()).group_by(some.c.addressed)).all()
        counted = {bool(row[0]): int(row[1]) for row in rows}
        found |= {(state.value, addressed): counted.get(addressed, 0) for addressed in (True, False)}
    return found


def set_aside(tx: Transaction) -> int:
    """How many mentions are set aside because a stage broke on them."""
    return int(tx.scalar(select(func.count()).select_from(t.mentions).where(t.mentions.c.trouble.is_not(None))) or 0)


def unfinished(tx: Transaction) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Replies and messages of notices that are not out yet, by state; each state is there, be it with 0."""
    return _by_state(tx, t.drafts, DRAFTS), _by_state(tx, t.deliveries, DELIVERIES)


def _by_state(tx: Transaction, table: Table, states: Sequence[str]) -> dict[str, int]:
    query = select(table.c.state, func.count()).where(table.c.state.in_(list(states))).group_by(table.c.state)
    found = {row[0]: int(row[1]) for row in tx.execute(query)}
    return {str(state): found.get(state, 0) for state in states}
