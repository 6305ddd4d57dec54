"""What a case was promised, how its clocks stand, and what it asks other teams: as words, as JSON, as commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from listener.commands.output import ago, clip, spell
from listener.errors import EscuchaError
from listener.types import AlertState, CaseState, Clock, Occasion

if TYPE_CHECKING:
    from listener.commands.app import App
    from listener.store.cases import Case
    from listener.store.steps import Planned

NAMES = {Clock.FIRST_RESPONSE: "first answer", Clock.RESOLUTION: "solution", Clock.INFORMATION: "information"}
COMING = 3  # steps that are told beforehand


def is_late(case: Case, clock: Clock, now: datetime) -> bool:
    """Whether what was promised by that clock is overdue."""
    if clock is Clock.FIRST_RESPONSE:
        live = case.state in (CaseState.OPEN, CaseState.PENDING)
        return (
            live and case.first_response_at is None and bool(case.first_response_due and case.first_response_due < now)
        )
    running = case.state in (CaseState.OPEN, CaseState.PENDING) and case.stands_since is None
    return running and bool(case.resolution_due and case.resolution_due < now)


def rows(app: App, case: Case, planned: Sequence[Planned], warned: Sequence[Clock]) -> list[tuple[str, str]]:
    """The clocks of a case with their names, for people."""
    now = app.now()
    level = case.promise.get(Clock.FIRST_RESPONSE) or case.promise.get(Clock.RESOLUTION) or {}
    calendar = level.get("calendar")
    asked = f"{case.asked_team}, {ago(case.asked_at, now)}, by {case.asked_by}" if case.asked_at else ""
    return [
        ("promised", f"{level.get('level', '')}{f', on {calendar}' if calendar else ''}"),
        ("first answer", _first_answer(app, case, warned)),
        ("solution", _solution(app, case, warned)),
        ("asked", asked),
        ("next", "; ".join(_coming(planned, now))),
    ]


def _first_answer(app: App, case: Case, warned: Sequence[Clock]) -> str:
    if case.first_response_at is not None:
        return _done(case.first_response_due, case.first_response_at)
    return _promised(app, case, Clock.FIRST_RESPONSE, case.first_response_due, warned)


def _solution(app: App, case: Case, warned: Sequence[Clock]) -> str:
    due = case.resolution_due
    if case.state in (CaseState.RESOLVED, CaseState.CLOSED) and case.resolved_at is not None:
        return _done(due, case.resolved_at)
    if due and case.state is CaseState.PENDING and case.stands_since:
        left = max(timedelta(), due - case.stands_since)
        return f"its clock stands still while we wait for the customer, {spell(left)} before it is due"
    return _promised(app, case, Clock.RESOLUTION, due, warned)


def _done(due: datetime | None, done: datetime) -> str:
    kept = "" if due is None else (", in time" if done <= due else ", too late")
    return f"{done:%Y-%m-%d %H:%M} UTC{kept}"


def _promised(app: App, case: Case, clock: Clock, due: datetime | None, warned: Sequence[Clock]) -> str:
    promised = case.promise.get(clock, {})
    if due is None and promised.get("waits"):
        span = spell(timedelta(seconds=promised["span"]))
        return f"{span} from the end of I{promised['incident']}, which lasts"
    if due is None:
        return "nothing promised"
    now = app.now()
    late = " (LATE)" if is_late(case, clock, now) else " (warned)" if clock in warned else ""
    by_rule = f", by the rule for I{promised['incident']}" if "incident" in promised else ""
    calendar = str(promised.get("calendar", ""))
    return f"promised {ago(due, now)}{late}: {in_words(app, due, calendar, now)}{by_rule}"


def in_words(app: App, due: datetime, calendar: str, now: datetime) -> str:
    """When that is on the policy's clocks; in UTC where no policy can be read, which keeps nobody from the case."""
    try:
        return app.policy.promises.due_in_words(due, calendar=calendar, now=now)
    except EscuchaError:
        return f"{due:%Y-%m-%d %H:%M} UTC"


