"""An incident from its opening to its end, and the time line of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from listener.desk import cases as desk_cases
from listener.desk import incidents as desk
from listener.desk.incidents import Affected
from listener.store import Transaction, incidents
from listener.store.incidents import Incident
from listener.types import CasePlan, IncidentState


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
    """Gives the incident its own case, whose parts the cases of those become whom it hits."""
    case = desk_cases.open_case(
        tx,
        pattern=pattern,
        plan=plan,
        account_id=None,
        customer_id=None,
        by=by,
        since=incident.began_at,
        now=now,
    )
    return incidents.record(tx, incident, "case", by=by, now=now, became={"case_id": case.id}, case=case.reference)
