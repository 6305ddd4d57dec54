"""A mention and the incidents that last: which it is of, and what follows when it is edited.

A mention that a person attached stays where it is, and where a person took it off it comes back by no rule. A person's
further message in a case that is a part of an incident follows that case.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from listener.desk import incident_cases, places
from listener.desk import incidents as desk
from listener.desk.incidents import Match, Seen
from listener.store import Transaction, attached, incident_answers, incidents
from listener.store.incidents import Incident
from listener.types import Attached, Understanding

if TYPE_CHECKING:
    from listener.desk.incident_meaning import Near
    from listener.store.cases import Case
    from listener.store.customers import Customer
    from listener.store.mentions import Mention

BY_RULE = (Attached.RULE, Attached.MEANING, Attached.CASE)
Places = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What a batch of mentions is compared with. `any`: whether there ever was an incident; `places`: the policy's;
    `near`: how near in meaning each mention is, by number and revision."""

    any: bool
    active: tuple[Incident, ...] = ()
    places: Places = field(default_factory=dict)
    near: Mapping[tuple[int, int], Near] = field(default_factory=dict)


def watched(tx: Transaction, *, places: Places, near: Mapping[tuple[int, int], Near]) -> Watched:
    """What lasts now."""
    lasting = tuple(incidents.active(tx))
    wanted = {place for each in lasting for place in desk.affected_of(each).places}
    sought = {place: words for place, words in places.items() if place in wanted}
    return Watched(any=bool(lasting) or incidents.there_are(tx), active=lasting, places=sought, near=near)


def follow(
    tx: Transaction,
    watched: Watched,
    mention: Mention,
    *,
    understanding: Understanding | None,
    customer: Customer | None,
    case: Case | None,
    ours: bool,
    now: datetime,
) -> Incident | None:
    """The incident that the mention is of from now on, lasting or over; None where it is of none.

    `case`: the one that it joins, where it is known to be that person's; `ours`: one of us wrote it, which makes it of
    none.
    """
    if not watched.any:
        return None
    held = attached.current(tx, [mention.id]).get(mention.id)
    last = incidents.by_id(tx, held.incident_id) if held else None
    if held is not None and last is not None and (held.how not in BY_RULE or not last.lasts):
        return last
    refused = attached.refused(tx, [mention.id]).get(mention.id, frozenset()) if watched.active else frozenset()
    matches = []
    if watched.active and not ours:
        seen = seen_in(tx, watched, mention, understanding, customer)
        matches = fitting(watched.active, seen, watched.near.get((mention.id, mention.revision), {}), refused)
    followed = None if ours else _followed(tx, watched, mention, case, refused)
    found = followed or desk.best(matches)
    if last is not None:
        if last.id in [each.id for each, _ in (*matches, *([followed] if followed else []))]:
            return last
        attached.detach(tx, last, mention.id, by=attached.DAEMON, now=now)
        incident_cases.leave(tx, last, mention.id, by=attached.DAEMON, now=now)
    if found is None:
        return None
    incident, match = found
    if attach(tx, incident, mention.id, match, now=now):
        return incident
    return incidents.of_mention(tx, mention.id)  # another process was first


def attach(tx: Transaction, incident: Incident, mention_id: int, match: Match, *, now: datetime) -> bool:
    """Counts the mention to the incident because of that match; whether it was of none before."""
    told = {"how": match.how, "why": match.why, "score": match.score}
    new = attached.attach(tx, incident, mention_id, **told, by=attached.DAEMON, now=now)  # type: ignore[arg-type]
    if new:
        incident_answers.came(tx, incident, mention_id)
    return new


def attach_all(tx: Transaction, incident: Incident, found: Sequence[tuple[int, Match]], *, now: datetime) -> int:
    """The same of many; gives how many were of none before."""
    rows = [(mention_id, match.how, match.why, match.score) for mention_id, match in found]
    return attached.attach_all(tx, incident, rows, by=attached.DAEMON, now=now)


def fitting(
    active: Collection[Incident], seen: Seen, near: Near, refused: Collection[int] = ()
) -> list[tuple[Incident, Match]]:
    """The incidents that what was seen is of, with why; not those that a person took it off."""
    found = [(each, desk.match(each, seen, likeness=near.get(each.id))) for each in active if each.id not in refused]
    return [(incident, match) for incident, match in found if match is not None]


def seen_in(
    tx: Transaction,
    watched: Watched,
    mention: Mention,
    understanding: Understanding | None,
    customer: Customer | None,
) -> Seen:
    """What of the mention says whether an incident hits whoever wrote it."""
    whose = None
    if customer is not None:
        whose = customer.tier, incidents.lists_with(tx, [customer.id]).get(customer.id, frozenset())
    return desk.seen(
        network=mention.network,
        posted_at=mention.posted_at,
        text=mention.text,
        understanding=understanding,
        places=places.named(mention.text, watched.places),
        customer=whose,
    )


def _followed(
    tx: Transaction, watched: Watched, mention: Mention, case: Case | None, refused: Collection[int]
) -> tuple[Incident, Match] | None:
    """The incident whose part the mention's case is, by another of its mentions."""
    if case is None or case.parent_id is None:
        return None
    for incident in watched.active:
        if incident.case_id == case.parent_id and incident.id not in refused:
            if not attached.in_case(tx, incident.id, case.id, but=mention.id):
                return None
            why = incident_cases.why_followed(case.reference, incident)
            return incident, Match(how=Attached.CASE, why=why, held=1)
    return None
