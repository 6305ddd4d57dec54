"""Lists on a real terminal of 80 by 24: the most urgent stays in sight; in a pipe and in JSON nothing is left out."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pexpect
import pytest

from listener.types import DraftState, Urgency
from tests.listener.commands.desk_world import Clock, DeskWorld

ROOT = Path(__file__).parents[3]
STYLING = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskWorld]:
    world = DeskWorld(tmp_path, clock=Clock(datetime.now(UTC)))
    yield world
    world.close()


def seen(desk: DeskWorld, *args: str, lines: int = 24) -> list[str]:
    """The lines that a terminal of 80 columns gets; the last of them is the prompt's, not in here."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environment = {**inherited, "ESCUCHA_ACTOR": "ana", "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    shown, code = pexpect.run(
        f"{sys.executable} {ROOT / 'cli.py'} {' '.join(args)}",
        cwd=str(desk.folder),
        env=environment,
        dimensions=(lines, 80),
        encoding="utf-8",
        timeout=60,
        withexitstatus=True,
    )
    assert code == 0, shown
    found: list[str] = STYLING.sub("", shown).replace("\r", "").splitlines()
    assert max(map(len, found)) <= 80
    return found


@pytest.fixture
def busy(desk: DeskWorld) -> DeskWorld:
    """Fourteen drafts, the most urgent the last to come, and something in every list below them."""
    for number in range(13):
        desk.decides(desk.hears(who=f"who{number}"), open_case=True)
    desk.decides(desk.hears(who="zoe"), open_case=True, urgency=Urgency.CRITICAL)
    desk.put(desk.draft(who="una"), DraftState.UNKNOWN, reason="the line went dead")
    desk.put(desk.draft(who="fede"), DraftState.FAILED, reason="the account is locked")
    for number in range(7):
        desk.decides(desk.hears(who=f"dora{number}"), reply=None, needs_routing=True)
    return desk


def test_the_inbox_keeps_the_most_urgent_in_sight_and_says_what_it_left_out(busy: DeskWorld) -> None:
    shown = seen(busy, "inbox")
    assert len(shown) <= 22
    assert "@zoe" in shown[0]
    assert "critical" in shown[0]
    (left,) = [line for line in shown if "--limit" in line]
    assert re.fullmatch(r"\d of 14 shown; --limit 14 shows all of them\.", left)
    assert [line for line in shown if re.match(r"Need a team \(.*\): M\d+, M\d+, M\d+, M\d+, M\d+ and 2 more$", line)]
    assert [line for line in shown if re.match(r"Nobody knows whether out \(escucha inbox --unknown\): D15$", line)]
    assert [line for line in shown if re.match(r"Refused \(escucha retry D…\): D16$", line)]
    assert "escucha review" in shown[-1]


def test_the_queue_keeps_its_first_cases_in_sight(busy: DeskWorld) -> None:
    shown = seen(busy, "case", "list")
    assert len(shown) <= 22
    assert shown[0].startswith("CASE")
    assert "critical" in shown[1]
    assert shown[-1] == "9 of 14 shown; --limit 14 shows all of them."


def test_what_is_asked_for_and_what_fits_is_shown_whole(busy: DeskWorld) -> None:
    assert sum("@who" in line or "@zoe" in line for line in seen(busy, "inbox", "--limit", "14")) == 14
    assert len(seen(busy, "case", "list", "--limit", "14")) == 1 + 2 * 14
    tall = seen(busy, "inbox", lines=80)
    assert sum("@who" in line or "@zoe" in line for line in tall) == 14
    assert [line for line in tall if line.startswith("These need a team")]
    assert len(seen(busy, "case", "list", lines=80)) == 1 + 2 * 14


def test_a_pipe_and_json_get_all_of_it(busy: DeskWorld) -> None:
    piped = busy.run("inbox").stdout
    assert piped.count("@who") + piped.count("@zoe") == 14
    assert len(json.loads(busy.run("inbox", "--json").stdout)["drafts"]) == 14
    assert len(busy.run("case", "list").stdout.splitlines()) == 1 + 2 * 14
    assert len(json.loads(busy.run("case", "list", "--json").stdout)["cases"]) == 14


def test_a_terminal_of_hardly_any_lines_still_shows_the_most_urgent(busy: DeskWorld) -> None:
    assert "@zoe" in seen(busy, "inbox", lines=4)[0]
    assert "critical" in seen(busy, "case", "list", lines=4)[1]
