"""What is learned from, batch by batch: phases, samples, their wordings, and the answers they should give."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from listener.types import Sentiment
from training.data import INTENTS, SENTIMENTS, SIGNALS, Example
from training.wording import Switcher, varied

BATCH = 64
POOL = 8  # batches drawn together and sorted by length, so that little is padded
SURE = {"corpus": 1.0, "goemotions": 0.6, "xed": 0.4}  # how much a source's sentiment counts; subtitles are noisy
NEUTRAL = {"en": 0.5, "es": 1.0}  # how much a public text without feeling counts: most English ones are such


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of training: how long, how fast, and how much of a batch comes from where."""

    name: str
    steps: int
    rate: float
    shares: dict[str, float]
    meaning: float = 1.0  # how much meanings count beside labels


PHASES = (
    Phase(
        name="language",
        steps=2400,
        rate=2e-4,
        shares={
            "corpus": 0.40,
            "goemotions": 0.24,
            "xed": 0.16,
            "pairs": 0.10,
            "bitext": 0.04,
            "nlupp": 0.03,
            "tatoeba": 0.03,
        },
    ),
    Phase(
        name="care",
        steps=1300,
        rate=1e-4,
        shares={
            "corpus": 0.58,
            "goemotions": 0.14,
            "xed": 0.12,
            "pairs": 0.08,
            "bitext": 0.03,
            "nlupp": 0.03,
            "tatoeba": 0.02,
        },
    ),
    Phase(
        name="meaning",
        steps=1000,
        rate=1e-4,
        shares={
            "corpus": 0.44,
            "pairs": 0.22,
            "goemotions": 0.1,
            "nlupp": 0.08,
            "bitext": 0.08,
            "xed": 0.06,
            "tatoeba": 0.02,
        },
        meaning=3.0,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One text to learn from, with the meaning (a vector) it should have where the teacher knows it."""

    example: Example
    meaning: np.ndarray | None = None


def batches(
    samples: list[Sample], switcher: Switcher, phase: Phase, number: int
) -> Iterator[tuple[list[Sample], list[str]]]:
    """The phase's batches, each of texts of about one length, with the wordings to learn from."""
    draw = random.Random(number)
    sources = {
        source: endless([sample for sample in samples if sample.example.source == source], number + place)
        for place, source in enumerate(phase.shares)
    }
    left = phase.steps
    while left > 0:
        chosen = draw.choices(list(phase.shares), list(phase.shares.values()), k=BATCH * POOL)
        pool = [next(sources[source]) for source in chosen]
        worded = [(sample, varied(sample.example, switcher, draw)) for sample in pool]
        worded.sort(key=lambda pair: len(pair[1]) + draw.random())
        starts = list(range(0, len(worded), BATCH))
        draw.shuffle(starts)
        for first in starts[:left]:
            chunk = worded[first : first + BATCH]
            yield [sample for sample, _ in chunk], [text for _, text in chunk]
        left -= len(starts)


def endless(samples: list[Sample], number: int) -> Iterator[Sample]:
    """Every sample in a new order, again and again."""
    draw = random.Random(number)
    while True:
        yield from draw.sample(samples, len(samples))


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a batch's texts should give, a row each, and how much each answer counts."""

    sentiment: Tensor
    sentiment_weight: Tensor
    intents: Tensor
    intents_weight: Tensor
    signals: Tensor
    signals_weight: Tensor
    meaning: Tensor
    meant: Tensor
    foreign: Tensor


def wanted(batch: list[Sample], size: int, device: str) -> Wanted:
    """The answers to one batch."""
    rows = len(batch)
    sentiment, sure = np.zeros((rows, len(SENTIMENTS)), np.float32), np.zeros(rows, np.float32)
    intents, intents_sure = (np.zeros((rows, len(INTENTS)), np.float32) for _ in range(2))
    signals, signals_sure = (np.zeros((rows, len(SIGNALS)), np.float32) for _ in range(2))
    meaning, meant, foreign = np.zeros((rows, size), np.float32), np.zeros(rows, np.float32), np.zeros(rows, bool)
    for row, sample in enumerate(batch):
        example = sample.example
        if example.sentiment is not None:
            sentiment[row], sure[row] = example.sentiment, SURE[example.source]
            if example.source != "corpus" and example.sentiment[SENTIMENTS.index(Sentiment.NEUTRAL)] > 0.5:
                sure[row] *= NEUTRAL[example.language]
        for intent, value in example.intents.items():
            intents[row, INTENTS.index(intent)] = value
            intents_sure[row, INTENTS.index(intent)] = 1.0 if example.source == "corpus" else 0.3
        for signal, value in example.signals.items():
            signals[row, SIGNALS.index(signal)] = value
            signals_sure[row, SIGNALS.index(signal)] = 1.0
        if sample.meaning is not None:
            meaning[row], meant[row], foreign[row] = sample.meaning, 1.0, example.language != "en"
    arrays = (sentiment, sure, intents, intents_sure, signals, signals_sure, meaning, meant, foreign)
    return Wanted(
        **dict(zip(Wanted.__dataclass_fields__, (torch.from_numpy(a).to(device) for a in arrays), strict=True))
    )
