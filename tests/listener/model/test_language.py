"""Naming the language, or saying that it is not clear."""

from __future__ import annotations

import pytest

from listener.model.language import UNCLEAR, LanguageReader


@pytest.fixture(scope="module")
def reader() -> LanguageReader:
    return LanguageReader()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        pytest.param("Llevamos tres horas sin internet en Quilmes", "es", id="Spanish"),
        pytest.param("GRACIAS POR LA AYUDA DE AYER", "es", id="Spanish in capitals"),
        pytest.param("My internet has been down since this morning", "en", id="English"),
        pytest.param("Estou sem internet desde ontem à noite, que absurdo", "pt", id="Portuguese"),
        pytest.param("Je n'ai plus de connexion depuis ce matin", "fr", id="French"),
        pytest.param("", UNCLEAR, id="nothing"),
        pytest.param("ok", UNCLEAR, id="too short"),
        pytest.param("12345 !!!", UNCLEAR, id="no letters"),
        pytest.param("😡😡😡", UNCLEAR, id="emoji only"),
        pytest.param("@ana https://example.com/una/pagina/en/castellano", UNCLEAR, id="only a handle and a link"),
        pytest.param("asdfghjkl", UNCLEAR, id="keyboard"),
    ],
)
def test_read(reader: LanguageReader, text: str, language: str) -> None:
    found, score = reader.read(text)
    assert found == language
    assert 0 <= score <= 1


@pytest.mark.parametrize("text", ["\x00\n\r", "\ud800", "\u202e\u202d", "a\n" * 100_000], ids=ascii)
def test_read_takes_strange_text(reader: LanguageReader, text: str) -> None:
    language, score = reader.read(text)
    assert isinstance(language, str)
    assert 0 <= score <= 1
