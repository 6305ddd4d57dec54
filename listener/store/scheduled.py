"""Notices that go out by themselves: given a time, begun when it comes, by one process whoever else looks too.

Between `due_at` and `late_after` a notice that was approved goes out. What has not begun by then, or was held, waits
until a person publishes it, gives it another time, or withdraws it: nobody is told at six what was true at nine.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, or_, select, update

from listener.errors import AlreadyDone
from listener.store import Transaction, audit, incident_holds, notice_digest, notices, switch
from listener.store import tables as t
from listener.store.notices import Notice
from listener.types import DeliveryState, NoticeKind, NoticeState, SendKind

CHANGED = "it is not what was approved; somebody must read and approve it again"
PAUSED = "sending is paused"
_AT_HOME = (NoticeState.DRAFT.value, NoticeState.APPROVED.value)


def schedule(
    tx: Transaction, notice: Notice, *, due_at: datetime, zone: str, late_after: datetime, by: str, now: datetime
) -> Notice:
    """Gives it a time, or another one; an approval stays, for it is of what is said. Raises AlreadyDone."""
    _set(tx, notice.id, due_at=due_at, time_zone=zone, late_after=late_after, held=None)
    detail = {"due_at": due_at.isoformat(), "zone": zone}
    audit.record(tx, at=now, by=by, action="notice.scheduled", subject=f"notice {notice.id}", **detail)
    return notices.get(tx, notice.id)


def unschedule(tx: Transaction, notice: Notice, *, by: str, now: datetime) -> Notice:
    """Takes its time back; it goes out when somebody publishes it. Raises AlreadyDone."""
    _set(tx, notice.id, due_at=None, time_zone=None, late_after=None, held=None)
    audit.record(tx, at=now, by=by, action="notice.unscheduled", subject=f"notice {notice.id}")
    return notices.get(tx, notice.id)


def due(tx: Transaction, now: datetime) -> list[Notice]:
    """Those approved whose time has come and has not gone by, the earliest first."""
    ready = (t.notices.c.state == NoticeState.APPROVED.value, t.notices.c.due_at <= now, t.notices.c.late_after > now)
    numbers = tx.execute(select(t.notices.c.id).where(*ready).order_by(t.notices.c.due_at, t.notices.c.id)).scalars()
    return [notices.get(tx, number) for number in numbers.all()]


def stale(tx: Transaction, now: datetime) -> list[Notice]:
    """Those whose time went by and of which something waits, the earliest first, as `desk.scheduling.stale` tells."""
    waits = exists().where(
        t.deliveries.c.notice_id == t.notices.c.id, t.deliveries.c.state == DeliveryState.WAITING.value
    )
    on_its_way = (t.notices.c.state == NoticeState.PUBLISHING.value) & waits
    where = (or_(t.notices.c.state.in_(_AT_HOME), on_its_way), t.notices.c.late_after <= now)
    numbers = tx.execute(select(t.notices.c.id).where(*where).order_by(t.notices.c.due_at, t.notices.c.id)).scalars()
    return [notices.get(tx, number) for number in numbers.all()]


def begin(tx: Transaction, notice: Notice, now: datetime) -> bool:
    """Lets it go out because its time has come; False where somebody else did, or it is not to go out after all.

    It stays where it is, and says why, where it is not what was approved, while the switch holds every place that it
    goes to, and, if it is cheer, while an incident holds that.
    """
    if notice_digest.of(tx, notice.id) != notice.digest:
        hold(tx, notice, CHANGED, now)
        return False
    networks = {each.network for each in notice.deliveries}
    if all(switch.is_paused(tx, network, SendKind.NOTICE, SendKind.SCHEDULED) for network in networks):
        hold(tx, notice, PAUSED, now)
        return False
    if notice.kind is NoticeKind.CHEER and (why := incident_holds.why_no_cheer(tx)):
        hold(tx, notice, why, now)
        return False
    wanted = (
        t.notices.c.id == notice.id,
        t.notices.c.state == NoticeState.APPROVED.value,
        t.notices.c.due_at == notice.due_at,
        t.notices.c.due_at <= now,
        t.notices.c.late_after > now,
    )
    values = {"state": NoticeState.PUBLISHING.value, "publishing_since": now, "published_by": "daemon", "held": None}
    if not tx.execute(update(t.notices).where(*wanted).values(**values)).rowcount:
        return False
    audit.record(tx, at=now, by="daemon", action="notice.publishing", subject=f"notice {notice.id}", due=True)
    return True


def hold(tx: Transaction, notice: Notice, reason: str, now: datetime) -> None:
    """Writes down why it does not go out although it is due; each reason once."""
    where = (t.notices.c.id == notice.id, t.notices.c.state == NoticeState.APPROVED.value)
    changed = or_(t.notices.c.held.is_(None), t.notices.c.held != reason)
    if tx.execute(update(t.notices).where(*where, changed).values(held=reason)).rowcount:
        audit.record(tx, at=now, by="daemon", action="notice.held", subject=f"notice {notice.id}", reason=reason)


def _set(tx: Transaction, notice_id: int, **values: datetime | str | None) -> None:
    where = (t.notices.c.id == notice_id, t.notices.c.state.in_(_AT_HOME))
    if not tx.execute(update(t.notices).where(*where).values(**values)).rowcount:
        raise AlreadyDone(f"N{notice_id} is already {notices.get(tx, notice_id).state}.")
