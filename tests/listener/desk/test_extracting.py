"""What a solved case teaches, in its own words and without the people in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policies
from listener.desk.extracting import LONGEST_ANSWER, LONGEST_TITLE, PROBLEM, SOLUTION, Piece, extract

NAMES = ("Ana García", "anagar")
SAID = (
    "@marca Hola, soy Ana García. Mi router parpadea en rojo desde ayer y no tengo internet!! "
    "Mi teléfono es 612 345 678. ¿Qué hago con la luz roja?"
)
TOLD = (
    "Hola Ana, sentimos la interrupción. Apaga el router, espera un minuto y enciéndelo de nuevo. "
    "Si la luz sigue roja, pulsa el botón de reinicio. Tu caso es ES-26-000001-8. Un saludo, Marta"
)
SINCE = "Sigue la luz roja, he apagado el router y nada. Vivo en calle Mayor 5, Lugo"
HELPED = "Gracias por probarlo. Hemos reiniciado la línea desde aquí. Espera a que la luz del router esté verde."


def anonymous(text: str) -> str:
    return policies.anonymous(text, names=NAMES, language="es")


def test_problem_and_solution_are_taken_without_greetings_thanks_excuses_and_persons() -> None:
    pieces = [
        Piece(text=SAID, mention_id=1),
        Piece(text=TOLD, mention_id=1, ours=True, draft_id=7),
        Piece(text=SINCE, mention_id=2),
        Piece(text=HELPED, mention_id=2, ours=True, draft_id=8),
        Piece(text="Ya va, ¡mil gracias!", mention_id=3),
    ]
    found = extract(pieces, "es", anonymous=anonymous)
    assert found is not None
    assert found.text.title == "¿Qué hago con la luz roja?"
    assert found.text.answer == ("Hemos reiniciado la línea desde aquí. Espera a que la luz del router esté verde.")
    assert found.text.body.split("\n") == [
        "Qué pasa",
        "Mi router parpadea en rojo desde ayer y no tengo internet!!",
        "¿Qué hago con la luz roja?",
        "Sigue la luz roja, he apagado el router y nada.",
        "",
        "Qué hacer",
        "Hemos reiniciado la línea desde aquí.",
        "Espera a que la luz del router esté verde.",
        "Apaga el router, espera un minuto y enciéndelo de nuevo.",
        "Si la luz sigue roja, pulsa el botón de reinicio.",
    ]
    assert [(each.mention_id, each.draft_id) for each in found.taken] == [
        (1, None), (1, None), (2, None), (2, 8), (2, 8), (1, 7), (1, 7)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [Piece(text=SAID, mention_id=1)],
        [Piece(text=TOLD, mention_id=1, ours=True, draft_id=7)],
        [Piece(text="Gracias!", mention_id=1), Piece(text=TOLD, mention_id=1, ours=True, draft_id=7)],
        [Piece(text=SAID, mention_id=1), Piece(text="Lo sentimos mucho.", mention_id=1, ours=True, draft_id=7)],
    ],
    ids=["nothing", "no answer", "no question", "only thanks", "only an excuse"],
)
def test_where_a_case_says_too_little_there_is_no_draft(pieces: list[Piece]) -> None:
    assert extract(pieces, "es", anonymous=anonymous) is None


def test_a_note_of_what_solved_it_is_a_part_of_the_solution_and_never_the_answer() -> None:
    note = "Cambiado el filtro de la centralita, puerto 7."
    pieces = [Piece(text=SAID, mention_id=1), Piece(text=note, mention_id=1, ours=True)]
    alone = extract(pieces, "es", anonymous=anonymous)
    assert alone is not None
    assert (alone.text.answer, alone.text.body.endswith(note)) == ("", True)
    told = extract([*pieces, Piece(text=HELPED, mention_id=1, ours=True, draft_id=7)], "es", anonymous=anonymous)
    assert told is not None
    assert note not in told.text.answer
    assert told.text.answer


ROAMING = "Hola @marca, ¿cómo activo el roaming para viajar a Chile la semana que viene?"
CHARGED = "@marca es la TERCERA vez que reclamo. Me cobraron doble la factura y no puedo hablar con una persona."
REFUND = (
    "Hola, Ana. Tenés razón y lo sentimos: te cobramos dos veces por un error nuestro. "
    "Tu reclamo es el ES-26-000001-9 y ya lo tiene una persona; te escribimos hoy mismo por privado."
)


def test_where_two_matters_met_the_article_is_about_the_one_that_was_answered() -> None:
    praise = "Mensajes así nos animan a seguir mejorando."
    pieces = [
        Piece(text=ROAMING, mention_id=2),
        Piece(text=CHARGED, mention_id=11),
        Piece(text="Gracias!", mention_id=35),
        Piece(text=REFUND, mention_id=11, ours=True, draft_id=10),
        Piece(text="Lo miramos y te respondemos por aquí.", mention_id=2, ours=True, draft_id=12),
        Piece(text=praise, mention_id=35, ours=True, draft_id=33),
    ]
    found = extract(pieces, "es", anonymous=anonymous)
    assert found is not None
    assert found.text.title == "Me cobraron doble la factura y no puedo hablar con una persona."
    assert found.text.answer == "Te cobramos dos veces por un error nuestro."
    assert found.text.body.split("\n") == [
        "Qué pasa",
        "Es la TERCERA vez que reclamo.",
        "Me cobraron doble la factura y no puedo hablar con una persona.",
        "",
        "Qué hacer",
        "Te cobramos dos veces por un error nuestro.",
    ]


def test_the_answer_that_was_sent_last_is_the_one_even_where_an_earlier_one_said_the_same() -> None:
    pieces = [
        Piece(text=SAID, mention_id=1),
        Piece(text=HELPED, mention_id=1, ours=True, draft_id=7),
        Piece(text=SINCE, mention_id=2),
        Piece(text=HELPED, mention_id=2, ours=True, draft_id=8),
    ]
    found = extract(pieces, "es", anonymous=anonymous)
    assert found is not None
    assert found.text.answer == "Hemos reiniciado la línea desde aquí. Espera a que la luz del router esté verde."
    assert {each.draft_id for each in found.taken} == {None, 8}


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (
            "Disculpa las molestias. El equipo ya cambió la tarjeta; tu caso es el ES-26-000007-0.",
            "ya cambió la tarjeta.",
        ),
        ("Ya cambiamos la tarjeta del nodo: abrimos el caso ES-26-000007-0.", "Ya cambiamos la tarjeta del nodo."),
        (
            "Facturación tiene tu caso, ES-26-000005-6, y cambia el cargo.",
            "Facturación tiene tu caso y cambia el cargo.",
        ),
        ("Cambiamos la tarjeta del nodo, gracias por avisar.", "Cambiamos la tarjeta del nodo."),
        ("Hola, Ana. Reinicia el router.", "Reinicia el router."),
    ],
)
def test_of_a_sentence_that_also_excuses_or_gives_a_reference_the_rest_is_kept(told: str, kept: str) -> None:
    pieces = [Piece(text=SAID, mention_id=1), Piece(text=told, mention_id=1, ours=True, draft_id=7)]
    found = extract(pieces, "es", anonymous=anonymous)
    assert found is not None
    assert found.text.answer.endswith(kept)
    assert "(referencia)" not in found.text.answer
    assert "caso es" not in found.text.answer


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("@marca otra factura duplicada este mes, gracias por nada #MarcaFatal", "Otra factura duplicada este mes."),
        ("¿Qué pasa con el router, @marca, que parpadea?", "¿Qué pasa con el router, que parpadea?"),
        ("@marca ¿cómo reinicio este router?", "¿Cómo reinicio este router?"),
        ("No tengo internet", "No tengo internet"),
    ],
)
def test_a_title_calls_nobody_and_begins_with_a_capital(said: str, title: str) -> None:
    pieces = [Piece(text=said, mention_id=1), Piece(text=HELPED, mention_id=1, ours=True, draft_id=7)]
    found = extract(pieces, "es", anonymous=anonymous)
    assert found is not None
    assert found.text.title == title


def test_who_they_are_stays_out_with_the_whole_sentence() -> None:
    said = f"Gracias; vivo en calle Mayor; Lugo, tercero izquierda. {SAID}"
    pieces = [Piece(text=said, mention_id=1), Piece(text=HELPED, mention_id=1, ours=True, draft_id=7)]
    found = extract(pieces, "es", anonymous=anonymous)
    assert found is not None
    assert "Lugo" not in found.text.body


def test_a_long_title_is_cut_between_words_and_what_is_left_is_kept_as_a_quote() -> None:
    long = "El router parpadea " + "y la conexión falla otra vez " * 8
    found = extract(
        [Piece(text=long, mention_id=1), Piece(text=HELPED, mention_id=1, ours=True, draft_id=7)],
        "es",
        anonymous=anonymous,
    )
    assert found is not None
    assert len(found.text.title) <= LONGEST_TITLE
    assert found.text.title.removesuffix("…") in [each.words for each in found.taken]


@given(
    said=st.lists(st.text(max_size=300), max_size=4),
    told=st.lists(st.text(max_size=300), max_size=4),
    language=st.sampled_from(["es", "en", "de", "xx"]),
)
def test_whatever_was_said_every_sentence_taken_stands_in_it(said: list[str], told: list[str], language: str) -> None:
    pieces = [Piece(text=text, mention_id=at) for at, text in enumerate(said)]
    pieces += [Piece(text=text, mention_id=at, ours=True, draft_id=at + 1) for at, text in enumerate(told)]
    found = extract(pieces, language, anonymous=lambda text: text)
    if found is None:
        return
    whole = f"{found.text.title}\n{found.text.answer}\n{found.text.body}"
    assert all(each.words in whole for each in found.taken)
    own = [each for each in found.taken if not each.ours]
    assert 1 <= len(own) <= PROBLEM + 1
    assert 1 <= len(found.taken) - len(own) <= SOLUTION
    assert found.text.title
    assert len(found.text.answer) <= max(LONGEST_ANSWER, *map(len, told))
