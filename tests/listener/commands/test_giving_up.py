"""`escucha db copy --give-up`: who may bring back a database that has moved, and with what care."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from listener import store as stores
from listener.store import audit, lives, switch
from listener.store import transfer_source as source
from tests.listener.commands.test_users import Desk, refused

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.about_sqlite


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk with an agent, a supervisor and a supervisor's token for little; its database is being copied."""
    made = Desk(tmp_path)
    made.joins("luis")
    made.joins("sara", "--role", "supervisor")
    narrow = made.by("", "user", "token", "sara", "--only", "case list", "--json")
    made.tokens["narrow"] = json.loads(narrow.stdout)["token"]
    with made.store.write() as tx:
        source.begin(tx, "postgresql://h/x")
    yield made
    made.close()


def move(desk: Desk) -> None:
    with desk.store.write() as tx:
        source.move(tx)


def written(desk: Desk) -> set[tuple[str, str]]:
    with desk.store.read() as tx:
        return {(entry.action, entry.by) for entry in audit.about(tx, "database")}


@pytest.mark.parametrize(
    ("who", "why"), [("luis", "is for supervisor or admin"), ("narrow", "is for `case list` alone")]
)
@pytest.mark.parametrize("moved", [True, False], ids=["moved", "being copied"])
def test_whoever_may_not_copy_may_not_bring_it_back(desk: Desk, who: str, why: str, moved: bool) -> None:
    if moved:
        move(desk)
    before = desk.store.schema()
    refused(desk.by(who, "db", "copy", "--give-up"), why)
    with desk.store.read() as tx:
        assert source.order(tx) is not None
        assert lives.lost(tx, LONG_AGO) is None
    assert desk.store.schema() == before


def test_a_database_that_had_moved_begins_a_life_and_says_nothing_before_somebody_looked(desk: Desk) -> None:
    move(desk)
    told = desk.by("sara", "db", "copy", "--give-up")
    assert told.exit_code == 0, told.output
    assert "Everything is paused" in told.stdout
    assert desk.store.schema() == stores.SCHEMA
    with desk.store.read() as tx:
        assert [pause.scope for pause in switch.pauses(tx)] == ["all"]
        assert lives.lost(tx, LONG_AGO) is not None
    assert written(desk) == {("database.copy_given_up", "sara"), (lives.BEGUN, "sara")}


def test_where_nothing_had_moved_nothing_is_missing_and_all_goes_on(desk: Desk) -> None:
    assert desk.by("sara", "db", "copy", "--give-up").exit_code == 0
    with desk.store.read() as tx:
        assert switch.pauses(tx) == []
        assert lives.lost(tx, LONG_AGO) is None
    assert written(desk) == {("database.copy_given_up", "sara")}
