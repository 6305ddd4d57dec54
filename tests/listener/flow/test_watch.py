"""Clocks of cases: they run, stand still, warn, break, and hand on; once, in order, and with who and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest

import policies
from connectors import sandbox
from listener import situations
from listener.desk import cases as desk
from listener.desk import clocks
from listener.errors import AlreadyDone, Mistake
from listener.flow import replay
from listener.flow import watch as watching
from listener.flow.watch import watch
from listener.store import Transaction, alerts, case_counts, cases, steps
from listener.store import tables as t
from listener.store.cases import Case
from listener.types import CasePlan, CaseState, Clock, Urgency
from tests.listener.flow.world import AUTO, Escucha

FRIDAY = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)  # 18:00 in Madrid, an hour before the office closes
POLICY = (
    AUTO.replace("teams: {care: {what: everything}}", "teams: {care: {}, bosses: {}, billing: {}, legal: {}}")
    + """
time_zone: Europe/Madrid
calendars:
  office: {hours: {mon-fri: ["09:00-14:00", "16:00-19:00"]}, holidays: ES}
service_levels:
  calendar: office
  warn: 50%
  low: {resolution: 20h}
  normal: {first_response: 2h, resolution: 8h}
  high: {first_response: 1h, resolution: 4h, calendar: none}
  only: [{network: elsewhere, first_response: 5m}]
escalation:
  on_warning: [{alert: lead}]
  on_breach: [{alert: ops}, {after: 1h, team: bosses, urgency: "+1", alert: [ops, chief]}]
  on_information_needed: [{alert: desk}, {after: 4h, team: legal, alert: chief}]
