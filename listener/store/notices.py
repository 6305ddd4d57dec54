"""Notices and their deliveries, one per account, language and part of a thread.

Someone writes, somebody else approves, and it goes out once somebody says `publish`: approval alone sends nothing. From
then on whoever sends for an account, a command or the daemon, goes on with what is left. On their way out deliveries
follow the same verbs as `outbox.py`. A part of a thread goes out when the one before it is on the network, not sooner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, insert, or_, select, update

from listener.errors import AlreadyDone, Mistake, NotFound
from listener.store import (
    Transaction,
    attachments,
    audit,
    incident_holds,
    looks,
    notice_digest,
    notice_links,
    senders,
    switch,
    users,
)
from listener.store import tables as t
from listener.store.attachments import Image, NewImage
from listener.store.notice_links import CheckedLink
from listener.types import (
    DELIVERY_MOVES,
    NOTICE_MOVES,
    AmendmentKind,
    AmendmentState,
    DeliveryState,
    Finding,
    FollowUp,
    NoticeKind,
    NoticeState,
    Posted,
    SendKind,
    Sent,
)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One notice on one account, in one language: all of it, or part `part` of the `parts` of a thread.

    `images`: the notice's pictures go with this one. `behind`: the state of the part before it, None where there is
    none or it has gone out. `scheduled`: it goes out at an hour that was set, not when somebody says so. `below_id`:
    the delivery of another notice that it is an answer to. What was changed since it went out is in `text`, and what
    that was before in `amendments.py`.
    """

    id: int
    notice_id: int
    account: str
    network: str
    language: str
    text: str
    length: int
    length_limit: int
    part: int
    parts: int
    images: bool
    send_key: str
    state: DeliveryState
    behind: DeliveryState | None
    sending_since: datetime | None
    unknown_since: datetime | None
    looked_at: datetime | None
    sent_at: datetime | None
    posted_id: str | None
    posted_url: str | None
    reason: str | None
    below_id: int | None
    scheduled: bool

    @property
    def kinds(self) -> tuple[SendKind, ...]:
        """What it is of what can be stopped apart."""
        return (SendKind.NOTICE, SendKind.SCHEDULED) if self.scheduled else (SendKind.NOTICE,)


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One message to everybody, with what goes where; perhaps it follows another.

    `digest`: of what was approved. `due_at`: when it goes out by itself, said by the clocks of `time_zone`; what has
    not begun to go out by `late_after` waits for a person. `held`: why it did not go out when it was due.
    """

    id: int
    follows_id: int | None
    follows_as: FollowUp | None
    title: str
    state: NoticeState
    written_by: str
    written_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    published_by: str | None
    publishing_since: datetime | None
    published_at: datetime | None
    kind: NoticeKind
    incident_id: int | None
    digest: str | None
    due_at: datetime | None
    time_zone: str | None
    late_after: datetime | None
    held: str | None
    images: tuple[Image, ...]
    deliveries: tuple[Delivery, ...]
    links: tuple[CheckedLink, ...]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The text for one account, counted as its network counts, or one part of it; `images`: the pictures go here."""

    account: str
    network: str
    language: str
    text: str
    length: int
    limit: int
    part: int = 1
    images: bool = False
    below_id: int | None = None


def draft(
    tx: Transaction,
    *,
    title: str,
    variants: Sequence[Variant],
    images: Sequence[NewImage] = (),
    kind: NoticeKind = NoticeKind.NOTICE,
    incident_id: int | None = None,
    follows: tuple[int, FollowUp] | None = None,
    by: str,
    now: datetime,
) -> Notice:
    """Writes a notice down, perhaps about an incident; nothing goes out before somebody approves it."""
    values: dict[str, Any] = {"title": title, "state": NoticeState.DRAFT.value, "written_by": by, "written_at": now}
    values |= {"kind": kind.value, "incident_id": incident_id}
    if follows:
        values |= {"follows_id": follows[0], "follows_as": follows[1].value}
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
                part=variant.part,
                images=variant.images,
                below_id=variant.below_id,
                send_key=uuid4().hex,
                state=DeliveryState.WAITING.value,
            )
        )
    attachments.add_to_notice(tx, notice_id, images)
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


