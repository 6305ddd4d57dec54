"""Incidents and their time line. The row is the present; `incident_events` is how it came about.

Whatever changes a row says so in an event whose `became` holds the columns as they are then: `record` does both. Which
mentions are of an incident stands in `attached.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Row, Select, func, insert, select, update

from listener.errors import NotFound, Stale
from listener.store import Transaction, attached, audit, close_gate, upsert
from listener.store import tables as t
from listener.store.attached import attach, detach, mentions_of
from listener.store.cases import as_json
from listener.types import IncidentState

ACTIVE = tuple(state for state in IncidentState if state.active)
_ANY = select(t.incidents.c.id).limit(1)
HOLDS = frozenset({"state", "holds_replies", "holds_cheer"})  # what keeps other things from going out

__all__ = [
    "ACTIVE",
    "Event",
    "Incident",
    "active",
    "attach",
    "by_id",
    "detach",
    "events_of",
    "get",
    "hold",
    "listing",
    "mentions_of",
    "of_case",
    "of_mention",
    "open",
    "record",
    "there_are",
]


@dataclass(frozen=True, kw_only=True)
class Incident:
    """Something that hits many at once. `id` is its number."""

    id: int
    title: str
    state: IncidentState
    opened_by: str
    opened_at: datetime
    began_at: datetime
    ended_at: datetime | None
    owner: str | None
    case_id: int | None  # its own case, whose parts the cases of those are whom it hits
    case_reference: str | None
    affected: dict[str, Any]  # as desk/incidents.py reads it
    meaning: str
    say: str
    avoid: tuple[str, ...]  # phrases not to say
    holds_replies: bool
    holds_cheer: bool
    swept_to: int | None
    revision: int
    changed_at: datetime

    @property
    def reference(self) -> str:
        """How people call it: `I3`."""
        return f"I{self.id}"

    @property
    def lasts(self) -> bool:
        """Whether it is active."""
        return self.state.active


@dataclass(frozen=True, kw_only=True)
class Event:
    """One entry of the time line. `told_to` is None where every case that was to hear of it has."""

    id: int
    at: datetime
    by: str
    kind: str
    state: IncidentState
    text: str
    detail: dict[str, Any]
    told_to: int | None


def open(  # `incidents.open(tx, …)` reads like what it does
    tx: Transaction,
    *,
    title: str,
    by: str,
    now: datetime,
    began_at: datetime,
    ended_at: datetime | None = None,
    state: IncidentState = IncidentState.INVESTIGATING,
    owner: str | None = None,
    affected: Mapping[str, Any] | None = None,
    meaning: str = "",
    say: str = "",
    avoid: Sequence[str] = (),
    holds_replies: bool = True,
    holds_cheer: bool = True,
    **detail: Any,
) -> Incident:
    """A new incident; its present mentions are yet to be gone through. `detail`: what else its first event says."""
    values = {
        "title": title,
        "state": state.value,
        "opened_by": by,
        "opened_at": now,
        "began_at": began_at,
        "ended_at": ended_at,
        "owner": owner,
        "case_id": None,
        "affected": dict(affected or {}),
        "meaning": meaning,
        "say": say,
        "avoid": list(avoid),
        "holds_replies": holds_replies,
        "holds_cheer": holds_cheer,
        "revision": 1,
        "changed_at": now,
    }
    if state.active:
        close_gate(tx)
    made = tx.execute(insert(t.incidents).values(**values, swept_to=0).returning(t.incidents.c.id)).scalar_one()
    incident = by_id(tx, made)
    _event(tx, incident, "opened", by, now, became=as_json(values), **detail)
    return incident


def record(
    tx: Transaction,
    incident: Incident,
    kind: str,
    *,
    by: str,
    now: datetime,
    became: Mapping[str, Any] | None = None,
    text: str = "",
    tell: bool = False,
    **detail: Any,
) -> Incident:
    """Changes those columns and says so in the time line; gives the incident as it is then.

    `text`: for ourselves; `tell`: the incident's cases are to hear of it, which `flow/incidents.py` sees to. Raises
    Stale when somebody changed the incident since it was read.
    """
    columns = dict(became or {})
    if not HOLDS.isdisjoint(columns):
        close_gate(tx)
    where = (t.incidents.c.id == incident.id, t.incidents.c.revision == incident.revision)
    values = {**columns, "changed_at": now, "revision": incident.revision + 1}
    if not tx.execute(update(t.incidents).where(*where).values(**values)).rowcount:
        raise Stale(f"{incident.reference} was changed by somebody a moment ago; look again.")
    incident = by_id(tx, incident.id)
    _event(tx, incident, kind, by, now, text=text, tell=tell, became=as_json(columns), **detail)
    return incident


def _event(
    tx: Transaction,
    incident: Incident,
    kind: str,
    by: str,
    now: datetime,
    *,
    text: str = "",
    tell: bool = False,
    **detail: Any,
) -> None:
    told_to = 0 if tell and incident.case_id is not None else None
    values = {"incident_id": incident.id, "at": now, "by": by, "kind": kind, "state": incident.state.value}
    tx.execute(insert(t.incident_events).values(**values, text=text, detail=detail, told_to=told_to))
    audit.record(tx, at=now, by=by, action=f"incident.{kind}", subject=f"incident {incident.reference}")


def hold(tx: Transaction, incident_id: int) -> Incident:
    """The incident as it is now, and nobody else changes it until the transaction ends. Raises NotFound."""
    tx.execute(select(t.incidents.c.id).where(t.incidents.c.id == incident_id).with_for_update(key_share=True))
    return by_id(tx, incident_id)


def sweep_to(tx: Transaction, incident: Incident, mention_id: int | None) -> None:
    """Present mentions were gone through up to this one; None: all of them. No event: it says nothing to anybody."""
    tx.execute(update(t.incidents).where(t.incidents.c.id == incident.id).values(swept_to=mention_id))


def told_to(tx: Transaction, event_id: int, case_id: int | None) -> None:
    """The incident's cases were told of that event up to this one; None: all of them."""
    tx.execute(update(t.incident_events).where(t.incident_events.c.id == event_id).values(told_to=case_id))


