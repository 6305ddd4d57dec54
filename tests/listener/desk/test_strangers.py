"""Whoever guesses a reference and quotes it in private: they get into the case, and nothing of it gets to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from listener import reach
from listener.desk import continuing, history
from listener.store import cases, mentions
from listener.store import continuing as store
from listener.types import Visibility
from tests.listener.desk.people_world import PeopleWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PeopleWorld]:
    made = PeopleWorld(tmp_path)
    made.adds("C1", email="ana@people.example")
    yield made
    made.close()


def whispers(world: PeopleWorld, who: str, text: str) -> None:
    """Somebody writes to us alone."""
    world.network.person(who)
    world.network.post(who, text, at=world.clock(), visibility=Visibility.DIRECT)
    world.round()


def test_a_guessed_reference_gets_nothing_of_the_case(world: PeopleWorld) -> None:
    world.links_("C1", "ana")
    world.hears("ana", "@marca ¿horario? mi contrato es el 4711")
    with world.store.read() as tx:
        (case,) = cases.listing(tx)
    whispers(world, "mallory", f"@marca ¿qué hay de {case.reference}? escribidme a mallory@evil.example")
    with world.store.read() as tx:
        (case,) = cases.listing(tx)
        (_, _, _), (theirs, why, _) = cases.mentions_in(tx, case)
        assert (mentions.get(tx, theirs).author.handle, why) == ("mallory", f"it quotes {case.reference}")
        assert store.strangers(tx, case) == {theirs}
        told = [
            happening.detail["known"]
            for happening in history.of(tx, case, strangers={theirs})
            if happening.kind == "said"
        ]
        assert told == [True, False]
        begun = continuing.start(tx, case)
        assert begun.mention.author.handle == "ana", "who goes on with the case writes to its person"
        assert "mallory" not in begun.recap().text
        assert continuing.where(tx, begun, reach.MAIL) == "ana@people.example"
    answers = {draft.mention_id: draft.text for draft in world.drafts()}
    assert "Name of C1" in answers[begun.mention.id], "their own person is called by their name"
    assert answers[theirs] == f"Hola , lo vemos en {case.reference}."


def test_their_own_accounts_are_no_strangers(world: PeopleWorld) -> None:
    world.hears("ana")
    with world.store.read() as tx:
        (case,) = cases.listing(tx)
    whispers(world, "ana_de_casa", f"@marca soy ana, sobre {case.reference}: ¿horario?")
    with world.store.read() as tx:
        assert len(store.strangers(tx, case)) == 1
    world.links_("C1", "ana")
    world.links_("C1", "ana_de_casa")
    with world.store.read() as tx:
        assert store.strangers(tx, cases.by_id(tx, case.id)) == frozenset()