def following(tx: Transaction, notice_id: int) -> list[Notice]:
    """The notices that follow that one, oldest first."""
    query = select(t.notices).where(t.notices.c.follows_id == notice_id).order_by(t.notices.c.id)
    return [_notice(tx, row) for row in tx.execute(query).all()]


def approve(
    tx: Transaction, notice: Notice, *, by: str, now: datetime, two_people: bool = True, seen: str | None = None
) -> Notice:
    """Lets exactly this go out once somebody publishes it or its time comes; with `two_people` its writer may not.

    `seen`: the digest of what was shown to whoever approves. Raises Mistake for the writer and where it changed since,
    AlreadyDone when late.
    """
    if two_people and users.same_person(by, notice.written_by):
        raise Mistake(f"N{notice.id} was written by {by}: somebody else must approve it.")
    digest = notice_digest.of(tx, notice.id)
    if seen not in (None, digest):
        raise Mistake(
            f"N{notice.id} changed while you looked at it; read it again: `escucha notice approve N{notice.id}`."
        )
    values = {"approved_by": by, "approved_at": now, "digest": digest}
    anew = (t.notices.c.id == notice.id, t.notices.c.state == NoticeState.APPROVED.value, t.notices.c.digest != digest)
    if not tx.execute(update(t.notices).where(*anew).values(**values)).rowcount:
        _move(tx, notice.id, NoticeState.APPROVED, out_of=NoticeState.DRAFT, **values)
    audit.record(tx, at=now, by=by, action="notice.approved", subject=f"notice {notice.id}", digest=digest)
    return get(tx, notice.id)


def publish(tx: Transaction, notice: Notice, *, by: str, now: datetime) -> Notice:
    """Says that it goes out, from now on, whatever its time was.

    Raises Mistake where it is not what was approved, AlreadyDone when somebody said so, or took it back, before.
    """
    if notice.state is NoticeState.APPROVED and notice_digest.of(tx, notice.id) != notice.digest:
        raise Mistake(
            f"N{notice.id} is not what {notice.approved_by} approved any more; somebody must read and approve it "
            f"again: `escucha notice approve N{notice.id}`."
        )
    _move(tx, notice.id, NoticeState.PUBLISHING, published_by=by, publishing_since=now, late_after=None, held=None)
    audit.record(tx, at=now, by=by, action="notice.publishing", subject=f"notice {notice.id}")
    return get(tx, notice.id)


def go_on(tx: Transaction, notice: Notice, *, by: str, now: datetime) -> Notice:
    """Lets the rest of it go out however late it gets; the same notice where somebody said so before."""
    where = (t.notices.c.id == notice.id, t.notices.c.state == NoticeState.PUBLISHING.value)
    timed = t.notices.c.late_after.is_not(None)
    if tx.execute(update(t.notices).where(*where, timed).values(late_after=None)).rowcount:
        audit.record(tx, at=now, by=by, action="notice.gone_on", subject=f"notice {notice.id}")
    return get(tx, notice.id)


def withdraw(tx: Transaction, notice: Notice, *, by: str, now: datetime) -> Notice:
    """Stops whatever has not gone out yet; what is out, or on its way, stays out. Raises AlreadyDone when all is."""
    _move(tx, notice.id, NoticeState.WITHDRAWN)
    audit.record(tx, at=now, by=by, action="notice.withdrawn", subject=f"notice {notice.id}")
    return get(tx, notice.id)


def hold_back(tx: Transaction, notice: Notice, *, by: str, now: datetime) -> Notice:
    """Stops what has not gone out yet until somebody says `publish` once more, whatever its time was.

    Raises AlreadyDone when all is out.
    """
    unsaid = {"published_by": None, "publishing_since": None, "due_at": None, "time_zone": None, "late_after": None}
    _move(tx, notice.id, NoticeState.APPROVED, out_of=NoticeState.PUBLISHING, **unsaid)
    audit.record(tx, at=now, by=by, action="notice.held_back", subject=f"notice {notice.id}")
    return get(tx, notice.id)


def retry(tx: Transaction, notice: Notice, *, by: str, now: datetime) -> int:
    """Puts refused deliveries of a notice that is going out in line again; gives how many."""
    if not _publishing(tx, notice.id):
        return 0
    where = (t.deliveries.c.notice_id == notice.id, t.deliveries.c.state == DeliveryState.FAILED.value)
    waiting = {"state": DeliveryState.WAITING.value, "reason": None}
    retried = tx.execute(update(t.deliveries).where(*where).values(**waiting)).rowcount
    if retried:
        audit.record(tx, at=now, by=by, action="notice.retried", subject=f"notice {notice.id}", deliveries=retried)
    return retried


