"""What is too old goes, a bounded part at a time: posts, cases, customers, alerts, the record, each after its own time.

A customer of whom nothing was heard for so long is erased as on request (`erasing.py`), many in one search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from listener.desk import erasing
from listener.errors import Mistake
from listener.log import logger
from listener.store import Store, Transaction, erasures, persons, retention
from listener.store.personal import Person
from listener.store.persons import Known

log = logger(__name__)

AT_ONCE = 200  # rows in one transaction
CUSTOMERS_AT_ONCE = 100  # erased together: each erasure searches everything
PARTS = 50  # of one kind in one round
RESUMED_AFTER = timedelta(hours=1)  # an erasure that was interrupted is finished by then
CUSTOMERS_EVERY = timedelta(hours=20)
DAEMON = "daemon"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One kind: for how long it is kept (None: for ever), and what is too old now."""

    kind: str
    period: timedelta | None
    count: int
    oldest: datetime | None


def preview(tx: Transaction, periods: Mapping[str, timedelta | None], now: datetime) -> list[Kept]:
    """What would go now."""
    found = []
    for kind in retention.DUE:
        period = periods.get(kind)
        due = retention.due(tx, kind, _before(period, now)) if period else retention.Due(count=0, oldest=None)
        found.append(Kept(kind=kind, period=period, count=due.count, oldest=due.oldest))
    return found


def _before(period: timedelta, now: datetime) -> datetime:
    """From before which midnight (UTC) things go: so that something goes once a day, not all day long."""
    return (now - period).replace(hour=0, minute=0, second=0, microsecond=0)


def retain(
    store: Store, periods: Mapping[str, timedelta | None], *, now: datetime, stopping: Callable[[], bool]
) -> dict[str, int]:
    """Lets go what is too old, in parts; gives how much of each kind went. What is left goes in the next round."""
    gone: dict[str, int] = {}
    for kind, drop in retention.DROP.items():
        period = periods.get(kind)
        for _ in range(PARTS if period else 0):
            if stopping() or period is None:
                break
            with store.write() as tx:
                count = drop(tx, _before(period, now), limit=AT_ONCE, now=now)
            gone[kind] = gone.get(kind, 0) + count
            if count < AT_ONCE:
                break
    if not stopping():
        gone["customers"] = _customers(store, periods.get("customers"), now)
    gone = {kind: count for kind, count in gone.items() if count}
    if gone:
        log.info("Kept no longer than the settings say.", action="retained", **gone)
    return gone


def _customers(store: Store, period: timedelta | None, now: datetime) -> int:
    """Finishes what was interrupted, and erases customers without contact, once a day."""
    with store.read() as tx:
        waiting = [each for each in erasures.unfinished(tx) if each.begun_at < now - RESUMED_AFTER]
    for erasure in waiting:
        erasing.finish(store, erasure, files=(), now=now)
    if period is None:
        return 0
    with store.read() as tx:
        last = erasures.last_by(tx, DAEMON)
    if last is not None and last > now - CUSTOMERS_EVERY:
        return 0
    with store.write() as tx:
        references = retention.customers_due(tx, _before(period, now), limit=CUSTOMERS_AT_ONCE)
        together = _together(tx, references)
        if not references:
            return 0
        called = f"retention {now:%Y-%m-%dT%H:%M:%S}"
        try:
            erasure = erasing.begin_with(tx, together, called, by=DAEMON, reason=retention.REASON, now=now)
        except Mistake as mistake:
            log.warning("Customers wait to be erased.", action="retention_waits", reason=str(mistake))
            return 0
    erasing.finish(store, erasure, files=(), now=now)
    return len(references)


def _together(tx: Transaction, references: list[str]) -> Known:
    found = [persons.find(tx, reference) for reference in references]
    return Known(
        person=Person(
            customers=tuple(sorted({number for each in found for number in each.person.customers})),
            accounts=tuple(sorted({number for each in found for number in each.person.accounts})),
            cases=tuple(sorted({number for each in found for number in each.person.cases})),
        ),
        name=f"{len(found)} customers",
        told=tuple(sorted({told for each in found for told in each.told})),
    )