"""
)
Act = Callable[[Transaction, Case], Any]


@pytest.fixture(autouse=True)
def friday(escucha: Escucha) -> None:
    escucha.clock.moment = FRIDAY
    escucha.policy = policies.load_text(POLICY)


def opened(escucha: Escucha, urgency: Urgency = Urgency.NORMAL, **more: Any) -> Case:
    now = escucha.clock()
    with escucha.store.write() as tx:
        return desk.open_case(
            tx,
            pattern="ES",
            plan=plan(escucha, urgency, **more),
            account_id=None,
            customer_id=None,
            by="test",
            since=now,
            now=now,
        )


def warned_and_overdue(tx: Transaction, now: datetime) -> tuple[int, int]:
    counted = case_counts.pressing(tx, now)
    return counted.warned, counted.overdue


def plan(escucha: Escucha, urgency: Urgency, *, network: str = "sandbox", **more: Any) -> CasePlan:
    promise = escucha.policy.promises.promise(
        team="care", urgency=urgency, network=network, tier="", now=escucha.clock()
    )
    return CasePlan(team="care", urgency=urgency, title="T", promise=promise, **more)


def act(escucha: Escucha, case: Case, what: Act) -> Case:
    with escucha.store.write() as tx:
        what(tx, cases.by_id(tx, case.id))
        return cases.by_id(tx, case.id)


def moves(escucha: Escucha, to: CaseState) -> Act:
    return lambda tx, case: desk.move(tx, case, to, by="eva", now=escucha.clock(), moved=escucha.policy.promises.moved)


def joins(escucha: Escucha, urgency: Urgency, **more: Any) -> Act:
    return lambda tx, case: desk.join(
        tx, case, plan(escucha, urgency, **more), by="eva", now=escucha.clock(), moved=escucha.policy.promises.moved
    )


def asks(escucha: Escucha, team: str = "billing") -> Act:
    chain = escucha.policy.promises.question(team, calendar="office", now=escucha.clock())
    return lambda tx, case: clocks.ask(
        tx, case, team=team, text="Was it paid?", chain=chain, by="eva", now=escucha.clock()
    )


def later(escucha: Escucha, moment: str) -> int:
    """It is that time in Madrid in November (UTC+1), and somebody looks."""
    escucha.clock.moment = datetime.fromisoformat(f"{moment}+01:00").astimezone(UTC)
    return watch(escucha.store, now=escucha.clock())


def happened(escucha: Escucha, case: Case, *kinds: str) -> list[tuple[str, str, str]]:
    """What the daemon did: kind, clock, and what came of it."""
    with escucha.store.read() as tx:
        found = cases.events_of(tx, case)
    told = []
    for event in found:
        if event.kind in (kinds or ("warned", "breached", "escalated")):
            does = [
                *event.detail.get("alerts", ()),
                *(event.detail[key] for key in ("team", "urgency") if key in event.detail),
            ]
            told.append((event.kind, event.detail.get("clock", ""), " ".join(does)))
    return told


def told(escucha: Escucha) -> list[tuple[str, str]]:
    with escucha.store.read() as tx:
        return [(each.target, each.kind) for each in reversed(alerts.listing(tx))]


def now(escucha: Escucha, case: Case) -> Case:
    with escucha.store.read() as tx:
        return cases.by_id(tx, case.id)


def test_a_promise_counts_open_hours(escucha: Escucha) -> None:
    case = opened(escucha)
    assert case.first_response_due == datetime(2026, 11, 23, 9, tzinfo=UTC)  # an hour on Friday, one on Monday
    assert case.resolution_due == datetime(2026, 11, 23, 17, tzinfo=UTC)
    assert case.promise["first_response"] == {"level": "normal", "calendar": "office", "span": 7200}
    assert opened(escucha, Urgency.HIGH).first_response_due == FRIDAY + timedelta(hours=1)


def test_it_warns_breaks_and_hands_on_in_order(escucha: Escucha) -> None:
    case = opened(escucha)
    assert later(escucha, "2026-11-20T18:59") == 0
    assert later(escucha, "2026-11-20T19:00") == 2  # half of it is used up: warned, and somebody told
    assert happened(escucha, case) == [("warned", "first_response", ""), ("escalated", "first_response", "lead")]
    with escucha.store.read() as tx:
        assert steps.warned(tx, [case.id], escucha.clock()) == {case.id: (Clock.FIRST_RESPONSE,)}
        assert warned_and_overdue(tx, escucha.clock()) == (1, 0)
        assert [each.id for each in cases.listing(tx, late_at=escucha.clock())] == [case.id]
    assert later(escucha, "2026-11-21T23:00") == later(escucha, "2026-11-22T23:00") == 0
    assert later(escucha, "2026-11-23T10:00:01") == 2
    assert later(escucha, "2026-11-23T11:00") == 1
    assert happened(escucha, case)[2:] == [
        ("breached", "first_response", ""),
        ("escalated", "first_response", "ops"),
        ("escalated", "first_response", "ops chief bosses high"),
    ]
    with escucha.store.read() as tx:
        assert warned_and_overdue(tx, escucha.clock()) == (0, 1)
    assert (now(escucha, case).team, now(escucha, case).urgency) == ("bosses", Urgency.HIGH)
    assert told(escucha) == [("lead", "warning"), ("ops", "breach"), ("ops", "breach"), ("chief", "breach")]


def test_what_is_due_this_very_moment_was_warned_of_and_is_not_late(escucha: Escucha) -> None:
    case = opened(escucha)
    later(escucha, "2026-11-20T19:00")
    due = case.first_response_due
    assert due is not None
    with escucha.store.read() as tx:
        assert steps.warned(tx, [case.id], due) == {case.id: (Clock.FIRST_RESPONSE,)}
        assert warned_and_overdue(tx, due) == (1, 0)
        past = due + timedelta(seconds=1)
        assert steps.warned(tx, [case.id], past) == {}
        assert warned_and_overdue(tx, past) == (0, 1)


def test_a_step_that_raises_the_urgency_moves_the_case_up_its_queue(escucha: Escucha) -> None:
    case = opened(escucha, minutes_per_point=3, score=7)
    assert case.queue_at == FRIDAY - timedelta(minutes=21)
    later(escucha, "2026-11-23T11:00")
    raised = now(escucha, case)
    assert (raised.urgency, raised.score) == (Urgency.HIGH, 67)
    assert raised.queue_at == FRIDAY - timedelta(minutes=21 + 60 * 3)
    assert act(escucha, case, joins(escucha, Urgency.HIGH, score=67)).queue_at == raised.queue_at
    more = act(escucha, case, joins(escucha, Urgency.HIGH, score=72, minutes_per_point=50))
    assert (more.score, more.queue_at) == (72, raised.queue_at - timedelta(minutes=5 * 3)), "by what it scores more"
    less = act(escucha, case, joins(escucha, Urgency.HIGH, score=70))
    assert (less.score, less.queue_at) == (72, more.queue_at)


def test_one_look_finds_so_many_cases_however_many_steps_each_has(
    escucha: Escucha, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST", 2)
    found = [opened(escucha) for _ in range(3)]
    assert later(escucha, "2026-11-25T10:00") == 20
    assert [len(happened(escucha, case)) for case in found] == [10, 10, 0]
    assert later(escucha, "2026-11-25T10:00") == 10


def test_cases_that_fail_keep_no_other_from_its_turn(escucha: Escucha, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST", 2)
    broken = [opened(escucha) for _ in range(2)]
    with escucha.store.write() as tx:
        tx.execute(t.case_steps.update().values(urgency="very"))  # which no version wrote
    escucha.clock.forward(seconds=1)
    well = opened(escucha)
    assert later(escucha, "2026-11-25T10:00") == 0
    assert later(escucha, "2026-11-25T10:00:01") == 10
    assert len(happened(escucha, well)) == 10
    assert later(escucha, "2026-11-25T10:00:02") == 0
    with escucha.store.write() as tx:
        tx.execute(t.case_steps.update().values(urgency=""))
    assert later(escucha, "2026-11-25T10:00:03") == 20
    with escucha.store.read() as tx:
        events = [each for each in cases.events_of(tx, broken[0]) if each.kind in ("warned", "breached", "escalated")]
    planned = [each.detail["planned"] for each in events]
    assert planned == sorted(planned), "in order all the same"
    assert planned[0] == "2026-11-20T18:00:00+00:00"


def test_what_was_missed_is_done_once_in_order_and_told_as_late(escucha: Escucha) -> None:
    case = opened(escucha)
    done = later(escucha, "2026-11-25T10:00")
    assert done == 10  # both clocks: warned and told, broken and told, and handed on
    assert later(escucha, "2026-11-25T10:00") == 0
    with escucha.store.read() as tx:
        found = [each for each in cases.events_of(tx, case) if each.kind in ("warned", "breached", "escalated")]
    planned = [each.detail["planned"] for each in found]
    assert planned == sorted(planned)
    assert all(each.detail["late"] > 3600 and each.by == "daemon" for each in found)
    with escucha.store.read() as tx:
        assert all("min late" in each.why for each in alerts.listing(tx))
    assert now(escucha, case).urgency is Urgency.CRITICAL  # +1 for each clock that was broken
    assert len(told(escucha)) == 8


def test_a_clock_that_is_set_back_repeats_nothing(escucha: Escucha) -> None:
    case = opened(escucha)
    later(escucha, "2026-11-23T10:00:01")
    before = happened(escucha, case)
    for moment in ("2026-11-20T12:00", "2026-11-20T19:00", "2026-11-23T10:00:01"):
        assert later(escucha, moment) == 0
    assert happened(escucha, case) == before


def test_two_daemons_do_each_step_once(escucha: Escucha) -> None:
    found = [opened(escucha) for _ in range(6)]
    escucha.clock.moment = FRIDAY + timedelta(days=9)
    together, done = Barrier(3), list[int]()

    def look() -> None:
        together.wait()
        done.append(watch(escucha.store, now=escucha.clock()))

    looking = [Thread(target=look) for _ in range(3)]
    for each in looking:
        each.start()
    for each in looking:
        each.join()
    assert sum(done) == 60
    assert all(len(happened(escucha, case)) == 10 for case in found)
    assert len(told(escucha)) == 6 * 8


def test_a_crash_between_step_and_commit_loses_and_repeats_nothing(
    escucha: Escucha, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = opened(escucha)
    with monkeypatch.context() as patched:

        def dies(*_: object, **__: object) -> bool:
            raise RuntimeError("killed here")

        patched.setattr(alerts, "add", dies)
        assert later(escucha, "2026-11-20T19:00") == 0
    assert happened(escucha, case) == told(escucha) == []
    assert later(escucha, "2026-11-20T19:00") == 2


def test_an_answer_stops_the_first_clock_and_a_solution_both(escucha: Escucha) -> None:
    case = opened(escucha)
    with escucha.store.write() as tx:
        cases.change(tx, case, now=escucha.clock(), first_response_at=escucha.clock())
        steps.withdraw(tx, case.id, Clock.FIRST_RESPONSE)
    later(escucha, "2026-11-23T12:00")
    assert {clock for _, clock, _ in happened(escucha, case)} == {"resolution"}
    act(escucha, case, moves(escucha, CaseState.RESOLVED))
    before = happened(escucha, case)
    assert later(escucha, "2026-12-01T12:00") == 0
    assert happened(escucha, case) == before


def test_the_solution_waits_for_the_customer(escucha: Escucha) -> None:
    case = opened(escucha)
    later(escucha, "2026-11-23T10:00")
    case = act(escucha, case, moves(escucha, CaseState.PENDING))
    assert later(escucha, "2026-11-25T10:00") == 1  # nothing of the solution; the first answer's last step
    case = act(escucha, case, joins(escucha, Urgency.LOW))
    assert case.state is CaseState.OPEN
    assert case.resolution_due == datetime(2026, 11, 25, 17, tzinfo=UTC)  # two working days of eight hours later
    assert later(escucha, "2026-11-25T14:00") == 2  # warned anew, by the time that is left
    assert later(escucha, "2026-11-25T18:00:01") == 2
    assert happened(escucha, case)[-2:] == [("breached", "resolution", ""), ("escalated", "resolution", "ops")]


def test_what_was_overdue_stays_overdue(escucha: Escucha) -> None:
    case = opened(escucha)
    later(escucha, "2026-11-23T18:30")
    due = now(escucha, case).resolution_due
    act(escucha, case, moves(escucha, CaseState.PENDING))
    later(escucha, "2026-11-24T09:30")
    case = act(escucha, case, moves(escucha, CaseState.OPEN))
    assert case.resolution_due == due
    assert later(escucha, "2026-11-24T09:59") == 0
    assert later(escucha, "2026-11-24T10:00") == 1  # half an hour was left of the one after the breach


def test_more_urgent_is_only_ever_sooner(escucha: Escucha) -> None:
    case = opened(escucha)
    first = act(escucha, case, joins(escucha, Urgency.HIGH))
    assert first.first_response_due == FRIDAY + timedelta(hours=1)
    assert first.resolution_due == FRIDAY + timedelta(hours=4)
    assert first.promise["resolution"]["level"] == "high"
    later(escucha, "2026-11-21T10:00")
    done = happened(escucha, case)
    assert done.count(("breached", "first_response", "")) == done.count(("breached", "resolution", "")) == 1
    again = act(escucha, case, joins(escucha, Urgency.CRITICAL))
    assert (again.first_response_due, again.resolution_due) == (first.first_response_due, first.resolution_due)


def test_a_promise_for_an_earlier_moment_counts_whatever_the_urgency(escucha: Escucha) -> None:
    case = opened(escucha)
    first = act(escucha, case, joins(escucha, Urgency.NORMAL, network="elsewhere"))
    assert first.first_response_due == FRIDAY + timedelta(minutes=5)
    assert (first.resolution_due, first.urgency) == (case.resolution_due, Urgency.NORMAL)
    assert first.promise["first_response"]["span"] == 300
    assert later(escucha, "2026-11-20T18:05") == 4  # warned and told, broken and told
    with escucha.store.read() as tx:
        (event,) = [each for each in cases.events_of(tx, case) if each.kind == "promised"]
    assert event.detail["why"] == f"sooner than before, by the level {first.promise['first_response']['level']}"
    again = act(escucha, case, joins(escucha, Urgency.NORMAL))
    assert (again.first_response_due, again.promise) == (first.first_response_due, first.promise)
    assert len(happened(escucha, case, "promised")) == 1


def test_a_promise_to_an_urgent_case_comes_sooner_by_what_is_less_urgent_too(escucha: Escucha) -> None:
    case = opened(escucha, Urgency.HIGH)
    low = act(escucha, case, joins(escucha, Urgency.NORMAL, network="elsewhere"))
    assert (low.first_response_due, low.urgency) == (FRIDAY + timedelta(minutes=5), Urgency.HIGH)


def test_a_case_without_a_promise_gets_one_when_it_becomes_urgent(escucha: Escucha) -> None:
    case = opened(escucha, Urgency.LOW)
    assert case.first_response_due is None
    case = act(escucha, case, joins(escucha, Urgency.HIGH))
    assert case.first_response_due == FRIDAY + timedelta(hours=1)


def test_a_reopened_case_runs_on(escucha: Escucha) -> None:
    case = opened(escucha)
    act(escucha, case, moves(escucha, CaseState.RESOLVED))
    assert later(escucha, "2026-11-23T19:30") == 0
    case = act(escucha, case, moves(escucha, CaseState.OPEN))
    assert case.resolution_due == datetime(2026, 11, 24, 18, tzinfo=UTC)  # nine open hours later
    assert case.first_response_due == datetime(2026, 11, 24, 10, tzinfo=UTC)  # nobody ever answered: two hours are left
    assert later(escucha, "2026-11-24T09:59:59") == 0
    assert later(escucha, "2026-11-24T10:00") == 2  # half of them is used up
    assert later(escucha, "2026-11-24T11:00:01") == 2
    assert {clock for _, clock, _ in happened(escucha, case)} == {"first_response"}


@pytest.mark.parametrize("over", [CaseState.RESOLVED, CaseState.CLOSED])
def test_each_clock_stood_still_for_as_long_as_it_did(escucha: Escucha, over: CaseState) -> None:
    case = opened(escucha)
    act(escucha, case, moves(escucha, CaseState.PENDING))
    later(escucha, "2026-11-20T18:30")
    act(escucha, case, moves(escucha, over))
    later(escucha, "2026-11-23T10:30")
    if over is CaseState.RESOLVED:
        act(escucha, case, moves(escucha, CaseState.CLOSED))
    case = act(escucha, case, moves(escucha, CaseState.OPEN))
    assert case.first_response_due == datetime(2026, 11, 23, 11, tzinfo=UTC)  # two open hours later
    assert case.resolution_due == datetime(2026, 11, 24, 9, 30, tzinfo=UTC)  # and half an hour before that it waited
    assert later(escucha, "2026-11-23T10:59") == 0
    assert later(escucha, "2026-11-23T11:00") == 2
    assert {clock for _, clock, _ in happened(escucha, case)} == {"first_response"}


def test_what_was_answered_or_overdue_before_it_was_over_stays_so(escucha: Escucha) -> None:
    late, answered = opened(escucha), opened(escucha)
    with escucha.store.write() as tx:
        cases.change(tx, answered, now=escucha.clock(), first_response_at=escucha.clock())
        steps.withdraw(tx, answered.id, Clock.FIRST_RESPONSE)
    later(escucha, "2026-11-23T10:30")
    for case in (late, answered):
        act(escucha, case, moves(escucha, CaseState.RESOLVED))
    later(escucha, "2026-11-23T12:30")
    for case in (late, answered):
        was = case.first_response_due
        assert act(escucha, case, moves(escucha, CaseState.OPEN)).first_response_due == was
    assert happened(escucha, late)[-1] == ("escalated", "first_response", "ops")
    assert later(escucha, "2026-11-23T12:59") == 0
    assert later(escucha, "2026-11-23T13:00") == 1  # half an hour was left of the one after the breach
    assert happened(escucha, late)[-1] == ("escalated", "first_response", "ops chief bosses high")


def test_where_nobody_knows_since_when_a_clock_stood_still_it_goes_on_as_it_was(escucha: Escucha) -> None:
    case = opened(escucha)
    act(escucha, case, moves(escucha, CaseState.CLOSED))
    with escucha.store.write() as tx:
        tx.execute(t.case_events.delete().where(t.case_events.c.kind == "closed"))
        cases.change(tx, cases.by_id(tx, case.id), now=escucha.clock(), stands_since=None)
    escucha.clock.forward(minutes=90)
    again = act(escucha, case, moves(escucha, CaseState.OPEN))
    assert (again.first_response_due, again.resolution_due) == (case.first_response_due, case.resolution_due)
    assert later(escucha, "2026-11-25T10:00") == 10


def test_a_question_has_steps_until_it_is_answered(escucha: Escucha) -> None:
    case = act(escucha, opened(escucha, Urgency.LOW), asks(escucha))
    assert (case.asked_team, case.asked_by) == ("billing", "eva")
    with pytest.raises(AlreadyDone, match="waits for billing since"):
        act(escucha, case, asks(escucha))
    assert later(escucha, "2026-11-20T18:00") == 1
    assert later(escucha, "2026-11-23T12:00") == 1  # an hour on Friday, three on Monday
    case = now(escucha, case)
    assert (case.asked_team, case.team) == ("legal", "care")
    case = act(escucha, case, lambda tx, it: clocks.inform(tx, it, text="Yes.", by="leo", now=escucha.clock()))
    assert case.asked_at is None
    with escucha.store.read() as tx:
        event = cases.last_event(tx, case, "informed")
    assert event is not None
    assert (event.by, event.detail["team"], event.detail["waited"]) == ("leo", "legal", 66 * 3600)
    with pytest.raises(Mistake, match="Nobody waits"):
        act(escucha, case, lambda tx, it: clocks.inform(tx, it, text="Yes.", by="leo", now=escucha.clock()))


def test_an_answered_question_brings_no_further_step(escucha: Escucha) -> None:
    case = act(escucha, opened(escucha, Urgency.LOW), asks(escucha))
    later(escucha, "2026-11-20T18:00")
    act(escucha, case, lambda tx, it: clocks.inform(tx, it, text="Yes.", by="leo", now=escucha.clock()))
    assert later(escucha, "2026-11-30T18:00") == 5  # those of the solution alone
    act(escucha, case, asks(escucha, "legal"))
    assert later(escucha, "2026-11-30T18:00") == 1
    act(escucha, case, moves(escucha, CaseState.CLOSED))
    assert later(escucha, "2026-12-30T18:00") == 0
    assert now(escucha, case).asked_at is None
    assert [target for target, kind in told(escucha) if kind == "question"] == ["desk", "desk"]


def test_another_policy_changes_nothing_of_what_was_promised(escucha: Escucha) -> None:
    case = opened(escucha)
    plain = policies.load_text(AUTO + "# other\n")
    escucha.activate(plain)
    escucha.policy = plain
    later(escucha, "2026-11-23T11:00")
    assert ("escalated", "first_response", "ops chief bosses high") in happened(escucha, case)
    case = act(escucha, case, moves(escucha, CaseState.PENDING))
    later(escucha, "2026-11-23T12:00")
    case = act(escucha, case, moves(escucha, CaseState.OPEN))  # there is no such calendar any more: all time counts
    assert case.resolution_due == datetime(2026, 11, 23, 18, tzinfo=UTC)


def test_a_mention_gets_its_level_and_the_trace_says_which(escucha: Escucha) -> None:
    pipeline = escucha.pipeline(policy=escucha.policy)
    escucha.says("esto anda mal @marca")
    escucha.clock.forward(seconds=11)
    pipeline.once()
    with escucha.store.read() as tx:
        (case,) = cases.listing(tx)
        (trace,) = tx.scalars(t.decisions.select().with_only_columns(t.decisions.c.trace)).all()
    assert case.first_response_due == escucha.clock() + timedelta(hours=1)
    assert trace["promise"]["level"] == "high"
    escucha.clock.forward(hours=1)
    pipeline.once()
    assert ("breached", "first_response", "") in happened(escucha, case)


def test_decisions_with_promises_are_reproduced(escucha: Escucha) -> None:
    pipeline = escucha.pipeline(policy=escucha.policy)
    for text in ("esto anda mal @marca", "¿a qué hora abren? @marca"):
        escucha.says(text)
    escucha.clock.forward(days=1)
    pipeline.once()
    found = list(
        replay.past(escucha.store, replay.whole(escucha.store, every=True), networks=lambda *_: [sandbox.FACTS])
    )
    assert len(found) == 2
    for each in found:
        assert each.situation is not None
        decision = escucha.policy.decide(each.situation)
        assert decision.case is not None
        assert decision.case.promise.steps
        assert situations.fingerprint(decision) == each.fingerprint
