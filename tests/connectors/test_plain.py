"""What is left of texts and JSON from outside."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.plain import clean, clean_json, is_clean, read_json

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=10,
)


@given(ANY_TEXT)
def test_nothing_is_left_that_a_database_or_a_terminal_chokes_on(text: str) -> None:
    left = clean(text)
    left.encode()
    assert all(char in "\t\n" or (char >= " " and char != "\x7f") for char in left)
    assert clean(left) == left


def test_what_people_write_stays_as_it_is() -> None:
    for text in ("", "¿Qué tal?\n\tbien 👩‍👩‍👧", "a\u200bb \u202e", "\x9b"):
        assert clean(text) == text
    assert clean("a\r\nb\rc") == "a\nb\nc"


@given(JSON, st.booleans())
def test_an_answer_is_read_as_if_every_text_in_it_were_cleaned(value: Any, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert read_json(body) == clean_json(value)


def test_a_quick_look_is_wrong_only_in_saying_no() -> None:
    assert is_clean(b'{"text": "hola"}')
    assert is_clean('{"text": "¿hola? 👋"}'.encode())
    for escaped in (b"\\u0000", b"\\r", b"\\b", b"\\f", b"\\ud800", b"\\uDFFF", b"\x7f", b"\xed\xa0\x80"):
        assert not is_clean(b'{"text": "' + escaped + b'"}')


def test_an_answer_in_another_encoding_is_cleaned_too() -> None:
    assert read_json('{"text": "a\\u0000b"}'.encode("utf-16")) == {"text": "ab"}


def test_what_is_no_json_is_nothing() -> None:
    for body in (b"", b"<html>", b'{"a": ', b"\xff", b"[" * 100_000, b"9" * 10_000):
        assert read_json(body) is None
    assert read_json(b'{"a": NaN, "b": -Infinity}') == {"a": None, "b": None}
