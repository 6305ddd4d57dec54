"""What may be written about points, skills and room: under `score:`, and about the cases of teams and areas."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from policies.fields import Word, listed, sentences
from policies.spelling import written
from policies.words import shown

MOST_POINTS = 100  # of one contribution, and of all together
LONGEST_POINT = 60  # minutes of waiting
MOST_CASES = 100_000
MOST_WEIGHT = 1000

_NUMBER = re.compile(r"[-+−]?[0-9]{1,9}")


def whole(what: str, least: int, most: int, *, zero: bool = True) -> Callable[[object], int]:
    """What reads a whole number from `least` to `most`, called `what` in the sentence that refuses anything else."""

    def fits(number: int) -> bool:
        return least <= number <= most and (zero or number != 0)

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not fits(value):
            bare = _bare(value) if isinstance(value, str) else None
            if bare is not None and fits(bare):
                raise ValueError(f"`{shown(value)}` is text here, not a number; write it bare, without quotes: {bare}")
            but = "" if zero else ", and not 0"
            raise ValueError(f"`{written(value)}` is no {what}; write a whole number from {least} to {most}{but}")
        return value

    return read


def _bare(text: str) -> int | None:
    """The whole number that the text spells, be its minus a true one; None where it spells none."""
    found = _NUMBER.fullmatch(text.strip())
    return int(found[0].replace("−", "-")) if found else None


Points = Annotated[
    int,
    Field(json_schema_extra={"minimum": -MOST_POINTS, "maximum": MOST_POINTS}),
    BeforeValidator(
        sentences(whole("number of points", -MOST_POINTS, MOST_POINTS, zero=False)), json_schema_input_type=int
    ),
]
Minutes = Annotated[
    int,
    Field(json_schema_extra={"minimum": 1, "maximum": LONGEST_POINT}),
    BeforeValidator(sentences(whole("number of minutes", 1, LONGEST_POINT)), json_schema_input_type=int),
]
Capacity = Annotated[
    int,
    Field(json_schema_extra={"minimum": 1, "maximum": MOST_CASES}),
    BeforeValidator(sentences(whole("number of cases", 1, MOST_CASES)), json_schema_input_type=int),
]
Weight = Annotated[
    int,
    Field(json_schema_extra={"minimum": 1, "maximum": MOST_WEIGHT}),
    BeforeValidator(sentences(whole("weight", 1, MOST_WEIGHT)), json_schema_input_type=int),
]
Checklist = Annotated[dict[Word, Weight], Field(min_length=1, max_length=30)]
Skill = Annotated[Word, AfterValidator(str.casefold)]
Skills = Annotated[
    tuple[Skill, ...],
    Field(min_length=1, max_length=50),
    BeforeValidator(listed, json_schema_input_type=Skill | list[Skill]),
]
