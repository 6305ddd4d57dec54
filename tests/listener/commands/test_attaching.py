"""Pictures on what was said are shown with their descriptions; pictures on what we say are approved like its words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from listener.store import attachments, tables
from listener.store.inbox import Draft
from listener.types import DraftState, Media
from tests.listener.commands.desk_world import DANGEROUS, REPLY, DeskWorld
from tests.listener.desk.picture_files import SECRET, jpeg, png

LIGHT = "La luz verde del router"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskWorld]:
    world = DeskWorld(tmp_path)
    (tmp_path / "light.jpg").write_bytes(jpeg())
    (tmp_path / "cable.png").write_bytes(png())
    yield world
    world.close()


def edit(desk: DeskWorld, *args: str, actor: str = "ana") -> Any:
    return desk.run("edit", "D1", *args, actor=actor)


def attach(desk: DeskWorld, *, actor: str = "ana") -> None:
    done = edit(desk, "--image", str(desk.folder / "light.jpg"), "--alt", LIGHT, actor=actor)
    assert done.exit_code == 0, done.output


def images(desk: DeskWorld) -> list[tuple[str, str]]:
    with desk.store.read() as tx:
        return [(each.name, each.alt["es"]) for each in attachments.of_draft(tx, 1)]


def flat(text: str) -> str:
    return " ".join(text.split())


# --- what we say ---


def test_a_picture_stands_under_the_reply_with_name_size_and_description(desk: DeskWorld) -> None:
    desk.draft()
    done = edit(desk, "--image", str(desk.folder / "light.jpg"), "--alt", LIGHT)
    assert f"with light.jpg (JPEG, 211 bytes): “{LIGHT}”" in flat(done.stdout)
    assert REPLY in flat(done.stdout)
    assert "D1 is edited. To send it: escucha approve D1" in done.stdout
    assert "→ [picture] Hola Ana" in flat(desk.run("inbox").stdout)
    shown = json.loads(desk.run("show", "D1", "--json").stdout)
    assert shown["draft"]["images"] == 1
    assert shown["images"] == [
        {"name": "light.jpg", "content_type": "image/jpeg", "size": 211, "alt": {"es": LIGHT}},
    ]


def test_where_the_photo_was_taken_is_not_even_stored(desk: DeskWorld) -> None:
    desk.draft()
    attach(desk)
    assert SECRET in (desk.folder / "light.jpg").read_bytes()
    with desk.store.read() as tx:
        (picture,) = attachments.to_send(tx, draft_id=1, language="es")
    assert SECRET not in picture.data


def test_several_pictures_each_have_their_own_description_and_take_the_place_of_what_was_there(desk: DeskWorld) -> None:
    desk.draft()
    attach(desk)
    files = [str(desk.folder / name) for name in ("cable.png", "light.jpg")]
    done = edit(desk, "--image", files[0], "--alt", "un cable", "--image", files[1], "--alt", "una luz")
    assert done.exit_code == 0, done.output
    assert images(desk) == [("cable.png", "un cable"), ("light.jpg", "una luz")]
    assert "[2 pictures] Hola" in flat(desk.run("inbox").stdout)
    assert edit(desk, "--no-image").exit_code == 0
    assert images(desk) == []


def test_words_and_picture_can_change_together(desk: DeskWorld) -> None:
    desk.draft()
    edit(desk, "--text", "Debe verse así.", "--image", str(desk.folder / "light.jpg"), "--alt", LIGHT)
    shown = json.loads(desk.run("show", "D1", "--json").stdout)
    assert (shown["draft"]["text"], len(shown["images"])) == ("Debe verse así.", 1)
    edit(desk, "--text", "Así.")
    assert images(desk) == [("light.jpg", LIGHT)], "other words leave the picture"


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (
            ("--image", "light.jpg"),
            "for each --image, in the same order (there are 0 for 1).",
        ),
        (("--image", "light.jpg", "--alt", " "), "light.jpg needs a description, for those who cannot see it"),
        (("--alt", "x"), "--alt describes a picture; name its file with --image FILE."),
        (("--no-image",), "D1 has no picture."),
        (("--no-image", "--alt", "x"), "--no-image takes it away; give one of them."),
        (("--no-image", "--image", "light.jpg", "--alt", "x"), "Give --image or --no-image, not both"),
        (("--image", "none.png", "--alt", "x"), "There is no file none.png; name the picture's file."),
        (("--image", ".", "--alt", "x"), ". is no file; name a picture's file."),
        (("--image", "escucha.toml", "--alt", "x"), "escucha.toml is no PNG, JPEG, GIF or WebP picture"),
        (("--image", "light.jpg", "--alt", "x" * 1501), "has 1,501 characters, and sandbox takes 1,500; shorten it."),
        (("--image", "light.jpg", "--alt", "a\u202eb"), r"holds '\u202e', which nobody can read; remove it."),
        (
            ("--image", "light.jpg", "--alt", "llama al 612 345 678"),
            "of light.jpg: The reply would show",
        ),
    ],
)
def test_a_picture_that_cannot_go_out_is_refused_in_a_sentence_and_nothing_changes(
    desk: DeskWorld, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(desk.folder)
    draft = desk.draft()
    done = edit(desk, *args)
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert not DANGEROUS.search(done.stderr)
    assert desk.now_is(draft).edit == draft.edit
    assert images(desk) == []


def test_another_picture_needs_another_approval(desk: DeskWorld) -> None:
    draft = desk.draft()
    attach(desk, actor="luis")
    assert desk.run("approve", "D1", "--yes").exit_code == 0
    assert desk.now_is(draft).state is DraftState.APPROVED
    edit(desk, "--image", str(desk.folder / "cable.png"), "--alt", "un cable", actor="luis")
    assert desk.now_is(draft).state is DraftState.PROPOSED
    refused = desk.run("approve", "D1")
    assert refused.exit_code == 2
    assert "its pictures were changed" in refused.stderr
    assert "with cable.png" in refused.stdout
    assert desk.run("approve", "D1").exit_code == 0


def test_nothing_is_approved_with_a_picture_that_was_swapped_while_somebody_looked(desk: DeskWorld) -> None:
    desk.draft()
    desk.run("show", "D1")
    attach(desk, actor="luis")
    assert desk.run("approve", "D1").exit_code == 2
    assert desk.states() == {"proposed"}


def test_the_picture_goes_with_the_words_when_the_mention_is_deleted(desk: DeskWorld) -> None:
    desk.draft()
    attach(desk)
    desk.is_deleted(1)
    with desk.store.read() as tx:
        assert tx.scalar(select(func.count()).select_from(tables.attachments)) == 0


def test_what_is_on_its_way_keeps_its_picture_until_it_is_settled(desk: DeskWorld) -> None:
    draft = desk.draft()
    attach(desk)
    desk.put(draft, DraftState.UNKNOWN)
    desk.is_deleted(1)
    assert images(desk) == [("light.jpg", LIGHT)]
    desk.run("settle", "D1", "--sent")
    assert images(desk) == []


# --- what they said ---

SHOWN = (
    Media(kind="image", url="https://files.example/1.png", alt="una luz roja"),
    Media(kind="video", url="https://files.example/2.mp4"),
    Media(kind="audio\x1b[31m", url="", alt="\u202egnp.exe"),
)


def heard(desk: DeskWorld, **more: Any) -> Draft | None:
    return desk.decides(desk.hears("Mirad esto", media=SHOWN, **more))


@pytest.mark.parametrize("command", ["show", "explain"])
def test_everything_they_showed_is_a_link_with_its_description(desk: DeskWorld, command: str) -> None:
    heard(desk)
    told = desk.run(command, "M1").stdout
    for words in (
        "[image] “una luz roja” https://files.example/1.png",
        "[video] (no description) https://files.example/2.mp4",
        r"[audio\x1b[31m] “\u202egnp.exe” (no link)",
    ):
        assert words in flat(told)
    assert not DANGEROUS.search(told)


def test_a_case_tells_what_they_showed_and_what_we_did(desk: DeskWorld) -> None:
    made = desk.decides(desk.hears("Mirad esto", media=SHOWN), open_case=True)
    assert made is not None
    attach(desk)
    desk.put(made, DraftState.SENT, sent_at=desk.clock(), decided_by="ana")
    case = desk.now_is(made).case_reference or ""
    told = desk.run("case", "show", case).stdout
    assert "[video] (no description) https://files.example/2.mp4" in flat(told)
    assert f"with light.jpg (JPEG, 211 bytes): “{LIGHT}”" in flat(told)
    assert not DANGEROUS.search(told)
    timeline = json.loads(desk.run("case", "show", case, "--json").stdout)["timeline"]
    said = next(each for each in timeline if each["kind"] == "said")
    assert said["media"][0] == {"kind": "image", "url": "https://files.example/1.png", "alt": "una luz roja"}


def test_the_inbox_only_marks_them(desk: DeskWorld) -> None:
    heard(desk)
    told = desk.run("inbox").stdout
    assert "[image +2] Mirad esto" in told
    assert "files.example" not in told
    listed = json.loads(desk.run("inbox", "--json").stdout)
    assert listed["drafts"][0]["mention_media"][1] == {"kind": "video", "url": "https://files.example/2.mp4", "alt": ""}


def test_what_was_only_repeated_is_shown_on_demand(desk: DeskWorld) -> None:
    desk.decides(desk.hears("Sigo igual.", quoted="> El lunes escribisteis:\n> está resuelto\n-- \nAna\x1b[2J"))
    told = desk.run("show", "M1").stdout
    assert "and 4 lines that it only repeats: `escucha show M1 --quoted` shows it" in flat(told)
    assert "resuelto" not in told
    told = desk.run("show", "M1", "--quoted").stdout
    assert "> está resuelto" in told
    assert not DANGEROUS.search(told)
    assert "It repeats nothing." in desk.run("show", f"M{desk.hears('Hola')}", "--quoted").stdout


@pytest.mark.parametrize("command", ["show", "explain"])
def test_why_the_network_takes_no_answer_is_said(desk: DeskWorld, command: str) -> None:
    desk.decides(desk.hears("Mirad", unanswerable="the thread is locked"), reply=None)
    assert "the thread is locked" in desk.run(command, "M1").stdout
    assert json.loads(desk.run(command, "M1", "--json").stdout)["mention"]["unanswerable"] == "the thread is locked"
