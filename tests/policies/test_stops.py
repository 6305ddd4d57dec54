"""Caps, colleagues, loops, duplicates, an empty purse: what holds, what just passes, and that no policy lifts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import policies
from listener.errors import PolicyProblem
from listener.types import Answerable, Mode, PostKind, Signal, Situation
from tests.policies.situations import FACTS, NOW, situation
from tests.policies.test_properties import situations, texts

TEXT = """name: eager
mode: auto
language: es
teams: {care: {}}
default_team: care
guard:
  per_rule_per_day: 7
  per_day: 9
  per_wording_per_day: 3
  colleagues: {mastodon: ["@Ana_Acme", "*@acme.example"], mail: [ana]}
templates: {hello: {es: "Hola, {{ author.name }}."}}
rules:
  - name: tag everything
    when: {language: es}
    then: {tags: [spanish]}
    continue: true
  - name: all
    then: {reply: hello}
"""
EAGER = policies.load_text(TEXT, "eager.yaml")
ORDINARY = EAGER.decide(situation("Hola", "question")).reply
assert ORDINARY is not None
WORDING = ORDINARY.wording

STOPS: list[tuple[str, str, dict[str, Any], str]] = [
    ("colleague", "forbids", {"author__handle": "ana_acme"}, "ana_acme is a colleague"),
    ("colleague", "forbids", {"author__handle": "@LUIS@acme.example"}, "a colleague"),
    ("colleague_answered", "holds", {"thread__repliers": ("beto", "luis@acme.example")}, "luis@acme.example, a coll"),
    ("over_budget", "holds", {"broke": "the money of the account care is spent"}, "the money of the account care"),
    ("per_rule_per_day", "holds", {"sends__by_rule_last_day": {"all": 7}}, "the rule `all` gave 7 replies in a day"),
    ("per_day", "holds", {"sends__last_day": 9}, "9 replies went out in a day"),
    ("duplicate", "holds", {"sends__by_wording_last_day": {WORDING: 3}}, "3 others were told the same on mastodon"),
    ("loop", "holds", {"author__quick_replies_last_day": 2}, "2 times within seconds"),
    ("loop", "holds", {"author__same_text_last_day": 3}, "the same 3 times within a day"),
    ("loop", "holds", {"author__mentions_last_10_minutes": 12}, "12 times in ten minutes"),
    ("campaign", "holds", {"same_text_by_others": 5}, "5 other accounts wrote the same within an hour"),
]


@pytest.mark.parametrize(("guard", "how", "given", "reason"), STOPS, ids=[f"{s[0]}-{n}" for n, s in enumerate(STOPS)])
def test_a_stop(guard: str, how: str, given: dict[str, Any], reason: str) -> None:
    decision = EAGER.decide(situation("Hola", "question", **given))
    stopped = [trace for trace in decision.guards if trace.holds or trace.forbids]
    assert [trace.guard for trace in stopped] == [guard]
    assert getattr(stopped[0], how)
    assert reason in stopped[0].reason
    if how == "forbids":
        assert decision.reply is None
    else:
        assert decision.reply is not None
        assert decision.reply.mode is Mode.MANUAL


@pytest.mark.parametrize(
    "given",
    [
        {"author__handle": "acme.example"},
        {"author__handle": "ana"},  # a colleague's handle on another network
        {"thread__repliers": ("beto", "ana_acme2")},
        {"sends__by_rule_last_day": {"all": 6, "tag everything": 99}},
        {"sends__last_day": 8},
        {"same_text_by_others": 4},
        {"sends__by_wording_last_day": {WORDING: 2, "another": 99}},
        {"author__quick_replies_last_day": 1, "author__same_text_last_day": 2, "author__mentions_last_10_minutes": 11},
    ],
    ids=str,
)
def test_just_below_passes(given: dict[str, Any]) -> None:
    decision = EAGER.decide(situation("Hola", "question", **given))
    assert decision.reply is not None
    assert decision.reply.mode is Mode.AUTO


def test_a_rule_sees_the_colleague_whom_the_guard_sees() -> None:
    asks = TEXT.replace("when: {language: es}", "when: {thread.answered_by_colleague: true}")
    policy = policies.load_text(asks, "asks.yaml")
    for repliers, tags in ((("beto",), ()), (("beto", "luis@acme.example"), ("spanish",))):
        decision = policy.decide(situation("Hola", "question", thread__repliers=repliers))
        assert decision.tags == tags
        assert ["colleague_answered"] * len(tags) == [trace.guard for trace in decision.guards if trace.holds]


def test_a_reply_knows_its_rule_and_its_wording_whoever_it_is_for() -> None:
    other = EAGER.decide(situation("Hola", "question", author__display_name="Beto")).reply
    assert ORDINARY is not None
    assert other is not None
    assert other.text != ORDINARY.text
    assert (other.rule, other.wording) == ("all", WORDING) == (ORDINARY.rule, ORDINARY.wording)


@pytest.mark.parametrize("looser", ["per_day: 1001", "per_rule_per_day: 501", "per_wording_per_day: 101"])
def test_a_cap_is_never_looser_than_its_limit(looser: str) -> None:
    key = looser.split(":", maxsplit=1)[0]
    written = next(line.strip() for line in TEXT.splitlines() if line.strip().startswith(f"{key}: "))
    with pytest.raises(PolicyProblem, match="can only be made stricter"):
        policies.load_text(TEXT.replace(f"  {written}", f"  {looser}"), "p.yaml")


# --- under every policy -----------------------------------------------------------------------------------------------


def _author(**changes: Any) -> Callable[[Situation], Situation]:
    return lambda seen: replace(seen, author=replace(seen.author, **changes))


def _sends(**changes: Any) -> Callable[[Situation], Situation]:
    return lambda seen: replace(seen, sends=replace(seen.sends, **changes))


def _signalled(seen: Situation) -> Situation:
    return replace(seen, understanding=replace(seen.understanding, signals=(Signal.IRONY,)))


def _unanswerable(seen: Situation) -> Situation:
    return replace(seen, facts=replace(FACTS, answerable=Answerable.ADDRESSED), kind=PostKind.FOUND)


FORBIDS: dict[str, Callable[[Situation], Situation]] = {
    "own": _author(is_us=True),
    "bot": _author(bot=True),
    "opted out": _author(opted_out=True),
    "left alone": _author(left_alone=True),
    "answerable": _unanswerable,
    "answered": lambda seen: replace(seen, thread=replace(seen.thread, answered=True)),
}
HOLDS: dict[str, Callable[[Situation], Situation]] = {
    "paused": lambda seen: replace(seen, paused=True),
    "stranger": lambda seen: replace(seen, stranger=True),
    "broke": lambda seen: replace(seen, broke="the money is spent"),
    "author's day": _sends(to_author_last_day=5),
    "thread": _sends(in_thread=5),
    "hour": _sends(last_hour=120),
    "day": _sends(last_day=1000),
    "rule": _sends(by_rule_last_day={f"rule {number}": 500 for number in range(5)}),
    "once": _sends(automatic_to_author_last_day=1),
    "quick": _author(quick_replies_last_day=2),
    "same": _author(same_text_last_day=3),
    "burst": _author(mentions_last_10_minutes=12),
    "old": lambda seen: replace(seen, posted_at=NOW - timedelta(days=7, seconds=1)),
    "unsure": lambda seen: replace(seen, understanding=replace(seen.understanding, sentiment=None)),
    "language": lambda seen: replace(seen, understanding=replace(seen.understanding, language="und")),
    "irony": _signalled,
    "danger": lambda seen: replace(seen, text="mi abogado"),
    "health": lambda seen: replace(seen, text="we need an ambulance"),
}


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts(), situations(), st.sampled_from(sorted(FORBIDS)))
def test_what_is_forbidden_is_drafted_under_no_policy(text: str, seen: Situation, stop: str) -> None:
    decision = policies.load_text(text, "any.yaml", mode=Mode.AUTO).decide(FORBIDS[stop](seen))
    assert decision.reply is None
    assert any(trace.forbids for trace in decision.guards)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts(), situations(), st.sampled_from(sorted(HOLDS)))
def test_what_is_held_goes_out_by_itself_under_no_policy(text: str, seen: Situation, stop: str) -> None:
    policy = policies.load_text(text, "any.yaml", mode=Mode.AUTO)
    decision = policy.decide(HOLDS[stop](seen))
    assert decision.reply is None or decision.reply.mode is Mode.MANUAL


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts(), situations())
def test_a_wording_that_a_hundred_were_told_goes_out_by_itself_under_no_policy(text: str, seen: Situation) -> None:
    policy = policies.load_text(text, "any.yaml", mode=Mode.AUTO)
    first = policy.decide(seen).reply
    if first is None:
        return
    told: dict[str, int] = {}
    for _ in range(4):  # as many as a template here has wordings, and more
        reply = policy.decide(replace(seen, sends=replace(seen.sends, by_wording_last_day=dict(told)))).reply
        assert reply is not None
        told[reply.wording] = 100
    last = policy.decide(replace(seen, sends=replace(seen.sends, by_wording_last_day=told))).reply
    assert last is not None
    assert last.mode is Mode.MANUAL
