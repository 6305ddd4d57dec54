"""The cases of those whom an incident hits, as parts of the incident's own.

A case is a part for as long as one of its mentions is of the incident, also where cases are merged and split; what a
person made a part of something else, or took out, is left as they said. The incident's own case is not written to for
each part: thousands come at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from listener.store import Transaction, attached, cases, incidents
from listener.store.cases import Case
from listener.store.incidents import Incident
from listener.types import Attached


def join(
    tx: Transaction, incident: Incident, case: Case, mention_ids: Sequence[int], *, by: str, now: datetime
) -> Case:
    """Makes the case of these mentions, which are of the incident, a part of it where it can be; gives it as it is."""
    attached.joined(tx, incident.id, mention_ids, now=now)
    if incident.case_id is None:
        return case
    case = cases.hold(tx, case.id)
    if not _is_free(case, incident) or cases.with_parts(tx, [case.id]):
        return case
    became = {"parent_id": incident.case_id}
    case = cases.record(tx, case, "part_of", by=by, now=now, became=became, **_told(incident))
    _bring_along(tx, incident, [case.id], by=by, now=now)
    return case


def join_all(tx: Transaction, incident: Incident, case_ids: Sequence[int], *, by: str, now: datetime) -> None:
    """The same of many cases, which this transaction holds."""
    found = cases.by_ids(tx, case_ids)
    whole = cases.with_parts(tx, case_ids)
    free = [each for each in found if _is_free(each, incident) and each.id not in whole]
    if free and incident.case_id is not None:
        became = {"parent_id": incident.case_id}
        cases.record_all(tx, free, "part_of", by=by, now=now, became=became, **_told(incident))
        _bring_along(tx, incident, [each.id for each in free], by=by, now=now)


def why_followed(reference: str, incident: Incident) -> str:
    """Why a mention is of the incident that said nothing of it."""
    return f"it is of {reference}, which is a part of {incident.reference}"


def _bring_along(tx: Transaction, incident: Incident, case_ids: Sequence[int], *, by: str, now: datetime) -> None:
    """What a person wrote later in such a case follows it."""
    later = attached.followers(tx, incident, case_ids)
    rows = [(number, Attached.CASE, why_followed(reference, incident), None) for number, reference in later]
    attached.attach_all(tx, incident, rows, by=by, now=now)


def _is_free(case: Case, incident: Incident) -> bool:
    live = case.state in cases.LIVE and case.merged_into is None
    return live and case.parent_id is None and case.id != incident.case_id


def _told(incident: Incident) -> dict[str, str | None]:
    return {"parent": incident.case_reference, "incident": incident.reference, "why": incident.title}


def leave(tx: Transaction, incident: Incident, mention_id: int, *, by: str, now: datetime) -> Case | None:
    """After a mention was detached: its case is no part any more, unless another mention of it is of the incident for
    its own sake; what came only with the case goes with it. Gives the case that left."""
    case = cases.of_mention(tx, mention_id)
    return None if case is None else _leave(tx, incident, case, by=by, now=now)


def _leave(tx: Transaction, incident: Incident, case: Case, *, by: str, now: datetime) -> Case | None:
    if incident.case_id is None or case.parent_id != incident.case_id:
        return None
    case = cases.hold(tx, case.id)
    if case.parent_id != incident.case_id or attached.in_case(tx, incident.id, case.id):
        return None
    attached.detach_followers(tx, incident.id, case.id, now=now)
    told = {"parent": incident.case_reference, "incident": incident.reference}
    return cases.record(tx, case, "part_no_more", by=by, now=now, became={"parent_id": None}, **told)


def regrouped(tx: Transaction, came_from: Case, now_in: Case, *, by: str, now: datetime) -> None:
    """After mentions went from one case, a part of an incident's, into another one, which becomes a part of it too.

    A case that was split off is one only where something in it is of the incident for its own sake, and then the one
    before stays one only where it has such a mention left.
    """
    incident = None if came_from.parent_id is None else incidents.of_case(tx, came_from.parent_id)
    if incident is None:
        return
    merged = came_from.merged_into is not None
    if merged or attached.in_case(tx, incident.id, now_in.id):
        join(tx, incident, now_in, [], by=by, now=now)
        if not merged:
            _leave(tx, incident, came_from, by=by, now=now)
    elif now_in.parent_id != incident.case_id:
        attached.detach_followers(tx, incident.id, now_in.id, now=now)


def routed(tx: Transaction, case: Case, mention_id: int, *, by: str, now: datetime) -> Case:
    """A mention was put into a case by a person: where it is of an incident that lasts, the case becomes its part."""
    incident = incidents.of_mention(tx, mention_id)
    if incident is None or not incident.lasts:
        return case
    return join(tx, incident, case, [mention_id], by=by, now=now)
