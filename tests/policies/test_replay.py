"""What a replay counts, and what two policies differ in."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import policies
from listener.types import Situation
from policies.replay import EXAMPLES, PER_TEMPLATE, Comparison, Replay
from policies.work import NO_CASE
from tests.policies.situations import FACTS, NOW, situation
from tests.policies.test_properties import situations, texts

BASE: dict[str, Any] = {
    "name": "small",
    "mode": "auto",
    "teams": {"care": {}, "boss": {}},
    "default_team": "care",
    "language": "es",
    "service_levels": {"high": {"first_response": "1h", "resolution": "1d"}},
    "templates": {"sorry": {"es": "Lo sentimos."}, "thanks": {"es": "¡Gracias!"}},
    "rules": [
        {"name": "spam", "when": {"text.contains": "gana dinero"}, "then": {"ignore": "spam"}},
        {
            "name": "complaint",
            "when": {"intents": "complaint"},
            "then": {"reply": "sorry", "case": {"urgency": "high"}},
        },
        {"name": "praise", "when": {"intents": "praise"}, "then": {"reply": "thanks", "case": "none"}},
        {"name": "never", "when": {"network": "nowhere"}, "then": {"tags": "x"}},
    ],
}
COMPLAINT = situation("No funciona", "complaint")
PRAISE = situation("Muy bien", "praise")
SPAM = situation("Gana dinero ya", "complaint")


def policy(**changes: Any) -> policies.Guarded:
    return policies.load_text(json.dumps({**BASE, **changes}))


def rules(*changed: dict[str, Any], without: str = "") -> list[dict[str, Any]]:
    kept = [rule for rule in BASE["rules"] if rule["name"] != without]
    by_name = {rule["name"]: rule for rule in changed}
    return [by_name.pop(rule["name"], rule) for rule in kept] + list(by_name.values())


def compare(new: policies.Guarded, *seen: Situation) -> dict[str, Any]:
    run = Comparison(policy(), new)
    for number, one in enumerate(seen):
        run.add(number, one)
    return run.tally.report()


def test_one_policy_is_counted() -> None:
    run = Replay(policy())
    dear = replace(FACTS, network="x", reply_price=lambda text: 0.01 * len(text))
    held = replace(COMPLAINT, sends=replace(COMPLAINT.sends, last_hour=99))
    forbidden = replace(COMPLAINT, unanswerable="the thread is locked")
    for number, one in enumerate([COMPLAINT, PRAISE, SPAM, replace(PRAISE, network="x", facts=dear), held, forbidden]):
        run.add(number, one)
    run.tally.lose("its text is gone")
    found = run.tally.report()
    assert found["mentions"] == 6
    assert found["lost"] == {"its text is gone": 1}
    replies = found["replies"]
    assert (replies["automatic"], replies["by_person"]) == (3, 1)
    assert replies["by_template"] == {"sorry": 2, "thanks": 2}
    assert found["cases"]["opened"] == {"care": 3}
    assert found["service_levels"] == {"high: first response 1h, resolution 1d": 3}
    assert found["ignored"] == {"spam": 1}
    assert found["guards"] == {"held": {"per_hour": 1}, "forbidden": {"answerable": 1}}
    assert found["usd"] == {"x": {"all_replies": 0.09, "automatic": 0.09}}
    assert found["never_matched"] == ["never"]
    assert found["rules"]["complaint"] == 3
    json.dumps(found)


def test_work_is_counted_by_team_and_first_answers_by_the_promise() -> None:
    run = Replay(policy(mode="manual"))
    joins = replace(COMPLAINT, case=replace(COMPLAINT.case, exists=True, team="boss"))
    for number, (seen, had_case, minutes) in enumerate(
        [
            (COMPLAINT, True, 60),
            (COMPLAINT, True, 61),
            (COMPLAINT, True, None),
            (COMPLAINT, False, None),
            (COMPLAINT, True, -1),
            (joins, True, 1),
            (PRAISE, True, 1),
            (SPAM, True, 1),
        ]
    ):
        at = None if minutes is None else NOW + timedelta(minutes=minutes)
        run.add(number, seen, had_case=had_case, answered_at=at)
    found = run.tally.report()
    assert found["work"] == {
        NO_CASE: {"replies_to_review": 1, "cases_opened": 0},
        "boss": {"replies_to_review": 1, "cases_opened": 0},
        "care": {"replies_to_review": 5, "cases_opened": 5},
    }
    assert found["first_answers"] == {"care": {"in_time": 1, "late": 1, "never": 1, "not_known": 2}}
    alone = Replay(policy(service_levels={}))
    alone.add(1, COMPLAINT, had_case=True, answered_at=NOW)
    assert alone.tally.report()["work"] == {"care": {"replies_to_review": 0, "cases_opened": 1}}
    assert alone.tally.report()["first_answers"] == {}, "nothing was promised"


CHANGES = [
    (
        {"rules": rules({**BASE["rules"][1], "when": {"intents": "complaint", "network": "x"}})},
        COMPLAINT,
        ("complaint", "matches no more", "it wants network: x, and saw mastodon"),
    ),
    ({"rules": rules(without="spam")}, SPAM, ("spam", "matches no more", "there is no such rule")),
    (
        {"rules": [{"name": "new", "when": {"language": "es"}, "then": {"reply": "thanks"}}, *BASE["rules"]]},
        COMPLAINT,
        ("new", "matches now", "before, there is no such rule, and “complaint” matched"),
    ),
    (
        {"rules": rules({**BASE["rules"][1], "then": {"reply": "thanks", "case": {"urgency": "high"}}})},
        COMPLAINT,
        ("complaint", "does other things", "reply was template sorry and becomes template thanks"),
    ),
    ({"templates": {**BASE["templates"], "thanks": {"es": "Mil gracias"}}}, PRAISE, ("", "wording of thanks", "words")),
    ({"mode": "manual"}, PRAISE, ("", "mode", "for the policy leaves it to a person")),
    ({"guard": {"min_confidence": 0.99}}, PRAISE, ("", "guard confidence", "holds it for a person now: the model")),
    ({"service_levels": {}}, COMPLAINT, ("", "service levels", "promised")),
    ({"default_team": "boss"}, COMPLAINT, ("", "default team", "was care and becomes boss")),
    ({"cases": "routed"}, situation("Hola"), ("", "cases", "no rule speaks")),
]


@pytest.mark.parametrize(("change", "seen", "wanted"), CHANGES, ids=[row[2][1] for row in CHANGES])
def test_why_two_policies_part(change: dict[str, Any], seen: Situation, wanted: tuple[str, str, str]) -> None:
    found = compare(policy(**change), seen)
    assert found["changed"] == 1
    (example,) = found["examples"]
    assert (example["rule"] or "") == wanted[0]
    assert list(found["why"]) == [f"{wanted[0]}: {wanted[1]}" if wanted[0] else wanted[1]]
    assert wanted[2] in example["why"]


def test_replies_that_appear_vanish_or_are_worded_anew() -> None:
    new = policy(
        rules=rules({**BASE["rules"][1], "then": {"case": {"urgency": "high"}}}, without="spam"),
        templates={**BASE["templates"], "thanks": {"es": "Mil gracias"}},
        mode="manual",
    )
    found = compare(new, COMPLAINT, PRAISE, SPAM, situation("Hola"))
    assert found["replies"] == {
        "appear": 0,
        "vanish": 1,
        "reworded": 1,
        "become_automatic": 0,
        "no_longer_automatic": 2,
    }
    assert found["mentions"] == 4
    texts_ = {(each["mention"], each["old"]["text"], each["new"]["text"]) for each in found["examples"]}
    assert (1, "¡Gracias!", "Mil gracias") in texts_
    assert compare(policy(), COMPLAINT, PRAISE, SPAM)["changed"] == 0


def test_examples_stay_few_however_long_the_history() -> None:
    run = Comparison(policy(), policy(mode="manual"))
    for number in range(EXAMPLES + 50):
        run.add(number, PRAISE)
    found = run.tally.report()
    assert found["changed"] == EXAMPLES + 50
    assert len(found["examples"]) == EXAMPLES
    assert len(found["old"]["replies"]["examples"]["thanks"]) == PER_TEMPLATE
    assert run.changes == []


def test_every_change_is_handed_out_where_that_is_asked_for() -> None:
    run = Comparison(policy(), policy(mode="manual"), every=True)
    for number in range(EXAMPLES + 50):
        run.add(number, PRAISE if number % 2 else COMPLAINT)
    assert [each["mention"] for each in run.changes] == list(range(EXAMPLES + 50))
    assert run.changes[:EXAMPLES] == run.tally.report()["examples"]


@pytest.mark.slow
@settings(max_examples=40)
@given(texts(), texts(), st.lists(situations(), max_size=6), st.integers(0, 6))
def test_pieces_add_up_to_the_whole(one: str, other: str, seen: list[Situation], cut: int) -> None:
    old, new = policies.load_text(one), policies.load_text(other)
    whole, first, second = (Comparison(old, new) for _ in range(3))
    for number, each in enumerate(seen):
        known: dict[str, Any] = {"had_case": number % 3 > 0, "answered_at": each.now if number % 2 else None}
        whole.add(number, each, **known)
        (first if number < cut else second).add(number, each, **known)
    first.tally.merge(pickle.loads(pickle.dumps(second.tally)))
    assert first.tally.report() == whole.tally.report()
    found = whole.tally.report()
    assert found["changed"] <= found["mentions"] == len(seen)
    assert all(each["why"] for each in found["examples"])
    same = Comparison(old, old)
    for number, each in enumerate(seen):
        same.add(number, each)
    assert same.tally.changed == 0


def test_a_rule_in_the_shadow_is_counted_apart_and_is_a_reason() -> None:
    shadowed = {**BASE["rules"][1], "shadow": True}
    new = policy(rules=rules(shadowed))
    run = Replay(new)
    for number, one in enumerate((COMPLAINT, PRAISE)):
        run.add(number, one)
    report = run.tally.report()
    assert report["in_the_shadow"] == {"complaint": 1}
    assert report["rules"]["complaint"] == 0
    assert "complaint" not in report["never_matched"]
    found = compare(new, COMPLAINT, PRAISE)
    assert found["changed"] == 1
    assert "it is in the shadow, and only records" in found["examples"][0]["why"]


def test_one_mention_of_each_kind_of_change_is_read_first_however_rare() -> None:
    thanks = {"name": "praise", "when": {"intents": "praise"}, "then": {"reply": "thanks", "case": "none"}}
    by_hand = policy(
        rules=rules({**thanks, "then": {"reply": {"template": "thanks", "mode": "manual"}, "case": "none"}})
    )
    then = {"case": {"team": "boss", "urgency": "high"}, "reply": "sorry"}
    spam_no_more = rules({**BASE["rules"][1], "then": then}, without="spam")
    new = policy(rules=[{**rule, "when": {"intents": "praise", "network": "x"}} if rule["name"] == "praise" else rule
                        for rule in spam_no_more])  # fmt: skip
    moved = [COMPLAINT] * (EXAMPLES + 50)
    run, parts = Comparison(by_hand, new), [Comparison(by_hand, new), Comparison(by_hand, new)]
    for number, one in enumerate([*moved, PRAISE, SPAM, *moved]):
        run.add(number, one)
        parts[number > EXAMPLES].add(number, one)
    found = run.tally.report()["examples"]
    assert [each["kind"] for each in found[:3]] == ["the reply vanishes", "the reply goes out alone", "case"]
    assert [each["mention"] for each in found[:2]] == [EXAMPLES + 50, EXAMPLES + 51]
    assert len(found) == EXAMPLES
    parts[0].tally.merge(parts[1].tally)
    assert parts[0].tally.report()["examples"] == found


def test_what_a_rule_does_otherwise_is_said_in_words() -> None:
    tagged = {**BASE["rules"][1], "then": {"reply": "sorry", "case": {"team": "boss", "tags": ["a", "b"]}}}
    (only,) = compare(policy(rules=rules(tagged)), COMPLAINT)["examples"]
    assert only["why"].endswith("case was urgency high and becomes team boss, tags a and b.")
