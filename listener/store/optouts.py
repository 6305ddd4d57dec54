"""Who asked not to be answered any more: kept with their account, until a person takes it back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update

from listener.store import Transaction, audit, erasing
from listener.store import tables as t
from listener.store.mentions import Mention


def leave_alone(tx: Transaction, mention: Mention, *, by: str, now: datetime) -> bool:
    """Its author is not answered any more; what waits to be said to them is withdrawn. False: known already."""
    accounts = t.accounts.c
    asked = update(t.accounts).where(accounts.id == mention.account_id, accounts.left_alone_at.is_(None))
    first = bool(tx.execute(asked.values(left_alone_at=now)).rowcount)
    theirs = select(t.mentions.c.id).where(t.mentions.c.account_id == mention.account_id)
    waiting = select(t.drafts.c.mention_id).where(t.drafts.c.mention_id.in_(theirs)).distinct()
    for mention_id in tx.scalars(waiting).all():
        erasing.withdraw(tx, mention_id, reason="its author asked to be left alone", now=now)
    if first:
        audit.record(tx, at=now, by=by, action="author.left_alone", subject=f"mention {mention.id}")
    return first


def answer_again(tx: Transaction, mention: Mention, *, by: str, now: datetime) -> bool:
    """Its author may be answered again, from the next post on. False: nobody had asked for anything else."""
    accounts = t.accounts.c
    asked = update(t.accounts).where(accounts.id == mention.account_id, accounts.left_alone_at.is_not(None))
    lifted = bool(tx.execute(asked.values(left_alone_at=None)).rowcount)
    if lifted:
        audit.record(tx, at=now, by=by, action="author.allowed_back", subject=f"mention {mention.id}")
    return lifted
