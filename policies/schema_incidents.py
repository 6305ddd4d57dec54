"""What hits many at once, as it may be written: `places:`, `incidents:` and `notices:` of a policy file.

places:
  Lleida: [Lérida, el Segrià]
incidents:
  alert: ops
  hold_replies: true
  first_response: 2h
  resolution: 1d
  resolution_from: end
notices: {two_people: true}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from listener.types import IncidentRules, Mode, NoticeRules
from policies.alerts import Targets
from policies.blocks import Block
from policies.document import Location
from policies.fields import Name, Span, listed, refuse, sentences
from policies.schema_routing import whole
from policies.shares import InPercent, Percent
from policies.words import fold, shown

MOST_PLACES = 2_000
MOST_WORDS = 100  # of one place
LEAST = 3  # mentions that can be a spike; two are a chance
MOST = 100_000

_RULES = IncidentRules()


def _place_word(value: object) -> str:
    if not isinstance(value, str) or len(value) > 120 or not fold(value).strip() or "*" in value:
        raise ValueError(f"`{shown(value)}` does not name a place; write its name as people write it, without `*`")
    return " ".join(value.split())


PlaceWord = Annotated[str, BeforeValidator(sentences(_place_word), json_schema_input_type=str)]
PlaceWords = Annotated[
    tuple[PlaceWord, ...],
    Field(max_length=MOST_WORDS),
    BeforeValidator(listed, json_schema_input_type=PlaceWord | list[PlaceWord]),
]
Places = Annotated[
    dict[Annotated[Name, BeforeValidator(sentences(_place_word))], PlaceWords], Field(max_length=MOST_PLACES)
]

Least = Annotated[
    int,
    Field(json_schema_extra={"minimum": LEAST, "maximum": MOST}),
    BeforeValidator(sentences(whole("number of mentions", LEAST, MOST)), json_schema_input_type=int),
]
AnHour = Annotated[
    int,
    Field(json_schema_extra={"minimum": 1, "maximum": MOST}),
    BeforeValidator(sentences(whole("number of replies", 1, MOST)), json_schema_input_type=int),
]


def place_problems(places: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[Location, str]]:
    """Words that name two places: what is said of one would count for the other."""
    seen: dict[str, str] = {}
    for name, words in places.items():
        for word in (name, *words):
            other = seen.setdefault(fold(word), name)
            if other != name:
                yield (
                    ("places", name),
                    f"`{shown(word)}` names the place `{shown(other)}` as well; leave it with one, or join them",
                )


class ClockFrom(StrEnum):
    """From when on an incident's cases are to be solved."""

    START = "start"  # when the case becomes a part of it
    END = "end"  # of the incident; before, nothing is due


class Incidents(InPercent):
    """What holds while something hits many at once."""

    propose: StrictBool = Field(
        default=_RULES.propose, description="A spike proposes an incident, which a person opens or dismisses."
    )
    alert: Targets | None = Field(
        default=None, description="Who hears of spikes and incidents: names of `[alerts.…]` in the settings."
    )
    least: Least = Field(default=_RULES.least, description="Fewer people than this are no spike.")
    mode: Mode = Field(
        default=_RULES.mode,
        description="auto: its approved answers may go out alone, as far as policy, network, team and area let them; "
        "manual: a person sees each.",
    )
    hold_replies: StrictBool = Field(
        default=_RULES.hold_replies, description="While it lasts no other reply goes out alone."
    )
    hold_cheer: StrictBool = Field(default=_RULES.hold_cheer, description="While it lasts no scheduled cheer goes out.")
    first_response: Span | None = Field(
        default=None, description="What its cases are promised in the place of their own, like 2h."
    )
    resolution: Span | None = Field(
        default=None, description="By when its cases are to be solved, in the place of their own, like 1d."
    )
    resolution_from: ClockFrom = Field(
        default=ClockFrom.START,
        description="start: it counts from when the case joins; end: from the incident's end, and not before.",
    )
    answers_per_hour: AnHour = Field(
        default=_RULES.answers_per_hour,
        description="How many replies of `escucha notice answer` go out in one hour on one network.",
    )
    review_sample: Percent = Field(
        default=_RULES.review_sample,
        description="How many of the replies of `escucha notice answer` a person reads before they go out.",
    )
    two_people: StrictBool = Field(
        default=_RULES.two_people, description="Somebody else than its writer approves an incident's answer."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Incidents:
        if self.resolution_from is ClockFrom.END and self.resolution is None:
            raise refuse("`resolution_from: end` says from when, and nothing says how long; add `resolution:`, like 1d")
        if (
            self.resolution_from is ClockFrom.START
            and self.first_response
            and self.resolution
            and self.first_response > self.resolution
        ):
            raise refuse("`first_response` is longer than `resolution`; swap or correct them")
        return self

    def rules(self) -> IncidentRules:
        """The same for those who work by it."""
        return IncidentRules(
            propose=self.propose,
            alert=self.alert or (),
            least=self.least,
            mode=self.mode,
            hold_replies=self.hold_replies,
            hold_cheer=self.hold_cheer,
            first_response=self.first_response,
            resolution=self.resolution,
            resolution_from_end=self.resolution_from is ClockFrom.END,
            answers_per_hour=self.answers_per_hour,
            review_sample=self.review_sample,
            two_people=self.two_people,
        )


class Notices(Block):
    """How what we say to everybody comes about."""

    two_people: StrictBool = Field(default=True, description="Somebody else than its writer approves a notice.")

    def rules(self) -> NoticeRules:
        """The same for those who work by it."""
        return NoticeRules(two_people=self.two_people)
