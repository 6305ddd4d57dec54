"""One case for each matter, as the whole flow has it: follow-ups, other matters, strangers, and why each is where."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from listener.desk import cases as desk
from listener.store import cases, rebuilding
from listener.store import tables as t
from listener.store.cases import Case
from listener.types import CaseState
from tests.listener.flow.world import Escucha

BILL = "@marca está mal la factura de marzo: viene con recargo por mora"
SHOP = "@marca ¿abren la sucursal de Palermo durante el feriado largo?"


def listed(escucha: Escucha) -> list[Case]:
    with escucha.store.read() as tx:
        found = cases.listing(tx, states=list(CaseState))
        assert rebuilding.differences(tx, limit=5) == []
    return sorted(found, key=lambda case: case.id)


def reasons(escucha: Escucha, case: Case) -> list[str]:
    with escucha.store.read() as tx:
        return [why for _, why, _ in cases.mentions_in(tx, case)]


def move(escucha: Escucha, case: Case, to: CaseState) -> None:
    with escucha.store.write() as tx:
        desk.move(tx, case, to, by="mod", now=escucha.clock(), moved=escucha.policy.promises.moved)


def test_another_matter_of_the_same_person_is_another_case(escucha: Escucha) -> None:
    escucha.says(BILL)
    escucha.round()
    escucha.clock.forward(hours=2)
    escucha.says(SHOP)
    escucha.round()
    escucha.says("@marca ¿y el recargo de mi factura de marzo?")
    escucha.round(hours=2)
    bill, shop = listed(escucha)
    assert reasons(escucha, bill) == [
        "it opened the case: nothing of theirs is open",
        "the same person, in much the same words",
    ]
    assert reasons(escucha, shop) == [f"it opened the case: it is about something else than {bill.reference}"]


def test_who_answers_us_goes_on_with_the_case_whatever_it_is_about(escucha: Escucha) -> None:
    escucha.says("@marca ¿horario?")
    escucha.round()
    (ours,) = escucha.network.posts_by("marca")
    escucha.says(SHOP, parent=str(ours["id"]))
    escucha.round(hours=2)
    (case,) = listed(escucha)
    assert reasons(escucha, case)[1] == "it answers what we said in it"


def test_an_answer_to_a_post_of_the_same_number_on_another_network_is_no_answer_to_us(escucha: Escucha) -> None:
    escucha.says("@marca ¿horario?")
    escucha.round()
    (ours,) = escucha.network.posts_by("marca")
    with escucha.store.write() as tx:
        tx.execute(update(t.mentions).values(network="elsewhere"))
    escucha.says(SHOP, parent=str(ours["id"]))
    escucha.round(hours=2)
    whys = [why for case in listed(escucha) for why in reasons(escucha, case)]
    assert len(whys) == 2
    assert "it answers what we said in it" not in whys


def test_a_stranger_in_the_thread_who_quotes_the_case_gets_their_own(escucha: Escucha) -> None:
    post = escucha.says(BILL)
    escucha.round()
    (first,) = listed(escucha)
    escucha.says(f"@marca ¿qué pasa con el {first.reference}?", who="beto", parent=post)
    escucha.round()
    first, second = listed(escucha)
    assert len(reasons(escucha, first)) == 1
    why = f"it quotes {first.reference}, but {first.reference} is somebody else's, as far as we know"
    assert reasons(escucha, second) == [f"it opened the case: {why}"]


@pytest.mark.parametrize("over", [CaseState.RESOLVED, CaseState.CLOSED])
def test_its_reference_reopens_a_case(escucha: Escucha, over: CaseState) -> None:
    escucha.says(BILL)
    escucha.round()
    (case,) = listed(escucha)
    move(escucha, case, over)
    said = case.reference.lower().replace("-", " ")
    escucha.clock.forward(days=3)
    escucha.says(f"@marca sobre {said}: quisiera saber cuándo llega la devolución prometida")
    escucha.round()
    (again,) = listed(escucha)
    assert again.state is CaseState.OPEN
    assert reasons(escucha, again)[1] == f"it quotes {case.reference}"


def test_a_mention_that_is_edited_stays_in_its_case(escucha: Escucha) -> None:
    post = escucha.says(BILL)
    escucha.round()
    (case,) = listed(escucha)
    move(escucha, case, CaseState.RESOLVED)
    escucha.network.edit(post, "@marca está mal la factura de abril, perdón", at=escucha.clock())
    escucha.round()
    (again,) = listed(escucha)
    assert (again.reference, again.state) == (case.reference, CaseState.OPEN)


def test_thanks_reopen_nothing(escucha: Escucha) -> None:
    escucha.says(BILL)
    escucha.round()
    (case,) = listed(escucha)
    move(escucha, case, CaseState.RESOLVED)
    escucha.says("@marca mil gracias, quedó todo perfecto con la devolución")
    escucha.round()
    (still,) = listed(escucha)
    assert still.state is CaseState.RESOLVED
    assert len(reasons(escucha, still)) == 2
