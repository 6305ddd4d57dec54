"""Counts for `status`, the summary of the demo, and whoever wants to know how things stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Table, func, select

from listener.store import Transaction
from listener.store import tables as t
from listener.types import AmendmentState, CaseState, DeliveryState, DraftState, MentionState


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many of everything, by state; every state is there, be it with 0."""

    mentions: Mapping[str, int]
    drafts: Mapping[str, int]
    cases: Mapping[str, int]
    deliveries: Mapping[str, int]
    amendments: Mapping[str, int]
    decided: int  # decisions taken; a mention that was edited has several
    automatic: int  # drafts that a rule approved
    troubled: int  # mentions set aside because a stage broke on them
    unrouted: int  # decided mentions that a person must still route to a case


def counts(tx: Transaction) -> Counts:
    """Counts everything."""
    in_a_case = select(t.case_mentions.c.mention_id).where(t.case_mentions.c.mention_id == t.mentions.c.id).exists()
    unrouted = (
        select(func.count(t.mentions.c.id.distinct()))
        .select_from(t.decisions.join(t.mentions, t.mentions.c.id == t.decisions.c.mention_id))
        .where(
            t.decisions.c.needs_routing,
            ~t.decisions.c.routed,
            t.decisions.c.revision == t.mentions.c.revision,
            t.mentions.c.state.concat("") == MentionState.DECIDED.value,  # no search by it: nearly all are
            ~in_a_case,
        )
    )
    return Counts(
        mentions=_by_state(tx, t.mentions, [state.value for state in MentionState]),
        drafts=_by_state(tx, t.drafts, [state.value for state in DraftState]),
        cases=_by_state(tx, t.cases, [state.value for state in CaseState]),
        deliveries=_by_state(tx, t.deliveries, [state.value for state in DeliveryState]),
        amendments=_by_state(tx, t.amendments, [state.value for state in AmendmentState]),
        decided=tx.scalar(select(func.count()).select_from(t.decisions)) or 0,
        automatic=tx.scalar(select(func.count()).select_from(t.drafts).where(t.drafts.c.automatic)) or 0,
        troubled=tx.scalar(select(func.count()).select_from(t.mentions).where(t.mentions.c.trouble.is_not(None))) or 0,
        unrouted=tx.scalar(unrouted) or 0,
    )


def _by_state(tx: Transaction, table: Table, states: list[str]) -> dict[str, int]:
    rows = tx.execute(select(table.c.state, func.count()).group_by(table.c.state))
    found = {row[0]: row[1] for row in rows}
    return {state: found.get(state, 0) for state in states}


def oldest_waiting(tx: Transaction) -> dict[str, datetime]:
    """Since when the longest-waiting mention of each unfinished stage has been here: keys `new` and `understood`."""
    unfinished = (MentionState.NEW.value, MentionState.UNDERSTOOD.value)
    query = (
        select(t.mentions.c.state, func.min(t.mentions.c.id))
        .where(t.mentions.c.state.in_(unfinished), t.mentions.c.trouble.is_(None))
        .group_by(t.mentions.c.state)
    )
    return {
        row[0]: tx.execute(select(t.mentions.c.heard_at).where(t.mentions.c.id == row[1])).scalar_one()
        for row in tx.execute(query).all()
    }
