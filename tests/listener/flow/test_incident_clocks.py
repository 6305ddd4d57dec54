"""The clocks of an incident's cases: its own rule from when they join, their own again when they leave."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from listener.desk import cases as desk
from listener.desk import incident_cases
from listener.store import attached, cases, incidents, rebuilding, steps
from listener.store.cases import Case
from listener.store.incidents import Incident
from listener.types import Attached, CasePlan, CaseState, Clock, IncidentState, Urgency
from tests.listener.flow.world import AUTO, Escucha

LEVELS = (
    "service_levels: {high: {first_response: 1h, resolution: 8h, warn: 50%}}\nescalation: {on_breach: {alert: ops}}\n"
)
RULE = "incidents: {first_response: 3h, resolution: 1d, resolution_from: end}\n"
HOUR = timedelta(hours=1)


def company(folder: Path, rule: str = RULE, *, url: str | None = None) -> Escucha:
    return Escucha(folder, policy=AUTO + LEVELS + rule, url=url)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def escucha(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Escucha]:
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    made = company(tmp_path, url=url)
    yield made
    made.close()


def opened(escucha: Escucha) -> Incident:
    """An incident that lasts, with its own case."""
    now = escucha.clock()
    with escucha.store.write() as tx:
        made = incidents.open(tx, title="Corte", by="ana", now=now, began_at=now)
        own = CasePlan(team="care", urgency=Urgency.HIGH, title="Corte")
        case = desk.open_case(
            tx, pattern="ES", plan=own, account_id=None, customer_id=None, by="ana", since=now, now=now
        )
        return incidents.record(tx, made, "case", by="ana", now=now, became={"case_id": case.id})


def heard(escucha: Escucha, who: str = "ana") -> Case:
    escucha.says("@marca todo mal", who=who)
    escucha.round()
    with escucha.store.read() as tx:
        return max(cases.listing(tx), key=lambda each: each.id)


def joins(escucha: Escucha, incident: Incident, case: Case) -> None:
    with escucha.store.write() as tx:
        now = escucha.clock()
        for mention_id, _, _ in cases.mentions_in(tx, case):
            attached.attach(tx, incident, mention_id, how=Attached.HAND, why="so", by="ana", now=now)
            incident_cases.join(tx, incident, case, [mention_id], by="ana", now=now)
    escucha.main.watch()


def leaves(escucha: Escucha, incident: Incident, case: Case) -> None:
    with escucha.store.write() as tx:
        for mention_id, _, _ in cases.mentions_in(tx, case):
            attached.detach(tx, incident, mention_id, by="ana", now=escucha.clock())
            incident_cases.leave(tx, incident, mention_id, by="ana", now=escucha.clock())
    escucha.main.watch()


def becomes(escucha: Escucha, incident: Incident, state: IncidentState) -> None:
    with escucha.store.write() as tx:
        kind = "resolved" if state is IncidentState.RESOLVED else "reopened"
        now = incidents.get(tx, incident.id)
        incidents.record(tx, now, kind, by="ana", now=escucha.clock(), became={"state": state.value})
    escucha.main.watch()


def now_is(escucha: Escucha, case: Case) -> Case:
    """The case as it is, which is what its events say."""
    with escucha.store.read() as tx:
        assert rebuilding.differences(tx, limit=5) == []
        return cases.by_id(tx, case.id)


def coming(escucha: Escucha, case: Case) -> set[tuple[Clock, datetime]]:
    with escucha.store.read() as tx:
        return {(each.step.clock, each.at) for each in steps.of(tx, case.id) if each.at is not None}


def whys(escucha: Escucha, case: Case) -> list[Any]:
    with escucha.store.read() as tx:
        return [event.detail["why"] for event in cases.events_of(tx, case) if event.kind == "promised"]


def test_a_case_that_joins_is_promised_what_the_incident_is(escucha: Escucha) -> None:
    incident, case = opened(escucha), heard(escucha)
    opened_at = case.opened_at
    assert case.first_response_due == opened_at + HOUR
    escucha.clock.forward(minutes=20)
    joins(escucha, incident, case)
    joined = now_is(escucha, case)
    assert (joined.timed_by, joined.resolution_due) == (incident.id, None)
    assert joined.first_response_due == escucha.clock() + 3 * HOUR
    assert joined.promise["resolution"]["waits"] is True
    assert {clock for clock, _ in coming(escucha, case)} == {Clock.FIRST_RESPONSE}
    assert whys(escucha, case) == ["by the rule for I1"]
    escucha.clock.forward(hours=2)
    escucha.main.watch()
    with escucha.store.read() as tx:
        kinds = [event.kind for event in cases.events_of(tx, case)]
    assert kinds[kinds.index("promised") + 1 :] == ["warned"], "of the new promise, and of no other"


def test_it_gets_its_own_promise_back_when_it_leaves(escucha: Escucha) -> None:
    incident, case = opened(escucha), heard(escucha)
    before = coming(escucha, case)
    joins(escucha, incident, case)
    escucha.clock.forward(minutes=10)
    leaves(escucha, incident, case)
    after = now_is(escucha, case)
    assert (after.timed_by, after.first_response_due) == (None, case.first_response_due)
    assert (after.resolution_due, after.promise) == (case.resolution_due, case.promise)
    assert coming(escucha, case) == before
    assert whys(escucha, case)[-1] == "it is no part of I1 any more"


def test_time_that_it_stood_still_meanwhile_counts_for_nothing(tmp_path: Path) -> None:
    escucha = company(tmp_path, "incidents: {resolution: 1d}\n")
    incident, case = opened(escucha), heard(escucha)
    joins(escucha, incident, case)
    assert now_is(escucha, case).first_response_due == case.first_response_due, "the rule says nothing of it"
    joined_due = now_is(escucha, case).resolution_due
    moved = escucha.policy.promises.moved
    with escucha.store.write() as tx:
        desk.move(tx, cases.by_id(tx, case.id), CaseState.PENDING, by="luis", now=escucha.clock(), moved=moved)
    escucha.clock.forward(hours=2)
    with escucha.store.write() as tx:
        desk.move(tx, cases.by_id(tx, case.id), CaseState.OPEN, by="luis", now=escucha.clock(), moved=moved)
    assert joined_due is not None
    assert now_is(escucha, case).resolution_due == joined_due + 2 * HOUR
    leaves(escucha, incident, case)
    assert case.resolution_due is not None
    assert now_is(escucha, case).resolution_due == case.resolution_due + 2 * HOUR
    escucha.close()


def test_its_solution_counts_from_the_end_and_waits_again_when_it_comes_back(escucha: Escucha) -> None:
    incident, case = opened(escucha), heard(escucha)
    joins(escucha, incident, case)
    escucha.clock.forward(hours=30)
    becomes(escucha, incident, IncidentState.RESOLVED)
    ended = escucha.clock()
    assert now_is(escucha, case).resolution_due == ended + 24 * HOUR
    assert (Clock.RESOLUTION, ended + 24 * HOUR) in coming(escucha, case)
    becomes(escucha, incident, IncidentState.FIXING)
    assert now_is(escucha, case).resolution_due is None
    assert Clock.RESOLUTION not in {clock for clock, _ in coming(escucha, case)}
    escucha.clock.forward(hours=1)
    becomes(escucha, incident, IncidentState.RESOLVED)
    assert now_is(escucha, case).resolution_due == escucha.clock() + 24 * HOUR
    revision = now_is(escucha, case).revision
    escucha.main.watch()
    assert now_is(escucha, case).revision == revision, "nothing is left to do"


def test_who_waits_for_the_customer_goes_on_waiting(escucha: Escucha) -> None:
    incident, case = opened(escucha), heard(escucha)
    moved = escucha.policy.promises.moved
    with escucha.store.write() as tx:
        desk.move(tx, cases.by_id(tx, case.id), CaseState.PENDING, by="luis", now=escucha.clock(), moved=moved)
    joins(escucha, incident, case)
    escucha.clock.forward(hours=5)
    becomes(escucha, incident, IncidentState.RESOLVED)
    ended = escucha.clock()
    escucha.clock.forward(hours=3)
    with escucha.store.write() as tx:
        desk.move(tx, cases.by_id(tx, case.id), CaseState.OPEN, by="luis", now=escucha.clock(), moved=moved)
    assert now_is(escucha, case).resolution_due == ended + 27 * HOUR


def test_a_further_mention_does_not_bring_the_own_promise_back(escucha: Escucha) -> None:
    incident, case = opened(escucha), heard(escucha)
    joins(escucha, incident, case)
    due = now_is(escucha, case).first_response_due
    escucha.says("@marca sigue todo mal", who="ana")
    escucha.round()
    after = now_is(escucha, case)
    with escucha.store.read() as tx:
        assert len(cases.mentions_in(tx, after)) == 2
    assert (after.first_response_due, after.resolution_due) == (due, None)


def test_what_is_no_part_of_it_does_not_hurry_its_case(escucha: Escucha) -> None:
    incident, case = opened(escucha), heard(escucha)
    own = CasePlan(
        team="care",
        urgency=Urgency.HIGH,
        title="x",
        promise=escucha.policy.promises.promise(
            team="care", urgency=Urgency.HIGH, network="sandbox", tier="", now=escucha.clock()
        ),
    )
    joins(escucha, incident, case)
    due = now_is(escucha, case).first_response_due
    with escucha.store.write() as tx:
        moved = escucha.policy.promises.moved
        desk.join(tx, cases.by_id(tx, case.id), own, by="luis", now=escucha.clock(), moved=moved)
    after = now_is(escucha, case)
    assert (after.first_response_due, after.resolution_due) == (due, None)


def test_a_new_case_begins_with_it_and_has_its_own_when_it_leaves(escucha: Escucha) -> None:
    incident = opened(escucha)
    post = escucha.says("@marca todo mal")
    escucha.clock.forward(seconds=11)
    escucha.main.poll()
    escucha.main.understand()
    with escucha.store.write() as tx:
        from listener.store import mentions

        mention = mentions.by_external_id(tx, "sandbox", post)
        assert mention
        attached.attach(tx, incident, mention.id, how=Attached.HAND, why="so", by="ana", now=escucha.clock())
    escucha.main.decide()
    with escucha.store.read() as tx:
        case = cases.of_mention(tx, mention.id)
    assert case
    assert (case.timed_by, case.first_response_due, case.resolution_due) == (
        incident.id,
        case.opened_at + 3 * HOUR,
        None,
    )
    joins(escucha, incident, case)
    assert now_is(escucha, case).first_response_due == case.first_response_due
    leaves(escucha, incident, case)
    after = now_is(escucha, case)
    assert (after.first_response_due, after.resolution_due) == (case.opened_at + HOUR, case.opened_at + 8 * HOUR)
    assert after.timed_by is None


def test_without_a_rule_nothing_changes(tmp_path: Path) -> None:
    escucha = company(tmp_path, "")
    incident, case = opened(escucha), heard(escucha)
    joins(escucha, incident, case)
    after = now_is(escucha, case)
    assert (after.timed_by, after.promise, after.resolution_due) == (None, case.promise, case.resolution_due)
    escucha.close()
