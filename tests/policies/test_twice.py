"""No entry of a policy is lost because another key means the same: that one is a problem with its line."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import policies
from listener.errors import PolicyProblem
from policies.rehearse import read_tests
from policies.schema import PolicyFile
from policies.twice import _options

START = "name: small\nlanguage: es\nteams: {care: {}}\ndefault_team: care\ntemplates: {hello: {es: Hola}}\n"
RULE = "rules: [{name: a, when: {WHEN}, then: {tags: x}}]\n"
TWICE: dict[str, tuple[str, int, str]] = {
    "networks": ("mode: auto\nnetworks:\n  Mastodon: {mode: manual}\n  mastodon: {cases: every}\nrules: []\n", 9,
                 "`mastodon` stands here twice (first in line 8, as `Mastodon`)"),
    "colleagues": ("guard:\n  colleagues:\n    x: [ana]\n    X: [luis]\nrules: []\n", 9, "`X`"),
    "teams": ("rules: []\n", 3, "`care `"),
    "hours": ("calendars: {o: {hours: {mon-fri: '09:00-10:00', MON-FRI: '10:00-11:00'}}}\nrules: []\n", 6, "MON-FRI"),
    "wordings-by-network": ("rules: []\n", 5, "`ES`"),
    "wordings": ("rules: []\n", 5, "`ES`"),
    "templates": ("rules: []\n", 5, "`hello `"),
    "scores": (RULE.replace("WHEN", "scores: {praise: '> 0.1', 'praise ': '> 0.2'}"), 6, "`praise `"),
    "fields": (RULE.replace("WHEN", "any: {customer.fields: {plan: a, 'plan ': b}}"), 6, "`plan `"),
    "ask-for": ("rules: [{name: a, then: {ask_for: {customer: hello, 'customer ': hello}}}]\n", 6, "`customer `"),
    "phrases": ("guidelines: {apologise_first: {phrases: {es: [a], ES: [b]}}}\nrules: []\n", 6, "`ES`"),
}  # fmt: skip
STARTS = {
    "teams": START.replace("{care: {}}", "{care: {}, 'care ': {}}"),
    "templates": START.replace("es: Hola}", "es: Hola}, 'hello ': {es: Adiós}"),
    "wordings": START.replace("es: Hola", "es: Hola, ES: Adiós"),
    "wordings-by-network": START.replace("es: Hola", "es: Hola, networks: {x: {es: a, ES: b}}"),
}


@pytest.mark.parametrize("case", TWICE)
def test_a_key_that_means_the_same_is_named_with_its_line(case: str) -> None:
    text, line, part = TWICE[case]
    with pytest.raises(PolicyProblem) as caught:
        policies.load_text(STARTS.get(case, START) + text, "p.yaml")
    (problem,) = caught.value.problems
    assert problem.startswith(f"p.yaml:{line}: ")
    assert part in problem
    assert "stands here twice" in problem


def test_other_problems_are_told_beside_it() -> None:
    text = START + "mode: never\nnetworks: {x: {}, X: {}}\nrules: []\n"
    with pytest.raises(PolicyProblem) as caught:
        policies.load_text(text, "p.yaml")
    assert [each.split(": ")[0] for each in caught.value.problems] == ["p.yaml:6", "p.yaml:7"]


WHOLE: dict[str, Any] = {
    "name": "whole",
    "language": "es",
    "teams": {"care": {"steps": {"ask": 20, "solve": 80}}, "boss": {}},
    "default_team": "care",
    "networks": {"mastodon": {"mode": "manual"}, "x": {"mode": "auto"}},
    "guard": {"colleagues": {"mastodon": ["ana"], "x": ["luis"]}},
    "calendars": {"office": {"hours": {"mon-fri": "09:00-18:00", "sat": "10:00-12:00"}}},
    "areas": {"roaming": {"examples": [f"sin datos en el viaje {place}" for place in "abcde"]}},
    "guidelines": {
        **{key: {"phrases": {"es": ["uno"]}} for key in ("apologise_first", "no_promises", "greet_by_name")},
        "own": [{"name": "o", "required": {"es": ["uno"]}, "forbidden": {"en": ["one"]}}],
    },
    "templates": {"hello": {"es": "Hola", "en": "Hi", "networks": {"x": {"es": "Ey", "en": "Ho"}}}},
    "rules": [
        {
            "name": "a",
            "when": {"scores": {"praise": "> 0.1"}, "customer.fields": {"plan": "gold", "since": "> 3"}},
            "then": {"reply": "hello", "ask_for": {"customer": "hello", "customer.fields.plan": "hello"}},
        },
        {"name": "b", "then": {"tags": "t"},
         "when": {"any": [{"scores": {"roaming": "> 0.2"}, "teams.on_duty": {"care": "> 0"}}]}},
    ],
    "places": {"Vic": ["Vich"], "Lleida": "Lérida"},
    "offers": {"more": {"text": {"es": "Más", "en": "More"}}, "less": {"text": {"es": "Menos"}}},
    "tests": [
        {"name": "t", "mention": {"text": "a", "customer.fields": {"plan": "x"}, "customer.types": {"plan": "text"},
                                  "sends.by_rule_last_day": {"a": 3},
                                  "sends.by_wording_last_day": {"0": 1}, "teams.live_cases": {"care": 1},
                                  "teams.on_duty": {"care": 1},
                                  "incident.answers": {"es": "Hola"}},
         "expect": {"rule": "a"}},
    ],
}  # fmt: skip


def mappings(kind: Any, seen: frozenset[Any] = frozenset(), key: str = "") -> Iterator[str]:
    """After which keys of a policy file a mapping with keys of one's own may stand."""
    for option in _options(kind):
        if isinstance(option, type) and issubclass(option, BaseModel):
            if option not in seen:
                if option.model_config.get("extra") == "allow":
                    yield key
                for name, field in option.model_fields.items():
                    yield from mappings(field.annotation, seen | {option}, field.alias or name)
        elif get_origin(option) in (dict, Mapping):
            yield key
            yield from mappings(get_args(option)[1], seen, key)
        elif get_origin(option) is tuple:
            yield from mappings(get_args(option)[0], seen, key)


