"""The card tells the truth about the files beside it."""

from __future__ import annotations

from datetime import date

import pytest

from listener.model import card as cards
from listener.model.onnx import BUNDLED, Model
from listener.types import Intent, Sentiment


@pytest.fixture(scope="module")
def card() -> cards.Card:
    return cards.read(BUNDLED)


def test_files_are_the_ones_it_names(card: cards.Card) -> None:
    cards.check_files(card, BUNDLED)
    assert {file.name for file in card.files} == {"model.onnx", "tokenizer.json"}
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


def test_calibration_is_there_for_every_label(card: cards.Card) -> None:
    assert set(card.intents) == set(Intent)
    assert all(scale.slope > 0 and 0 < scale.threshold < 1 for scale in card.intents.values())
    assert set(card.sentiment_thresholds) == set(Sentiment)
    assert set(card.sentiment) == {"en", "es", "other"}
    assert all(scale.temperature > 0 for scale in card.sentiment.values())
    assert card.sentiment_scale("pt") == card.sentiment["other"]


@pytest.mark.parametrize("language", ["en", "es"])
def test_its_figures_are_there_and_no_worse_than_promised(card: cards.Card, language: str) -> None:
    figures = card.metrics[language]
    assert figures["sentiment"]["macro_f1"] > 0.6
    assert figures["intents"]["macro_f1_at_half"] > 0.6
    assert figures["sentiment"]["ece"] < 0.15
    assert figures["intents"]["ece"] < 0.10
    assert f"xlm-t {language}" in card.metrics
