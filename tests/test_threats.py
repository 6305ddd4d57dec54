"""Every test that docs/threats.md names is there, and every threat names one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "threats.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
ROW = re.compile(r"^\| (?!threat \|)([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_is_named_is_there() -> None:
    assert len(NAMED) > 40
    missing = [
        f"{path}::{name}"
        for path, name in NAMED
        if not (ROOT / path).is_file() or not name.startswith("test_") or name not in functions(ROOT / path)
    ]
    assert missing == []


def test_every_threat_names_a_test() -> None:
    rows = ROW.findall(PAGE)
    assert len(rows) > 25
    without = [threat for threat, _, test in rows if not re.search(r"`tests/[\w/]+\.py::test_\w+`", test)]
    assert without == []
