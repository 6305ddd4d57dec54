"""Batches: as many texts as a phase asks for, and the answers that each should give."""

from __future__ import annotations

import random
from collections import Counter
from types import ModuleType

import numpy as np
import pytest

from listener.types import Intent, Sentiment, Signal
from training.data import INTENTS, SENTIMENTS, SIGNALS, Example, one_hot
from training.wording import Switcher


@pytest.fixture
def made() -> ModuleType:
    """training.batches, which needs torch."""
    pytest.importorskip("torch")
    from training import batches

    return batches


def drawn(made: ModuleType, number: int) -> list[tuple[list[str], list[str]]]:
    """The originals and the wordings of a small phase's batches."""
    samples = [
        made.Sample(example=Example(source=source, language="en", text=f"{source} {'so ' * row}{row}"))
        for source in ("corpus", "xed", "bitext")
        for row in range(20)
    ]
    phase = made.Phase(name="small", steps=11, rate=1e-4, shares={"corpus": 0.75, "xed": 0.25})
    switcher = Switcher({}, random.Random(number))
    return [
        ([sample.example.text for sample in some], texts)
        for some, texts in made.batches(samples, switcher, phase, number)
    ]


def test_a_phase_has_its_steps_and_shares(made: ModuleType) -> None:
    batches = drawn(made, 1)
    assert [len(texts) for _, texts in batches] == [made.BATCH] * 11
    assert [len(originals) for originals, _ in batches] == [made.BATCH] * 11
    sources = Counter(text.split()[0] for originals, _ in batches for text in originals)
    assert set(sources) == {"corpus", "xed"}
    assert 0.65 < sources["corpus"] / sources.total() < 0.85


def test_the_same_number_draws_the_same(made: ModuleType) -> None:
    assert drawn(made, 1) == drawn(made, 1) != drawn(made, 2)


def test_what_is_known_is_wanted_and_nothing_else_counts(made: ModuleType) -> None:
    meaning = np.array([0.6, 0.8], np.float32)
    known = Example(
        source="corpus",
        language="es",
        text="No funciona",
        sentiment=one_hot(Sentiment.NEGATIVE),
        intents={Intent.COMPLAINT: 1.0, Intent.PRAISE: 0.0},
        signals={Signal.IRONY: 1.0},
    )
    public = Example(
        source="goemotions",
        language="en",
        text="A chair",
        sentiment=one_hot(Sentiment.NEUTRAL),
        intents={Intent.QUESTION: 1.0},
    )
    unknown = Example(source="pairs", language="en", text="Hello", english="Hello")
    answer = made.wanted(
        [
            made.Sample(example=known, meaning=meaning),
            made.Sample(example=public),
            made.Sample(example=unknown, meaning=meaning),
        ],
        2,
        "cpu",
    )
    complaint, praise, question = (INTENTS.index(each) for each in (Intent.COMPLAINT, Intent.PRAISE, Intent.QUESTION))
    assert answer.sentiment[0].tolist() == [float(each is Sentiment.NEGATIVE) for each in SENTIMENTS]
    assert answer.sentiment_weight.tolist() == pytest.approx([1.0, 0.6 * 0.5, 0.0])
    assert answer.intents[0, [complaint, praise]].tolist() == [1.0, 0.0]
    assert answer.intents_weight[0].nonzero().flatten().tolist() == sorted([complaint, praise])
    assert answer.intents_weight[1, question].item() == pytest.approx(0.3)
    assert answer.intents_weight[2].sum() == 0
    assert answer.signals[0].tolist() == [float(each is Signal.IRONY) for each in SIGNALS]
    assert answer.signals_weight.sum() == 1
    assert answer.meaning[0].tolist() == pytest.approx([0.6, 0.8])
    assert answer.meant.tolist() == [1.0, 0.0, 1.0]
    assert answer.foreign.tolist() == [True, False, False]
