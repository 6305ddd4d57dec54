"""What changed here, on its way to the CRMs. A note is written with the change; how things stand is told on sending.

Several processes may send at once: each delivery is claimed by one of them. Of one subject nothing goes before what
went ahead of it is settled, so a receiver never gets the older after the newer. At least once: whoever dies while
sending leaves a claim that runs out, and the next one sends the same under the same key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Row, delete, exists, func, insert, literal, select, update

from listener.store import Transaction, audit, crm_ways
from listener.store import tables as t
from listener.store.crm_ways import OUT
from listener.types import AlertState

LEASE = timedelta(minutes=2)  # a sender that has not come back by then is taken for dead
PATIENCE = timedelta(days=7)  # for so long a delivery is tried
KEPT = timedelta(days=30)  # for so long it can be looked up what was delivered
HOUR = timedelta(hours=1)
OPEN = (AlertState.WAITING, AlertState.SENDING)
ORIGIN = "crm "  # how the source of a change begins that a CRM brought; its name follows

_COLUMNS = t.crm_deliveries.c
_OPEN = _COLUMNS.state.in_([state.value for state in OPEN])


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One subject's news for one CRM. `fields` is None until it is first tried."""

    id: int
    system: str
    subject: str
    kind: str
    send_key: str
    fields: Mapping[str, Any] | None
    state: AlertState
    attempts: int
    made_at: datetime
    next_try_at: datetime
    first_tried_at: datetime | None
    tried_at: datetime | None
    settled_at: datetime | None
    reason: str


def note(tx: Transaction, what: str, subjects: Collection[str], kind: str, *, now: datetime, source: str = "") -> None:
    """Notes for every CRM that takes `what` ("cases" or "customers") that something happened to these subjects.

    It goes to none that it came from: `source` is `ORIGIN` and that CRM's name then. Which CRM takes what, the store's
    opener said (`Store.crms`).
    """
    takers: Mapping[str, Collection[str]] = tx.get_execution_options().get("escucha_crms", {})
    rows = [
        {
            "system": system,
            "subject": subject,
            "kind": kind,
            "send_key": uuid4().hex,
            "state": AlertState.WAITING.value,
            "attempts": 0,
            "made_at": now,
            "next_try_at": now,
        }
        for system, takes in takers.items()
        if what in takes and source != f"{ORIGIN}{system}"
        for subject in subjects
    ]
    if rows:
        tx.execute(insert(t.crm_deliveries), rows)


def due(tx: Transaction, system: str, *, now: datetime) -> bool:
    """Whether `claim` may give something now."""
    tried, until = _COLUMNS.next_try_at, _COLUMNS.claimed_until
    waits = (_COLUMNS.state == AlertState.WAITING.value) & ((tried <= now) | (tried > now + 2 * HOUR))
    left = (_COLUMNS.state == AlertState.SENDING.value) & ((until <= now) | (until > now + 2 * LEASE))
    found = tx.scalar(select(_COLUMNS.id).where(_COLUMNS.system == system, waits | left).limit(1))
    return found is not None and not crm_ways.rests(tx, system, OUT, now=now)


def claim(tx: Transaction, system: str, *, now: datetime, at_once: bool = False) -> Delivery | None:
    """The delivery to send now, which says `sending` from here on; None where nothing is due.

    This must be committed before it is sent. What else waits untried of the same subject is told by it, too.
    `at_once`: also what is not due yet, and while the CRM rests.
    """
    crm_ways.lock(tx, system, OUT)
    if not at_once and crm_ways.rests(tx, system, OUT, now=now):
        return None
    _take_back(tx, system, now)
    older = t.crm_deliveries.alias()
    behind = exists().where(
        older.c.system == _COLUMNS.system,
        older.c.subject == _COLUMNS.subject,
        older.c.id < _COLUMNS.id,
        older.c.state.in_([state.value for state in OPEN]),
    )
    mine = [_COLUMNS.system == system, _COLUMNS.state == AlertState.WAITING.value, ~behind]
    mine += [] if at_once else [_COLUMNS.next_try_at <= now]
    row = tx.execute(select(t.crm_deliveries).where(*mine).order_by(_COLUMNS.next_try_at, _COLUMNS.id).limit(1)).first()
    if row is None:
        return None
    if not row.attempts:
        _gather(tx, row, now)
    values = {
        "state": AlertState.SENDING.value,
        "attempts": _COLUMNS.attempts + 1,
        "first_tried_at": func.coalesce(_COLUMNS.first_tried_at, literal(now, t.Moment())),
        "tried_at": now,
        "claimed_until": now + LEASE,
    }
    tx.execute(update(t.crm_deliveries).where(_COLUMNS.id == row.id).values(**values))
    return get(tx, row.id)


