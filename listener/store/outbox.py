"""Approved replies on their way out. `notices.py` offers the same verbs for deliveries; `flow/act.py` uses both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update

from listener.errors import AlreadyDone, OtherPolicy, Stale
from listener.store import Transaction, audit, inbox, incident_holds, incidents, senders, switch
from listener.store import tables as t
from listener.store.inbox import Draft
from listener.types import DRAFT_MOVES, DraftState, LeftOut, Posted, RunState

HOUR = timedelta(hours=1)


def sendable(tx: Transaction, account: str, now: datetime) -> list[Draft]:
    """Approved drafts whose time has come, as the queue has them; those of runs have a pace of their own."""
    ready = and_(*_ready(account), t.drafts.c.answer_run_id.is_(None))
    due = or_(t.drafts.c.not_before.is_(None), t.drafts.c.not_before <= now)
    query = inbox.joined().where(ready, due).order_by(t.drafts.c.queue_at, t.drafts.c.id)
    return [inbox.from_row(row) for row in tx.execute(query)]


def _ready(account: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return t.drafts.c.account == account, t.drafts.c.state == DraftState.APPROVED.value


def anything_due(tx: Transaction, account: str, now: datetime) -> bool:
    """Whether anything but answers of runs waits to go out there now."""
    due = or_(t.drafts.c.not_before.is_(None), t.drafts.c.not_before <= now)
    query = select(t.drafts.c.id).where(*_ready(account), t.drafts.c.answer_run_id.is_(None), due)
    return tx.scalar(query.limit(1)) is not None


def next_of_run(tx: Transaction, account: str, run_id: int, *, limit: int) -> list[Draft]:
    """The next answers of that run there, in its order."""
    query = inbox.joined().where(*_ready(account), t.drafts.c.answer_run_id == run_id)
    return [inbox.from_row(row) for row in tx.execute(query.order_by(t.drafts.c.queue_at, t.drafts.c.id).limit(limit))]


def held_up(tx: Transaction, account: str, reason: str) -> None:
    """Remembers why nothing goes out on that account now."""
    tx.execute(update(t.drafts).where(*_ready(account), t.drafts.c.answer_run_id.is_(None)).values(reason=reason))


def claim(tx: Transaction, draft: Draft, now: datetime) -> bool:
    """Writes `sending`, if the draft is still approved as read, still binding, and no switch holds it.

    This must be committed before the network is called. A draft that no longer binds goes back to people.
    """
    try:
        inbox.check_binding(tx, draft)
    except OtherPolicy:
        inbox.rebind(tx, draft, by="daemon", now=now)
        return False
    except Stale as stale:
        if inbox.get(tx, draft.id).edit == draft.edit:  # its mention changed; else a colleague has it in hand
            inbox.move(tx, draft, DraftState.EXPIRED, reason=str(stale))
            inbox.outdated(tx, draft)
            inbox.erase_if_gone(tx, draft)
            audit.record(
                tx, at=now, by="daemon", action="draft.expired", subject=f"draft {draft.id}", reason=str(stale)
            )
        return False
    except AlreadyDone:
        return False
    if draft.automatic and draft.alone_until is not None and now > draft.alone_until:
        inbox.too_late(tx, draft, now=now)
        return False
    if why := incident_holds.why(tx, draft):
        inbox.held_back(tx, draft, why, now=now)
        return False
    columns = t.drafts.c
    won = tx.execute(
        update(t.drafts)
        .where(columns.id == draft.id, columns.state == DraftState.APPROVED.value, columns.edit == draft.edit)
        .where(~incident_holds.held())
        .where(~switch.held(tx, draft.network, *draft.kinds), *_run_lets(draft, now))
        .values(
            state=DraftState.SENDING.value,
            sending_since=now,
            sender=senders.me(),
            unknown_since=None,
            looked_at=None,
        )
    )
    if won.rowcount:
        if draft.answer_run_id is not None:
            tx.execute(update(t.answers).where(t.answers.c.draft_id == draft.id).values(claimed_at=now))
        audit.record(tx, at=now, by="daemon", action="draft.sending", subject=f"draft {draft.id}")
    return bool(won.rowcount)


def _run_lets(draft: Draft, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """That the run of an answer sends now, that what it says is still true, and that the hour has room for it."""
    if draft.answer_run_id is None:
        return ()
    runs, answers = t.answer_runs.c, t.answers.c
    lately = (answers.network == draft.network, answers.claimed_at > now - HOUR, answers.claimed_at <= now)
    gone_out = select(func.count()).select_from(t.answers).where(*lately).scalar_subquery()
    sends = (runs.id == draft.answer_run_id, runs.state == RunState.RUNNING.value, runs.per_hour > gone_out)
    lasts = (t.incidents.c.id == runs.incident_id, t.incidents.c.state.in_([each.value for each in incidents.ACTIVE]))
    return exists().where(*sends, *lasts), incident_holds.still_said(draft.answer_run_id, draft.wording)


def pace(tx: Transaction, network: str, now: datetime) -> tuple[datetime | None, int]:
    """When the last answer of a run went on its way on that network, and how many did within the last hour."""
    answers = t.answers.c
    last = tx.scalar(select(func.max(answers.claimed_at)).where(answers.network == network))
    lately = (answers.network == network, answers.claimed_at > now - HOUR, answers.claimed_at <= now)
    return last, int(tx.scalar(select(func.count()).select_from(t.answers).where(*lately)) or 0)


def set_pace_back(tx: Transaction, network: str, now: datetime) -> None:
    """Whatever seems to have gone out after `now` did so earlier by as much as the last of it is ahead."""
    answers = t.answers.c
    ahead = (answers.network == network, answers.claimed_at > now)
    rows = tx.execute(select(answers.id, answers.claimed_at).where(*ahead)).all()
    by = max((row.claimed_at for row in rows), default=now) - now
    for row in rows:
        tx.execute(update(t.answers).where(answers.id == row.id).values(claimed_at=row.claimed_at - by))


def wordings(tx: Transaction, draft_ids: Sequence[int]) -> dict[int, str]:
    """By draft, which of its template's wordings it is."""
    query = select(t.drafts.c.id, t.drafts.c.wording).where(t.drafts.c.id.in_(draft_ids))
    return {row.id: row.wording for row in tx.execute(query)}


