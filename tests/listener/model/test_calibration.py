"""How raw outputs become probabilities, and labels from their thresholds on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from listener.model.calibration import Calibration, LabelScale, Scale, SentimentScale
from listener.types import Intent, Sentiment, Signal

LABEL = LabelScale(slope=1.0, offset=0.0, threshold=0.5)
SCALE = Scale(
    sentiment=SentimentScale(
        temperature=1.0, shift=dict.fromkeys(Sentiment, 0.0), thresholds=dict.fromkeys(Sentiment, 0.5)
    ),
    intents=dict.fromkeys(Intent, LABEL),
    signals=dict.fromkeys(Signal, LABEL),
)


def test_sentiment_is_a_softmax_with_temperature_and_shift() -> None:
    out = np.array([[2.0, 0.0, -1.0]])
    powers = np.exp([2.0, 0.0, -1.0])
    np.testing.assert_allclose(SCALE.sentiment_scores(out)[0], powers / powers.sum())
    warmer = replace(
        SCALE, sentiment=replace(SCALE.sentiment, temperature=2.0, shift={**SCALE.sentiment.shift, "positive": 3.0})
    )
    powers = np.exp([1.0, 0.0, 1.0])
    np.testing.assert_allclose(warmer.sentiment_scores(out)[0], powers / powers.sum())


def test_labels_are_each_for_itself() -> None:
    scales = {**SCALE.intents, Intent.PRAISE: LabelScale(slope=2.0, offset=-1.0, threshold=0.5)}
    scores = replace(SCALE, intents=scales).intent_scores(np.full((2, 9), 0.5))
    assert scores.shape == (2, 9)
    assert scores[0, list(Intent).index(Intent.PRAISE)] == pytest.approx(0.5)
    assert scores[1, 0] == pytest.approx(1 / (1 + np.exp(-0.5)))


def test_huge_outputs_stay_probabilities() -> None:
    assert np.isfinite(SCALE.intent_scores(np.full((1, 9), -1e4))).all()
    assert SCALE.sentiment_scores(np.array([[1e4, -1e4, 0]]))[0].tolist() == [1.0, 0.0, 0.0]


def test_from_its_threshold_on_a_label_is_given_the_strongest_first() -> None:
    scores = [0.0] * 9
    scores[list(Intent).index(Intent.PRAISE)] = 0.5
    scores[list(Intent).index(Intent.QUESTION)] = 0.9
    scores[0] = 0.499
    assert SCALE.intents_given(scores) == (Intent.QUESTION, Intent.PRAISE)
    assert SCALE.signals_given([0.6, 0, 0, 0, 0, 0, 0.7]) == (Signal.TOXICITY, Signal.SAFETY)


def test_below_its_threshold_the_likeliest_sentiment_is_not_given() -> None:
    assert SCALE.sentiment_given([0.5, 0.3, 0.2]) is Sentiment.NEGATIVE
    assert SCALE.sentiment_given([0.45, 0.35, 0.2]) is None


def test_a_language_without_a_scale_has_that_of_the_others() -> None:
    own = replace(SCALE, sentiment=replace(SCALE.sentiment, temperature=3.0))
    calibration = Calibration(scales={"es": own, "other": SCALE})
    assert calibration.of("es") is own
    assert calibration.of("gl") is SCALE
