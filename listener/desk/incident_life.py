"""An incident from its opening to its end, and the time line of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from listener.desk import cases as desk_cases
from listener.desk import incident_cases
from listener.desk import incidents as desk
from listener.desk.incidents import Affected
from listener.errors import AlreadyDone, Mistake, NotFound
from listener.store import Transaction, attached, cases, incident_answers, incidents
from listener.store.incidents import Incident
from listener.store.mentions import Mention
from listener.types import Attached, CasePlan, Clock, IncidentState, MentionState, Promise

OVER = (IncidentState.CLOSED, IncidentState.DISMISSED)


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a person says of an incident when it is opened. `customers`: those on the list that they brought."""

    title: str
    affected: Affected
    began_at: datetime
    ended_at: datetime | None = None
    meaning: str = ""
    customers: Collection[int] = ()
    owner: str | None = None
    say: str = ""
    avoid: Sequence[str] = ()
    holds_replies: bool = True
    holds_cheer: bool = True


def open_incident(
    tx: Transaction,
    description: Description,
    *,
    plan: CasePlan | None,
    pattern: str,
    by: str,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
) -> Incident:
    """Opens it, with a case of its own as `plan` has it; without one it is proposed, for a person to agree.

    The mentions that there are already are gone through by `flow/incidents.py`.
    """
    incident = incidents.open(
        tx,
        title=description.title,
        by=by,
        now=now,
        began_at=description.began_at,
        ended_at=description.ended_at,
        state=IncidentState.INVESTIGATING if plan else IncidentState.PROPOSED,
        owner=description.owner,
        affected=desk.written(description.affected),
        meaning=description.meaning,
        say=description.say,
        avoid=description.avoid,
        holds_replies=description.holds_replies,
        holds_cheer=description.holds_cheer,
        **(detail or {}),
    )
    incidents.list_customers(tx, incident, description.customers, now)
    return begin_case(tx, incident, plan, pattern=pattern, by=by, now=now) if plan else incident


def begin_case(
    tx: Transaction, incident: Incident, plan: CasePlan, *, pattern: str, by: str, now: datetime
) -> Incident:
    """Gives the incident its own case, whose parts the cases of those become whom it hits; it has nobody to answer."""
    case = desk_cases.open_case(
        tx,
        pattern=pattern,
        plan=replace(plan, promise=_without_first_response(plan.promise)),
        account_id=None,
        customer_id=None,
        by=by,
        since=incident.began_at,
        now=now,
    )
    return incidents.record(tx, incident, "case", by=by, now=now, became={"case_id": case.id}, case=case.reference)


def _without_first_response(promise: Promise) -> Promise:
    steps = tuple(step for step in promise.steps if step.clock is not Clock.FIRST_RESPONSE)
    return replace(promise, first_response=None, first_response_warning=None, first_response_due=None, steps=steps)


def attach(
    tx: Transaction, incident: Incident, mention: Mention, *, why: str, by: str, now: datetime, move: bool = False
) -> Incident | None:
    """Counts the mention to the incident by a person's word; gives the incident that it was of before.

    `why`: in the person's words; `move`: take it off the other incident that it is of. Raises AlreadyDone where it is
    of this one, Mistake where it was deleted, or is of another, or the incident is over.
    """
    if mention.state is MentionState.GONE:
        raise Mistake(f"M{mention.id} was deleted by its author; there is nothing to attach.")
    _check_not_over(incident)
    other = incidents.of_mention(tx, mention.id)
    if other is not None and other.id == incident.id:
        raise AlreadyDone(f"M{mention.id} is of {incident.reference} already.")
    if other is not None and not move:
        raise Mistake(f"M{mention.id} is of {other.reference}, {other.title}; --move takes it from there.")
    if other is not None:
        _take_off(tx, other, mention.id, by=by, now=now)
    told = why or f"{by} said so"
    if not attached.attach(tx, incident, mention.id, how=Attached.HAND, why=told, by=by, now=now):
        raise AlreadyDone(f"M{mention.id} was attached by somebody else a moment ago; look again.")
    incident_answers.came(tx, incident, mention.id)
    case = cases.of_mention(tx, mention.id)
    if case is not None:
        incident_cases.join(tx, incident, case, [mention.id], by=by, now=now)
    return other


def detach(tx: Transaction, incident: Incident, mention_id: int, *, by: str, now: datetime) -> None:
    """Takes the mention off the incident: no rule brings it back. Raises NotFound where it is not of it."""
    if not _take_off(tx, incident, mention_id, by=by, now=now):
        raise NotFound(
            f"M{mention_id} is not of {incident.reference}; see `escucha incident mentions {incident.reference}`."
        )


def _take_off(tx: Transaction, incident: Incident, mention_id: int, *, by: str, now: datetime) -> bool:
    was_of_it = attached.detach(tx, incident, mention_id, by=by, now=now)
    if was_of_it:
        incident_answers.left(tx, incident, mention_id, now=now)
        incident_cases.leave(tx, incident, mention_id, by=by, now=now)
    return was_of_it


def _check_not_over(incident: Incident) -> None:
    if incident.state in OVER:
        raise Mistake(f"{incident.reference} is {incident.state}; open another incident for what is new.")


def describe(
    tx: Transaction, incident: Incident, changed: Mapping[str, Any], *, by: str, now: datetime, anew: bool = False
) -> Incident:
    """Says anew whom it hits; what is there already is gone through again, and what fits no more is let go.

    `changed`: columns as `store.incidents` has them; `anew`: its list is another one. Raises AlreadyDone where nothing
    is new, Mistake where it is over.
    """
    _check_not_over(incident)
    news = {name: value for name, value in changed.items() if getattr(incident, name) != value}
    if not news and not anew:
        raise AlreadyDone(f"{incident.reference} is described like that already.")
    incident = incidents.record(tx, incident, "described", by=by, now=now, became=news, changed=sorted(news))
    incidents.sweep_to(tx, incident, 0)
    return incidents.by_id(tx, incident.id)


def update(
    tx: Transaction, incident: Incident, text: str, public: Mapping[str, str], *, by: str, now: datetime
) -> Incident:
    """A further entry of its time line, which its cases hear of. `public`: by language, what may be said of it."""
    _check_not_over(incident)
    return incidents.record(tx, incident, "update", by=by, now=now, text=text, tell=True, public=dict(public))


def give(tx: Transaction, incident: Incident, owner: str, *, by: str, now: datetime) -> Incident:
    """Says who sees to it. Raises AlreadyDone, and Mistake where it is over."""
    _check_not_over(incident)
    if incident.owner == owner:
        raise AlreadyDone(f"{incident.reference} is {owner}'s already.")
    return incidents.record(tx, incident, "owner", by=by, now=now, became={"owner": owner}, owner=owner)
