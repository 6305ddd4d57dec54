"""incidents: go through what was said before an incident was opened, gather its cases, and tell them what is new.

    earlier mentions | attached where they match | their cases become parts | the parts hear of each update

Every step is a short transaction of its own that says how far it came, so that whoever is stopped half-way goes on
there, and the database is held by no incident however many it hits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from listener.desk import incident_cases, incident_matching, incident_meaning
from listener.desk import incidents as desk
from listener.desk.incidents import Seen
from listener.desk.places import named
from listener.store import Store, Transaction, attached, cases, identities, incident_answers, incident_sweeps, incidents
from listener.store.incident_sweeps import Candidate
from listener.store.incidents import Incident
from listener.types import Attached, Author, IncidentState

if TYPE_CHECKING:
    from listener.desk.shelving import Embed

LOOKED, JOINED, TOLD = 200, 200, 500  # mentions looked at, cases joined, cases told in one transaction
_BY_MATCH = (Attached.RULE, Attached.MEANING)
Places = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """What was done: earlier mentions looked at and attached, those that fit no more, cases joined and told."""

    looked: int = 0
    attached: int = 0
    detached: int = 0
    joined: int = 0
    told: int = 0

    def __add__(self, other: Gathered) -> Gathered:
        """Both together."""
        both = {name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__}
        return Gathered(**both)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__dataclass_fields__)


def gather(
    store: Store,
    *,
    places: Places,
    embed: Callable[[], Embed | None],
    is_ours: Callable[[Author], bool],
    now: Callable[[], datetime],
    only: int | None = None,
    stopping: Callable[[], bool] = lambda: False,
    step: Callable[[Gathered], None] = lambda _done: None,
) -> Gathered:
    """Does what is left to do for every incident, or for that one, until nothing is or `stopping` says so.

    `is_ours`: whether one of us wrote it, beside those whom the networks told us; `step` is told after each
    transaction what has been done by then.
    """
    done = Gathered()
    with store.read() as tx:
        numbers = incident_sweeps.unfinished(tx)
    for number in numbers if only is None else [each for each in numbers if each == only]:
        while not stopping():
            one = _step(store, number, places=places, embed=embed, is_ours=is_ours, now=now())
            if one is None:
                break
            done += one
            step(done)
    return done


def _step(
    store: Store,
    number: int,
    *,
    places: Places,
    embed: Callable[[], Embed | None],
    is_ours: Callable[[Author], bool],
    now: datetime,
) -> Gathered | None:
    """One transaction's worth; None where nothing is left."""
    with store.read() as tx:
        incident = incidents.by_id(tx, number)
        untold = incidents.untold(tx, number)
        to_join = bool(attached.to_join(tx, number, 1)) if incident.lasts else False
    if untold is not None:
        return _tell(store, number)
    if incident.lasts and incident.swept_to is not None:
        return _sweep(store, number, places=places, embed=embed(), is_ours=is_ours, now=now)
    if incident.state is IncidentState.DISMISSED:
        return _dismiss(store, number, now)
    return _join(store, number, now) if to_join else None


def _tell(store: Store, number: int) -> Gathered:
    with store.write() as tx:
        incident = incidents.hold(tx, number)
        event = incidents.untold(tx, number)
        told = incident_sweeps.tell(tx, incident, event, limit=TOLD) if event else 0
    return Gathered(told=told)


def _dismiss(store: Store, number: int, now: datetime) -> Gathered | None:
    """Lets go some of what was attached to what was no incident after all; None where nothing is left."""
    with store.write() as tx:
        incident = incidents.hold(tx, number)
        batch = attached.current_of(tx, number, limit=JOINED)
        for mention_id in batch:
            _let_go(tx, incident, mention_id, now)
        if batch and len(batch) < JOINED:  # what is free now may be of another one
            for other in incidents.active(tx):
                incidents.sweep_to(tx, other, 0)
    return Gathered(detached=len(batch)) if batch else None


def _join(store: Store, number: int, now: datetime) -> Gathered:
    """Makes the cases of some mentions parts; those that somebody else is at wait for the next step."""
    with store.write() as tx:
        incident = incidents.hold(tx, number)
        waiting = attached.to_join(tx, number, JOINED)
        attached.joined(tx, number, [mention_id for mention_id, case_id in waiting if case_id is None], now=now)
        by_case: dict[int, list[int]] = {}
        for mention_id, case_id in waiting:
            if case_id is not None:
                by_case.setdefault(case_id, []).append(mention_id)
        held = cases.free(tx, sorted(by_case))
        incident_cases.join_all(tx, incident, held, by=attached.DAEMON, now=now)
        attached.joined(tx, number, [mention_id for case_id in held for mention_id in by_case[case_id]], now=now)
    return Gathered(joined=len(by_case))