def settle_by_hand(tx: Transaction, delivery: Delivery, *, was_sent: bool, by: str, now: datetime) -> None:
    """A person looked at the network and says whether a delivery of unknown outcome is there.

    Raises AlreadyDone where its outcome is known.
    """
    where = (t.deliveries.c.id == delivery.id, t.deliveries.c.state == DeliveryState.UNKNOWN.value)
    values: dict[str, Any] = {"state": DeliveryState.FAILED.value, "reason": f"not on the network, says {by}"}
    if was_sent:
        values = {"state": DeliveryState.SENT.value, "sent_at": delivery.sending_since, "reason": f"settled by {by}"}
    if not tx.execute(update(t.deliveries).where(*where).values(**values)).rowcount:
        raise AlreadyDone(f"The outcome of N{delivery.notice_id} on {delivery.account} is known already.")
    found = Finding.THERE if was_sent else Finding.MISSING
    looks.keep(tx, Sent.NOTICE, delivery.id, asked=looks.BY_EYE, found=found, at=now, by=by)
    subject = f"notice {delivery.notice_id}"
    audit.record(tx, at=now, by=by, action="delivery.settled", subject=subject, delivery=delivery.id, was_sent=was_sent)
    finish(tx, delivery.notice_id, now)


def finish(tx: Transaction, notice_id: int, now: datetime) -> None:
    """Marks the notice as published once every delivery has gone out."""
    if not _publishing(tx, notice_id):
        return
    where = (t.deliveries.c.notice_id == notice_id, t.deliveries.c.state != DeliveryState.SENT.value)
    if tx.scalar(select(t.deliveries.c.id).where(*where).limit(1)) is None:
        _move(tx, notice_id, NoticeState.PUBLISHED, published_at=now)
        audit.record(tx, at=now, by="daemon", action="notice.published", subject=f"notice {notice_id}")


def _in_time(now: datetime) -> ColumnElement[bool]:
    """That what goes out by itself still may: not too late, and no cheer while an incident holds that.

    What a person published has no `late_after`; see `scheduled.py`.
    """
    cheer = and_(t.notices.c.kind == NoticeKind.CHEER.value, incident_holds.cheer_is_held())
    return or_(t.notices.c.late_after.is_(None), and_(t.notices.c.late_after > now, ~cheer))


def _publishing(tx: Transaction, notice_id: int, *also: ColumnElement[bool]) -> bool:
    """Whether the notice is going out; true until the transaction ends, for the row is locked where rows can be."""
    where = (t.notices.c.id == notice_id, t.notices.c.state == NoticeState.PUBLISHING.value, *also)
    return tx.scalar(select(t.notices.c.id).where(*where).with_for_update()) is not None


def _move(
    tx: Transaction, notice_id: int, to: NoticeState, *, out_of: NoticeState | None = None, **values: Any
) -> None:
    """One step of the notice's life, from wherever it may start, or only out of that state. Raises AlreadyDone."""
    before = [state.value for state, steps in NOTICE_MOVES.items() if to in steps and out_of in (None, state)]
    where = (t.notices.c.id == notice_id, t.notices.c.state.in_(before))
    if not tx.execute(update(t.notices).where(*where).values(state=to.value, **values)).rowcount:
        now = get(tx, notice_id)
        who = {NoticeState.APPROVED: now.approved_by, NoticeState.PUBLISHING: now.published_by}.get(now.state)
        raise AlreadyDone(f"N{notice_id} is already {now.state}{f' (by {who})' if who else ''}.")


# --- what the sender does: the verbs of outbox.py -------------------------------------------------------------------


