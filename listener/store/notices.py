"""Notices and their deliveries, one per account. On their way out they follow the same verbs as `outbox.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, insert, select, update

from listener.errors import AlreadyDone, Mistake, NotFound
from listener.store import Transaction, audit, switch
from listener.store import tables as t
from listener.types import DELIVERY_MOVES, DeliveryState, NoticeState, Posted


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One notice on one account, in one language."""

    id: int
    notice_id: int
    account: str
    network: str
    language: str
    text: str
    length: int
    length_limit: int
    send_key: str
    state: DeliveryState
    sending_since: datetime | None
    sent_at: datetime | None
    posted_id: str | None
    posted_url: str | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One message to everybody, with what goes where."""

    id: int
    title: str
    state: NoticeState
    written_by: str
    written_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    published_at: datetime | None
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The text for one account, counted as its network counts."""

    account: str
    network: str
    language: str
    text: str
    length: int
    limit: int


def draft(tx: Transaction, *, title: str, variants: Sequence[Variant], by: str, now: datetime) -> Notice:
    """Writes a notice down; nothing goes out before somebody approves it."""
    values = {"title": title, "state": NoticeState.DRAFT.value, "written_by": by, "written_at": now}
    notice_id = tx.execute(insert(t.notices).values(**values).returning(t.notices.c.id)).scalar_one()
    for variant in variants:
        tx.execute(
            insert(t.deliveries).values(
                notice_id=notice_id,
                account=variant.account,
                network=variant.network,
                language=variant.language,
                text=variant.text,
                length=variant.length,
                length_limit=variant.limit,
                send_key=uuid4().hex,
                state=DeliveryState.WAITING.value,
            )
        )
    audit.record(tx, at=now, by=by, action="notice.drafted", subject=f"notice {notice_id}", title=title)
    return get(tx, notice_id)


def get(tx: Transaction, notice_id: int) -> Notice:
    """The notice of that number. Raises NotFound."""
    row = tx.execute(select(t.notices).where(t.notices.c.id == notice_id)).first()
    if row is None:
        raise NotFound(f"There is no notice N{notice_id}; see `escucha notice status`.")
    return _notice(tx, row)


def listing(tx: Transaction, *, limit: int | None = None) -> list[Notice]:
    """Every notice, newest first."""
    query = select(t.notices).order_by(t.notices.c.id.desc()).limit(limit)
    return [_notice(tx, row) for row in tx.execute(query).all()]


def approve(tx: Transaction, notice: Notice, *, by: str, now: datetime) -> Notice:
    """Lets the notice go out; a second person must do it. Raises Mistake for the writer, AlreadyDone when late."""
    if by == notice.written_by:
        raise Mistake(f"N{notice.id} was written by {by}: somebody else must approve it.")
    values = {"state": NoticeState.APPROVED.value, "approved_by": by, "approved_at": now}
    where = (t.notices.c.id == notice.id, t.notices.c.state == NoticeState.DRAFT.value)
    if not tx.execute(update(t.notices).where(*where).values(**values)).rowcount:
        current = get(tx, notice.id)
        raise AlreadyDone(f"N{notice.id} is already {current.state} (by {current.approved_by or current.written_by}).")
    audit.record(tx, at=now, by=by, action="notice.approved", subject=f"notice {notice.id}")
    return get(tx, notice.id)


def withdraw(tx: Transaction, notice: Notice, *, by: str, now: datetime) -> Notice:
    """Takes back a notice of which nothing has gone out. Raises AlreadyDone when something has."""
    if any(delivery.state is not DeliveryState.WAITING for delivery in notice.deliveries):
        raise AlreadyDone(f"Some of N{notice.id} has gone out already; publish a correction instead.")
    where = (t.notices.c.id == notice.id, t.notices.c.state.in_((NoticeState.DRAFT, NoticeState.APPROVED)))
    if not tx.execute(update(t.notices).where(*where).values(state=NoticeState.WITHDRAWN.value)).rowcount:
        raise AlreadyDone(f"N{notice.id} is already {get(tx, notice.id).state}.")
    audit.record(tx, at=now, by=by, action="notice.withdrawn", subject=f"notice {notice.id}")
    return get(tx, notice.id)


def finish(tx: Transaction, notice_id: int, now: datetime) -> None:
    """Marks the notice as published once every delivery has gone out."""
    notice = get(tx, notice_id)
    if notice.state is NoticeState.APPROVED and all(d.state is DeliveryState.SENT for d in notice.deliveries):
        tx.execute(
            update(t.notices)
            .where(t.notices.c.id == notice_id)
            .values(state=NoticeState.PUBLISHED.value, published_at=now)
        )
        audit.record(tx, at=now, by="daemon", action="notice.published", subject=f"notice {notice_id}")