def _sweep(
    store: Store,
    number: int,
    *,
    places: Places,
    embed: Embed | None,
    is_ours: Callable[[Author], bool],
    now: datetime,
) -> Gathered:
    """Looks at some earlier mentions. What is read and compared before the transaction is thrown away where somebody
    described the incident anew meanwhile, or was quicker."""
    with store.read() as tx:
        incident = incidents.by_id(tx, number)
        active = tuple(incidents.active(tx))
        batch = incident_sweeps.candidates(tx, incident, limit=LOOKED)
        ours = identities.everywhere(tx)
        compared = incident_meaning.of_active(tx) if embed else {}
        wrong = attached.outside(tx, incident, LOOKED) if not batch else []
    theirs = [each for each in batch if not (_whose(each) in ours or is_ours(_author(each)))]
    near = incident_meaning.of_batch(embed, theirs, compared) if embed else {}
    with store.write() as tx:
        held = incidents.hold(tx, number)
        if (held.revision, held.swept_to) != (incident.revision, incident.swept_to) or not held.lasts:
            return Gathered()
        if not batch and not wrong:
            counted = attached.numbers(tx, held).hows
            found = counted.get("rule", 0) + counted.get("meaning", 0)
            incidents.sweep_to(tx, held, None)
            incidents.record(tx, held, "gone_through", by=attached.DAEMON, now=now, found=found)
            return Gathered()
        done = _compare(tx, held, active, theirs, places=places, near=near, now=now)
        for mention_id in wrong:
            _let_go(tx, held, mention_id, now)
        if batch:
            incidents.sweep_to(tx, held, batch[-1].id)
    return replace(done, looked=len(batch), detached=done.detached + len(wrong))


def _whose(candidate: Candidate) -> tuple[str, str]:
    return candidate.network, candidate.external_id


def _author(candidate: Candidate) -> Author:
    return Author(external_id=candidate.external_id, handle=candidate.handle, url=candidate.url)


def _compare(
    tx: Transaction,
    incident: Incident,
    active: Sequence[Incident],
    batch: Sequence[Candidate],
    *,
    places: Places,
    near: Mapping[tuple[int, int], incident_meaning.Near],
    now: datetime,
) -> Gathered:
    """Attaches those that are of the incident rather than of another one, and lets go those that are no more."""
    ids = [each.id for each in batch]
    held, refused = attached.current(tx, ids), attached.refused(tx, ids)
    lists = incidents.lists_with(tx, [each.customer_id for each in batch if each.customer_id is not None])
    wanted = {place for each in active for place in desk.affected_of(each).places}
    sought = {place: words for place, words in places.items() if place in wanted}
    gone, new = 0, []
    for each in batch:
        is_of = held.get(each.id)
        if is_of is not None and (is_of.incident_id != incident.id or is_of.how not in _BY_MATCH):
            continue
        seen = _seen(each, sought, lists)
        fits = incident_matching.fitting(active, seen, near.get((each.id, each.revision), {}), refused.get(each.id, ()))
        if is_of is not None:
            if incident.id not in [other.id for other, _ in fits]:
                _let_go(tx, incident, each.id, now)
                gone += 1
            continue
        best = desk.best(fits)
        if best is not None and best[0].id == incident.id:
            new.append((each.id, best[1]))
    return Gathered(attached=incident_matching.attach_all(tx, incident, new, now=now), detached=gone)


def _seen(candidate: Candidate, sought: Places, lists: Mapping[int, frozenset[int]]) -> Seen:
    known = candidate.customer_id is not None
    return Seen(
        network=candidate.network,
        posted_at=candidate.posted_at,
        text=candidate.text,
        areas=candidate.areas,
        intents=candidate.intents,
        places=named(candidate.text, sought),
        tier=candidate.tier,
        lists=lists.get(candidate.customer_id or 0, frozenset()) if known else None,
    )


def _let_go(tx: Transaction, incident: Incident, mention_id: int, now: datetime) -> None:
    if attached.detach(tx, incident, mention_id, by=attached.DAEMON, now=now):
        incident_answers.left(tx, incident, mention_id, now=now)
        incident_cases.leave(tx, incident, mention_id, by=attached.DAEMON, now=now)
