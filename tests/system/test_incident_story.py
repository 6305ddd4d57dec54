"""The story of docs/incidents.md, typed as it is printed: demo, incident, answers, notice, stop, end and report."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import pexpect
import pytest

ROOT = Path(__file__).parents[2]
PROMPT = r"@@(\d+)@@"  # the exit code of what was typed


def commands() -> list[str]:
    """What the story says to type, a command a line."""
    page = (ROOT / "docs" / "incidents.md").read_text(encoding="utf-8")
    story = page.partition("## From the first minute to the last")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```\n(.*?)^```", story, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in re.sub(r"\\\n\s*", "", block).splitlines()]


@pytest.mark.slow
def test_every_command_of_the_story_does_what_it_says(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "escucha"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cli "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    path = f"{program.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "TERM": "xterm", "ESCUCHA_ACTOR": "ana"}
    (folder := tmp_path / "empty").mkdir()
    shell = pexpect.spawn(
        "bash",
        ["--norc", "--noprofile"],
        cwd=folder,
        env={**environment, "PS1": "@@$?@@"},
        encoding="utf-8",
        timeout=60,
        dimensions=(60, 80),
        echo=False,
    )
    shell.expect(PROMPT)
    told: dict[str, str] = {}
    typed = commands()
    assert len(typed) > 25
    for command in typed:
        told[command], code = _type(shell, command)
        held, left = "correct N2 --approve" in command, "--go" in command  # paused then; and the bar that is left
        assert code in ((3,) if held else (0, 130) if left else (0,)), f"{command}\n{told[command]}"
    shell.sendline("exit")

    def said(part: str) -> str:
        return " ".join(" ".join(words for command, words in told.items() if part in command).split())

    assert "11 attached" in said("incident open")
    assert "may be said from now on" in said("approve-answer")
    assert "not read yet" not in said("answer I1"), "what had to be decided anew was"
    assert "N2 is out: 2 messages" in said("publish N2")
    assert "Approved." in said("--review sample")
    assert "N2 is corrected" in said("correct N2  ")
    assert "N3 is out: 2 messages" in said("publish N3")
    assert "resolved with it" in said("resolve I1 --dry-run")
    assert "I1 is closed" in said("close I1")
    assert (folder / "demo" / "report.html").stat().st_size > 5000


def _type(shell: pexpect.spawn[str], command: str) -> tuple[str, int]:
    """What a command says, and its exit code; questions are answered with yes, texts approved, a bar left."""
    shell.sendline(command)
    said = ""
    while True:
        found = shell.expect([r"\[y/N\]: ?", "q quit", r"Type (\d+) and Enter", r" wait; ", PROMPT])
        said += shell.before or ""
        if found == 0:
            shell.sendline("y")
        elif found == 1:
            time.sleep(1.2)  # as long as it takes to read; what is pressed sooner does not count
            shell.send("a")
        elif found == 2:
            shell.sendline(str(shell.match[1]))  # type: ignore[index]
        elif found == 3:
            shell.sendintr()
            shell.expect(PROMPT)
            return said + (shell.before or ""), int(shell.match[1])  # type: ignore[index, arg-type]
        else:
            return said, int(shell.match[1])  # type: ignore[index, arg-type]
