"""What is too old goes, in parts, and nothing else does; what was announced is what goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from listener.desk import cases as desk_cases
from listener.desk import retaining
from listener.store import audit, cases, customers, erasures, holds, mentions, rebuilding, verifying
from listener.store import tables as t
from listener.types import CaseState, MentionState
from tests.listener.commands.desk_world import DeskWorld, on_and_on

MONTH = timedelta(days=30)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    yield made
    made.close()


def retain(world: DeskWorld, **periods: timedelta) -> dict[str, int]:
    return retaining.retain(world.store, periods, now=world.clock(), stopping=lambda: False)


def preview(world: DeskWorld, **periods: timedelta) -> dict[str, int]:
    with world.store.read() as tx:
        return {each.kind: each.count for each in retaining.preview(tx, periods, world.clock()) if each.count}


def close_all(world: DeskWorld) -> None:
    with world.store.write() as tx:
        for case in cases.listing(tx):
            solved = desk_cases.move(tx, case, CaseState.RESOLVED, by="eva", now=world.clock(), moved=on_and_on)
            desk_cases.move(tx, solved, CaseState.CLOSED, by="eva", now=world.clock(), moved=on_and_on)


def whole(world: DeskWorld) -> None:
    with world.store.read() as tx:
        assert verifying.verify(tx, keys={}).fault is None
        assert rebuilding.differences(tx, limit=3) == []
    assert world.store.problems() == []


def test_old_posts_go_and_those_of_open_cases_and_of_people_on_hold_stay(world: DeskWorld) -> None:
    old, in_case, held = world.hears("viejo"), world.hears("con caso", who="luis"), world.hears("juicio", who="eva")
    world.decides(in_case, open_case=True)
    world.knows("eva", reference="C-1")
    with world.store.write() as tx:
        holds.put(tx, customers.get(tx, "C-1"), reason="lawsuit", by="eva", now=world.clock())
    world.clock.forward(days=40)
    young = world.hears("nuevo")
    assert preview(world, mentions=MONTH) == {"mentions": 1}
    assert retain(world, mentions=MONTH) == {"mentions": 1}
    assert retain(world, mentions=MONTH) == {}
    with world.store.read() as tx:
        texts = {number: mentions.get(tx, number).text for number in (old, in_case, held, young)}
        assert texts == {old: "", in_case: "con caso", held: "juicio", young: "nuevo"}
        assert mentions.get(tx, old).state is MentionState.GONE
        assert audit.about(tx, f"mention {old}")[-1].action == "mention.forgotten"
    whole(world)


def test_cases_that_ended_lose_their_words_and_keep_whose_and_when(world: DeskWorld) -> None:
    world.decides(world.hears(), open_case=True)
    world.knows("ana")
    with world.store.write() as tx:
        (case,) = cases.listing(tx)
        cases.set_customer(tx, case, customers.get(tx, "C-0042").id, by="eva", now=world.clock())
        desk_cases.note(tx, cases.by_id(tx, case.id), "vive en la calle 12", by="eva", now=world.clock())
    world.clock.forward(days=40)
    assert retain(world, cases=MONTH) == {}  # it is open
    close_all(world)
    assert retain(world, cases=MONTH) == {}  # it ended only now
    world.clock.forward(days=40)
    assert preview(world, cases=MONTH) == retain(world, cases=MONTH) == {"cases": 1}
    assert retain(world, cases=MONTH) == {}
    with world.store.read() as tx:
        after = cases.by_id(tx, case.id)
        assert (after.title, after.customer_reference, after.state) == ("(erased)", "C-0042", CaseState.CLOSED)
        assert "calle" not in repr(cases.events_of(tx, after))
    whole(world)


def test_the_record_is_cut_at_its_old_end_and_stays_a_chain(world: DeskWorld) -> None:
    for _ in range(5):
        world.decides(world.hears(), open_case=True)
    with world.store.read() as tx:
        anchor = verifying.head(tx)
    world.clock.forward(days=40)
    world.decides(world.hears(), open_case=True)
    with world.store.read() as tx:
        recent = verifying.head(tx)
    gone = preview(world, audit=MONTH)
    assert gone["audit"] == anchor.number
    assert retain(world, audit=MONTH) == gone
    assert retain(world, audit=MONTH) == {}
    with world.store.read() as tx:
        kept = verifying.verify(tx, keys={}, expected=recent)
        assert (kept.fault, kept.pruned, kept.first, kept.anchored) == (None, anchor.number, anchor.number + 1, True)
        assert verifying.verify(tx, keys={}, expected=anchor).anchored is True  # the very place of the cut
    world.clock.forward(days=400)
    retain(world, audit=MONTH)
    whole(world)
    with world.store.write() as tx:
        tx.execute(t.audit.delete().where(t.audit.c.id == select(func.min(t.audit.c.id)).scalar_subquery()))
    with world.store.read() as tx:
        fault = verifying.verify(tx, keys={}).fault
    assert fault is not None


def test_customers_without_contact_are_erased_together(world: DeskWorld) -> None:
    for who in ("ana", "luis", "eva", "juan"):
        world.hears(f"El mensaje que {who} escribió hace tiempo", who=who)
        world.knows(who, reference=f"C-{who}")
    with world.store.write() as tx:
        holds.put(tx, customers.get(tx, "C-eva"), reason="lawsuit", by="eva", now=world.clock())
    world.clock.forward(days=40)
    world.hears("sigo aquí", who="juan")
    assert preview(world, customers=MONTH) == retain(world, customers=MONTH) == {"customers": 2}
    with world.store.read() as tx:
        assert {each.reference for each in customers.listing(tx, limit=9)} == {"C-eva", "C-juan"}
        (erasure,) = erasures.listing(tx, 9)
        assert (erasure.by, erasure.done_at is not None) == ("daemon", True)
    whole(world)


def test_alerts_lose_their_words(world: DeskWorld) -> None:
    number = world.hears()
    values = {"target": "ops", "kind": "danger", "subject": "M1", "why": "words", "key": "k", "send_key": "s"}
    values |= {"state": "sent", "made_at": world.clock(), "next_try_at": world.clock(), "settled_at": world.clock()}
    with world.store.write() as tx:
        tx.execute(t.alerts.insert().values(mention_id=number, **values))
    world.clock.forward(days=40)
    assert retain(world, alerts=MONTH) == {"alerts": 1}
    assert retain(world, alerts=MONTH) == {}


def test_an_erasure_that_was_interrupted_is_finished(world: DeskWorld) -> None:
    from listener.desk import erasing

    world.hears()
    world.knows("ana")
    erasing.begin(world.store, "C-0042", by="eva", reason="asked", now=world.clock())
    retain(world)
    with world.store.read() as tx:
        assert len(erasures.unfinished(tx)) == 1  # somebody may be at it
    assert "was interrupted" in world.run("doctor", "--offline").output
    world.clock.forward(hours=2)
    retain(world)
    with world.store.read() as tx:
        assert erasures.unfinished(tx) == []
    assert "was interrupted" not in world.run("doctor", "--offline").output


def test_the_commands_say_what_would_go_and_let_it_go(world: DeskWorld) -> None:
    assert "set periods under [retention]" in world.run("privacy", "preview").output
    world.hears()
    world.clock.forward(days=40)
    with (world.folder / "escucha.toml").open("a") as file:
        file.write('\n[retention]\nmentions = "30d"\n')
    before = world.run("privacy", "preview")
    assert before.exit_code == 0
    assert [line.split()[:4] for line in before.output.splitlines() if line.startswith("mentions")] == [
        ["mentions", "30", "days", "1"]
    ]
    assert world.run("privacy", "run", "--json").exit_code == 0
    with world.store.read() as tx:
        assert tx.scalar(select(func.count()).where(t.mentions.c.text != "")) == 0
    assert "Nothing was too old" in world.run("privacy", "run").output
    assert "Nobody was erased" in world.run("privacy", "erasures").output