def retry(tx: Transaction, notice: Notice, *, by: str, now: datetime) -> int:
    """Puts refused deliveries in line again; gives how many."""
    where = (t.deliveries.c.notice_id == notice.id, t.deliveries.c.state == DeliveryState.FAILED.value)
    retried = tx.execute(update(t.deliveries).where(*where).values(state=DeliveryState.WAITING.value)).rowcount
    if retried:
        audit.record(tx, at=now, by=by, action="notice.retried", subject=f"notice {notice.id}", deliveries=retried)
    return retried


# --- what the sender does: the verbs of outbox.py -------------------------------------------------------------------


def sendable(tx: Transaction, account: str, _now: datetime) -> list[Delivery]:
    """Deliveries of approved notices that have not gone out, in order."""
    query = select(t.deliveries).join(t.notices, t.notices.c.id == t.deliveries.c.notice_id)
    ready = (
        t.notices.c.state == NoticeState.APPROVED.value,
        t.deliveries.c.state == DeliveryState.WAITING.value,
        t.deliveries.c.account == account,
    )
    return [_delivery(row) for row in tx.execute(query.where(*ready).order_by(t.deliveries.c.id))]


def claim(tx: Transaction, delivery: Delivery, now: datetime) -> bool:
    """Writes `sending`, if it still waits and no switch holds it; commit before the network is called."""
    where = (t.deliveries.c.id == delivery.id, t.deliveries.c.state == DeliveryState.WAITING.value)
    won = tx.execute(
        update(t.deliveries)
        .where(*where, ~switch.held(delivery.network))
        .values(state=DeliveryState.SENDING.value, sending_since=now)
    )
    return bool(won.rowcount)


def sending(tx: Transaction, account: str) -> bool:
    """Whether anything says `sending`."""
    where = (t.deliveries.c.account == account, t.deliveries.c.state == DeliveryState.SENDING.value)
    return tx.scalar(select(t.deliveries.c.id).where(*where).limit(1)) is not None


def abandoned(tx: Transaction, account: str, now: datetime) -> int:
    """Turns what a dead sender left behind into `unknown`. Call it only as the account's sole sender."""
    where = (t.deliveries.c.account == account, t.deliveries.c.state == DeliveryState.SENDING.value)
    left = [_delivery(row) for row in tx.execute(select(t.deliveries).where(*where))]
    for delivery in left:
        unknown(tx, delivery, "the sender died", now)
    return len(left)


def unsettled(tx: Transaction, account: str) -> list[Delivery]:
    """Deliveries of which nobody knows yet whether they went out."""
    where = (t.deliveries.c.account == account, t.deliveries.c.state == DeliveryState.UNKNOWN.value)
    return [_delivery(row) for row in tx.execute(select(t.deliveries).where(*where).order_by(t.deliveries.c.id))]


def sent(tx: Transaction, delivery: Delivery, posted: Posted, now: datetime) -> None:
    """The network has it."""
    outcome = {"sent_at": posted.posted_at or now, "posted_id": posted.external_id, "posted_url": posted.url}
    _outcome(tx, delivery, DeliveryState.SENT, now, reason=None, **outcome)
    finish(tx, delivery.notice_id, now)


def failed(tx: Transaction, delivery: Delivery, reason: str, now: datetime) -> None:
    """The network refused it for good."""
    _outcome(tx, delivery, DeliveryState.FAILED, now, reason=reason)


def unknown(tx: Transaction, delivery: Delivery, reason: str, now: datetime) -> None:
    """It may or may not be there; somebody must look before anything else happens."""
    _outcome(tx, delivery, DeliveryState.UNKNOWN, now, reason=reason)


def not_sent(tx: Transaction, delivery: Delivery, reason: str, now: datetime) -> None:
    """It certainly did not go out: it waits again."""
    _outcome(tx, delivery, DeliveryState.WAITING, now, reason=reason)


def _outcome(tx: Transaction, delivery: Delivery, to: DeliveryState, now: datetime, **values: Any) -> None:
    on_their_way = [
        s.value for s in (DeliveryState.SENDING, DeliveryState.UNKNOWN) if to in DELIVERY_MOVES[s] or s is to
    ]
    where = (t.deliveries.c.id == delivery.id, t.deliveries.c.state.in_(on_their_way))
    tx.execute(update(t.deliveries).where(*where).values(state=to.value, **values))
    audit.record(
        tx,
        at=now,
        by="daemon",
        action=f"delivery.{to}",
        subject=f"notice {delivery.notice_id}",
        delivery=delivery.id,
        account=delivery.account,
        reason=values.get("reason"),
    )


def _notice(tx: Transaction, row: Row[Any]) -> Notice:
    query = select(t.deliveries).where(t.deliveries.c.notice_id == row.id).order_by(t.deliveries.c.id)
    same = {name: getattr(row, name) for name in Notice.__dataclass_fields__ if name not in ("state", "deliveries")}
    return Notice(**same, state=NoticeState(row.state), deliveries=tuple(_delivery(each) for each in tx.execute(query)))


def _delivery(row: Row[Any]) -> Delivery:
    values = {name: getattr(row, name) for name in Delivery.__dataclass_fields__}
    return Delivery(**values | {"state": DeliveryState(row.state)})
