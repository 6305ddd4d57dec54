"""What was said in a case, by whom, and where a conversation of ours goes on. Reads only; `inbox.propose` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, not_, or_, select

from listener.store import Transaction, cases, inbox
from listener.store import tables as t
from listener.store.cases import Case
from listener.types import DraftState, MentionState, Visibility


@dataclass(frozen=True, kw_only=True)
class Word:
    """One thing said in a case: by the person whose case it is, or by us in answer to them.

    `mention`: the number of what they said, or of what we answered. `alone`: nobody else could read it.
    """

    at: datetime
    ours: bool
    network: str
    text: str
    mention: int
    alone: bool


def words(tx: Transaction, case: Case, *, limit: int = 200) -> list[Word]:
    """What that person and we said in the case, oldest first, of the newest `limit` of either; nobody else's words.

    A case may hold what others wrote, in the same conversation or put there by mistake: they are not who we write to.
    """
    mentions, drafts = t.mentions.c, t.drafts.c
    inside = (
        select(mentions.id)
        .join(t.case_mentions, t.case_mentions.c.mention_id == mentions.id)
        .where(t.case_mentions.c.case_id == case.id, theirs(case))
    )
    said = (
        select(mentions.id, mentions.posted_at, mentions.network, mentions.text, mentions.visibility)
        .where(mentions.id.in_(inside), mentions.state != MentionState.GONE.value, mentions.text != "")
        .order_by(mentions.posted_at.desc(), mentions.id.desc())
        .limit(limit)
    )
    answered = (
        inbox.joined()
        .where(drafts.mention_id.in_(inside), drafts.state == DraftState.SENT.value, drafts.text != "")
        .order_by(drafts.sent_at.desc(), drafts.id.desc())
        .limit(limit)
    )
    found = [
        Word(
            at=row.posted_at,
            ours=False,
            network=row.network,
            text=row.text,
            mention=row.id,
            alone=row.visibility == Visibility.DIRECT.value,
        )
        for row in tx.execute(said)
    ]
    for row in tx.execute(answered):
        draft = inbox.from_row(row)
        found.append(
            Word(
                at=draft.sent_at or draft.proposed_at,
                ours=True,
                network=draft.network,
                text=draft.text,
                mention=draft.mention_id,
                alone=bool(draft.channel),
            )
        )
    return sorted(found, key=lambda word: (word.at, word.ours))[-limit:]


def theirs(case: Case) -> ColumnElement[bool]:
    """The mentions by the person whose case it is, from any account of theirs that we know."""
    linked = select(t.links.c.account_id).where(
        t.links.c.customer_id == case.customer_id, t.links.c.unlinked_at.is_(None)
    )
    return or_(t.mentions.c.account_id == case.account_id, t.mentions.c.account_id.in_(linked))


def strangers(tx: Transaction, case: Case) -> frozenset[int]:
    """The numbers of the mentions in the case that came from accounts not known to be its person's.

    Whoever quotes a reference in private gets into its case, and references can be guessed.
    """
    if case.account_id is None and case.customer_id is None:
        return frozenset()  # nobody's yet
    inside = t.case_mentions.c
    query = (
        select(inside.mention_id)
        .join(t.mentions, t.mentions.c.id == inside.mention_id)
        .where(inside.case_id == case.id, not_(theirs(case)))
    )
    return frozenset(tx.scalars(query))


def newest(tx: Transaction, case: Case, *, network: str | None = None) -> int | None:
    """The number of the newest mention by that person in the case, of that network where one is named."""
    query = (
        select(t.mentions.c.id)
        .join(t.case_mentions, t.case_mentions.c.mention_id == t.mentions.c.id)
        .where(t.case_mentions.c.case_id == case.id, theirs(case), t.mentions.c.state != MentionState.GONE.value)
        .order_by(t.mentions.c.posted_at.desc(), t.mentions.c.id.desc())
    )
    query = query.where(t.mentions.c.network == network) if network else query
    return tx.scalar(query.limit(1))


def linked_address(tx: Transaction, case: Case) -> str | None:
    """The address of a mail account that belongs to the case's customer, the newest link first."""
    query = (
        select(t.accounts.c.handle)
        .join(t.links, t.links.c.account_id == t.accounts.c.id)
        .where(t.links.c.customer_id == case.customer_id, t.links.c.unlinked_at.is_(None))
        .where(t.accounts.c.network == "mail")
        .order_by(t.links.c.id.desc())
    )
    return tx.scalar(query.limit(1))


def cases_we_wrote_in(
    tx: Transaction, network: str, *, posted_ids: Sequence[str], address: str
) -> list[tuple[int, bool]]:
    """The live cases in which we wrote to one person alone there, newest first, as (row id, whether it is answered).

    It is answered where `posted_ids`, what somebody answers, holds what we said; the others are those in which we wrote
    to that address.
    """
    if not posted_ids and not address:
        return []  # most of what is said in public answers nobody
    drafts = t.drafts.c
    answered = drafts.posted_id.in_(list(posted_ids))
    query = (
        select(drafts.case_id, answered.label("answered"))
        .join(t.mentions, t.mentions.c.id == drafts.mention_id)
        .join(t.cases, t.cases.c.id == drafts.case_id)
        .where(drafts.channel != "", drafts.state == DraftState.SENT.value, inbox.sent_through() == network)
        .where(or_(answered, (drafts.recipient == address) & (drafts.recipient != "")))
        .where(t.cases.c.state.in_([state.value for state in cases.LIVE]))
        .order_by(answered.desc(), drafts.id.desc())
        .limit(20)
    )
    return [(row.case_id, bool(row.answered)) for row in tx.execute(query)]
