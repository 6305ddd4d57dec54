"""Processes that find an empty database make its tables once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener import store
from tests import databases

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield databases.at(tmp_path)
        return
    with databases.bare() as made:
        yield made


def test_tables_are_made_once_by_many_at_once(url: str) -> None:
    script = "import sys; from listener import store; sys.stdin.readline(); store.connect(sys.argv[1]).upgrade()"
    command = [sys.executable, "-c", script, url]
    many = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for each in many:
        assert each.stdin
        each.stdin.write("\n")
        each.stdin.flush()
    told = [each.communicate(timeout=100)[1] for each in many]
    assert [each.returncode for each in many] == [0] * 3, told
    opened = store.connect(url)
    assert opened.schema() == store.SCHEMA
    opened.close()
