"""What is skipped at a glance, or remembered, changes nothing of what is found and decided."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import policies
from listener.types import RuleOutcome, Situation
from policies import names, optouts, words
from policies.colleagues import recognised
from policies.conditions import Seen, compile_when
from policies.risks import RISKS, RiskWords
from policies.words import Phrases, fold, found, phrase_pattern
from tests.policies.situations import situation
from tests.policies.test_language_properties import everything, files, loaded

RISKY = [phrase for phrases in RISKS.values() for phrase in phrases]
SAID = st.lists(
    st.sampled_from([*RISKY, "ocu", "in the", "self", "tengo", "15", "years", "#MeQuieroMatar"]) | st.text(max_size=8),
    max_size=6,
)


@given(st.text(max_size=300) | st.text(st.characters(max_codepoint=0xFF), max_size=300))
@example("½ ´ ª ß ÿ µ ¸ \xad^` ©\x00\x85")
def test_the_short_way_to_fold_gives_what_the_long_way_gives(text: str) -> None:
    assert fold(text) == words._folded(text)


@given(
    SAID, st.lists(st.sampled_from(["suicid*", "e*", "a b*", "en la uci", "self-harm", "a"]), min_size=1, max_size=3)
)
def test_phrases_are_found_as_their_pattern_finds_them(said: list[str], phrases: list[str]) -> None:
    folded = fold(" ".join(said).replace("*", "o"))
    for looked_for in (phrases, RISKY):
        assert Phrases(looked_for).find(folded) == found(phrase_pattern(looked_for), folded)


@given(SAID)
@example(["I'm 12 years old"])
@example(["tengo 12 años"])
def test_danger_is_seen_at_a_glance_or_not_there(said: list[str]) -> None:
    text = " ".join(said).replace("*", "o")
    slowly = RiskWords({"press": ["this is never said, but e*"]})
    slowly._heads |= {""}
    assert RiskWords({}).find(text) == slowly.find(text)


@settings(max_examples=300)
@given(
    st.from_regex(optouts._WHOLE, fullmatch=True)
    | st.from_regex(rf"(?:{optouts._BEGINNING})", fullmatch=True)
    | st.sampled_from(sorted(optouts._ALONE))
)
def test_whatever_asks_to_be_left_alone_is_heard(asked: str) -> None:
    assert optouts.asks_to_be_left_alone(asked)
    assert optouts.asks_to_be_left_alone(f"@marca {asked.upper()}, gracias")


@given(st.text(st.characters(max_codepoint=0x2FF), max_size=60))
def test_a_name_without_marks_is_shown_as_it_is(name: str) -> None:
    if name.isprintable():
        assert names._visible(name) == name


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(files(), st.lists(everything(), min_size=1, max_size=6))
def test_each_rule_fails_where_its_first_condition_fails(data: dict[str, Any], seen: list[Situation]) -> None:
    policy = loaded(data)
    rules = [(rule, compile_when(rule.when, policy._rules._hours)) for rule in policy.file.rules]
    for one in [*seen, *seen]:
        told = Seen.of(recognised(one, policy.file.guard.colleagues))
        ended = False
        for (rule, when), trace in zip(rules, policy.decide(one).rules, strict=True):
            failure = when.failure(told)
            said = (trace.condition, trace.wanted, trace.saw)
            if ended:
                assert trace.outcome is RuleOutcome.NOT_REACHED
            elif failure:
                assert trace.outcome is RuleOutcome.FAILED
                assert said == (failure.condition, failure.wanted, failure.saw)
            else:
                assert trace.outcome is (RuleOutcome.SHADOW if rule.shadow else RuleOutcome.MATCHED)
                ended = not rule.shadow and not rule.goes_on


def test_a_block_is_remembered_by_all_that_it_reads() -> None:
    text = """
name: blocks
teams: {care: {}}
default_team: care
cases: routed
rules:
  - name: one
    when: {none: [{intents: praise, network: x}, {kind: found}]}
    then: {tags: one}
"""
    policy = policies.load_text(text)
    for network, matched in (("x", False), ("mastodon", True), ("x", False)):
        decision = policy.decide(situation("Hola", "praise", network=network))
        assert (decision.tags == ("one",)) is matched
        assert decision.rules[0].saw == ("" if matched else "intents: praise and network: x")