def _take_back(tx: Transaction, system: str, now: datetime) -> None:
    """What a dead sender left behind waits again; so does what a clock that was set back would hold for long."""
    run_out = (_COLUMNS.claimed_until <= now) | (_COLUMNS.claimed_until > now + 2 * LEASE)
    where = (_COLUMNS.system == system, _COLUMNS.state == AlertState.SENDING.value, run_out)
    tx.execute(update(t.crm_deliveries).where(*where).values(state=AlertState.WAITING.value, next_try_at=now))
    ahead = (
        _COLUMNS.system == system,
        _COLUMNS.state == AlertState.WAITING.value,
        _COLUMNS.next_try_at > now + 2 * HOUR,
    )
    tx.execute(update(t.crm_deliveries).where(*ahead).values(next_try_at=now))


def _gather(tx: Transaction, row: Row[Any], now: datetime) -> None:
    """What else waits untried of its subject is told by this delivery."""
    where = (
        _COLUMNS.system == row.system,
        _COLUMNS.subject == row.subject,
        _COLUMNS.state == AlertState.WAITING.value,
        _COLUMNS.attempts == 0,
        _COLUMNS.id != row.id,
    )
    told = {"state": AlertState.GATHERED.value, "told_by_id": row.id, "settled_at": now}
    tx.execute(update(t.crm_deliveries).where(*where).values(**told))


def happened(tx: Transaction, delivery: Delivery) -> list[tuple[str, datetime]]:
    """What it tells: each thing that happened to its subject, and when, oldest first."""
    mine = (_COLUMNS.id == delivery.id) | (_COLUMNS.told_by_id == delivery.id)
    return [(row.kind, row.made_at) for row in tx.execute(select(t.crm_deliveries).where(mine).order_by(_COLUMNS.id))]


def put_together(tx: Transaction, delivery: Delivery, fields: Mapping[str, Any]) -> None:
    """What it says from now on, at every attempt."""
    tx.execute(update(t.crm_deliveries).where(_COLUMNS.id == delivery.id).values(fields=dict(fields)))


def sent(tx: Transaction, delivery: Delivery, *, remark: str, now: datetime) -> bool:
    """The CRM has it, and what it was told is forgotten here; whether it had failed before. `remark`: what to know.

    What was given up of the same subject before is told by it.
    """
    underway = (_COLUMNS.id == delivery.id, _OPEN)
    done = {"state": AlertState.SENT.value, "settled_at": now, "claimed_until": None}
    tx.execute(update(t.crm_deliveries).where(*underway).values(**done, fields=None, reason=remark or None))
    refused = (
        _COLUMNS.system == delivery.system,
        _COLUMNS.subject == delivery.subject,
        _COLUMNS.state == AlertState.FAILED.value,
        _COLUMNS.id < delivery.id,
    )
    told = {"state": AlertState.GATHERED.value, "told_by_id": delivery.id, "fields": None}
    tx.execute(update(t.crm_deliveries).where(*refused).values(**told))
    audit.record(tx, at=now, by="daemon", action="crm.sent", subject=delivery.subject[:100], to=delivery.system)
    return crm_ways.worked(tx, delivery.system, OUT, now=now)


def not_sent(tx: Transaction, delivery: Delivery, *, reason: str, again: datetime | None, now: datetime) -> None:
    """It may not have arrived: it is tried again at `again`, or given up where that is None."""
    mine = (
        _COLUMNS.id == delivery.id,
        _COLUMNS.state == AlertState.SENDING.value,
        _COLUMNS.tried_at == delivery.tried_at,  # nobody else took it for abandoned meanwhile
    )
    if again is not None:
        values = {"state": AlertState.WAITING.value, "next_try_at": again, "claimed_until": None, "reason": reason}
        tx.execute(update(t.crm_deliveries).where(*mine).values(**values))
        return
    given_up = {"state": AlertState.FAILED.value, "settled_at": now, "claimed_until": None, "reason": reason}
    if tx.execute(update(t.crm_deliveries).where(*mine).values(**given_up)).rowcount:
        detail = {"to": delivery.system, "reason": reason}
        audit.record(tx, at=now, by="daemon", action="crm.failed", subject=delivery.subject[:100], **detail)


