"""Which words moved a label: exact where the classifier's reasons are known, sane for any text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from listener.model.weighing import (
    MOST,
    ONE_BY_ONE,
    RUNS,
    Kind,
    Label,
    Weighed,
    labels_of,
    weigh,
    without,
)
from listener.types import Intent, Sentiment, Signal, Understanding
from tests.listener.model.by_words import BASE, NEGATIVE, ByWords

NEGATIVE_LABEL = Label(kind=Kind.SENTIMENT, name="negative")
COMPLAINT = Label(kind=Kind.INTENT, name="complaint")
OUTAGE = Label(kind=Kind.INTENT, name="outage_report")


def weighed(text: str, label: Label = NEGATIVE_LABEL) -> Weighed:
    return weigh(ByWords(), text, [label]).labels[0]


def told(text: str, label: Label = NEGATIVE_LABEL) -> dict[str, float]:
    """The words that moved the label, with their weights."""
    spans = weighed(text, label).spans
    return {text[span.start : span.end]: pytest.approx(span.weight) for span in spans if abs(span.weight) > 1e-9}


def words(text: str) -> list[str]:
    return [text[span.start : span.end] for span in weighed(text).spans]


# --- exactness ---


def test_each_word_weighs_what_it_adds() -> None:
    text = "Pésimo servicio, una vergüenza. Gracias"
    assert told(text) == {"Pésimo": 0.25, "vergüenza": 0.45, "Gracias": -0.12}
    assert weighed(text).score == pytest.approx(BASE + 0.25 + 0.45 - 0.12)


def test_words_that_only_count_together_are_one() -> None:
    assert told("hoy el router no funciona", COMPLAINT) == {"no funciona": 0.8}
    assert told("no funciona", COMPLAINT) == {"no funciona": 0.8}


def test_words_that_stand_in_for_each_other_are_one() -> None:
    assert told("otra vez: avería caída, adiós", OUTAGE) == {"avería caída": 0.6}


def test_a_clause_counts_where_its_words_alone_do_not() -> None:
    text = "avería desde ayer con esta caída; buenos días"
    assert told(text, OUTAGE) == {"avería desde ayer con esta caída": 0.6}


def test_words_that_count_alone_stay_apart() -> None:
    assert told("pésimo vergüenza") == {"pésimo": 0.25, "vergüenza": 0.45}


def test_no_group_crosses_a_sign_or_ends_in_the_middle_of_a_phrase() -> None:
    assert told("No. Funciona", COMPLAINT) == {"No": 0.8, "Funciona": 0.8}
    assert told("funciona no la tele", COMPLAINT) == {"funciona": 0.8, "no": 0.8}  # nobody says "funciona no"


@pytest.mark.parametrize("word", ["😡", "#SinSeñal", "@marca", "https://marca.example/x", "?!"])
def test_what_people_see_as_one_is_one(word: str) -> None:
    text = f"hola {word} adiós"
    assert told(text) == {word: NEGATIVE[word.lower()]}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("👩‍🚒🇪🇸👍🏽 vale", ["👩‍🚒", "🇪🇸", "👍🏽", "vale"]),
        ("mal😡😡😡peor", ["mal", "😡😡😡", "peor"]),
        ("I can't pay 20 € or $50, 3,5% of 1.500", ["I", "can't", "pay", "20 €", "or", "$50", "3,5%", "of", "1.500"]),
        ("mal.No vuelvo :( <3", ["mal", "No", "vuelvo", ":(", "<3"]),
        ("/u/ana_b y ana@b.example, www.b.example/a?c=d", ["/u/ana_b", "y", "ana@b.example", "www.b.example/a?c=d"]),
        ("@ana@b.example... ¿sí?", ["@ana@b.example", "...", "¿", "sí", "?"]),
        ("電話 ab", ["電", "話", "ab"]),
        ("", []),
        (" \n\t.,;", []),
    ],
)
def test_words_as_people_see_them(text: str, seen: list[str]) -> None:
    assert words(text) == seen


def test_places_count_in_the_text_as_it_was_written() -> None:
    composed = "una vergüenza, sí"
    for text in (
        unicodedata.normalize("NFD", composed),
        "\ufeffuna ver\u200bgüen\u00adza, s\u0301i",
        "una\x07\r\n\u202evergüenza\u202c, sí",
    ):
        (only,) = [span for span in weighed(text).spans if span.weight > 1e-9]
        seen = unicodedata.normalize("NFC", text[only.start : only.end])
        assert "".join(sign for sign in seen if sign.isalpha()) == "vergüenza", seen
        assert only.weight == pytest.approx(0.45)


def test_what_every_sentence_says_is_weighed_within_each() -> None:
    text = "Todo pésimo. ¿Otra vez pésimo, gracias? Pésimo 😡"
    assert not weighed(text).by_parts  # "gracias" and the emoji count alone
    text = "Todo pésimo. ¿Otra vez pésimo? Muy pésimo"
    assert weighed(text).by_parts
    assert weighed(text).score == pytest.approx(BASE + 0.25)
    spans = weighed(text).spans
    assert [(text[span.start : span.end], span.weight) for span in spans if span.weight > 1e-9] == [
        ("pésimo", pytest.approx(0.25))
    ] * 3
    assert told("todo pésimo, otra vez pésimo") == {"pésimo": 0.25}
    assert not weighed("todo bien. todo igual.").by_parts


# --- what is asked ---


def test_labels_are_those_given_and_known_in_order() -> None:
    areas = Label(kind=Kind.AREA, name="billing")
    asked = [areas, COMPLAINT, Label(kind=Kind.AREA, name="gone"), Label(kind=Kind.SIGNAL, name="safety")]
    found = weigh(ByWords(), "la factura no funciona", asked)
    assert [each.label.name for each in found.labels] == ["billing", "complaint", "safety"]
    assert found.model_version == "by-words"
    assert [span.weight for span in found.labels[0].spans] == pytest.approx([0, 0.9, 0, 0])


def test_the_labels_of_an_understanding() -> None:
    found = Understanding(
        model_version="m",
        language="es",
        language_score=1,
        sentiment=Sentiment.POSITIVE,
        sentiment_scores={},
        intents=(Intent.PRAISE, Intent.QUESTION),
        intent_scores={},
        signals=(Signal.IRONY,),
        areas=("billing",),
    )
    assert [(label.kind.value, label.name) for label in labels_of(found)] == [
        ("sentiment", "positive"),
        ("intent", "praise"),
        ("intent", "question"),
        ("signal", "irony"),
        ("area", "billing"),
    ]


def test_one_batch_without_repetitions() -> None:
    reader = ByWords()
    weigh(reader, "no no no no funciona", [NEGATIVE_LABEL, COMPLAINT, OUTAGE])
    assert reader.calls == 1
    assert len(reader.read) == len(set(reader.read))


def test_a_text_without_words_has_scores_and_no_spans() -> None:
    for text in ("", " ", "\u200b", "\ud800"):
        found = weighed(text)
        assert found.spans == ()
        assert found.score == pytest.approx(BASE)


# --- long texts ---


def test_a_long_text_is_weighed_word_by_word_first_then_in_runs() -> None:
    text = " ".join(["pésimo", *["bla"] * 500, "vergüenza", *["bla"] * 100])
    found = weigh(ByWords(), text, [NEGATIVE_LABEL])
    assert (found.words, found.one_by_one) == (602, ONE_BY_ONE)
    spans = found.labels[0].spans
    assert len(spans) <= ONE_BY_ONE + RUNS
    assert spans[0].weight == pytest.approx(0.25)
    (run,) = [span for span in spans if span.weight == pytest.approx(0.45)]
    assert "vergüenza" in text[run.start : run.end]
    assert text[run.start : run.end].count(" ") < 30


@pytest.mark.parametrize("sign", ["a", "no funciona ", "😡 ", "?a", "\n", "漢", "a@a.", "a. "])
def test_twenty_thousand_characters_are_read_a_limited_number_of_times(sign: str) -> None:
    text = sign * (20_000 // len(sign))
    reader = ByWords()
    spans = weigh(reader, text, [NEGATIVE_LABEL]).labels[0].spans
    assert len(reader.read) <= 2 * MOST
    assert len(spans) <= ONE_BY_ONE + RUNS


# --- any text ---

SOME = st.lists(
    st.sampled_from(
        [
            "no",
            "funciona",
            "pésimo",
            "avería",
            "caída",
            "y",
            "😡",
            "👩‍🚒",
            "@marca",
            "#sin_señal",
            " ",
            " ",
            ", ",
            "?!",
            "\n",
        ]
    )
    | st.text(max_size=5),
    max_size=30,
).map("".join)


@settings(max_examples=60, deadline=None)
@given(text=SOME)
def test_spans_are_ordered_apart_inside_and_always_the_same(text: str) -> None:
    labels = [NEGATIVE_LABEL, COMPLAINT, OUTAGE]
    found = weigh(ByWords(), text, labels)
    assert found == weigh(ByWords(), text, labels)
    for each in found.labels:
        last = 0
        for span in each.spans:
            assert last <= span.start < span.end <= len(text)
            assert -1 <= span.weight <= 1
            assert not text[span.start].isspace()
            assert not text[span.end - 1].isspace()
            last = span.end


@settings(max_examples=60, deadline=None)
@given(text=SOME)
def test_a_weight_is_what_the_score_loses_without_the_span(text: str) -> None:
    reader = ByWords()
    for each in weigh(reader, text, [NEGATIVE_LABEL, COMPLAINT]).labels:
        for span in [] if each.by_parts else each.spans:
            (left,) = reader.classify([without(text, span.start, span.end)])
            scores = left.sentiment_scores if each.label is NEGATIVE_LABEL else left.intent_scores
            assert span.weight == pytest.approx(each.score - scores[each.label.name])


@given(before=st.text(max_size=8), gone=st.text(min_size=1, max_size=8), after=st.text(max_size=8))
def test_leaving_out_joins_no_words_and_loses_no_others(before: str, gone: str, after: str) -> None:
    left = without(before + gone + after, len(before), len(before) + len(gone))
    assert left.split() == f"{before} {after}".split() or "".join(left.split()) == "".join((before + after).split())
    if before and after and before[-1].isalnum() and after[0].isalnum():
        assert before + after != left
