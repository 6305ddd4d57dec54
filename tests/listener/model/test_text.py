"""What the model gets to read."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.model.text import MAX_CLEAN, clean, prose


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("  a \n\t b  ", "a b", id="spaces"),
        pytest.param("Hola @ana y @eva@red.example.", "Hola @user y @user", id="handles"),
        pytest.param("thanks u/someone_1", "thanks @user", id="reddit handle"),
        pytest.param("write to a.b@example.com now", "write to email now", id="mail address"),
        pytest.param("mira https://example.com/x?y=1#z ya", "mira http ya", id="link"),
        pytest.param("#SinLuz en #quilmes", "Sin Luz en quilmes", id="hashtags"),
        pytest.param("#no_service", "no service", id="hashtag with underscore"),
        pytest.param("we are #1", "we are 1", id="number sign"),
        pytest.param("😡👍🏽", "angry good", id="emoji, skin tone"),
        pytest.param("❤️", "love", id="emoji with variation selector"),
        pytest.param("gracias :)", "gracias happy", id="smiley"),
        pytest.param("no :(", "no sad", id="sad smiley"),
        pytest.param("at 10:30 (maybe)", "at 10:30 (maybe)", id="no smiley in a time"),
        pytest.param("Graciasssss!!!!!", "Graciass!!", id="repetition"),
        pytest.param("jajajajaj qué risa, HAHAHA", "jaja qué risa, HAHA", id="laughter"),
        pytest.param("ajaj mamá papá baja", "ajaj mamá papá baja", id="no laughter"),
        pytest.param("Tom &amp; Ana &lt;3", "Tom & Ana happy", id="escaped as HTML"),
        pytest.param("see ?a=1&region=2&para=3", "see ?a=1&region=2&para=3", id="no entity"),
        pytest.param("&#161;bad! &#x1f621; &#128078;", "¡bad! angry bad", id="numbered"),
        pytest.param(r"it\u2019s done\u002c ok \ud83d\ude21", "it’s done, ok angry", id="escaped as JSON"),
        pytest.param("1000000", "1000000", id="digits stay"),
        pytest.param("an\u0303o", "a\u00f1o", id="NFC"),
        pytest.param("a\x00b\x1bc", "a b c", id="control characters"),
        pytest.param("pass\u200bword \u202eabc", "password abc", id="invisible characters"),
        pytest.param("a\ud800b", "ab", id="lone surrogate"),
        pytest.param("👨‍👩‍👧", "", id="emoji without a word"),
        pytest.param("¿qué?", "¿qué?", id="Spanish signs"),
        pytest.param("שלום עולם", "שלום עולם", id="right to left"),
    ],
)
def test_clean(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_clean_is_short_and_quick_for_a_megabyte() -> None:
    assert len(clean("palabra " * 130_000)) <= MAX_CLEAN
    assert len(clean("@" * 1_000_000)) <= MAX_CLEAN
    assert len(clean("a." * 500_000 + "@")) <= MAX_CLEAN


@pytest.mark.parametrize("digits", ["&#" + "1" * 5000 + ";", "&#x" + "f" * 5000 + ";", "&#" + "1" * 5000])
def test_a_number_without_end_is_no_character(digits: str) -> None:
    assert clean(f"stop {digits}").startswith("stop &")
    assert prose(f"stop {digits}").startswith("stop")


@given(
    st.lists(st.sampled_from(["&", "#", "x", ";", "\\u", "d83d", "1", "0", "lt", "amp", " "]), max_size=40).map("".join)
)
def test_clean_takes_any_escape(text: str) -> None:
    assert clean(text) == clean(text).strip()
    prose(text)


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_clean_takes_any_text(text: str) -> None:
    cleaned = clean(text)
    assert cleaned == cleaned.strip()
    assert len(cleaned) <= MAX_CLEAN
    cleaned.encode("utf-8")


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_prose_takes_any_text(text: str) -> None:
    prose(text).encode("utf-8")


def test_prose_leaves_out_what_has_no_language() -> None:
    assert prose("@ana mira https://example.com #SinLuz 😡 van 3 horas") == "mira van horas"


def test_marks_heaped_on_one_letter_take_no_longer_than_letters():
    began = time.process_time()
    for _ in range(20):
        clean("a" + "\u0300\u0316" * 10_000)
    assert time.process_time() - began < 10
