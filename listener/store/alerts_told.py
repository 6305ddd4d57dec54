"""Whether our own people were told what they were to be: when what waits goes out, and what came of each alert."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from listener.store import Transaction
from listener.store import tables as t
from listener.store.alerts import DIGEST, Alert
from listener.store.alerts_out import CRITICAL, DIGEST_EVERY, HOUR
from listener.types import AlertState, Urgency

_COLUMNS = t.alerts.c


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What holds back everything that waits for one target: each None where it does not, or no longer.

    `full_until` is for what is not critical, `critical_until` for what is. `gathers` says whether what was never tried
    goes out as a digest then.
    """

    rests_until: datetime | None = None
    full_until: datetime | None = None
    critical_until: datetime | None = None
    gathers: bool = False

    def full_for(self, alert: Alert) -> datetime | None:
        """Until when the messages that went out lately hold that alert back; None where they do not."""
        return self.critical_until if alert.urgency == Urgency.CRITICAL.value else self.full_until


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What came of one alert, or of the digest that tells it: `state` is `sent`, `failed` or `waiting`."""

    target: str
    state: AlertState
    reason: str


def pace(tx: Transaction, target: str, *, hourly: int, longest_rest: timedelta, now: datetime) -> Pace:
    """What holds the target's alerts back now, as `alerts_out.claim` reckons."""
    rests = tx.scalar(select(t.alert_targets.c.rests_until).where(t.alert_targets.c.target == target))
    went = _COLUMNS.state.in_((AlertState.SENT.value, AlertState.SENDING.value))
    lately = (_COLUMNS.target == target, went, _COLUMNS.tried_at > now - HOUR, _COLUMNS.tried_at <= now)
    newest = select(_COLUMNS.tried_at).order_by(_COLUMNS.tried_at.desc()).limit(hourly)
    tried, critical = tx.scalars(newest.where(*lately)).all(), tx.scalars(newest.where(*lately, CRITICAL)).all()
    new = (_COLUMNS.attempts == 0, _COLUMNS.kind != DIGEST, _COLUMNS.state == AlertState.WAITING.value)
    full = len(tried) >= hourly
    until = min(tried[0] + DIGEST_EVERY, tried[-1] + HOUR) if full else now
    critical_until = min(tried[0] + DIGEST_EVERY, critical[-1] + HOUR) if len(critical) >= hourly else now
    return Pace(
        rests_until=rests if rests and now < rests <= now + longest_rest else None,
        full_until=until if until > now else None,
        critical_until=critical_until if critical_until > now else None,
        gathers=full and tx.scalars(select(func.count()).where(_COLUMNS.target == target, *new)).one() > 1,
    )


def goes_at(alert: Alert, held: Pace) -> datetime:
    """When a waiting alert is tried next, if a daemon runs."""
    return max(moment for moment in (alert.next_try_at, held.rests_until, held.full_for(alert)) if moment)


def of_steps(tx: Transaction, case_id: int) -> dict[int, list[Fate]]:
    """What came of the alerts that steps of the case made, by the step's number in `case_steps`."""
    found: dict[int, list[Fate]] = {}
    key = "case step "
    for row in tx.execute(_fates().where(_COLUMNS.case_id == case_id, _COLUMNS.key.startswith(key))):
        found.setdefault(int(row.key.removeprefix(key)), []).append(_fate(row))
    return found


def of_mention(tx: Transaction, mention_id: int, revision: int) -> list[Fate]:
    """What came of the alerts that rules made of the mention as it was then."""
    key = f"mention {mention_id} revision {revision}"
    return [_fate(row) for row in tx.execute(_fates().where(_COLUMNS.mention_id == mention_id, _COLUMNS.key == key))]


def _fates() -> Select[Any]:
    digest = t.alerts.alias()
    told = func.coalesce(digest.c.state, _COLUMNS.state).label("told")
    reason = func.coalesce(digest.c.reason, _COLUMNS.reason).label("why_not")
    return (
        select(_COLUMNS.target, _COLUMNS.key, told, reason)
        .outerjoin(digest, digest.c.id == _COLUMNS.digest_id)
        .order_by(_COLUMNS.id)
    )


def _fate(row: Any) -> Fate:
    settled = AlertState(row.told) in (AlertState.SENT, AlertState.FAILED)
    state = AlertState(row.told) if settled else AlertState.WAITING
    return Fate(target=row.target, state=state, reason=(row.why_not or "") if state is AlertState.FAILED else "")
