"""What is measured is what anybody would count by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.model.evaluate import Figures, Judged, heard
from listener.model.labelled import Example
from listener.model.reliability import Share, wilson
from listener.types import Intent, Sentiment
from tests.listener.model.spoken import understood

SENTIMENTS = tuple(label.value for label in Sentiment)


def judged(pairs: list[tuple[str, str]], *, labels: tuple[str, ...] = SENTIMENTS, head: str = "sentiment") -> Judged:
    """Counts texts that say what the model makes of them, with the labels that are meant, between bars."""
    found = Judged(labels=labels, head=head, worst=3)
    for line, (text, meant) in enumerate(pairs, start=2):
        names = frozenset(meant.split("|")) if meant else frozenset()
        found.add(Example(line=line, text=text, labels=names, language=None), understood(text))
    return found


def figures(pairs: list[tuple[str, str]]) -> Figures:
    return judged(pairs).all.figures()


def test_sentiments_counted_by_hand() -> None:
    found = figures(
        [
            ("negative 0.9", "negative"),
            ("negative 0.8", "negative"),
            ("neutral 0.6", "negative"),
            ("neutral 0.6", "neutral"),
            ("negative 0.4", "positive"),  # unsure, and wrong
            ("positive 0.95", "positive"),
        ]
    )
    assert (found.accuracy.part, found.accuracy.whole) == (4, 6)
    negative, neutral, positive = found.each
    assert (negative.texts, negative.precision.value, negative.recall.value) == (3, 2 / 3, 2 / 3)
    assert (neutral.texts, neutral.precision.value, neutral.recall.value) == (1, 1 / 2, 1)
    assert (positive.texts, positive.precision.value, positive.recall.value) == (2, 1, 1 / 2)
    assert found.macro_recall == pytest.approx((2 / 3 + 1 + 1 / 2) / 3)
    assert found.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 2 / 3) / 3)
    assert (found.answered.part, found.right_when_answered.part, found.right_when_answered.whole) == (5, 4, 5)
    assert found.matrix == {
        "negative": {"negative": 2, "neutral": 1, "positive": 0},
        "neutral": {"negative": 0, "neutral": 1, "positive": 0},
        "positive": {"negative": 1, "neutral": 0, "positive": 1},
    }


def test_calibration_error_counted_by_hand() -> None:
    found = figures([("negative 0.95", "negative"), ("negative 0.95", "positive"), ("neutral 0.65", "neutral")])
    assert [one.right.whole for one in found.bins] == [0, 0, 0, 0, 0, 0, 1, 0, 0, 2]
    assert found.bins[9].score == pytest.approx(0.95)
    assert found.bins[9].right.value == 0.5
    assert found.calibration_error == pytest.approx(2 / 3 * abs(0.95 - 0.5) + 1 / 3 * abs(0.65 - 1))


def test_a_perfect_score_has_a_bin() -> None:
    assert figures([("negative 1.0", "negative")]).bins[-1].right == Share(part=1, whole=1)


def test_several_labels_counted_by_hand() -> None:
    labels = (Intent.COMPLAINT.value, Intent.QUESTION.value, Intent.PRAISE.value)
    found = judged(
        [
            ("complaint:0.9 question:0.7", "complaint|question"),
            ("complaint:0.8", "complaint|question"),
            ("praise:0.6 suggestion:0.9", ""),  # nobody in the file has a suggestion, so nobody can say it is wrong
            ("praise:0.3", "praise"),
            ("question:0.55", "complaint"),
            ("", ""),
        ],
        labels=labels,
        head="intents",
    )
    all_ = found.all.figures()
    complaint, question, praise = all_.each
    assert (complaint.texts, complaint.precision.value, complaint.recall.value) == (3, 1, 2 / 3)
    assert (question.texts, question.precision.value, question.recall.value) == (2, 1 / 2, 1 / 2)
    assert (praise.texts, praise.precision.value, praise.recall.value, praise.f1) == (1, 0, 0, 0)
    assert all_.accuracy == Share(part=2, whole=6)
    assert all_.answered == Share(part=4, whole=6)
    assert all_.right_when_answered == Share(part=2, whole=4)
    assert sum(one.right.whole for one in all_.bins) == 6 * 3
    assert all_.matrix == {
        "complaint": {"complaint": 2, "question": 1, "praise": 0, "none": 0},
        "question": {"complaint": 0, "question": 1, "praise": 0, "none": 1},
        "praise": {"complaint": 0, "question": 0, "praise": 0, "none": 1},
        "none": {"complaint": 0, "question": 0, "praise": 1, "none": 1},
    }
    missed, *_ = [wrong for wrong in found.worst() if wrong.said == "none"]
    assert (missed.meant, missed.score) == ("question", 0.0)


def test_of_several_answers_the_strongest_must_be_right() -> None:
    labels = (Intent.COMPLAINT.value, Intent.QUESTION.value)
    rows = [("complaint:0.9 question:0.7", "complaint"), ("complaint:0.9 question:0.7", "question")]
    found = judged(rows, labels=labels, head="intents").all.figures()
    assert found.right_when_answered == Share(part=1, whole=2)
    found = judged(rows[:1], labels=labels, head="intents").all.figures()
    assert found.right_when_answered == Share(part=1, whole=1)


def test_the_surest_mistakes_come_first_and_no_others() -> None:
    sure = [0.61, 0.99, 0.7, 0.8, 0.65]
    found = judged([(f"negative {score}", "positive") for score in sure] + [("negative 1.0", "negative")])
    assert [wrong.score for wrong in found.worst()] == [0.99, 0.8, 0.7]
    assert [wrong.line for wrong in found.worst()] == [3, 5, 4]
    assert {(wrong.meant, wrong.said, wrong.language) for wrong in found.worst()} == {("positive", "negative", "es")}


def test_languages_are_told_apart_by_the_file_or_the_model() -> None:
    found = Judged(labels=SENTIMENTS, head="sentiment")
    for language, text in [(None, "negative en"), (None, "negative"), ("pt", "negative en")]:
        example = Example(line=1, text=text, labels=frozenset({"negative"}), language=language)
        found.add(example, understood(text))
    assert {name: tally.texts for name, tally in found.languages.items()} == {"en": 1, "es": 1, "pt": 1}


def test_a_column_that_holds_no_languages_stays_bounded() -> None:
    found = Judged(labels=SENTIMENTS, head="sentiment", worst=2)
    for number in range(1000):
        example = Example(line=number, text="negative", labels=frozenset({"positive"}), language=f"l{number}")
        found.add(example, understood("negative"))
    assert len(found.languages) == 61
    assert found.languages["others"].texts == 940
    assert len(found.worst()) == 2


def test_nothing_measured_is_zero_everywhere() -> None:
    empty = Judged(labels=SENTIMENTS, head="sentiment").all.figures()
    assert (empty.texts, empty.accuracy.value, empty.macro_f1, empty.calibration_error) == (0, None, 0, 0)
    assert empty.accuracy.interval == (0, 1)


def test_what_a_model_says_without_scores_counts_too() -> None:
    understanding = understood("negative 0.9")
    bare = type(understanding)(
        model_version="bare",
        language="es",
        language_score=1,
        sentiment=Sentiment.NEGATIVE,
        sentiment_scores={},
        intents=(),
        intent_scores={},
    )
    said = heard(bare, "sentiment", SENTIMENTS)
    assert (said.chosen, said.answers, said.scores) == (("negative",), ("negative",), {})


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe, Statistics in Medicine 17 (1998), table I: 81 of 263
        (15, 148, 0.0624, 0.1605),  # 15 of 148
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_intervals_are_those_of_the_literature(part: int, whole: int, low: float, high: float) -> None:
    assert wilson(part, whole) == pytest.approx((low, high), abs=5e-5)


@given(st.lists(st.tuples(st.sampled_from(SENTIMENTS), st.floats(0.34, 1), st.sampled_from(SENTIMENTS)), max_size=60))
def test_the_counts_agree_with_each_other(rows: list[tuple[str, float, str]]) -> None:
    found = figures([(f"{said} {score:.3f}", meant) for said, score, meant in rows])
    cells = {(meant, said): count for meant, row in found.matrix.items() for said, count in row.items()}
    assert sum(cells.values()) == found.texts == len(rows)
    assert sum(count for (meant, said), count in cells.items() if meant == said) == found.accuracy.part
    assert sum(one.right.part for one in found.bins) == found.accuracy.part
    assert sum(one.texts for one in found.each) == len(rows)
    assert 0 <= found.calibration_error <= 1
    assert 0 <= found.macro_f1 <= 1
    assert found.right_when_answered.whole == found.answered.part
    for one in found.each:
        both = (one.precision.value or 0) + (one.recall.value or 0)
        expected = 2 * (one.precision.value or 0) * (one.recall.value or 0) / both if both else 0.0
        assert math.isclose(one.f1, expected, abs_tol=1e-12)
        low, high = one.recall.interval
        assert low <= (one.recall.value if one.recall.value is not None else low) <= high
