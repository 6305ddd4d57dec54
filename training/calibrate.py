"""What makes the heads' outputs mean what they say, fitted on texts that training never saw."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from scipy.optimize import minimize

from listener.model.calibration import OTHER_LANGUAGE, Calibration, LabelScale, Scale, SentimentScale
from listener.model.probability import logistic
from listener.model.reading import Model
from listener.types import Intent, Sentiment, Signal
from training.data import INTENTS, SENTIMENTS, SIGNALS, Example

LANGUAGES = ("en", "es")
SENTIMENT_PRECISION = 0.75
INTENT_PRECISION = 0.75
SIGNAL_PRECISION = 0.75
LOWEST_SENTIMENT, LOWEST_LABEL, HIGHEST = 0.40, 0.25, 0.90  # between which a threshold may lie
HELD = 0.02  # how strongly a language's scale is held to that of all languages, for labels that are rare in it


def calibrated(model: Model, examples: list[Example]) -> Calibration:
    """The scales and thresholds of one profile, by language, and for any other from all texts."""
    out = model.raw([example.text for example in examples])
    sentiment = np.array([np.argmax(example.sentiment) for example in examples])
    intents = np.array([[example.intents[intent] for intent in INTENTS] for example in examples])
    signals = np.array([[example.signals[signal] for signal in SIGNALS] for example in examples])
    language = np.array([example.language for example in examples])
    together = {
        "intents": [platt(out.intents[:, c], intents[:, c]) for c in range(len(INTENTS))],
        "signals": [platt(out.signals[:, c], signals[:, c]) for c in range(len(SIGNALS))],
    }
    scales: dict[str, Scale] = {}
    for name in (*LANGUAGES, OTHER_LANGUAGE):
        rows = language == name if name in LANGUAGES else np.ones(len(examples), bool)
        scales[name] = Scale(
            sentiment=sentiment_scale(out.sentiment[rows], sentiment[rows]),
            intents=labels(Intent, out.intents[rows], intents[rows], together["intents"], INTENT_PRECISION),
            signals=labels(Signal, out.signals[rows], signals[rows], together["signals"], SIGNAL_PRECISION),
        )
    return Calibration(scales=scales)


def sentiment_scale(out: np.ndarray, wanted: np.ndarray) -> SentimentScale:
    """The temperature and the shift per class that make the likelihood largest, and the thresholds."""

    def cost(numbers: np.ndarray) -> float:
        z = (out + np.array([numbers[1], 0.0, numbers[2]])) / math.exp(numbers[0])
        z = z - z.max(1, keepdims=True)
        likelihood = z[np.arange(len(z)), wanted] - np.log(np.exp(z).sum(1))
        return float(-likelihood.mean() + 0.01 * (numbers**2).sum())

    best = minimize(cost, np.zeros(3), method="Nelder-Mead").x
    shift = dict(zip(Sentiment, (round(float(x), 4) for x in (best[1], 0.0, best[2])), strict=True))
    blank = SentimentScale(temperature=round(math.exp(best[0]), 4), shift=shift, thresholds={})
    scores = Scale(sentiment=blank, intents={}, signals={}).sentiment_scores(out)
    chosen = scores.argmax(1)
    thresholds = {
        label: threshold(
            np.where(chosen == column, scores[:, column], 0), wanted == column, SENTIMENT_PRECISION, LOWEST_SENTIMENT
        )
        for column, label in enumerate(SENTIMENTS)
    }
    return SentimentScale(temperature=blank.temperature, shift=shift, thresholds=thresholds)


def labels(
    names: Iterable[Intent] | Iterable[Signal],
    out: np.ndarray,
    wanted: np.ndarray,
    together: list[tuple[float, float]],
    precision: float,
) -> dict[str, LabelScale]:
    """One language's scale of each label of a head, and its threshold for the stated precision."""
    scales: dict[str, LabelScale] = {}
    for column, label in enumerate(names):
        slope, offset = platt(out[:, column], wanted[:, column], near=together[column])
        scores = logistic(slope * out[:, column] + offset)
        scales[label.value] = LabelScale(
            slope=round(slope, 4),
            offset=round(offset, 4),
            threshold=threshold(scores, wanted[:, column] > 0, precision, LOWEST_LABEL),
        )
    return scales


def platt(out: np.ndarray, wanted: np.ndarray, near: tuple[float, float] | None = None) -> tuple[float, float]:
    """Slope and offset by Platt's scaling, with his own smoothing of the targets; held `near` others when given."""
    yes, no = wanted.sum(), len(wanted) - wanted.sum()
    target = np.where(wanted > 0, (yes + 1) / (yes + 2), 1 / (no + 2))

    def cost(numbers: np.ndarray) -> float:
        z = numbers[0] * out + numbers[1]
        far = HELD * ((numbers - np.array(near)) ** 2).sum() if near else 0.0
        return float((np.logaddexp(0, z) - target * z).mean() + far)

    slope, offset = (float(number) for number in minimize(cost, np.array(near or (1.0, 0.0)), method="Nelder-Mead").x)
    return slope, offset


def threshold(scores: np.ndarray, right: np.ndarray, precision: float, lowest: float) -> float:
    """The lowest score from which on at least `precision` of what is said is right."""
    for candidate in np.arange(lowest, HIGHEST + 0.005, 0.01):
        said = scores >= candidate
        if said.any() and right[said].mean() >= precision:
            return round(float(candidate), 2)
    return HIGHEST
