"""Two decisions share a fingerprint only if they say the same, word by word, with the same trace."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener import situations
from listener.types import (
    AlertPlan,
    CasePlan,
    Clock,
    Contribution,
    Decision,
    GuardTrace,
    Level,
    Mode,
    ModeTrace,
    Occasion,
    Promise,
    ReplyPlan,
    RuleOutcome,
    RuleTrace,
    Step,
    Urgency,
)
from tests.policies.situations import GOLD, situation

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
_SPANS = ("first_response", "resolution")
WHOLE = Decision(
    policy_version="v1",
    reply=ReplyPlan(template="t", text="Hola", language="es", mode=Mode.MANUAL, length=4, limit=500),
    case=CasePlan(
        team="care",
        urgency=Urgency.HIGH,
        title="Complaint",
        promise=Promise(
            first_response=timedelta(hours=1),
            steps=(Step(clock=Clock.RESOLUTION, occasion=Occasion.BREACH, number=1, at=NOON, alerts=("ops",)),),
        ),
    ),
    urgency=Urgency.HIGH,
    tags=("a",),
    rules=(RuleTrace(rule="one", outcome=RuleOutcome.FAILED, condition="kind", wanted="reply", saw="mention"),),
    guards=(GuardTrace(guard="age", holds=True, reason="it is old"),),
    alerts=(AlertPlan(target="ops", rule="one"),),
    contributions=(Contribution(name="outage", points=30),),
    modes=(ModeTrace(level=Level.TEAM, mode=Mode.MANUAL, said="team care", name="care"),),
)


def others(value: Any) -> list[Any]:
    """Values that differ from it in one place."""
    if is_dataclass(value) and not isinstance(value, type):
        return [replace(value, **{each.name: other}) for each in fields(value) for other in others_of(value, each.name)]
    if isinstance(value, Enum):
        return [each for each in type(value) if each is not value]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, str):
        return [f"{value}x", f"x{value}", f"{value}\ud800"]
    if isinstance(value, timedelta):
        return [value + timedelta(microseconds=1)]
    if isinstance(value, datetime):
        return [value + timedelta(microseconds=1)]
    assert isinstance(value, tuple)
    if isinstance(value, Step):
        return [value._replace(**{name: other}) for name in value._fields for other in others(getattr(value, name))]
    longer = [(*value, *value[-1:]), (), *((*value, other) for each in value[:1] for other in others(each))]
    changed = [(*value[:at], other, *value[at + 1 :]) for at, each in enumerate(value) for other in others(each)]
    return [each for each in (*longer, *changed) if each != value]


def others_of(whole: Any, name: str) -> list[Any]:
    value = getattr(whole, name)
    if value is None:
        return [1.5] if name in ("share", "lot") else [timedelta(days=1)] if name in _SPANS else [NOON]
    if value == () and name in ("tags", "skills", "alerts"):
        return [("b",)]
    if value == {}:
        return [{"b": 1}]
    return [*others(value), *([None] if name in ("reply", "case", "first_response") else [])]


CHANGED = [(each.name, other) for each in fields(Decision) for other in others_of(WHOLE, each.name)]


@pytest.mark.parametrize(("name", "other"), CHANGED, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CHANGED)])
def test_whatever_differs_differs_in_its_fingerprint(name: str, other: Any) -> None:
    assert situations.fingerprint(replace(WHOLE, **{name: other})) != situations.fingerprint(WHOLE)


def test_every_field_of_a_decision_is_changed() -> None:
    assert {name for name, _ in CHANGED} == {each.name for each in fields(Decision)}
    for kind, parts in ((RuleTrace, "rules"), (GuardTrace, "guards")):
        told = [other[0] for name, other in CHANGED if name == parts and len(other) == 1]
        first = getattr(WHOLE, parts)[0]
        names = {each.name for each in fields(kind)}
        assert {name for name in names for one in told if getattr(one, name) != getattr(first, name)} == names


def test_all_changes_differ_from_each_other() -> None:
    made = {situations.fingerprint(replace(WHOLE, **{name: other})) for name, other in CHANGED}
    assert len(made) == len({repr(change) for change in CHANGED})


@given(st.text(alphabet=st.characters() | st.characters(categories=["Cs"])))
def test_whatever_stands_in_a_decision_it_has_a_fingerprint(text: str) -> None:
    trace = RuleTrace(rule=text, outcome=RuleOutcome.MATCHED, wanted=text, saw=text)
    one = replace(WHOLE, rules=(trace,), tags=(text,))
    assert situations.fingerprint(one) == situations.fingerprint(replace(one))
    assert len(situations.fingerprint(one)) == 64
    assert situations.fingerprint(one) != situations.fingerprint(replace(one, tags=(f"{text}x",)))


@given(st.text(alphabet=st.characters() | st.characters(categories=["Cs"])))
def test_whatever_stands_in_a_situation_it_can_be_kept(text: str) -> None:
    seen = situation("Hola", author__display_name=text, customer=replace(GOLD, name=text, fields={"plan": text}))
    kept = situations.kept(seen)
    assert kept["author"]["display_name"] == text
    assert kept["customer"]["fields"] == {"plan": text}
