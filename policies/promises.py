"""What is promised to a case, as moments: the service level that fits, on its calendar, with what follows a breach.

Which level: the first of `only` whose network, team, tier and urgency all fit; what it leaves out, and every other
case, is as the case's urgency has it. All spans, those of the steps too, are open time of the level's calendar. A case
of an incident is promised what `incidents:` says in the place of that, as far as it says anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from listener.types import Clock, IncidentView, Occasion, Promise, Step, Urgency
from policies.calendars import Hours, local_time, spoken_clock
from policies.open_time import OpenTime
from policies.schema import PolicyFile
from policies.schema_levels import OnlyLevel, ServiceLevel, StepOf

_ALL_TIME = OpenTime(None)


class _Asked(NamedTuple):
    """For which case a promise is asked; network and tier in small letters."""

    team: str
    urgency: Urgency
    network: str
    tier: str
    now: datetime


@dataclass(frozen=True, slots=True)
class _Only:
    """One of `only` with the words it is for, ready to be compared; None: any."""

    network: frozenset[str] | None
    team: frozenset[str] | None
    tier: frozenset[str] | None
    urgency: frozenset[Urgency] | None

    @classmethod
    def of(cls, level: OnlyLevel) -> _Only:
        return cls(
            network=_folded(level.network),
            team=frozenset(level.team) if level.team else None,
            tier=_folded(level.tier),
            urgency=frozenset(level.urgency) if level.urgency else None,
        )

    def fits(self, asked: _Asked) -> bool:
        return (
            (self.network is None or asked.network in self.network)
            and (self.team is None or asked.team in self.team)
            and (self.tier is None or asked.tier in self.tier)
            and (self.urgency is None or asked.urgency in self.urgency)
        )


class Promises:
    """The service levels and escalation chains of a policy, with its calendars."""

    def __init__(self, file: PolicyFile, hours: Hours) -> None:
        self._levels, self._escalation, self._zone = file.service_levels, file.escalation, hours.zone
        self._only = tuple(_Only.of(level) for level in file.service_levels.only)
        self._clocks = {name: OpenTime(calendar) for name, calendar in hours.calendars.items()}
        rules = file.incidents.rules()
        spans = {Clock.FIRST_RESPONSE: rules.first_response, Clock.RESOLUTION: rules.resolution}
        self._of_incidents = {clock: span for clock, span in spans.items() if span is not None}
        self._from_end = rules.resolution_from_end
        self._known: dict[tuple[int, Urgency], tuple[str, ServiceLevel]] = {}
        self._lately = lru_cache(maxsize=256)(self._promise)  # of a batch, many are promised the same at one moment

    def promise(
        self,
        *,
        team: str,
        urgency: Urgency,
        network: str,
        tier: str,
        now: datetime,
        incident: IncidentView | None = None,
    ) -> Promise:
        """What a case that is opened now is promised; of an incident's, by the incident's own rule where there is one.

        What counts from the incident's end is not due while it lasts; once it is over, `now` is its end.
        """
        asked = _Asked(team, urgency, network.casefold(), tier.casefold(), now)
        return self._promise(asked, incident) if incident else self._lately(asked)

    def _promise(self, asked: _Asked, incident: IncidentView | None = None) -> Promise:
        words, level = self._level(asked)
        own = self._of_incidents if incident else {}
        waits = self._from_end and incident is not None and incident.state.active
        if own and incident:
            words = f"{words}, {incident.reference}"
        calendar = level.calendar or ""
        clock = self._clocks.get(calendar, _ALL_TIME)
        steps: list[Step] = []
        moments: dict[str, datetime] = {}
        spans = {Clock.FIRST_RESPONSE: level.first_response, Clock.RESOLUTION: level.resolution, **own}
        warned, broken = (self._escalation.chain(when, asked.team) for when in ("on_warning", "on_breach"))
        for which, span in spans.items():
            if span is None or (which is Clock.RESOLUTION and waits):
                continue
            used = level.warn.after(span) if level.warn else None
            if used is not None:
                warning = moments[f"{which}_warning"] = clock.after(asked.now, used)
                steps.append(Step(which, Occasion.WARNING, 0, warning))
                steps += _steps(warned, clock, warning, which, Occasion.WARNING)
            due = moments[f"{which}_due"] = clock.after(asked.now, span)
            steps.append(Step(which, Occasion.BREACH, 0, due))
            steps += _steps(broken, clock, due, which, Occasion.BREACH)
        return Promise(
            level=words,
            calendar=calendar,
            first_response=spans[Clock.FIRST_RESPONSE],
            resolution=spans[Clock.RESOLUTION],
            first_response_warning=moments.get("first_response_warning"),
            first_response_due=moments.get("first_response_due"),
            resolution_warning=moments.get("resolution_warning"),
            resolution_due=moments.get("resolution_due"),
            steps=tuple(steps),
            incident=incident.number if incident and own else 0,
            by_incident=tuple(own),
        )

    def question(self, team: str, *, calendar: str, now: datetime) -> tuple[Step, ...]:
        """What is to be done while the team that is asked now owes an answer."""
        clock = self._clocks.get(calendar, _ALL_TIME)
        chain = self._escalation.chain("on_information_needed", team)
        return tuple(_steps(chain, clock, now, Clock.INFORMATION, Occasion.QUESTION))

    def moved(self, moment: datetime, *, calendar: str, since: datetime, until: datetime) -> datetime:
        """The moment, later by what was open of the calendar between the two others."""
        clock = self._clocks.get(calendar, _ALL_TIME)
        return clock.after(moment, clock.between(since, until))

    def due_in_words(self, due: datetime, *, calendar: str, now: datetime) -> str:
        """`Mon 23 Nov 10:00 (Europe/Madrid), office is closed on Sundays`."""
        clock = self._clocks.get(calendar, _ALL_TIME)
        zone = clock.hours.zone if clock.hours else self._zone
        closed = clock.why_not_sooner(now, due, calendar)
        return f"{spoken_clock(local_time(due, zone))} ({zone.key})" + (f", {closed}" if closed else "")

    def _level(self, asked: _Asked) -> tuple[str, ServiceLevel]:
        """The level that fits, and its name in words."""
        urgency = asked.urgency
        place = next((place for place, only in enumerate(self._only) if only.fits(asked)), -1)
        found = self._known.get((place, urgency))
        if found is None:
            only = self._levels.only[place] if place >= 0 else None
            words = f"{urgency.value}, only {only.for_whom()}" if only else urgency.value
            found = self._known[place, urgency] = words, self._levels.of(urgency, only)
        return found


def _steps(
    chain: tuple[StepOf, ...], clock: OpenTime, start: datetime, which: Clock, occasion: Occasion
) -> Iterator[Step]:
    moments = clock.each_after(start, [step.after for step in chain]) if chain else ()
    for number, (step, at) in enumerate(zip(chain, moments, strict=True), 1):
        yield Step(which, occasion, number, at, step.alert or (), step.team or "", step.urgency or "")


def _folded(words: tuple[str, ...] | None) -> frozenset[str] | None:
    return frozenset(word.casefold() for word in words) if words else None
