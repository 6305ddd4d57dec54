"""What holds for every test."""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests import databases, made_once

# A slow machine is no failure, and CI plays the same examples each time: what it finds must be found again.
settings.register_profile("escucha", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True)
settings.load_profile("escucha")

# What a failed check compared is told, where checks that several tests share failed too.
pytest.register_assert_rewrite("tests.connectors.conformance", "tests.system.kill")

# Whose tests take longest all together, so that none of them is begun when all others are done.
LONG = ("test_kill.py", "test_machine.py", "test_starved.py", "test_faults.py", "test_kill_matrix.py", "test_stop.py")
TIDYING = 120  # seconds that a test may take to clear up after itself


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--on", choices=["sqlite", "postgresql"], default="sqlite", help="The database of every test.")


def pytest_configure(config: pytest.Config) -> None:
    made_once.share()
    if config.getoption("--on") == "postgresql":
        databases.use_postgres()
        # A store that a test leaves open ends with its database.
        config.addinivalue_line("filterwarnings", "ignore:<psycopg.Connection:ResourceWarning")


def pytest_unconfigure() -> None:
    databases.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Lets those that take longest begin first, and leaves out on PostgreSQL what is about SQLite."""
    items.sort(key=lambda item: ("system" not in item.path.parts, item.path.name not in LONG))
    if databases.on_postgres():
        out = [item for item in items if _is_about_sqlite(item)]
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in set(out)]
        for item in items:  # what is slow only for being on PostgreSQL is as fast as the rest
            if "postgresql" in _played(item):
                item.own_markers = [mark for mark in item.own_markers if mark.name != "slow"]


def _is_about_sqlite(item: pytest.Item) -> bool:
    """Whether it looks into SQLite's file, or is played on each of the two databases anyhow."""
    return "about_sqlite" in item.keywords or "sqlite" in _played(item)


def _played(item: pytest.Item) -> list[Any]:
    """What the test is played with, where it is played several times."""
    played = getattr(item, "callspec", None)
    return [each for each in played.params.values() if isinstance(each, str)] if played else []


@pytest.fixture(autouse=True)
def _own_database() -> Iterator[None]:
    """With `--on postgresql`, a database of its own for each test, and for every process that it starts."""
    if not databases.on_postgres():
        yield
        return
    with databases.for_a_test() as url, pytest.MonkeyPatch.context() as own:  # which no test undoes with its own
        own.setenv(databases.SETTING, url)
        own.setenv(databases.PASSED_ON, url)
        yield


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A PostgreSQL database with all tables and nothing in them: the test's own, where every test has one."""
    if databases.on_postgres():
        yield os.environ[databases.SETTING]
        return
    with databases.one() as url:
        yield url


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    made_once.for_test(item)


@pytest.fixture
def no_tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test's database is empty, on PostgreSQL too; on SQLite there is none before somebody makes it."""
    if not databases.on_postgres():
        yield
        return
    with databases.bare() as url:
        monkeypatch.setenv(databases.SETTING, url)
        monkeypatch.setenv(databases.PASSED_ON, url)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Ends a test that never ends clearing up: pytest-timeout stops its clock once a test has failed."""
    faulthandler.dump_traceback_later(TIDYING, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