def last_wording(tx: Transaction, account: str) -> str:
    """Which wording the last answer of a run on that account had; "" where none went out."""
    answers = t.answers.c
    query = select(answers.wording).where(answers.account == account, answers.claimed_at.is_not(None))
    return tx.scalar(query.order_by(answers.claimed_at.desc(), answers.id.desc()).limit(1)) or ""


def give_up(tx: Transaction, draft: Draft, *, left_out: LeftOut, why: str, now: datetime) -> None:
    """An answer of a run that nobody needs any more does not go out."""
    inbox.move(tx, draft, DraftState.EXPIRED, reason=why)
    values = {"left_out": left_out.value, "why": why, "holds": None}
    tx.execute(update(t.answers).where(t.answers.c.draft_id == draft.id).values(**values))
    audit.record(tx, at=now, by="daemon", action="draft.expired", subject=f"draft {draft.id}", reason=why)


def sending(tx: Transaction, account: str) -> bool:
    """Whether anything says `sending`."""
    where = (t.drafts.c.account == account, t.drafts.c.state == DraftState.SENDING.value)
    return tx.scalar(select(t.drafts.c.id).where(*where).limit(1)) is not None


def abandoned(tx: Transaction, account: str, now: datetime) -> int:
    """Turns what a dead sender left behind into `unknown`. Call it only as the account's sole sender."""
    where = (t.drafts.c.account == account, t.drafts.c.state == DraftState.SENDING.value)
    left = [(inbox.from_row(row), row.sender) for row in tx.execute(inbox.joined().where(*where))]
    for draft, sender in left:
        unknown(tx, draft, senders.epitaph(sender), now)
    return len(left)


