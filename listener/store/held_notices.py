"""What was given a time and does not go out then: what is held, and what will be should an incident last until then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, or_, select

from listener.store import Transaction, incident_holds, notices
from listener.store import tables as t
from listener.store.notices import Notice
from listener.types import DeliveryState, NoticeKind, NoticeState


@dataclass(frozen=True, kw_only=True)
class Held:
    """A notice with why it does not go out; `ahead`: its time is yet to come, and the incident may be over by then."""

    notice: Notice
    why: str
    ahead: bool


def held(tx: Transaction, now: datetime) -> list[Held]:
    """Each of them, by its time."""
    cheer = incident_holds.why_no_cheer(tx)
    of = t.deliveries.c.notice_id == t.notices.c.id
    waits = exists().where(of, t.deliveries.c.state == DeliveryState.WAITING.value)
    is_cheer = t.notices.c.kind == NoticeKind.CHEER.value
    approved = t.notices.c.state == NoticeState.APPROVED.value
    by_itself = (t.notices.c.state == NoticeState.PUBLISHING.value) & t.notices.c.late_after.is_not(None)
    half_out = by_itself & is_cheer & waits
    here = or_(approved & or_(t.notices.c.held.is_not(None), is_cheer), half_out)
    query = select(t.notices.c.id).where(t.notices.c.due_at.is_not(None), here)
    found = [notices.get(tx, number) for number in tx.scalars(query.order_by(t.notices.c.due_at, t.notices.c.id)).all()]
    told = []
    for notice in found:
        ahead = notice.due_at is not None and notice.due_at > now
        why = cheer if notice.kind is NoticeKind.CHEER and cheer else notice.held or ""
        if why and not (ahead and not cheer):
            told.append(Held(notice=notice, why=why, ahead=ahead))
    return told
