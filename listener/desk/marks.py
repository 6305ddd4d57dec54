"""What people put on a case beside working on it: tags, who watches it, when it is due, until when it sleeps."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from listener.errors import AlreadyDone, Mistake
from listener.store import Transaction
from listener.store import cases as store
from listener.store.cases import Case

DAEMON = "daemon"
MOST = 50  # tags, or watchers, of one case


def tag(tx: Transaction, case: Case, tags: Sequence[str], *, by: str, now: datetime) -> Case:
    """Puts tags on it. Raises AlreadyDone where it has them all, Mistake where it would have too many."""
    case = store.hold(tx, case.id)
    new = [each for each in dict.fromkeys(tags) if each not in case.tags]
    return _grown(tx, case, "tagged", "tags", had=case.tags, new=new, by=by, now=now, already="has these tags")


def untag(tx: Transaction, case: Case, tags: Sequence[str], *, by: str, now: datetime) -> Case:
    """Takes tags off it. Raises AlreadyDone where it has none of them."""
    case = store.hold(tx, case.id)
    return _less(tx, case, "untagged", "tags", had=case.tags, off=tags, by=by, now=now, already="has no such tag")


def watch(tx: Transaction, case: Case, who: str, *, by: str, now: datetime) -> Case:
    """Somebody wants to see it in their list. Raises AlreadyDone where they do."""
    case = store.hold(tx, case.id)
    new = [] if who in case.watchers else [who]
    return _grown(
        tx, case, "watched_by", "watchers", had=case.watchers, new=new, by=by, now=now, already=f"is watched by {who}"
    )


def unwatch(tx: Transaction, case: Case, who: str, *, by: str, now: datetime) -> Case:
    """They do not any more. Raises AlreadyDone where they did not."""
    case = store.hold(tx, case.id)
    return _less(
        tx,
        case,
        "unwatched_by",
        "watchers",
        had=case.watchers,
        off=[who],
        by=by,
        now=now,
        already=f"is not watched by {who}",
    )


def _grown(
    tx: Transaction,
    case: Case,
    kind: str,
    column: str,
    *,
    had: Sequence[str],
    new: Sequence[str],
    by: str,
    now: datetime,
    already: str,
) -> Case:
    if not new:
        raise AlreadyDone(f"{case.reference} {already} already.")
    if len(had) + len(new) > MOST:
        raise Mistake(f"{case.reference} would have more than {MOST} {column}; take some off first.")
    return store.record(tx, case, kind, by=by, now=now, became={column: [*had, *new]}, **{column: list(new)})


def _less(
    tx: Transaction,
    case: Case,
    kind: str,
    column: str,
    *,
    had: Sequence[str],
    off: Sequence[str],
    by: str,
    now: datetime,
    already: str,
) -> Case:
    gone = [each for each in had if each in off]
    if not gone:
        raise AlreadyDone(f"{case.reference} {already}.")
    kept = [each for each in had if each not in gone]
    return store.record(tx, case, kind, by=by, now=now, became={column: kept}, **{column: gone})


def due(tx: Transaction, case: Case, at: datetime | None, *, by: str, now: datetime) -> Case:
    """Says when it is due beside what was promised, or that it is not. Raises AlreadyDone, Mistake where it is over."""
    case = store.hold(tx, case.id)
    _live(case)
    if case.due_at == at:
        raise AlreadyDone(f"{case.reference} is due {f'{at:%Y-%m-%d %H:%M} UTC' if at else 'at no time'} already.")
    told = {"due": at.isoformat() if at else None}
    return store.record(tx, case, "due", by=by, now=now, became={"due_at": at}, **told)


def snooze(tx: Transaction, case: Case, until: datetime, *, by: str, now: datetime) -> Case:
    """Keeps it out of the queue until then, until its person writes again, or until a promise is close.

    Raises Mistake where it is over, or that moment is past.
    """
    case = store.hold(tx, case.id)
    _live(case)
    if until <= now:
        raise Mistake(f"{until:%Y-%m-%d %H:%M} UTC is past; say when it is to come back.")
    became: dict[str, Any] = {"snoozed_until": until}
    return store.record(tx, case, "snoozed", by=by, now=now, became=became, until=until.isoformat())


def wake(tx: Transaction, case: Case, why: str, *, by: str, now: datetime) -> Case:
    """Brings it back into the queue. Raises AlreadyDone where it is there."""
    case = store.hold(tx, case.id)
    if case.snoozed_until is None:
        raise AlreadyDone(f"{case.reference} is not snoozed.")
    return store.record(tx, case, "woken", by=by, now=now, became={"snoozed_until": None}, why=why)


def wake_due(tx: Transaction, case_id: int, now: datetime) -> bool:
    """Wakes it if its time came; False where somebody else did."""
    case = store.hold(tx, case_id)
    if case.snoozed_until is None or case.snoozed_until > now:
        return False
    wake(tx, case, "its time came", by=DAEMON, now=now)
    return True


def _live(case: Case) -> None:
    if case.state not in store.LIVE:
        raise Mistake(f"{case.reference} is {case.state}; `escucha case reopen {case.reference}` first.")
