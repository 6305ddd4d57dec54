"""Who asks to be left alone is heard; who only complains is not taken for one who does."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.optouts import asks_to_be_left_alone


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
    ],
)
def test_a_complaint_is_not_taken_for_one(text: str) -> None:
    assert asks_to_be_left_alone(text) == ""


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    asks_to_be_left_alone(text)


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
    assert time.process_time() - began < 5


def test_one_word_is_no_request_beside_a_sentence_too_long_to_be_read() -> None:
    assert asks_to_be_left_alone("Baja. " + "la conexión va mal " * 200) == ""


@pytest.mark.parametrize(
    "text", ["No me contestes más. " + "Son ladrones. " * 5_000, "Ladrones. " * 5_000 + "Stop replying to me"]
)
def test_a_request_is_heard_at_either_end_of_a_very_long_text(text: str) -> None:
    assert asks_to_be_left_alone(text)
