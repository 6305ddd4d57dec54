"""Case references and the rules by which a case lives."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from listener import references
from listener.desk import cases as desk
from listener.errors import AlreadyDone, Mistake, NotFound, Stale
from listener.store import cases, mentions
from listener.store.cases import Case
from listener.types import CASE_MOVES, CasePlan, CaseState, Urgency
from tests.listener.commands.desk_world import DeskWorld, on_and_on, promised

REFERENCES = st.builds(references.reference, st.just("ES"), st.integers(2000, 2099), st.integers(1, 9_999_999))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    yield made
    made.close()


# --- references ---


@given(
    REFERENCES, st.sampled_from(["", "-", " ", ".", "/", "–", "_", " - "]), st.booleans(), st.booleans(), st.booleans()
)
def test_a_reference_is_read_however_it_is_typed(
    reference: str, gap: str, lower: bool, prefix: bool, zeros: bool
) -> None:
    letters, year, number, check = reference.split("-")
    parts = [year, number if zeros else number.lstrip("0"), check]
    typed = gap.join([letters, *parts] if prefix else parts)
    assert references.parse_reference(f" {typed.lower() if lower else typed} ", "ES") == reference


def test_digits_of_full_width_are_digits() -> None:
    assert references.parse_reference("ES-26-000123-3", "ES") == "ES-26-000123-3"


@given(REFERENCES, st.data())
def test_one_wrong_digit_is_always_noticed(reference: str, data: st.DataObject) -> None:
    at = data.draw(st.sampled_from([n for n, sign in enumerate(reference) if sign.isdigit()]))
    digit = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != reference[at]]))
    with pytest.raises(Mistake, match="slip"):
        references.parse_reference(reference[:at] + digit + reference[at + 1 :], "ES")


@given(REFERENCES, st.data())
def test_two_neighbours_in_the_wrong_order_are_always_noticed(reference: str, data: st.DataObject) -> None:
    digits = reference.replace("-", "").removeprefix("ES")
    at = data.draw(st.integers(0, len(digits) - 2))
    assume(digits[at] != digits[at + 1])
    swapped = digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]
    with pytest.raises(Mistake, match="slip"):
        references.parse_reference(f"ES-{swapped[:2]}-{swapped[2:-1]}-{swapped[-1]}", "ES")


@pytest.mark.parametrize("typed", ["ES-01-0000000-{}", "01 0000000 {}"])
def test_no_zero_is_dropped_where_a_swap_may_have_put_it(typed: str) -> None:
    check = references.reference("ES", 2000, 1_000_000)[-1]
    with pytest.raises(Mistake, match="slip"):
        references.parse_reference(typed.format(check), "ES")
    assert f"001000000{check}" in references.one_slip_away(f"010000000{check}")


@given(st.text())
def test_anything_else_is_one_sentence(text: str) -> None:
    try:
        said = references.parse_reference(text, "ES")
    except Mistake as mistake:
        said = str(mistake)
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("text", ["1" * 5000, "ES-" + "9" * 30, "", "ES", "XX-26-000123-3", "٢٦١٢٣٣", "26\x00123 3"])
def test_what_is_no_reference_says_how_one_looks(text: str) -> None:
    with pytest.raises(Mistake, match=r"ES-26-000123-\d"):
        references.parse_reference(text, "ES")


@given(REFERENCES)
def test_every_slip_leads_back_to_what_was_meant(reference: str) -> None:
    digits = reference.replace("-", "").removeprefix("ES")
    wrong = str((int(digits[4]) + 1) % 10)
    assert digits in references.one_slip_away(digits[:4] + wrong + digits[5:])


# --- finding ---


def opened(world: DeskWorld, *, who: str = "ana") -> Case:
    number = world.hears(who=who)
    plan = CasePlan(team="care", urgency=Urgency.NORMAL, title="T", promise=promised(world.clock(), 4))
    with world.store.write() as tx:
        mention = mentions.get(tx, number)
        case, _ = desk.route(
            tx, mention, pattern="ES", plan=plan, another=True, by="mod", now=world.clock(), moved=on_and_on
        )
        return case


def test_a_slip_is_answered_with_the_case_that_is_meant(world: DeskWorld) -> None:
    case = opened(world)
    digits = case.reference.replace("-", "").removeprefix("ES")
    wrong = digits[:-2] + str((int(digits[-2]) + 1) % 10) + digits[-1]
    with world.store.read() as tx:
        assert desk.find(tx, case.reference.lower().replace("-", ""), "ES") == case
        with pytest.raises(Mistake, match=f"slip.*Did you mean {case.reference}"):
            desk.find(tx, wrong, "ES")
        with pytest.raises(NotFound, match="no case ES-26-000777"):
            desk.find(tx, references.reference("ES", 2026, 777), "ES")
        with pytest.raises(Mistake, match="no case reference"):
            desk.find(tx, "nonsense", "ES")


# --- states ---


@pytest.mark.parametrize("start", list(CaseState))
@pytest.mark.parametrize("to", list(CaseState))
def test_a_case_moves_only_as_declared(world: DeskWorld, start: CaseState, to: CaseState) -> None:
    case = opened(world)
    with world.store.write() as tx:
        cases.change(tx, case, now=world.clock(), state=start.value)
        case = cases.by_id(tx, case.id)
        if to in CASE_MOVES[start]:
            moved = desk.move(tx, case, to, by="luis", now=world.clock(), moved=on_and_on)
            assert moved.state is to
            assert (moved.resolved_at is not None) == (to is CaseState.RESOLVED)
            assert cases.events_of(tx, moved)[-1].detail["was"] == start
        else:
            before = cases.events_of(tx, case)
            with pytest.raises(AlreadyDone if to is start else Mistake):
                desk.move(tx, case, to, by="luis", now=world.clock(), moved=on_and_on)
            assert (cases.by_id(tx, case.id), cases.events_of(tx, case)) == (case, before)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.sampled_from(list(CaseState)), min_size=4, max_size=12))
def test_any_run_of_moves_leaves_a_history_that_tells_it(moves: list[CaseState]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = DeskWorld(Path(folder))
        case = opened(world)
        walked = [case.state]
        with world.store.write() as tx:
            for to in moves:
                try:
                    case = desk.move(tx, case, to, by="x", now=world.clock(), moved=on_and_on)
                except Mistake:
                    assert to not in CASE_MOVES[walked[-1]]
                    continue
                walked.append(to)
            told = [event.detail["was"] for event in cases.events_of(tx, case) if "was" in event.detail]
        world.close()
        assert told == walked[:-1]
        assert case.state is walked[-1]


def test_whoever_is_first_wins_and_the_other_hears_who_it_was(world: DeskWorld) -> None:
    case = opened(world)
    with world.store.write() as tx:
        desk.move(tx, case, CaseState.RESOLVED, by="luis", now=world.clock(), moved=on_and_on)
    with world.store.write() as tx, pytest.raises(AlreadyDone, match="resolved already: luis was first, at 2026-03-04"):
        desk.move(tx, case, CaseState.RESOLVED, by="eva", now=world.clock(), moved=on_and_on)  # as she read it
    with world.store.write() as tx, pytest.raises(Stale, match="a moment ago"):
        desk.note(tx, case, "x", by="eva", now=world.clock(), completeness=40)


def test_a_case_is_not_taken_from_somebody_by_accident(world: DeskWorld) -> None:
    case = opened(world)
    with world.store.write() as tx:
        case = desk.assign(tx, case, team=None, agent="luis", by="eva", now=world.clock())
        with pytest.raises(AlreadyDone, match=r"luis has .* since"):
            desk.assign(tx, case, team=None, agent="eva", by="eva", now=world.clock())
        again = desk.assign(tx, case, team="network", agent="luis", by="eva", now=world.clock())
        assert (again.team, again.agent) == ("network", "luis")
        taken = desk.assign(tx, case, team=None, agent="eva", by="eva", now=world.clock(), take_over=True)
        assert taken.agent == "eva"
        over = desk.move(tx, taken, CaseState.RESOLVED, by="eva", now=world.clock(), moved=on_and_on)
        with pytest.raises(Mistake, match="reopen"):
            desk.assign(tx, over, team=None, agent="eva", by="eva", now=world.clock())
        with pytest.raises(Mistake, match="reopen"):
            desk.note(tx, over, "x", by="eva", now=world.clock(), completeness=10)
        desk.note(tx, over, "still worth knowing", by="eva", now=world.clock())


# --- routing by hand ---


def route(
    world: DeskWorld, number: int, *, another: bool = False, urgency: Urgency = Urgency.NORMAL
) -> tuple[Case, bool]:
    plan = CasePlan(team="care", urgency=urgency, title="T", tags=("a",))
    with world.store.write() as tx:
        mention = mentions.get(tx, number)
        return desk.route(
            tx, mention, pattern="ES", plan=plan, another=another, by="mod", now=world.clock(), moved=on_and_on
        )


def test_a_second_mention_joins_what_is_open(world: DeskWorld) -> None:
    first, was_opened = route(world, world.hears())
    second, joined = route(world, world.hears(), urgency=Urgency.CRITICAL)
    assert (was_opened, joined) == (True, False)
    assert second.reference == first.reference
    assert second.urgency is Urgency.CRITICAL
    third, opened_again = route(world, world.hears(), another=True)
    assert opened_again
    assert third.reference != first.reference


def test_a_mention_is_routed_once_and_not_after_its_deletion(world: DeskWorld) -> None:
    number = world.hears()
    case, _ = route(world, number)
    with pytest.raises(AlreadyDone, match=f"M{number} is in {case.reference} already, opened by mod"):
        route(world, number)
    gone = world.hears(who="eva")
    world.is_deleted(gone)
    with pytest.raises(Mistake, match="deleted by its author"):
        route(world, gone)