def unsettled(tx: Transaction, account: str) -> list[Draft]:
    """Drafts of which nobody knows yet whether they went out, oldest first."""
    query = inbox.joined().where(t.drafts.c.account == account, t.drafts.c.state == DraftState.UNKNOWN.value)
    return [inbox.from_row(row) for row in tx.execute(query.order_by(t.drafts.c.id))]


def looked(tx: Transaction, draft: Draft, now: datetime) -> None:
    """Remembers that the network was searched for it."""
    tx.execute(update(t.drafts).where(t.drafts.c.id == draft.id).values(looked_at=now))


def doubt(tx: Transaction, draft: Draft) -> None:
    """Remembers that no search can tell any more that it is not there."""
    tx.execute(update(t.drafts).where(t.drafts.c.id == draft.id).values(unknown_since=None))


class Holder(StrEnum):
    """How we know the address of something that we said."""

    TOLD = "told"  # by the answer to writing it
    FOUND = "found"  # by looking for it


def holder(tx: Transaction, network: str, posted_id: str) -> Holder | None:
    """Whether a reply or notice of ours is known to be at that address there, and how; None where none is."""
    drafts = select(t.drafts.c.unknown_since).join(t.mentions, t.mentions.c.id == t.drafts.c.mention_id)
    drafts = drafts.where(t.drafts.c.posted_id == posted_id, inbox.sent_through() == network)
    columns = t.deliveries.c
    deliveries = select(columns.unknown_since).where(columns.posted_id == posted_id, columns.network == network)
    known = [*tx.execute(drafts), *tx.execute(deliveries)]
    if not known:
        return None
    return Holder.FOUND if any(row.unknown_since for row in known) else Holder.TOLD


def sent(tx: Transaction, draft: Draft, posted: Posted, now: datetime) -> None:
    """The network has it."""
    at = posted.posted_at or now
    counts = {} if draft.answer_run_id else {"said_at": at}  # what a run says has caps of its own
    outcome = {"sent_at": at, **counts, "posted_id": posted.external_id, "posted_url": posted.url}
    _outcome(tx, draft, DraftState.SENT, now, reason=None, **outcome)


def failed(tx: Transaction, draft: Draft, reason: str, now: datetime) -> None:
    """The network refused it for good."""
    _outcome(tx, draft, DraftState.FAILED, now, reason=reason)
    inbox.outdated(tx, draft)


def unknown(tx: Transaction, draft: Draft, reason: str, now: datetime) -> None:
    """It may or may not be there; somebody must look before anything else happens."""
    _outcome(tx, draft, DraftState.UNKNOWN, now, reason=reason, unknown_since=now)


def not_sent(tx: Transaction, draft: Draft, reason: str, now: datetime) -> None:
    """It certainly did not go out: approved again, to be tried later."""
    _outcome(tx, draft, DraftState.APPROVED, now, reason=reason)


def _outcome(tx: Transaction, draft: Draft, to: DraftState, now: datetime, **values: Any) -> None:
    underway = (DraftState.SENDING, DraftState.UNKNOWN)
    on_their_way = [state.value for state in underway if to in DRAFT_MOVES[state] or state is to]
    where = (t.drafts.c.id == draft.id, t.drafts.c.state.in_(on_their_way))
    if not tx.execute(update(t.drafts).where(*where).values(state=to.value, **values)).rowcount:
        return  # a person has settled it meanwhile
    if to in (DraftState.SENT, DraftState.FAILED):
        inbox.erase_if_gone(tx, draft)
    reason = values.get("reason")
    audit.record(tx, at=now, by="daemon", action=f"draft.{to}", subject=f"draft {draft.id}", reason=reason)
