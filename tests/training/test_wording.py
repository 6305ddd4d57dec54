"""Other wordings of a text: shortened as people do, and never so varied that nothing is left."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from listener.types import Intent
from training import wording
from training.data import Example
from training.wording import Switcher, hurried, varied


class Always(random.Random):
    """Draws that always say yes."""

    def random(self) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Thanks! Are you going to fix it?", "thx! r u gonna fix it?"),
        ("en", "please, (please) tell your people", "pls, (pls) tell ur ppl"),
        ("en", "Youth and bread", "youth and bread"),
        ("es", "¿Por qué? Porque sí, por favor", "¿xq? xq sí, porfa"),
        ("es", "¡Gracias! También para mí.", "¡grax! tb pa mí."),
        ("es", "Queso y demás", "queso y demás"),
    ],
)
def test_whole_words_are_shortened(language: str, text: str, expected: str) -> None:
    assert hurried(text, language, Always()) == expected


def test_not_every_word_is_shortened_every_time() -> None:
    draw = random.Random(1)
    written = {hurried("Thanks, you are great", "en", draw) for _ in range(200)}
    assert {"thanks, you are great", "thx, u r gr8"} <= written
    assert len(written) == 2**4


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("text", ["a", "?", "¿?", "...", "¡ !", "Que nadie me escriba más por favor, gracias a todos"])
def test_something_is_always_left_and_the_example_stays_as_it_was(language: str, text: str) -> None:
    example = Example(
        source="corpus", language=language, text=text, sentiment=(1.0, 0.0, 0.0), intents={Intent.COMPLAINT: 1.0}
    )
    before = replace(example, intents=dict(example.intents))
    draw = random.Random(2)
    switcher = Switcher({"escriba": ["write"]}, random.Random(2))
    for _ in range(300):
        bare = varied(example, switcher, draw).replace("@user", "").replace("http", "").removeprefix("rt ")
        assert bare.strip()
    assert example == before


def test_only_english_is_switched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wording, "SWITCHED", 1.0)
    switcher = Switcher({"perro": ["dog"], "casa": ["house"], "extrañar": ["miss", "someone"]}, Always())
    assert switcher("Dog, house!") == "perro, casa!"
    assert switcher("I miss someone") == "I miss someone"
    draw = random.Random(3)
    english = Example(source="corpus", language="en", text="the dog")
    assert all("perro" in varied(english, switcher, draw) for _ in range(50))
    assert not any("perro" in varied(replace(english, language="es"), switcher, draw) for _ in range(50))
