"""Articles are found by meaning and by words, alike on both databases, and only what is out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from listener.desk import searching, shelving, stems
from listener.desk.readers import Reader
from listener.store import articles
from listener.store import shelf as stored
from listener.store.articles import ArticleText
from tests.listener.desk.shelf_world import BILL, MODEL, ROUTER, Shelf, embed

ROAMING = ArticleText(title="What does roaming cost abroad?", body="Calls abroad cost as at home within the Union.")


@pytest.fixture
def filled(shelf: Shelf) -> Shelf:
    for text, language in ((ROUTER, "es"), (BILL, "es"), (ROAMING, "en")):
        shelf.publishes(shelf.writes(text, language=language))
    return shelf


@pytest.mark.parametrize(
    ("question", "article"),
    [
        ("mi router parpadea en rojo", 1),
        ("ROUTER PARPADEANDO", 1),
        ("me cobraron dos facturas", 2),
        ("cobro de la factura", 2),
        ("costs of calling abroad", 3),
        ("averia", 1),
    ],
)
def test_words_are_found_whatever_their_form(filled: Shelf, question: str, article: int) -> None:
    best = filled.finds(question, meaning=False)[0]
    assert best.article_id == article
    assert best.likeness is None
    assert best.words > 0


def test_rare_words_count_more_and_small_ones_not_at_all(filled: Shelf) -> None:
    assert filled.finds("the a de la con y", meaning=False) == []
    assert filled.finds("zzz", meaning=False) == []
    for number in range(4):
        filled.publishes(filled.writes(replace(BILL, title=f"El día del cobro {number}")))
    assert next(hit.article_id for hit in filled.finds("día fibra", meaning=False)) == 1


def test_a_word_says_more_of_a_short_text_than_of_a_long_one(filled: Shelf) -> None:
    told = "Por el roaming se paga aparte fuera de la Unión."
    for body in (f"{told} {BILL.body} {ROUTER.body}", told):  # the long one is the older: it would win a tie
        filled.publishes(filled.writes(ArticleText(title="Fuera de casa", body=body)))
    assert [hit.article_id for hit in filled.finds("roaming fuera de la Unión", meaning=False)][:2] == [5, 4]


def test_meaning_finds_what_no_word_does(filled: Shelf) -> None:
    with filled.store.read() as tx:
        vector = embed(["luz roja router"])[0]
        (hit, *_) = searching.search(tx, "zzz", vector=vector, model=MODEL, reader=None)
    assert (hit.article_id, hit.words) == (1, 0)
    assert hit.likeness == pytest.approx(_likeness("luz roja router", ROUTER), abs=2e-3)  # kept in 16 bits


def test_what_is_like_nothing_finds_nothing(filled: Shelf) -> None:
    assert filled.finds("zzz") == []


def test_one_word_in_common_does_not_outweigh_the_meaning(filled: Shelf) -> None:
    with filled.store.read() as tx:
        vector = embed(["luz roja router parpadea"])[0]
        question = (
            "cuándo vuelve la conexión en casa, llevo toda la tarde sin nada y así no se puede trabajar, el cinco"
        )
        found = [hit.article_id for hit in searching.search(tx, question, vector=vector, model=MODEL, reader=None)]
    assert found[0] == 1, "`cinco` stands in the second"


def test_every_word_in_common_is_all_that_words_can_say(filled: Shelf) -> None:
    (hit, *_) = filled.finds("luz roja router", meaning=False)
    assert 0.5 < hit.words <= 1
    (less, *_) = filled.finds("luz de unicornio verde", meaning=False)
    assert 0 < less.words < hit.words / 2


def _likeness(question: str, text: ArticleText) -> float:
    vectors = embed(list(shelving.passages(text)))
    return float(np.max(vectors @ embed([question])[0]))


def test_an_article_in_two_languages_is_found_once(shelf: Shelf) -> None:
    first = shelf.writes(ROUTER)
    english = ArticleText(title="Why does the red light on the router blink?", body="There is no fibre signal.")
    shelf.publishes(shelf.rewrites(first, english, language="en"))
    for question, language in (("luz roja router", "es"), ("red light blinks router", "en")):
        (hit,) = shelf.finds(question)
        assert (hit.article_id, hit.language) == (1, language)


def test_only_what_is_out_is_found_and_at_once(shelf: Shelf) -> None:
    written = shelf.writes()
    assert shelf.finds("luz roja") == []
    out = shelf.publishes(written)
    assert [hit.article_id for hit in shelf.finds("luz roja")] == [1]
    later = shelf.rewrites(out, replace(ROUTER, title="La lámpara verde", body="Todo bien.", answer=""))
    assert shelf.finds("lámpara verde", meaning=False) == []
    shelf.publishes(later)
    assert shelf.finds("lámpara verde", meaning=False)
    assert shelf.finds("luz roja", meaning=False) == []
    shelf.retires(later)
    assert shelf.finds("lámpara verde") == []


def test_the_shelf_is_read_once_and_again_only_when_it_changed(filled: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.finds("luz")
    reads = []
    everything = stored.everything
    monkeypatch.setattr(stored, "everything", lambda tx: reads.append(1) or everything(tx))
    for _ in range(3):
        filled.finds("luz")
    assert reads == []
    filled.publishes(filled.writes(replace(BILL, title="Otra cosa")))
    filled.finds("luz")
    filled.finds("luz")
    assert reads == [1]


def test_what_a_broken_model_has_not_read_is_found_by_words_until_it_is_read(shelf: Shelf) -> None:
    shelf.publishes(shelf.writes(), reads=False)
    assert [hit.likeness for hit in shelf.finds("luz roja")] == [None]
    with shelf.store.write() as tx:
        assert shelving.again(tx, model=MODEL, embed=embed) == 1
    assert shelf.finds("luz roja")[0].likeness is not None
    with shelf.store.write() as tx:
        assert shelving.again(tx, model=MODEL, embed=embed) == 0


def test_the_vectors_of_another_model_are_not_compared(filled: Shelf) -> None:
    with filled.store.read() as tx:
        hits = searching.search(tx, "luz roja", vector=np.ones(7), model="another", reader=None)
    assert [(hit.article_id, hit.likeness) for hit in hits] == [(1, None)]


def test_a_crowd_that_one_may_not_read_does_not_hide_what_one_may(shelf: Shelf) -> None:
    for number in range(60):
        shelf.publishes(shelf.writes(replace(ROUTER, answer=f"luz roja luz roja router {number}"), teams=("secret",)))
    shelf.publishes(shelf.writes(ROUTER))
    reader = Reader(name="eva", roles=frozenset({"agent"}), teams=frozenset({"billing"}))
    assert [hit.article_id for hit in shelf.finds("luz roja router", reader=reader)] == [61]


def test_long_texts_are_read_in_passages_and_only_so_far() -> None:
    text = ArticleText(title="t", answer="a", body="word " * 5000)
    pieces = list(shelving.passages(text))
    assert len(pieces) == shelving.PASSAGES
    assert pieces[:2] == ["t", "t. a"]
    assert {len(piece.split()) for piece in pieces[2:]} == {shelving.WORDS}


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("es", "facturación", "facturas"),
        ("es", "señal", "senal"),
        ("en", "charged", "charging"),
        ("es-mx", "tarifas", "TARIFA"),
    ],
)
def test_forms_of_a_word_have_one_stem(language: str, one: str, other: str) -> None:
    assert list(stems.stems(one, language)) == list(stems.stems(other, language))


def test_a_language_without_rules_keeps_its_words() -> None:
    assert list(stems.stems("Parolas", "eo")) == ["parolas"]
    assert stems.number("red", "es") != stems.number("red", "en")


def test_the_published_version_is_what_is_told(filled: Shelf) -> None:
    with filled.store.read() as tx:
        assert {number: each.number for number, each in articles.published(tx).items()} == {1: 1, 2: 1, 3: 1}
