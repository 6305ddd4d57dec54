"""The words of a spike: those of many people, and no text that somebody wrote to hold up everybody."""

from __future__ import annotations

import time

from listener.insight.wording import telling

LONG = 50_000  # characters, as long as a mail may be


def test_addresses_and_links_are_no_words() -> None:
    said = [
        (each, f"Avería fibra: ana.{each}@mail.example pepe@mail.example https://a.example/corte u/pepe")
        for each in range(9)
    ]
    assert {each.word for each in telling(said, [(90, "hola")])} == {"avería", "fibra"}


def test_a_text_of_one_long_word_costs_nothing_and_is_no_word_of_a_spike() -> None:
    said = [(each, text) for each in range(9) for text in ("a" * LONG, "a." * (LONG // 2), "u/" * (LONG // 2))]
    began = time.process_time()
    assert telling(said, said) == []
    assert telling(said, []) == []
    assert time.process_time() - began < 5
