"""`escucha mention`: what could not be handled is listed, tried again, and taken off the list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.sandbox import World
from listener.store import garbled, mentions, sources, suspects
from listener.types import Garbled, MentionState
from tests.listener.commands.desk_world import DeskWorld


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    yield made
    made.close()


def aside(desk: DeskWorld, *, stage: str = "understand") -> int:
    number = desk.hears()
    with desk.store.write() as tx:
        mention = mentions.get(tx, number)
        mentions.trouble(tx, mention, stage=stage, reason="a bug: KeyError", now=desk.clock())
    return number


def unread(desk: DeskWorld, external_id: str) -> int:
    with desk.store.write() as tx:
        source = sources.get(tx, "tag")
        post = Garbled(external_id=external_id, reason="it has no time")
        garbled.keep(tx, source_id=source.id, network=source.network, posts=[post], now=desk.clock())
        return garbled.listing(tx)[0].id


def test_nothing_is_set_aside(desk: DeskWorld) -> None:
    assert desk.run("mention", "set-aside").stdout == "Nothing is set aside.\n"
    assert desk.run("mention", "retry", "--all").stdout == "Nothing is set aside.\n"


def test_what_is_set_aside_is_listed_for_people_and_programs(desk: DeskWorld) -> None:
    number = aside(desk)
    post = unread(desk, "p77")
    shown = desk.run("mention", "set-aside").stdout
    assert f"M{number}" in shown
    assert "understand: a bug: KeyError" in shown
    assert f"G{post}" in shown
    assert "it has no time" in shown
    told = json.loads(desk.run("mention", "set-aside", "--json").stdout)
    assert told["totals"] == {"mentions": 1, "posts": 1}
    assert told["mentions"][0]["why"] == "understand: a bug: KeyError"
    assert set(told["posts"][0]) == {
        *("post", "network", "source", "external_id", "why", "first_at", "last_at", "times"),
    }
    status = desk.run("status").stdout
    assert "1 mention set aside because a stage broke" in status
    assert "1 post could not be read or stored" in status
    assert "escucha mention retry M…" in desk.run("inbox").stdout


def test_a_mention_is_tried_again_from_where_it_stopped(desk: DeskWorld) -> None:
    number = aside(desk)
    done = desk.run("mention", "retry", f"m{number}")
    assert done.stdout == f"M{number} is tried again by the daemon.\n"
    with desk.store.read() as tx:
        found = mentions.get(tx, number)
    assert (found.state, found.trouble) == (MentionState.NEW, None)
    again = desk.run("mention", "retry", f"M{number}")
    assert again.exit_code == 2
    assert "is not set aside" in again.stderr


def test_what_killed_the_process_is_tried_alone(desk: DeskWorld) -> None:
    number = desk.hears()
    with desk.store.write() as tx:
        for _ in range(3):
            suspects.died(tx, "understand", [number], now=desk.clock())
    assert desk.run("mention", "retry", "--all").exit_code == 0
    with desk.store.read() as tx:
        assert mentions.get(tx, number).trouble, "no batch takes it up"
        assert suspects.is_due(tx, now=desk.clock() + timedelta(seconds=1))


def test_a_post_that_can_be_read_now_becomes_a_mention(desk: DeskWorld) -> None:
    world = World(desk.folder / "world.db")
    world.person("ana")
    there = world.post("ana", "@marca hola", at=desk.clock())
    post = unread(desk, there)
    done = desk.run("mention", "retry", f"G{post}")
    assert done.exit_code == 0, done.output
    assert f"G{post} can be read now: it is M" in done.stdout
    assert desk.run("mention", "set-aside").stdout == "Nothing is set aside.\n"
    gone = unread(desk, world.post("ana", "@marca adiós", at=desk.clock()))
    with desk.store.read() as tx:
        world.delete(garbled.get(tx, gone).external_id)
    assert "is gone from sandbox" in desk.run("mention", "retry", f"G{gone}").stdout
    world.close()


def test_a_person_sees_to_a_post(desk: DeskWorld) -> None:
    post = unread(desk, "p77")
    assert desk.run("mention", "leave", f"G{post}").stdout == f"G{post} is listed no more.\n"
    assert desk.run("mention", "leave", f"G{post}").exit_code == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("retry",), "Say what to try again"),
        (("retry", "M1", "--all"), "Say what to try again"),
        (("retry", "D7"), "neither a mention such as M12 nor a post such as G3"),
        (("retry", "M999"), "There is no mention M999"),
        (("retry", "G999"), "There is no G999"),
        (("leave", "M12"), "escucha mention retry M12"),
    ],
)
def test_wrong_input_is_told_in_a_sentence(desk: DeskWorld, words: tuple[str, ...], says: str) -> None:
    done = desk.run("mention", *words)
    assert done.exit_code == 2
    assert says in done.stderr


def test_among_several_the_rest_goes_on(desk: DeskWorld) -> None:
    number = aside(desk)
    done = desk.run("mention", "retry", "M999", f"M{number}")
    assert done.exit_code == 3
    assert f"M{number} is tried again" in done.stdout
    assert "1 of 2 not done: M999" in done.stderr
