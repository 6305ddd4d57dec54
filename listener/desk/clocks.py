"""The clocks of a case: they run, stand still while we wait for the customer, and bring warnings, breaches and steps.

The first answer's clock runs from the beginning until we answer, and stands still while the case is over. The
solution's stands still while the case is pending or over. What is due moves by the open time that passed meanwhile,
unless it was overdue before. A question to another team has a clock of its own, which runs until it is answered or the
case is over.

The steps are those of the policy that ruled when the promise was made, or the question asked: another policy changes
them for cases to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

from listener.errors import AlreadyDone, Mistake
from listener.store import Transaction, alerts, inbox, steps
from listener.store import cases as store
from listener.store.cases import Case
from listener.store.steps import Planned
from listener.types import CasePlan, CaseState, Clock, Occasion, Step, Urgency

DAEMON = "daemon"
ASKED = ("asked_team", "asked_by", "asked_at")
PUNCTUAL = timedelta(minutes=5)  # what is told later than that says so


class Moved(Protocol):
    """`listener.contract.Promises.moved`."""

    def __call__(self, moment: datetime, /, *, calendar: str, since: datetime, until: datetime) -> datetime:
        """The moment, later by what was open of the calendar between the two others."""


# --- running and standing still --------------------------------------------------------------------------------------


def stop(tx: Transaction, case: Case, to: CaseState, now: datetime) -> dict[str, Any]:
    """Stops what does not run in the state that the case gets; gives what changes in its row."""
    values: dict[str, Any] = {"stands_since": case.stands_since or now}
    steps.stand_still(tx, case.id, Clock.RESOLUTION)
    if to is not CaseState.PENDING:
        steps.stand_still(tx, case.id, Clock.FIRST_RESPONSE)
        steps.withdraw(tx, case.id, Clock.INFORMATION)
        values |= dict.fromkeys(ASKED)
    return values


def end_all(tx: Transaction, found: Sequence[Case], now: datetime) -> dict[int, dict[str, Any]]:
    """Stops everything of many cases that are over; gives what changes in each row, by the case's id."""
    steps.end_all(tx, [case.id for case in found])
    return {case.id: {"stands_since": case.stands_since or now, **dict.fromkeys(ASKED)} for case in found}


def run_on(tx: Transaction, case: Case, *, now: datetime, moved: Moved) -> dict[str, Any]:
    """Lets the clocks run again, what is due later by the open time that each stood still; gives what changes.

    Where nobody knows since when one stood still, it goes on with the moments that it had.
    """
    values: dict[str, Any] = {} if case.stands_since is None else {"stands_since": None}
    stood = [(Clock.RESOLUTION, case.stands_since, case.resolution_due)]
    if case.first_response_at is None and case.state is not CaseState.PENDING:
        stood.append((Clock.FIRST_RESPONSE, _over_since(tx, case), case.first_response_due))
    for clock, since, due in stood:
        calendar = str(case.promise.get(clock, {}).get("calendar", ""))
        later = partial(_later, since=since, calendar=calendar, until=now, moved=moved)
        steps.run_on(tx, case.id, clock, later)
        if due is not None and later(due) != due:
            values[f"{clock}_due"] = later(due)
    return values


def _later(moment: datetime, *, since: datetime | None, calendar: str, until: datetime, moved: Moved) -> datetime:
    """The moment, later by what was open since then; as it was where it was past already, or nobody knows."""
    if since is None or moment <= since:
        return moment
    return moved(moment, calendar=calendar, since=since, until=until)


def _over_since(tx: Transaction, case: Case) -> datetime | None:
    """Since when a case that is over is."""
    if case.resolved_at is not None:
        return case.resolved_at
    closed = store.last_event(tx, case, CaseState.CLOSED.value)
    return closed.at if closed else None


def sooner(case: Case, plan: CasePlan) -> list[tuple[Clock, datetime]]:
    """What the plan promises for an earlier moment than the case has. Pure."""
    if plan.promise.incident != (case.timed_by or 0):
        return []  # by another rule than it has, which `incident_clocks.py` sees to
    wanted = [(Clock.RESOLUTION, case.resolution_due, plan.promise.resolution_due)]
    if case.first_response_at is None:
        wanted.append((Clock.FIRST_RESPONSE, case.first_response_due, plan.promise.first_response_due))
    return [
        (clock, becomes) for clock, was, becomes in wanted if becomes is not None and (was is None or becomes < was)
    ]