def sendable(tx: Transaction, account: str, now: datetime) -> list[Delivery]:
    """Deliveries of notices being published, and not too late for their time, that have not gone out, in order.

    Those behind a part that still waits are among them, for its turn comes first; those behind one that was refused,
    or of which nobody knows, are not.
    """
    query = _deliveries().join(t.notices, t.notices.c.id == t.deliveries.c.notice_id)
    ready = (
        t.notices.c.state == NoticeState.PUBLISHING.value,
        _in_time(now),
        t.deliveries.c.state == DeliveryState.WAITING.value,
        t.deliveries.c.account == account,
    )
    held: set[tuple[int, str]] = set()
    found = []
    for row in tx.execute(query.where(*ready).order_by(t.deliveries.c.id)):
        delivery = _delivery(row)
        thread = (delivery.notice_id, delivery.language)
        if thread in held or delivery.behind not in (None, DeliveryState.WAITING):
            held.add(thread)
        else:
            found.append(delivery)
    return found


def claim(tx: Transaction, delivery: Delivery, now: datetime) -> bool:
    """Writes `sending`, if it still waits, its notice is going out and not too late, the part before it is out and
    neither a switch holds it nor, where it is scheduled cheer, an incident.

    This must be committed before the network is called.
    """
    if not _publishing(tx, delivery.notice_id, _in_time(now)):
        return False
    if delivery.part > 1:
        state, posted_id = _part_before(tx, delivery)
        if state is not DeliveryState.SENT:
            return False
        if posted_id is None:
            _cannot_go_on(tx, delivery, now)
            return False
    where = (t.deliveries.c.id == delivery.id, t.deliveries.c.state == DeliveryState.WAITING.value)
    won = tx.execute(
        update(t.deliveries)
        .where(*where, ~switch.held(tx, delivery.network, *delivery.kinds))
        .values(
            state=DeliveryState.SENDING.value,
            sending_since=now,
            sender=senders.me(),
            unknown_since=None,
            looked_at=None,
            reason=None,
        )
    )
    if won.rowcount:
        subject = f"notice {delivery.notice_id}"
        audit.record(tx, at=now, by="daemon", action="delivery.sending", subject=subject, delivery=delivery.id)
    return bool(won.rowcount)


def after(tx: Transaction, delivery: Delivery) -> str | None:
    """The network's id of what this one goes below: the part that it continues, or what a follow-up follows.

    None for whatever stands by itself, also where what it was to follow has been deleted since.
    """
    if delivery.part > 1:
        return _part_before(tx, delivery)[1]
    done = (t.amendments.c.kind == AmendmentKind.DELETE.value, t.amendments.c.state == AmendmentState.DONE.value)
    deleted = select(t.amendments.c.delivery_id).where(*done)
    where = (t.deliveries.c.id == delivery.below_id, t.deliveries.c.id.not_in(deleted))
    return tx.scalar(select(t.deliveries.c.posted_id).where(*where))


def _part_before(tx: Transaction, delivery: Delivery) -> tuple[DeliveryState, str | None]:
    """How the part before it stands, and where it is on the network."""
    columns = t.deliveries.c
    same = (columns.notice_id == delivery.notice_id, columns.account == delivery.account)
    where = (*same, columns.language == delivery.language, columns.part == delivery.part - 1)
    row = tx.execute(select(columns.state, columns.posted_id).where(*where)).one()
    return DeliveryState(row.state), row.posted_id


def _cannot_go_on(tx: Transaction, delivery: Delivery, now: datetime) -> None:
    """A person says that the part before is there, but nobody knows under which address: nothing can follow it."""
    reason = f"nobody knows the address of part {delivery.part - 1}, which it goes on from; post it there by hand"
    where = (t.deliveries.c.id == delivery.id, t.deliveries.c.state == DeliveryState.WAITING.value)
    tx.execute(update(t.deliveries).where(*where).values(state=DeliveryState.FAILED.value, reason=reason))
    subject = f"notice {delivery.notice_id}"
    audit.record(
        tx, at=now, by="daemon", action="delivery.failed", subject=subject, delivery=delivery.id, reason=reason
    )


def sending(tx: Transaction, account: str) -> bool:
    """Whether anything says `sending`."""
    where = (t.deliveries.c.account == account, t.deliveries.c.state == DeliveryState.SENDING.value)
    return tx.scalar(select(t.deliveries.c.id).where(*where).limit(1)) is not None


def several(tx: Transaction, numbers: Sequence[int]) -> list[Delivery]:
    """Those deliveries."""
    return [_delivery(row) for row in tx.execute(_deliveries().where(t.deliveries.c.id.in_(numbers)))]


