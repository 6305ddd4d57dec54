"""What passed between one person and us, on both databases."""

from __future__ import annotations

from listener.desk import context
from listener.desk.context import CONTACTS
from listener.store import cases, lately, mentions
from tests.listener.flow.world import Escucha


def test_what_passed_is_told_newest_first_and_only_of_that_person(escucha: Escucha) -> None:
    for turn in range(CONTACTS):
        escucha.says(f"@marca me va mal, van {turn}")
        escucha.says("@marca ¿horario?", who="beto")
        escucha.round()
    for draft in escucha.drafts()[:1]:
        escucha.approve(draft)
    escucha.round()
    with escucha.store.read() as tx:
        case = next(each for each in cases.listing(tx) if each.handle == "ana")
        known = context.of_case(tx, case, now=escucha.clock())
        assert len(known.passed) == CONTACTS
        times = [each.at for each in known.passed]
        assert times == sorted(times, reverse=True)
        assert not any("horario" in each.text for each in known.passed)
        assert [mood.value for mood in known.moods] == [0.0] * CONTACTS
        (ana,) = known.accounts
        both = [ana.id, mentions.get(tx, 2).account_id]
        assert {each.network for each in lately.said(tx, both, limit=6)} == {"sandbox"}
        assert any("horario" in each.text for each in lately.said(tx, both, limit=6))
        assert len(lately.answered(tx, [ana.id], limit=5)) == 1
        assert lately.answered(tx, [], limit=5) == lately.said(tx, [], limit=5) == lately.moods(tx, [], limit=5) == []


def test_what_was_solved_before_is_found_again(escucha: Escucha) -> None:
    escucha.says("@marca mal: la fibra se corta cada noche en Sevilla", who="luis")
    escucha.round()
    with escucha.store.write() as tx:
        old = cases.listing(tx)[0]
        cases.record(
            tx,
            old,
            "resolved",
            by="mod",
            now=escucha.clock(),
            note="Se cambió el router",
            became={"state": "resolved", "resolved_at": escucha.clock()},
        )
    escucha.says("@marca va mal, la fibra se corta siempre de noche")
    escucha.round()
    with escucha.store.read() as tx:
        new = next(each for each in cases.listing(tx) if each.handle == "ana")
        (found,) = context.of_case(tx, new, now=escucha.clock()).alike
        assert (found.reference, found.solution) == (old.reference, "Se cambió el router")
