"""The card tells the truth about the files beside it."""

from __future__ import annotations

from datetime import date

import pytest

from listener.model import card as cards
from listener.model.reading import BUNDLED, Model
from listener.types import Intent, Sentiment, Signal


@pytest.fixture(scope="module")
def card() -> cards.Card:
    return cards.read(BUNDLED)


def test_files_are_the_ones_it_names(card: cards.Card) -> None:
    cards.check_files(card, BUNDLED)
    assert {file.name for file in card.files} == {"full.onnx", "fast.onnx", "weights.bin", "tokenizer.json"}
    assert {file.name: file.size for file in card.files} == {
        file.name: (BUNDLED / file.name).stat().st_size for file in card.files
    }


def test_files_are_small_enough_to_ship(card: cards.Card) -> None:
    assert sum(file.size for file in card.files) < 35 * 2**20


def test_it_names_version_date_and_what_it_learned_from(card: cards.Card, model: Model) -> None:
    assert card.version == model.version
    assert card.version.startswith("escucha-minilm-")
    assert isinstance(card.made, date)
    assert card.languages == ("en", "es")
    assert all(source.licence and source.use for source in card.sources)
    (measured_only,) = [source for source in card.sources if source.name == "xlm_t"]
    assert measured_only.use.startswith("measure only")


@pytest.mark.parametrize("profile", ["full", "fast"])
def test_calibration_is_there_for_every_label_and_language(card: cards.Card, profile: str) -> None:
    scales = card.profiles[profile].scales
    assert set(scales) == {"en", "es", "other"}
    for scale in scales.values():
        assert scale.sentiment.temperature > 0
        assert set(scale.sentiment.thresholds) == set(Sentiment)
        assert set(scale.intents) == set(Intent)
        assert set(scale.signals) == set(Signal)
        assert all(
            each.slope > 0 and 0 < each.threshold < 1 for each in (*scale.intents.values(), *scale.signals.values())
        )


@pytest.mark.parametrize("language", ["en", "es"])
def test_its_figures_are_there_and_no_worse_than_promised(card: cards.Card, language: str) -> None:
    figures = card.metrics["full"][language]
    assert figures["sentiment"]["macro_f1"] > 0.7
    assert figures["intents"]["macro_f1"] > 0.7
    assert figures["sentiment"]["ece"] <= 0.06
    assert figures["intents"]["ece"] <= 0.05
    assert figures["signals"]["ece"] <= 0.05
    assert card.metrics["full"][f"xlm-t {language}"]["sentiment"]["macro_f1"] > 0.55


def test_the_card_in_words_tells_of_the_same_model(card: cards.Card) -> None:
    words = (BUNDLED / "CARD.md").read_text(encoding="utf-8")
    assert words.startswith(f"# {card.version}\n")
    assert f"{card.metrics['full']['es']['sentiment']['macro_f1']:.3f}" in words
    assert all(f"| {source.name} | {source.licence} |" in words for source in card.sources)
