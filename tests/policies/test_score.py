"""What makes up a score, what that makes of a queue, and that nothing in it starves."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import policies
from listener.errors import PolicyProblem
from listener.types import Decision, Situation, Urgency
from policies.partings import parting
from policies.rehearse import try_one
from policies.sample import Sample
from tests.policies.situations import GOLD, NOW, situation
from tests.policies.test_properties import situations, texts

PARTS: list[dict[str, Any]] = [
    {"name": "outage", "points": 30, "when": {"intents": ["outage_report"]}},
    {"name": "platinum", "points": 20, "when": {"customer.tier": ["platinum"]}},
    {"name": "third complaint", "points": 15, "when": {"author.complaints_last_30_days": ">= 3"}},
    {"name": "praise", "points": -10, "when": {"main_intent": "praise"}},
    {"name": "famous", "points": 90, "when": {"author.followers": ">= 1000000"}},
]
OUTAGE = {"name": "outage", "when": {"intents": ["outage_report"]}, "then": {"case": {"urgency": "high"}}}


def written(**changes: Any) -> str:
    data = {
        "name": "Ours",
        "language": "es",
        "teams": {"care": {}},
        "default_team": "care",
        "score": {"contributions": PARTS},
        "rules": [OUTAGE],
    }
    return json.dumps(data | changes, ensure_ascii=False, indent=1)


def load(**changes: Any) -> policies.Guarded:
    return policies.load_text(written(**changes), "p.yaml")


def parts(decision: Decision) -> list[tuple[str, int]]:
    return [(part.name, part.points) for part in decision.contributions]


def problems(**changes: Any) -> list[str]:
    with pytest.raises(PolicyProblem) as found:
        load(**changes)
    return found.value.problems


PLATINUM = replace(GOLD, tier="platinum")


def test_the_parts_are_listed_and_add_up() -> None:
    seen = situation("Sin internet", "outage_report", customer=PLATINUM, author__complaints_last_30_days=3)
    decision = load().decide(seen)
    assert parts(decision) == [("urgency high", 60), ("outage", 30), ("platinum", 20), ("third complaint", 15)]
    assert decision.score == 125
    assert decision.head_start == timedelta(minutes=1250)
    assert decision.case is not None
    assert (decision.case.score, decision.case.head_start) == (125, timedelta(minutes=1250))


def test_what_is_pleasant_can_wait() -> None:
    decision = load().decide(situation("Gracias", "praise"))
    assert parts(decision) == [("urgency normal", 0), ("praise", -10)]
    assert decision.head_start == timedelta(minutes=-100)


def test_together_they_count_a_hundred_and_say_so() -> None:
    seen = situation("Sin internet", "outage_report", customer=PLATINUM, author__followers=2_000_000)
    decision = load().decide(seen)
    assert parts(decision)[-1] == ("no more than 100 together", -40)
    assert decision.score == Urgency.HIGH.points + 100
    down = [{"name": f"n{n}", "points": -60, "when": {"network": "mastodon"}} for n in range(2)]
    assert load(score={"contributions": down}).decide(seen).score == Urgency.HIGH.points - 100


def test_words_of_danger_score_as_critical_with_the_same_contributions() -> None:
    decision = load().decide(situation("Sin internet, quiero morirme", "outage_report"))
    assert parts(decision) == [("urgency critical", 500), ("outage", 30)]
    assert decision.score == 530
    assert decision.case is not None
    assert decision.case.score == 530


def test_without_a_word_of_it_the_urgency_alone_counts() -> None:
    policy = load(score={}, rules=[OUTAGE])
    for intent, level in (("outage_report", Urgency.HIGH), ("praise", Urgency.NORMAL)):
        decision = policy.decide(situation("x", intent))
        assert parts(decision) == [(f"urgency {level}", level.points)]


def test_the_levels_stand_in_their_order_and_critical_far_above() -> None:
    points = [level.points for level in Urgency]
    assert points == sorted(set(points))
    assert Urgency.CRITICAL.points - 100 - (Urgency.HIGH.points + 100) == 240


# --- queues ---


def queue_at(decision: Decision, since: int) -> float:
    """Its place in a queue, in minutes, where it began to wait at minute `since`."""
    return since - decision.head_start / timedelta(minutes=1)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts(), situations(), situations(), st.integers(0, 10_000), st.integers(0, 10_000))
def test_nothing_starves(text: str, one: Situation, other: Situation, first: int, later: int) -> None:
    policy = policies.load_text(text, "any.yaml")
    minutes = policy.file.score.minutes_per_point
    assert policy.longest_overtaking <= timedelta(minutes=740 * minutes)
    old, new = policy.decide(one), policy.decide(other)
    apart = timedelta(minutes=later)
    if queue_at(new, first + later) < queue_at(old, first):
        assert apart <= policy.longest_overtaking, "what comes much later overtakes nothing"
        assert apart < new.head_start - old.head_start
    if old.urgency is Urgency.CRITICAL is not new.urgency and later + 240 * minutes > 0:
        assert queue_at(old, first) < queue_at(new, first - 240 * minutes + 1 + later), "critical is first for hours"


def test_the_longest_overtaking_is_that_of_the_contributions_there_are() -> None:
    assert load(score={}).longest_overtaking == timedelta(minutes=540 * 10)
    assert load().longest_overtaking == timedelta(minutes=(540 + 100 + 10) * 10)
    assert load(score={"minutes_per_point": 1, "contributions": PARTS[:1]}).longest_overtaking == timedelta(minutes=570)


# --- what people write ---


@pytest.mark.parametrize(
    ("score", "sentence"),
    [
        ({"minutes_per_point": 0}, "`0` is no number of minutes; write a whole number from 1 to 60"),
        ({"minutes_per_point": 1.5}, "`1.5` is no number of minutes; write a whole number from 1 to 60"),
        (
            {"contributions": [PARTS[0] | {"points": 101}]},
            "`101` is no number of points; write a whole number from -100 to 100, and not 0",
        ),
        (
            {"contributions": [PARTS[0] | {"points": 0}]},
            "`0` is no number of points; write a whole number from -100 to 100, and not 0",
        ),
        (
            {"contributions": [{"name": "a", "points": "30", "when": {"language": "es"}}]},
            "`30` is text here, not a number; write it bare, without quotes: 30",
        ),
        (
            {"contributions": [{"name": "a", "points": "−30", "when": {"language": "es"}}]},
            "`−30` is text here, not a number; write it bare, without quotes: -30",
        ),
        (
            {"contributions": [{"name": "a", "points": "300", "when": {"language": "es"}}]},
            "`300` is no number of points; write a whole number from -100 to 100, and not 0",
        ),
        (
            {"contributions": [PARTS[0], PARTS[0]]},
            "there are two contributions `outage`; rename one, so that scores can be read",
        ),
        (
            {"contributions": [PARTS[0] | {"when": {}}]},
            "`when` is true of everything, so these points move nothing; give it conditions",
        ),
        (
            {"contributions": [PARTS[0] | {"when": {"areas": ["roaming"]}}]},
            "there is no area `roaming`; add it under `areas:`",
        ),
        (
            {"contributions": [PARTS[0] | {"when": {"time.within": "office"}}]},
            "there is no calendar `office`; add it under `calendars:`",
        ),
        ({"contributions": [{"name": "a", "points": 3}]}, "`when` is missing; add it"),
        ({"contribution": []}, "`contribution` is not known here; did you mean `contributions`?"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_line(score: dict[str, Any], sentence: str) -> None:
    (problem,) = problems(score=score)
    name, line, said = problem.split(":", 2)
    assert name == "p.yaml"
    assert '"score"' in "\n".join(written(score=score).splitlines()[: int(line)])
    assert said.strip() == sentence


def test_a_contribution_that_never_counts_is_found() -> None:
    never = {"name": "never", "points": 5, "when": {"network": "x", "none": {"network": "x"}}}
    policy = load(score={"contributions": [*PARTS, never]})
    (found,) = policies.in_vain(policy, "p.yaml")
    assert "contribution `never` can never count: its lines exclude each other" in found


def test_the_fields_that_it_asks_about_reach_the_policy() -> None:
    asks = {"name": "owes", "points": -5, "when": {"any": [{"customer.fields": {"Arrears": "> 0"}}]}}
    policy = load(score={"contributions": [asks]})
    assert policy.fields_asked == {"arrears"}
    decision = policy.decide(situation("x", customer=replace(GOLD, fields={"arrears": "3"})))
    assert parts(decision)[-1] == ("owes", -5)


def test_what_changes_is_said_in_words() -> None:
    new = [PARTS[0] | {"points": 40}, *PARTS[2:], {"name": "new", "points": 5, "when": {"language": "es"}}]
    changed = policies.differences(load(), load(score={"minutes_per_point": 5, "contributions": new}))
    assert [(each.part, each.sentence) for each in changed] == [
        ("score", "Score: `minutes_per_point` is now 5; it was 10."),
        ("score", "Contribution “outage”: `points` is now 40; it was 30."),
        ("score", "Contribution “platinum” is gone; it said: points: 20, when: {customer.tier: [platinum]}."),
        ("score", "Contribution “new” is new: points: 5, when: {language: [es]}."),
    ]


def test_two_policies_part_in_a_contribution() -> None:
    old, new = load(), load(score={"contributions": PARTS[1:]})
    seen = situation("Sin internet", "outage_report")
    found = parting(old, old.decide(seen), new, new.decide(seen))
    assert found.kind == "contribution outage"
    assert found.why == "The score is 60 and was 90: +30 outage counts no more."
    run = policies.replay.Comparison(old, new)
    run.add(1, seen)
    report = run.tally.report()
    assert report["what"] == {"place in the queue": 1}
    assert (report["examples"][0]["old"]["score"], report["examples"][0]["new"]["score"]) == (90, 60)


def test_a_test_may_expect_a_score() -> None:
    mention = {"text": "Sin internet", "intents": "outage_report", "author.complaints_last_30_days": 4}
    sample = {"name": "a", "mention": mention, "expect": {"score": ">= 105"}}
    assert try_one(load(), Sample.model_validate(sample)) == []
    sample["expect"] = {"score": "> 105"}
    ((key, why),) = try_one(load(), Sample.model_validate(sample))
    assert key == "score"
    assert why == "expected score > 105, came 105 (+60 urgency high, +30 outage, +15 third complaint)"


@pytest.mark.parametrize(
    ("score", "holds"),
    [("< -5", True), ("<= -10", True), (-10, True), ("-10", True), ("< −5", True), ("> -10", False), (10, False)],
)
def test_a_test_may_expect_a_score_below_nothing(score: str | int, holds: bool) -> None:
    mention = {"text": "Gracias", "intents": "praise"}
    sample = Sample.model_validate({"name": "a", "mention": mention, "expect": {"score": score}})
    assert (try_one(load(), sample) == []) is holds


@pytest.mark.parametrize("score", ["< many", "> 10%", ">", "1.5", True, "< --5"])
def test_what_is_no_comparison_of_points(score: object) -> None:
    with pytest.raises(ValidationError, match=r'write it like `">= (60|10)"`'):
        Sample.model_validate({"name": "a", "mention": {"text": "x"}, "expect": {"score": score}})


def test_what_a_test_expects_of_a_score_is_compared_in_words() -> None:
    def expecting(score: str | int) -> policies.Guarded:
        mention = {"text": "Gracias", "intents": "praise"}
        return load(tests=[{"name": "thanks", "mention": mention, "expect": {"score": score}}])

    said = [each.sentence for each in policies.differences(expecting("<-5"), expecting(-10))]
    assert said == ["Test “thanks”: `expect.score` is now -10; it was < -5."]


def test_two_policies_part_below_nothing() -> None:
    old, new = load(score={"contributions": PARTS[:3]}), load()
    seen = situation("Gracias", "praise")
    found = parting(old, old.decide(seen), new, new.decide(seen))
    assert found.why == "The score is −10 and was 0: −10 praise counts now."


def test_the_moment_is_handed_in() -> None:
    night = {"name": "at night", "points": 7, "when": {"time.weekday": "fri"}}
    policy = load(score={"contributions": [night]})
    assert policy.decide(situation("x", now=NOW)).score == 7  # a Friday
    assert policy.decide(situation("x", now=NOW + timedelta(days=1))).score == 0
