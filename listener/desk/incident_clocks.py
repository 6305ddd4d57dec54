"""The clocks of an incident's cases, by the incident's own rule where the policy has one.

A case that becomes a part of an incident is promised, from that moment, what `incidents:` of the policy says in the
place of its own; what it says nothing of stays. Where the solution counts from the incident's end, nothing is due
before; when the incident is over, it counts from then. A case that leaves gets its own promise back, later by the open
time for which its clock stood still meanwhile. What was done of either stays done.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from listener.contract import Promises
from listener.desk import lasting
from listener.store import Transaction, customers, incidents, steps, timed
from listener.store import cases as store
from listener.store.cases import Case
from listener.types import CaseState, Clock, IncidentView, Promise

DAEMON = "daemon"
_CLOCKS = (Clock.FIRST_RESPONSE, Clock.RESOLUTION)


def follow(tx: Transaction, case_id: int, *, promises: Promises, now: datetime) -> bool:
    """Sets the clocks of one case by the incident that it is a part of now; whether anything changed."""
    case = store.hold(tx, case_id)
    if case.state not in store.LIVE:
        return False
    incident = incidents.of_case(tx, case.parent_id) if case.parent_id is not None else None
    number = incident.id if incident else None
    if case.timed_by is not None and case.timed_by != number:
        return _give_back(tx, case, promises=promises, now=now)
    if incident is None:
        return False
    view = lasting.views(tx, [incident])[0]
    since = now if incident.lasts else _ended(tx, incident.id, now)
    promise = _promise(tx, case, promises, since, view)
    if case.timed_by is None:
        return incident.lasts and bool(promise.by_incident) and _take_on(tx, case, promise, view, now)
    solution = case.promise.get(Clock.RESOLUTION, {})
    if not solution.get(timed.FROM_END if incident.lasts else timed.WAITS):
        return False
    return _at_its_end(tx, case, promise, view, now)


def _take_on(tx: Transaction, case: Case, promise: Promise, view: IncidentView, now: datetime) -> bool:
    clocks = [clock for clock in promise.by_incident if _still_owed(case, clock)]
    values, was = _set(tx, case, promise, clocks, now)
    told = {"incident": view.reference, "was": was, "why": f"by the rule for {view.reference}"}
    values["timed_by"] = view.number
    store.record(tx, case, "promised", by=DAEMON, now=now, became=values, **told)
    return True


def _at_its_end(tx: Transaction, case: Case, promise: Promise, view: IncidentView, now: datetime) -> bool:
    """The incident is over, from when on the solution counts; or it came back, and nothing is due again."""
    values, _ = _set(tx, case, promise, [Clock.RESOLUTION], now)
    if not view.state.active:
        values["promise"][Clock.RESOLUTION.value][timed.FROM_END] = True
    why = f"{view.reference} came back" if view.state.active else f"counted from the end of {view.reference}"
    store.record(tx, case, "promised", by=DAEMON, now=now, became=values, incident=view.reference, why=why)
    return True


def _give_back(tx: Transaction, case: Case, *, promises: Promises, now: datetime) -> bool:
    taken = timed.taken_on(tx, case)
    own = _promise(tx, case, promises, case.opened_at, None)
    values: dict[str, Any] = {"timed_by": None}
    promised = dict(case.promise)
    for clock in _CLOCKS:
        if promised.get(clock, {}).get("incident") is None or not _still_owed(case, clock):
            continue
        due: datetime | None = getattr(own, f"{clock}_due")
        was = taken.was.get(clock.value)
        base = was.due if was else due
        if base is not None and was is not None and was.became and (moved := _due(case, clock)) and moved > was.became:
            base = promises.moved(base, calendar=own.calendar, since=was.became, until=moved)
        later = base - due if base is not None and due is not None else timedelta()
        steps.withdraw(tx, case.id, clock)
        mine = [step._replace(at=step.at + later) for step in own.steps if step.clock is clock]
        steps.plan(tx, case.id, [step for step in mine if step.at > taken.at])
        values |= _standing(tx, case, clock, now)
        values[f"{clock}_due"] = base
        promised[clock.value] = was.promise if was else store.promised_by(own, clock)
    values["promise"] = {clock: kept for clock, kept in promised.items() if kept}
    why = f"it is no part of I{case.timed_by} any more"
    store.record(tx, case, "promised", by=DAEMON, now=now, became=values, why=why)
    return True


def _set(
    tx: Transaction, case: Case, promise: Promise, clocks: list[Clock], now: datetime
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Lets these clocks go by that promise; gives what changes in the row, and how it was."""
    values: dict[str, Any] = {}
    promised, was = dict(case.promise), dict[str, Any]()
    for clock in clocks:
        due, before = getattr(promise, f"{clock}_due"), _due(case, clock)
        was[clock.value] = {
            "due": before.isoformat() if before else None,
            "became": due.isoformat() if due else None,
            "promise": case.promise.get(clock, {}),
        }
        steps.withdraw(tx, case.id, clock)
        steps.plan(tx, case.id, [step for step in promise.steps if step.clock is clock])
        values |= _standing(tx, case, clock, now)
        values[f"{clock}_due"] = due
        promised[clock.value] = store.promised_by(promise, clock)
    return values | {"promise": promised}, was


def _standing(tx: Transaction, case: Case, clock: Clock, now: datetime) -> dict[str, Any]:
    """A clock that stands still goes on standing, from now on: what is due was counted up to here."""
    if clock is not Clock.RESOLUTION or case.state is not CaseState.PENDING:
        return {}
    steps.stand_still(tx, case.id, clock)
    return {"stands_since": now}


def _still_owed(case: Case, clock: Clock) -> bool:
    return clock is Clock.RESOLUTION or case.first_response_at is None


def _due(case: Case, clock: Clock) -> datetime | None:
    return case.first_response_due if clock is Clock.FIRST_RESPONSE else case.resolution_due


def _promise(
    tx: Transaction, case: Case, promises: Promises, since: datetime, incident: IncidentView | None
) -> Promise:
    tier = customers.by_id(tx, case.customer_id).tier if case.customer_id is not None else ""
    return promises.promise(
        team=case.team, urgency=case.urgency, network=case.network or "", tier=tier, now=since, incident=incident
    )


def _ended(tx: Transaction, number: int, now: datetime) -> datetime:
    """When it was resolved."""
    ended = [event.at for event in incidents.events_of(tx, number, ["resolved"])]
    return ended[-1] if ended else now
