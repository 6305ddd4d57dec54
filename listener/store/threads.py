"""Who said what around a mention, of what we heard there and what we sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, select

from listener.store import Transaction
from listener.store import tables as t
from listener.store.mentions import Mention
from listener.types import Author, DraftState


@dataclass(frozen=True, kw_only=True)
class Said:
    """One post in a thread. `author` None: Escucha sent it."""

    external_id: str | None
    author: Author | None


def last_said(tx: Transaction, mention: Mention) -> Said | None:
    """What was said last in the mention's thread before it was posted; None where we know of nothing."""
    columns = t.mentions.c
    thread = (columns.network == mention.network, columns.thread_id == mention.thread_id)
    heard = tx.execute(
        select(columns.external_id, columns.posted_at, t.accounts.c.external_id.label("who"), t.accounts.c.handle)
        .add_columns(t.accounts.c.url)
        .join(t.accounts, t.accounts.c.id == columns.account_id)
        .where(*thread, columns.posted_at < mention.posted_at, columns.id != mention.id)
        .order_by(columns.posted_at.desc(), columns.id.desc())
        .limit(1)
    ).first()
    sent = (
        t.drafts.c.state.concat("") == DraftState.SENT.value
    )  # `|| ''`, or SQLite goes through all that was ever sent
    sent_at = tx.scalar(
        select(func.max(t.drafts.c.sent_at))
        .select_from(t.drafts.join(t.mentions, columns.id == t.drafts.c.mention_id))
        .where(*thread, sent, t.drafts.c.sent_at < mention.posted_at)
    )
    if sent_at is not None and (heard is None or heard.posted_at <= sent_at):
        return Said(external_id=None, author=None)
    if heard is None:
        return None
    author = Author(external_id=heard.who, handle=heard.handle, url=heard.url)
    return Said(external_id=heard.external_id, author=author)


def answered_by_hand(tx: Transaction, network: str, external_id: str, ours: Iterable[str]) -> bool:
    """Whether one of our accounts was heard answering that post with something that Escucha did not send."""
    answered = t.mentions.alias()
    sent = (
        select(t.drafts.c.id)
        .join(answered, answered.c.id == t.drafts.c.mention_id)
        .where(t.drafts.c.posted_id == t.mentions.c.external_id, answered.c.network == t.mentions.c.network)
    )
    query = (
        select(t.mentions.c.id)
        .join(t.accounts, t.accounts.c.id == t.mentions.c.account_id)
        .where(t.mentions.c.network == network, t.mentions.c.parent_id == external_id)
        .where(t.accounts.c.external_id.in_(list(ours)), ~sent.exists())
    )
    return tx.scalar(query.limit(1)) is not None
