"""What was said is told in order and in nobody's words but theirs and ours."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.desk import elsewhere
from listener.desk.recap import CUT, MOST, excerpt, recap
from listener.escapes import visible
from listener.store.continuing import Word
from listener.types import Channel

BEGAN = datetime(2026, 3, 4, 12, tzinfo=UTC)
TEXTS = st.text(max_size=900)


def word(number: int, text: str, *, ours: bool = False, network: str = "mastodon") -> Word:
    at = BEGAN + timedelta(hours=number)
    return Word(at=at, ours=ours, network=network, text=text, mention=number, alone=False)


@given(TEXTS, st.integers(min_value=20, max_value=400))
def test_an_excerpt_is_a_piece_of_what_was_written(text: str, room: int) -> None:
    piece = excerpt(text, room)
    assert len(piece) <= room
    assert visible(piece) == piece
    unseen = "".join(each for each in text if each.isspace() or visible(each) == each)
    whole = " ".join(re.sub(r"(?<![\w.])@(?=\w)", "", unseen).split())
    assert whole.startswith(piece.removesuffix(CUT).rstrip())


@given(st.lists(st.tuples(st.booleans(), TEXTS), max_size=30), st.integers(min_value=0, max_value=3000))
def test_a_recap_keeps_the_order_and_its_room(said: list[tuple[bool, str]], room: int) -> None:
    words = [word(number, text, ours=ours) for number, (ours, text) in enumerate(said)]
    told = recap(words, "es", room=room)
    assert len(told.text) <= room
    assert list(told.quotes) == sorted(told.quotes)
    lines = [line for line in told.text.split("\n") if line not in ("", CUT)]
    assert len(lines) == len(told.quotes) <= MOST
    for line, number in zip(lines, told.quotes, strict=True):
        assert excerpt(words[number].text, 400) in line


def test_a_long_story_keeps_its_beginning_and_its_end() -> None:
    told = recap([word(number, f"cosa {number}") for number in range(40)], "es")
    assert told.quotes == (0, 1, *range(32, 40))
    assert told.text.split("\n")[2] == CUT


def test_whole_sentences_are_kept_where_they_fit() -> None:
    text = "No tengo señal desde el lunes. Ya llamé dos veces. " + "Y nadie me contesta " * 5
    assert excerpt(text, 80) == "No tengo señal desde el lunes. Ya llamé dos veces. […]"


def test_lines_say_when_who_and_where() -> None:
    words = [word(0, "@marca va mal"), word(20, "Lo miramos.", ours=True), word(40, "Gracias", network="mail")]
    assert recap(words, "es").text == (
        "- 4 de marzo, tú, en Mastodon: “marca va mal”\n"
        "- 5 de marzo, nosotros, en Mastodon: “Lo miramos.”\n"
        "- 6 de marzo, tú, por correo: “Gracias”"
    )
    assert recap(words, "en").text.startswith("- 4 March, you, on Mastodon: “marca va mal”")


@pytest.mark.parametrize("language", elsewhere.LANGUAGES)
@pytest.mark.parametrize("channel", [Channel.MAIL, Channel.DM, Channel.PHONE])
@pytest.mark.parametrize("reached", [True, False])
def test_an_offer_names_the_case_and_fits_every_network(channel: Channel, language: str, reached: bool) -> None:
    words = elsewhere.offer(
        channel, language, reference="ES-26-000123-7", reached=reached, address="atencion.al.cliente@marca.example"
    )
    if words:
        assert "ES-26-000123-7" in words
        assert "{" not in words
        assert len(words) < 260, "the shortest network takes 280, the handle before it included"


def test_the_language_is_one_that_we_have_words_in() -> None:
    assert elsewhere.language_for("es-AR", "en") == "es"
    assert elsewhere.language_for("pt", "es") == "es"
    assert elsewhere.language_for("und", "") == "en"
