"""Tests of a policy: what they say about a mention, and the sentence for each that fails."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import policies
from listener.errors import Mistake, PolicyProblem
from listener.types import Answerable, Facts, Situation, Understanding
from policies.rehearse import beside, read_tests, run_tests, samples_of, try_one
from policies.sample import Expected, Said, Sample, situation, understood
from tests.policies.situations import FACTS, NOW, understanding

POLICY = """\
name: small
language: es
teams: {care: {}, boss: {}}
default_team: care
templates: {hello: {es: "Hola {{ case.reference }}"}, sorry: {es: Perdón}}
rules:
  - name: bots
    when: {author.bot: true}
    then: {ignore: a machine}
  - name: gold
    when: {customer.tier: gold}
    then: {urgency: "+1", tags: [vip]}
    continue: true
  - name: complaint
    when: {intents: [complaint], sentiment: negative}
    then: {reply: hello, case: {team: boss, tags: [angry]}}
  - name: reply
    when: {thread.is_reply_to_us: true}
    then: {reply: sorry, case: none}
tests:
"""
GOOD = """\
  - name: an angry customer
    because: They pay well.
    mention: {text: Nada anda, intents: complaint, sentiment: negative, customer.tier: gold, author.followers: 10}
    expect: {rule: [gold, complaint], reply: hello, mode: manual, team: boss, urgency: high, tags: [vip, angry],
             guard: none, escalate: none, ignored: false}
  - name: a machine
    mention: {text: Compra ya, intents: [], author.bot: true}
    expect: {rule: bots, reply: none, team: none, ignored: true, tags: none, guard: author, mode: manual}
"""


def failures(tests: str, **more: Any) -> list[str]:
    return run_tests(policies.load_text(POLICY + tests, "p.yaml"), **more)


def entry(mention: dict[str, Any] | str, **expect: Any) -> str:
    return f"  - {json.dumps({'name': 'it', 'mention': mention, 'expect': expect}, ensure_ascii=False)}\n"


def test_what_is_as_expected_says_nothing() -> None:
    assert failures(GOOD.replace(", mode: manual}", "}")) == []


def test_a_failure_names_its_line_what_was_expected_what_came_and_why() -> None:
    found = failures(GOOD.replace("sentiment: negative, ", "sentiment: positive, "))
    (first, second) = found
    assert first.startswith(
        "policy:24: test `an angry customer`: expected rule `gold`, `complaint`, came `gold`; `complaint` fails at "
        "`sentiment`: wanted negative, saw positive; expected reply `hello`, came `none`"
    )
    assert "expected team `boss`, came `care`" in first
    assert "expected tags `vip`, `angry`, came `vip`" in first
    assert second.startswith(
        "policy:28: test `a machine`: expected mode `manual`, came `no reply` (guard `author`: the account is "
        "automatic, and answering it can start a loop; guard `confidence`: "
    )


CASES: dict[str, tuple[str, str]] = {
    "not-reached": (
        entry({"text": "x", "intents": "complaint", "author.bot": True}, rule="complaint"),
        "`complaint` is not reached, for `bots` above it ends the reading",
    ),
    "some-rule": (entry({"text": "x", "intents": [], "author.bot": True}, rule="none"), "rule `none`, came `bots`"),
    "urgency": (entry({"text": "x", "intents": []}, urgency="low"), "expected urgency `low`, came `normal`"),
    "a-guard": (entry({"text": "x", "intents": []}, guard="none"), "guard `confidence`: the model is not sure"),
    "another-guard": (entry({"text": "x", "intents": "praise"}, guard="paused"), "guard `paused`, came `none`"),
    "called-in": (entry({"text": "mi abogado", "intents": []}, escalate="none"), "escalate `none`, came `care`"),
    "ignored": (entry({"text": "x", "intents": []}, ignored=True), "expected that it is ignored, which it is not"),
    "rule-typo": (entry({"text": "x", "intents": []}, rule="complain"), "there is no rule `complain`; did you mean"),
    "team-typo": (entry({"text": "x", "intents": []}, team="bos"), "there is no team `bos`; did you mean `boss`?"),
    "template-typo": (entry({"text": "x", "intents": []}, reply="helo"), "there is no template `helo`"),
    "guard-typo": (entry({"text": "x", "intents": []}, guard="risc"), "there is no guard `risc`; did you mean `risk`?"),
    "no-model": (entry("x", rule="none"), "there is no model to read it; give `intents` and `sentiment`"),
    "a-phone": (entry({"text": "llama al 612 345 678", "intents": []}, rule="none"), "holds a phone number"),
    "two-of-a-name": (entry({"text": "x", "intents": []}, rule="none") * 2, "two tests `it`"),
}  # fmt: skip


@pytest.mark.parametrize(("tests", "part"), CASES.values(), ids=CASES)
def test_each_kind_of_failure(tests: str, part: str) -> None:
    (found,) = failures(tests)
    assert part in found
    assert found.startswith(f"policy:{20 + tests.count(chr(10))}: ")


class Model:
    """Hears an angry complaint in everything."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []

    def __call__(self, texts: Sequence[str]) -> list[Understanding]:
        self.asked.append(texts)
        return [understanding("complaint", sentiment="negative", language="en") for _ in texts]


