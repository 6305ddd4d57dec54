"""Which agent gets a case: what each reason does alone, and what holds whatever the facts are."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from listener.desk.assigning import Candidate, Need, choose, hindrance

NEED = Need(team="technical", skills=("roaming",), language="es")
LUIS = Candidate(id=1, name="luis", skills=frozenset({"roaming"}), languages=frozenset({"es"}), capacity=8, live=3)
MARTA = replace(LUIS, id=2, name="marta", live=2)


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        pytest.param(LUIS, "", id="nothing"),
        pytest.param(replace(LUIS, away=True), "away", id="away"),
        pytest.param(replace(LUIS, on_duty=False), "off duty", id="off duty"),
        pytest.param(replace(LUIS, live=8), "full", id="full"),
        pytest.param(replace(LUIS, live=9), "full", id="more than full"),
        pytest.param(replace(LUIS, capacity=0, live=0), "full", id="no room ever"),
        pytest.param(replace(LUIS, capacity=None, live=99), "", id="without a limit"),
        pytest.param(replace(LUIS, skills=frozenset()), "without roaming", id="without the skill"),
        pytest.param(replace(LUIS, languages=frozenset({"en"})), "without the language es", id="another language"),
        pytest.param(replace(LUIS, languages=frozenset()), "", id="no word of languages"),
        pytest.param(replace(LUIS, gave_back=True), "gave it back", id="gave it back"),
    ],
)
def test_what_keeps_somebody_from_it(candidate: Candidate, reason: str) -> None:
    assert hindrance(NEED, candidate) == reason
    choice = choose(NEED, [candidate])
    assert (choice.agent is None) is bool(reason)
    assert choice.passed == ((("luis", reason),) if reason else ())


@pytest.mark.parametrize(
    ("one", "other", "because"),
    [
        pytest.param(replace(LUIS, knew=1, live=7), MARTA, "knows this person", id="who knew them, though busier"),
        pytest.param(
            LUIS, replace(MARTA, languages=frozenset(), live=0), "says to speak es", id="who says to speak it"
        ),
        pytest.param(LUIS, replace(MARTA, live=4), "has less to do (3 of 8 cases, not 4 of 8 cases)", id="less to do"),
        pytest.param(LUIS, replace(MARTA, capacity=4), "has less to do", id="by share, not by number"),
        pytest.param(
            LUIS,
            replace(MARTA, live=3, skills=frozenset({"roaming", "fibre"})),
            "is needed less for other things",
            id="spare the versatile",
        ),
        pytest.param(LUIS, replace(MARTA, live=3), "comes first by name", id="by name"),
    ],
)
def test_what_puts_one_before_the_other(one: Candidate, other: Candidate, because: str) -> None:
    for order in ([one, other], [other, one]):
        choice = choose(NEED, order)
        assert choice.agent == one
        assert because in choice.why
        assert [name for name, _ in choice.passed] == ["marta"]


def test_the_reasons_of_a_choice_are_said() -> None:
    choice = choose(NEED, [replace(LUIS, knew=2), MARTA])
    assert choice.why == (
        "of technical, knows roaming, speaks es, had 2 cases of this person before, had 3 of 8 cases, "
        "before marta: knows this person"
    )


def test_why_nobody_can_is_counted() -> None:
    lacking = replace(MARTA, skills=frozenset())
    away = [replace(LUIS, name=name, away=True) for name in ("a", "b")]
    assert choose(NEED, [lacking, *away]).why == "nobody of technical can have it now: 2 away, 1 without roaming"
    assert choose(NEED, []).why == "nobody is of the team technical"


candidates = some.builds(
    Candidate,
    id=some.integers(1, 9),
    name=some.sampled_from("abcdefgh"),
    skills=some.frozensets(some.sampled_from(["roaming", "fibre"])),
    languages=some.frozensets(some.sampled_from(["es", "en"])),
    capacity=some.none() | some.integers(0, 5),
    live=some.integers(0, 6),
    away=some.booleans(),
    on_duty=some.booleans(),
    knew=some.integers(0, 2),
    gave_back=some.booleans(),
)
needs = some.builds(
    Need,
    team=some.just("technical"),
    skills=some.lists(some.sampled_from(["roaming", "fibre"]), unique=True).map(tuple),
    language=some.sampled_from(["", "es", "pt"]),
)


@given(needs, some.lists(candidates, max_size=8, unique_by=lambda each: each.name), some.randoms())
def test_whatever_the_facts_are(need: Need, known: list[Candidate], shuffling: random.Random) -> None:
    """The order of the facts changes nothing; nobody gets what they cannot have; somebody does where somebody can."""
    choice = choose(need, known)
    shuffled = list(known)
    shuffling.shuffle(shuffled)
    assert choose(need, shuffled) == choice
    can = [each for each in known if not hindrance(need, each)]
    assert choice.agent in can if can else choice.agent is None
    told = {name for name, _ in choice.passed} | ({choice.agent.name} if choice.agent else set())
    assert told == {each.name for each in known}
    if choice.agent and any(each.knew for each in can):
        assert choice.agent.knew
