"""The same on PostgreSQL: an erasure, who writes at that moment, and what is too old."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from listener import store as stores
from listener.desk import erasing, retaining
from listener.store import cases, customers, mentions, policies, rebuilding, sources, verifying
from listener.store.sources import Wanted
from tests import databases
from tests.listener.commands.desk_world import DEFAULT, DeskWorld
from tests.listener.desk.test_erasing import Person, people
from tests.listener.desk.test_retaining import close_all

pytestmark = pytest.mark.slow


class OnPostgres(DeskWorld):
    """The desk with its tables on a server."""

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self.store.close()
        self.store = stores.open(url)
        wanted = Wanted(name="tag", account="care", network="sandbox", query="#marca", every=timedelta(minutes=1))
        with self.store.write() as tx:
            sources.sync(tx, [wanted], self.clock())
            self.source_id = sources.get(tx, "tag").id
            policies.activate(tx, version="p1", text=DEFAULT, by="test", now=self.clock())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    with databases.one() as url:
        made = OnPostgres(tmp_path, url)
        yield made
        made.close()


def everything(world: DeskWorld) -> str:
    """All rows of all tables as text."""
    with world.store.read() as tx:
        names = inspect(tx).get_table_names()
        return "\n".join(
            str(row[0]) for name in names for row in tx.execute(text(f'SELECT CAST("{name}" AS text) FROM "{name}"'))
        )


def erase(world: DeskWorld, person: Person) -> erasing.Proof:
    erasure = erasing.begin(world.store, person.reference, by="eva", reason="asked", now=world.clock())
    return erasing.finish(world.store, erasure, files=(), now=world.clock())


def test_nothing_is_left_while_others_go_on_writing(world: DeskWorld) -> None:
    ana, luis = people(world)
    luis.says(quoted=ana.last, about=f"@{ana.handle}")
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            luis.says()

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        proof = erase(world, ana)
    finally:
        stop.set()
        writer.join()
    assert (proof.left, len(proof.notes)) == ((), 1)
    assert "zorzal" not in everything(world).lower()
    with world.store.read() as tx:
        assert verifying.verify(tx, keys={}).fault is None
        assert rebuilding.differences(tx, limit=3) == []
        assert customers.get(tx, luis.reference).name == "Ana Tucan"
        assert all(mentions.get(tx, number).text for number in luis.said)


def test_who_writes_while_they_are_erased_is_somebody_new(world: DeskWorld) -> None:
    ana, _ = people(world)
    with world.store.write() as tx:
        erasing.begin_with(
            tx,
            erasing.persons.find(tx, ana.reference),
            ana.reference,
            by="eva",
            reason="asked",
            now=world.clock(),
        )
        heard: list[int] = []
        writer = threading.Thread(target=lambda: heard.append(world.hears("de nuevo", who=ana.handle)))
        writer.start()
        writer.join(0.5)
        assert heard == []  # it waits until it is known whose post that is
    writer.join()
    with world.store.read() as tx:
        assert mentions.get(tx, heard[0]).account_id != mentions.get(tx, ana.said[0]).account_id
        assert mentions.get(tx, heard[0]).text == "de nuevo"


def test_what_is_too_old_goes_here_too(world: DeskWorld) -> None:
    _, luis = people(world)
    with world.store.read() as tx:
        assert len(cases.listing(tx)) == 2
    close_all(world)
    world.clock.forward(days=40)
    luis.says()
    month = timedelta(days=30)
    periods = dict.fromkeys(("mentions", "cases", "alerts", "audit", "customers"), month)
    with world.store.read() as tx:
        announced = {each.kind: each.count for each in retaining.preview(tx, periods, world.clock())}
    assert (announced["mentions"], announced["cases"]) == (2, 2)
    gone = retaining.retain(world.store, periods, now=world.clock(), stopping=lambda: False)
    assert (gone["mentions"], gone["cases"]) == (2, 2)
    assert gone["audit"] > 0
    with world.store.read() as tx:
        assert verifying.verify(tx, keys={}).fault is None
