"""The cases of those whom an incident hits, and whether there is more to them than the incident."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, select

from listener.store import Transaction
from listener.store import tables as t
from listener.store.cases import LIVE
from listener.store.incidents import Incident
from listener.types import DraftState, MentionState

_WAITING = [state.value for state in (DraftState.PROPOSED, DraftState.APPROVED, DraftState.SENDING, DraftState.UNKNOWN)]


@dataclass(frozen=True, kw_only=True)
class Child:
    """A live case that is a part of the incident's. `others`: its mentions that are of something else; `answers`: to
    it that wait; `unanswered`: nobody ever answered its person. `asked`, `due`, `snoozed`: what a person put on it."""

    id: int
    reference: str
    title: str
    team: str
    agent: str | None
    others: tuple[int, ...]
    answers: int
    unanswered: bool
    asked: str | None
    due: bool
    snoozed: bool

    @property
    def more(self) -> tuple[str, ...]:
        """What there is to do in it beside the incident, in words; empty where nothing is."""
        named = ", ".join(f"M{number}" for number in self.others[:3]) + (", …" if len(self.others) > 3 else "")
        return tuple(
            words
            for words, holds in (
                (f"{named} {'is' if len(self.others) == 1 else 'are'} about something else", bool(self.others)),
                (f"waits for what {self.asked} knows", bool(self.asked)),
                ("somebody said by when it is due", self.due),
                ("somebody snoozed it", self.snoozed),
            )
            if holds
        )

    @property
    def owed(self) -> str:
        """What its person is still owed, in words; "" for nothing."""
        if self.answers:
            return "an answer to them waits"
        return "nobody has answered them" if self.unanswered else ""


def live(tx: Transaction, incident: Incident, *, after: int = 0, limit: int, held: bool = False) -> list[Child]:
    """The next of the incident's cases that are not over, by their ids; `held`: until this transaction ends."""
    columns = t.cases.c
    where = (columns.parent_id == incident.case_id, columns.id > after)
    states = columns.state.in_([state.value for state in LIVE])
    query = select(t.cases).where(*where, states).order_by(columns.id).limit(limit)
    rows = tx.execute(query.with_for_update() if held else query).all()
    ids = [row.id for row in rows]
    others, answers = _others(tx, incident, ids), _answers(tx, ids)
    return [
        Child(
            id=row.id,
            reference=row.reference,
            title=row.title,
            team=row.team,
            agent=row.agent,
            others=others.get(row.id, ()),
            answers=answers.get(row.id, 0),
            unanswered=row.first_response_at is None,
            asked=row.asked_team,
            due=row.due_at is not None,
            snoozed=row.snoozed_until is not None,
        )
        for row in rows
    ]


def count(tx: Transaction, incident: Incident) -> int:
    """How many of its cases are not over."""
    columns = t.cases.c
    where = (columns.parent_id == incident.case_id, columns.state.in_([state.value for state in LIVE]))
    return int(tx.scalar(select(func.count()).where(*where)) or 0)


def _others(tx: Transaction, incident: Incident, case_ids: Collection[int]) -> dict[int, tuple[int, ...]]:
    """By case, its mentions that are still there and not of the incident."""
    inside, of = t.case_mentions.c, t.incident_mentions.c
    current = and_(of.mention_id == inside.mention_id, of.incident_id == incident.id, of.undone_at.is_(None))
    joined = t.case_mentions.join(t.mentions, t.mentions.c.id == inside.mention_id).outerjoin(
        t.incident_mentions, current
    )
    where = (inside.case_id.in_(case_ids), t.mentions.c.state != MentionState.GONE.value, of.id.is_(None))
    found: dict[int, tuple[int, ...]] = {}
    query = select(inside.case_id, inside.mention_id).select_from(joined).where(*where).order_by(inside.mention_id)
    for case_id, mention_id in tx.execute(query):
        found[case_id] = (*found.get(case_id, ()), mention_id)
    return found


def _answers(tx: Transaction, case_ids: Collection[int]) -> dict[int, int]:
    """By case, how many answers wait to be approved or sent."""
    columns = t.drafts.c
    query: Any = select(columns.case_id, func.count()).where(columns.case_id.in_(case_ids), columns.state.in_(_WAITING))
    return {case_id: count for case_id, count in tx.execute(query.group_by(columns.case_id))}
