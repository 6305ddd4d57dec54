"""Wordings take turns; one question has one answer wherever it is asked; links stand as they are written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policies
from listener.types import Decision, SendsView, Situation, Visibility
from tests.policies.situations import FACTS, situation

WORDINGS = ["uno", "dos", "tres", "cuatro"]
TEXT = """name: turns
mode: auto
language: es
teams: {care: {}}
default_team: care
templates:
  hours:
    es: [uno, dos, tres, cuatro]
    en: ["We open at 9, {{ author.first_name }}: https://acme.example/horario?a=1&b=2#top"]
    networks: {x: {es: [breve]}}
rules: [{name: all, then: {reply: hours}}]
"""
POLICY = policies.load_text(TEXT)
NETWORKS = ["mastodon", "bluesky", "reddit", "x", "mail", "sandbox"]


def said(decision: Decision) -> str:
    assert decision.reply is not None
    return decision.reply.text


def wording(text: str) -> str:
    """What stands for that wording in the store."""
    place = WORDINGS.index(text)
    reply = POLICY.decide(situation("hola", "question", mention_id=place)).reply
    assert reply is not None
    assert reply.text == text
    return reply.wording


KEYS = {text: wording(text) for text in WORDINGS}
told = st.lists(st.sampled_from(WORDINGS), unique=True, max_size=4)


@given(st.integers(0, 2**40), told, st.dictionaries(st.sampled_from(WORDINGS), st.integers(0, 50)))
def test_nobody_is_told_the_same_twice_while_there_is_another(
    number: int, before: list[str], often: dict[str, int]
) -> None:
    sends = SendsView(
        wordings_before=tuple(KEYS[text] for text in before),
        by_wording_last_day={KEYS[text]: count for text, count in often.items()},
    )
    seen = situation("hola", "question", mention_id=number, sends=sends)
    chosen = said(POLICY.decide(seen))
    assert chosen == said(POLICY.decide(seen)), "the same situation, the same wording"
    fresh = [text for text in WORDINGS if text not in before]
    if fresh:
        assert chosen in fresh
        assert often.get(chosen, 0) == min(often.get(text, 0) for text in fresh), "what went out least"
    else:
        assert chosen == before[-1], "what was told longest ago"


def test_a_day_spreads_over_all_wordings() -> None:
    counts: dict[str, int] = {}
    for number in range(40):
        sends = SendsView(by_wording_last_day={KEYS[text]: count for text, count in counts.items()})
        text = said(POLICY.decide(situation("hola", "question", mention_id=4 * number, sends=sends)))
        counts[text] = counts.get(text, 0) + 1
    assert counts == dict.fromkeys(WORDINGS, 10)


def asked(network: str, language: str, number: int = 7) -> Situation:
    base = situation("¿a qué hora abren?", "question", language=language, mention_id=number, network=network)
    return replace(base, facts=replace(FACTS, network=network), visibility=Visibility.PUBLIC)


@pytest.mark.parametrize("language", ["es", "en"])
def test_the_same_question_has_the_same_answer_everywhere(language: str) -> None:
    answers = {network: said(POLICY.decide(asked(network, language))) for network in NETWORKS}
    own = {"x": "breve"} if language == "es" else {}
    assert {network: answers[network] for network in own} == own, "what a network has of its own"
    assert len({text for network, text in answers.items() if network not in own}) == 1


@pytest.mark.parametrize("path", [policies.default_path(), *policies.examples().values()], ids=lambda path: path.stem)
def test_the_policies_that_come_with_escucha_answer_alike_everywhere(path: object) -> None:
    policy = policies.load(str(path))
    for intents in (["complaint"], ["question"], ["praise"], ["outage_report"], ["request"]):
        for language in ("es", "en"):
            texts: dict[tuple[str, bool], set[str]] = {}
            for network in NETWORKS:
                seen = situation("hola", *intents, language=language, mention_id=7, network=network)
                reply = policy.decide(replace(seen, facts=replace(FACTS, network=network, limit=5000))).reply
                if reply is not None:
                    own = network in policy.file.templates[reply.template].networks
                    texts.setdefault((reply.template, own), set()).add(reply.text)
            for (_template, own), different in texts.items():
                assert own or len(different) == 1


URLS = st.from_regex(r"https://[a-z]{1,20}\.example/[A-Za-z0-9/_.?=&%-]{0,150}", fullmatch=True)


@given(URLS, st.sampled_from(NETWORKS), st.integers(30, 500))
def test_a_link_is_never_shortened(url: str, network: str, limit: int) -> None:
    url = url.rstrip("%")
    text = TEXT.replace("[uno, dos, tres, cuatro]", f'["Mira {url} gracias"]').replace("es: [breve]", f'es: ["{url}"]')
    seen = asked(network, "es")
    reply = policies.load_text(text).decide(replace(seen, facts=replace(seen.facts, limit=limit))).reply
    assert reply is not None
    assert url in reply.text
    assert reply.length == len(f"@ana {reply.text}"), "what is too long is said to be, not cut"
