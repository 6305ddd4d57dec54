"""`run` on a real terminal: what somebody who looks on reads."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from connectors.sandbox_world import World
from tests.listener.commands.test_running import LISTENING

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sources on the sandbox network."""
    (tmp_path / "escucha.toml").write_text(LISTENING, encoding="utf-8")
    World(tmp_path / "world.db").close()
    return tmp_path


def begun(folder: Path, *args: str, **settings: str) -> Any:
    """`escucha` with these arguments on a terminal."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", **settings}
    program = [str(ROOT / "cli.py"), *args]
    return pexpect.spawn(
        sys.executable,
        program,
        cwd=str(folder),
        env=environment,
        encoding="utf-8",
        timeout=60,
        dimensions=(24, 120),
    )


@pytest.mark.parametrize(
    ("settings", "logs"),
    [
        pytest.param({}, False, id="by itself"),
        pytest.param({"ESCUCHA_DAEMON__LOG_LEVEL": "info"}, True, id="a level is set"),
        pytest.param({"ESCUCHA_DAEMON__LOG_FORMAT": "lines"}, True, id="a form is set"),
    ],
)
def test_one_round_says_what_came_of_it_and_the_log_only_where_it_was_asked_for(
    folder: Path, settings: dict[str, str], logs: bool
) -> None:
    told = begun(folder, "run", "--once", **settings)
    shown = told.read()
    told.close()
    assert told.exitstatus == 0, shown
    assert "were sent now." in shown
    assert ("This policy rules from now on." in shown) is logs


def test_whoever_stops_it_is_answered_at_once(folder: Path) -> None:
    told = begun(folder, "run")
    told.expect("Listening")
    told.sendintr()
    told.expect("Stopping …")
    told.expect("Stopped; nothing is half-done")
    told.expect(pexpect.EOF)
    told.close()
    assert told.exitstatus == 0
