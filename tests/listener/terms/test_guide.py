"""docs/terms.md is true: its examples can be read, and find what it says they find."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from listener.terms import parse

GUIDE = (Path(__file__).parents[3] / "docs" / "terms.md").read_text(encoding="utf-8")
TO_COPY = re.findall(r"^```terms\n(.+?)\n```", GUIDE, re.MULTILINE | re.DOTALL)
ROWS = re.findall(r"^\| `([^`]+)` \| .+? \| (.+) \|$", GUIDE, re.MULTILINE)


@pytest.mark.parametrize("terms", TO_COPY)
def test_what_is_there_to_copy_can_be_read(terms: str) -> None:
    assert str(parse(terms)) == " ".join(terms.split())


@pytest.mark.parametrize(("terms", "examples"), ROWS)
def test_what_the_table_says_is_found_is_found(terms: str, examples: str) -> None:
    for example in examples.split(", "):
        assert parse(terms).matches(example), example


@pytest.mark.parametrize(
    ("terms", "text", "found"),
    [
        ("más", "mas", True),
        ("más", "MÁS", True),
        ("año", "ano", False),
        ("marca", "marcador", False),
        ("marca", "#MarcaMóvil", True),
        ('"marca móvil"', "#MarcaMóvil", True),
        ("marcamóvil", "#MarcaMóvil", True),
        ("marca", "#marcamóvil", False),
        ("marca", "www.marca.example", True),
        ("電車", "満員電車", True),
        ("🔥", "uf🔥🔥", True),
    ],
)
def test_what_the_guide_says_of_matching_holds(terms: str, text: str, found: bool) -> None:
    assert parse(terms).matches(text) is found


@pytest.mark.parametrize("author", ["marca@mastodon.example", "marca.bsky.social"])
def test_an_author_is_left_out_on_every_network(author: str) -> None:
    assert not parse("a -from:marca").matches("a", author=author)
