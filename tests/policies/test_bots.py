"""How much an account is like a machine: what is on the page is what is added up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policies
from listener.types import AuthorView, RuleOutcome
from policies.bots import contributions, in_words, likeness
from tests.policies.situations import situation

ANA = AuthorView(handle="ana", followers=12, account_age_days=900)

some = st.integers(0, 20)
authors = st.builds(
    AuthorView,
    handle=st.just("a"),
    bot=st.booleans(),
    followers=st.none() | some,
    account_age_days=st.none() | st.integers(0, 60),
    mentions_last_10_minutes=some,
    same_text_last_day=some,
    quick_replies_last_day=some,
)


@pytest.mark.parametrize(
    ("changes", "likeness_", "words"),
    [
        ({}, 0.0, "0.00"),
        ({"bot": True, "followers": 0}, 1.0, "1.00 (+1.00 says that it is automatic, +0.10 no followers)"),
        ({"account_age_days": 29}, 0.2, "0.20 (+0.20 under 30 days old)"),
        ({"account_age_days": None, "followers": None}, 0.0, "0.00"),
        ({"mentions_last_10_minutes": 5}, 0.3, "0.30 (+0.30 5 posts in ten minutes)"),
        ({"mentions_last_10_minutes": 50}, 0.4, "0.40 (+0.40 50 posts in ten minutes)"),
        ({"same_text_last_day": 2}, 0.2, "0.20 (+0.20 the same text 2 times in a day)"),
        ({"quick_replies_last_day": 1}, 0.3, "0.30 (+0.30 1 answer within seconds)"),
        ({"quick_replies_last_day": 9}, 0.6, "0.60 (+0.60 9 answers within seconds)"),
    ],
)
def test_what_adds_how_much(changes: dict[str, object], likeness_: float, words: str) -> None:
    author = replace(ANA, **changes)  # type: ignore[arg-type]
    assert likeness(author) == likeness_
    assert in_words(author) == words


@given(authors)
def test_it_is_the_sum_from_nothing_to_one(author: AuthorView) -> None:
    assert likeness(author) == min(1, sum(weight for weight, _ in contributions(author)) / 100)
    assert 0 <= likeness(author) <= likeness(replace(author, bot=True)) == 1


def test_a_rule_that_asks_says_what_it_was_added_up_from() -> None:
    text = """name: p
language: es
teams: {care: {}}
default_team: care
rules:
  - {name: machine, when: {any: [{author.bot_likeness: ">= 0.5"}, {language: fr}]}, then: {person: true}}
"""
    seen = situation(author__same_text_last_day=3, author__account_age_days=1)
    (trace,) = policies.load_text(text).decide(seen).rules
    assert trace.outcome is RuleOutcome.MATCHED
    assert trace.saw == "bot-likeness 0.60 (+0.20 under 30 days old, +0.40 the same text 3 times in a day)"
