"""A classifier whose reasons are known: its scores are sums over words, so what a word weighs can be said exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from listener.model.text import visible
from listener.types import Intent, Sentiment, Understanding

NEGATIVE: Mapping[str, float] = {
    "pésimo": 0.25,
    "vergüenza": 0.45,
    "gracias": -0.12,
    "😡": 0.2,
    "#sinseñal": 0.15,
    "@marca": 0.05,
    "https://marca.example/x": -0.05,
    "?!": 0.1,
}
BASE = 0.2


class ByWords:
    """Negative by its words; a complaint only where "no" and "funciona" both stand; an outage where one of two does."""

    version = "by-words"

    def __init__(self, words: Mapping[str, float] = NEGATIVE) -> None:
        self.words = words
        self.read: list[str] = []
        self.calls = 0

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        self.calls += 1
        self.read += texts
        return [self._understanding((text if text.isascii() else visible(text)).lower()) for text in texts]

    def _understanding(self, text: str) -> Understanding:
        there = {word if word in self.words else word.strip(".,;:¿?") for word in text.split()}
        negative = min(1.0, BASE + sum(weight for word, weight in self.words.items() if word in there))
        both, either = {"no", "funciona"} <= there, {"caída", "avería"} & there
        scores = {"complaint": 0.9 if both else 0.1, "outage_report": 0.8 if either else 0.2}
        return Understanding(
            model_version=self.version,
            language="es",
            language_score=1.0,
            sentiment=Sentiment.NEGATIVE,
            sentiment_scores={"negative": negative, "neutral": 1 - negative, "positive": 0.0},
            intents=(Intent.COMPLAINT, Intent.OUTAGE_REPORT),
            intent_scores=scores,
            signal_scores={"safety": 0.0},
            area_scores={"billing": 0.9 if "factura" in there else 0.0},
        )
