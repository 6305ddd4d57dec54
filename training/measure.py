"""How good the bundled model is, through the product's own classifier: every figure of the card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import f1_score, recall_score

from listener.model.reading import Model
from listener.model.reliability import Reliability
from listener.types import Intent, Sentiment, Signal, Understanding
from training.calibrate import LANGUAGES
from training.data import Example


def measure(model: Model, examples: list[Example], outside: dict[str, list[Example]]) -> dict[str, Any]:
    """The figures of each language on our own texts, and those of sentiment on others' by name."""
    result: dict[str, Any] = {}
    for language in LANGUAGES:
        own = [example for example in examples if example.language == language]
        read = understood(model, own)
        result[language] = {
            "texts": len(own),
            "sentiment": sentiment_figures(own, read),
            "intents": label_figures(Intent, own, read, "intents", "intent_scores"),
            "signals": label_figures(Signal, own, read, "signals", "signal_scores"),
        }
    for name, texts in outside.items():
        result[name] = {"texts": len(texts), "sentiment": sentiment_figures(texts, understood(model, texts))}
    return result


def understood(model: Model, examples: Sequence[Example]) -> list[Understanding]:
    """What the model makes of them. The language is what the model takes it for, as in use."""
    return model.classify([example.text for example in examples])


def sentiment_figures(examples: Sequence[Example], read: Sequence[Understanding]) -> dict[str, Any]:
    """Macro-F1 and recall of the likeliest class, calibration, and how much is said how correctly at the thresholds."""
    scores = np.array([[each.sentiment_scores[label] for label in Sentiment] for each in read])
    wanted = np.array([np.argmax(example.sentiment) for example in examples])
    guess = scores.argmax(1)
    said = np.array([each.sentiment is not None for each in read])
    right = guess == wanted
    sure = Reliability.of(scores.max(1).tolist(), right.tolist())
    return {
        "macro_f1": rounded(f1_score(wanted, guess, average="macro", labels=[0, 1, 2], zero_division=0)),
        "macro_recall": rounded(recall_score(wanted, guess, average="macro", labels=[0, 1, 2], zero_division=0)),
        "accuracy": rounded(right.mean()),
        "ece": rounded(sure.error),
        "answered": rounded(said.mean()),
        "right_when_answered": rounded(right[said].mean() if said.any() else 0.0),
        "reliability": reliability(sure),
    }


def label_figures(
    names: type[Intent] | type[Signal],
    examples: Sequence[Example],
    read: Sequence[Understanding],
    said_by: str,
    scored_by: str,
) -> dict[str, Any]:
    """Per label precision, recall and F1 at its threshold; macro-F1; calibration over all labels."""
    scores = np.array([[getattr(each, scored_by)[label] for label in names] for each in read])
    said = np.array([[label in getattr(each, said_by) for label in names] for each in read])
    wanted = np.array([[getattr(example, said_by)[label] for label in names] for example in examples]) > 0
    each: dict[str, Any] = {}
    for column, label in enumerate(names):
        hits = int((said[:, column] & wanted[:, column]).sum())
        each[label.value] = {
            "texts": int(wanted[:, column].sum()),
            "precision": rounded(hits / max(1, said[:, column].sum())),
            "recall": rounded(hits / max(1, wanted[:, column].sum())),
            "f1": rounded(f1_score(wanted[:, column], said[:, column], zero_division=0)),
            "ece": rounded(Reliability.of(scores[:, column].tolist(), wanted[:, column].tolist()).error),
        }
    best = scores.argmax(1)
    sure = Reliability.of(scores.ravel().tolist(), wanted.ravel().tolist())
    return {
        "macro_f1": rounded(np.mean([figures["f1"] for figures in each.values()])),
        "macro_f1_at_half": rounded(f1_score(wanted, scores >= 0.5, average="macro", zero_division=0)),
        "strongest_is_right": rounded(wanted[np.arange(len(best)), best][wanted.any(1)].mean()),
        "ece": rounded(sure.error),
        "reliability": reliability(sure),
        "each": each,
    }


def reliability(found: Reliability) -> list[dict[str, float]]:
    """For each of ten equal ranges of score that holds any: how many, the mean score, the share that is right."""
    return [
        {"texts": one.right.whole, "score": rounded(one.score), "right": rounded(one.right.value or 0.0)}
        for one in found.bins
        if one.right.whole
    ]


def closeness(model: Model, exact: Model, examples: Sequence[Example]) -> dict[str, float]:
    """How little int8 changed: cosine of the meanings, and how many texts keep their likeliest sentiment."""
    ours, theirs = (each.raw([example.text for example in examples]) for each in (model, exact))
    return {
        "cosine": rounded((ours.embedding * theirs.embedding).sum(1).mean()),
        "same_sentiment": rounded((ours.sentiment.argmax(1) == theirs.sentiment.argmax(1)).mean()),
    }


def rounded(number: float) -> float:
    """Three digits: more would be noise at these sizes."""
    return round(float(number), 3)