def hurried(case: Case, plan: CasePlan) -> tuple[dict[str, Any], dict[Clock, list[Step]]]:
    """What changes in the case where the plan promises something for an earlier moment, and the clocks whose steps are
    others then. Pure.
    """
    values: dict[str, Any] = {}
    renewed: dict[Clock, list[Step]] = {}
    promised = dict(case.promise)
    for clock, becomes in sooner(case, plan):
        values[f"{clock}_due"] = becomes
        promised[clock.value] = store.promised_by(plan.promise, clock)
        renewed[clock] = [step for step in plan.promise.steps if step.clock is clock]
    return values | ({"promise": promised} if values else {}), renewed


def hurry(tx: Transaction, case: Case, plan: CasePlan) -> dict[str, Any]:
    """What the plan promises for an earlier moment than the case has takes that one's place, with its steps."""
    values, renewed = hurried(case, plan)
    for clock, planned in renewed.items():
        steps.withdraw(tx, case.id, clock)
        steps.plan(tx, case.id, planned)
    return values


def inherit(tx: Transaction, case: Case, other: Case) -> dict[str, Any]:
    """What a live case that becomes a part of this one was promised sooner is promised here from now on, with its
    steps; gives what changes in the row. Before the clocks of the other are stopped.
    """
    values: dict[str, Any] = {}
    promised = dict(case.promise)
    runs = {Clock.RESOLUTION: other.state is CaseState.OPEN and case.state is CaseState.OPEN}
    runs[Clock.FIRST_RESPONSE] = case.first_response_at is None and other.first_response_at is None
    dues = {
        Clock.RESOLUTION: (case.resolution_due, other.resolution_due),
        Clock.FIRST_RESPONSE: (case.first_response_due, other.first_response_due),
    }
    for clock, (due, sooner) in dues.items():
        if not runs[clock] or sooner is None or (due is not None and due <= sooner):
            continue
        left = [each.step for each in steps.of(tx, other.id) if each.done_at is None and each.step.clock is clock]
        values[f"{clock}_due"] = sooner
        promised[clock.value] = other.promise.get(clock.value, {})
        steps.withdraw(tx, case.id, clock)
        steps.plan(tx, case.id, left)
    return values | ({"promise": promised} if values else {})


# --- asking for information ------------------------------------------------------------------------------------------


def ask(tx: Transaction, case: Case, *, team: str, text: str, chain: Sequence[Step], by: str, now: datetime) -> Case:
    """The case needs to know something from that team. Raises AlreadyDone while it waits for another answer."""
    case = store.hold(tx, case.id)
    _live(case)
    if case.asked_at is not None:
        raise AlreadyDone(
            f"{case.reference} waits for {case.asked_team} since {case.asked_at:%Y-%m-%d %H:%M} UTC, asked by "
            f"{case.asked_by}; `escucha case inform` ends that."
        )
    steps.plan(tx, case.id, chain)
    became = {"asked_team": team, "asked_by": by, "asked_at": now}
    return store.record(tx, case, "asked", by=by, now=now, became=became, team=team, text=text)


def inform(tx: Transaction, case: Case, *, text: str, by: str, now: datetime) -> Case:
    """What was asked is answered, which ends its steps. Raises Mistake where nothing was asked."""
    case = store.hold(tx, case.id)
    _live(case)
    if case.asked_at is None:
        raise Mistake(f"Nobody waits for information in {case.reference}; `escucha case note` writes something down.")
    steps.withdraw(tx, case.id, Clock.INFORMATION)
    waited = int((now - case.asked_at).total_seconds())
    told = {"team": case.asked_team, "asked_by": case.asked_by, "waited": waited, "text": text}
    return store.record(tx, case, "informed", by=by, now=now, became=dict.fromkeys(ASKED), **told)


def _live(case: Case) -> None:
    if case.state not in store.LIVE:
        raise Mistake(f"{case.reference} is {case.state}; `escucha case reopen` first.")


# --- doing what is due -----------------------------------------------------------------------------------------------


