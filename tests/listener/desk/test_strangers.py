"""Whoever guesses a reference and quotes it in private: they get into the case, and nothing of it gets to them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from listener import reach
from listener.desk import cases as desk
from listener.desk import continuing, history, marks
from listener.desk.matters import UNPROVEN
from listener.store import cases, decisions, inbox, mentions
from listener.store import continuing as store
from listener.store.cases import Case
from listener.types import CaseState, DraftState, Urgency, Visibility
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
        (_, _, _), (theirs, why, _) = inside = cases.mentions_in(tx, case)
        assert (mentions.get(tx, theirs).author.handle, why) == ("mallory", f"it quotes {case.reference}, {UNPROVEN}")
        assert store.strangers(tx, case) == {theirs}
        told = [
            happening.detail["known"]
            for happening in history.of(tx, case, {number: each for number, each, _ in inside}, strangers={theirs})
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


def all_cases(world: PeopleWorld) -> list[Case]:
    with world.store.read() as tx:
        return sorted(cases.listing(tx, states=list(CaseState)), key=lambda case: case.id)


def happened(world: PeopleWorld, case: Case) -> list[str]:
    with world.store.read() as tx:
        return [event.kind for event in cases.events_of(tx, case)]


def snoozes(world: PeopleWorld, case: Case) -> None:
    with world.store.write() as tx:
        marks.snooze(tx, case, world.clock() + timedelta(days=3), by="eva", now=world.clock())


def moves(world: PeopleWorld, case: Case, to: CaseState) -> None:
    with world.store.write() as tx:
        desk.move(tx, case, to, by="eva", now=world.clock(), moved=world.policy.promises.moved)


def test_a_stranger_wakes_and_hurries_nothing(world: PeopleWorld) -> None:
    world.links_("C1", "ana")
    world.hears("ana")
    (before,) = all_cases(world)
    snoozes(world, before)
    known = happened(world, before)
    whispers(world, "mallory", f"@marca todo mal con {before.reference}")
    (after,) = all_cases(world)
    assert happened(world, before) == [*known, "mention"], "it is in the case, and nothing else happened"
    told = ("state", "urgency", "score", "queue_at", "tags", "first_response_due", "resolution_due", "team")
    assert [getattr(after, name) for name in told] == [getattr(before, name) for name in told]
    assert after.snoozed_until is not None
    world.clock.forward(seconds=11)
    whispers(world, "ana", f"@marca todo mal con {before.reference}")
    (after,) = all_cases(world)
    assert (after.snoozed_until, after.urgency) == (None, Urgency.HIGH), "its person does"


@pytest.mark.parametrize("over", [CaseState.RESOLVED, CaseState.CLOSED])
def test_a_stranger_opens_nothing_that_is_over_and_a_person_sees_them_all_the_same(
    world: PeopleWorld, over: CaseState
) -> None:
    world.hears("ana")
    (case,) = all_cases(world)
    moves(world, case, over)
    whispers(world, "mallory", f"@marca todo mal con {case.reference}")
    still, own = all_cases(world)
    assert (still.state, own.state) == (over, CaseState.OPEN)
    with world.store.read() as tx:
        ((_, why, _),) = cases.mentions_in(tx, own)
    assert why.endswith(
        f"it quotes {case.reference}, but {case.reference} is over, and somebody else's, as far as we know"
    )


def test_what_waits_for_an_answer_opens_for_whoever_may_be_the_customer(world: PeopleWorld) -> None:
    world.hears("ana")
    (case,) = all_cases(world)
    moves(world, case, CaseState.PENDING)
    whispers(world, "ana_de_casa", f"@marca gracias, va lo que pedían para {case.reference}")
    (case,) = all_cases(world)
    assert case.state is CaseState.OPEN
    with world.store.read() as tx:
        reopened = cases.last_event(tx, case, "reopened")
    assert reopened is not None
    assert reopened.detail["why"] == "somebody who may be the customer wrote"


def test_a_stranger_edits_what_they_wrote_and_opens_nothing(world: PeopleWorld) -> None:
    world.hears("ana")
    (case,) = all_cases(world)
    world.network.person("mallory")
    post = world.network.post(
        "mallory", f"@marca sobre {case.reference}", at=world.clock(), visibility=Visibility.DIRECT
    )
    world.round()
    moves(world, case, CaseState.RESOLVED)
    world.network.edit(post, f"@marca todo mal con {case.reference}", at=world.clock())
    world.round()
    (case,) = all_cases(world)
    assert (case.state, case.urgency) == (CaseState.RESOLVED, Urgency.NORMAL)


def test_no_answer_to_a_stranger_goes_out_alone_nor_stops_the_clock(world: PeopleWorld) -> None:
    world.hears("ana", "@marca todo mal")
    (case,) = all_cases(world)
    whispers(world, "mallory", f"@marca ¿qué hay de {case.reference}?")
    with world.store.read() as tx:
        (theirs,) = store.strangers(tx, case)
        (made,) = decisions.decisions_of(tx, theirs)
    held = [guard["guard"] for guard in made.trace["guards"] if guard["holds"]]
    assert (held, made.trace["saw"]["stranger"]) == (["stranger"], True)
    drafts = {draft.mention_id: draft for draft in world.drafts()}
    assert {draft.state for draft in drafts.values()} == {DraftState.PROPOSED}
    (hers,) = drafts.keys() - {theirs}
    for number, answered in ((theirs, False), (hers, True)):
        with world.store.write() as tx:
            inbox.approve(tx, inbox.get(tx, drafts[number].id), by="eva", now=world.clock())
        world.round()
        with world.store.read() as tx:
            assert inbox.get(tx, drafts[number].id).state is DraftState.SENT
        (case,) = all_cases(world)
        assert (case.first_response_at is not None) == answered


def test_their_own_other_account_is_answered_alone(world: PeopleWorld) -> None:
    for account in ("ana", "ana_de_casa"):
        world.links_("C1", account)
    world.hears("ana")
    (case,) = all_cases(world)
    whispers(world, "ana_de_casa", f"@marca ¿qué hay de {case.reference}?")
    assert len(all_cases(world)) == 1
    newest = max(world.drafts(), key=lambda draft: draft.id)
    assert newest.state is DraftState.SENT
