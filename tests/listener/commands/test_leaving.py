"""leave-alone: never answer somebody again, or take that back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.listener.commands.desk_world import DeskWorld


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskWorld]:
    world = DeskWorld(tmp_path)
    yield world
    world.close()


def test_who_is_left_alone_is_shown_as_such_until_it_is_taken_back(desk: DeskWorld) -> None:
    desk.draft()
    told = desk.run("leave-alone", "M1", input="y\n")
    assert told.exit_code == 0
    assert "Ana García, @ana on sandbox, will not be answered any more. 1 draft will be withdrawn: D1." in told.stdout
    assert "is left alone. To take it back: escucha leave-alone M1 --lift" in told.stdout
    assert "Withdrawn: D1." in told.stdout
    assert "is left alone already" in desk.run("leave-alone", "D1").stdout
    assert "asked to be left alone" in " ".join(desk.run("show", "M1").stdout.split())
    assert json.loads(desk.run("show", "M1", "--json").stdout)["mention"]["author"]["left_alone_at"]
    assert desk.run("approve", "D1").exit_code == 2
    assert "may be answered again" in desk.run("leave-alone", "M1", "--lift").stdout
    assert "was not left alone" in desk.run("leave-alone", "M1", "--lift").stdout
    assert json.loads(desk.run("show", "M1", "--json").stdout)["mention"]["author"]["left_alone_at"] is None


def test_who_did_it_is_on_record(desk: DeskWorld) -> None:
    desk.draft()
    desk.run("leave-alone", "M1", "--yes")
    desk.run("leave-alone", "M1", "--lift")
    told = desk.run("explain", "M1").stdout
    assert "left alone" in told
    assert "allowed back" in told


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_without_a_yes_nobody_is_left_alone(desk: DeskWorld, answer: str) -> None:
    desk.draft()
    told = desk.run("leave-alone", "M1", input=answer)
    assert told.exit_code == 2
    assert "Nothing was changed" in told.stderr
    assert desk.all_states() == ["proposed"]


def test_a_mention_that_nobody_knows_is_named(desk: DeskWorld) -> None:
    told = desk.run("leave-alone", "M77")
    assert told.exit_code == 2
    assert "M77" in told.stderr
