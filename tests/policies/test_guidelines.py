"""How replies should sound: what each guideline notices, and what it leaves to people."""

from __future__ import annotations

import pytest

import policies
from listener.errors import PolicyProblem
from listener.types import Mode, Visibility
from tests.policies.situations import situation, understanding

BASE = """name: tone
mode: auto
language: es
teams: {care: {}}
default_team: care
brand: {contacts: ["900 100 200"]}
templates: {hello: {es: "Te prometemos una respuesta.", en: "We promise an answer."}}
rules: [{name: all, then: {reply: hello}}]
"""
ALL = """guidelines:
  apologise_first: {phrases: {es: [mil disculpas], de: ["tut uns leid"]}}
  offer_direct_channel: true
  no_promises: true
  greet_by_name: true
  own:
    - {name: team, required: {es: [equipo]}, forbidden: {es: [departament*]}, to: [question]}
"""
POLICY = policies.load_text(BASE + ALL)


def broken(text: str, *intents: str, language: str = "es", name: str = "", private: bool = False) -> list[str]:
    """The first words of each guideline that is not kept."""
    seen = Visibility.DIRECT if private else Visibility.PUBLIC
    found = POLICY.tone(text, language=language, understanding=understanding(*intents), name=name, visibility=seen)
    assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in found)
    return [sentence.removeprefix("The reply ") for sentence in found]


SORRY, CHANNEL = "does not say sorry first.", "offers no direct channel."


@pytest.mark.parametrize(
    ("text", "intents", "language", "expected"),
    [
        ("Hola. Lo sentimos mucho, escríbenos por privado.", ["complaint"], "es", []),
        ("Mil disculpas. Llámanos.", ["complaint"], "es", []),
        ("Lo vemos. Ya. Perdona. Escríbenos.", ["complaint"], "es", [SORRY]),
        ("Disculpa las molestias.", ["outage_report"], "es", [CHANNEL]),
        ("Perdón. Llama al 900 100 200.", ["cancellation_threat"], "es", []),
        ("Lo vemos ahora.", ["request"], "es", [CHANNEL]),
        ("We're sorry! Please DM us.", ["complaint"], "en", []),
        ("Please DM us.", ["complaint"], "en", [SORRY]),
        ("Es tut uns leid.", ["complaint"], "de", []),
        ("Das ist schade.", ["complaint"], "de", [SORRY]),
        ("Pas de chance.", ["complaint"], "fr", []),
        ("¡Gracias!", ["praise"], "es", []),
        ("Te prometemos algo.", ["praise"], "es", ["promises something (“prometemos”)."]),
        ("It won't happen again", ["praise"], "en", ["promises something (“won t happen again”)."]),
        ("El equipo lo mira.", ["question"], "es", []),
        ("El Departamento lo mira.", ["question"], "es", ["equipo", "departamento"]),
        ("El Departamento lo mira.", ["praise"], "es", []),
    ],
)
def test_what_is_noticed(text: str, intents: list[str], language: str, expected: list[str]) -> None:
    found = broken(text, *intents, language=language)
    assert len(found) == len(expected)
    assert all(part in sentence for part, sentence in zip(expected, found, strict=True))


def test_in_private_no_other_channel_is_asked_for() -> None:
    assert broken("Lo sentimos.", "complaint", private=True) == []


def test_who_has_a_name_is_greeted_by_it() -> None:
    missing = "does not greet its author by name."
    assert broken("Hola, María José: gracias.", "praise", name="María José 🌻") == []
    assert broken("Hola: gracias.", "praise", name="María José") == [missing]
    assert broken("Uno. Dos. Gracias, Maria", "praise", name="María") == [missing]
    assert broken("Hola: gracias.", "praise", name="🌻🌻") == []


def test_where_nobody_knows_what_it_answers_nothing_is_asked_that_depends_on_it() -> None:
    found = POLICY.tone("Te lo prometo.", language="es", understanding=None, name="")
    assert found == ("The reply promises something (“prometo”).",)


def test_guidelines_advise_unless_they_hold() -> None:
    advised = policies.load_text(BASE + "guidelines: {no_promises: true}").decide(situation("Hola", "praise"))
    held = policies.load_text(BASE + "guidelines: {no_promises: {hold: true}}").decide(situation("Hola", "praise"))
    assert advised.reply is not None
    assert advised.reply.mode is Mode.AUTO
    assert held.reply is not None
    assert held.reply.mode is Mode.MANUAL
    assert [(g.guard, g.reason) for g in held.guards if g.holds] == [
        ("tone", "the reply promises something (“prometemos”)")
    ]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("guidelines: {apologize_first: true}", "did you mean `apologise_first`"),
        ("guidelines: {own: [{name: nothing}]}", "asks for nothing"),
        ("guidelines: {own: [{name: x, forbidden: {spanish: [a]}}]}", "not a language"),
        ("guidelines: {no_promises: {phrases: {es: ['¡!']}}}", "no word to look for"),
    ],
)
def test_a_mistake_is_named_with_its_line(written: str, words: str) -> None:
    with pytest.raises(PolicyProblem, match=rf"p\.yaml:9: .*{words}"):
        policies.load_text(BASE + written, "p.yaml")


def test_false_leaves_a_guideline_out() -> None:
    policy = policies.load_text(BASE + "guidelines: {no_promises: false}")
    assert policy.tone("Te lo prometo.", language="es", understanding=None, name="") == ()
