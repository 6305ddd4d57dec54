"""Whose an account is: links that were wrong, and records that are one person's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.desk import cases as desk
from listener.errors import AlreadyDone, Mistake, NotFound
from listener.store import audit, cases, contacts, customers, links, merges, moves, tables
from listener.types import CasePlan, CaseState, DraftState, Urgency
from tests.listener.desk.people_world import PeopleWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PeopleWorld]:
    made = PeopleWorld(tmp_path)
    made.adds("C1", "C2")
    yield made
    made.holds()
    made.close()


# --- a wrong link ---


def test_a_mention_that_joined_the_customers_case_leaves_it(world: PeopleWorld) -> None:
    world.hears("ana")
    world.links_("C1", "ana")
    world.links_("C1", "eva")
    world.hears("eva")
    assert world.cases() == [("C1", "ana", {"ana", "eva"})]
    done = world.unlinks("C1", "eva")
    assert [(parted.mentions, parted.worked_on) for parted in done.parted] == [((2,), False)]
    assert world.cases() == [("C1", "ana", {"ana"}), (None, "eva", {"eva"})]


def test_the_customers_own_mention_leaves_a_case_that_the_wrong_account_opened(world: PeopleWorld) -> None:
    world.links_("C1", "eva")
    world.hears("eva")
    world.links_("C1", "ana")
    world.hears("ana")
    assert world.cases() == [("C1", "eva", {"ana", "eva"})]
    world.unlinks("C1", "eva")
    assert world.cases() == [(None, "eva", {"eva"}), ("C1", "ana", {"ana"})]


def test_what_was_written_with_the_wrong_record_in_view_is_withdrawn_and_written_anew(world: PeopleWorld) -> None:
    world.links_("C1", "eva")
    world.hears("eva", "@marca todo mal")
    (draft,) = world.drafts(DraftState.PROPOSED)
    assert world.unlinks("C1", "eva").again == (draft.mention_id,)
    (gone,) = world.drafts()
    assert (gone.state, gone.text) == (DraftState.EXPIRED, "")
    world.main.digest()
    assert [each.state for each in world.drafts()] == [DraftState.EXPIRED, DraftState.PROPOSED]


def test_what_is_in_a_case_that_is_over_goes_to_one_that_is_over_too(world: PeopleWorld) -> None:
    world.hears("ana")
    world.links_("C1", "ana")
    world.links_("C1", "eva")
    world.hears("eva")
    world.resolves(0)
    world.unlinks("C1", "eva")
    with world.store.read() as tx:
        found = cases.listing(tx, states=list(CaseState))
        assert {(case.handle, case.state.value) for case in found} == {("ana", "resolved"), ("eva", "resolved")}


def test_notes_in_the_case_are_told_of_for_nobody_can_tell_whose_they_are(world: PeopleWorld) -> None:
    world.links_("C1", "ana")
    world.hears("ana")
    world.links_("C1", "eva")
    world.hears("eva")
    world.notes(0, "called her at home")
    assert [parted.worked_on for parted in world.unlinks("C1", "eva").parted] == [True]


def test_relinking_puts_everything_back(world: PeopleWorld) -> None:
    world.links_("C1", "ana")
    world.hears("ana")
    world.links_("C1", "eva")
    world.hears("eva")
    before, theirs = world.cases(), world.handles("C1")
    world.unlinks("C1", "eva")
    done = world.relinks("C1", "eva")
    assert (done.left, done.basis.value) == ((), "verified")
    assert world.handles("C1") == theirs
    assert [case for case in world.cases() if case[2]] == before
    with world.store.read() as tx:
        assert [link.evidence for link in links.of(tx, customers.get(tx, "C1"))] == ["a letter", "a letter"]
        live = cases.listing(tx)
    assert len(live) == 1  # the case that was made for the parting is over


def test_only_a_link_that_was_taken_back_can_be_put_back(world: PeopleWorld) -> None:
    world.hears("eva")
    with pytest.raises(NotFound, match="not linked to C1 before"):
        world.relinks("C1", "eva")
    world.links_("C1", "eva")
    world.unlinks("C1", "eva")
    world.links_("C2", "eva")
    with pytest.raises(AlreadyDone, match="customer C2's"):
        world.relinks("C1", "eva")


def test_cases_that_were_merged_are_two_again_where_they_are_two_peoples(world: PeopleWorld) -> None:
    world.hears("ana")
    world.hears("eva", "@marca todo mal")
    world.links_("C1", "ana")
    world.links_("C1", "eva")
    world.joins_cases(0, 1)
    assert world.cases() == [("C1", "ana", {"ana", "eva"}), ("C1", "eva", set())]
    world.unlinks("C1", "eva")
    assert world.cases() == [("C1", "ana", {"ana"}), (None, "eva", {"eva"})]
    with world.store.read() as tx:
        assert [case.merged_into for case in cases.listing(tx)] == [None, None]


# --- two records, one person ---


def test_merging_brings_accounts_cases_and_what_the_record_lacked(world: PeopleWorld) -> None:
    world.adds("C3", email="eva@a.example", tier="gold", tags=["vip"], fields={"plan": "fibre"})
    world.links_("C1", "ana")
    world.links_("C3", "eva")
    world.hears("eva")
    world.merges("C1", "C3")
    ruling = world.customer("C1")
    assert (ruling.email, ruling.tier, ruling.tags, ruling.fields) == (
        "eva@a.example",
        "gold",
        ("vip",),
        {"plan": "fibre"},
    )
    assert sorted(world.handles("C1")) == ["ana", "eva"]
    assert world.cases() == [("C1", "eva", {"eva"})]
    world.hears("ana")
    assert world.cases() == [("C1", "eva", {"ana", "eva"})]
    with world.store.read() as tx:
        assert [each.reference for each in customers.listing(tx)] == ["C1", "C2"]
        assert customers.ruling(tx, customers.get(tx, "C3")).reference == "C1"
        assert {entry.action for entry in audit.about(tx, "customer C3")} >= {"customer.merged"}


def test_unmerging_restores_what_was_and_takes_along_what_came_since(world: PeopleWorld) -> None:
    world.adds("C3", email="eva@a.example", tags=["vip"])
    before = world.customer("C1")
    world.links_("C1", "ana")
    world.links_("C3", "eva")
    world.hears("eva")
    world.merges("C1", "C3")
    world.hears("ana")
    world.resolves(0)
    world.hears("eva", "@marca todo mal")
    world.unmerges("C3")
    after = world.customer("C1")
    assert (after.email, after.tags) == (before.email, before.tags)
    assert (world.handles("C1"), world.handles("C3")) == (["ana"], ["eva"])
    assert {(whose, frozenset(inside)) for whose, _, inside in world.cases()} == {
        ("C3", frozenset({"eva"})),
        ("C1", frozenset({"ana"})),
    }


def test_what_was_changed_since_is_left_and_told(world: PeopleWorld) -> None:
    world.adds("C3", email="eva@a.example")
    world.merges("C1", "C3")
    world.clock.forward(seconds=1)
    world.changes("C1", email="new@a.example")
    world.links_("C1", "ana")
    done = world.unmerges("C3")
    assert [(put.table, put.column) for put in done.left] == [("customers", "email"), ("contact_points", "customer_id")]
    assert world.customer("C1").email == "new@a.example"
    assert (world.reached("C1"), world.reached("C3")) == (["new@a.example"], ["eva@a.example"])
    assert dict(done.stays) == {"expected_links": 1, "contact_points": 1}


def test_what_a_merge_brought_outlives_a_change_of_the_record(world: PeopleWorld) -> None:
    world.adds("C3", email="eva@a.example")
    world.changes("C1", email="ana@a.example")
    world.merges("C1", "C3")
    world.changes("C1", email="ana@b.example")
    with world.store.read() as tx:
        points = {point.written: point.of_record for point in contacts.of(tx, customers.get(tx, "C1").id)}
    assert points == {"ana@b.example": True, "eva@a.example": False}


def test_a_case_of_nobodys_account_goes_and_comes_back_with_its_record(world: PeopleWorld) -> None:
    world.adds("C3")
    with world.store.write() as tx:
        case = desk.open_case(
            tx,
            pattern="ES",
            plan=CasePlan(title="A letter", team="care", urgency=Urgency.NORMAL),
            account_id=None,
            customer_id=customers.get(tx, "C3").id,
            by="eva",
            since=world.clock(),
            now=world.clock(),
        )
    whose = []
    for step in (lambda: world.merges("C1", "C3"), lambda: world.unmerges("C3")):
        step()
        with world.store.read() as tx:
            whose.append(cases.by_id(tx, case.id).customer_reference)
    assert whose == ["C1", "C3"]


def test_merges_are_undone_from_the_outside_in(world: PeopleWorld) -> None:
    world.adds("C3")
    world.links_("C3", "eva")
    world.hears("eva")
    world.merges("C2", "C3")
    world.merges("C1", "C2")
    assert world.handles("C1") == ["eva"]
    with pytest.raises(Mistake, match="customer unmerge C2"):
        world.unmerges("C3")
    world.unmerges("C2")
    assert world.handles("C2") == ["eva"]
    world.unmerges("C3")
    assert (world.handles("C2"), world.handles("C3")) == ([], ["eva"])


@pytest.mark.parametrize(
    ("one", "other", "error", "words"),
    [
        ("C1", "C1", Mistake, "with itself"),
        ("C1", "C3", AlreadyDone, "C3 was merged into C2 already"),
        ("C3", "C1", AlreadyDone, "C3 was merged into C2 already"),
    ],
)
def test_what_cannot_be_merged_is_refused(
    world: PeopleWorld, one: str, other: str, error: type[Exception], words: str
) -> None:
    world.adds("C3")
    world.merges("C2", "C3")
    with pytest.raises(error, match=words):
        world.merges(one, other)
    with pytest.raises(Mistake, match="merged into no other"):
        world.unmerges("C1")


def test_where_one_record_says_do_not_use_both_do(world: PeopleWorld) -> None:
    with world.store.write() as tx:
        for reference in ("C1", "C2"):
            found = customers.get(tx, reference)
            how: dict[str, Any] = {"customer_id": found.id, "reference": reference, "by": "eva", "now": world.clock()}
            point = contacts.put(tx, kind="mail", written="ana@a.example", **how)
            contacts.mark(tx, point, do_not_use=reference == "C2", **how)
    world.merges("C1", "C2")
    with world.store.read() as tx:
        assert [each.do_not_use for each in contacts.of(tx, customers.get(tx, "C1").id)] == [True]
    world.unmerges("C2")
    with world.store.read() as tx:
        both = [contacts.of(tx, customers.get(tx, reference).id) for reference in ("C1", "C2")]
    assert [[each.do_not_use for each in points] for points in both] == [[False], [True]]


def test_a_file_that_names_the_record_that_no_longer_rules_links_to_the_one_that_does(world: PeopleWorld) -> None:
    world.merges("C1", "C2")
    world.hears("ana")
    world.links_("C2", "ana")
    world.links_("C2", "eva")
    assert (world.handles("C1"), world.handles("C2")) == (["ana", "eva"], [])


def test_every_column_that_names_a_customer_goes_or_stays() -> None:
    named = {
        f"{table.name}.{column.name}"
        for table in tables.metadata.sorted_tables
        for column in table.columns
        for key in column.foreign_keys
        if key.column.table is tables.customers
    }
    assert set(merges.GOES).isdisjoint(merges.STAYS)
    assert named == {*merges.GOES, *merges.STAYS}, "say in store/merges.py whether it goes with a merge or stays"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.datetimes(timezones=st.just(UTC))
    | st.dates()
    | st.decimals(allow_nan=False)
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["$date", "$mapping"]), inner),
    max_leaves=5,
)


@given(VALUES)
def test_what_is_kept_as_json_comes_back_with_its_type(value: Any) -> None:
    import json

    back = moves.decode(json.loads(json.dumps(moves.encode(value))))
    assert back == value
    assert type(back) is type(value)


def test_a_moment_is_no_date() -> None:
    kept = [datetime(2026, 2, 28, 23, 59, tzinfo=UTC), date(2024, 2, 29), Decimal("12.50")]
    assert moves.decode(moves.encode(kept)) == kept
    assert str(moves.decode(moves.encode(kept))[2]) == "12.50"
