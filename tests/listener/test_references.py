"""How references are written by a company's own pattern, and read however they are typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener import references
from listener.errors import Mistake

PATTERNS = st.sampled_from(
    [
        "ES-{yy}-{number:06}-{check}",
        "CASO/{yyyy}/{number}.{check}",
        "{yy}{number:04}{check}",
        "SOL{number:8}-{yyyy}-{check}",
        "{check}-IO-{number:06}-{yy}",
    ]
)


@given(PATTERNS, st.integers(2000, 2099), st.integers(1, 9_999_999), st.booleans(), st.booleans(), st.booleans())
def test_every_pattern_is_read_however_it_is_typed(
    pattern: str, year: int, number: int, lower: bool, letters: bool, spaced: bool
) -> None:
    reference = references.reference(pattern, year, number)
    typed = reference.replace("0", "O") if letters else reference
    typed = typed.lower() if lower else typed
    typed = typed.replace("-", " ").replace("/", ".") if spaced else typed
    assert references.parse_reference(typed, pattern) == reference


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("es-26-000123-3", "ES-26-000123-3"),
        ("ES 26 123 3", "ES-26-000123-3"),
        ("es.26.000123.3", "ES-26-000123-3"),
        ("ES-26-OOO123-3", "ES-26-000123-3"),
        ("ES26oool233", "ES-26-000123-3"),
        ("261233", "ES-26-000123-3"),
        ("E5-26-000123-3", None),
    ],
)
def test_what_people_type(typed: str, found: str | None) -> None:
    if found is None:
        with pytest.raises(Mistake, match="no case reference"):
            references.parse_reference(typed, "ES")
    else:
        assert references.parse_reference(typed, "ES") == found


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("ES-{yy}-{number}", "needs"),
        ("ES-{yy}-{number}-{check}-{check}", "each once"),
        ("{yy:04}-{number}-{check}", "width"),
        ("es-{yy}-{number}-{check}", "capital"),
        ("E5-{yy}-{number}-{check}", "capital"),
        ("ES-{year}-{number}-{check}", "needs"),
        ("A" * 40 + "{yy}{number}{check}", "40 characters"),
    ],
)
def test_a_pattern_that_gives_no_reference_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        references.checked(pattern)


@given(PATTERNS, st.integers(2000, 2099), st.integers(1, 999_999))
def test_a_text_quotes_only_what_has_its_letters_and_its_check_digit(pattern: str, year: int, number: int) -> None:
    reference = references.reference(pattern, year, number)
    wrong = reference[:-1] + str((int(reference[-1]) + 1) % 10)
    assert reference in references.quoted_in(f"sobre {reference.lower().replace('-', ' ')}: 2 veces", pattern)
    assert reference in references.quoted_in(f"Hola, mi caso es {reference}; ¿y?", pattern)
    assert references.quoted_in(f"Hola {wrong} y XX{reference}9", pattern) == []
    if pattern.startswith("ES"):
        assert references.quoted_in(f"llámame al {reference.removeprefix('ES-')}", pattern) == []
