"""CRMs are told how things stand: each change once by its key, in order, and nothing is lost whoever dies."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connectors import crm_webhook
from listener.desk import columns, people
from listener.desk.crm_systems import System
from listener.store import Transaction, audit, cases, crm_in, crm_out, crm_ways, customers
from listener.store.cases import Case
from listener.store.crm_out import ORIGIN, PATIENCE, Delivery
from listener.types import AlertState, CasePlan, CaseState, Promise, Urgency
from tests.listener.flow.world import Escucha
from tests.servers.webhook import Receiver

ROOT = Path(__file__).parents[3]
SECRET = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def world(escucha: Escucha, receiver: Receiver) -> Escucha:
    """A company whose CRM `erp` takes cases and customers."""
    joins(escucha, receiver.url)
    return escucha


def joins(escucha: Escucha, url: str, *, name: str = "erp", texts: bool = False) -> None:
    crm = crm_webhook.Settings(secret=SECRET, url=url, sends=("cases", "customers"), texts=texts)
    escucha.main.systems[name] = System(connect=lambda: crm_webhook.join(crm), takes=crm.takes, texts=texts)
    escucha.store.crms = {**escucha.store.crms, name: crm.takes}


def opens(escucha: Escucha, reference: str = "ES-26-000001-8", title: str = "La factura de Ana") -> Case:
    plan = CasePlan(team="billing", urgency=Urgency.HIGH, title=title, promise=Promise())
    with escucha.store.write() as tx:
        now = escucha.clock()
        return cases.add(
            tx, reference=reference, plan=plan, account_id=None, customer_id=None, by="ana", since=now, now=now
        )


def moves(escucha: Escucha, case: Case, kind: str, **columns: Any) -> None:
    with escucha.store.write() as tx:
        present = cases.get(tx, case.reference)
        cases.change(tx, present, now=escucha.clock(), **columns)
        cases.event(tx, present, kind, "ana", escucha.clock())


def writes(escucha: Escucha, reference: str, name: str, *, source: str = "file.csv") -> None:
    person = people.read(columns.layout(["reference", "name", "email"], []), [reference, name, "ana@example.org"])
    assert not isinstance(person, str)
    with escucha.store.write() as tx:
        before = customers.known(tx, [reference])
        edit = people.merged(person, before.get(reference))
        known = bool(before)
        customers.write(
            tx,
            added=[] if known else [edit],
            changed=[edit] if known else [],
            by="ana",
            now=escucha.clock(),
            source=source,
        )


def said(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in receiver.came]


def listed(escucha: Escucha, *states: AlertState) -> list[Delivery]:
    with escucha.store.read() as tx:
        return crm_out.listing(tx, states=states or tuple(AlertState))


def test_a_case_is_told_as_it_stands_with_what_happened(world: Escucha, receiver: Receiver) -> None:
    case = opens(world)
    moves(world, case, "state", state=CaseState.PENDING.value)
    world.clock.forward(seconds=5)
    moves(world, case, "resolved", state=CaseState.RESOLVED.value, resolved_at=world.clock())
    (done,) = world.main.deliver()
    assert (done.sent, done.failed) == (1, 0)
    (told,) = said(receiver)
    assert told["version"] == 1
    assert told["key"] == receiver.came[0].headers["webhook-id"]
    assert (told["kind"], told["reference"]) == ("case", case.reference)
    assert [each["kind"] for each in told["events"]] == ["opened", "state", "resolved"]
    assert told["case"] == {
        "reference": case.reference,
        "state": "resolved",
        "team": "billing",
        "urgency": "high",
        "network": None,
        "customer": None,
        "opened_at": stamp(case.opened_at),
        "changed_at": stamp(world.clock()),
        "first_response_due": None,
        "first_response_at": None,
        "resolution_due": None,
        "resolved_at": stamp(world.clock()),
    }
    assert {each.state for each in listed(world)} == {AlertState.SENT, AlertState.GATHERED}
    assert world.main.deliver()[0].sent == 0


def stamp(moment: Any) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def test_what_people_wrote_goes_only_where_the_settings_say_so(escucha: Escucha, receiver: Receiver) -> None:
    with Receiver() as other:
        joins(escucha, receiver.url)
        joins(escucha, other.url, name="archive", texts=True)
        opens(escucha)
        escucha.main.deliver()
        assert b"factura" not in b"".join(each.body for each in receiver.came)
        assert said(other)[0]["case"]["title"] == "La factura de Ana"


def test_what_was_told_is_not_kept(world: Escucha) -> None:
    writes(world, "C-1", "Ana")
    world.main.deliver()
    assert [each.fields for each in listed(world)] == [None]


def test_a_customer_is_told_and_whose_change_it_was_is_not_told_of_it(world: Escucha, receiver: Receiver) -> None:
    with Receiver() as other:
        joins(world, other.url, name="shop")
        writes(world, "C-1", "Ana", source=f"{ORIGIN}erp")
        world.main.deliver()
        assert receiver.came == []
        (told,) = said(other)
        assert (told["kind"], told["reference"], told["customer"]["name"]) == ("customer", "C-1", "Ana")
        writes(world, "C-1", "Ana María")
        world.main.deliver()
        assert [each["customer"]["name"] for each in said(receiver)] == ["Ana María"]


def test_their_own_id_of_the_customer_goes_along(world: Escucha, receiver: Receiver) -> None:
    writes(world, "C-1", "Ana", source=f"{ORIGIN}erp")
    with world.store.write() as tx:
        ana = customers.get(tx, "C-1")
        row = {"record": "003X", "customer_id": ana.id, "digest": "", "changed_at": None, "seen_at": world.clock()}
        crm_in.keep(tx, "erp", [row])
    plan = CasePlan(team="billing", urgency=Urgency.LOW, title="x", promise=Promise())
    with world.store.write() as tx:
        now = world.clock()
        cases.add(tx, reference="ES-1", plan=plan, account_id=None, customer_id=ana.id, by="a", since=now, now=now)
    world.main.deliver()
    assert said(receiver)[0]["case"]["customer"] == {"reference": "C-1", "id": "003X"}


def test_a_failure_is_tried_again_with_the_same_words_under_the_same_key(world: Escucha, receiver: Receiver) -> None:
    case = opens(world)
    receiver.answers = [(500, {}), (502, {})]
    for _ in range(3):
        world.main.deliver()
        moves(world, case, "note")
        world.clock.forward(minutes=11)
    first, second, third = receiver.came[:3]
    assert first.body == second.body == third.body
    assert len(set(receiver.keys[:3])) == 1
    world.main.deliver()
    assert receiver.keys[3] != receiver.keys[0]
    assert [each["kind"] for each in said(receiver)[3]["events"]] == ["note", "note"]


def test_an_answer_that_is_lost_is_asked_for_again_under_the_same_key(world: Escucha, receiver: Receiver) -> None:
    opens(world)

    def drop() -> None:
        receiver.meanwhile = lambda: None
        raise ConnectionResetError

    receiver.meanwhile = drop
    assert world.main.deliver()[0].failed == 1
    world.clock.forward(minutes=1)
    assert world.main.deliver()[0].sent == 1
    assert len(set(receiver.keys)) == 1
    assert len(receiver.keys) == 2


def test_a_refusal_is_final_and_does_not_keep_the_others(world: Escucha, receiver: Receiver) -> None:
    opens(world, "ES-1")
    opens(world, "ES-2")
    receiver.answers = [(422, {})]
    (done,) = world.main.deliver()
    assert (done.sent, done.failed) == (1, 1)
    (failed,) = listed(world, AlertState.FAILED)
    assert failed.subject == "case ES-1"
    assert "422" in failed.reason
    world.clock.forward(days=1)
    assert world.main.deliver()[0].sent == 0
    with world.store.write() as tx:
        assert [each.id for each in crm_out.retry(tx, by="ana", now=world.clock())] == [failed.id]
    assert world.main.deliver()[0].sent == 1
    assert receiver.keys[0] == receiver.keys[2]


def test_what_was_refused_is_not_repeated_after_something_newer_went(world: Escucha, receiver: Receiver) -> None:
    case = opens(world)
    receiver.answers = [(422, {})]
    world.main.deliver()
    moves(world, case, "note")
    world.main.deliver()
    assert listed(world, AlertState.FAILED) == []
    with world.store.write() as tx:
        assert crm_out.retry(tx, by="ana", now=world.clock()) == []


def test_where_everything_is_refused_it_rests(world: Escucha, receiver: Receiver) -> None:
    for number in range(9):
        opens(world, f"ES-{number}")
    receiver.answers = [(404, {})] * 9
    assert world.main.deliver()[0].failed == 3
    assert world.main.deliver()[0].failed == 0


@pytest.mark.parametrize("status", [301, 307, 308])
def test_redirects_are_not_followed(world: Escucha, receiver: Receiver, status: int) -> None:
    opens(world)
    receiver.answers = [(status, {"Location": receiver.url})]
    world.main.deliver()
    assert len(receiver.came) == 1
    assert "not followed" in listed(world, AlertState.FAILED)[0].reason


def test_a_time_that_it_names_is_kept(world: Escucha, receiver: Receiver) -> None:
    opens(world)
    receiver.answers = [(429, {"Retry-After": "1500"})]
    world.main.deliver()
    world.clock.forward(minutes=24)
    world.main.deliver()
    assert len(receiver.came) == 1
    world.clock.forward(minutes=2)
    world.main.deliver()
    assert len(receiver.came) == 2
    opens(world, "ES-2")
    receiver.answers = [(503, {})]
    world.main.deliver()
    assert world.main.deliver()[0].sent == 0
    with world.store.read() as tx:
        assert crm_ways.rests(tx, "erp", "out", now=world.clock())


def test_after_a_week_it_is_given_up_and_said(world: Escucha, receiver: Receiver) -> None:
    opens(world)
    receiver.answers = [(500, {})] * 3
    world.main.deliver()
    world.clock.forward(days=PATIENCE.days, seconds=1)
    world.main.deliver()
    (failed,) = listed(world, AlertState.FAILED)
    assert failed.reason.startswith("Tried for a week.")
    with world.store.read() as tx:
        assert crm_out.backlogs(tx)["erp"].given_up == 1
        entry = audit.last(tx, "case ES-26-000001-8", "crm.failed")
    assert entry is not None
    assert entry.detail["to"] == "erp"


def test_what_a_dead_sender_held_is_sent_again_and_what_it_kept_waits(world: Escucha, receiver: Receiver) -> None:
    case = opens(world)
    with world.store.write() as tx:
        held = crm_out.claim(tx, "erp", now=world.clock())
    assert held is not None
    moves(world, case, "note")
    assert world.main.deliver()[0].sent == 0  # nothing of the case goes before that is settled
    world.clock.forward(minutes=3)
    assert world.main.deliver()[0].sent == 2
    assert receiver.keys[0] == held.send_key


def test_a_case_that_is_no_more_is_told_as_that(world: Escucha, receiver: Receiver) -> None:
    with world.store.write() as tx:
        crm_out.note(tx, "customers", ["customer C-9"], "erased", now=world.clock())
    world.main.deliver()
    (told,) = said(receiver)
    assert (told["customer"], told["events"][0]["kind"]) == (None, "erased")


def test_old_deliveries_and_events_are_dropped(world: Escucha) -> None:
    case = opens(world)
    moves(world, case, "note")
    world.main.deliver()
    with world.store.write() as tx:
        crm_in.begin_event(tx, "erp", "e1", digest="", now=world.clock())
    assert world.main.forget_crms() == 0
    world.clock.forward(days=31)
    assert world.main.forget_crms() + world.main.forget_crms() == 3
    assert listed(world) == []


def test_two_senders_deliver_each_once(world: Escucha, receiver: Receiver) -> None:
    for number in range(12):
        opens(world, f"ES-{number}")
    other = world.pipeline()
    other.systems.update(world.main.systems)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        sent = [each[0].sent for each in pool.map(lambda pipeline: pipeline.deliver(), [world.main, other])]
    assert sum(sent) == 12
    assert len(set(receiver.keys)) == len(receiver.keys) == 12


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.integers(0, 2)),
        st.tuples(st.just("fault"), st.sampled_from([500, 503, 429, 422, 307])),
        st.tuples(st.just("go"), st.integers(1, 5000)),
    ),
    max_size=25,
)


@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(CHANGES)
def test_whatever_happens_the_last_word_is_how_it_stands(steps: list[tuple[str, int]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, Receiver() as receiver:
        escucha = Escucha(Path(folder))
        try:
            joins(escucha, receiver.url)
            _play(escucha, receiver, steps)
        finally:
            escucha.close()


def _play(escucha: Escucha, receiver: Receiver, steps: list[tuple[str, int]]) -> None:
    for what, number in steps:
        if what == "change":
            writes(escucha, f"C-{number}", f"Name {len(receiver.came)} {escucha.clock():%H%M%S%f}")
        elif what == "fault":
            receiver.answers.append((number, {}))
        else:
            escucha.clock.forward(seconds=number)
            escucha.main.deliver()
    receiver.answers.clear()
    with escucha.store.write() as tx:
        crm_out.retry(tx, by="ana", now=escucha.clock())
    escucha.main.deliver()
    bodies: dict[str, bytes] = {}
    last: dict[str, dict[str, Any]] = {}
    for came in receiver.came:
        key = str(came.headers["webhook-id"])
        assert bodies.setdefault(key, came.body) == came.body  # a key never says two things
        told = json.loads(came.body)
        before = last.get(told["reference"])
        assert before is None or before["changed_at"] <= told["customer"]["changed_at"]  # nor does time go back
        last[told["reference"]] = told["customer"]
    with escucha.store.read() as tx:
        for customer in customers.listing(tx):
            assert last[customer.reference]["name"] == customer.name
    assert listed(escucha, AlertState.WAITING, AlertState.SENDING, AlertState.FAILED) == []


SENDER = """
import sys
from datetime import UTC, datetime
from connectors import crm_webhook
from listener import store as stores
from listener.desk.crm_systems import System
from listener.flow.deliver import deliver
store = stores.open(sys.argv[1])
crm = crm_webhook.Settings(secret=sys.argv[3], url=sys.argv[2])
deliver(store, "erp", System(connect=lambda: crm_webhook.join(crm)), clock=lambda: datetime.now(UTC))
"""


@pytest.mark.slow
def test_a_sender_killed_between_sending_and_marking_sends_the_same_again(tmp_path: Path, receiver: Receiver) -> None:
    escucha = Escucha(tmp_path)
    joins(escucha, receiver.url)
    opens(escucha)
    url = escucha.store.url.render_as_string()
    command = [sys.executable, "-c", SENDER, url, receiver.url, SECRET]
    running = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)})
    receiver.meanwhile = lambda: os.kill(running.pid, signal.SIGKILL)
    assert running.wait(60) == -signal.SIGKILL
    receiver.meanwhile = lambda: None
    assert [each.state for each in listed(escucha)] == [AlertState.SENDING]
    escucha.clock.forward(minutes=3)
    escucha.main.deliver()
    assert len(receiver.keys) == 2
    assert len(set(receiver.keys)) == 1
    assert receiver.came[0].body == receiver.came[1].body
    assert [each.state for each in listed(escucha)] == [AlertState.SENT]
    escucha.close()


def test_a_store_without_crms_notes_nothing(escucha: Escucha) -> None:
    opens(escucha)
    assert listed(escucha) == []


def test_nothing_is_noted_of_what_is_undone(world: Escucha) -> None:
    def broken(tx: Transaction) -> None:
        crm_out.note(tx, "cases", ["case ES-1"], "opened", now=world.clock())
        raise RuntimeError

    with pytest.raises(RuntimeError), world.store.write() as tx:
        broken(tx)
    assert listed(world) == []
    assert timedelta(minutes=2) == crm_out.LEASE
