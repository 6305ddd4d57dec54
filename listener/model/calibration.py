"""From a head's raw outputs to probabilities that mean what they say, and from where on a label is given.

All numbers were fitted on texts that training never saw, for each profile, head and language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from listener.model.probability import logistic, softmax
from listener.types import Intent, Sentiment, Signal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

OTHER_LANGUAGE = "other"


@dataclass(frozen=True, kw_only=True)
class LabelScale:
    """How one label's raw output z becomes a probability: 1 / (1 + exp(-(slope * z + offset))) (Platt, 1999), and from
    which probability on the label is given."""

    slope: float
    offset: float
    threshold: float


@dataclass(frozen=True, kw_only=True)
class SentimentScale:
    """How raw outputs become probabilities: softmax((z + shift) / temperature) (Guo et al., 2017, with a shift), and
    from which probability on the likeliest sentiment is given."""

    temperature: float
    shift: Mapping[str, float]
    thresholds: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How one language is calibrated."""

    sentiment: SentimentScale
    intents: Mapping[str, LabelScale]
    signals: Mapping[str, LabelScale]

    def sentiment_scores(self, out: Any) -> Floats:
        """(n, 3) raw outputs as probabilities that sum to 1."""
        shift = [self.sentiment.shift[label] for label in Sentiment]
        return softmax((np.asarray(out, np.float64) + shift) / self.sentiment.temperature)

    def intent_scores(self, out: Any) -> Floats:
        """(n, 9) raw outputs as probabilities, each for itself."""
        return _scaled(out, *self._intents)

    def signal_scores(self, out: Any) -> Floats:
        """(n, 7) raw outputs as probabilities, each for itself."""
        return _scaled(out, *self._signals)

    def sentiment_given(self, scores: Sequence[float]) -> Sentiment | None:
        """The likeliest sentiment where it is likely enough, else None: the model does not know."""
        best = max(zip(scores, Sentiment, strict=True), key=lambda pair: pair[0])
        return best[1] if best[0] >= self.sentiment.thresholds[best[1]] else None

    def intents_given(self, scores: Sequence[float]) -> tuple[Intent, ...]:
        """The intents that are likely enough, strongest first; none where the model does not know."""
        likely = [
            (score, label)
            for score, label in zip(scores, Intent, strict=True)
            if score >= self.intents[label].threshold
        ]
        return tuple(label for _, label in sorted(likely, key=lambda pair: -pair[0]))

    def signals_given(self, scores: Sequence[float]) -> tuple[Signal, ...]:
        """The signals that are likely enough, strongest first."""
        likely = [
            (score, label)
            for score, label in zip(scores, Signal, strict=True)
            if score >= self.signals[label].threshold
        ]
        return tuple(label for _, label in sorted(likely, key=lambda pair: -pair[0]))

    @cached_property
    def _intents(self) -> tuple[Floats, Floats]:
        return _numbers([self.intents[label] for label in Intent])

    @cached_property
    def _signals(self) -> tuple[Floats, Floats]:
        return _numbers([self.signals[label] for label in Signal])


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """One profile's scales by language, ISO 639-1, and "other"."""

    scales: Mapping[str, Scale]

    def of(self, language: str) -> Scale:
        """How texts in `language` (ISO 639-1 or "und") are calibrated."""
        return self.scales.get(language, self.scales[OTHER_LANGUAGE])


def read(data: Mapping[str, Any]) -> Calibration:
    """A calibration from the card's JSON. Raises KeyError, TypeError or ValueError when something is missing."""
    return Calibration(scales={language: _scale(scale) for language, scale in data.items()})


def _scale(data: Mapping[str, Any]) -> Scale:
    sentiment = data["sentiment"]
    return Scale(
        sentiment=SentimentScale(
            temperature=float(sentiment["temperature"]),
            shift={label.value: float(sentiment["shift"][label]) for label in Sentiment},
            thresholds={label.value: float(sentiment["thresholds"][label]) for label in Sentiment},
        ),
        intents={label.value: LabelScale(**data["intents"][label]) for label in Intent},
        signals={label.value: LabelScale(**data["signals"][label]) for label in Signal},
    )


def _numbers(scales: Sequence[LabelScale]) -> tuple[Floats, Floats]:
    return np.array([scale.slope for scale in scales]), np.array([scale.offset for scale in scales])


def _scaled(out: Any, slopes: Floats, offsets: Floats) -> Floats:
    return logistic(slopes * np.asarray(out, np.float64) + offsets)
