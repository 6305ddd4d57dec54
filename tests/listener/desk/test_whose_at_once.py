"""Two who do something about the same person at the same moment: one wins, the other is told, nothing is doubled."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from listener import store as stores
from listener.desk import codes, merging
from listener.desk import customers as rules
from listener.errors import AlreadyDone, Crossed, Mistake, NotFound
from listener.flow.pipeline import Pipeline
from listener.store import Store, Transaction, customers, mentions, together
from listener.types import LinkBasis, MentionState
from tests.listener.desk.people_world import PeopleWorld

TIMES = 4


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[PeopleWorld]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    made = PeopleWorld(tmp_path, url=url)
    made.adds("C1", "C2", "C3")
    yield made
    made.holds()
    made.close()


def at_once(world: PeopleWorld, *done: Callable[[Transaction], object]) -> list[str]:
    """Does all of it at the same moment, each over a connection of its own; gives how each ended."""
    together = threading.Barrier(len(done))
    ends = [""] * len(done)

    def one(place: int, database: Store, work: Callable[[Transaction], object]) -> None:
        together.wait()
        try:
            with database.write() as tx:
                work(tx)
            ends[place] = "won"
        except (AlreadyDone, Mistake, NotFound) as error:
            ends[place] = type(error).__name__
        finally:
            database.close()

    url = world.store.url.render_as_string(hide_password=False)
    threads = [threading.Thread(target=one, args=(place, stores.open(url), work)) for place, work in enumerate(done)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def linking(world: PeopleWorld, reference: str, handle: str = "ana") -> Callable[[Transaction], object]:
    def work(tx: Transaction) -> object:
        return rules.link(
            tx,
            customers.get(tx, reference),
            network="sandbox",
            handle=handle,
            basis=LinkBasis.VERIFIED,
            evidence="",
            linkable=True,
            by="eva",
            now=world.clock(),
        )

    return work


def joining(world: PeopleWorld, one: str, other: str) -> Callable[[Transaction], object]:
    return lambda tx: merging.merge(tx, customers.get(tx, one), customers.get(tx, other), by="eva", now=world.clock())


@pytest.mark.parametrize("heard", [True, False], ids=["heard", "not heard yet"])
def test_an_account_becomes_one_customers(world: PeopleWorld, heard: bool) -> None:
    for number in range(TIMES):
        who = f"who{number}"
        if heard:
            world.hears(who)
        ends = at_once(world, linking(world, "C1", who), linking(world, "C2", who))
        assert sorted(ends) == ["AlreadyDone", "won"]
        assert sorted(world.handles("C1") + world.handles("C2")).count(who) == 1


def test_two_records_are_not_merged_into_each_other(world: PeopleWorld) -> None:
    for _ in range(TIMES):
        ends = at_once(world, joining(world, "C1", "C2"), joining(world, "C2", "C1"), joining(world, "C3", "C1"))
        assert ends.count("won") <= 2, ends
        assert len(world.merged()) == ends.count("won") > 0
        while any([world.tries("unmerges", each) for each in world.merged()]):
            pass
        assert world.merged() == []


def test_an_account_linked_while_its_record_is_merged_is_the_ruling_ones(world: PeopleWorld) -> None:
    for number in range(TIMES):
        who = f"who{number}"
        world.hears(who)
        assert at_once(world, linking(world, "C2", who), joining(world, "C1", "C2")) == ["won", "won"]
        assert who in world.handles("C1")
        world.unmerges("C2")
        world.tries("unlinks", "C1", who)


def test_a_code_that_two_accounts_write_at_once_links_one(world: PeopleWorld) -> None:
    code = codes.new_code()
    with world.store.write() as tx:
        codes.issue(tx, customers.get(tx, "C1"), code, network="", valid=codes.USUAL, by="eva", now=world.clock())
    for who in ("ana", "mallory"):
        world.says(f"@marca soy yo {code}", who=who)
    deciding(world)
    assert len(world.handles("C1")) == 1


def test_posts_of_one_person_from_two_accounts_open_one_case(world: PeopleWorld) -> None:
    for who in ("ana", "beto"):
        world.links_("C1", who)
        world.says("@marca todo mal", who=who)
    deciding(world)
    assert [(whose, inside) for whose, _, inside in world.cases()] == [("C1", {"ana", "beto"})]


def impatiently(world: PeopleWorld, work: Callable[[Transaction], object]) -> None:
    """Does it, and raises Crossed where it must wait for somebody."""
    with world.store.write() as tx:
        tx.execute(text("SET LOCAL lock_timeout = '200ms'"))
        work(tx)


@pytest.mark.slow
def test_whose_an_account_is_stays_so_while_its_posts_are_decided(tmp_path: Path, postgres_url: str) -> None:
    """Nobody links the account, nor merges its customer's record, between the look at them and the decision."""
    world = PeopleWorld(tmp_path, url=postgres_url)
    world.adds("C1", "C2")
    world.links_("C2", "ana")
    for who in ("ana", "beto"):
        world.says("@marca todo mal", who=who)
    world.clock.forward(seconds=11)
    world.main.poll()
    world.main.understand()
    meanwhile = {"ana": joining(world, "C1", "C2"), "beto": linking(world, "C1", "beto")}
    with world.store.read() as tx:
        heard = mentions.awaiting(tx, MentionState.UNDERSTOOD, 10)
    assert {each.author.handle.lstrip("@").partition("@")[0] for each in heard} == set(meanwhile)
    for each in heard:
        work = meanwhile[each.author.handle.lstrip("@").partition("@")[0]]
        with world.store.write() as deciding_tx:
            together.steady(deciding_tx)
            assert together.hold(deciding_tx, [each])
            with pytest.raises(Crossed):
                impatiently(world, work)
        with world.store.write() as tx:
            work(tx)
    assert sorted(world.handles("C1")) == ["ana", "beto"]
    world.close()


@pytest.mark.slow
@pytest.mark.parametrize("other", ["ana", "beto"], ids=["one account", "one customer"])
def test_posts_of_one_person_are_decided_by_one_process_at_a_time(
    tmp_path: Path, postgres_url: str, other: str
) -> None:
    """Of the same account, or of another one of the same customer; nobody else waits."""
    world = PeopleWorld(tmp_path, url=postgres_url)
    world.adds("C1")
    if other == "beto":
        for who in ("ana", "beto"):
            world.hears(who)
            world.links_("C1", who)
    for who in ("ana", other, "carla"):
        world.says("@marca todo mal", who=who)
    world.clock.forward(seconds=11)
    world.main.poll()
    world.main.understand()
    with world.store.read() as tx:
        first, second, stranger = sorted(mentions.awaiting(tx, MentionState.UNDERSTOOD, 10), key=lambda each: each.id)
    with world.store.write() as deciding_tx:
        together.steady(deciding_tx)
        assert together.hold(deciding_tx, [first])
        with pytest.raises(Crossed):
            impatiently(world, lambda tx: together.hold(tx, [second]))
        impatiently(world, lambda tx: together.hold(tx, [stranger]))
    impatiently(world, lambda tx: together.hold(tx, [second]))
    world.close()


def deciding(world: PeopleWorld) -> None:
    """Two daemons decide what was heard, at once."""
    world.clock.forward(seconds=11)
    world.main.poll()
    world.main.understand()
    lines = [world.pipeline(), world.pipeline()]
    together = threading.Barrier(len(lines))

    def one(line: Pipeline) -> None:
        together.wait()
        line.digest()

    threads = [threading.Thread(target=one, args=(line,)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
