"""What follows from a spike: who is told, what is proposed, and how it is said. An alert never holds what people wrote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from listener.errors import Mistake
from listener.store import Transaction, alerts, spikes
from listener.store.spikes import Cause, Label, Spike
from listener.types import Intent, SpikeState

KIND = "spike"  # of the alerts
GROWN = 3  # times as many people as when it was last told, and it is told again
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


def _long(span: timedelta) -> str:
    minutes = max(round(span.total_seconds() / 60), 1)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


# --- who is told ----------------------------------------------------------------------------------------------------


def tell(tx: Transaction, spike: Spike, *, targets: Sequence[str], now: datetime) -> bool:
    """Tells of it once, and again when it has grown much; what was dismissed is told no more."""
    people = spikes.numbers(tx, [spike.id])[spike.id].people
    first = spike.told_at is None
    if spike.state is SpikeState.DISMISSED or not (first or people >= GROWN * max(spike.told_people, 1)):
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
            why=f"Nothing above normal since {spike.seen_at:%Y-%m-%d %H:%M} UTC. escucha incident spike {spike.reference}",
            key=f"spike {spike.id} is over",
            mention_id=None,
            case_id=None,
            now=now,
        )


def _why(spike: Spike) -> str:
    """Since when, what drives it, and what to do; names of ours only."""
    parts = [f"Since {spike.onset:%Y-%m-%d %H:%M} UTC."]
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


def attend(tx, spike, rules, *, pattern, now):
    return spike
