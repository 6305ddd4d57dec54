"""The audit of dependencies: what is a pass, what is none, and that not looking is never taken for one."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from datetime import date
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
AUDIT = ROOT / ".ci" / "audit"
TODAY = date(2026, 11, 23)
FINE = {"name": "click", "version": "8.3.0", "vulns": []}
SKIPPED = {"name": "praw", "skip_reason": "not found"}
KNOWN = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3.1.6"]}
WEAK = {"name": "jinja2", "version": "3.1.2", "vulns": [KNOWN]}


def _load() -> Any:
    loader = SourceFileLoader("audit_of_dependencies", str(AUDIT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    made = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # no cache beside a script without a suffix
    try:
        loader.exec_module(made)
    finally:
        sys.dont_write_bytecode = before
    return made


audit = _load()


@pytest.mark.parametrize(
    ("report", "taken", "code"),
    [
        (None, set(), 75),
        ({}, set(), 75),
        ({"dependencies": []}, set(), 75),
        ({"dependencies": [FINE]}, set(), 0),
        ({"dependencies": [FINE, SKIPPED]}, set(), 75),
        ({"dependencies": [FINE, WEAK]}, set(), 1),
        ({"dependencies": [SKIPPED, WEAK]}, set(), 1),
        ({"dependencies": [WEAK]}, {"PYSEC-1"}, 0),
        ({"dependencies": [WEAK]}, {"CVE-1"}, 0),
        ({"dependencies": [WEAK]}, {"CVE-2"}, 1),
    ],
)
def test_what_a_report_comes_to(report: dict[str, Any] | None, taken: set[str], code: int) -> None:
    found, said = audit.judge(report, taken)
    assert found == code
    assert said
    assert ("COULD NOT LOOK" in said[0]) is (code == 75)


def test_what_is_accepted_has_a_reason_and_an_end() -> None:
    lines = ["# x", "", "CVE-1 2026-11-23 never called", "CVE-2 2026-11-22 never called", "CVE-3", "CVE-4 2027-01-01"]
    ids, problems = audit.accepted(lines, TODAY)
    assert ids == {"CVE-1"}
    assert len(problems) == 3


def report_of(*dependencies: dict[str, Any]) -> str:
    return f"cat > $8 <<'X'\n{json.dumps({'dependencies': dependencies})}\nX"


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("exit 1", 75),  # as it ends without a network, with nothing written
        ("echo garbage > $8", 75),
        (report_of(SKIPPED), 75),  # it ends with 0 where an index knows nothing
        (f"{report_of(WEAK)}\nexit 1", 1),
        (report_of(FINE), 0),
    ],
)
def test_the_program_itself(tmp_path: Path, program: str, code: int) -> None:
    stand_in = tmp_path / "pip-audit"
    stand_in.write_text(f"#!/bin/sh\n{program}\n")
    stand_in.chmod(0o755)
    command = [sys.executable, AUDIT, stand_in, ROOT / "requirements.lock"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr


def test_without_the_program_it_could_not_look() -> None:
    done = subprocess.run([sys.executable, AUDIT, "/nowhere/pip-audit"], capture_output=True, text=True, check=False)
    assert done.returncode == 75
    assert "COULD NOT LOOK" in done.stdout
