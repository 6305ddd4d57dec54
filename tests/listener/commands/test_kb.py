"""Articles on the command line: what is typed, what is printed, and what ends with which code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.store import tables
from tests.listener.commands.desk_world import DANGEROUS, DeskWorld
from tests.listener.model.by_vectors import ByVectors

ROUTER = (
    "--title=¿Por qué parpadea la luz roja del router?",
    "--answer=Reinicie el router y espere dos minutos.",
    "--body=No llega señal de fibra.",
)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskWorld]:
    monkeypatch.chdir(tmp_path)
    world = DeskWorld(tmp_path)
    world.classifier = ByVectors()
    yield world
    world.close()


def published(desk: DeskWorld, *options: str) -> str:
    """The name of a new article that is out."""
    name = (
        "K" + said(desk, "kb", "add", *(options or (*ROUTER, "--audience=public"))).partition("K")[2].partition("@")[0]
    )
    said(desk, "kb", "review", f"{name}@1", "--accept", actor="luis")
    said(desk, "kb", "publish", name)
    return name


def said(desk: DeskWorld, *args: str, code: int = 0, **given: str) -> str:
    result = desk.run(*args, **given)  # type: ignore[arg-type]
    assert result.exit_code == code, result.output
    return result.output


def test_from_the_first_words_to_the_shelf(desk: DeskWorld) -> None:
    assert "escucha kb add" in said(desk, "kb", "list")
    assert said(desk, "kb", "add", *ROUTER) == ("K1@1 is written. Somebody else must read it: escucha kb review K1@1\n")
    assert "escucha kb review K1@1 --accept" in said(desk, "kb", "review", "K1", actor="luis")
    assert "Say which version you read: escucha kb review K1@1" in said(
        desk, "kb", "review", "K1", "--accept", actor="luis", code=2
    )
    assert "You wrote K1@1" in said(desk, "kb", "review", "K1@1", "--accept", code=2)
    assert "escucha kb publish K1" in said(desk, "kb", "review", "K1@1", "--accept", actor="luis")
    assert said(desk, "kb", "publish", "K1") == "K1@1 is published.\n"
    found = json.loads(said(desk, "kb", "search", "router", "rojo", "--json"))["articles"]
    assert [(each["version"], each["language"]) for each in found] == [("K1@1", "es")]


def test_an_edit_is_shown_beside_what_is_published(desk: DeskWorld) -> None:
    published(desk)
    told = said(desk, "kb", "edit", "K1", "--answer=Reinicie el router y espere diez minutos.", "--why=slower now")
    assert told.startswith("K1@2 is written; K1@1 stays published until it is.")
    seen = said(desk, "kb", "review", "K1", actor="luis")
    assert "Reinicie el router y espere [-dos-]{+diez+} minutos." in seen
    assert "slower now" in seen
    assert json.loads(said(desk, "kb", "show", "K1", "--json"))["texts"]["es"]["answer"].endswith("dos minutos.")


def test_a_reviewer_is_warned_of_personal_data_and_of_a_missing_answer(desk: DeskWorld) -> None:
    said(desk, "kb", "add", "--title=¿A quién llamo?", "--body=Llame al 612 345 678.", "--audience=public")
    seen = said(desk, "kb", "review", "K1", actor="luis")
    assert "there is a phone number that the policy does not name as ours" in seen
    assert "there is no answer, so no reply can be made from it" in seen


def test_what_should_be_looked_at_again_is_listed_with_the_reason(desk: DeskWorld) -> None:
    published(desk, *ROUTER, "--product=Router X")
    assert said(desk, "kb", "list", "--needs-review") == "Nobody has to look at an article.\n"
    assert "they are about: Router X" in said(desk, "kb", "doubt", "--product=Y", "--reason=x", code=2)
    said(desk, "kb", "doubt", "--product=router x", "--reason=new firmware")
    (listed,) = json.loads(said(desk, "kb", "list", "--needs-review", "--json"))["articles"]
    assert listed["concerns"] == [{"what": "doubted", "words": "ana doubts it: new firmware"}]
    said(desk, "kb", "look", "K1")
    assert said(desk, "kb", "list", "--needs-review") == "Nobody has to look at an article.\n"


def test_agents_say_whether_it_helped(desk: DeskWorld) -> None:
    published(desk)
    assert "Say --useful or --not-useful" in said(desk, "kb", "rate", "K1", code=2)
    assert "what is wrong with it" in said(desk, "kb", "rate", "K1", "--not-useful", code=2)
    said(desk, "kb", "rate", "K1", "--useful")
    said(desk, "kb", "rate", "K1", "--not-useful", "--reason=the menu moved", actor="eva")
    shown = said(desk, "kb", "show", "K1")
    assert "to 1 of 2" in shown
    assert "the menu moved" in shown


def test_a_page_is_never_written_through_a_link_that_somebody_put_there(desk: DeskWorld, tmp_path: Path) -> None:
    published(desk)
    (tmp_path / "mine").write_text("precious", encoding="utf-8")
    (tmp_path / "out").mkdir()
    for name in ("K1.yaml", ".K1.yaml.part"):
        (tmp_path / "out" / name).symlink_to(tmp_path / "mine")
    assert "1 article written to out" in said(desk, "kb", "export", "out")
    assert (tmp_path / "mine").read_text(encoding="utf-8") == "precious"
    assert not (tmp_path / "out" / "K1.yaml").is_symlink()


def test_pages_go_out_and_come_back(desk: DeskWorld, tmp_path: Path) -> None:
    published(desk)
    assert "1 article written to out" in said(desk, "kb", "export", "out")
    assert "0 drafts written" in said(desk, "kb", "import", "out")
    page = tmp_path / "out" / "K1.yaml"
    page.write_text(page.read_text(encoding="utf-8").replace("dos minutos", "tres minutos"), encoding="utf-8")
    (tmp_path / "out" / "new.yaml").write_text("texts: {en: {title: What it is, body: It is.}}\n", encoding="utf-8")
    (tmp_path / "out" / "wrong.yaml").write_text("texts: {en: {title: What}}\n", encoding="utf-8")
    told = said(desk, "kb", "import", "out", code=3)
    assert "K1@2  edited" in told
    assert "K2@1  new" in told
    assert "wrong.yaml: The text in en says nothing; give it a body." in told


def test_control_characters_of_a_page_never_reach_the_terminal(desk: DeskWorld, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text('texts: {es: {title: "a\\e[2Jb", body: "x\\u202ey"}}\n', encoding="utf-8")
    told = said(desk, "kb", "add", "--file=bad.yaml", code=2)
    assert "holds characters that nobody can see" in told
    assert "\x1b" not in told
    assert "\x1b" not in said(desk, "kb", "search", "\x1b[2Jx", "--words-only")
    assert "\x1b" not in said(desk, "kb", "show", "\x1b[2J", code=2)


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (("show", "K9"), "There is no article K9; see `escucha kb list`."),
        (("show", "D7"), "D7 is no article; they look like K12"),
        (("show", "K1@7"), "K1 has no version 7; see `escucha kb history K1`."),
        (("show", "K1", "--language=fr"), "K1@1 has no text in fr; it has: es."),
        (("add",), "An editor needs a terminal; without one, give --title and --body, or --file."),
        (("add", "--title=x"), "The text in es says nothing; give it a body."),
        (("add", "--file=nowhere.yaml"), "nowhere.yaml is no file; name a page."),
        (("edit", "K1", "--title=¿Por qué parpadea la luz roja del router?"), "K1@1 says exactly that already."),
        (("publish", "K1"), "K1@1 is published already, by ana."),
        (("retire", "K1", "--reason= "), "Say in a few words why"),
        (("doubt", "--reason=x"), "Name the articles, such as K12, or --product NAME."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_are_told_with_the_next_step(desk: DeskWorld, typed: tuple[str, ...], told: str) -> None:
    published(desk)
    assert told in said(desk, "kb", *typed, code=2)


def test_what_is_retired_is_found_no_more(desk: DeskWorld) -> None:
    published(desk)
    said(desk, "kb", "retire", "K1", "--reason=the offer has ended")
    assert said(desk, "kb", "search", "router") == "No article was found.\n"
    assert "the offer has ended" in said(desk, "kb", "history", "K1")


def test_what_got_into_the_database_by_another_way_is_printed_safely(desk: DeskWorld) -> None:
    """Nothing that stands in an article, its notes or its ratings reaches the terminal as it is."""
    published(desk, *ROUTER, "--audience=public", "--product=X")
    said(desk, "kb", "rate", "K1", "--not-useful", "--reason=no")
    draft = desk.draft(said="Mi router parpadea con una luz roja")
    said(desk, "edit", f"D{draft.id}", "--from-article", "K1")
    bad = "router luz roja \x1b]0;x\x07\x1b[2J\u202e\u200b [red]"
    with desk.store.write() as tx:
        tx.execute(tables.article_texts.update().values(title=bad, answer=bad, body=f"{bad}\n{bad}"))
        tx.execute(tables.article_versions.update().values(why=bad, note=bad, product=bad, written_by=bad))
        tx.execute(tables.articles.update().values(doubt=bad, doubted_by=bad, looked_by=bad))
        tx.execute(tables.article_ratings.update().values(reason=bad, by=bad))
        tx.execute(tables.draft_articles.update().values(by=bad))
    for words in (
        ("kb", "list"), ("kb", "list", "--needs-review"), ("kb", "show", "K1"), ("kb", "history", "K1"),
        ("kb", "review", "K1"), ("kb", "search", "luz roja"), ("kb", "suggest", "M1"), ("show", "M1"),
        ("kb", "list", "--json"), ("kb", "show", "K1", "--json"), ("show", "M1", "--json"),
        ("kb", "doubt", "--product=y", "--reason=x"), ("explain", "M1", "--no-words"), ("kb", "export", "out"),
    ):  # fmt: skip
        told = desk.run(*words)
        assert told.exit_code in (0, 2), (words, told.output)
        assert not DANGEROUS.search(told.output), words
    for line in said(desk, "kb", "show", "K1").splitlines():
        assert len(line) <= 80