def do_due(tx: Transaction, case_id: int, now: datetime) -> int:
    """Does what is due about the case, each step once and in order; gives how many."""
    done = 0
    for planned in steps.due(tx, case_id, now):
        case = store.by_id(tx, case_id)
        if not _runs(case, planned.step.clock):
            steps.stand_still(tx, case_id, planned.step.clock)
        elif steps.take(tx, planned, now):
            _do(tx, case, planned, now)
            done += 1
    return done


def _runs(case: Case, clock: Clock) -> bool:
    match clock:
        case Clock.FIRST_RESPONSE:
            return case.state in store.LIVE and case.first_response_at is None
        case Clock.RESOLUTION:
            return case.state is CaseState.OPEN
        case Clock.INFORMATION:
            return case.state in store.LIVE and case.asked_at is not None


def _do(tx: Transaction, case: Case, planned: Planned, now: datetime) -> None:
    step = planned.step
    told: dict[str, Any] = {"clock": step.clock.value, "planned": step.at.isoformat()}
    if now - step.at > PUNCTUAL:
        told["late"] = int((now - step.at).total_seconds())
    if case.snoozed_until is not None:
        why = "it is due soon, or overdue"
        case = store.record(tx, case, "woken", by=DAEMON, now=now, became={"snoozed_until": None}, why=why)
    if step.number == 0:
        store.event(tx, case, "warned" if step.occasion is Occasion.WARNING else "breached", DAEMON, now, **told)
        return
    values: dict[str, Any] = {}
    told |= {"occasion": step.occasion.value, "step": step.number}
    asked = step.clock is Clock.INFORMATION
    if step.team and step.team != (case.asked_team if asked else case.team):
        told |= {"team": step.team, "from_team": case.asked_team if asked else case.team}
        values |= {"asked_team": step.team} if asked else {"team": step.team, "agent": None}
        if not asked and case.agent:
            told["from_agent"] = case.agent
    urgency = _raised(case.urgency, step.urgency)
    if urgency is not case.urgency:
        told |= {"urgency": urgency.value, "from_urgency": case.urgency.value}
        gained = urgency.points - case.urgency.points
        told["score"] = case.score + gained
        values |= {
            "urgency_rank": urgency.rank,
            "score": told["score"],
            "queue_at": case.queue_at - timedelta(minutes=gained * case.minutes_per_point),
        }
    if "team" in values:
        inbox.handed_over(tx, case.id, team=values["team"], now=now)
    if step.alerts:
        told["alerts"] = list(step.alerts)
    for target in step.alerts:
        alerts.add(
            tx,
            to=target,
            kind=step.occasion.value,
            subject=f"{case.reference}: {_matter(replace(case, asked_team=step.team or case.asked_team), step, now)}",
            why=_why(case, step, told),
            key=f"case step {planned.id}",
            mention_id=None,
            case_id=case.id,
            now=now,
            urgency=urgency,
        )
    store.record(tx, case, "escalated", by=DAEMON, now=now, became=values, **told)


def _raised(was: Urgency, wanted: str) -> Urgency:
    if not wanted:
        return was
    if wanted.startswith("+"):
        return list(Urgency)[min(was.rank + int(wanted), Urgency.CRITICAL.rank)]
    return max(was, Urgency(wanted), key=lambda level: level.rank)


def _matter(case: Case, step: Step, now: datetime) -> str:
    """What it is about, in a line of ours: nobody's words and nobody's name stand in it."""
    if step.clock is Clock.INFORMATION:
        return f"{case.asked_team} is asked for information"
    what, due = (
        ("first answer", case.first_response_due)
        if step.clock is Clock.FIRST_RESPONSE
        else ("solution", case.resolution_due)
    )
    verb = "was" if due and due <= now else "is"
    return f"the {what} {verb} due {due:%Y-%m-%d %H:%M} UTC" if due else f"the {what} is due"


def _why(case: Case, step: Step, told: dict[str, Any]) -> str:
    level = case.promise.get(step.clock, {}).get("level")
    parts = [f"step {step.number} after the {step.occasion.value}"]
    if level:
        parts.append(f"service level: {level}")
    parts += [f"now with {told['team']}"] if "team" in told and step.clock is not Clock.INFORMATION else []
    parts += [f"urgency now {told['urgency']}"] if "urgency" in told else []
    parts += [f"told {told['late'] // 60} min late, as nothing ran at {step.at:%H:%M} UTC"] if "late" in told else []
    return "; ".join(parts)
