"""Counts for `status`, the summary of the demo, and whoever wants to know how things stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    ScalarSelect,
    Select,
    Table,
    func,
    literal_column,
    select,
    union_all,
)

from listener.store import Transaction
from listener.store import tables as t
from listener.types import AmendmentState, CaseState, DeliveryState, DraftState, MentionState

MOST = 10_000  # rows of one state that are counted; to count a long history takes longer the longer it is


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many of everything, by state; every state is there, be it with 0. `MOST` stands for as many or more."""

    mentions: Mapping[str, int]
    drafts: Mapping[str, int]
    cases: Mapping[str, int]
    deliveries: Mapping[str, int]
    amendments: Mapping[str, int]
    decided: int  # decisions taken; a mention that was edited has several
    troubled: int  # mentions set aside because a stage broke on them
    unrouted: int  # decided mentions that a person must still route to a case


def counts(tx: Transaction) -> Counts:
    """Counts everything, up to `MOST`: an index of each state begins with it, so that no table is gone through."""
    return Counts(
        mentions=_by_state(tx, t.mentions, MentionState),
        drafts=_by_state(tx, t.drafts, DraftState),
        cases=_by_state(tx, t.cases, CaseState),
        deliveries=_by_state(tx, t.deliveries, DeliveryState),
        amendments=_by_state(tx, t.amendments, AmendmentState),
        **tx.execute(_others()).one()._mapping,
    )


def told(number: int) -> str:
    """`20`, or `10,000 or more`."""
    return f"{number:,}" if number < MOST else f"{MOST:,} or more"


def told_of(number: int, thing: str) -> str:
    """`1 mention`, `20 mentions`, `10,000 or more mentions`."""
    return f"{told(number)} {thing}" if number == 1 else f"{told(number)} {thing}s"


def left_out(total: int, shown: int, limit: int | None) -> str:
    """`20 of 37 shown`, where the limit left some out; else empty. `total` was counted up to `MOST`."""
    if total > shown:
        return f"{shown:,} of {told(total)} shown"
    return f"{shown:,} shown, and there may be more" if total >= MOST and shown == limit else ""


def _by_state(tx: Transaction, table: Table, states: type[StrEnum]) -> dict[str, int]:
    found = {row.state: row.many for row in tx.execute(_states(table, states))}
    return {state.value: found[state.value] for state in states}


@cache
def _states(table: Table, states: type[StrEnum]) -> CompoundSelect[Any]:
    """A row for each state."""
    each: list[Select[str, int]] = [
        select(literal_column(f"'{state.value}'").label("state"), _up_to(table.c.state == state.value).label("many"))
        for state in states
    ]
    return union_all(*each)


@cache
def _others() -> Select[Any]:
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
        .scalar_subquery()
    )
    return select(
        _up_to(t.decisions.c.id.is_not(None)).label("decided"),
        _up_to(t.mentions.c.trouble.is_not(None)).label("troubled"),
        unrouted.label("unrouted"),
    )


def _up_to(which: ColumnElement[bool]) -> ScalarSelect[int]:
    """How many rows are so, up to `MOST`."""
    return (
        select(func.count())
        .select_from(select(literal_column("1")).where(which).limit(MOST).subquery())
        .scalar_subquery()
    )


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
