"""Articles drafted from solved cases, and how a person's words leave them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.desk import cases as desk_cases
from listener.store import articles, cases, quotes
from listener.types import DraftState
from tests.listener.commands.desk_world import DeskWorld
from tests.listener.commands.test_kb import said
from tests.listener.desk.test_extracting import HELPED, SAID
from tests.listener.model.by_vectors import ByVectors

PROBLEM = "Mi router parpadea en rojo desde ayer y no tengo internet!!"
SOLUTION = "Espera a que la luz del router esté verde."


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskWorld]:
    monkeypatch.chdir(tmp_path)
    world = DeskWorld(tmp_path)
    world.classifier = ByVectors()
    yield world
    world.close()


def solved(desk: DeskWorld, text: str = SAID) -> str:
    """A case in which ana asked and was answered; gives its reference."""
    draft = desk.decides(desk.hears(text), reply=HELPED, open_case=True)
    assert draft is not None
    desk.put(draft, DraftState.SENT, sent_at=desk.clock())
    with desk.store.write() as tx:
        (case,) = cases.listing(tx)
        reference = case.reference
    said(desk, "case", "resolve", reference, "--note=Cambiado el filtro de la centralita")
    return reference


def test_a_draft_takes_problem_and_solution_and_leaves_the_person(desk: DeskWorld) -> None:
    reference = solved(desk)
    told = said(desk, "kb", "draft", "--case", reference)
    assert PROBLEM in told
    assert SOLUTION in told
    assert "Cambiado el filtro de la centralita" in told
    for personal in ("Ana", "García", "612", "@marca"):
        assert personal not in told
    made = json.loads(said(desk, "kb", "show", "K1", "--json"))
    assert (made["case"], made["state"], made["audience"]) == (reference, "draft", "internal")
    with desk.store.read() as tx:
        kept = quotes.of_mentions(tx, [1])
    assert {(each.words, each.draft_id) for each in kept} >= {(PROBLEM, None), (SOLUTION, 1)}


def test_what_was_answered_is_found_after_a_split_and_a_merge(desk: DeskWorld) -> None:
    first = desk.decides(desk.hears("¿Cómo activo el roaming para viajar a Chile?"), reply=None, open_case=True)
    assert first is None
    answered = desk.hears("Me cobraron doble la factura de este mes. ¿Qué hago con la factura doble?")
    draft = desk.decides(answered, reply="Lo sentimos, Ana: anulamos la factura doble desde aquí.")
    assert draft is not None
    with desk.store.write() as tx:
        (case,) = cases.listing(tx)
        cases.attach(tx, case, answered, why="the same person", by="policy", now=desk.clock())
    desk.put(draft, DraftState.SENT, sent_at=desk.clock())
    split = json.loads(said(desk, "case", "split", case.reference, f"M{answered}", "--json"))["reference"]
    said(desk, "case", "resolve", split, "--note=Abono en la siguiente factura")
    said(desk, "case", "merge", case.reference, split)
    said(desk, "case", "resolve", case.reference)
    for reference in (split, case.reference):
        made = json.loads(said(desk, "kb", "draft", "--case", reference, "--json"))["texts"]["es"]
        assert made["title"] == "¿Qué hago con la factura doble?"
        assert made["answer"] == "Anulamos la factura doble desde aquí."
        assert made["body"].endswith("Anulamos la factura doble desde aquí.\nAbono en la siguiente factura")
        assert "roaming" not in made["body"]


def test_what_was_taken_out_is_said_in_the_language_of_the_article(desk: DeskWorld) -> None:
    told = said(desk, "kb", "draft", "--case", solved(desk, "Pregunté a @luis por la luz roja de mi router, AB-12345"))
    assert "Pregunté a @alguien por la luz roja de mi router, (referencia)" in told
    assert "someone" not in told


def test_what_must_not_stand_in_it_is_hidden(desk: DeskWorld) -> None:
    told = said(desk, "kb", "draft", "--case", solved(desk), "--hide=internet", "--json")
    assert "internet" not in told


def test_a_case_that_is_not_solved_teaches_nothing_yet(desk: DeskWorld) -> None:
    desk.decides(desk.hears(SAID), reply=HELPED, open_case=True)
    with desk.store.read() as tx:
        (case,) = cases.listing(tx)
    assert f"{case.reference} is open; an article is drafted from a case that is solved." in said(
        desk, "kb", "draft", "--case", case.reference, code=2
    )


def test_a_case_without_an_answer_says_too_little(desk: DeskWorld) -> None:
    assert "does not say enough" in said(desk, "kb", "draft", "--case", solved(desk, "Gracias"), code=2)


@pytest.fixture
def published(desk: DeskWorld) -> DeskWorld:
    """An article that was drafted from ana's case, edited, and published."""
    said(desk, "kb", "draft", "--case", solved(desk))
    said(desk, "kb", "edit", "K1", "--answer=Espera un poco.", actor="luis")
    said(desk, "kb", "review", "K1@2", "--accept", actor="eva")
    said(desk, "kb", "publish", "K1")
    assert "K1@2" in said(desk, "kb", "search", "router", "rojo")
    return desk


def test_deleted_words_leave_every_version_and_the_article_is_read_before_it_is_found_again(
    published: DeskWorld,
) -> None:
    desk = published
    desk.is_deleted(1)
    with desk.store.read() as tx:
        found = articles.versions(tx, articles.get(tx, 1))
        assert quotes.of_mentions(tx, [1]) == []
    for version in found:
        body = version.written.texts["es"].body
        assert PROBLEM not in body
        assert SOLUTION in body, "our own words stay"
        assert "luz roja" not in version.written.texts["es"].title
    assert said(desk, "kb", "search", "router") == "No article was found.\n"
    (listed,) = json.loads(said(desk, "kb", "list", "--needs-review", "--json"))["articles"]
    assert listed["concerns"][0]["what"] == "doubted"
    said(desk, "kb", "look", "K1")
    assert "K1@2" in said(desk, "kb", "search", "router", "verde")


def test_what_others_said_stays(published: DeskWorld) -> None:
    other = published.hears("Nada que ver", who="luis")
    published.is_deleted(other)
    assert "K1@2" in said(published, "kb", "search", "router", "rojo")


def test_the_desk_can_ask_what_of_a_person_stands_in_articles(published: DeskWorld) -> None:
    with published.store.read() as tx:
        found = quotes.of_mentions(tx, [1])
    assert PROBLEM in [each.words for each in found if each.draft_id is None]
    assert {each.article_id for each in found} == {1}


def test_the_reference_may_be_typed_as_people_type_it(desk: DeskWorld) -> None:
    reference = solved(desk)
    typed = reference.lower().replace("-", " ")
    assert desk_cases.parse_reference(typed, "ES-{yy}-{number:06}-{check}") == reference
    assert "K1@1" in said(desk, "kb", "draft", "--case", typed)


def test_who_is_erased_leaves_the_articles_of_their_case(published: DeskWorld) -> None:
    published.knows("ana")
    told = said(published, "customer", "erase", "C-0042", "--reason=asked for it", "--yes")
    assert "found       nothing" in told
    with published.store.read() as tx:
        found = articles.versions(tx, articles.get(tx, 1))
        assert quotes.of_mentions(tx, [1]) == []
    assert len(found) == 2
    for version in found:
        text = version.written.texts["es"]
        assert PROBLEM not in text.body
        assert SOLUTION in text.body
    assert said(published, "kb", "search", "router", "rojo") == "No article was found.\n"
    assert json.loads(said(published, "kb", "list", "--needs-review", "--json"))["articles"][0]["article"] == "K1"
