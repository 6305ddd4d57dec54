"""A rule tells our own people: what it names, when it counts, and where the policy names somebody unknown."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

import policies
from listener.errors import PolicyProblem
from listener.types import AlertPlan, RuleOutcome
from tests.policies.situations import situation

HEAD = "name: p\nlanguage: en\ndefault_team: care\nteams: {care: {}}\ntemplates: {hello: {en: Hello}}\nrules:\n"


def load(rules: str, more: str = "") -> policies.Guarded:
    return policies.load_text(f"{HEAD}{rules}{more}", "p.yaml")


def alerted(rules: str, **given: Any) -> list[tuple[str, str]]:
    return [(plan.target, plan.rule) for plan in load(rules).decide(situation("hello", **given)).alerts]


def test_every_rule_that_matches_is_heard_and_a_target_once() -> None:
    assert alerted(
        """
  - {name: first, then: {alert: ops}, continue: true}
  - {name: other, when: {language: de}, then: {alert: nobody}, continue: true}
  - {name: second, when: {language: es}, then: {reply: hello, alert: [press_desk, ops, press_desk]}}
  - {name: third, then: {alert: late}}
"""
    ) == [("ops", "first"), ("press_desk", "second")]


def test_what_is_ignored_may_be_told() -> None:
    assert alerted("  - {name: quiet, then: {ignore: no matter, alert: ops}}\n") == [("ops", "quiet")]
    assert alerted("  - {name: a, then: {alert: ops}, continue: true}\n  - {name: b, then: {ignore: no matter}}\n") == [
        ("ops", "a")
    ]


def test_a_rule_in_the_shadow_tells_nobody_and_says_whom_it_would_tell() -> None:
    decision = load("  - {name: a, shadow: true, then: {alert: [ops, press]}}\n").decide(situation())
    assert decision.alerts == ()
    (trace,) = decision.rules
    assert trace.outcome is RuleOutcome.SHADOW
    assert trace.saw == "alert ops, press, and end the reading"


def test_nobody_is_told_of_our_own_posts() -> None:
    seen = situation()
    own = replace(seen, author=replace(seen.author, is_us=True))
    policy = load("  - {name: a, then: {alert: ops}}\n")
    assert policy.decide(own).alerts == ()
    assert policy.decide(seen).alerts == (AlertPlan(target="ops", rule="a"),)


@pytest.mark.parametrize("name", ["none", "Ops", "o p", "a__b", "x\ny", "", 7, ["ops", "Ops"], [], ["a"] * 11])
def test_what_is_no_target_is_said_with_its_line(name: Any) -> None:
    with pytest.raises(PolicyProblem) as raised:
        load(f"  - name: a\n    then: {{alert: {json.dumps(name)}}}\n")
    assert raised.value.problems[0].startswith("p.yaml:8: ")


def test_the_targets_that_the_settings_lack_are_named_with_their_lines() -> None:
    policy = load(
        "  - name: a\n    when: {language: es}\n    then:\n      alert:\n        - ops\n        - pres\n"
        "  - {name: b, then: {alert: ops}}\n"
    )
    named = [(each.target, each.line) for each in policies.targets(policy)]
    assert named == [("ops", 11), ("pres", 12), ("ops", 13)]
    assert policies.unknown_targets(policy, ["ops", "pres"]) == []
    assert policies.unknown_targets(policy, ["ops", "press"], "care.yaml") == [
        "care.yaml:12: the settings have no `[alerts.pres]`; did you mean `press`?"
    ]
    assert policies.unknown_targets(policy, [])[0] == (
        "policy:11: the settings have no `[alerts.ops]`; there is none yet: add it first"
    )


def test_a_test_expects_whom_it_tells() -> None:
    rules = "  - {name: a, when: {language: en}, then: {alert: [ops, press]}}\n"
    tests = """tests:
  - {name: both, mention: hi, expect: {alert: ops}}
  - {name: nobody, mention: {text: hola, language: es}, expect: {alert: none}}
  - {name: wrong, mention: {text: hola, language: es}, expect: {alert: press}}
  - {name: too many, mention: {text: hi, intents: []}, expect: {alert: none}}
  - {name: unknown, mention: {text: hi, intents: []}, expect: {alert: presss}}
"""
    policy = load(
        rules, tests.replace("mention: hi,", "mention: {text: hi, intents: []},").replace("es}", "es, intents: []}")
    )
    assert [problem.partition(": ")[2] for problem in policies.run_tests(policy)] == [
        "test `wrong`: expected alert `press`, came `none`",
        "test `too many`: expected alert `none`, came `ops`, `press`",
        "test `unknown`: there is no target of an alert `presss`; did you mean `press`?",
    ]


def test_what_changes_is_said_in_words() -> None:
    old, new = (
        load("  - {name: a, then: {tags: x, alert: ops}}\n"),
        load("  - {name: a, then: {tags: x, alert: [press, it]}}\n"),
    )
    none = load("  - {name: a, then: {tags: x}}\n")
    (said,) = policies.differences(old, new)
    assert said.sentence == "Rule “a”: `alert` gains press, it and loses ops."
    assert [each.sentence for each in policies.differences(none, old)] == ["Rule “a” now also does alert: [ops]."]


def test_a_replay_counts_whom_it_would_tell_and_where_two_policies_part() -> None:
    old, new = load("  - {name: a, then: {alert: ops}}\n"), load("  - {name: a, then: {alert: [press, ops]}}\n")
    run = policies.replay.Comparison(old, new)
    for number in range(3):
        run.add(number, situation("hello"))
    report = run.tally.report()
    assert report["old"]["alerted"] == {"ops": 3}
    assert report["new"]["alerted"] == {"ops": 3, "press": 3}
    assert report["what"] == {"alert": 3}
    assert report["examples"][0]["new"]["alerts"] == ["press", "ops"]
