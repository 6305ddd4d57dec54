"""Incidents as a policy sees them: those that last, and the one that a mention belongs to, with what may be said."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from listener.store import Transaction, attached, incident_answers, incidents
from listener.store.cases import Case
from listener.store.incidents import Incident
from listener.types import IncidentView


@dataclass(frozen=True, kw_only=True)
class Lasting:
    """What lasts now, read once for many mentions; `any`: whether there is any incident at all, be it over."""

    views: tuple[IncidentView, ...]
    any: bool

    def of(self, tx: Transaction, mention_id: int) -> IncidentView | None:
        """The incident that the mention belongs to, lasting or over; None where it belongs to none."""
        number = attached.incident_of(tx, mention_id) if self.any else None
        if number is None:
            return None
        found = next((each for each in self.views if each.number == number), None)
        return found or views(tx, [incidents.by_id(tx, number)])[0]


def of_case(tx: Transaction, case: Case) -> IncidentView | None:
    """The incident whose own case that is, or of whose case it is a part; None where it is none's."""
    found = incidents.of_case(tx, case.parent_id or case.id)
    return views(tx, [found])[0] if found else None


def read(tx: Transaction) -> Lasting:
    """What lasts now, the oldest first."""
    found = sorted(incidents.active(tx), key=lambda each: each.id)
    return Lasting(views=views(tx, found), any=bool(found) or incidents.there_are(tx))


def views(tx: Transaction, found: Collection[Incident]) -> tuple[IncidentView, ...]:
    """These incidents as a policy sees them."""
    answers = incident_answers.approved(tx, [each.id for each in found])
    return tuple(
        IncidentView(
            number=each.id,
            title=each.title,
            state=each.state,
            since=each.began_at,
            answers=answers.get(each.id, {}),
            say=each.say,
            avoid=tuple(each.avoid),
            holds_replies=each.holds_replies,
            holds_cheer=each.holds_cheer,
        )
        for each in found
    )