def _coming(planned: Sequence[Planned], now: datetime) -> list[str]:
    coming = [each for each in planned if each.at is not None and each.step.number]
    told = []
    for each in coming[:COMING]:
        step = each.step
        does = [f"tell {clip(', '.join(step.alerts), 60)}"] if step.alerts else []
        does += [f"to {clip(step.team, 40)}"] if step.team else []
        does += [f"urgency {step.urgency}"] if step.urgency else []
        told.append(f"{ago(each.at, now)} {', '.join(does)} ({NAMES[step.clock]})")
    return [*told, f"and {len(coming) - COMING} more"] if len(coming) > COMING else told


def as_plain(planned: Sequence[Planned]) -> list[dict[str, Any]]:
    """What was and is to be done, for programs."""
    return [
        {
            "clock": each.step.clock,
            "occasion": each.step.occasion,
            "step": each.step.number,
            "planned_at": each.step.at,
            "stands_still": each.at is None and each.done_at is None,
            "done_at": each.done_at,
            "alerts": each.step.alerts,
            "team": each.step.team or None,
            "urgency": each.step.urgency or None,
        }
        for each in planned
    ]


def sentence(kind: str, by: str, detail: dict[str, Any]) -> str | None:
    """What a clock brought about, or who asked and answered what; None for anything else."""
    if kind == "asked":
        return f"{detail.get('team')} asked for information by {by}"
    if kind == "informed":
        after = f" after {spell(timedelta(seconds=detail['waited']))}" if "waited" in detail else ""
        return f"answered by {by}{after}, as {detail.get('asked_by')} asked {detail.get('team')}"
    if kind not in ("warned", "breached", "escalated"):
        return None
    if "clock" not in detail:  # a mention brought it about
        taken = f", taken from {detail['from_agent']}" if "from_agent" in detail else ""
        return f"handed over from {detail.get('from_team')} to {detail.get('team')}{taken} by {by}: {detail.get('why')}"
    what = _what(detail)
    late = f" (done {spell(timedelta(seconds=detail['late']))} late)" if "late" in detail else ""
    if kind != "escalated":
        return f"warned: the {what} is due soon{late}" if kind == "warned" else f"the {what} is overdue{late}"
    told = [whom_told(detail["alerts"], detail.get("told", ()))] if detail.get("alerts") else []
    does = [f"given to {detail['team']}"] if "team" in detail else []
    does += [f"urgency raised from {detail.get('from_urgency')} to {detail['urgency']}"] if "urgency" in detail else []
    said = "; ".join([*told, *([", ".join(does)] if does else [])])
    return f"{step_name(detail)}: {said or 'nothing left to change'}{late}"


def step_name(detail: Mapping[str, Any]) -> str:
    """`first answer overdue, step 1`: which step was done, by what the case keeps of it."""
    what = _what(detail)
    why = {Occasion.QUESTION: "no information yet", Occasion.WARNING: f"{what} due soon"}
    return f"{why.get(detail.get('occasion', ''), f'{what} overdue')}, step {detail.get('step')}"


def _what(detail: Mapping[str, Any]) -> str:
    return NAMES.get(Clock(detail["clock"]), "") if detail.get("clock") in set(Clock) else "something"


def whom_told(targets: Sequence[str], fates: Sequence[Mapping[str, Any]]) -> str:
    """`ops told; bosses not told: localhost answered 404; slow not told yet`: what came of each alert, by its fate."""
    known = {fate["target"]: fate for fate in fates}
    by_state = {
        state: [name for name in targets if name in known and known[name]["state"] == state]
        for state in (AlertState.SENT, AlertState.FAILED, AlertState.WAITING)
    }
    told = [f"{', '.join(by_state[AlertState.SENT])} told"] if by_state[AlertState.SENT] else []
    for name in by_state[AlertState.FAILED]:
        reason = str(known[name]["reason"]).rstrip(".")
        told.append(f"{name} not told{f': {reason}' if reason else ''}")
    told += [f"{', '.join(by_state[AlertState.WAITING])} not told yet"] if by_state[AlertState.WAITING] else []
    unknown = [name for name in targets if name not in known]
    return "; ".join([*told, *([f"{', '.join(unknown)} to be told"] if unknown else [])])
