"""Hard stops: each one holds or forbids what it should, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import policies
from listener.types import Answerable, CustomerView, Mode, PostKind, Signal, Urgency, Visibility
from policies.risks import RISKS, RiskWords
from policies.words import fold, latin
from tests.policies.situations import FACTS, NOW, situation

TEXT = """name: eager
mode: auto
language: es
teams: {care: {}, legal: {}, duty: {}}
default_team: care
guard:
  risk_teams: {legal_threat: legal}
  risk_words: {violence: [dragones]}
brand: {contacts: ["900 100 200"]}
templates:
  hello:
    es: "Hola, {{ author.name }}. Llama al 900 100 200 con {{ case.reference }}."
    en: "Hi {{ author.name }}, your case is {{ case.reference }}"
  known:
    es: "Hola{% if customer.known %}, {{ customer.first_name }}{% endif %}."
rules:
  - name: known customers
    when: {text.contains: record}
    then: {reply: known}
  - name: nothing here
    when: {text.contains: basura}
    then: {ignore: rubbish}
  - name: all
    then: {reply: hello}
"""

EAGER = policies.load_text(TEXT, "eager.yaml")
ADDRESSED = replace(FACTS, answerable=Answerable.ADDRESSED)


def test_an_ordinary_mention_passes_every_guard() -> None:
    decision = EAGER.decide(situation("Hola", "question"))
    assert decision.reply is not None
    assert decision.reply.mode is Mode.AUTO
    assert [g.guard for g in decision.guards if g.holds or g.forbids or g.reason] == []


STOPS: list[tuple[str, str, dict[str, Any], str]] = [
    ("own_post", "forbids", {"author__is_us": True}, "our own"),
    ("author", "forbids", {"author__bot": True}, "automatic"),
    ("author", "forbids", {"author__opted_out": True}, "keep away"),
    ("answerable", "forbids", {"facts": ADDRESSED, "kind": PostKind.FOUND}, "addressed us"),
    ("answerable", "forbids", {"facts": replace(FACTS, answerable=Answerable.NOBODY)}, "nobody"),
    ("answered", "forbids", {"thread__answered": True}, "already"),
    ("stranger", "holds", {"stranger": True}, "not known to be that of the case's person"),
    ("paused", "holds", {"paused": True}, "paused"),
    ("per_author_per_day", "holds", {"sends__to_author_last_day": 3}, "3 replies in a day"),
    ("per_thread", "holds", {"sends__in_thread": 2}, "2 times"),
    ("per_thread", "holds", {"thread__our_replies": 2}, "2 times"),
    ("per_hour", "holds", {"sends__last_hour": 30}, "last hour"),
    ("automatic_once", "holds", {"sends__automatic_to_author_last_day": 1}, "loop"),
    ("age", "holds", {"posted_at": NOW - timedelta(days=3)}, "3d old"),
    ("confidence", "holds", {"score": 0.55}, "55%"),
    ("confidence", "holds", {"score": float("nan")}, "nan%"),
    ("confidence", "holds", {"sentiment": None}, "not sure"),
    ("signals", "holds", {"understanding__signals": (Signal.IRONY,)}, "irony"),
    ("language", "holds", {"language": "und"}, "language"),
    ("language", "holds", {"language": "de"}, "in de"),
    ("length", "holds", {"facts": replace(FACTS, limit=60)}, "longer than the network takes"),
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


def test_just_below_every_cap_passes() -> None:
    given = {
        "sends__to_author_last_day": 2,
        "sends__in_thread": 1,
        "sends__last_hour": 29,
        "posted_at": NOW - timedelta(days=2),
        "score": 0.6,
    }
    decision = EAGER.decide(situation("Hola", "question", **given))
    assert decision.reply is not None
    assert decision.reply.mode is Mode.AUTO


def test_who_addressed_us_may_be_answered_where_only_they_may() -> None:
    for kind in (PostKind.MENTION, PostKind.REPLY, PostKind.DIRECT):
        assert EAGER.decide(situation("Hola", "question", facts=ADDRESSED, kind=kind)).reply is not None


def test_our_own_post_opens_nothing() -> None:
    decision = EAGER.decide(situation("Nuestro abogado", "question", author__is_us=True))
    assert (decision.case, decision.needs_routing, decision.escalate_to) == (None, False, "")
    assert decision.ignored


def test_too_long_says_by_how_many() -> None:
    decision = EAGER.decide(situation("Hola", "question", facts=replace(FACTS, limit=60)))
    assert decision.reply is not None
    over = decision.reply.length - 60
    assert f"{over} longer" in next(trace.reason for trace in decision.guards if trace.guard == "length")
    assert decision.reply.length == len(f"@ana {decision.reply.text}")


def test_a_name_that_the_account_hides_is_not_told() -> None:
    customer = CustomerView(reference="C-1", name="Lucía Prado")
    told = EAGER.decide(situation("record", "question", customer=customer))
    assert "name" in next(trace.reason for trace in told.guards if trace.guard == "personal_data")
    own = EAGER.decide(situation("record", "question", customer=customer, author__display_name="lucia 🌻"))
    private = EAGER.decide(situation("record", "question", customer=customer, visibility=Visibility.DIRECT))
    for decision in (own, private):
        assert decision.reply is not None
        assert decision.reply.mode is Mode.AUTO


@pytest.mark.parametrize("name", ["Li Wu", "Bo Xi", "А Б", "He An", "Eva Y", "M. Pi"])
def test_a_short_name_is_hidden_as_well(name: str) -> None:
    full = policies.load_text(TEXT.replace("customer.first_name", "customer.name"), "p.yaml")
    given: dict[str, Any] = {"author__handle": "anon123", "author__display_name": "anon"}
    for short in (name, name.split(maxsplit=1)[0]):
        customer = CustomerView(reference="C-1", name=short)
        told = full.decide(situation("record", "question", customer=customer, **given))
        assert told.reply is not None
        assert told.reply.mode is Mode.MANUAL


def test_what_joins_a_name_is_no_name() -> None:
    text = TEXT.replace(
        "Hola{% if customer.known %}, {{ customer.first_name }}{% endif %}.", "Llega a la vez y de lo que es."
    )
    for name in ("María de la O", "Ana A. y López", "Juan van Es"):
        customer = CustomerView(reference="C-1", name=name)
        told = policies.load_text(text, "p.yaml").decide(situation("record", "question", customer=customer))
        assert told.reply is not None
        assert told.reply.mode is Mode.AUTO, name


# --- danger ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "team"),
    [
        ("No puedo más, quiero morirme", "self_harm", "care"),
        ("i want to KILL MYSELF", "self_harm", "care"),
        ("os voy a quemar la tienda", "violence", "care"),
        ("I know where you live", "violence", "care"),
        ("Vienen los Dragones", "violence", "care"),
        ("Ya hablé con mi abogada, los voy a demandar", "legal_threat", "legal"),
        ("See you in court. My lawyer will call.", "legal_threat", "legal"),
        ("Soy periodista de El Diario", "press", "care"),
        ("Journalist here, request for comment", "press", "care"),
        ("tengo 13 años y me piden la tarjeta", "minors", "care"),
        ("I'm 12 years old", "minors", "care"),
    ],
)
def test_words_of_danger_call_a_team(text: str, kind: str, team: str) -> None:
    decision = EAGER.decide(situation(text, "complaint"))
    assert (decision.escalate_to, decision.urgency) == (team, Urgency.CRITICAL)
    assert decision.case is not None
    assert (decision.case.team, decision.case.urgency) == (team, Urgency.CRITICAL)
    assert f"risk:{kind}" in decision.tags
    assert decision.reply is not None
    assert decision.reply.mode is Mode.MANUAL


@pytest.mark.parametrize(
    "text",
    [
        "Me muero de risa con vuestro anuncio",
        "Este móvil es la bomba",
        "Tengo 15 años de cliente y nunca falló",
        "I'm 12 minutes away",
        "Mi menor queja es el precio",
        "There is great demand for this",
        "I would kill for that discount",
    ],
)
def test_everyday_words_alarm_nobody(text: str) -> None:
    assert RiskWords({}).find(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "me quiero ѕuісіdаr",
        "me quiero ѕuιcιdar",
        "SUІCIDIO",
        "su\u3164icidar",
        "su\uffa0icidar",
        "su\u115ficidar",
        "su\u1160icidar",
        "su\U000e0041icidar",
        "su\ufff0icidar",
        "su\u200bicidar",
        "suıcidio",
        "#MeQuieroMatar",
        "hoy #me_quiero_matar",
        "＃QuieroMorir",
        "#QuieroМоrir",
    ],
    ids=ascii,
)
def test_danger_is_found_however_it_is_spelt(text: str) -> None:
    decision = EAGER.decide(situation(text, "praise"))
    assert "risk:self_harm" in decision.tags
    assert decision.reply is None or decision.reply.mode is Mode.MANUAL


@pytest.mark.parametrize("text", ["самоубийство", "су", "Что за сервис, суп и сок", "Ευχαριστώ πολύ", "#Gracias2026"])
def test_words_of_another_alphabet_are_not_taken_for_ours(text: str) -> None:
    assert RiskWords({}).find(text) == ()
    assert latin(fold(text)) == fold(text)


def test_danger_is_never_ignored_and_never_routed() -> None:
    text = TEXT.replace("then: {reply: hello}", "then: {reply: hello, case: care}") + "cases: routed\n"
    decision = policies.load_text(text, "p.yaml").decide(situation("basura, os voy a quemar", "complaint"))
    assert (decision.ignored, decision.needs_routing, decision.escalate_to) == ("", False, "care")


def test_danger_from_an_automatic_account_calls_nobody() -> None:
    assert EAGER.decide(situation("mi abogado", author__bot=True)).escalate_to == ""


def test_every_risk_word_finds_itself() -> None:
    words = RiskWords({})
    for kind, phrases in RISKS.items():
        for phrase in phrases:
            assert kind in [risk.kind for risk in words.find(f"oh {phrase.replace('*', 'xx')}!")], phrase


# --- a moderator's own words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Todo bien, Ana.", ()),
        ("Su caso es ES-26-000123-7.", ()),
        ("Llame al 900 100 200.", ()),
        ("  ", ("empty",)),
        ("Escriba a ana.lopez@example.com", ("an e-mail address",)),
        ("Le llamamos al +34 612 345 678", ("a phone number",)),
        ("x" * 281, ("6 longer",)),
        ("x" * 281 + " ana@example.com", ("longer", "e-mail")),
    ],
)
def test_review(text: str, expected: tuple[str, ...]) -> None:
    sentences = EAGER.review(text, FACTS, "ana")
    assert len(sentences) == len(expected)
    for sentence, part in zip(sentences, expected, strict=True):
        assert part in sentence
        assert sentence.endswith(".")


def test_review_lets_data_stand_in_private() -> None:
    assert EAGER.review("ana@example.com", FACTS, "ana", visibility=Visibility.DIRECT) == ()


# --- who asks to be left alone ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PostKind.MENTION, PostKind.REPLY, PostKind.DIRECT])
def test_who_asks_to_be_left_alone_gets_no_answer_and_keeps_their_case(kind: PostKind) -> None:
    decision = EAGER.decide(situation("@marca No me contestes más.", "question", kind=kind))
    assert decision.reply is None
    assert decision.leave_alone
    assert [g.reason for g in decision.guards if g.guard == "opted_out"] == [
        "it asks to be left alone (“no me contestes”)"
    ]


def test_who_asked_before_gets_no_answer_either() -> None:
    decision = EAGER.decide(situation("Hola", "question", author__left_alone=True))
    assert decision.reply is None
    assert not decision.leave_alone, "it is known already"


@pytest.mark.parametrize("given", [{"kind": PostKind.FOUND}, {"author__is_us": True}, {"author__bot": True}])
def test_who_does_not_speak_to_us_asks_us_for_nothing(given: dict[str, Any]) -> None:
    assert not EAGER.decide(situation("Stop replying to me", "question", **given)).leave_alone
