"""Whom an incident hits, and which mentions are of it. Pure.

    posted while it lasted | whom: network, place, plan, list | about what: area, intent, words — or by its meaning

All that is asked for must hold; of several areas (places, words, …) one is enough. What a mention is about may be
told by its labels and words, or by its meaning: one of the two is enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import lru_cache
from typing import Any

from listener import terms
from listener.errors import AlreadyDone, Mistake
from listener.store.incidents import Incident
from listener.types import INCIDENT_MOVES, Attached, IncidentState, Understanding

ALIKE = 0.70  # from this likeness on it is of it by its meaning; benchmarks/incident_meaning.py shows what that catches


@dataclass(frozen=True, kw_only=True)
class Affected:
    """Whom an incident hits. `words`: terms as sources have them; `tiers`: plans; `listed`: there is a list."""

    areas: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    listed: bool = False

    @property
    def topic(self) -> bool:
        """Whether it says what a mention must be about."""
        return bool(self.areas or self.intents or self.words)

    @property
    def people(self) -> bool:
        """Whether it says enough of whom it hits to tell them from others."""
        return bool(self.places or self.tiers or self.listed)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is known of a mention. `tier` and `lists` are None where nobody knows which customer wrote it; `lists` are
    the incidents on whose list they are."""

    network: str
    posted_at: datetime
    text: str
    areas: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    places: frozenset[str] = frozenset()
    tier: str | None = None
    lists: frozenset[int] | None = None


@dataclass(frozen=True, kw_only=True)
class Match:
    """That a mention is of an incident. `why` is a sentence without its full stop; `score`: how alike in meaning."""

    how: Attached
    why: str
    held: int  # how many conditions did
    score: float | None = None


def number(text: str) -> int:
    """The number in `I3`, `i3` or `3`. Raises Mistake."""
    found = re.fullmatch(r"\s*[Ii]?0*(\d{1,18})\s*", text)
    if not found:
        raise Mistake(f"{text[:40]!r} is no incident; they look like I3, see `escucha incident list`.")
    return int(found[1])


def affected_of(incident: Incident) -> Affected:
    """Whom it hits, as its row has it."""
    return read(incident.affected)


def tells(incident: Incident) -> bool:
    """Whether it says enough for rules, or for its meaning, to attach anything."""
    affected = affected_of(incident)
    return affected.topic or affected.people or bool(incident.meaning)


def read(kept: Mapping[str, Any]) -> Affected:
    """Whom an incident hits, from what `written` gave; what it does not know is left alone."""
    known = {field.name for field in fields(Affected)}
    values: dict[str, Any] = {name: value for name, value in kept.items() if name in known}
    values |= {name: tuple(each) for name, each in values.items() if isinstance(each, list)}
    return Affected(**values)


def written(affected: Affected) -> dict[str, Any]:
    """The same as JSON keeps it, without what is not asked for."""
    values = {field.name: getattr(affected, field.name) for field in fields(Affected)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items() if value}


def match(incident: Incident, seen: Seen, *, likeness: float | None = None) -> Match | None:
    """Which conditions hold; None where the mention is not of it. `likeness`: see `incident_meaning.py`."""
    affected = affected_of(incident)
    if seen.posted_at < incident.began_at or (incident.ended_at and seen.posted_at > incident.ended_at):
        return None
    whom = _whom(affected, seen, incident.id)
    if whom is None:
        return None
    about = _about(affected, seen) if affected.topic else None
    if about:
        return Match(how=Attached.RULE, why=_listed([*about, *whom]), held=len(about) + len(whom))
    if likeness is not None and likeness >= ALIKE:
        why = _listed([f"it means what is said of {incident.reference} ({likeness:.2f})", *whom])
        return Match(how=Attached.MEANING, why=why, held=len(whom), score=round(likeness, 4))
    if affected.topic or incident.meaning or not affected.people or not whom:
        return None
    return Match(how=Attached.RULE, why=_listed(whom), held=len(whom))


