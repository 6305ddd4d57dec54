"""Doors: what is a token in a header, that one taken back opens nothing at once, and what holds without a database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from listener import store as stores
from listener.desk.doors import METRICS, Door, checked_scope, shown
from listener.errors import Mistake, Outage
from listener.store import Store, Transaction, access
from tests import databases

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = stores.open(databases.at(tmp_path))
    yield opened
    opened.close()


def let_in(store: Store, scope: str) -> tuple[int, str]:
    with store.write() as tx:
        made, words = access.issue(tx, f"for-{scope.replace(':', '-')}", [scope], expires_at=None, by="ana", now=NOW)
    return made.id, words


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Bearer esc_a", "esc_a"),
        ("bearer  esc_a ", "esc_a"),
        ("Basic esc_a", ""),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("esc_a", ""),
        ("Bearer esc_a esc_b", ""),
        ("Bearer esc_á", ""),
        ("Bearer " + "x" * 201, ""),
        ("", ""),
    ],
)
def test_what_a_header_shows(header: str, words: str) -> None:
    assert shown(header) == words


@pytest.mark.parametrize("said", ["", "everything", "crm:", "crm:Erp 2", "crm:*", "metrics,crm:erp", "\x1b[31m"])
def test_a_scope_that_opens_nothing_is_refused(said: str) -> None:
    with pytest.raises(Mistake, match="opens nothing"):
        checked_scope(said)


def test_a_door_opens_to_its_own_tokens(store: Store) -> None:
    number, words = let_in(store, METRICS)
    _, other = let_in(store, "crm:erp")
    door = Door(store, METRICS, Clock())
    assert door.opens(f"Bearer {words}")
    assert not door.opens(f"Bearer {other}")
    assert not door.opens(words)
    assert not door.opens("")
    with store.write() as tx:
        assert access.get(tx, number).used_at == NOW
        access.revoke(tx, number, by="ana", now=NOW)
    assert not door.opens(f"Bearer {words}")


def test_without_the_database_who_was_in_just_now_stays_in_for_a_while(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, words = let_in(store, METRICS)
    clock = Clock()
    door, another = Door(store, METRICS, clock), Door(store, METRICS, clock)
    assert door.opens(f"Bearer {words}")

    def away() -> None:
        raise Outage("The database is away.")

    monkeypatch.setattr(store, "read", away)
    clock.now += timedelta(minutes=9)
    assert door.opens(f"Bearer {words}")
    for stranger in (lambda: another.opens(f"Bearer {words}"), lambda: door.opens("Bearer esc_guessed")):
        with pytest.raises(Outage):
            stranger()
    clock.now += timedelta(minutes=1)
    with pytest.raises(Outage):
        door.opens(f"Bearer {words}")


def test_what_was_taken_back_is_not_remembered(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    number, words = let_in(store, METRICS)
    door = Door(store, METRICS, Clock())
    assert door.opens(f"Bearer {words}")
    with store.write() as tx:
        access.revoke(tx, number, by="ana", now=NOW)
    assert not door.opens(f"Bearer {words}")

    def away() -> None:
        raise Outage("The database is away.")

    monkeypatch.setattr(store, "read", away)
    with pytest.raises(Outage):
        door.opens(f"Bearer {words}")


def test_strangers_ask_one_at_a_time_and_keep_nobody_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger whose question hangs in the database has the others wait, and then sent away; not who is known."""
    _, words = let_in(store, METRICS)
    door = Door(store, METRICS, Clock())
    assert door.opens(f"Bearer {words}")
    read, hangs, go = store.read, threading.Event(), threading.Event()
    asking = [0]

    @contextmanager
    def slow() -> Iterator[Transaction]:
        asking[0] += 1
        if threading.current_thread().name == "stranger":
            hangs.set()
            go.wait(30)
        with read() as tx:
            yield tx

    monkeypatch.setattr(store, "read", slow)
    monkeypatch.setattr("listener.desk.doors.PATIENCE", 0.01)
    said: list[bool] = []
    first = threading.Thread(target=lambda: said.append(door.opens("Bearer esc_guessed")), name="stranger")
    first.start()
    try:
        assert hangs.wait(20)
        for number in range(20):
            with pytest.raises(Outage):
                door.opens(f"Bearer esc_guessed{number}")
        assert asking == [1]
        assert door.opens(f"Bearer {words}")
    finally:
        go.set()
        first.join(20)
    assert said == [False]
    assert not door.opens("Bearer esc_another")
