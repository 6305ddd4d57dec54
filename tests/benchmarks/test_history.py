"""In a long history, lists ask for what waits, not for all that was ever heard."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

import cli
from benchmarks import history
from listener.commands.app import App

pytestmark = pytest.mark.about_sqlite  # one file for all; PostgreSQL's ways: tests/listener/store/test_plans.py
TOTAL = 4000


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], App]:
    return history.company(tmp_path_factory.mktemp("history"), TOTAL)


def said(app: App, words: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as told:
        assert not cli.escucha.main(words.split(), obj=app, standalone_mode=False)
    return told.getvalue()


def plans(app: App, words: str) -> list[str]:
    """How the database goes about each question of that command."""
    found: list[str] = []

    def note(_link: Any, cursor: Any, statement: str, given: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", given).fetchall()
            found.extend(row[3] for row in rows)

    event.listen(app.store._engine, "before_cursor_execute", note)
    said(app, words)
    return found


@pytest.mark.parametrize("words", ["inbox", "inbox --network sandbox", f"show M{TOTAL - 500}", "case list"])
def test_no_list_reads_all_that_was_heard_or_sent(make: Callable[[], App], words: str) -> None:
    found = plans(make(), words)
    assert found
    whole = ("SCAN drafts", "SCAN decisions", "SCAN accounts", "SCAN cases", "SCAN audit")
    few = "ix_decisions_to_route"  # what waits for a team, which is read from its beginning
    assert not [plan for plan in found if plan.startswith(whole) and few not in plan]
    assert not [plan for plan in found if "ix_mentions_state_id (state=?)" in plan]
    assert found.count("SCAN mentions") <= 1  # backwards, for the newest thousand


def test_what_got_no_draft_is_counted_among_the_newest(make: Callable[[], App]) -> None:
    with make().store.read() as tx:
        newest = tx.exec_driver_sql("SELECT count(*) FROM mentions WHERE id > 3000 AND id % 3").scalar()
    assert newest == 667
    assert "667 of the last 1,000 heard, no reply proposed" in said(make(), "inbox")
    assert json.loads(said(make(), "inbox --json"))["totals"]["without_draft"] == 667


def test_every_draft_stands_in_its_place_whatever_became_of_it(make: Callable[[], App]) -> None:
    every = json.loads(said(make(), "inbox --all --limit 1000 --json"))
    few = json.loads(said(make(), "inbox --all --limit 7 --json"))
    assert few["total"] == every["total"] == TOTAL // 3
    assert [each["draft"] for each in few["drafts"]] == [f"D{number}" for number in range(1, 8)]
    assert few["drafts"] == every["drafts"][:7]
    assert len({each["state"] for each in every["drafts"]}) > 2
