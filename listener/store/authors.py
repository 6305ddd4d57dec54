"""How an account behaves: what tells a machine from a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, case, func, select

from listener.store import Transaction
from listener.store import tables as t


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What one account did lately."""

    posts_last_10_minutes: int
    same_text_last_day: int
    quick_replies_last_day: int


def habits(tx: Transaction, *, account_id: int, text: str, now: datetime, quick: timedelta) -> Habits:
    """Counts over the account's last day, by an index.

    `text`: how often it wrote these very words (1 for words that are none). `quick`: an answer to us that came within
    so long of what it answers, or seems to have come before it.
    """
    posts, drafts = t.mentions.c, t.drafts.c
    recent = and_(posts.account_id == account_id, posts.posted_at >= now - timedelta(days=1))
    query = select(
        func.sum(case((posts.posted_at >= now - timedelta(minutes=10), 1), else_=0)),
        func.sum(case((posts.text == text, 1), else_=0)),
    )
    lately, same = tx.execute(query.where(recent)).one()
    answers = (
        select(posts.posted_at, drafts.sent_at)
        .join(t.drafts, drafts.posted_id == posts.parent_id)
        .where(recent, drafts.sent_at.is_not(None))
    )
    return Habits(
        posts_last_10_minutes=int(lately or 0),
        same_text_last_day=int(same or 0) if text.strip() else 1,
        quick_replies_last_day=sum(row.posted_at - row.sent_at <= quick for row in tx.execute(answers)),
    )
