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
    return policies.anonymous(text, names=NAMES)


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
        "Apaga el router, espera un minuto y enciéndelo de nuevo.",
        "Si la luz sigue roja, pulsa el botón de reinicio.",
        "Hemos reiniciado la línea desde aquí.",
        "Espera a que la luz del router esté verde.",
    ]
    assert [(each.mention_id, each.draft_id) for each in found.taken] == [
        (1, None), (1, None), (2, None), (1, 7), (1, 7), (2, 8), (2, 8)
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
