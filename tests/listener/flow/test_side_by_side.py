"""Several workers decide at once on PostgreSQL: each mention once, one case for one matter, no limit passed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connectors import sandbox
from listener.errors import Crossed
from listener.flow.crossing import again
from listener.flow.pipeline import Pipeline
from listener.store import Transaction, cases, mentions, references, stats
from listener.store import tables as t
from listener.store.ledger import Ledger
from listener.store.mentions import Mention
from listener.store.numbers import BLOCK, Pocket, Stock
from listener.types import Decision, MentionState, Situation, Visibility
from tests import postgres
from tests.at_once import at_once
from tests.listener.flow.world import AUTO, Escucha

PEOPLE = 12


def states(escucha: Escucha) -> dict[str, int]:
    with escucha.store.read() as tx:
        return {state: number for state, number in stats.counts(tx).mentions.items() if number}


def mention_ids(escucha: Escucha) -> list[int]:
    with escucha.store.read() as tx:
        return list(tx.scalars(select(t.mentions.c.id).order_by(t.mentions.c.id)))


def test_what_is_stored_is_carried_in_its_transaction(escucha: Escucha) -> None:
    """New and edited mentions, polled or looked up again; not what was only repeated, nor what is rolled back."""
    carried: list[int] = []

    def carries(tx: Transaction, ids: Sequence[int]) -> None:
        there = tx.scalars(select(t.mentions.c.id).where(t.mentions.c.id.in_(ids))).all()
        assert sorted(there) == sorted(ids), "before they are committed, and after they are stored"
        carried.extend(ids)

    escucha.store.carries = carries
    post = escucha.says("@marca ¿cuánto cuesta?", who="ana")
    escucha.main.poll()
    (mention,) = mention_ids(escucha)
    assert carried == [mention]
    escucha.clock.forward(minutes=1)
    escucha.main.poll()
    assert carried == [mention], "heard again, and known"
    escucha.network.edit(post, "@marca ¿cuánto cuesta la fibra?")
    escucha.clock.forward(minutes=20)
    escucha.main.poll()
    escucha.main.recheck()
    assert set(carried) == {mention}
    assert len(carried) >= 2


def test_a_job_that_cannot_be_made_stores_nothing(escucha: Escucha) -> None:
    """The cursor, the mentions and their job stand or fall together; the next poll brings all of them."""

    def refuses(_tx: Transaction, _ids: Sequence[int]) -> None:
        raise RuntimeError("no job")

    escucha.store.carries = refuses
    escucha.says("@marca ¿cuánto cuesta?", who="ana")
    (heard,) = escucha.main.poll()
    assert heard.error
    assert mention_ids(escucha) == []
    escucha.store.carries = None
    escucha.clock.forward(hours=1)
    escucha.main.poll()
    assert len(mention_ids(escucha)) == 1


def test_only_the_named_mentions_are_read_and_decided(escucha: Escucha) -> None:
    for who in ("ana", "beto", "carla"):
        escucha.says("@marca ¿cuánto cuesta?", who=who)
    escucha.main.poll()
    first, second, third = mention_ids(escucha)
    assert escucha.main.understand([second]) == 1
    assert escucha.main.decide([first]) == 0, "it is not read yet"
    assert escucha.main.understand([first, third]) == 2
    assert escucha.main.decide([second, third]) == 2
    assert states(escucha) == {"understood": 1, "decided": 2}
    assert escucha.main.understand([]) == escucha.main.decide([]) == 0


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@pytest.fixture
def many(tmp_path: Path, server_url: str) -> Iterator[Escucha]:
    """On PostgreSQL, with numbers of cases drawn ahead."""
    postgres.empty(server_url)
    made = Escucha(tmp_path, url=server_url, policy=AUTO.replace("per_hour: 120", "per_hour: 7"))
    made.store.numbers = stock(made)
    yield made
    made.close()


def stock(escucha: Escucha) -> Stock:
    def draw(year: int, how_many: int) -> range:
        with escucha.store.write() as tx:
            return references.draw(tx, year, how_many)

    return Stock(draw)


def heard(escucha: Escucha, *posts: tuple[str, str]) -> list[int]:
    for who, text in posts:
        escucha.says(f"@marca {text}", who=who)
    escucha.main.poll()
    while escucha.main.understand():
        pass
    return mention_ids(escucha)


def by_turns(escucha: Escucha, ids: Sequence[int], workers: int) -> list[Pipeline]:
    """That many workers decide at once: each all of them, one after the other, in orders that cross."""
    pipelines = [escucha.pipeline() for _ in range(workers)]

    def work(number: int) -> None:
        order = list(ids) if number % 2 else list(reversed(ids))
        while any(pipelines[number].decide(order[at : at + 3]) for at in range(0, len(order), 3)):
            pass

    at_once(*(lambda number=number: work(number) for number in range(workers)))  # type: ignore[misc]
    return pipelines


@pytest.mark.slow
def test_each_mention_is_decided_once_and_one_person_has_one_case(many: Escucha) -> None:
    """Everybody writes three times of one thing; four workers take them in crossing orders, none ends in a deadlock."""
    ids = heard(many, *((f"p{n}", f"mal, no anda la fibra {turn}") for turn in range(3) for n in range(PEOPLE)))
    by_turns(many, ids, 4)
    assert states(many) == {"decided": 3 * PEOPLE}
    with many.store.read() as tx:
        assert sorted(tx.scalars(select(t.decisions.c.mention_id))) == ids, "each once"
        opened = [row.account_id for row in tx.execute(select(t.cases))]
        numbers = list(tx.scalars(select(t.cases.c.reference)))
    assert len(opened) == len(set(opened)) == PEOPLE
    assert len(set(numbers)) == PEOPLE
    assert many.store.problems() == []


@pytest.mark.slow
def test_two_in_one_private_conversation_have_one_case(many: Escucha) -> None:
    """Beto answers in Ana's conversation: whoever decides that waits for whoever has the conversation in hand."""
    ana, beto = many.network.person("ana"), many.network.person("beto")
    root = ana.post("@marca mal, nos cobran la fibra dos veces", visibility=Visibility.DIRECT)
    beto.post("@marca mal, a mi nombre también", root, visibility=Visibility.DIRECT)
    ids = heard(many)
    assert len(ids) == 2
    in_hand, goes = threading.Event(), threading.Event()
    first, second = many.pipeline(), many.pipeline()
    done: list[int] = []

    class Slow:
        """Thinks until it is told to go on: what hangs together was looked for, and nothing is written yet."""

        def __getattr__(self, name: str) -> Any:
            return getattr(many.policy, name)

        def decide(self, situation: Situation) -> Decision:
            in_hand.set()
            goes.wait(20)
            return many.policy.decide(situation)

    first.policy = Slow()
    slowly = threading.Thread(target=lambda: done.append(first.decide(ids[:1])))
    slowly.start()
    in_hand.wait(20)
    later = threading.Thread(target=lambda: done.append(second.decide(ids[1:])))
    later.start()
    later.join(1)
    goes.set()
    slowly.join(20)
    later.join(20)
    assert done == [1, 1]
    with many.store.read() as tx:
        assert len(list(tx.scalars(select(t.cases.c.id)))) == 1