def _whom(affected: Affected, seen: Seen, incident_id: int) -> list[str] | None:
    """That it hits whoever wrote this, in words; None where it does not. Of a stranger a list says nothing."""
    told = []
    if affected.networks:
        if seen.network not in affected.networks:
            return None
        told.append(f"it is on {seen.network}")
    if affected.places:
        named = [place for place in affected.places if place in seen.places]
        if not named:
            return None
        told.append(f"it names {_listed(named)}")
    if affected.tiers:
        if seen.tier not in affected.tiers:
            return None
        told.append(f"its author's plan is {seen.tier}")
    if affected.listed:
        if seen.lists is not None and incident_id not in seen.lists:
            return None
        if seen.lists is not None:
            told.append("its author is on the list")
    return told


def _about(affected: Affected, seen: Seen) -> list[str] | None:
    """That it is about this, in words; None where it is not."""
    told = []
    for name, wanted, had in (("area", affected.areas, seen.areas), ("intent", affected.intents, seen.intents)):
        both = [label for label in wanted if label in had]
        if wanted and not both:
            return None
        told += [f"its {name} is {_listed(both).replace('_', ' ')}"] if both else []
    if affected.words:
        found = [term for text in affected.words if (term := _terms(text)).matches(seen.text)]
        if not found:
            return None
        told.append(f"it says {_quoted(found[0].found(seen.text))}")
    return told


def best(matches: Sequence[tuple[Incident, Match]]) -> tuple[Incident, Match] | None:
    """The incident that a mention is of, where several match: rules come before meaning, then what says more, then
    what is more alike, then the newest."""
    if not matches:
        return None

    def rank(each: tuple[Incident, Match]) -> tuple[bool, int, float, int]:
        incident, match = each
        return match.how is Attached.RULE, match.held, match.score or 0.0, incident.id

    first, *others = sorted(matches, key=rank, reverse=True)
    if not others:
        return first
    incident, match = first
    less = _listed([each.reference for each, _ in others])
    why = f"{match.why}; {less} {'matches' if len(others) == 1 else 'match'} too, less well"
    return incident, Match(how=match.how, why=why, held=match.held, score=match.score)


def seen(
    *,
    network: str,
    posted_at: datetime,
    text: str,
    understanding: Understanding | None,
    places: frozenset[str],
    customer: tuple[str, frozenset[int]] | None,
) -> Seen:
    """What is known of a mention. `customer`: whose it is, by their plan and the lists that they are on."""
    return Seen(
        network=network,
        posted_at=posted_at,
        text=text,
        areas=understanding.areas if understanding else (),
        intents=tuple(str(each) for each in understanding.intents) if understanding else (),
        places=places,
        tier=customer[0] if customer else None,
        lists=customer[1] if customer else None,
    )


def in_words(incident: Incident, listed: int) -> list[tuple[str, str]]:
    """Whom it hits, as names and values; `listed`: how many customers are on its list."""
    affected = affected_of(incident)
    rows = [
        ("areas", affected.areas), ("intents", affected.intents), ("words", affected.words),
        ("networks", affected.networks), ("places", affected.places), ("plans", affected.tiers),
    ]  # fmt: skip
    told = [(name, ", ".join(values)) for name, values in rows if values]
    if affected.listed:
        told.append(("listed", "1 customer" if listed == 1 else f"{listed:,} customers"))
    if incident.meaning:
        told.append(("meaning", " / ".join(incident.meaning.splitlines())))
    return told


def check_move(incident: Incident, to: IncidentState) -> None:
    """Raises AlreadyDone when it is there already, Mistake when it cannot get there from where it is."""
    if to is incident.state:
        raise AlreadyDone(f"{incident.reference} is already {to}.")
    if to not in INCIDENT_MOVES[incident.state]:
        allowed = [state.value for state in IncidentState if state in INCIDENT_MOVES[incident.state]]
        step = f"from there it can become {' or '.join(allowed)}" if allowed else "that is its end"
        raise Mistake(f"{incident.reference} is {incident.state}; {step}.")


def check_words(words: Iterable[str]) -> None:
    """Raises TermsProblem, a Mistake, for terms that cannot be read."""
    for text in words:
        _terms(text)


@lru_cache(maxsize=256)
def _terms(text: str) -> terms.Terms:
    return terms.parse(text)


def _quoted(words: Sequence[str]) -> str:
    """Our own words, as they were looked for; terms that only exclude find none."""
    return _listed([f"“{word}”" for word in (each.strip('"') for each in words)]) or "nothing that is left out"


def _listed(values: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(values[:-1]), values[-1]) if part) if values else ""
