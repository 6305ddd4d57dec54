"""Approved replies on their way out. `notices.py` offers the same verbs for deliveries; `flow/act.py` uses both."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, or_, select, update

from listener.errors import AlreadyDone, OtherPolicy, Stale
from listener.store import Transaction, audit, inbox, incident_holds, switch
from listener.store import tables as t
from listener.store.inbox import Draft
from listener.types import DRAFT_MOVES, DraftState, Posted

DIED = "the sender died"  # the reason of what is `unknown` because its account has another sender by now


def sendable(tx: Transaction, account: str, now: datetime) -> list[Draft]:
    """Approved drafts whose time has come, as the queue has them."""
    ready = and_(t.drafts.c.state == DraftState.APPROVED.value, t.drafts.c.account == account)
    due = or_(t.drafts.c.not_before.is_(None), t.drafts.c.not_before <= now)
    query = inbox.joined().where(ready, due).order_by(t.drafts.c.queue_at, t.drafts.c.id)
    return [inbox.from_row(row) for row in tx.execute(query)]


def held_up(tx: Transaction, account: str, reason: str) -> None:
    """Remembers why nothing goes out on that account now."""
    where = (t.drafts.c.account == account, t.drafts.c.state == DraftState.APPROVED.value)
    tx.execute(update(t.drafts).where(*where).values(reason=reason))


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
        .where(~switch.held(tx, draft.network, *draft.kinds))
        .values(state=DraftState.SENDING.value, sending_since=now, unknown_since=None, looked_at=None)
    )
    if won.rowcount:
        audit.record(tx, at=now, by="daemon", action="draft.sending", subject=f"draft {draft.id}")
    return bool(won.rowcount)


def sending(tx: Transaction, account: str) -> bool:
    """Whether anything says `sending`."""
    where = (t.drafts.c.account == account, t.drafts.c.state == DraftState.SENDING.value)
    return tx.scalar(select(t.drafts.c.id).where(*where).limit(1)) is not None


def abandoned(tx: Transaction, account: str, now: datetime) -> int:
    """Turns what a dead sender left behind into `unknown`. Call it only as the account's sole sender."""
    where = (t.drafts.c.account == account, t.drafts.c.state == DraftState.SENDING.value)
    ids = tx.scalars(select(t.drafts.c.id).where(*where)).all()
    tx.execute(update(t.drafts).where(*where).values(state=DraftState.UNKNOWN.value, reason=DIED, unknown_since=now))
    for draft_id in ids:
        audit.record(tx, at=now, by="daemon", action="draft.unknown", subject=f"draft {draft_id}", reason="died")
    return len(ids)


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
    outcome = {"sent_at": at, "said_at": at, "posted_id": posted.external_id, "posted_url": posted.url}
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
    tx.execute(update(t.drafts).where(*where).values(state=to.value, **values))
    if to in (DraftState.SENT, DraftState.FAILED):
        inbox.erase_if_gone(tx, draft)
    reason = values.get("reason")
    audit.record(tx, at=now, by="daemon", action=f"draft.{to}", subject=f"draft {draft.id}", reason=reason)
