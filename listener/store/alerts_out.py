"""Alerts on their way out. Several processes may send at once: each alert is claimed by one of them.

At least once: whoever dies while sending leaves a claim that runs out, and the next one sends under the same key.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import ColumnElement, func, insert, literal, select, update

from listener.store import Transaction, audit, upsert
from listener.store import tables as t
from listener.store.alerts import DIGEST, OPEN, Alert, from_row, joined
from listener.types import AlertState, Urgency

LEASE = timedelta(minutes=2)  # a sender that has not come back by then is taken for dead
HOUR = timedelta(hours=1)
DIGEST_EVERY = timedelta(minutes=5)  # in a flood, a target hears from us as often as that
PATIENCE = timedelta(days=1)  # for so long a message is tried

_COLUMNS = t.alerts.c
CRITICAL = _COLUMNS.urgency == Urgency.CRITICAL.value  # these come first, and have `hourly` messages of their own


def open_targets(tx: Transaction) -> list[str]:
    """The targets that something waits for, by name."""
    waits = _COLUMNS.state.in_([state.value for state in OPEN])
    return list(tx.scalars(select(_COLUMNS.target).where(waits).distinct().order_by(_COLUMNS.target)).all())


def due(tx: Transaction, *, longest_rest: timedelta, now: datetime) -> set[str]:
    """The targets for which `claim` may give something now."""
    tried, until = _COLUMNS.next_try_at, _COLUMNS.claimed_until
    waits = (_COLUMNS.state == AlertState.WAITING.value) & ((tried <= now) | (tried > now + 2 * HOUR))
    left = (_COLUMNS.state == AlertState.SENDING.value) & ((until <= now) | (until > now + 2 * LEASE))
    columns = t.alert_targets.c
    resting = select(columns.target).where(columns.rests_until > now, columns.rests_until <= now + longest_rest)
    names = select(_COLUMNS.target).where(waits | left, _COLUMNS.target.not_in(resting)).distinct()
    return set(tx.scalars(names).all())


def claim(tx: Transaction, target: str, *, hourly: int, longest_rest: timedelta, now: datetime) -> Alert | None:
    """The alert to send to the target now, which says `sending` from here on; None where nothing is due.

    This must be committed before it is sent. What is critical comes first, then what is due longest. Above `hourly`
    messages within an hour one goes every `DIGEST_EVERY`: what is new, gathered into one, and what failed before take
    turns; what then has not gone `PATIENCE` after it was first tried is given up. But what is critical waits for none
    but critical ones. A rest that is longer than `longest_rest` comes from a clock that was set back.
    """
    tx.execute(upsert(tx, t.alert_targets).values(target=target, failures=0).on_conflict_do_nothing())
    row = tx.execute(select(t.alert_targets).where(t.alert_targets.c.target == target).with_for_update()).one()
    if row.rests_until and now < row.rests_until <= now + longest_rest:
        return None
    _take_back(tx, target, now)
    mine = (_COLUMNS.target == target, _COLUMNS.state == AlertState.WAITING.value)
    due = (*mine, _COLUMNS.next_try_at <= now)
    chosen = _longest_due(tx, *due)
    if chosen is None:
        return None
    went = (_COLUMNS.target == target, _COLUMNS.state.in_((AlertState.SENT.value, AlertState.SENDING.value)))
    lately = (*went, _COLUMNS.tried_at > now - HOUR, _COLUMNS.tried_at <= now)
    counts = select(func.count(), func.count().filter(CRITICAL), func.max(_COLUMNS.tried_at))
    told, critical, last = tx.execute(counts.where(*lately)).one()
    if told >= hourly:
        pressing = _longest_due(tx, *due, CRITICAL) if critical < hourly else None
        if pressing is None and last is not None and last > now - DIGEST_EVERY:
            return None
        chosen = pressing or _next_in_a_flood(tx, target, *due, now=now)
        if chosen is None:
            return None
    tx.execute(
        update(t.alerts)
        .where(_COLUMNS.id == chosen)
        .values(
            state=AlertState.SENDING.value,
            attempts=_COLUMNS.attempts + 1,
            first_tried_at=func.coalesce(_COLUMNS.first_tried_at, literal(now, t.Moment())),
            tried_at=now,
            claimed_until=now + LEASE,
        )
    )
    return from_row(tx.execute(joined().where(_COLUMNS.id == chosen)).one())


def _longest_due(tx: Transaction, *where: ColumnElement[bool]) -> int | None:
    """Of those alerts a critical one, else the one that is due longest; of several critical ones, that one too.

    What fails goes to the end of this queue, so all have their turn.
    """
    in_order = (~CRITICAL, _COLUMNS.next_try_at, _COLUMNS.id)
    return tx.scalar(select(_COLUMNS.id).where(*where).order_by(*in_order).limit(1))


def _next_in_a_flood(tx: Transaction, target: str, *due: ColumnElement[bool], now: datetime) -> int | None:
    """What failed before or what is new, in turn; what failed for too long is given up."""
    _give_up(tx, *due, _COLUMNS.first_tried_at <= now - PATIENCE, now=now)
    latest = select(_COLUMNS.attempts).where(_COLUMNS.target == target, _COLUMNS.tried_at <= now)
    was_new = tx.scalar(latest.order_by(_COLUMNS.tried_at.desc(), _COLUMNS.id.desc()).limit(1)) == 1
    failed = _longest_due(tx, *due, _COLUMNS.attempts > 0)
    turn = failed if was_new else None
    return turn or _gather(tx, target, now) or _longest_due(tx, *due, _COLUMNS.attempts == 0) or failed


def _give_up(tx: Transaction, *where: ColumnElement[bool], now: datetime) -> None:
    old = select(_COLUMNS.id, _COLUMNS.target, _COLUMNS.reason).where(*where).order_by(_COLUMNS.id)
    for row in tx.execute(old).all():
        reason = f"Tried for a day. {row.reason or ''}".strip()
        values = {"state": AlertState.FAILED.value, "settled_at": now, "reason": reason}
        tx.execute(update(t.alerts).where(_COLUMNS.id == row.id).values(**values))
        subject = f"alert {row.id}"
        audit.record(tx, at=now, by="daemon", action="alert.failed", subject=subject, to=row.target, reason=reason)


def _take_back(tx: Transaction, target: str, now: datetime) -> None:
    """What a dead sender left behind waits again; so does what a clock that was set back would hold for long.

    Two machines whose clocks differ by less than a lease do each other no harm.
    """
    run_out = (_COLUMNS.claimed_until <= now) | (_COLUMNS.claimed_until > now + 2 * LEASE)
    where = (_COLUMNS.target == target, _COLUMNS.state == AlertState.SENDING.value, run_out)
    tx.execute(update(t.alerts).where(*where).values(state=AlertState.WAITING.value, next_try_at=now))
    ahead = (
        _COLUMNS.target == target,
        _COLUMNS.state == AlertState.WAITING.value,
        _COLUMNS.next_try_at > now + 2 * HOUR,
    )
    tx.execute(update(t.alerts).where(*ahead).values(next_try_at=now))


def _gather(tx: Transaction, target: str, now: datetime) -> int | None:
    """A digest of what was never tried yet; None where that is less than two. What was tried keeps its own key."""
    new = (
        _COLUMNS.target == target,
        _COLUMNS.state == AlertState.WAITING.value,
        _COLUMNS.attempts == 0,
    )
    count, first = tx.execute(select(func.count(), func.min(_COLUMNS.id)).where(*new)).one()
    if count < 2:
        return None
    made = tx.execute(
        insert(t.alerts).values(
            target=target,
            kind=DIGEST,
            subject=f"{count} alerts",
            why=f"More than the settings let through to {target} in an hour came at once.",
            rule="",
            urgency="",
            key=f"digest from {first}",
            send_key=uuid4().hex,
            state=AlertState.WAITING.value,
            attempts=0,
            made_at=now,
            next_try_at=now,
            stands_for=count,
        )
    )
    digest: int = made.inserted_primary_key[0]  # type: ignore[index]
    gathered = {"state": AlertState.GATHERED.value, "digest_id": digest, "settled_at": now}
    tx.execute(update(t.alerts).where(*new, _COLUMNS.id != digest).values(**gathered))
    return digest


def sent(tx: Transaction, alert: Alert, *, remark: str, now: datetime) -> bool:
    """The receiver has it; `remark` says what to know of it, empty where nothing. Whether the target failed before."""
    underway = (_COLUMNS.id == alert.id, _COLUMNS.state.in_([state.value for state in OPEN]))
    done = {"state": AlertState.SENT.value, "settled_at": now, "claimed_until": None, "reason": remark or None}
    tx.execute(update(t.alerts).where(*underway).values(**done))
    before = tx.scalar(select(t.alert_targets.c.failures).where(t.alert_targets.c.target == alert.target))
    well = {"failures": 0, "failing_since": None, "rests_until": None, "last_error": None, "succeeded_at": now}
    tx.execute(update(t.alert_targets).where(t.alert_targets.c.target == alert.target).values(**well))
    audit.record(tx, at=now, by="daemon", action="alert.sent", subject=f"alert {alert.id}", to=alert.target)
    return bool(before)


def not_sent(tx: Transaction, alert: Alert, *, reason: str, again: datetime) -> None:
    """It may not have arrived, and is tried again at `again`."""
    values = {"state": AlertState.WAITING.value, "next_try_at": again, "claimed_until": None, "reason": reason}
    tx.execute(update(t.alerts).where(*_mine(alert)).values(**values))


def rest(tx: Transaction, target: str, *, until: datetime) -> None:
    """Nothing goes to the target before then."""
    tx.execute(update(t.alert_targets).where(t.alert_targets.c.target == target).values(rests_until=until))


def given_up(tx: Transaction, alert: Alert, *, reason: str, now: datetime) -> None:
    """It is not tried any more; `status` says so, and a person may try it again."""
    values = {"state": AlertState.FAILED.value, "settled_at": now, "claimed_until": None, "reason": reason}
    if tx.execute(update(t.alerts).where(*_mine(alert)).values(**values)).rowcount:
        subject = f"alert {alert.id}"
        audit.record(tx, at=now, by="daemon", action="alert.failed", subject=subject, to=alert.target, reason=reason)


def failed(tx: Transaction, target: str, *, error: str, now: datetime) -> tuple[int, datetime]:
    """Counts a failure of the target; gives how many there were in a row, and since when."""
    columns = t.alert_targets.c
    row = tx.execute(select(t.alert_targets).where(columns.target == target).with_for_update()).one()
    failures, since = row.failures + 1, row.failing_since or now
    values = {"failures": failures, "failing_since": since, "last_error": error}
    tx.execute(update(t.alert_targets).where(columns.target == target).values(**values))
    return failures, since


def give_up_all(tx: Transaction, target: str, *, since: datetime, reason: str, now: datetime) -> int:
    """Gives up whatever waits for the target and should have gone before `since`; gives how many."""
    asked = func.coalesce(_COLUMNS.first_tried_at, _COLUMNS.next_try_at)
    where = (_COLUMNS.target == target, _COLUMNS.state == AlertState.WAITING.value, asked < since)
    ids = tx.scalars(select(_COLUMNS.id).where(*where).order_by(_COLUMNS.id)).all()
    values = {"state": AlertState.FAILED.value, "settled_at": now, "reason": reason}
    tx.execute(update(t.alerts).where(*where).values(**values))
    for alert_id in ids:
        subject = f"alert {alert_id}"
        audit.record(tx, at=now, by="daemon", action="alert.failed", subject=subject, to=target, reason=reason)
    return len(ids)


def _mine(alert: Alert) -> tuple[ColumnElement[bool], ...]:
    """Whether the claim is still ours: nobody else took it for abandoned meanwhile."""
    return _COLUMNS.id == alert.id, _COLUMNS.state == AlertState.SENDING.value, _COLUMNS.tried_at == alert.tried_at
