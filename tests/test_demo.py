"""The demo plays, tells the truth about it, and leaves something behind that the other commands work on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors import sandbox
from listener import store
from listener.commands import demo, demo_check, demo_script
from listener.store import decisions, inbox, mentions
from listener.types import DraftState

ROOT = Path(__file__).parent.parent
QUERIES = tuple(demo_script.read()[0].queries.values())
HANDLE = demo_script.read()[0].handle


def escucha(*words: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ESCUCHA_")}
    return subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *words],
        cwd=cwd,
        env=clean | {"PYTHONPATH": str(ROOT)} | (env or {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, dict[str, Any]]:
    """The folder in which the demo was played twice, what it printed first, and its summary from the second time."""
    folder = tmp_path_factory.mktemp("played")
    first = escucha("demo", "--speed", "1000", cwd=folder)
    assert (first.returncode, first.stderr) == (0, ""), first.stdout
    again = escucha("demo", "--speed", "1000", "--json", cwd=folder)
    assert (again.returncode, again.stderr) == (0, ""), again.stdout
    return folder, first.stdout, json.loads(again.stdout)


def spoken() -> int:
    """How many posts the script has that one of our queries finds."""
    return sum(step.verb == "say" for step in demo_script.read()[1])


def test_the_script_is_always_the_same() -> None:
    assert demo_script.read() == demo_script.read()
    steps = demo_script.read()[1]
    names = {step.id for step in steps if step.id}
    for step in steps:
        for name in (step.approve, step.reword, step.reject, step.note, step.edit, step.delete):
            assert not name or name in names
        assert step.reply_to.removeprefix("our ") in {*names, ""}


@pytest.mark.slow
def test_the_summary_adds_up(played: tuple[Path, str, dict[str, Any]]) -> None:
    _, _, summary = played
    assert summary["mentions"] == spoken()
    assert summary["decided"] > summary["mentions"], "the edited post is decided twice"
    assert (summary["lost"], summary["duplicates"], summary["trouble"]) == (0, 0, [])
    assert summary["replies_sent"] == summary["drafts"]["sent"] > 0
    assert summary["drafts"]["proposed"] > 0, "something is left to try"
    assert summary["drafts"]["rejected"] > 0
    assert summary["drafts"]["unknown"] == summary["drafts"]["failed"] == 0
    assert summary["notices_sent"] == 2
    assert summary["cases"]["open"] > 0


@pytest.mark.slow
def test_what_is_left_can_be_gone_on_with(played: tuple[Path, str, dict[str, Any]]) -> None:
    folder, _, summary = played
    settings = ("--config", "demo/escucha.toml")
    opened = store.open(f"sqlite:///{folder}/demo/escucha.db")
    with opened.read() as tx:
        draft = inbox.waiting(tx)[0]
    for words in (
        ["inbox"],
        ["inbox", "--json"],
        ["show", f"M{draft.mention_id}"],
        ["explain", f"M{draft.mention_id}"],
        ["case", "list"],
        ["notice", "status"],
        ["status"],
        ["approve", f"D{draft.id}"],
        ["run", "--once"],
    ):
        done = escucha(*settings, *words, cwd=folder)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        assert done.stdout.strip()
    with opened.read() as tx:
        assert inbox.get(tx, draft.id).state is DraftState.SENT
        assert len(inbox.waiting(tx, states=(DraftState.SENT,))) == summary["replies_sent"] + 1
    opened.close()


@pytest.mark.slow
def test_the_valued_customer_is_known_from_her_first_post(played: tuple[Path, str, dict[str, Any]]) -> None:
    opened = store.open(f"sqlite:///{played[0]}/demo/escucha.db")
    with opened.read() as tx:
        hello = mentions.by_external_id(tx, "sandbox", "2")
        assert hello is not None
        decided = decisions.decisions_of(tx, hello.id)
    opened.close()
    assert "roaming" in hello.text
    assert [decision.urgency for decision in decided] == ["high"]


@pytest.mark.parametrize(("on_path", "made"), [(True, True), (False, True), (False, False)])
def test_the_commands_to_try_can_be_typed_as_they_stand(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    on_path: bool,
    made: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    if made:
        (binaries / "activate").touch()
    monkeypatch.setattr(sys, "executable", str(binaries / "python"))
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if on_path else None)
    numbers = dict.fromkeys(("mentions", "decided", "replies_sent", "notices_sent", "duplicates", "lost"), 0)
    summary = demo.Summary(folder=Path("demo"), drafts={}, cases={}, trouble=(), seconds=1.0, **numbers)
    demo._tell(summary, 1, 1)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert (". .venv/bin/activate" in lines) is (made and not on_path)


@pytest.mark.slow
def test_it_plays_the_same_every_time(played: tuple[Path, str, dict[str, Any]]) -> None:
    _, printed, summary = played
    drafts = ", ".join(f"{number} {state}" for state, number in summary["drafts"].items() if number)
    assert f"{summary['mentions']} mentions heard, {summary['decided']} decisions" in printed
    assert f"{sum(summary['drafts'].values())} answers drafted: {drafts}" in printed
    assert f"{summary['replies_sent']} answers and {summary['notices_sent']} notices" in printed


def test_a_folder_that_is_no_demo_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("do not touch")
    refused = escucha("demo", "--dir", str(tmp_path), cwd=tmp_path)
    assert refused.returncode == 2
    assert "choose another folder" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_settings_from_outside_are_refused(tmp_path: Path) -> None:
    """They could point the demo at a real database."""
    done = escucha("demo", cwd=tmp_path, env={"ESCUCHA_DATABASE__URL": "sqlite:///real.db"})
    assert done.returncode == 2
    assert "ESCUCHA_DATABASE__URL" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_elsewhere_than_on_a_terminal_it_prints_plain_lines(played: tuple[Path, str, dict[str, Any]]) -> None:
    _, printed, _ = played
    assert "\x1b" not in printed
    for pattern in (
        r"@carla_ejemplo \(platinum\): .*TERCERA",
        r"deleted @hugo_ejemplo",
        r"\(edited\): Retiro lo dicho",
        r"published notice N1 in es",
        r"source \w+: the sandbox does not answer",
        r"0 lost, 0 said twice",
        r"escucha --config demo/escucha.toml run --once",
    ):
        assert re.search(pattern, printed), pattern


class TestCheck:
    """The comparison finds what it is there to find."""

    @pytest.fixture
    def left(self, played: tuple[Path, str, dict[str, Any]], tmp_path: Path) -> Any:
        """A copy of what the demo left: the database, the world, and the check of the two."""
        for name in ("escucha.db", "sandbox.db"):
            source = store.connect(f"sqlite:///{played[0]}/demo/{name}")
            source.backup(tmp_path / name)
            source.close()
        opened = store.open(f"sqlite:///{tmp_path}/escucha.db")
        world = sandbox.World(tmp_path / "sandbox.db")
        yield world, lambda: demo_check.check(opened, world, handle=HANDLE, queries=QUERIES)
        world.close()
        opened.close()

    @pytest.mark.slow
    def test_all_is_well(self, left: Any) -> None:
        _, check = left
        assert check() == demo_check.Check(lost=(), duplicates=())

    @pytest.mark.slow
    def test_what_was_never_heard_is_lost(self, left: Any) -> None:
        world, check = left
        world.person("@ana_ejemplo").post(f"{HANDLE} ¿hola?")
        world.person("@ana_ejemplo").post("nada que ver")
        assert len(check().lost) == 1

    @pytest.mark.slow
    def test_an_edit_or_a_deletion_that_nobody_noticed_is_lost(self, left: Any) -> None:
        world, check = left
        first, second, *_ = world.posts_by("@ana_ejemplo")
        world.edit(str(first["id"]), f"{HANDLE} otra cosa")
        world.delete(str(second["id"]))
        assert len(check().lost) == 2

    @pytest.mark.slow
    def test_an_answer_without_a_draft_was_said_twice(self, left: Any) -> None:
        world, check = left
        ours = world.posts_by(HANDLE)[0]
        world.post(HANDLE, ours["text"], parent=str(ours["parent"]) if ours["parent"] else None)
        assert len(check().duplicates) == 1

    @pytest.mark.slow
    def test_an_answer_that_is_not_there_was_lost(self, left: Any) -> None:
        world, check = left
        world.delete(str(world.posts_by(HANDLE)[0]["id"]))
        assert len(check().lost) == 1
