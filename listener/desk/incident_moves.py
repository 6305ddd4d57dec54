"""An incident's states: what follows from each step for its own case and for what is of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from listener.desk import cases as desk_cases
from listener.desk import incidents as desk
from listener.desk import spiking
from listener.desk.clocks import Moved
from listener.desk.incident_life import begin_case
from listener.errors import AlreadyDone, Mistake
from listener.store import Transaction, cases, incident_answers, incidents
from listener.store.incidents import Incident
from listener.types import CasePlan, CaseState, IncidentState


def accept(
    tx: Transaction, incident: Incident, plan: CasePlan, *, pattern: str, text: str, by: str, now: datetime
) -> Incident:
    """A person agrees that what was proposed is one: it gets its own case, and all that was said is gone through."""
    incident = incidents.hold(tx, incident.id)
    desk.check_move(incident, IncidentState.INVESTIGATING)
    became: dict[str, Any] = {"state": IncidentState.INVESTIGATING.value}
    if incident.owner is None:
        became["owner"] = by
    incident = incidents.record(tx, incident, "state", by=by, now=now, became=became, text=text)
    incidents.sweep_to(tx, incident, 0)
    spiking.settle(tx, now)
    return begin_case(tx, incident, plan, pattern=pattern, by=by, now=now)


def step(
    tx: Transaction,
    incident: Incident,
    to: IncidentState,
    *,
    text: str,
    public: Mapping[str, str],
    by: str,
    now: datetime,
) -> Incident:
    """One step forward of what lasts, of which its cases hear. Raises AlreadyDone, Mistake."""
    incident = incidents.hold(tx, incident.id)
    if incident.state is IncidentState.PROPOSED:
        raise Mistake(f"{incident.reference} is proposed; `escucha incident accept {incident.reference}` first.")
    if incident.state is IncidentState.RESOLVED and to is IncidentState.FIXING:
        raise Mistake(f"{incident.reference} is resolved; `escucha incident reopen I{incident.id}` where it came back.")
    desk.check_move(incident, to)
    return incidents.record(
        tx, incident, "state", by=by, now=now, became={"state": to.value}, text=text, tell=True, public=dict(public)
    )


def resolve(
    tx: Transaction,
    incident: Incident,
    *,
    ended_at: datetime,
    text: str,
    public: Mapping[str, str],
    moved: Moved,
    by: str,
    now: datetime,
) -> Incident:
    """It hits nobody any more since then: what is posted later is not of it; its own case is solved, its parts hear.

    Raises AlreadyDone, Mistake.
    """
    incident = incidents.hold(tx, incident.id)
    desk.check_move(incident, IncidentState.RESOLVED)
    if ended_at < incident.began_at:
        raise Mistake(f"{incident.reference} began at {incident.began_at:%Y-%m-%d %H:%M} UTC; it cannot end before.")
    became = {"state": IncidentState.RESOLVED.value, "ended_at": ended_at}
    incident = incidents.record(
        tx, incident, "resolved", by=by, now=now, became=became, text=text, tell=True, public=dict(public)
    )
    _move_case(tx, incident, CaseState.RESOLVED, moved=moved, by=by, now=now)
    incident_answers.stop(tx, incident, why=f"{incident.reference}, whose answer it is, is resolved", now=now)
    return incident


def reopen(tx: Transaction, incident: Incident, *, text: str, moved: Moved, by: str, now: datetime) -> Incident:
    """It came back: what was said since is gone through. Cases that were resolved stay so. Raises Mistake."""
    incident = incidents.hold(tx, incident.id)
    if incident.lasts:
        raise AlreadyDone(f"{incident.reference} is {incident.state}, and so is open.")
    desk.check_move(incident, IncidentState.FIXING)
    became = {"state": IncidentState.FIXING.value, "ended_at": None}
    incident = incidents.record(tx, incident, "reopened", by=by, now=now, became=became, text=text, tell=True)
    incidents.sweep_to(tx, incident, 0)
    _move_case(tx, incident, CaseState.OPEN, moved=moved, by=by, now=now)
    return incidents.by_id(tx, incident.id)


def close(tx: Transaction, incident: Incident, *, text: str, moved: Moved, by: str, now: datetime) -> Incident:
    """Nothing is left to do for it. Raises AlreadyDone, Mistake."""
    incident = incidents.hold(tx, incident.id)
    desk.check_move(incident, IncidentState.CLOSED)
    became = {"state": IncidentState.CLOSED.value}
    incident = incidents.record(tx, incident, "closed", by=by, now=now, became=became, text=text)
    _move_case(tx, incident, CaseState.CLOSED, moved=moved, by=by, now=now)
    return incident


def dismiss(tx: Transaction, incident: Incident, *, text: str, moved: Moved, by: str, now: datetime) -> Incident:
    """It was none after all: `flow/incidents.py` lets go of all that was attached. Raises AlreadyDone, Mistake."""
    incident = incidents.hold(tx, incident.id)
    desk.check_move(incident, IncidentState.DISMISSED)
    became = {"state": IncidentState.DISMISSED.value, "ended_at": incident.ended_at or now}
    incident = incidents.record(tx, incident, "dismissed", by=by, now=now, became=became, text=text)
    spiking.settle(tx, now)
    _move_case(tx, incident, CaseState.CLOSED, moved=moved, by=by, now=now)
    return incident


def _move_case(tx: Transaction, incident: Incident, to: CaseState, *, moved: Moved, by: str, now: datetime) -> None:
    """Takes its own case along, unless a person has moved that already."""
    if incident.case_id is None:
        return
    case = cases.hold(tx, incident.case_id)
    live = case.state in cases.LIVE
    if case.merged_into is None and case.state is not to and (live or to in (CaseState.OPEN, CaseState.CLOSED)):
        desk_cases.move(tx, case, to, by=by, now=now, moved=moved, note=f"with {incident.reference}", tell=False)