def mentions_of(tx: Transaction, ids: Sequence[int]) -> list[Mention]:
    return mentions.awaiting(tx, MentionState.UNDERSTOOD, len(ids), ids=ids, alone=True)


@pytest.mark.slow
def test_what_one_has_in_hand_another_leaves(many: Escucha) -> None:
    ids = heard(many, *((f"p{n}", "¿cuánto cuesta?") for n in range(4)))
    other = many.pipeline()
    with many.store.write() as tx:
        assert [each.id for each in mentions_of(tx, ids[:2])] == ids[:2]
        assert other.decide(ids) == 2, "the other two"
    assert other.decide(ids) == 2


@pytest.mark.slow
def test_a_limit_of_an_hour_holds_over_all_workers(many: Escucha) -> None:
    """Seven may go out by themselves; the rest waits for a person, however many workers decide at once."""
    ids = heard(many, *((f"p{n}", f"¿cuánto cuesta el plan {n * 7919}?") for n in range(PEOPLE)))
    by_turns(many, ids, 4)
    with many.store.read() as tx:
        drafts = stats.counts(tx).drafts
    assert drafts["approved"] == 7
    assert drafts["proposed"] == PEOPLE - 7


@pytest.mark.slow
def test_two_that_wait_for_each_other_are_told_apart_and_done_again(many: Escucha) -> None:
    heard(many, ("ana", "¿cuánto cuesta?"), ("beto", "¿cuánto cuesta?"))
    with many.store.read() as tx:
        accounts = list(tx.scalars(select(t.accounts.c.id).order_by(t.accounts.c.id)))
    gate = threading.Barrier(2)
    tries = [0, 0]

    def work(number: int) -> None:
        tries[number] += 1
        one, other = accounts if number else reversed(accounts)
        with many.store.write() as tx:
            cases.hold_person(tx, account_id=one, customer_id=None)
            if tries[number] == 1:
                gate.wait(10)
            cases.hold_person(tx, account_id=other, customer_id=None)

    at_once(lambda: again(lambda: work(0)), lambda: again(lambda: work(1)))
    assert sorted(tries) == [1, 2]


