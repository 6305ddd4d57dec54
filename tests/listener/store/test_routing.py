"""What needs a team waits until a case has it, and again once it was taken out; the index holds no more than that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from listener.store import cases, stats, waiting
from listener.store import tables as t
from tests.listener.commands.desk_world import DeskWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    yield made
    made.close()


def waits(world: DeskWorld) -> list[int]:
    """The mentions that wait for a team; asked in three ways that must agree."""
    with world.store.read() as tx:
        listed = [each.mention_id for each in waiting.to_route(tx)]
        assert waiting.how_many_to_route(tx) == stats.counts(tx).unrouted == len(listed)
    return listed


def flags(world: DeskWorld) -> list[bool]:
    with world.store.read() as tx:
        return list(tx.scalars(select(t.decisions.c.routed).order_by(t.decisions.c.id)))


def test_what_a_case_has_waits_no_more_and_comes_back_with_it(world: DeskWorld) -> None:
    one, other = world.hears(who="ana"), world.hears(who="beto")
    for number in (one, other):
        world.decides(number, reply=None, needs_routing=True)
    assert waits(world) == [one, other]
    assert world.run("case", "open", f"M{one}", "--team", "care").exit_code == 0
    assert waits(world) == [other]
    assert flags(world) == [True, False]
    with world.store.write() as tx:
        case = cases.of_mention(tx, one)
        assert case
        cases.detach(tx, case, one, why="it is another matter", by="ana", now=world.clock())
    assert waits(world) == [one, other]
    assert flags(world) == [False, False]


def test_what_is_moved_from_case_to_case_does_not_wait_in_between(world: DeskWorld) -> None:
    one, other = world.hears(who="ana"), world.hears(who="beto")
    for number in (one, other):
        world.decides(number, reply=None, needs_routing=True)
        assert world.run("case", "open", f"M{number}", "--team", "care").exit_code == 0
    with world.store.write() as tx:
        first, second = cases.of_mention(tx, one), cases.of_mention(tx, other)
        assert first
        assert second
        cases.move_mention(tx, one, first, second, why="the same", by="ana", now=world.clock())
    assert waits(world) == []
    assert flags(world) == [True, True]
