"""How soon, and what happens if not: `service_levels` and `escalation` of the policy file as models.

service_levels:
  calendar: office
  warn: 80%
  high: {first_response: 1h, resolution: 8h}
  only:
    - {tier: [gold], team: billing, first_response: 30m}
escalation:
  on_breach: [{alert: ops}, {after: 1h, team: supervisors, urgency: "+1"}]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from listener.types import Urgency
from policies import amounts
from policies.alerts import Targets
from policies.blocks import Block
from policies.document import Location
from policies.fields import NONE, Raise, Reference, Span, Words, listed, refuse, sentences
from policies.words import shown

MOST_LEVELS = 200
MOST_STEPS = 20
CHAINS = ("on_warning", "on_breach", "on_information_needed")

_SHARE = re.compile(r"(\d{1,2}) ?%")
_NOW = re.compile(r"0+[smhdw]?")


@dataclass(frozen=True, kw_only=True)
class Warn:
    """When a warning comes: once a share of the span is used up, or so long before its end; neither: never."""

    share: float | None = None
    before: timedelta | None = None
    text: str

    def __str__(self) -> str:
        return self.text

    def after(self, span: timedelta) -> timedelta | None:
        """How much of the span has passed by then; None: there is no warning."""
        if self.before is not None:
            return span - self.before
        return span * self.share if self.share is not None else None


def _warn(value: object) -> object:
    if isinstance(value, Warn):
        return value
    text = value.strip().casefold() if isinstance(value, str) else ""
    if text == NONE:
        return Warn(text=text)
    match = _SHARE.fullmatch(text)
    if match and int(match[1]):
        return Warn(share=int(match[1]) / 100, text=f"{int(match[1])}%")
    try:
        return Warn(before=amounts.duration(value), text=text)
    except ValueError:
        raise ValueError(
            f"`{shown(value)}` is no time for a warning; write a share of the span like 80%, how long before its end "
            "like 15m, or `none`"
        ) from None


def _after(value: object) -> object:
    if isinstance(value, timedelta):
        return value
    if value == 0 or (isinstance(value, str) and _NOW.fullmatch(value.strip().casefold())):
        return timedelta()
    return amounts.duration(value)


Warning_ = Annotated[Warn, BeforeValidator(sentences(_warn), json_schema_input_type=str)]
After = Annotated[timedelta, BeforeValidator(sentences(_after), json_schema_input_type=str)]
Teams = Annotated[
    tuple[Reference, ...],
    Field(min_length=1),
    BeforeValidator(listed, json_schema_input_type=Reference | list[Reference]),
]
Urgencies = Annotated[
    tuple[Urgency, ...], Field(min_length=1), BeforeValidator(listed, json_schema_input_type=Urgency | list[Urgency])
]


class ServiceLevel(Block):
    """What is promised for one urgency."""

    first_response: Span | None = Field(default=None, description="Like 15m, 4h or 2d.")
    resolution: Span | None = None
    calendar: Reference | None = Field(
        default=None, description="The clock runs only while it is open; `none`: round the clock."
    )
    warn: Warning_ | None = Field(
        default=None, description="A warning when 80% of the span is used up, or 15m before its end; `none`: none."
    )

    @model_validator(mode="after")
    def _in_order(self) -> ServiceLevel:
        if self.first_response and self.resolution and self.first_response > self.resolution:
            raise refuse("`first_response` is longer than `resolution`; swap or correct them")
        return self


class OnlyLevel(ServiceLevel):
    """What is promised to some instead; what it leaves out is as for everybody of that urgency."""

    network: Words | None = Field(default=None, description="Only for what was said there.")
    team: Teams | None = Field(default=None, description="Only for cases of these teams.")
    tier: Words | None = Field(default=None, description="Only for customers of these tiers.")
    urgency: Urgencies | None = Field(default=None, description="Only at these urgencies.")

    @model_validator(mode="after")
    def _says_for_whom(self) -> OnlyLevel:
        if not (self.network or self.team or self.tier or self.urgency):
            raise refuse(
                "this fits every case; say `network`, `team`, `tier` or `urgency`, or write it for each urgency"
            )
        if not (self.first_response or self.resolution or self.calendar or self.warn):
            raise refuse("this changes nothing; say `first_response`, `resolution`, `calendar` or `warn`")
        return self

    def for_whom(self) -> str:
        """`team billing, tier gold`: the cases it is for."""
        said = {"network": self.network, "team": self.team, "tier": self.tier, "urgency": self.urgency}
        return ", ".join(f"{key} {' or '.join(map(str, names))}" for key, names in said.items() if names)


class ServiceLevels(Block):
    """What is promised, by urgency; `only` comes first."""

    calendar: Reference | None = Field(default=None, description="For every level that names none.")
    warn: Warning_ | None = Field(default=None, description="For every level that says nothing of it.")
    low: ServiceLevel = ServiceLevel()
    normal: ServiceLevel = ServiceLevel()
    high: ServiceLevel = ServiceLevel()
    critical: ServiceLevel = ServiceLevel()
    only: Annotated[tuple[OnlyLevel, ...], BeforeValidator(listed, json_schema_input_type=list[OnlyLevel])] = Field(
        default=(), max_length=MOST_LEVELS, description="For some networks, teams or tiers; the first that fits counts."
    )

    def of(self, urgency: Urgency, only: OnlyLevel | None = None) -> ServiceLevel:
        """What holds at that urgency, with what one of `only` says in front; `calendar` is None for all time."""
        level: ServiceLevel = getattr(self, urgency.value)
        said = (level,) if only is None else (only, level)
        calendar = next((each.calendar for each in said if each.calendar), self.calendar)
        return ServiceLevel.model_construct(
            first_response=next((each.first_response for each in said if each.first_response), None),
            resolution=next((each.resolution for each in said if each.resolution), None),
            calendar=None if calendar == NONE else calendar,
            warn=next((each.warn for each in said if each.warn), self.warn),
        )

    def every(self) -> Iterator[tuple[int | None, Urgency, ServiceLevel]]:
        """Every level that may come about: which of `only` it is, None for none; the urgency; what holds then."""
        for urgency in Urgency:
            yield None, urgency, self.of(urgency)
        for number, only in enumerate(self.only):
            for urgency in only.urgency or Urgency:
                yield number, urgency, self.of(urgency, only)


class StepOf(Block):
    """One step: whom to tell, who gets the case, how urgent it becomes."""

    after: After = Field(default=timedelta(), description="How long after the start, like 1h; at once if left out.")
    alert: Targets | None = Field(default=None, description="Whom to tell: names of `[alerts.…]` in the settings.")
    team: Reference | None = Field(default=None, description="The case goes to this team; a question is put to it.")
    urgency: Raise | None = Field(default=None, description='At least this urgent; "+1" raises it by one step.')

    @model_validator(mode="after")
    def _does_something(self) -> StepOf:
        if not (self.alert or self.team or self.urgency):
            raise refuse("this step does nothing; say `alert`, `team` or `urgency`")
        return self


Steps = Annotated[
    tuple[StepOf, ...],
    Field(min_length=1, max_length=MOST_STEPS),
    BeforeValidator(listed, json_schema_input_type=StepOf | list[StepOf]),
]


class Chains(Block):
    """What happens, step after step, when a promise is about to be broken, is broken, or a question stays open."""

    on_warning: Steps | None = None
    on_breach: Steps | None = None
    on_information_needed: Steps | None = Field(
        default=None, description="Once a person asked for information; it ends when somebody answers."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Chains:
        for key in CHAINS:
            spans = [step.after for step in getattr(self, key) or ()]
            if spans != sorted(spans):
                raise refuse(
                    f"the steps of `{key}` do not stand in order; `after` counts from the start of the chain, not from "
                    "the step before"
                )
        return self

    def steps(self) -> Iterator[tuple[Location, tuple[StepOf, ...]]]:
        """Every chain with its place."""
        for key in CHAINS:
            yield (key,), getattr(self, key) or ()


class Escalation(Chains):
    """The chains for everybody, and those of single teams in their place."""

    teams: dict[Reference, Chains] = Field(default_factory=dict, max_length=200, description="Chains of single teams.")

    def steps(self) -> Iterator[tuple[Location, tuple[StepOf, ...]]]:
        """Every chain with its place in the file."""
        for place, steps in super().steps():
            yield ("escalation", *place), steps
        for team, own in self.teams.items():
            for place, steps in own.steps():
                yield ("escalation", "teams", team, *place), steps

    def chain(self, key: str, team: str) -> tuple[StepOf, ...]:
        """The steps of that chain for a case of the team, or a question to it."""
        own = getattr(self.teams[team], key) if team in self.teams else None
        found: tuple[StepOf, ...] = own if own is not None else getattr(self, key) or ()
        return found
