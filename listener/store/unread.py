"""Mentions that no model could read, and that people got instead, until a model reads them after all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, text, update

from listener.store import Transaction, decisions, erasing, mentions
from listener.store import tables as t
from listener.store.mentions import Mention
from listener.types import NOBODY, DraftState, MentionState, PostKind, Understanding

_NOTHING = Understanding(
    model_version=NOBODY,
    language="und",
    language_score=0.0,
    sentiment=None,
    sentiment_scores={},
    intents=(),
    intent_scores={},
)
_UNTOUCHED = (DraftState.PROPOSED.value, DraftState.EXPIRED.value)


def hand_over(
    tx: Transaction, *, heard_before: datetime, limit: int, ids: Sequence[int] | None, now: datetime
) -> list[Mention]:
    """Lets the policy have new mentions unread that address us and were heard before then; gives them."""
    found = [
        mention
        for mention in mentions.awaiting(tx, MentionState.NEW, limit, ids=ids)
        if mention.kind is not PostKind.FOUND and mention.heard_at <= heard_before
    ]
    numbers = mentions.advance_all(tx, found, MentionState.UNDERSTOOD)
    moved = [mention for mention in found if mention.id in numbers]
    decisions.understood_all(tx, [(mention, _NOTHING) for mention in moved], now)
    return moved


def untouched(tx: Transaction, *, limit: int) -> list[int]:
    """Mentions that nobody has read, neither a model nor a person who did something about them; the newest first."""
    read, found = t.understandings.c, t.mentions.c
    touched = (
        select(t.drafts.c.id)
        .where(t.drafts.c.mention_id == found.id)
        .where(t.drafts.c.state.not_in(_UNTOUCHED) | (t.drafts.c.edit > 1))
        .exists()
    )
    query = (
        select(found.id)
        .join(t.understandings, (read.mention_id == found.id) & (read.revision == found.revision))
        .where(text("understandings.model_version = 'nobody'"))  # as the index has it
        .where(found.state.in_([MentionState.UNDERSTOOD.value, MentionState.DECIDED.value]), ~touched)
        .order_by(found.id.desc())
        .limit(limit)
    )
    return list(tx.scalars(query))


def take_back(tx: Transaction, mention_ids: Sequence[int], *, now: datetime) -> None:
    """Puts them before the model after all; what was proposed unread is withdrawn."""
    read, columns = t.understandings.c, t.mentions.c
    for number in sorted(mention_ids):
        erasing.withdraw(tx, number, reason="the model can read it now", now=now)
    tx.execute(delete(t.understandings).where(read.mention_id.in_(mention_ids), read.model_version == NOBODY))
    there = columns.state.in_([MentionState.UNDERSTOOD.value, MentionState.DECIDED.value])
    back = update(t.mentions).where(columns.id.in_(mention_ids), there)
    tx.execute(back.values(state=MentionState.NEW.value))