def test_the_model_reads_what_the_test_leaves_to_it_and_is_asked_once() -> None:
    model = Model()
    tests = entry("one", rule="complaint") + entry(
        {"text": "two", "content_warning": "x", "language": "es"}, guard="none"
    )
    found = failures(tests.replace('"it"', '"other"', 1) + GOOD.replace(", mode: manual}", "}"), read=model)
    assert found == []
    assert model.asked == [["one", "x\ntwo"]]


def test_a_model_that_cannot_be_loaded_is_named() -> None:
    def broken(_: Sequence[str]) -> list[Understanding]:
        raise Mistake("The model is gone.")

    assert "the model cannot read it (The model is gone.)" in failures(entry("x", rule="none"), read=broken)[0]


def test_the_network_is_what_it_is_said_to_be() -> None:
    def facts(network: str) -> Facts | None:
        return replace(FACTS, network="blog", answerable=Answerable.NOBODY) if network == "blog" else None

    angry = {"text": "x", "intents": "complaint", "sentiment": "negative"}
    assert failures(entry({**angry, "network": "blog"}, reply="none", guard="answerable"), facts=facts) == []
    assert failures(entry({**angry, "network": "there"}, reply="hello", guard="none"), facts=facts) == []


def test_what_is_left_out_is_ordinary() -> None:
    said = Said.model_validate({"text": "x", "kind": "reply", "intents": ["complaint", "praise"], "confidence": 0.8})
    seen = situation(said, understood(said, "es"), None)
    assert (seen.thread.is_reply_to_us, seen.customer, seen.author.handle) == (True, None, "someone")
    assert seen.understanding.intent_scores["complaint"] == 0.8
    assert (seen.now - seen.posted_at).total_seconds() == 600
    known = Said.model_validate(
        {"text": "x", "customer.known": True, "sentiment": "none", "now": "2026-11-20T13:00+01:00"}
    )
    seen = situation(known, understood(known, "es"), None)
    assert seen.customer is not None
    assert seen.understanding.sentiment is None
    assert seen.now == NOW


def test_a_test_can_say_whatever_a_policy_may_look_at() -> None:
    keys = {field.alias or name for name, field in Said.model_fields.items()}
    for name, hint in get_type_hints(Situation).items():
        kinds = [kind for kind in (hint, *get_args(hint)) if is_dataclass(kind)]
        if name in ("understanding", "facts", "mention_id", "revision", "url", "posted_at"):
            continue
        if name == "incidents":  # a test speaks of one: `incident.here: false` is one that lasts elsewhere
            assert "incident.here" in keys
            continue
        assert {f"{name}.{each.name}" for each in fields(kinds[0])} <= keys if kinds else name in keys


