"""Cases find their agents: by themselves, by those who take them, and again when somebody leaves; never two at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

import policies
from listener.desk import cases as desk
from listener.desk import clocks, handing
from listener.errors import AlreadyDone, Mistake
from listener.flow.assign import assign
from listener.store import assigned, cases, users
from listener.store.cases import Case
from listener.store.users import Profile, User
from listener.types import CasePlan, CaseState, Role, Urgency
from tests.at_once import at_once
from tests.listener.flow.world import AUTO, Escucha

ADMIN = Profile(roles=(Role.ADMIN,), os_user="boss")
OFFICE = "mon-fri 09:00-17:00 UTC"


def all_time(moment: datetime, /, *, calendar: str, since: datetime, until: datetime) -> datetime:
    return moment + (until - since)


def joins(escucha: Escucha, name: str, **said: Any) -> User:
    """A new agent of care, behind an admin."""
    profile = Profile(**{"roles": (Role.AGENT,), "teams": ("care",), **said})
    with escucha.store.write() as tx:
        if not users.there_are(tx):
            users.add(tx, "boss", ADMIN, by="boss", now=escucha.clock())
        return users.add(tx, name, profile, by="boss", now=escucha.clock())


def opened(escucha: Escucha, *, skills: tuple[str, ...] = (), team: str = "care", score: int = 0) -> Case:
    """An open case that nobody has."""
    plan = CasePlan(team=team, urgency=Urgency.NORMAL, title="t", skills=skills, score=score)
    now = escucha.clock()
    with escucha.store.write() as tx:
        return desk.open_case(
            tx, pattern="ES", plan=plan, account_id=None, customer_id=None, by="x", since=now, now=now
        )


def has(escucha: Escucha, case: Case) -> str | None:
    with escucha.store.read() as tx:
        return cases.by_id(tx, case.id).agent


def why(escucha: Escucha, case: Case) -> str:
    with escucha.store.read() as tx:
        return str(assigned.newest(tx, [case.id])[case.id]["why"])


# --- by themselves ---


def test_a_case_is_given_in_the_round_that_opens_it(escucha: Escucha) -> None:
    joins(escucha, "luis", languages=("es",))
    escucha.says("@marca una queja")
    escucha.round()
    with escucha.store.read() as tx:
        (case,) = cases.listing(tx)
        told = assigned.newest(tx, [case.id])[case.id]
    assert (case.agent, told["by"], told["agent"]) == ("luis", "daemon", "luis")
    assert "of care" in str(told["why"])


def test_without_users_nobody_is_given_anything(escucha: Escucha) -> None:
    case = opened(escucha)
    assert escucha.main.assign() == 0
    assert has(escucha, case) is None


def test_a_setting_leaves_it_to_people(escucha: Escucha) -> None:
    joins(escucha, "luis")
    case = opened(escucha)
    escucha.main._assigns = False
    assert escucha.main.assign() == 0
    assert has(escucha, case) is None


def test_a_skill_that_nobody_has_leaves_it_in_the_queue_with_the_reason(escucha: Escucha) -> None:
    joins(escucha, "luis")
    case = opened(escucha, skills=("roaming",))
    assert escucha.main.assign() == 0
    with escucha.store.read() as tx:
        choice = handing.considered(tx, cases.by_id(tx, case.id), escucha.clock(), all_time)
    assert choice.why == "nobody of care can have it now: 1 without roaming"
    joins(escucha, "marta", skills=("roaming",))
    assert escucha.main.assign() == 1
    assert has(escucha, case) == "marta"


def test_what_nobody_can_have_keeps_nothing_else_waiting(escucha: Escucha) -> None:
    joins(escucha, "luis")
    for _ in range(210):
        opened(escucha, skills=("roaming",), score=50)
    case, after, handed = opened(escucha), None, 0
    for _ in range(3):
        now = escucha.clock()
        done, after = assign(escucha.store, now=now, moved=all_time, after=after)
        handed += done
    assert handed == 1
    assert has(escucha, case) == "luis"


def test_nobody_gets_more_than_they_have_room_for(escucha: Escucha) -> None:
    joins(escucha, "luis", capacity=2)
    held = [opened(escucha) for _ in range(3)]
    escucha.main.assign()
    assert [has(escucha, case) for case in held] == ["luis", "luis", None]
    with escucha.store.write() as tx:
        desk.move(tx, cases.by_id(tx, held[0].id), CaseState.RESOLVED, by="luis", now=escucha.clock(), moved=all_time)
    escucha.main.assign()
    assert has(escucha, held[2]) == "luis"


def test_two_machines_give_nobody_more_than_they_have_room_for(escucha: Escucha) -> None:
    joins(escucha, "luis", capacity=3)
    for _ in range(8):
        opened(escucha)
    now = escucha.clock()
    at_once(*(lambda: assign(escucha.store, now=now, moved=all_time) for _ in range(3)))
    with escucha.store.read() as tx:
        assert assigned.load(tx) == {"luis": 3}


def test_duty_hours_hold_by_their_own_hours_and_by_the_policys_calendar(escucha: Escucha) -> None:
    calendars = "calendars: {office: {hours: {mon-fri: ['09:00-17:00']}, time_zone: UTC}}\n"
    escucha.activate(policies.load_text(AUTO + calendars))
    joins(escucha, "luis", duty="office")
    case = opened(escucha)
    escucha.clock.moment = datetime(2026, 3, 7, 12, tzinfo=escucha.clock.moment.tzinfo)  # a Saturday
    escucha.main.decide()  # takes up the policy
    assert escucha.main.assign() == 0
    joins(escucha, "marta", duty=OFFICE)
    assert escucha.main.assign() == 0
    escucha.clock.forward(days=2)
    assert escucha.main.assign() == 1
    assert has(escucha, case) == "luis"


def test_the_language_of_the_mention_and_who_knew_the_person_decide(escucha: Escucha) -> None:
    joins(escucha, "aaa", languages=("en",))
    joins(escucha, "luis", languages=("es",))
    joins(escucha, "marta", languages=("es",))
    escucha.says("@marca una queja", who="eva")
    escucha.round()
    with escucha.store.write() as tx:
        (first,) = cases.listing(tx)
        assert first.agent == "luis"
        handing.assign(tx, first, team=None, agent="marta", by="boss", now=escucha.clock(), take_over=True)
        desk.move(tx, cases.by_id(tx, first.id), CaseState.CLOSED, by="marta", now=escucha.clock(), moved=all_time)
    escucha.clock.forward(days=30)
    with escucha.store.write() as tx:
        plan = CasePlan(team="care", urgency=Urgency.NORMAL, title="t")
        now = escucha.clock()
        second = desk.open_case(
            tx, pattern="ES", plan=plan, account_id=first.account_id, customer_id=None, by="x", since=now, now=now
        )
    escucha.main.assign()
    assert has(escucha, second) == "marta"
    assert "had a case of this person before" in why(escucha, second)


# --- by people ---


def test_of_two_who_take_at_once_one_gets_it(escucha: Escucha) -> None:
    for name in ("luis", "marta"):
        joins(escucha, name)

    def taking(name: str, case: Case) -> Callable[[], Case]:
        def go() -> Case:
            with escucha.store.write() as tx:
                return handing.take(tx, cases.by_id(tx, case.id), by=name, now=escucha.clock())

        return go

    for _ in range(5):
        case = opened(escucha)
        came = at_once(taking("luis", case), taking("marta", case))
        assert sorted(type(each).__name__ for each in came) == ["AlreadyDone", "Case"]
        (won,) = [each for each in came if isinstance(each, Case)]
        assert has(escucha, case) == won.agent
        with escucha.store.read() as tx:
            assert len([event for event in cases.events_of(tx, case) if event.kind == "assigned"]) == 1


def test_whoever_takes_it_while_the_daemon_gives_it_agree_on_one(escucha: Escucha) -> None:
    joins(escucha, "luis")
    joins(escucha, "marta", roles=(Role.SUPERVISOR,))

    def take() -> Case:
        with escucha.store.write() as tx:
            return handing.take(tx, cases.by_id(tx, case.id), by="marta", now=escucha.clock())

    for _ in range(5):
        case = opened(escucha)
        came = at_once(take, lambda: assign(escucha.store, now=escucha.clock(), moved=all_time))
        took = isinstance(came[0], Case)
        assert isinstance(came[0], (Case, Mistake))
        assert has(escucha, case) == ("marta" if took else "luis")


def test_whoever_leaves_while_they_are_given_a_case_does_not_keep_it(escucha: Escucha) -> None:
    for number in range(5):
        name = f"agent {number}"
        joins(escucha, name)
        case = opened(escucha)

        def disable() -> None:
            with escucha.store.write() as tx:
                left = users.disable(tx, name, by="boss", now=escucha.clock())  # noqa: B023
                handing.leave(tx, left, why="left", by="boss", now=escucha.clock())

        at_once(disable, lambda: assign(escucha.store, now=escucha.clock(), moved=all_time))
        assert has(escucha, case) is None
        with escucha.store.write() as tx:
            desk.move(tx, cases.by_id(tx, case.id), CaseState.CLOSED, by="x", now=escucha.clock(), moved=all_time)


def test_what_is_given_back_goes_to_somebody_else(escucha: Escucha) -> None:
    joins(escucha, "luis")
    case = opened(escucha)
    escucha.main.assign()
    with escucha.store.write() as tx:
        handing.give_back(tx, cases.by_id(tx, case.id), by="luis", now=escucha.clock(), note="no sé de esto")
    assert escucha.main.assign() == 0
    joins(escucha, "marta")
    assert escucha.main.assign() == 1
    assert has(escucha, case) == "marta"
    with escucha.store.write() as tx, pytest.raises(Mistake, match="marta's"):
        handing.give_back(tx, cases.by_id(tx, case.id), by="luis", now=escucha.clock())
    with escucha.store.write() as tx, pytest.raises(AlreadyDone, match="yours already"):
        handing.take(tx, cases.by_id(tx, case.id), by="marta", now=escucha.clock())


def test_only_users_who_are_there_are_given_cases_by_hand(escucha: Escucha) -> None:
    luis = joins(escucha, "luis")
    joins(escucha, "news", roles=(Role.MARKETING,))
    joins(escucha, "left")
    case = opened(escucha)
    now = escucha.clock()
    with escucha.store.write() as tx:
        users.disable(tx, "left", by="boss", now=now)
        users.away(tx, luis, since=now, until=None, reason="", by="luis", now=now)
    for name, reason in (("nobody", "no user"), ("news", "works on no cases"), ("left", "disabled"), ("luis", "away")):
        with escucha.store.write() as tx, pytest.raises(Mistake, match=reason):
            handing.assign(tx, cases.by_id(tx, case.id), team=None, agent=name, by="boss", now=now)
    with escucha.store.write() as tx:
        users.back(tx, luis, by="luis", now=now)
        given = handing.assign(tx, cases.by_id(tx, case.id), team=None, agent="LUIS", by="boss", now=now)
    assert given.agent == "luis"


def test_taking_and_giving_leave_every_clock_as_it_is(escucha: Escucha) -> None:
    """Whoever asked another team, and whoever holds the case, wait for the same answer and the same promise."""
    joins(escucha, "luis")
    escucha.says("@marca una queja")
    escucha.round()
    now = escucha.clock()
    with escucha.store.write() as tx:
        (case,) = cases.listing(tx)
        clocks.ask(tx, case, team="care", text="?", chain=(), by="luis", now=now)
        before = cases.by_id(tx, case.id)
    escucha.clock.forward(minutes=30)
    with escucha.store.write() as tx:
        now = escucha.clock()
        handing.give_back(tx, cases.by_id(tx, case.id), by="luis", now=now)
        handing.assign(tx, cases.by_id(tx, case.id), team=None, agent="boss", by="boss", now=now)
        after = cases.by_id(tx, case.id)
    for column in (
        "first_response_due",
        "resolution_due",
        "stands_since",
        "asked_team",
        "asked_by",
        "asked_at",
        "queue_at",
    ):
        assert getattr(after, column) == getattr(before, column), column
    assert after.agent == "boss"
    with escucha.store.write() as tx:
        informed = clocks.inform(tx, after, text="sí", by="boss", now=escucha.clock())
    assert (informed.asked_at, informed.agent) == (None, "boss")


# --- who leaves, who comes back ---


def test_the_cases_of_whoever_goes_away_go_to_others_and_stay_there(escucha: Escucha) -> None:
    luis = joins(escucha, "luis")
    case, waiting = opened(escucha), opened(escucha)
    escucha.main.assign()
    now = escucha.clock()
    with escucha.store.write() as tx:
        desk.move(tx, cases.by_id(tx, waiting.id), CaseState.PENDING, by="luis", now=now, moved=all_time)
        users.away(tx, luis, since=now, until=None, reason="", by="luis", now=now)
    joins(escucha, "marta")
    assert escucha.main.assign() == 2  # taken back, and given
    assert (has(escucha, case), has(escucha, waiting)) == ("marta", "luis")
    assert escucha.main.assign() == 0
    with escucha.store.write() as tx:
        users.back(tx, luis, by="luis", now=now)
    assert escucha.main.assign() == 0
    assert has(escucha, case) == "marta"


def test_a_short_absence_takes_nothing_away_and_gives_nothing(escucha: Escucha) -> None:
    luis = joins(escucha, "luis")
    case = opened(escucha)
    escucha.main.assign()
    now = escucha.clock()
    with escucha.store.write() as tx:
        users.away(tx, luis, since=now, until=now + timedelta(hours=1), reason="", by="luis", now=now)
    later = opened(escucha)
    assert escucha.main.assign() == 0
    assert (has(escucha, case), has(escucha, later)) == ("luis", None)
    escucha.clock.forward(hours=1)
    assert escucha.main.assign() == 1
    assert has(escucha, later) == "luis"


def test_an_absence_that_was_planned_takes_effect_when_it_begins(escucha: Escucha) -> None:
    luis = joins(escucha, "luis")
    case = opened(escucha)
    escucha.main.assign()
    now = escucha.clock()
    with escucha.store.write() as tx:
        users.away(tx, luis, since=now + timedelta(hours=1), until=None, reason="", by="luis", now=now)
    assert escucha.main.assign() == 0
    escucha.clock.forward(hours=1)
    assert escucha.main.assign() == 1
    assert has(escucha, case) is None
    assert why(escucha, case) == "luis is away"


@pytest.mark.parametrize("role", [None, Role.MARKETING])
def test_whoever_leaves_or_works_on_no_cases_any_more_keeps_none(escucha: Escucha, role: Role | None) -> None:
    joins(escucha, "luis")
    case, waiting = opened(escucha), opened(escucha)
    escucha.main.assign()
    now = escucha.clock()
    with escucha.store.write() as tx:
        desk.move(tx, cases.by_id(tx, waiting.id), CaseState.PENDING, by="luis", now=now, moved=all_time)
        if role is None:
            users.disable(tx, "luis", by="boss", now=now)
        else:
            users.change(tx, "luis", Profile(roles=(role,), teams=("care",)), by="boss", now=now)
    assert escucha.main.assign() == 2
    assert (has(escucha, case), has(escucha, waiting)) == (None, None)
    assert escucha.main.assign() == 0
