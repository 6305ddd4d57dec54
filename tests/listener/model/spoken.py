"""A classifier that does as it is told: "positive 0.7 es …" is read as positive with 0.7, in Spanish."""

from __future__ import annotations

from collections.abc import Sequence

from listener.types import Intent, Sentiment, Understanding


class Spoken:
    """Names a sentiment from 0.5 on; its intents are those named in the text, `complaint:0.9`, from 0.5 on likewise."""

    version = "spoken"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        self.batches.append(len(texts))
        return [understood(text) for text in texts]


def understood(text: str) -> Understanding:
    """What the text says that it is."""
    words = text.split()
    sentiment = next((Sentiment(word) for word in words if word in list(Sentiment)), Sentiment.NEUTRAL)
    score = next((float(word) for word in words if word.replace(".", "", 1).isdigit()), 0.9)
    rest = [label for label in Sentiment if label is not sentiment]
    scores = dict.fromkeys((label.value for label in Intent), 0.0)
    scores |= {
        name: float(said) for name, _, said in (word.partition(":") for word in words) if name in scores and said
    }
    named = [Intent(name) for name in sorted(scores, key=lambda name: -scores[name]) if scores[name] >= 0.5]
    return Understanding(
        model_version="spoken",
        language="en" if "en" in words else "es",
        language_score=0.9,
        sentiment=sentiment if score >= 0.5 else None,
        sentiment_scores={sentiment.value: score} | {label.value: (1 - score) / 2 for label in rest},
        intents=tuple(named),
        intent_scores=scores,
    )
