"""How an account behaves, and others beside it: what tells a machine from a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, case, func, or_, select

from listener.store import Transaction, copies
from listener.store import tables as t
from listener.store.mentions import BELIEVED
from listener.types import Intent


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What one account did lately."""

    posts_last_10_minutes: int
    same_text_last_day: int
    quick_replies_last_day: int


def habits(tx: Transaction, *, account_id: int, text: str, now: datetime, quick: timedelta) -> Habits:
    """Counts over what was heard of the account within a day, by an index; when it says that it wrote does not count.

    `text`: how often it wrote these very words (1 for words that are none). `quick`: an answer to us that came within
    so long of what it answers, or seems to have come before it.
    """
    posts, drafts = t.mentions.c, t.drafts.c
    day = now - timedelta(days=1)
    recent = and_(posts.account_id == account_id, posts.heard_at >= day, posts.posted_at >= day - BELIEVED)
    query = select(
        func.sum(case((posts.heard_at >= now - timedelta(minutes=10), 1), else_=0)),
        func.sum(case((posts.text == text, 1), else_=0)),
    )
    lately, same = tx.execute(query.where(recent)).one()
    answered = t.mentions.alias()  # a network's ids are its own: another may use the same
    answers = (
        select(posts.posted_at, drafts.sent_at)
        .join(t.drafts, drafts.posted_id == posts.parent_id)
        .join(answered, and_(answered.c.id == drafts.mention_id, answered.c.network == posts.network))
        .where(recent, drafts.sent_at.is_not(None))
    )
    return Habits(
        posts_last_10_minutes=int(lately or 0),
        same_text_last_day=int(same or 0) if text.strip() else 1,
        quick_replies_last_day=sum(row.posted_at - row.sent_at <= quick for row in tx.execute(answers)),
    )


def wrote_the_same(
    tx: Transaction,
    *,
    account_id: int,
    network: str,
    text: str,
    around: Iterable[datetime],
    within: timedelta,
    most: int = 100,
) -> int:
    """How many other accounts were heard with that text on the network, so close to one of the moments.

    Here as well, when they say that they wrote does not count, but for what claims to be much older (`BELIEVED`).
    `most`: of so many, it is enough.
    """
    key, said = copies.copy_key(text), t.mentions.c
    if not key:
        return 0
    close = (
        and_(said.heard_at.between(at - within, at + within), said.posted_at >= at - within - BELIEVED) for at in around
    )
    same = (
        select(said.account_id)
        .where(said.copy_key == key, or_(*close))
        .where(said.network == network, said.account_id != account_id)
    )
    return int(tx.scalar(select(func.count()).select_from(same.distinct().limit(most).subquery())) or 0)


def complaints(tx: Transaction, *, account_id: int, customer_id: int | None, since: datetime, limit: int = 500) -> int:
    """How many complaints this person posted at or after `since`, on this account or any linked to the customer.

    `limit`: of so many of their posts, the newest, it is looked at, so that nobody's long history takes long.
    """
    whose = t.mentions.c.account_id == account_id
    if customer_id is not None:
        links = t.links.c
        linked = select(links.account_id).where(links.customer_id == customer_id, links.unlinked_at.is_(None))
        whose = or_(whose, t.mentions.c.account_id.in_(linked))
    read = t.understandings.c
    query = (
        select(t.mentions.c.id, read.intents)
        .join(t.understandings, and_(read.mention_id == t.mentions.c.id, read.revision == t.mentions.c.revision))
        .where(whose, t.mentions.c.posted_at >= since)
        .order_by(t.mentions.c.posted_at.desc())
        .limit(limit)
    )
    return len({row.id for row in tx.execute(query) if Intent.COMPLAINT in row.intents})
