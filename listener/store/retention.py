"""What is older than it may be kept, kind by kind: how much there is, and a bounded part of it gone.

Whoever is held for a legal reason (`holds.py`) keeps everything that is about them, whatever its age.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, func, or_, select, update

from listener.store import Transaction, audit, erasing, forgetting, verifying
from listener.store import tables as t
from listener.store.personal import ERASED
from listener.types import CaseState

REASON = "kept no longer than [retention] says"
ENDED = (CaseState.RESOLVED.value, CaseState.CLOSED.value)
NOTHING_OWED = ("", "0", "0.0", "0.00")


@dataclass(frozen=True, kw_only=True)
class Due:
    """How much of one kind is too old, and how old the oldest is."""

    count: int
    oldest: datetime | None


def due(tx: Transaction, kind: str, before: datetime) -> Due:
    """What of that kind is from before then."""
    query, at = DUE[kind](before)
    found = query.subquery()
    count, oldest = tx.execute(select(func.count(), func.min(found.c[at]))).one()
    return Due(count=count, oldest=oldest)


def _held() -> Select[Any]:
    return select(t.holds.c.customer_id).where(t.holds.c.ended_at.is_(None))


def _accounts_held() -> Select[Any]:
    links = t.links.c
    return select(links.account_id).where(links.unlinked_at.is_(None), links.customer_id.in_(_held()))


def _mentions(before: datetime) -> tuple[Select[Any], str]:
    columns = t.mentions.c
    joined = t.case_mentions.join(t.cases, t.case_mentions.c.case_id == t.cases.c.id)
    in_a_live_case = (
        exists().select_from(joined).where(t.case_mentions.c.mention_id == columns.id, t.cases.c.state.not_in(ENDED))
    )
    where = (
        columns.posted_at < before,
        columns.heard_at < before,
        columns.gone_at.is_(None),
        columns.account_id.not_in(_accounts_held()),
        ~in_a_live_case,
    )
    return select(columns.id, columns.posted_at).where(*where), "posted_at"


def _cases(before: datetime) -> tuple[Select[Any], str]:
    columns = t.cases.c
    free = or_(columns.customer_id.is_(None), columns.customer_id.not_in(_held()))
    where = (columns.state.in_(ENDED), columns.changed_at < before, columns.title != ERASED, free)
    return select(columns.id, columns.changed_at).where(*where), "changed_at"


def _alerts(before: datetime) -> tuple[Select[Any], str]:
    columns = t.alerts.c
    where = (columns.settled_at < before, columns.subject != ERASED)
    return select(columns.id, columns.settled_at).where(*where), "settled_at"


def _customers(before: datetime) -> tuple[Select[Any], str]:
    """Nobody heard of them since, nothing is open between us, and nobody changed their record."""
    columns, links, contracts = t.customers.c, t.links.c, t.contracts.c
    heard = t.links.join(t.mentions, t.mentions.c.account_id == links.account_id)
    wrote = (
        exists()
        .select_from(heard)
        .where(links.customer_id == columns.id, links.unlinked_at.is_(None), t.mentions.c.heard_at >= before)
    )
    open_or_recent = or_(t.cases.c.state.not_in(ENDED), t.cases.c.changed_at >= before)
    runs_on = or_(contracts.ends_on.is_(None), contracts.ends_on >= before.date())
    where = (
        columns.changed_at < before,
        columns.merged_into_id.is_(None),
        columns.id.not_in(_held()),
        ~wrote,
        ~_has(t.cases, open_or_recent),
        ~_has(t.contracts, runs_on),
        ~_has(t.payments, and_(t.payments.c.arrears.is_not(None), t.payments.c.arrears.not_in(NOTHING_OWED))),
        ~_has(t.customer_notes, t.customer_notes.c.at >= before),
        ~_has(t.consents, t.consents.c.noted_at >= before),
    )
    return select(columns.id, columns.reference, columns.changed_at).where(*where), "changed_at"


def _has(table: Any, where: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().select_from(table).where(table.c.customer_id == t.customers.c.id, where)


def _audit(before: datetime) -> tuple[Select[Any], str]:
    columns = t.audit.c
    kept = select(func.min(columns.id)).where(columns.at >= before).scalar_subquery()
    newest = select(func.max(columns.id)).scalar_subquery()
    return select(columns.id, columns.at).where(columns.id < func.coalesce(kept, newest)), "at"


DUE = {"mentions": _mentions, "cases": _cases, "customers": _customers, "alerts": _alerts, "audit": _audit}


# --- a part of it goes ---


def drop_mentions(tx: Transaction, before: datetime, *, limit: int, now: datetime) -> int:
    """Empties the oldest posts, as if deleted; gives how many."""
    query, _ = _mentions(before)
    columns = t.mentions.c
    locked = query.order_by(columns.posted_at).limit(limit).with_for_update(of=t.mentions)
    ids = [row.id for row in tx.execute(locked)]
    erasing.empty(tx, ids, reason=REASON, now=now)
    _note(tx, "mention.forgotten", [f"mention {number}" for number in ids], now)
    return len(ids)


def drop_cases(tx: Transaction, before: datetime, *, limit: int, now: datetime) -> int:
    """Takes the words out of cases that ended; gives how many."""
    query, _ = _cases(before)
    ids = [row.id for row in tx.execute(query.order_by(t.cases.c.changed_at).limit(limit))]
    for case_id in ids:
        forgetting.empty_case(tx, case_id, by="daemon", now=now, keeps_customer=True)
    return len(ids)


def drop_alerts(tx: Transaction, before: datetime, *, limit: int, now: datetime) -> int:  # noqa: ARG001
    """Takes the words out of alerts that were settled; gives how many."""
    query, _ = _alerts(before)
    ids = [row.id for row in tx.execute(query.order_by(t.alerts.c.id).limit(limit))]
    values = {"subject": ERASED, "why": ERASED, "reason": None}
    tx.execute(update(t.alerts).where(t.alerts.c.id.in_(ids)).values(**values))
    return len(ids)


def drop_audit(tx: Transaction, before: datetime, *, limit: int, now: datetime) -> int:
    """Lets the oldest entries go; one that is written now says where they ended, so that the chain begins there."""
    query, _ = _audit(before)
    columns = t.audit.c
    ids = [row.id for row in tx.execute(query.order_by(columns.id).limit(limit))]
    if not ids:
        return 0
    hash_ = tx.scalar(select(columns.hash).where(columns.id == ids[-1]))
    tx.execute(delete(t.audit).where(columns.id <= ids[-1]))
    audit.record(
        tx, at=now, by="daemon", action=verifying.PRUNED, subject="audit", up_to=ids[-1], hash=hash_, entries=len(ids)
    )
    return len(ids)


def customers_due(tx: Transaction, before: datetime, *, limit: int) -> list[str]:
    """The references of the customers that were not heard of for longest."""
    query, _ = _customers(before)
    return [row.reference for row in tx.execute(query.order_by(t.customers.c.changed_at).limit(limit))]


DROP = {"mentions": drop_mentions, "cases": drop_cases, "alerts": drop_alerts, "audit": drop_audit}


def _note(tx: Transaction, action: str, subjects: Sequence[str], now: datetime) -> None:
    entries = [
        audit.Entry(at=now, by="daemon", action=action, subject=subject, detail={"reason": REASON})
        for subject in subjects
    ]
    audit.record_all(tx, entries)