def retry(tx: Transaction, *, by: str, now: datetime, system: str | None = None) -> list[Delivery]:
    """What was given up waits again under the key that it had, and no CRM rests. Gives those.

    Of one subject the newest alone, as that tells how it stands: an older one must not arrive after it.
    """
    newer = t.crm_deliveries.alias()
    told = exists().where(
        newer.c.system == _COLUMNS.system,
        newer.c.subject == _COLUMNS.subject,
        newer.c.id > _COLUMNS.id,
        newer.c.state.in_([AlertState.FAILED.value, *(state.value for state in OPEN)]),
    )
    where = [_COLUMNS.state == AlertState.FAILED.value, ~told]
    where += [_COLUMNS.system == system] if system is not None else []
    ids = list(tx.scalars(select(_COLUMNS.id).where(*where).order_by(_COLUMNS.id)).all())
    again = {"state": AlertState.WAITING.value, "next_try_at": now, "first_tried_at": None, "settled_at": None}
    tx.execute(update(t.crm_deliveries).where(_COLUMNS.id.in_(ids)).values(**again))
    waits = [_COLUMNS.state == AlertState.WAITING.value, _COLUMNS.next_try_at > now]
    waits += [_COLUMNS.system == system] if system is not None else []
    tx.execute(update(t.crm_deliveries).where(*waits).values(next_try_at=now))
    crm_ways.wake(tx, OUT, system=system)
    found = [get(tx, number) for number in ids]
    for each in found:
        audit.record(tx, at=now, by=by, action="crm.retried", subject=each.subject[:100], to=each.system)
    return found


def forget(tx: Transaction, *, now: datetime) -> int:
    """Drops what was settled long ago; gives how many."""
    settled = (_COLUMNS.settled_at < now - KEPT, _COLUMNS.state != AlertState.FAILED.value)
    tells = t.crm_deliveries.alias()
    kept = exists().where(tells.c.told_by_id == _COLUMNS.id)
    return int(tx.execute(delete(t.crm_deliveries).where(*settled, ~kept)).rowcount)


def get(tx: Transaction, number: int) -> Delivery:
    """The delivery with that row id."""
    return _delivery(tx.execute(select(t.crm_deliveries).where(_COLUMNS.id == number)).one())


def listing(
    tx: Transaction, *, system: str | None = None, states: Sequence[AlertState], limit: int | None = None
) -> list[Delivery]:
    """Deliveries in those states, the newest first."""
    where: list[ColumnElement[bool]] = [_COLUMNS.state.in_([state.value for state in states])]
    where += [_COLUMNS.system == system] if system is not None else []
    query = select(t.crm_deliveries).where(*where).order_by(_COLUMNS.id.desc()).limit(limit)
    return [_delivery(row) for row in tx.execute(query)]


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What one CRM has not been told: how much waits and since when; how much was given up lately."""

    waiting: int = 0
    oldest: datetime | None = None
    given_up: int = 0


def backlogs(tx: Transaction) -> dict[str, Backlog]:
    """By CRM, those alone that have some."""
    open_ = func.count().filter(_OPEN)
    failed = func.count().filter(_COLUMNS.state == AlertState.FAILED.value)
    oldest = func.min(_COLUMNS.made_at).filter(_OPEN)
    states = [AlertState.WAITING.value, AlertState.SENDING.value, AlertState.FAILED.value]
    query = select(_COLUMNS.system, open_.label("waiting"), oldest.label("oldest"), failed.label("given_up"))
    rows = tx.execute(query.where(_COLUMNS.state.in_(states)).group_by(_COLUMNS.system))
    return {row.system: Backlog(waiting=row.waiting, oldest=row.oldest, given_up=row.given_up) for row in rows}


def _delivery(row: Row[Any]) -> Delivery:
    read: dict[str, Any] = {"state": AlertState(row.state), "reason": row.reason or ""}
    return Delivery(**read, **{name: getattr(row, name) for name in Delivery.__dataclass_fields__ if name not in read})
