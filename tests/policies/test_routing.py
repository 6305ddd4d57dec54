"""Whose a case becomes and why: rules, areas, the default team, and room; what it takes to work on it."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policies
from listener.errors import PolicyProblem
from listener.types import CasePlan, CaseView, Situation, TeamsView, Urgency
from policies.partings import parting
from policies.rehearse import read_tests, try_one
from policies.routing import Route, Routes
from policies.sample import Sample
from tests.policies.situations import situation

EXAMPLES = [f"una frase {word}" for word in ("a", "b", "c", "d", "e")]
RULES: list[dict[str, Any]] = [
    {"name": "portuguese", "when": {"language": "pt"}, "then": {"case": {"skills": ["Portuguese"]}}, "continue": True},
    {"name": "bill", "when": {"text.contains": ["factura"]}, "then": {"case": {"team": "billing", "skills": ["sql"]}}},
    {"name": "boss", "when": {"text.contains": ["jefe"]}, "then": {"escalate": "boss"}},
    {"name": "any team", "when": {"intents": ["complaint"]}, "then": {"case": {}}},
]


def load(**changes: Any) -> policies.Guarded:
    data: dict[str, Any] = {
        "name": "Ours",
        "language": "es",
        "teams": {
            "care": {"capacity": 2, "overflow": "second"},
            "second": {"capacity": 1, "overflow": "third"},
            "third": {"capacity": 1},
            "billing": {},
            "boss": {"capacity": 1, "overflow": "care"},
            "technical": {},
        },
        "default_team": "care",
        "areas": {
            "quiet": {"examples": [f"{each} q" for each in EXAMPLES]},
            "Roaming": {"team": "technical", "skills": ["Roaming"], "examples": [f"{each} r" for each in EXAMPLES]},
            "fibre": {"team": "third", "skills": ["fibre"], "examples": [f"{each} f" for each in EXAMPLES]},
        },
        "rules": RULES,
    }
    return policies.load_text(json.dumps(data | changes, ensure_ascii=False, indent=1), "p.yaml")


def about(text: str, *intents: str, areas: tuple[str, ...] = (), live: dict[str, int] | None = None) -> Situation:
    seen = situation(text, *intents)
    read = replace(seen.understanding, areas=areas)
    return replace(seen, understanding=read, teams=TeamsView(live_cases=live or {}))


def case(seen: Situation, policy: policies.Guarded | None = None) -> CasePlan:
    found = (policy or load()).decide(seen).case
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("seen", "team", "because"),
    [
        (about("mi factura", areas=("roaming",)), "billing", "rule “bill” names billing"),
        (about("tu jefe", areas=("roaming",)), "boss", "rule “boss” calls in boss"),
        (about("x", "complaint", areas=("roaming",)), "technical", "it is about “roaming”, which is with technical"),
        (about("x", areas=("quiet", "fibre", "roaming")), "third", "it is about “fibre”, which is with third"),
        (about("x", areas=("quiet",)), "care", "nothing names another team, so it is care, the default team"),
    ],
)
def test_the_first_that_names_a_team_has_it(seen: Situation, team: str, because: str) -> None:
    found = case(seen)
    assert (found.team, found.because) == (team, because)


DEFAULT = "nothing names another team, so it is care, the default team"


@pytest.mark.parametrize(
    ("live", "team", "more"),
    [
        ({"care": 1, "second": 9}, "care", ""),
        ({"care": 2}, "second", "; care is full (2 of 2), and overflows to second"),
        ({"care": 3, "second": 1}, "third", "; care is full (3 of 2), second is full (1 of 1), and overflows to third"),
        (
            {"care": 2, "second": 1, "third": 4},
            "care",
            "; care is full (2 of 2), second is full (1 of 1), third is full (4 of 1), so that it stays there",
        ),
    ],
)
def test_a_new_case_goes_where_there_is_room(live: dict[str, int], team: str, more: str) -> None:
    found = case(about("x", live=live))
    assert (found.team, found.because) == (team, DEFAULT + more)


def test_what_is_open_stays_and_what_is_called_in_is_never_passed_on() -> None:
    full = {"care": 9, "boss": 9, "second": 0}
    seen = replace(about("x", live=full), case=CaseView(reference="ES-26-000001-9", exists=True, team="care"))
    assert (case(seen).team, case(seen).because) == ("care", "its open case is with care")
    assert case(about("tu jefe", live=full)).team == "boss"
    danger = case(about("quiero morirme", live=full))
    assert (danger.team, danger.urgency) == ("care", Urgency.CRITICAL)
    assert danger.because == "self_harm in its words: the guard calls in care"


def test_where_a_person_routes_an_area_opens_nothing() -> None:
    decision = load(cases="routed").decide(about("x", areas=("roaming",)))
    assert (decision.case, decision.needs_routing) == (None, True)
    assert load().team_for(("quiet", "ROAMING")) == "technical"
    assert load().skills_for(("quiet", "ROAMING")) == ("roaming",)


def test_skills_collect_from_areas_and_rules() -> None:
    seen = about("la factura", areas=("quiet", "Roaming", "fibre"))
    assert case(seen).skills == ("roaming", "fibre", "sql")
    spoken = replace(seen, understanding=replace(seen.understanding, language="pt", areas=()))
    found = case(spoken)
    assert (found.team, found.skills) == ("billing", ("portuguese", "sql")), (
        "skills alone leave the team to later rules"
    )


def test_skills_alone_open_a_case_where_no_other_rule_speaks() -> None:
    seen = about("x")
    seen = replace(seen, understanding=replace(seen.understanding, language="pt"))
    decision = load(cases="routed").decide(seen)
    assert decision.case is not None
    assert (decision.case.team, decision.case.skills) == ("care", ("portuguese",))


def test_a_rule_after_one_that_only_said_skills_still_says_something() -> None:
    again = {"name": "again", "when": {"language": "pt"}, "then": {"case": "billing"}, "continue": True}
    same = {"name": "same", "when": {"language": "pt"}, "then": {"case": {"skills": "portuguese"}}, "continue": True}
    found = policies.in_vain(load(rules=[RULES[0], again, same, {"name": "end", "then": {"tags": ["x"]}}]), "p.yaml")
    assert len(found) == 1
    assert "rule `same` changes nothing" in found[0]


def test_a_case_is_planned_with_the_steps_of_its_team() -> None:
    steps = {"look at it": 1, "mend it": 3}
    found = case(about("x"), load(teams={"care": {"steps": steps}}, areas={}, rules=[], cases="every"))
    assert [(item.name, item.weight, item.done) for item in found.checklist] == [
        ("look at it", 1, False),
        ("mend it", 3, False),
    ]


# --- what people write ---


@pytest.mark.parametrize(
    ("teams", "sentences"),
    [
        (
            {"care": {"capacity": 1, "overflow": "care"}},
            ["teams overflow in a circle: `care` → `care`; let one of them keep its cases"],
        ),
        (
            {"care": {"capacity": 1, "overflow": "b"}, "b": {"capacity": 1, "overflow": "care"}},
            [
                "teams overflow in a circle: `care` → `b` → `care`; let one of them keep its cases",
                "teams overflow in a circle: `b` → `care` → `b`; let one of them keep its cases",
            ],
        ),
        (
            {"care": {"overflow": "b"}, "b": {}},
            ["team `care` is never full, so nothing overflows; give it a `capacity`"],
        ),
        ({"care": {"capacity": 1, "overflow": "c"}, "bb": {}}, ["there is no team `c`; use one of `bb`, `care`"]),
        ({"care": {"capacity": 0}}, ["`0` is no number of cases; write a whole number from 1 to 100000"]),
        ({"care": {"steps": {"look": 0}}}, ["`0` is no weight; write a whole number from 1 to 1000"]),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_line(teams: dict[str, Any], sentences: list[str]) -> None:
    with pytest.raises(PolicyProblem) as found:
        load(teams=teams, areas={}, rules=[])
    assert [problem.split(": ", 1)[1] for problem in found.value.problems] == sentences
    assert all(int(problem.split(":")[1]) > 3 for problem in found.value.problems)


def test_an_area_with_a_team_that_does_not_exist() -> None:
    with pytest.raises(PolicyProblem) as found:
        load(areas={"a": {"team": "nobody", "examples": EXAMPLES}})
    assert "there is no team `nobody`" in found.value.problems[0]


def test_skills_that_a_team_does_not_list_are_found_once_any_team_lists_some() -> None:
    assert policies.in_vain(load()) == []
    teams: dict[str, Any] = json.loads(json.dumps({name: {} for name in load().file.teams}))
    teams["technical"] = {"skills": ["roaming"]}
    teams["third"] = {"skills": ["FIBRE"], "capacity": 3, "overflow": "technical"}
    found = policies.in_vain(load(teams=teams), "p.yaml")
    assert [line.split(": ", 1)[1].split(";")[0] for line in found] == [
        "area `fibre` asks for `fibre`, which `third` (or a team that it overflows to) does not list",
        "rule `portuguese` asks for `portuguese`, which `care` (or a team that it overflows to) does not list",
        "rule `bill` asks for `sql`, which `billing` (or a team that it overflows to) does not list",
    ]


def test_what_changes_is_said_in_words() -> None:
    teams = {name: team.model_dump(exclude_none=True, exclude={"what"}) for name, team in load().file.teams.items()}
    teams["care"] = {"capacity": 3, "overflow": "second", "skills": ["lua"]}
    said = [each.sentence for each in policies.differences(load(), load(teams=teams))]
    assert said == ["Team “care”: `capacity` is now 3; it was 2.", "Team “care”: `skills` gains lua."]


def test_two_policies_part_over_a_team_that_is_full() -> None:
    old = load()
    new = load(teams={name: {} for name in old.file.teams})
    seen = about("x", live={"care": 2})
    found = parting(old, old.decide(seen), new, new.decide(seen))
    assert found.kind == "teams"
    assert found.why.startswith("The case goes to care and went to second: nothing names another team")
    assert "care is full (2 of 2)" in found.why


def test_a_test_may_say_how_full_a_team_is_and_expect_skills() -> None:
    mention = {"text": "x", "intents": [], "areas": ["fibre"], "teams.live_cases": {"third": 1}}
    sample: dict[str, Any] = {"name": "a", "mention": mention, "expect": {"team": "third", "skills": ["Fibre"]}}
    assert try_one(load(), Sample.model_validate(sample)) == []
    sample["expect"] = {"team": "care", "skills": "none"}
    team, skills = try_one(load(), Sample.model_validate(sample))
    assert team[1].startswith(
        "expected team `care`, came `third` (it is about “fibre”, which is with third; third is full"
    )
    assert skills[1] == "expected skills `none`, came `fibre`"


# --- whatever the teams ---


@given(
    st.lists(st.none() | st.integers(1, 3), min_size=1, max_size=8),
    st.data(),
)
def test_there_is_always_a_team_and_never_a_full_one_but_where_all_are(capacities: list[int | None], data: Any) -> None:
    names = [f"t{place}" for place in range(len(capacities))]
    teams: dict[str, Any] = {}
    for place, capacity in enumerate(capacities):
        further = names[place + 1 :]
        room = {} if capacity is None else {"capacity": capacity}
        if room and further and data.draw(st.booleans()):
            room["overflow"] = data.draw(st.sampled_from(further))
        teams[names[place]] = room
    live = data.draw(st.dictionaries(st.sampled_from(names), st.integers(0, 4)))
    policy = load(teams=teams, areas={}, rules=[], default_team=names[0])
    first = data.draw(st.sampled_from(names))
    found = Routes(policy.file).with_room(Route(first, "why"), live)
    way = [first]
    while (further_on := teams[way[-1]].get("overflow")) is not None:
        way.append(further_on)
    full = [live.get(name, 0) >= teams[name].get("capacity", 99) for name in way]
    free = [name for name, is_full in zip(way, full, strict=True) if not is_full]
    assert found.team == (free[0] if free else first)
    assert ("full" in found.because) == full[0]


def test_a_recorded_test_keeps_how_full_the_limited_teams_were() -> None:
    facts = {"text": "x", "network": "mastodon", "teams.live_cases": {"care": 2, "billing": 7, "a team of old": 1}}
    recorded = policies.record(load(), facts, {"rule": "none"}, name="full")
    assert recorded.unlike == ()
    (sample,) = read_tests(f"tests:\n{recorded.text}", "p.tests.yaml")
    assert sample.sample.mention.facts() == {"teams.live_cases": {"care": 2}}
    assert sample.sample.expect.team == "second"


def test_many_skills_of_teams_that_overflow_far_are_looked_up_in_a_moment() -> None:
    names = [f"t{number}" for number in range(200)]
    teams = {name: {"capacity": 5, "skills": ["sql"], "overflow": after} for name, after in pairwise(names)}
    asked = ["sql", *(f"s{number}" for number in range(49))]
    rules = [
        {
            "name": f"r{number}",
            "when": {"text.contains": f"w{number}"},
            "then": {"case": {"team": "t0", "skills": asked}},
        }
        for number in range(240)
    ]
    policy = load(teams=teams | {names[-1]: {"skills": ["sql"]}}, default_team="t0", areas={}, rules=rules)
    began = time.process_time()
    found = [each for each in policies.in_vain(policy) if "asks for `s" in each]
    assert time.process_time() - began < 5
    assert len(found) >= 100
    assert not any("`sql`" in each for each in found)