def test_tests_do_not_change_what_is_decided_and_may_lie_in_a_file_beside(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY.removesuffix("tests:\n"), encoding="utf-8")
    assert beside(path) == tmp_path / "policy.tests.yaml"
    policy = policies.load(path)
    assert samples_of(policy, path) == []
    beside(path).write_text("tests:\n" + GOOD, encoding="utf-8")
    assert policies.load(path).version == policy.version
    assert len(samples_of(policy, path)) == 2
    (found,) = policies.run_tests(policy, path)
    assert found.startswith(f"{beside(path)}:9: test `a machine`: expected mode")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("- name: x\n", "t.yaml:1: a file of tests is a mapping"),
        ("test: []\n", "t.yaml:1: `test` is not known here"),
        ("tests:\n  - {name: x, mention: {txt: a}, expect: {rule: a}}\n", "t.yaml:2: `txt` is not known here; did you"),
        ("tests:\n  - name: x\n    mention: {text: a}\n    expect: {}\n", "t.yaml:4: `expect` expects nothing"),
        (
            "tests:\n  - {name: x, mention: {text: a, now: 2026-03-01}, expect: {rule: a}}\n",
            "no moment with a time zone",
        ),
        ("tests:\n  - {name: x, mention: {text: a, confidence: 3}, expect: {rule: a}}\n", "a number from 0 to 1"),
        (
            "tests:\n  - {name: x, mention: {text: a, author.bots: true}, expect: {rule: a}}\n",
            "did you mean `author.bot`?",
        ),
        ("tests:\n  - {name: x, mention: {text: a}, expect: {rule: [none, a]}}\n", "`none` stands alone"),
        (
            "tests:\n  - {name: x, mention: {text: a, customer.known: false, customer.tier: b}, expect: {rule: a}}\n",
            "has no tier, tags or cases",
        ),
    ],
)
def test_a_file_of_tests_that_cannot_be_used(text: str, part: str) -> None:
    with pytest.raises(PolicyProblem) as caught:
        read_tests(text, "t.yaml")
    assert any(part in sentence for sentence in caught.value.problems), caught.value.problems
    assert all(sentence.startswith("t.yaml:") for sentence in caught.value.problems)


@settings(max_examples=40, deadline=None)
@given(
    st.fixed_dictionaries(
        {"text": st.text(max_size=30)},
        optional={
            "intents": st.lists(st.sampled_from(["complaint", "praise"]), max_size=2),
            "sentiment": st.sampled_from(["negative", "positive", "none"]),
            "kind": st.sampled_from(["reply", "found", "direct"]),
            "customer.tier": st.sampled_from(["gold", "x"]),
            "customer.tags": st.lists(st.text(min_size=1, max_size=5), max_size=2),
            "author.bot": st.booleans(),
            "sends.last_hour": st.integers(0, 200),
            "case.exists": st.booleans(),
            "paused": st.booleans(),
            "age": st.sampled_from(["1s", "3d", "366d"]),
        },
    )
)
def test_what_came_is_what_may_be_expected(mention: dict[str, Any]) -> None:
    """A test that expects what the policy does passes, and one that expects another rule does not."""
    policy = policies.load_text(POLICY.removesuffix("tests:\n"), "p.yaml")
    said = Said.model_validate(mention)
    decision = policy.decide(situation(said, understood(said, "es"), None))
    matched = [trace.rule for trace in decision.rules if trace.outcome == "matched"]
    expect = Expected.model_validate(
        {
            "rule": matched or "none",
            "reply": decision.reply.template if decision.reply else "none",
            "team": decision.case.team if decision.case else "none",
            "urgency": decision.urgency,
            "guard": [trace.guard for trace in decision.guards if trace.holds or trace.forbids] or "none",
            "ignored": bool(decision.ignored),
        }
    )
    sample = Sample(name="x", mention=said, expect=expect)
    assert try_one(policy, sample) == []
    wrong = Expected.model_validate({"rule": "bots" if "bots" not in matched else "none"})
    assert [key for key, _ in try_one(policy, sample.model_copy(update={"expect": wrong}))] == ["rule"]