def places(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(data, dict):
        yield path
        for name, inside in data.items():
            yield from places(inside, (*path, name))
    elif isinstance(data, list):
        for index, inside in enumerate(data):
            yield from places(inside, (*path, index))


def at(data: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        data = data[part]
    return data


PLACES = [path for path in places(WHOLE) if at(WHOLE, path)]


def test_every_mapping_that_a_policy_may_hold_is_tried() -> None:
    free = set(mappings(PolicyFile))
    assert {"networks", "teams", "templates", "colleagues", "hours", "phrases", "scores", "ask_for"} <= free
    assert free <= {part for path in PLACES for part in path}


def entries(value: Any) -> int:
    """How many values a policy holds, all told."""
    if isinstance(value, dict):
        return sum(map(entries, value.values())) + len(value)
    return sum(map(entries, value)) if isinstance(value, list) else 1


def read(value: Any) -> Any:
    """A policy file as it was understood, as plain data, with the keys that were written only."""
    if isinstance(value, BaseModel):
        return {name: read(getattr(value, name)) for name in value.model_fields_set} | {
            name: read(each) for name, each in (value.__pydantic_extra__ or {}).items()
        }
    if isinstance(value, Mapping):
        return {name: read(each) for name, each in value.items()}
    return [read(each) for each in value] if isinstance(value, tuple) else value


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(PLACES),
    st.data(),
    st.sampled_from([str.upper, str.title, "{} ".format, " {}".format, "{}\u00a0".format, "{}x".format, str.swapcase]),
)
def test_no_entry_of_any_mapping_is_lost(path: tuple[str | int, ...], data: st.DataObject, other: Any) -> None:
    written = copy.deepcopy(WHOLE)
    mapping = at(written, path)
    key = data.draw(st.sampled_from(sorted(mapping)))
    if other(key) in mapping:
        return
    mapping[other(key)] = copy.deepcopy(mapping[key])
    text = json.dumps(written, ensure_ascii=False)
    try:
        file = policies.load_text(text, "p.yaml").file
    except PolicyProblem:
        return
    whole = read(policies.load_text(json.dumps(WHOLE), "p.yaml").file)
    assert entries(read(file)) > entries(whole)


def test_a_file_of_tests_is_read_so_too() -> None:
    text = 'tests: [{name: a, mention: {text: x, "sends.by_rule_last_day": {a: 1, b: 2}}, expect: {rule: a}}]\n'
    (placed,) = read_tests(text, "t.yaml")
    assert placed.sample.mention.facts() == {"sends.by_rule_last_day": {"a": 1, "b": 2}}
