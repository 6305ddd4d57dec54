"""Who asks to be left alone is heard; who only complains is not taken for one who does."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policies
from listener.types import Mode
from policies import optouts
from policies.optouts import asks_to_be_left_alone, may_ask_to_be_left_alone
from tests.policies.situations import situation

EAGER = policies.load_text("""name: eager
mode: auto
language: es
teams: {care: {}}
default_team: care
templates: {hello: {es: "Hola."}}
rules: [{name: all, then: {reply: hello}}]
""")


@pytest.mark.parametrize(
    "text",
    [
        "stop",
        "@marca STOP",
        "Stop, please.",
        "¡Baja!",
        "@marca baja por favor",
        "unsubscribe",
        "Opt-out",
        "No me contestes",
        "@marca no me contestes más, por favor",
        "Estoy harto. No me contestéis más.",
        "no me contesten nunca más 😡",
        "Por favor, no me respondáis",
        "No me escriban otra vez",
        "te he dicho que no me escribas",
        "Os pido que no me respondáis más",
        "No quiero que me contestéis",
        "no me mandéis más mensajes",
        "No me etiquetes",
        "deja de escribirme",
        "Deja de escribirme, bot de mierda",
        "dejad de contestarme con plantillas",
        "Dejen de molestarme",
        "Déjame en paz",
        "dejadme en paz de una vez",
        "No quiero recibir más mensajes vuestros",
        "Quiero darme de baja de estos mensajes",
        "no quiero más respuestas automáticas",
        "don't reply to me",
        "Don’t reply to me.",
        "Do not contact me again",
        "please do not respond",
        "dont answer me",
        "Stop replying to me",
        "stop messaging me you stupid bot",
        "Can you stop tagging me?",
        "Leave me alone!",
        "I want to unsubscribe",
        "unsubscribe me please",
        "take me off your list",
        "never contact me again",
        "No me vuelvan a escribir",
        "no vuelvan a contactarme",
        "nunca más me escriban",
        "no me molesten más",
        "dejen de molestar",
        "paren de escribirme",
        "No sigan escribiéndome",
        "sácame de tu lista",
        "no más mensajes",
        "dont ever message me again",
        "STОP",  # the O is Cyrillic
        "nо me соntesten más",
        "no more messages",
        "I don't want to be contacted.",
        "stop texting",
        "please don't respond to this",
        "stop stop STOP!",
        "Quit contacting me",
        "no me arrobes",
        "dejen de arrobarme",
    ],
)
def test_a_request_is_heard(text: str) -> None:
    assert asks_to_be_left_alone(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@marca",
        "stop charging me",
        "Stop charging me for what I don't use!",
        "Stop! You charged me twice.",
        "my phone won't stop ringing",
        "Quiero darme de baja",
        "¿Cómo me doy de baja?",
        "dadme de baja del contrato",
        "me han dado de baja sin avisar",
        "Baja la velocidad todas las noches",
        "la conexión va muy baja",
        "¿Por qué no me contestas?",
        "Es increíble que no me contesten",
        "llevo tres días y que no me respondan es una vergüenza",
        "Como no me contestéis hoy, me voy",
        "Aunque no me contesten, seguiré escribiendo",
        "No me contestes con plantillas",
        "no me respondáis por privado, decidlo aquí delante de todos",
        "No me escribáis al correo viejo, ya no lo uso",
        "Telecom no deja de escribirme cartas",
        "no dejan de llamarme",
        "no me llega la factura",
        "don't leave me alone with this",
        "You leave me alone with the bill",
        "don't reply with a template",
        "Why do you not reply to me?",
        "they never answer me",
        "You never reply",
        "please reply to me",
        "how do I opt out of paper bills?",
        "I can't unsubscribe from your newsletter",
        "deja de funcionar cada noche",
        "dejad de cobrarme el router",
        "no quiero mensajes de publicidad, quiero mi factura",
        "para",
        "basta ya",
        "Sáquenme de la lista de morosos, esa deuda no es mía.",
        "exijo que me respondan",
    ],
)
def test_a_complaint_is_not_taken_for_one(text: str) -> None:
    assert asks_to_be_left_alone(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "dame de baja",
        "No me contestes con plantillas",
        "Ya os he dicho mil veces y os exijo que no me escribáis por aquí",
        "Dejen de llamarme a la hora de comer",
        "I asked you to stop messaging me",
        "Take me off your mailing list.",
        "do not @ me",
        "Don't @me!",
        "stop @ing me",
        "borradme",
        "Bórrenme ya, por favor",
        "no contesten a mis tuits",
        "No comentéis en mis publicaciones",
        "don't reply to my tweets",
    ],
)
def test_what_comes_near_is_noticed(text: str) -> None:
    assert may_ask_to_be_left_alone(text)


@pytest.mark.parametrize("text", ["@us stop", "stop @us", "Stop @me", "@ing no me contestes más", "stop @ing"])
def test_an_account_of_such_a_name_hides_no_request(text: str) -> None:
    assert asks_to_be_left_alone(text)


def test_a_text_is_cut_into_sentences_once() -> None:
    for asks in (optouts._sentences, asks_to_be_left_alone, may_ask_to_be_left_alone):
        asks.cache_clear()
    assert asks_to_be_left_alone("Mi línea no va. Llevo dos días así") == ""
    assert may_ask_to_be_left_alone("Mi línea no va. Llevo dos días así") == ""
    assert optouts._sentences.cache_info().misses == 1


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Es increíble que no me contesten",
            "exijo que me respondan",
            "¿Por qué no me contestas?",
            "Quiero darme de baja",
        ),
        *(
            "Telecom no deja de escribirme cartas",
            "they never answer me",
            "stop charging me",
            "don't leave me alone",
            "",
        ),
        *("No contestan a mis mensajes", "they reply to my posts, at us", "bórrame la línea y ya", "I quit"),
        *("Como no me contestéis hoy, me voy", "please reply to me", "my phone won't stop ringing"),
    ],
)
def test_who_wants_an_answer_does_not_come_near(text: str) -> None:
    assert may_ask_to_be_left_alone(text) == ""


def test_what_is_unsure_waits_for_a_person_and_nobody_is_left_alone_for_it() -> None:
    decision = EAGER.decide(situation("dame de baja", "question"))
    assert decision.reply is not None
    assert decision.reply.mode is Mode.MANUAL
    assert not decision.leave_alone
    assert [(g.guard, g.reason) for g in decision.guards if g.holds] == [
        ("opted_out", "it may ask to be left alone (“dame de baja”), and a person should see")
    ]


@pytest.mark.parametrize(
    ("warning", "text", "asked"),
    [
        ("No me contesten más", "😡", True),
        ("política", "stop", True),
        ("Ayer", "dame de baja", False),
        ("spoilers", "la conexión va baja", False),
    ],
)
def test_the_content_warning_is_read_too(warning: str, text: str, asked: bool) -> None:
    decision = EAGER.decide(situation(text, "question", content_warning=warning))
    assert decision.leave_alone is asked
    assert (decision.reply is None) is asked


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    asks_to_be_left_alone(text)
    may_ask_to_be_left_alone(text)


@pytest.mark.parametrize(
    "text",
    [
        *("no " * 20_000, "y " * 900, "please " * 280, "stop " * 10_000, "no me " * 300),
        *("no me contestes " + " ".join([words] * 100) + " x" for words in ("nunca mas", "nada mas", "ever again")),
        *("mas. " * 10_000 + "x", "por favor\n" * 5_000 + "x", "ﷺ" * 50_000, "\n".join(["ﷺ" * 1_900] * 26)),
    ],
    ids=lambda text: text[:24].strip(),
)
def test_a_hostile_text_takes_no_longer_than_it_must(text: str) -> None:
    began = time.process_time()
    asks_to_be_left_alone(text)
    may_ask_to_be_left_alone(text)
    assert time.process_time() - began < 5


def test_one_word_is_no_request_beside_a_sentence_too_long_to_be_read() -> None:
    assert asks_to_be_left_alone("Baja. " + "la conexión va mal " * 200) == ""


@pytest.mark.parametrize(
    "text", ["No me contestes más. " + "Son ladrones. " * 5_000, "Ladrones. " * 5_000 + "Stop replying to me"]
)
def test_a_request_is_heard_at_either_end_of_a_very_long_text(text: str) -> None:
    assert asks_to_be_left_alone(text)