def by_id(tx: Transaction, incident_id: int) -> Incident:
    """The incident with that row id, which is its number. Raises NotFound."""
    row = tx.execute(_joined().where(t.incidents.c.id == incident_id)).first()
    if row is None:
        raise NotFound(f"There is no incident I{incident_id}; see `escucha incident list --all`.")
    return _incident(row)


get = by_id


def listing(tx: Transaction, states: Collection[IncidentState] | None = None) -> list[Incident]:
    """The incidents in those states (None: whatever their state), the newest first."""
    query = _joined().order_by(t.incidents.c.id.desc())
    if states is not None:
        query = query.where(t.incidents.c.state.in_([state.value for state in states]))
    return [_incident(row) for row in tx.execute(query)]


def there_are(tx: Transaction) -> bool:
    """Whether there ever was one."""
    return tx.execute(_ANY).first() is not None


def active(tx: Transaction) -> list[Incident]:
    """Those that last, the newest first."""
    return [_incident(row) for row in tx.execute(_active())]


@cache
def _active() -> Select[Any]:
    lasts = t.incidents.c.state.in_([state.value for state in ACTIVE])
    return _joined().where(lasts).order_by(t.incidents.c.id.desc())


def of_mention(tx: Transaction, mention_id: int) -> Incident | None:
    """The incident that the mention is of, whatever its state; None where it is of none."""
    incident_id = attached.incident_of(tx, mention_id)
    return None if incident_id is None else by_id(tx, incident_id)


def of_case(tx: Transaction, case_id: int) -> Incident | None:
    """The incident whose own case that is; None where it is none's."""
    row = tx.execute(_joined().where(t.incidents.c.case_id == case_id)).first()
    return _incident(row) if row else None


def events_of(tx: Transaction, incident_id: int, kinds: Sequence[str] = ()) -> list[Event]:
    """The time line, oldest first; only those kinds, where any are given."""
    query = select(t.incident_events).where(t.incident_events.c.incident_id == incident_id)
    if kinds:
        query = query.where(t.incident_events.c.kind.in_(kinds))
    return [_told(row) for row in tx.execute(query.order_by(t.incident_events.c.id))]


def untold(tx: Transaction, incident_id: int) -> Event | None:
    """The oldest entry that some of the incident's cases are yet to hear of."""
    columns = t.incident_events.c
    query = select(t.incident_events).where(columns.incident_id == incident_id, columns.told_to.is_not(None))
    row = tx.execute(query.order_by(columns.id).limit(1)).first()
    return _told(row) if row else None


def list_customers(tx: Transaction, incident: Incident, customer_ids: Collection[int], now: datetime) -> int:
    """Puts these customers on the incident's list; gives how many were not on it."""
    rows = [{"incident_id": incident.id, "customer_id": each, "added_at": now} for each in sorted(set(customer_ids))]
    before = listed(tx, incident.id)
    for first in range(0, len(rows), 1000):
        tx.execute(upsert(tx, t.incident_customers).on_conflict_do_nothing(), rows[first : first + 1000])
    return listed(tx, incident.id) - before


def unlist_customers(tx: Transaction, incident: Incident) -> None:
    """Empties the incident's list."""
    tx.execute(t.incident_customers.delete().where(t.incident_customers.c.incident_id == incident.id))


def listed(tx: Transaction, incident_id: int) -> int:
    """How many customers are on the incident's list."""
    columns = t.incident_customers.c
    query = select(func.count()).select_from(t.incident_customers).where(columns.incident_id == incident_id)
    return int(tx.scalar(query) or 0)


def lists_with(tx: Transaction, customer_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """By customer, the incidents on whose list they are; only those who are on one."""
    columns = t.incident_customers.c
    found: dict[int, set[int]] = {}
    for row in tx.execute(select(t.incident_customers).where(columns.customer_id.in_(customer_ids))):
        found.setdefault(row.customer_id, set()).add(row.incident_id)
    return {customer: frozenset(incidents) for customer, incidents in found.items()}


def _joined() -> Select[Any]:
    return select(t.incidents, t.cases.c.reference.label("case_reference")).outerjoin(
        t.cases, t.cases.c.id == t.incidents.c.case_id
    )


def _incident(row: Row[Any]) -> Incident:
    read: dict[str, Any] = {"state": IncidentState(row.state), "avoid": tuple(row.avoid)}
    return Incident(**read, **{name: getattr(row, name) for name in Incident.__dataclass_fields__ if name not in read})


def _told(row: Row[Any]) -> Event:
    names = [name for name in Event.__dataclass_fields__ if name != "state"]
    return Event(state=IncidentState(row.state), **{name: getattr(row, name) for name in names})