def test_who_changes_a_case_first_keeps_what_others_were_about_to_write_of_it(escucha: Escucha) -> None:
    """Of two cases that a book changes one is as it was read, one is not: nothing of the book is written."""
    for who in ("ana", "beto"):
        escucha.says("@marca todo mal", who=who)
    escucha.round()
    with escucha.store.read() as tx:
        found = cases.listing(tx)
    with escucha.store.write() as tx:
        cases.record(tx, found[0], "title", by="eva", now=escucha.clock(), became={"title": "hers"})

    def write_both() -> None:
        with escucha.store.write() as tx:
            book = Ledger(tx, pattern="ES", now=escucha.clock())
            for case in found:
                book.record(case, "title", by="rule", became={"title": "the rule's"})
            book.settle()

    with pytest.raises(Crossed):
        write_both()
    with escucha.store.read() as tx:
        assert sorted(case.title for case in cases.listing(tx)) == sorted(["hers", found[1].title])


def test_who_crosses_each_time_is_told() -> None:
    tries: list[int] = []

    def crosses() -> None:
        tries.append(1)
        raise Crossed("again")

    with pytest.raises(Crossed):
        again(crosses)
    assert len(tries) == 5


def test_numbers_drawn_ahead_are_given_once() -> None:
    """A pocket takes the number it told of; what a transaction did not use, the next one gets."""
    drawn: list[int] = []

    def draw(_year: int, how_many: int) -> list[int]:
        start = len(drawn) + 1
        drawn.extend(range(start, start + how_many))
        return drawn[-how_many:]

    made = Stock(draw)
    one, two = Pocket(made), Pocket(made)
    assert one.next(2026) == one.next(2026) == one.take(2026) == 1
    assert two.next(2026) == 2
    assert one.next(2026) == 3
    two.empty()
    assert one.take(2026) == 3
    assert Pocket(made).take(2026) == 2
    assert len(drawn) == BLOCK
    taken = [one.take(2026) for _ in range(2 * BLOCK)]
    assert len(set(taken)) == 2 * BLOCK
    assert not set(taken) & {1, 2, 3}


def test_who_decides_knows_what_whoever_listens_was_told_of_the_network(escucha: Escucha) -> None:
    """A server with room for 5,000 characters: another process that is connected to nothing drafts for 5,000."""

    class Roomy(sandbox.Sandbox):
        facts = replace(sandbox.FACTS, limit=5000)

    apart = escucha.pipeline()
    assert apart.connections.facts("sandbox", "care").limit == sandbox.FACTS.limit
    listens = escucha.pipeline(connector=Roomy)
    escucha.says("@marca ¿cuánto cuesta?")
    listens.poll()
    assert apart.connections.facts("sandbox", "care").limit == sandbox.FACTS.limit, "asked once a minute"
    later = escucha.pipeline()
    assert later.connections.facts("sandbox", "care") == Roomy.facts
    later.understand()
    later.decide()
    with escucha.store.read() as tx:
        decided = tx.scalar(select(t.decisions.c.facts))
        assert decided == tx.scalar(select(t.identities.c.facts))
