"""What hides in a text is shown; what only looks unusual is left alone."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.escapes import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b2J", "\\x9b2J"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x00\x7f", "\\x00\\x7f"),
        ("abc\u202egnp.exe", "abc\\u202egnp.exe"),
        ("pay\u200bpal", "pay\\u200bpal"),
        ("pay\u200dpal", "pay\\u200dpal"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("\ufeffx", "\\ufeffx"),
        ("\U000e0041\U000e0042", "\\U000e0041\\U000e0042"),
        ("\ud800", "\\ud800"),
        ("so\u00adft", "soft"),
        ("line\u2028break", "line\\u2028break"),
    ],
)
def test_hidden_characters_are_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "¿Dónde está mi pedido? ñandú",
        "日本語 한국어 العربية עברית",
        "👩‍👩‍👧 ❤️‍🔥 👍🏽 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
        "می‌خواهم",
        "10\u202f000 €",
        "[bold]not markup[/bold]",
    ],
)
def test_ordinary_writing_is_left_alone(text: str) -> None:
    assert visible(text) == text


def test_lines_may_stay() -> None:
    assert visible("a\r\nb\x1b\nc", lines=True) == "a\nb\\x1b\nc"


@given(st.text(alphabet=st.characters(), max_size=60))
def test_nothing_commanding_is_left(text: str) -> None:
    for lines in (False, True):
        shown = visible(text, lines=lines)
        left = {character for character in shown if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}}
        assert left <= ({"\n"} if lines else set())
        assert not [
            c for c in shown if unicodedata.bidirectional(c) in {"RLO", "LRO", "RLE", "LRE", "RLI", "LRI", "PDF"}
        ]


@given(st.text(max_size=60))
def test_showing_twice_changes_nothing(text: str) -> None:
    assert visible(visible(text)) == visible(text)
