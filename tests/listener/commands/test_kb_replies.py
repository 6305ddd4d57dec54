"""Articles beside mentions, replies made from them, and what becomes of those when the article changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.store import audit
from listener.types import DraftState
from tests.listener.commands.desk_world import DeskWorld
from tests.listener.commands.test_kb import ROUTER, published, said
from tests.listener.model.by_vectors import ByVectors

SAID = "Mi router parpadea con una luz roja, ¿por qué?"
ANSWER = "Reinicie el router y espere dos minutos."


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskWorld]:
    monkeypatch.chdir(tmp_path)
    world = DeskWorld(tmp_path)
    world.classifier = ByVectors()
    yield world
    world.close()


def test_an_article_is_suggested_beside_what_it_is_about(desk: DeskWorld) -> None:
    published(desk)
    near, far = desk.draft(said=SAID), desk.draft(said="Me encanta el nuevo anuncio, enhorabuena", who="luis")
    (found,) = json.loads(said(desk, "kb", "suggest", "M1", "--json"))["articles"]
    assert (found["version"], found["language"], found["answers"]) == ("K1@1", "es", True)
    assert f"escucha edit D{near.id} --from-article K1" in said(desk, "kb", "suggest", "M1")
    assert said(desk, "kb", "suggest", f"D{far.id}") == "No article is near M2.\n"
    shown = said(desk, "show", "M1")
    assert "known  K1@1" in shown
    assert json.loads(said(desk, "show", "M1", "--json"))["articles"] == [found]
    assert json.loads(said(desk, "show", "M2", "--json"))["articles"] == []


def test_what_was_deleted_is_beside_no_article(desk: DeskWorld) -> None:
    published(desk)
    desk.draft(said=SAID)
    desk.is_deleted(1)
    assert "was deleted by its author" in said(desk, "kb", "suggest", "M1", code=2)
    assert json.loads(said(desk, "show", "M1", "--json"))["articles"] == []


def test_a_reply_made_from_an_article_says_which_version(desk: DeskWorld) -> None:
    published(desk)
    draft = desk.draft(said=SAID)
    shown = said(desk, "edit", f"D{draft.id}", "--from-article", "K1")
    assert "from K1@1 in es" in shown
    assert desk.now_is(draft).text == ANSWER
    explained = json.loads(said(desk, "explain", f"D{draft.id}", "--json", "--no-words"))
    assert (explained["made_from"]["version"], explained["made_from"]["outdated"]) == ("K1@1", None)
    assert "K1@1 in es, taken by ana" in said(desk, "explain", f"D{draft.id}", "--no-words")
    with desk.store.read() as tx:
        entry = audit.last(tx, f"draft {draft.id}", "draft.from_article")
    assert entry is not None
    assert entry.detail["article"] == "K1@1"
    assert f"D{draft.id}" in said(desk, "kb", "show", "K1")


def test_a_waiting_reply_is_flagged_when_its_article_changes(desk: DeskWorld) -> None:
    published(desk)
    draft = desk.draft(said=SAID)
    said(desk, "edit", f"D{draft.id}", "--from-article", "K1")
    said(desk, "kb", "edit", "K1", "--answer=Espere cinco minutos.")
    said(desk, "kb", "review", "K1@2", "--accept", actor="luis")
    assert f"1 draft made from what it was, to be read again: D{draft.id}" in said(desk, "kb", "publish", "K1")
    assert "K1@1 is replaced by K1@2, and these words were taken from it" in " ".join(
        said(desk, "show", f"D{draft.id}").split()
    )
    refused = said(desk, "approve", f"D{draft.id}", input="n\n", code=2)
    assert "K1@1 is replaced by K1@2" in refused
    assert desk.now_is(draft).state is DraftState.PROPOSED
    said(desk, "edit", f"D{draft.id}", "--from-article", "K1")
    assert desk.now_is(draft).text == "Espere cinco minutos."
    said(desk, "approve", f"D{draft.id}")
    assert desk.now_is(draft).state is DraftState.APPROVED


def test_an_approved_reply_waits_again_when_its_article_is_retired(desk: DeskWorld) -> None:
    published(desk)
    made, other = desk.draft(said=SAID), desk.draft(said=SAID, who="luis")
    said(desk, "edit", f"D{made.id}", "--from-article", "K1")
    for draft in (made, other):
        said(desk, "approve", f"D{draft.id}", "--yes")
    said(desk, "kb", "retire", "K1", "--reason=wrong")
    assert (desk.now_is(made).state, desk.now_is(other).state) == (DraftState.PROPOSED, DraftState.APPROVED)
    with desk.store.read() as tx:
        entry = audit.last(tx, f"draft {made.id}", "draft.shown_again")
    assert entry is not None
    assert entry.detail["reason"] == "K1@1, from which it was made, is retired"


@pytest.mark.parametrize(
    ("article", "options", "told"),
    [
        (ROUTER, (), "K1@1 is internal; its words are not for everybody to read."),
        (("--title=t", "--body=b", "--audience=public"), (), "K1@1 has no answer in es; it has one in: none"),
        ((*ROUTER, "--audience=public"), ("--language=en",), "K1@1 has no answer in en; it has one in: es"),
        ((*ROUTER, "--audience=public"), ("--text=x",), "--from-article brings its own words"),
        (("--title=t", "--answer=Llame al 612 345 678", "--audience=public"), (), "phone number"),
        (("--title=t", f"--answer={'muy largo ' * 60}", "--audience=public"), (), "longer than the network takes"),
    ],
    ids=["internal", "no answer", "no language", "own words", "personal data", "too long"],
)
def test_an_article_that_cannot_be_said_is_refused(
    desk: DeskWorld, article: tuple[str, ...], options: tuple[str, ...], told: str
) -> None:
    published(desk, *article)
    draft = desk.draft(said=SAID)
    assert told in said(desk, "edit", f"D{draft.id}", "--from-article", "K1", *options, code=2)
    assert desk.now_is(draft).text == draft.text
    assert json.loads(said(desk, "show", "M1", "--json"))["made_from"] is None


def test_what_is_not_published_makes_no_reply(desk: DeskWorld) -> None:
    said(desk, "kb", "add", *ROUTER, "--audience=public")
    draft = desk.draft(said=SAID)
    assert "K1 is not published" in said(desk, "edit", f"D{draft.id}", "--from-article", "K1", code=2)
    published(desk, *ROUTER, "--audience=public")
    assert "K2@7 is not published; K2@1 is." in said(desk, "edit", f"D{draft.id}", "--from-article", "K2@7", code=2)
