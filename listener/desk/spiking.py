"""What follows from a spike: who is told, what is proposed, and how it is said; never in what people wrote."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from listener.desk import incident_life
from listener.desk import incidents as desk
from listener.desk.incident_life import Description
from listener.desk.incidents import Affected
from listener.errors import AlreadyDone, Mistake
from listener.store import Transaction, alerts, attached, incidents, spikes
from listener.store.incidents import Incident
from listener.store.spikes import Cause, Label, Spike
from listener.types import Attached, CasePlan, IncidentRules, IncidentState, Intent, SpikeState

KIND = "spike"  # of the alerts
DAEMON = "daemon"
PART = 0.2  # of its people, from which an intent is one of those whom it hits
GROWN = 5  # times as many people as when it was last told, and it is told again
ALARMING = (Intent.COMPLAINT, Intent.OUTAGE_REPORT, Intent.CANCELLATION_THREAT, Intent.QUESTION, Intent.REQUEST)


def number(text: str) -> int:
    """The number in `S4`, `s4` or `4`. Raises Mistake."""
    found = re.fullmatch(r"\s*[Ss]?0*(\d{1,18})\s*", text)
    if not found:
        raise Mistake(f"{text[:40]!r} is no spike; they look like S4, see `escucha incident spikes`.")
    return int(found[1])


# --- how it is said -------------------------------------------------------------------------------------------------


def about(label: Label) -> str:
    """What it is about, in words: `roaming, outage report, in Lleida, on mastodon`."""
    area, intent, place, network = label
    said = [area, intent.replace("_", " "), f"in {place}" if place else "", f"on {network}" if network else ""]
    return ", ".join(each for each in said if each) or "everything"


def size(spike: Spike) -> str:
    """How many, in how long, and how many are normal: `42 people in 25 min, where 3 are normal`."""
    people = "1 person" if spike.people == 1 else f"{spike.people:,} people"
    return f"{people} in {_long(spike.peak_at - spike.since)}, where {usual(spike.expected)} normal"


def usual(expected: float) -> str:
    """`3 are`, `1 is`, `fewer than 1 is`."""
    if expected < 0.95:
        return "fewer than 1 is"
    return "1 is" if round(expected) == 1 else f"{round(expected):,} are"


def causes_of(spike: Spike, kind: str) -> list[Cause]:
    """Its areas, intents, places or networks, those most above normal first."""
    return [each for each in spike.causes if each.kind == kind]


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _long(span: timedelta) -> str:
    minutes = max(round(span.total_seconds() / 60), 1)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


# --- what is proposed -----------------------------------------------------------------------------------------------


def attend(tx: Transaction, spike: Spike, rules: IncidentRules, *, pattern: str, now: datetime) -> Spike:
    """Joins the spike to the incident that most of its mentions are of, or proposes one where the policy says so.

    Its mentions are attached to what it is of, those that come later too, but for those that a person took off it.
    """
    if spike.state is SpikeState.DISMISSED:
        return spike
    ids = spikes.mention_ids(tx, spike.id)
    of = attached.current(tx, ids)
    if spike.incident_id is None:
        counted = Counter(each.incident_id for each in of.values())
        most = counted.most_common(1)
        if most and 2 * most[0][1] >= len(ids):
            spike = spikes.belongs(tx, spike, most[0][0])
        elif rules.propose:
            description = describe(spike, rules)
            made = incident_life.open_incident(
                tx, description, plan=None, pattern=pattern, by=DAEMON, now=now, detail={"spike": spike.reference}
            )
            spike = spikes.belongs(tx, spike, made.id)
    if spike.incident_id is not None:
        gather(tx, spike, incidents.get(tx, spike.incident_id), by=DAEMON, now=now)
    return spike


def gather(tx: Transaction, spike: Spike, incident: Incident, *, by: str, now: datetime) -> int:
    """Attaches the spike's mentions to the incident, but for those that are of another or were taken off it.

    Gives how many. An incident that is over takes none.
    """
    if not (incident.lasts or incident.state is IncidentState.PROPOSED):
        return 0
    ids = spikes.mention_ids(tx, spike.id)
    of, refused = attached.current(tx, ids), attached.refused(tx, ids)
    new = [each for each in ids if each not in of and incident.id not in refused.get(each, ())]
    why = f"it is one of those behind {spike.reference} ({about(spike.label)})"
    return sum(incidents.attach(tx, incident, each, how=Attached.SPIKE, why=why, by=by, now=now) for each in new)


def describe(spike: Spike, rules: IncidentRules, *, title: str = "") -> Description:
    """An incident as the spike shows it, for a person to look through.

    What it is about is taken where the spike shows most, and where it names nothing, where most of its people are.
    On which networks it shows says nothing of whom it hits.
    """
    area, intent, place, _network = spike.label
    areas = (area,) if area else _most(spike, "area")
    places = (place,) if place else _most(spike, "place")
    intents = [intent] if intent else []
    intents += [each.name for each in causes_of(spike, "intent") if PART * spike.people <= each.people]
    alarming = [each.value for each in ALARMING if each.value in intents]
    # Without an area or a place everybody who complains would be of it: then it is what they say.
    words = () if areas or places else tuple(f'"{each.word}"' for each in spike.words[:3])
    label = (areas[0] if areas else "", intent, places[0] if places else "", "")
    return Description(
        title=title or _title(label, words),
        affected=Affected(areas=areas, intents=tuple(alarming) if areas or words else (), places=places, words=words),
        began_at=spike.onset,
        holds_replies=rules.hold_replies,
        holds_cheer=rules.hold_cheer,
    )


def filled(given: Affected, shown: Affected) -> Affected:
    """What a person said of whom an incident hits, and of what they did not say, what the spike shows.

    Whoever says what it is about says all of that: nothing is added to it.
    """
    about_ = given if given.topic else shown
    return replace(
        given,
        areas=about_.areas,
        intents=about_.intents,
        words=about_.words,
        places=given.places if given.places or given.topic else shown.places,
    )


def open_from(
    tx: Transaction,
    spike: Spike,
    description: Description,
    *,
    plan: CasePlan,
    pattern: str,
    by: str,
    now: datetime,
) -> Incident:
    """A person opens an incident from a spike, or agrees to the one that was proposed for it; its mentions come along.

    Raises AlreadyDone where the spike is of an incident that a person agreed to before.
    """
    before = None if spike.incident_id is None else incidents.hold(tx, spike.incident_id)
    if before is not None and before.state not in (IncidentState.PROPOSED, IncidentState.DISMISSED):
        raise AlreadyDone(f"{spike.reference} is of {before.reference} already, which is {before.state}.")
    if before is not None and before.state is IncidentState.PROPOSED:
        became = {
            "state": IncidentState.INVESTIGATING.value,
            "title": description.title,
            "owner": description.owner,
            "affected": desk.written(description.affected),
            "meaning": description.meaning,
            "began_at": description.began_at,
            "ended_at": description.ended_at,
            "holds_replies": description.holds_replies,
            "holds_cheer": description.holds_cheer,
        }
        incident = incidents.record(tx, before, "state", by=by, now=now, became=became, spike=spike.reference)
        incident = incident_life.begin_case(tx, incident, plan, pattern=pattern, by=by, now=now)
        incidents.sweep_to(tx, incident, 0)
    else:
        detail = {"spike": spike.reference}
        incident = incident_life.open_incident(
            tx, description, plan=plan, pattern=pattern, by=by, now=now, detail=detail
        )
    gather(tx, spikes.opened(tx, spike, incident.id, by=by, now=now), incident, by=by, now=now)
    return incidents.get(tx, incident.id)


def _title(label: Label, words: Sequence[str]) -> str:
    said = about(label)
    if said == "everything":
        said = ", ".join(each.strip('"') for each in words) or "many people at once"
    return said[:1].upper() + said[1:]


def _most(spike: Spike, kind: str) -> tuple[str, ...]:
    """What more than half of its people name."""
    people = max((each.people for each in spike.causes if each.kind == "network"), default=spike.people)
    return tuple(each.name for each in causes_of(spike, kind)[:1] if 2 * each.people > max(people, spike.people))


def settle(tx: Transaction, now: datetime) -> list[Spike]:
    """What a person said of an incident holds for its spikes: dismissed with it, or opened. Gives those."""
    settled = []
    for spike in spikes.undecided(tx):
        incident = incidents.get(tx, spike.incident_id or 0)
        said = incidents.events_of(tx, incident.id, ("dismissed", "state", "resolved", "closed", "opened"))
        by = said[-1].by if said else DAEMON
        if incident.state is IncidentState.DISMISSED:
            because = f"{incident.reference} was dismissed"
            settled.append(spikes.dismiss(tx, spike, because=because, by=by, now=now))
        else:
            settled.append(spikes.opened(tx, spike, incident.id, by=by, now=now))
    return settled


def drop(tx: Transaction, spike: Spike, *, by: str, now: datetime) -> Incident | None:
    """The incident that was proposed for a spike that is nothing goes with it, its mentions let go; gives it."""
    if spike.incident_id is None:
        return None
    incident = incidents.hold(tx, spike.incident_id)
    others = [each for each in spikes.of_incident(tx, incident.id) if each.state is SpikeState.SEEN]
    if incident.state is not IncidentState.PROPOSED or others:
        return None
    became = {"state": IncidentState.DISMISSED.value, "ended_at": now}
    incident = incidents.record(
        tx, incident, "dismissed", by=by, now=now, became=became, text=f"{spike.reference}: {spike.because}"
    )
    attached.detach_all(tx, incident, by=by, now=now)
    return incident


# --- who is told ----------------------------------------------------------------------------------------------------


def tell(tx: Transaction, spike: Spike, *, targets: Sequence[str], now: datetime) -> bool:
    """Tells of it once, and again when it has grown much; what was dismissed is told no more."""
    people = spikes.numbers(tx, [spike.id])[spike.id].people
    first = spike.told_at is None
    if not targets or spike.state is SpikeState.DISMISSED or not (first or people >= GROWN * max(spike.told_people, 1)):
        return False
    so_many = size(spike) if first else f"{people:,} people by now"
    told = [
        alerts.add(
            tx,
            to=target,
            kind=KIND,
            subject=f"{spike.reference}{'' if first else ' has grown'}: {about(spike.label)}: {so_many}",
            why=_why(spike),
            key=f"spike {spike.id}" if first else f"spike {spike.id} grew beyond {spike.told_people}",
            mention_id=None,
            case_id=None,
            now=now,
        )
        for target in targets
    ]
    spikes.told(tx, spike, people, now)
    return any(told)


def tell_end(tx: Transaction, spike: Spike, *, targets: Sequence[str], now: datetime) -> None:
    """Tells that it is over, where its beginning was told and nobody has said what it is."""
    if spike.told_at is None or spike.state is not SpikeState.SEEN:
        return
    people = spikes.numbers(tx, [spike.id])[spike.id].people
    for target in targets:
        alerts.add(
            tx,
            to=target,
            kind=KIND,
            subject=f"{spike.reference} is over: {about(spike.label)}: {people:,} people in all",
            why=f"Nothing above normal since {_moment(spike.seen_at)}. escucha incident spike {spike.reference}",
            key=f"spike {spike.id} is over",
            mention_id=None,
            case_id=None,
            now=now,
        )


def _why(spike: Spike) -> str:
    """Since when, what drives it, and what to do; names of ours only."""
    parts = [f"Since {_moment(spike.onset)}."]
    for kind, many in (("area", "areas"), ("intent", "intents"), ("place", "places"), ("network", "networks")):
        listed = causes_of(spike, kind)[:3]
        if listed:
            told = ", ".join(f"{each.name.replace('_', ' ')} ({each.people})" for each in listed)
            parts.append(f"{(kind if len(listed) == 1 else many).capitalize()}: {told}.")
    if spike.incident_id is not None:
        parts.append(f"It is in I{spike.incident_id}: escucha incident show I{spike.incident_id}.")
    else:
        parts.append(f"escucha incident spike {spike.reference}")
    return " ".join(parts)
