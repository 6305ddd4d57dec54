"""What gives a person away is found where it stands for itself, in text and in JSON, and nowhere else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.store import marks
from listener.store.marks import Kind, Mark, Marks
from listener.terms.needles import Needles

ANA = marks.identity(
    handles=["@ana.p", "x"],
    names=["Ana Ñúñez", "Ana"],
    addresses=["Ana@Mail.example", "+56 9 8888 7777", "did:plc:abcdefgh", "1234", "https://net.example/@ana.p"],
)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("hola @ana.p, ¿qué tal?", "hola (erased), ¿qué tal?"),
        ("HOLA @ANA.P", "HOLA (erased)"),
        ("@ana.pe y @ana.p_2 y ana.p", "@ana.pe y @ana.p_2 y ana.p"),
        ("de ANA ÑÚÑEZ, no de Ana", "de (erased), no de Ana"),
        ("Mariana Ñúñez", "Mariana Ñúñez"),
        ("ana@mail.example.", "(erased)."),
        ("mariana@mail.example ana@mail.example.org", "mariana@mail.example ana@mail.example.org"),
        ("al +56 9 8888 7777 o 56988887777", "al (erased) o (erased)"),
        ("pedido 1234 y 9956988887777", "pedido 1234 y 9956988887777"),
        ("ver https://net.example/@ana.p/12", "ver (erased)/12"),
        ("at://did:plc:abcdefgh/post", "at://(erased)/post"),
    ],
)
def test_what_is_masked_in_a_text(text: str, masked: str) -> None:
    assert Marks(ANA).masked(text) == masked
    assert bool(Marks(ANA).within(text)) == (masked != text)


def test_a_bare_handle_counts_only_where_json_names_an_account() -> None:
    raw = {
        "acct": "Ana.P",
        "tags": ["ana.p"],
        "text": "ana.p",
        "mentions": [{"username": "ana.p", "id": 7}],
        "bot": None,
    }
    assert Marks(ANA).masked(raw) == {
        "acct": "(erased)",
        "tags": ["ana.p"],
        "text": "ana.p",
        "mentions": [{"username": "(erased)", "id": 7}],
        "bot": None,
    }


def test_a_sentence_is_found_whole_or_cut_short_and_also_inside_json() -> None:
    said = "El técnico vino tres veces y cada vez dijo que no tenía «permiso» para subir al techo. Gracias. Fin"
    found = Marks(marks.words([said]))
    assert [mark.text for mark in found.all] == [said.partition(".")[0]]
    assert found.masked(f"> {said}") == "> (erased). Gracias. Fin"
    assert found.masked(f"{said[:60]}…") == "(erased)…"
    assert found.masked(said[:30]) == said[:30]
    assert found.maybe(json.dumps({"quote": said})) != []
    assert found.within({"a": [{"b": said}]}) == set(found.all)


@given(handle=st.text("ab.*+?()[]\\^$|{}-_", min_size=2, max_size=8), around=st.text("ab .", max_size=5))
def test_no_handle_is_read_as_a_pattern(handle: str, around: str) -> None:
    found = Marks(marks.identity(handles=[handle]))
    text = f"{around} @{handle.removeprefix('@')} {around}"
    assert found.masked(text) == f"{around} (erased) {around}"


@given(st.lists(st.text(min_size=30, max_size=300), max_size=4))
def test_nothing_that_was_written_is_left_after_masking(texts: list[str]) -> None:
    found = Marks(marks.words(texts))
    for text in texts:
        assert found.within(found.masked({"k": [text]})) == set()
    assert marks.from_json(json.loads(json.dumps(marks.as_json(found.all)))) == set(found.all)


@given(st.lists(st.text(min_size=1), max_size=5), st.text())
def test_needles_find_what_is_there(wanted: list[str], text: str) -> None:
    found = Needles(wanted).found(text)
    assert found >= {each for each in wanted if each in text}
    assert Needles(wanted).found(json.dumps(text)) >= {each for each in wanted if each in text}


def test_what_is_short_is_no_mark() -> None:
    assert marks.identity(handles=["a", ""], names=["Ana"], addresses=["C-1", "12"]) == set()
    assert marks.words(["Gracias.", ""]) == set()
    assert Mark(Kind.WORDS, "x" * 100).needle == "x" * 40
