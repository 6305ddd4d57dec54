"""What a recorded test tells besides the words: nobody's handle, no number or moment finer than the policy needs."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import policies
from listener.errors import Mistake, PolicyProblem
from policies.anonymous import anonymous, still_personal
from policies.recording import added, record
from policies.rehearse import decide, read_tests
from policies.sample import Sample
from tests.policies.situations import NOW
from tests.policies.test_recording import ENTRY, EXPECT, FACTS

POLICY = """\
name: small
language: es
time_zone: Europe/Madrid
teams: {care: {}}
default_team: care
calendars: {lunch: {hours: {daily: "14:30-16:00"}}}
guard: {per_rule_per_day: 5, per_wording_per_day: 3, colleagues: {mastodon: [luis]}}
templates: {hello: {es: "Hola, lo vemos."}}
rules:
  - name: known
    when: {author.followers: ">= 10000", author.account_age_days: "< 400"}
    then: {tags: [a]}
    continue: true
  - {name: lunch, when: {time.within: lunch}, then: {tags: [b]}, continue: true}
  - {name: old, when: {age: "> 90m"}, then: {tags: [c]}, continue: true}
  - {name: complaint, when: {intents: complaint}, then: {reply: hello, case: {}}}
"""
SEEN = FACTS | {
    "author.followers": 123456,
    "author.account_age_days": 377,
    "now": "2026-03-01T09:47:13Z",
    "age": "3h12m41s",
}


def made(facts: dict[str, Any], expect: dict[str, Any] | None = None) -> str:
    return record(policies.load_text(POLICY, "p.yaml"), facts, expect or {"reply": "hello"}, name="x").text


def mention(facts: dict[str, Any]) -> dict[str, str]:
    return dict(re.findall(r"^    ([a-z0-9_.]+): (.*)$", made(facts), re.MULTILINE))


def test_who_else_spoke_there_is_not_told() -> None:
    text = made(SEEN | {"thread.repliers": ["maria.gonzalez@example.social", "pepe"], "thread.our_replies": 1})
    assert "maria" not in text
    assert "pepe" not in text
    assert "repliers" not in text
    assert "thread.our_replies: 1" in text
    assert "answered_by_colleague" not in text
    told = made(SEEN | {"thread.repliers": ["pepe", "@Luis"]})
    assert "thread.answered_by_colleague: true" in told
    assert "luis" not in told.casefold()


def test_numbers_and_moments_are_as_coarse_as_the_policy_lets_them() -> None:
    told = mention(SEEN)
    assert (told["author.followers"], told["author.account_age_days"]) == ("100000", "300")
    assert (told["now"], told["age"]) == ('"2026-03-01T09:00Z"', '"3h"')
    told = mention(SEEN | {"author.followers": 10432, "author.account_age_days": 402, "age": "1h31m2s"})
    assert (told["author.followers"], told["author.account_age_days"]) == ("10000", "400")
    assert told["age"] == '"1h31m"', "an hour would not be more than 90 minutes"
    assert mention(SEEN | {"now": "2026-03-01T13:47:59Z"})["now"] == '"2026-03-01T13:47Z"', (
        "13:00 is no lunch in Madrid"
    )


def test_what_no_key_lets_through_is_left_out() -> None:
    text = made(
        SEEN | {"thread.starter": "pepe", "author.url": "https://x.y", "url": "https://x.y/1", "source": "pepe"}
    )
    assert "pepe" not in text
    assert "x.y" not in text


def test_a_value_that_tells_who_it_is_is_refused_wherever_it_stands() -> None:
    for key in ("case.team", "network", "unanswerable"):
        with pytest.raises(Mistake, match=f"a handle in `{key}`"):
            made(SEEN | {"case.exists": True, key: "to @pepe"})
    with pytest.raises(Mistake, match="an e-mail address in `tags`"):
        made(SEEN, {"tags": ["pepe@example.org"]})


def test_what_was_sent_is_written_so_that_it_is_read_again() -> None:
    sends = {"sends.by_rule_last_day": {"complaint": 7, "b: {'": 6, "c": 2}, "sends.by_wording_last_day": {"0a" * 6: 4}}
    text = made(SEEN | sends | {"sends.wordings_before": ["0a" * 6]}, {"reply": "hello", "guard": ["per_rule_per_day"]})
    (placed,) = read_tests(f"tests:\n{text}", "t.yaml")
    found = placed.sample.mention.facts()
    assert found["sends.by_rule_last_day"] == {"complaint": 5, "b: {'": 5}
    assert found["sends.by_wording_last_day"] == {"0a" * 6: 3}
    assert "wordings_before" not in text
    policy = POLICY + added(POLICY, text, "p.yaml")
    assert policies.run_tests(policies.load_text(policy, "p.yaml")) == []


def test_what_is_no_test_is_not_added() -> None:
    broken = ENTRY.replace('text: "hola"', "text: {a: 3}")
    with pytest.raises(PolicyProblem, match="should be text"):
        added("", broken, "t.yaml")


@pytest.mark.slow
@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    st.integers(0, 10**9),
    st.integers(0, 9999),
    st.integers(1, 400_000),
    st.dictionaries(st.sampled_from(["complaint", "known"]), st.integers(0, 12)),
    st.integers(0, 10 * 365 * 86400).map(lambda seconds: NOW + timedelta(seconds=seconds)),
)
def test_the_policy_says_the_same_about_it(
    followers: int, days: int, age: int, rules: dict[str, int], moment: datetime
) -> None:
    policy = policies.load_text(POLICY, "p.yaml")
    exact = SEEN | {
        "author.followers": followers,
        "author.account_age_days": days,
        "age": f"{age}s",
        "now": moment.isoformat(),
        "sends.by_rule_last_day": rules,
    }
    sample = {key: value for key, value in exact.items() if key in ("text", "now", "age", "intents", "sentiment")}
    sample |= {key: exact[key] for key in ("author.followers", "author.account_age_days", "sends.by_rule_last_day")}
    before = _decided(policy, sample)
    (placed,) = read_tests(f"tests:\n{made(exact)}", "t.yaml")
    after = _decided(policy, placed.sample.mention.model_dump(by_alias=True, exclude_unset=True))
    assert before == after
    assert placed.sample.mention.now.second == 0


def _decided(policy: Any, said: dict[str, Any]) -> object:
    decision = decide(policy, Sample.model_validate({"name": "x", "mention": said, "expect": {"rule": "x"}}))
    rules = [(trace.rule, trace.outcome, trace.condition) for trace in decision.rules]
    return rules, [(trace.guard, trace.holds, trace.forbids) for trace in decision.guards]


@pytest.mark.parametrize("piece", ["a.", "-a", "1-", "@a", "a@", "a1", "://", "a_", "1a/", "AA11", "a..", "ES91 2100 "])
def test_strangers_words_are_read_in_no_time(piece: str) -> None:
    text = (piece * 20_000)[:20_000]
    start = time.process_time()
    still_personal(anonymous(text))
    assert time.process_time() - start < 3


def test_what_is_too_long_is_not_read_at_all() -> None:
    with pytest.raises(Mistake, match="longer than 20,000 characters"):
        record(policies.load_text(POLICY, "p.yaml"), FACTS | {"text": "a." * 10**7}, EXPECT, name="x")
