"""What we have of our own for the sake of speed does as the standard library does, and is sooner."""

from __future__ import annotations

import dataclasses
import sys
from enum import StrEnum
from typing import Any

import pytest

from listener import types
from listener.sooner import Word, altered
from listener.types import PostKind

WORDS = [each for each in vars(types).values() if isinstance(each, type) and Word in each.__bases__]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    skill: str
    score: int = 0


@pytest.mark.parametrize("kind", WORDS, ids=lambda kind: kind.__name__)
def test_a_word_is_what_a_str_enum_is(kind: type[Word]) -> None:
    plain: Any = StrEnum(kind.__name__, [(each.name, str(each)) for each in kind])
    for ours, theirs in zip(kind, plain, strict=True):
        assert (ours.value, str(ours), hash(ours), ours) == (theirs.value, str(theirs), hash(theirs), theirs)
        assert type(ours.value) is str
        assert kind(ours.value) is ours


def test_its_value_is_read_without_a_call_of_python() -> None:
    called = []
    sys.setprofile(lambda frame, event, _: called.append(frame.f_code.co_qualname) if event == "call" else None)
    try:
        found = PostKind.REPLY.value
    finally:
        sys.setprofile(None)
    assert (found, called) == ("reply", [])


def test_altered_is_another_one_with_what_was_changed() -> None:
    case = Case(skill="billing")
    assert altered(case, score=3) == dataclasses.replace(case, score=3)
    assert case == Case(skill="billing"), "the first stays as it was"


def test_altered_refuses_a_name_that_is_no_field() -> None:
    with pytest.raises(TypeError, match="Case has no field scoer, skil"):
        altered(Case(skill="billing"), skil="sales", scoer=3, score=1)
