"""A PostgreSQL that refuses: one sentence with what a person does about it, and a pause that may be none says so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.postgres import Machine

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
SETTINGS = """
[accounts.care]
network = "sandbox"
world = "world.db"
[[sources]]
name = "mentions"
account = "care"
query = "mentions"
every = "1m"
"""
Refused = Callable[..., str]


@pytest.fixture(scope="module")
def first() -> Iterator[Machine]:
    made = Machine()
    try:
        made.make()
        made.sql("CREATE ROLE stranger LOGIN")
        yield made
    finally:
        made.close()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command on the database of that address."""
    (tmp_path / "escucha.toml").write_text(SETTINGS, encoding="utf-8")

    def runs(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "ESCUCHA_DATABASE__URL": url}
        command = [sys.executable, "-m", "cli", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return runs


@pytest.fixture
def refused(run: Callable[..., subprocess.CompletedProcess[str]]) -> Refused:
    """What a command says, in one line, that cannot do its part."""

    def says(url: str, *arguments: str) -> str:
        done = run(url, *arguments)
        assert done.returncode == 1, done.stdout + done.stderr
        said = " ".join((done.stdout + done.stderr).split())
        assert "bug" not in said
        return said

    return says


def test_a_standby_takes_no_writes_and_nothing_may_be_paused(
    first: Machine, run: Callable[..., subprocess.CompletedProcess[str]], refused: Refused
) -> None:
    done = run(first.url, "db", "upgrade")
    assert done.returncode == 0, done.stdout + done.stderr
    second = first.copy("-R")
    try:
        second.start(primary_conninfo=f"host=127.0.0.1 port={first.port} user=postgres")
        said = refused(second.url, "pause")
        assert "It may be that nothing is paused." in said
        assert "must name the server that takes writes" in said
        assert "must name the server that takes writes" in refused(second.url, "run", "--role", "work")
    finally:
        second.close()


@pytest.mark.parametrize("command", [("pause",), ("run", "--role", "work")], ids=" ".join)
def test_a_user_to_whom_nothing_belongs_is_told_so(
    first: Machine,
    run: Callable[..., subprocess.CompletedProcess[str]],
    refused: Refused,
    command: tuple[str, ...],
) -> None:
    done = run(first.url, "db", "upgrade")
    assert done.returncode == 0, done.stdout + done.stderr
    said = refused(first.url.replace("app@", "stranger@"), *command)
    assert "permission denied" in said
    assert "OWNER TO" in said


def test_who_may_make_no_tables_is_told_so(first: Machine, refused: Refused) -> None:
    """Since PostgreSQL 15 only the owner of a database may."""
    first.sql("CREATE DATABASE theirs")
    first.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database="theirs")
    said = refused(first.url.replace("/escucha", "/theirs"), "db", "upgrade")
    assert "permission denied for schema public" in said
    assert "OWNER TO" in said


def test_a_user_or_database_that_is_not_there_is_to_be_made(first: Machine, refused: Refused) -> None:
    assert "`createuser NAME`" in refused(first.url.replace("app@", "nobody_knows@"), "status")
    assert "`createdb" in refused(first.url.replace("/escucha", "/nowhere"), "status")
