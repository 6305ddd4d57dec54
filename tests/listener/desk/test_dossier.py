"""What is held about a person, handed to them: all that is theirs, nothing of others, nothing that runs."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import insert

from listener.desk import dossier_words
from listener.store import dossiers, personal
from listener.store import tables as t
from listener.types import DraftState, Media
from tests.listener.commands.desk_world import DeskWorld

FORMULA = '=HYPERLINK("http://evil.example","x") <script>alert(1)</script> \u202eoculto'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    yield made
    made.close()


def test_every_table_about_people_is_handed_over_or_says_why_not() -> None:
    about_people = {name for name, held in personal.HELD.items() if held.whose is not None}
    assert dossiers.TABLES | set(dossiers.LEFT_OUT) == about_people
    assert not dossiers.TABLES & set(dossiers.LEFT_OUT)


def test_both_languages_have_a_word_for_everything() -> None:
    for words in (dossier_words.ES, dossier_words.EN):
        assert set(words.kinds) == set(dossiers.KINDS)
    assert set(dossier_words.ES.columns) == set(dossier_words.EN.columns)


class Tags(HTMLParser):
    """Every tag of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]


def told(world: DeskWorld) -> Path:
    """Ana wrote, was answered with a picture, and quoted Luis, who wrote too."""
    draft = world.decides(
        world.hears(FORMULA, quoted="palabras de Luis", media=(Media(kind="image", url="https://m.example/1.png"),)),
        open_case=True,
    )
    assert draft is not None
    world.put(draft, DraftState.SENT, sent_at=world.clock())
    world.decides(world.hears("palabras de Luis", who="luis", thread="p1"))
    world.knows("ana")
    with world.store.write() as tx:
        values = {"name": "../../a b.png", "content_type": "image/png", "data": b"\x89PNG", "alt": {}}
        tx.execute(insert(t.attachments).values(draft_id=draft.id, **values))
    return world.folder / "for-ana"


def test_all_that_is_theirs_is_there_and_nothing_of_others(world: DeskWorld) -> None:
    folder = told(world)
    done = world.run("customer", "export", "C-0042", "--to", str(folder), "--language", "es")
    assert done.exit_code == 0, done.output
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "Sus datos en" in page
    assert "Lo que le respondimos" in page
    assert "sentimos la interrupción" in page
    whole = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"Luis" not in whole
    assert b"luis" not in whole
    posts = json.loads((folder / "posts.json").read_text(encoding="utf-8"))
    assert [post["text"] for post in posts] == [FORMULA]
    assert posts[0]["media"][0]["url"] == "https://m.example/1.png"
    assert (folder / "picture-1-answer-1-..-..-a-b.png").read_bytes() == b"\x89PNG"
    assert {path.stem for path in folder.glob("*.json")} >= {
        "record",
        "accounts",
        "posts",
        "readings",
        "answers",
        "cases",
    }
    told_to_the_record = world.run("audit", "show", "--subject", "customer C-0042", "--json")
    assert [each["action"] for each in json.loads(told_to_the_record.stdout)["entries"]][-1] == "customer.exported"


def test_nothing_in_it_runs(world: DeskWorld) -> None:
    folder = told(world)
    assert world.run("customer", "export", "C-0042", "--to", str(folder)).exit_code == 0
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "script" not in Tags(page).seen
    assert "\u202e" not in page
    for path in folder.glob("*.csv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.reader(file):
                assert not [cell for cell in row if cell[:1] in tuple("=+-@\t\r")], path


def test_it_goes_over_nothing_and_is_its_owners_alone(world: DeskWorld) -> None:
    folder = told(world)
    folder.mkdir()
    assert world.run("customer", "export", "C-0042", "--to", str(folder)).exit_code == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = world.run("customer", "export", "C-0042", "--to", str(folder))
    assert (again.exit_code, "exists already" in again.output) == (2, True)
    assert before == {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    (world.folder / "link").symlink_to(world.folder / "elsewhere")
    assert world.run("customer", "export", "C-0042", "--to", str(world.folder / "link")).exit_code == 2
    assert world.run("customer", "export", "C-nobody", "--to", str(world.folder / "new")).exit_code == 2
    assert not (world.folder / "new").exists()
    assert list(world.folder.glob("*.part")) == []


def test_an_account_of_nobody_is_handed_over_too(world: DeskWorld) -> None:
    world.hears("hola")
    done = world.run("customer", "export", "sandbox:@ana", "--to", str(world.folder / "out"), "--json")
    assert json.loads(done.stdout)["counts"]["posts"] == 1