def in_doubt(tx: Transaction) -> list[Delivery]:
    """Every delivery of which nobody knows whether it went out, the longest unknown first."""
    where = t.deliveries.c.state == DeliveryState.UNKNOWN.value
    return [_delivery(row) for row in tx.execute(_deliveries().where(where).order_by(t.deliveries.c.id))]


def abandoned(tx: Transaction, account: str, now: datetime) -> int:
    """Turns what a dead sender left behind into `unknown`. Call it only as the account's sole sender."""
    where = (t.deliveries.c.account == account, t.deliveries.c.state == DeliveryState.SENDING.value)
    left = [(_delivery(row), row.sender) for row in tx.execute(_deliveries().where(*where))]
    for delivery, sender in left:
        unknown(tx, delivery, senders.epitaph(sender), now)
    return len(left)


def unsettled(tx: Transaction, account: str) -> list[Delivery]:
    """Deliveries of which nobody knows yet whether they went out."""
    where = (t.deliveries.c.account == account, t.deliveries.c.state == DeliveryState.UNKNOWN.value)
    return [_delivery(row) for row in tx.execute(_deliveries().where(*where).order_by(t.deliveries.c.id))]


def looked(tx: Transaction, delivery: Delivery, now: datetime) -> None:
    """Remembers that the network was searched for it."""
    tx.execute(update(t.deliveries).where(t.deliveries.c.id == delivery.id).values(looked_at=now))


def doubt(tx: Transaction, delivery: Delivery) -> None:
    """Remembers that no search can tell any more that it is not there."""
    tx.execute(update(t.deliveries).where(t.deliveries.c.id == delivery.id).values(unknown_since=None))


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
    _outcome(tx, delivery, DeliveryState.UNKNOWN, now, reason=reason, unknown_since=now)


def not_sent(tx: Transaction, delivery: Delivery, reason: str, now: datetime) -> None:
    """It certainly did not go out: it waits again."""
    _outcome(tx, delivery, DeliveryState.WAITING, now, reason=reason)


def _outcome(tx: Transaction, delivery: Delivery, to: DeliveryState, now: datetime, **values: Any) -> None:
    on_their_way = [
        s.value for s in (DeliveryState.SENDING, DeliveryState.UNKNOWN) if to in DELIVERY_MOVES[s] or s is to
    ]
    where = (t.deliveries.c.id == delivery.id, t.deliveries.c.state.in_(on_their_way))
    if not tx.execute(update(t.deliveries).where(*where).values(state=to.value, **values)).rowcount:
        return  # a person has settled it meanwhile
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
    query = _deliveries().where(t.deliveries.c.notice_id == row.id).order_by(t.deliveries.c.id)
    elsewhere = ("state", "kind", "follows_as", "deliveries", "images", "links")
    same = {name: getattr(row, name) for name in Notice.__dataclass_fields__ if name not in elsewhere}
    return Notice(
        **same,
        state=NoticeState(row.state),
        kind=NoticeKind(row.kind),
        follows_as=FollowUp(row.follows_as) if row.follows_as else None,
        images=attachments.of_notice(tx, row.id),
        links=notice_links.of(tx, row.id),
        deliveries=tuple(_delivery(each) for each in tx.execute(query)),
    )


def _deliveries() -> Select[Any]:
    """Deliveries, each with how many parts its thread has and how the one before it stands."""
    columns, other = t.deliveries.c, t.deliveries.alias("other")
    thread: tuple[ColumnElement[bool], ...] = (
        other.c.notice_id == columns.notice_id,
        other.c.account == columns.account,
        other.c.language == columns.language,
    )
    parts = select(func.count()).select_from(other).where(*thread).scalar_subquery().label("parts")
    before = select(other.c.state).where(*thread, other.c.part == columns.part - 1)
    behind = before.where(other.c.state != DeliveryState.SENT.value).scalar_subquery().label("behind")
    whole = t.notices.alias("whole")
    hour_set = exists().where(whole.c.id == columns.notice_id, whole.c.due_at.is_not(None)).label("scheduled")
    return select(t.deliveries, parts, behind, hour_set)


def _delivery(row: Row[Any]) -> Delivery:
    values = {name: getattr(row, name) for name in Delivery.__dataclass_fields__}
    states = {"state": DeliveryState(row.state), "behind": DeliveryState(row.behind) if row.behind else None}
    return Delivery(**values | states)
