"""Everybody of an incident gets one answer, once, ever: whatever is done around the run, and in whichever order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import policies
from connectors.sandbox import Fault
from listener.desk import answer_runs as desk
from listener.errors import AlreadyDone, Mistake, Stale
from listener.store import answer_runs, inbox, incident_answers, incidents, outbox, switch, tables
from listener.types import DraftState, IncidentState, LeftOut, RunState, SendKind
from tests.listener.desk.answering_world import POLICY, Desk, begun


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    made = begun(tmp_path, url=url)
    yield made
    made.escucha.close()


def test_everybody_gets_one_answer_with_their_reference_in_turn(here: Desk) -> None:
    here.complain("ana", "beto", "carla", "david")
    assert len(here.escucha.drafts(DraftState.PROPOSED)) == 4
    run = here.draft()
    assert run.state is RunState.REVIEWING
    assert len(here.escucha.drafts(DraftState.PROPOSED)) == 4, "nothing gives way before it is approved"
    run = here.approved(run)
    assert [draft.reason for draft in here.escucha.drafts(DraftState.EXPIRED)] == ["a newer draft took its place"] * 4
    here.send()
    assert not here.escucha.answers(), "approved is not sent"
    run = here.running(run)
    here.send_all()
    said = [text for _, text in here.escucha.answers()]
    assert len(said) == 4
    assert all("ES-26-" in text for text in said)
    assert ["arreglando" in text for text in said] in ([True, False] * 2, [False, True] * 2)
    assert here.run(run).state is RunState.DONE
    with here.escucha.store.read() as tx:
        answered = tx.exec_driver_sql("SELECT count(*) FROM cases WHERE first_response_at IS NOT NULL").scalar()
    assert answered == 4, "each is a first response"


def test_who_needs_none_or_a_person_is_left_out_and_why(here: Desk) -> None:
    here.complain("ana", "answered", "hand", "thanks", "gone", "danger", "twice", "alone")
    (draft,) = [each for each in here.escucha.drafts(DraftState.PROPOSED) if here.author(each.mention_id) == "answered"]
    here.escucha.approve(draft)
    here.send()
    here.by_hand("hand")
    here.escucha.says("@marca muchas gracias, ya funciona", who="thanks")
    here.escucha.network.delete(str(here.escucha.network.posts_by("gone")[-1]["id"]))
    here.escucha.says("@marca y por esto me voy a suicidar", who="danger")
    here.escucha.says("@marca otra vez, todo mal", who="twice")
    here.escucha.says("@marca no me escribáis más", who="alone")
    here.escucha.round()
    here.attach()
    left = here.left_out(here.draft())
    assert left["answered"] is LeftOut.ANSWERED
    assert left["hand"] is LeftOut.ANSWERED
    assert left["thanks"] is LeftOut.THANKED
    assert left["gone"] is LeftOut.GONE
    assert left["danger"] is LeftOut.DANGER
    assert left["alone"] is LeftOut.ALONE
    assert left["twice"] is LeftOut.OTHER, "one of the two, and the other is answered"
    here.running()
    here.send_all()
    assert here.said_to() == {"ana": 1, "twice": 1}


def test_what_happens_while_it_waits_is_seen_when_its_turn_comes(here: Desk) -> None:
    here.per_hour = 60
    here.complain("ana", "hand", "thanks", "edits", "gone", "case")
    run = here.running()
    here.by_hand("hand")
    here.escucha.says("@marca gracias, ya está solucionado", who="thanks")
    network = here.escucha.network
    network.edit(str(network.posts_by("edits")[-1]["id"]), "@marca era otra cosa, mal")
    network.delete(str(network.posts_by("gone")[-1]["id"]))
    with here.escucha.store.write() as tx:
        tx.exec_driver_sql(
            "UPDATE cases SET state = 'resolved' WHERE account_id = "
            "(SELECT id FROM accounts WHERE external_id = 'case')"
        )
    here.escucha.main.poll(["source-0", "source-1"])  # heard, and not yet read: thanks are thanks at once
    here.send_all(minutes=1)
    assert here.said_to() == {"ana": 1}
    left = here.left_out(run)
    assert (left["hand"], left["thanks"], left["case"]) == (LeftOut.ANSWERED, LeftOut.THANKED, LeftOut.OVER)
    assert here.run(run).state is RunState.DONE


def test_a_person_is_answered_once_over_runs_and_accounts(here: Desk) -> None:
    here.complain("ana", "beto")
    here.running()
    here.send_all()
    here.complain("ana2", "carla")
    here.link("ana", "ana2")
    run = here.draft()
    assert here.left_out(run) == {"ana": LeftOut.EARLIER, "ana2": LeftOut.EARLIER, "beto": LeftOut.EARLIER}
    here.running(here.approved(run))
    here.send_all()
    assert here.said_to() == {"ana": 1, "beto": 1, "carla": 1}


def test_who_turns_out_to_be_one_person_meanwhile_is_answered_once(here: Desk) -> None:
    here.complain("ana", "ana2")
    here.running()
    here.link("ana", "ana2")
    here.send_all()
    assert here.said_to().total() == 1


def test_stopped_it_sends_nothing_and_goes_on_where_it_was(here: Desk) -> None:
    here.per_hour = 3600
    here.complain("ana", "beto", "carla")
    run = here.running()
    here.send()
    run = desk.stop(here.escucha.store, here.run(run), by="ana", now=here.escucha.clock())
    here.send_all()
    assert here.said_to().total() == 1
    with pytest.raises(Mistake, match="stopped"):
        here.draft()
    desk.resume(*here.parts, here.run(run), facts=here.facts, by="ana", now=here.escucha.clock())
    here.send_all()
    assert here.said_to() == {"ana": 1, "beto": 1, "carla": 1}


def test_what_is_dropped_goes_back_to_the_policy(here: Desk) -> None:
    here.complain("ana", "beto")
    run = here.running()
    desk.drop(here.escucha.store, here.run(run), by="ana", now=here.escucha.clock())
    here.escucha.round()
    assert {here.author(each.mention_id) for each in here.escucha.drafts(DraftState.PROPOSED)} == {"ana", "beto"}
    here.running()  # another run may answer them
    here.send_all()
    assert here.said_to() == {"ana": 1, "beto": 1}


def test_the_end_of_the_incident_another_policy_and_a_withdrawn_answer_stop_it(here: Desk) -> None:
    store, clock = here.escucha.store, here.escucha.clock
    here.complain("ana", "beto", "carla")
    run = here.running()
    newer = policies.load_text(POLICY + "language: es\n".replace("language", "#"))
    here.escucha.activate(newer)
    here.send_all()
    assert "rules since" in (here.run(run).reason or "")
    desk.resume(store, newer, here.now_incident(), here.run(run), facts=here.facts, by="ana", now=clock())
    with store.write() as tx:
        said = incident_answers.of(tx, here.incident.id)
        incident_answers.withdraw(tx, here.now_incident(), said, by="ana", now=clock())
    here.send_all()
    assert "withdrawn" in (here.run(run).reason or "")
    with store.write() as tx:
        tx.exec_driver_sql("UPDATE incident_answers SET withdrawn_at = NULL")
    desk.resume(store, newer, here.now_incident(), here.run(run), facts=here.facts, by="ana", now=clock())
    with store.write() as tx:
        tx.exec_driver_sql("UPDATE incidents SET state = 'resolved'")
    here.send_all()
    assert here.run(run).reason == "the incident is over"
    assert here.run(run).state is RunState.STOPPED
    assert not here.said_to()
    with pytest.raises(Mistake, match="resolved"):
        desk.resume(store, newer, here.now_incident(), here.run(run), facts=here.facts, by="ana", now=clock())
    assert here.now_incident().state is IncidentState.RESOLVED


def test_while_waiting_texts_pass_another_policy_others_may_write(here: Desk) -> None:
    store, clock = here.escucha.store, here.escucha.clock
    here.complain("ana", "beto")
    run = here.running()
    newer = policies.load_text(POLICY + "#")
    here.escucha.activate(newer)
    here.send()

    class Stricter:
        """Refuses what is said to one of them, and sees whether the database is free meanwhile."""

        version = newer.version

        def review(self, _text: str, _facts: Any, handle: str, **_more: Any) -> tuple[str, ...]:
            with store.write() as tx:
                tx.exec_driver_sql("UPDATE sources SET failures = failures")
            return ("not to them",) if "beto" in handle else ()

    policy: Any = Stricter()
    desk.resume(store, policy, here.now_incident(), here.run(run), facts=here.facts, by="ana", now=clock())
    here.send_all()
    assert here.left_out(run) == {"beto": LeftOut.WORDS}
    assert here.said_to() == {"ana": 1}


def test_who_asks_for_it_from_any_account_meanwhile_is_left_alone(here: Desk) -> None:
    here.complain("ana", "otra", "beto", "carla")
    here.link("ana", "otra")
    run = here.running()
    waiting = {here.author(each.mention_id) for each in here.answers(run) if not each.left_out}
    (other,) = {"ana", "otra"} - waiting
    with here.escucha.store.write() as tx:
        asked = tables.accounts.c.external_id
        tx.execute(tables.accounts.update().where(asked == other).values(left_alone_at=here.escucha.clock()))
        tx.execute(tables.accounts.update().where(asked == "beto").values(opted_out=True))
    here.send_all()
    assert here.said_to() == {"carla": 1}
    (mine,) = {"ana", "otra"} & waiting
    left = here.left_out(run)
    assert (left[mine], left["beto"]) == (LeftOut.ALONE, LeftOut.ALONE)


def test_it_goes_out_evenly_whatever_the_clock_does(here: Desk) -> None:
    here.per_hour = 60
    here.complain(*(f"n{number}" for number in range(12)))
    here.running()
    counts = []
    for step in (1, 30, 30, 59, 61, 3600 * 5, 1):
        here.send(seconds=step)
        counts.append(here.said_to().total())
    assert counts == [1, 1, 2, 2, 3, 4, 4], "one a minute, and what was missed is not made up for"
    here.escucha.clock.forward(hours=-30)
    here.send(seconds=1)  # sees that the clock was set back
    waited = 0
    while here.said_to().total() == 4:
        here.send(seconds=10)
        waited += 10
        assert waited < 120, "it waits for the old time"
    assert waited >= 50, "a burst"
    here.send(seconds=1)
    assert here.said_to().total() == 5


def test_the_hour_has_room_for_so_many_in_the_claim_itself(here: Desk) -> None:
    here.per_hour = 2
    here.complain("ana", "beto", "carla")
    run = here.running()
    with here.escucha.store.read() as tx:
        waiting = outbox.next_of_run(tx, "care", run.id, limit=10)
    claimed = []
    for draft in waiting:
        with here.escucha.store.write() as tx:
            claimed.append(desk.claim(tx, draft, here.escucha.clock()))
    assert claimed == [True, True, False]


def test_ordinary_replies_go_before_and_a_pause_of_this_kind_holds_it(here: Desk) -> None:
    here.complain("ana", "beto")
    here.running()
    with here.escucha.store.write() as tx:
        switch.pause(tx, network=None, kind=SendKind.MASS, by="ana", reason="", now=here.escucha.clock())
    here.escucha.says("@marca ¿a qué hora, carla?", who="carla")
    here.escucha.round()
    (draft,) = here.escucha.drafts(DraftState.PROPOSED)
    here.escucha.approve(draft)
    here.send_all()
    assert [text for _, text in here.escucha.answers()] == [f"@carla {draft.text}"]
    with here.escucha.store.write() as tx:
        switch.resume(tx, network=None, kind=SendKind.MASS, by="ana", now=here.escucha.clock())
    here.send_all()
    assert here.said_to() == {"ana": 1, "beto": 1}


def test_an_approval_binds_the_texts_that_were_read(here: Desk) -> None:
    here.complain("ana", "beto")
    read = here.draft()
    here.draft(by="carla")
    with pytest.raises(Stale):
        here.approved(read)
    run = here.draft()
    answer = next(each for each in here.answers(run) if each.left_out is None)
    changed = desk.reword(*here.parts[:2], run, answer, "Otra cosa.", facts=here.facts("", ""), by="x", now=run.at)
    with pytest.raises(Stale):
        here.approved(run)
    with pytest.raises(Mistake, match="in public"):
        desk.reword(
            *here.parts[:2], changed, answer, "Tu teléfono es 612 345 678", facts=here.facts("", ""), by="x", now=run.at
        )
    here.running(here.approved(changed))
    here.send_all()
    assert "Otra cosa." in " ".join(text for _, text in here.escucha.answers())
    with pytest.raises(AlreadyDone):
        here.running(here.run(run))


def test_one_wording_for_several_and_none_in_a_language(here: Desk) -> None:
    here.complain("ana", "beto")
    with pytest.raises(Mistake, match="one wording only"):
        here.draft({"es": ["Lo sabemos."]})
    left = here.left_out(here.draft({"fr": ["Nous le savons.", "C'est en cours."]}))
    assert left == {"ana": LeftOut.LANGUAGE, "beto": LeftOut.LANGUAGE}
    strict = replace(here, escucha=here.escucha)
    strict.escucha.policy = policies.load_text(POLICY.replace("two_people: false", "two_people: true"))
    run = here.draft(by="beto")
    with pytest.raises(Mistake, match="second person"):
        here.approved(run)


def test_what_a_person_takes_over_goes_out_by_itself(here: Desk) -> None:
    """Whoever takes one out of the run and approves it lets it go, whatever becomes of the run."""
    here.per_hour = 1
    here.complain("ana", "beto")
    run = here.running()
    waiting = here.escucha.drafts(DraftState.APPROVED)
    with here.escucha.store.write() as tx:
        inbox.take_back(tx, waiting[1], by="mod", now=here.escucha.clock())
    desk.stop(here.escucha.store, here.run(run), by="ana", now=here.escucha.clock())
    (draft,) = here.escucha.drafts(DraftState.PROPOSED)
    here.escucha.approve(draft)
    here.send_all()
    assert here.said_to().total() == 1


# --- in any order -----------------------------------------------------------------------------------------------------

PEOPLE = ("ana", "beto", "carla")
STEPS = st.one_of(
    st.sampled_from(
        ["draft", "approve", "go", "stop", "resume", "drop", "send", "round", "other", "back", "lost", "moderate"]
    ).map(lambda name: (name, "")),
    st.tuples(st.sampled_from(["complain", "hand", "thanks", "delete", "edit", "link"]), st.sampled_from(PEOPLE)),
)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(STEPS, min_size=5, max_size=22))
def test_in_any_order_nobody_is_answered_twice(steps: list[tuple[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        here = begun(Path(folder))
        here.complain(*PEOPLE)
        here.escucha.forgets_keys()
        linked: set[str] = set()
        for name, who in [*steps, ("resume", ""), ("send", "")]:
            try:
                _do(here, name, who, linked)
            except (Mistake, Stale):
                continue
            said = here.said_to()
            assert all(times == 1 for times in said.values()), f"{said} after {name} {who}"
            assert sum(said[each] for each in linked) <= 1, f"one customer, {said} after {name} {who}"
        here.escucha.close()


def _do(here: Desk, name: str, who: str, linked: set[str]) -> Any:
    store, clock, network = here.escucha.store, here.escucha.clock, here.escucha.network
    with store.read() as tx:
        run = answer_runs.open_run(tx, here.incident.id)
    posts = [row for row in network.posts_by(who) if row["deleted_at"] is None] if who else []
    match name:
        case "draft":
            here.draft()
        case "approve" if run:
            here.approved(run)
        case "go" if run:
            here.running(run)
        case "stop" if run:
            desk.stop(store, run, by="ana", now=clock())
        case "resume" if run:
            desk.resume(*here.parts, run, facts=here.facts, by="ana", now=clock())
        case "drop" if run:
            desk.drop(store, run, by="ana", now=clock())
        case "send":
            here.send_all()
        case "other":  # a second daemon
            clock.forward(seconds=2)
            here.escucha.pipeline().act()
        case "round":
            here.escucha.round()
            here.attach()
        case "back":
            clock.forward(minutes=-20)
        case "lost":
            network.fail("reply", Fault.ANSWER_LOST)
            here.send()
            here.send(seconds=120)
        case "moderate":
            for draft in here.escucha.drafts(DraftState.PROPOSED):
                if here.author(draft.mention_id) not in here.said_to():
                    here.escucha.approve(draft)
        case "complain":
            here.complain(who)
        case "hand" if posts:
            here.by_hand(who)
        case "thanks":
            here.escucha.says("@marca gracias, ya funciona", who=who)
        case "delete" if posts:
            network.delete(str(posts[-1]["id"]))
        case "edit" if posts:
            network.edit(str(posts[-1]["id"]), f"@marca ahora peor, mal {clock():%H%M%S}")
        case "link" if who not in linked and not here.said_to()[who] and not any(here.said_to()[x] for x in linked):
            if not linked:
                linked.update((who, PEOPLE[PEOPLE.index(who) - 1]))
                if here.said_to()[PEOPLE[PEOPLE.index(who) - 1]]:
                    linked.clear()
                    return
                here.link(*linked)


def test_who_is_taken_off_the_incident_meanwhile_gets_nothing(here: Desk) -> None:
    here.complain("ana", "beto")
    run = here.running()
    (hers,) = [each.mention_id for each in here.answers(run) if here.author(each.mention_id) == "ana"]
    with here.escucha.store.write() as tx:
        assert incidents.detach(tx, here.incident, hers, by="ana", now=here.escucha.clock())
    here.send_all()
    assert here.said_to() == {"beto": 1}


def test_who_turns_out_to_be_answered_before_gets_none_of_a_later_run(here: Desk) -> None:
    here.complain("ana")
    here.running()
    here.send_all()
    here.complain("ana2", "carla")
    here.link("ana", "ana2")
    run = here.draft()
    assert here.left_out(run)["ana2"] is LeftOut.EARLIER
    here.running(here.approved(run))
    here.send_all()
    assert here.said_to() == {"ana": 1, "carla": 1}
