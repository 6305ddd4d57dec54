"""What our own people are told, by webhook or mail: put down here with what it is about, sent later (`alerts_out.py`).

    waiting → sending → sent | failed | waiting again
    waiting → gathered                                   a digest, itself an alert, tells it

An alert never holds what somebody wrote, nor their name: whoever reads it opens the mention here, where what was
deleted is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Row, Select, func, select, update

from listener.store import Transaction, audit, upsert
from listener.store import tables as t
from listener.types import AlertState, Urgency

DIGEST = "digest"  # the kind of an alert that tells many
OPEN = (AlertState.WAITING, AlertState.SENDING)
RECENT = timedelta(days=7)  # for so long what was given up is worth a line in `status`


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One message to one target, with what it is about as that stands now.

    `url` is None where the network has none or the mention is gone. `stands_for` is 1 but for a digest.
    """

    id: int
    target: str
    kind: str
    subject: str
    why: str
    rule: str
    urgency: str
    send_key: str
    state: AlertState
    attempts: int
    made_at: datetime
    next_try_at: datetime
    first_tried_at: datetime | None
    tried_at: datetime | None
    settled_at: datetime | None
    reason: str
    stands_for: int
    digest_id: int | None
    mention_id: int | None
    network: str
    url: str | None
    case: str
    team: str

    @classmethod
    def of_a_test(cls, target: str, *, by: str, send_key: str, now: datetime) -> Alert:
        """One that stands in no list: somebody tries whether the target is reached."""
        return cls(
            id=0,
            target=target,
            kind="test",
            subject="A test of alerts",
            why=f"{by} asked for it; nothing needs to be done.",
            rule="",
            urgency="",
            send_key=send_key,
            state=AlertState.SENDING,
            attempts=1,
            made_at=now,
            next_try_at=now,
            first_tried_at=now,
            tried_at=now,
            settled_at=None,
            reason="",
            stands_for=1,
            digest_id=None,
            mention_id=None,
            network="",
            url=None,
            case="",
            team="",
        )


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How things stand with one target. `oldest`: when the longest waiting alert was made; `given_up`: of late."""

    target: str
    waiting: int
    given_up: int
    oldest: datetime | None
    failures: int
    failing_since: datetime | None
    last_error: str
    succeeded_at: datetime | None


def add(
    tx: Transaction,
    *,
    to: str,
    kind: str,
    subject: str,
    why: str,
    key: str,
    mention_id: int | None,
    case_id: int | None,
    now: datetime,
    rule: str = "",
    urgency: Urgency | None = None,
) -> bool:
    """Puts down that the target `to` is to be told; False where it was already, by `key`.

    `key` names what happened, at most 200 characters: one target hears of it once. `kind` is a word for programs such
    as `rule`, at most 40 characters. `subject` is one line for people and `why` the reason; neither may hold what
    somebody wrote, nor their name.
    """
    statement = upsert(tx, t.alerts).values(
        mention_id=mention_id,
        case_id=case_id,
        target=to,
        kind=kind,
        subject=" ".join(subject.split()),
        why=why,
        rule=rule,
        urgency=urgency.value if urgency else "",
        key=key,
        send_key=uuid4().hex,
        state=AlertState.WAITING.value,
        attempts=0,
        made_at=now,
        next_try_at=now,
        stands_for=1,
    )
    once = statement.on_conflict_do_nothing(index_elements=["target", "key"]).returning(t.alerts.c.id)
    return tx.execute(once).first() is not None


def listing(
    tx: Transaction,
    *,
    states: Sequence[AlertState] = tuple(AlertState),
    target: str | None = None,
    digest_id: int | None = None,
    limit: int | None = None,
) -> list[Alert]:
    """Alerts in those states, the newest first; only the target's, or only those that a digest tells.

    Of a digest the critical ones come before all others.
    """
    query = joined().where(t.alerts.c.state.in_([state.value for state in states]))
    if target is not None:
        query = query.where(t.alerts.c.target == target)
    if digest_id is not None:
        query = query.where(t.alerts.c.digest_id == digest_id).order_by(t.alerts.c.urgency != Urgency.CRITICAL.value)
    return [from_row(row) for row in tx.execute(query.order_by(t.alerts.c.id.desc()).limit(limit))]


def standing(tx: Transaction, now: datetime) -> list[Standing]:
    """How things stand with every target that has alerts waiting or lately given up, or that fails; by name."""
    columns = t.alerts.c
    waiting = {
        row.target: row
        for row in tx.execute(
            select(columns.target, func.count().label("alerts"), func.min(columns.made_at).label("oldest"))
            .where(columns.state.in_([state.value for state in OPEN]))
            .group_by(columns.target)
        )
    }
    given_up = {
        row.target: row.alerts
        for row in tx.execute(
            select(columns.target, func.sum(columns.stands_for).label("alerts"))
            .where(columns.state == AlertState.FAILED.value, columns.settled_at > now - RECENT)
            .group_by(columns.target)
        )
    }
    rows = {row.target: row for row in tx.execute(select(t.alert_targets))}
    names = {*waiting, *given_up, *(name for name, row in rows.items() if row.failures)}
    return [
        Standing(
            target=name,
            waiting=waiting[name].alerts if name in waiting else 0,
            given_up=int(given_up.get(name, 0)),
            oldest=waiting[name].oldest if name in waiting else None,
            failures=rows[name].failures if name in rows else 0,
            failing_since=rows[name].failing_since if name in rows else None,
            last_error=(rows[name].last_error or "") if name in rows else "",
            succeeded_at=rows[name].succeeded_at if name in rows else None,
        )
        for name in sorted(names)
    ]


def retry(tx: Transaction, *, by: str, now: datetime, target: str | None = None) -> list[int]:
    """What was given up waits again, from now on for as long as anything new; and no target rests. Gives the ids."""
    where: list[ColumnElement[bool]] = [t.alerts.c.state == AlertState.FAILED.value]
    rests: list[ColumnElement[bool]] = [t.alert_targets.c.rests_until.is_not(None)]
    waits: list[ColumnElement[bool]] = [t.alerts.c.state == AlertState.WAITING.value, t.alerts.c.next_try_at > now]
    if target is not None:
        where.append(t.alerts.c.target == target)
        rests.append(t.alert_targets.c.target == target)
        waits.append(t.alerts.c.target == target)
    ids = list(tx.scalars(select(t.alerts.c.id).where(*where).order_by(t.alerts.c.id)).all())
    tx.execute(update(t.alerts).where(*waits).values(next_try_at=now))
    again = {"state": AlertState.WAITING.value, "next_try_at": now, "first_tried_at": None, "settled_at": None}
    tx.execute(update(t.alerts).where(*where).values(**again))
    tx.execute(update(t.alert_targets).where(*rests).values(rests_until=None))
    for alert_id in ids:
        audit.record(tx, at=now, by=by, action="alert.retried", subject=f"alert {alert_id}")
    return ids


def joined() -> Select[Any]:
    """Every alert with its mention's place and its case."""
    return (
        select(
            t.alerts,
            t.mentions.c.network,
            t.mentions.c.url,
            t.cases.c.reference.label("case_reference"),
            t.cases.c.team,
        )
        .outerjoin(t.mentions, t.mentions.c.id == t.alerts.c.mention_id)
        .outerjoin(t.cases, t.cases.c.id == t.alerts.c.case_id)
    )


def from_row(row: Row[Any]) -> Alert:
    """A row of `joined` as an alert."""
    known = row._mapping
    same = {name: known[name] for name in Alert.__dataclass_fields__ if name in known}
    return Alert(
        **{
            **same,
            "state": AlertState(known["state"]),
            "reason": known["reason"] or "",
            "network": known["network"] or "",
            "case": known["case_reference"] or "",
            "team": known["team"] or "",
        }
    )
