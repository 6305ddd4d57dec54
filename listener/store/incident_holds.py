"""What an incident keeps from going out while it lasts, asked in the very statement that claims something to be sent.

Replies: whatever a rule approved by itself, unless it is an incident's own answer. And an incident's answer, whoever
approved it, once the incident is over or the answer was withdrawn: what it says is no longer true. A person who writes
words of their own is not held.

Cheer: what marketing has scheduled in good spirits, while any incident lasts that holds it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, exists, or_, select, true

from listener.store import Transaction
from listener.store import tables as t
from listener.types import IncidentState

if TYPE_CHECKING:
    from listener.store.inbox import Draft

_DRAFT = t.drafts.c
_LASTING = [state.value for state in IncidentState if state.active]
_LASTS = t.incidents.c.state.in_(_LASTING)


@cache
def held() -> ColumnElement[bool]:
    """As a condition on the draft that is claimed: an incident keeps it from going out."""
    others = and_(_DRAFT.automatic.is_(True), _DRAFT.incident_id.is_(None), replies_are_held())
    return or_(others, _no_longer_true())


def replies_are_held() -> ColumnElement[bool]:
    """As a condition: an incident lasts that lets nothing but its own answers go out alone."""
    return exists().where(_LASTS, t.incidents.c.holds_replies.is_(True))


def cheer_is_held() -> ColumnElement[bool]:
    """As a condition: an incident lasts that holds scheduled cheer."""
    return exists().where(_LASTS, t.incidents.c.holds_cheer.is_(True))


def why(tx: Transaction, draft: Draft) -> str:
    """Why an incident keeps that draft from going out, for people; "" where none does."""
    if not tx.scalar(select(_DRAFT.id).where(_DRAFT.id == draft.id, held())):
        return ""
    if draft.incident_id is not None:
        return outdated(tx, draft)
    named = _named(tx, t.incidents.c.holds_replies.is_(True))
    return f"{named}, and meanwhile nothing but its answer goes out alone"


def why_no_cheer(tx: Transaction) -> str:
    """Why scheduled cheer does not go out now, for people; "" where nothing keeps it."""
    named = _named(tx, t.incidents.c.holds_cheer.is_(True))
    return f"{named}, and holds cheer back" if named else ""


def outdated(tx: Transaction, draft: Draft) -> str:
    """Why what it says as an incident's answer is no longer true, for people; "" where it is, or is none."""
    if draft.incident_id is None or not draft.wording:
        return ""
    if not tx.scalar(select(_DRAFT.id).where(_DRAFT.id == draft.id, _no_longer_true())):
        return ""
    state = tx.scalar(select(t.incidents.c.state).where(t.incidents.c.id == draft.incident_id))
    if state not in _LASTING:
        return f"I{draft.incident_id}, whose answer it is, is {state}"
    return f"the answer of I{draft.incident_id} that it was made from was withdrawn"


def _no_longer_true() -> ColumnElement[bool]:
    answer = t.incident_answers.c
    usable = (
        exists()
        .where(t.incidents.c.id == answer.incident_id, _LASTS)
        .where(answer.incident_id == _DRAFT.incident_id, answer.wording == _DRAFT.wording)
        .where(answer.approved_at.is_not(None), answer.withdrawn_at.is_(None))
    )
    return and_(_DRAFT.incident_id.is_not(None), _DRAFT.wording != "", ~usable)


def still_said(run_id: int, wording: str) -> ColumnElement[bool]:
    """As a condition: the incident of that run of answers still says that; "", what a person worded, it does."""
    if not wording:
        return true()
    answer, run = t.incident_answers.c, t.answer_runs.c
    return (
        exists()
        .where(run.id == run_id, answer.incident_id == run.incident_id, answer.wording == wording)
        .where(answer.approved_at.is_not(None), answer.withdrawn_at.is_(None))
    )


def _named(tx: Transaction, *where: ColumnElement[bool]) -> str:
    """`I3 lasts`, `I3 and I4 last`; "" where none does."""
    numbers = tx.scalars(select(t.incidents.c.id).where(_LASTS, *where).order_by(t.incidents.c.id)).all()
    if not numbers:
        return ""
    return f"{' and '.join(f'I{number}' for number in numbers)} last{'s' if len(numbers) == 1 else ''}"
