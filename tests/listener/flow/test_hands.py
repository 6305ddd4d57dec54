"""Anything that people and the daemon do with cases and users, in any order: what must hold after each step."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from listener.desk import cases as desk
from listener.desk import handing
from listener.errors import Mistake
from listener.store import Transaction, assigned, cases, rebuilding, users
from listener.store.users import Profile
from listener.types import CasePlan, CaseState, Role, Urgency
from tests.listener.flow.test_assign import ADMIN, all_time
from tests.listener.flow.world import Escucha

pytestmark = pytest.mark.slow

NAMES = ("luis", "marta", "pepe")
CAPACITY = {"luis": 1, "marta": 2, "pepe": None}
people = some.sampled_from(NAMES)


class Hands(RuleBasedStateMachine):
    """A desk of three agents, one of whom knows roaming, and a boss who gives cases by hand."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.escucha = Escucha(Path(self.folder.name))
        self.store = self.escucha.store
        now = self.now
        with self.store.write() as tx:
            users.add(tx, "boss", ADMIN, by="boss", now=now)
            for name in NAMES:
                skills = ("roaming",) if name == "marta" else ()
                profile = Profile(roles=(Role.AGENT,), teams=("care",), skills=skills, capacity=CAPACITY[name])
                users.add(tx, name, profile, by="boss", now=now)

    def teardown(self) -> None:
        self.escucha.close()
        self.folder.cleanup()

    @property
    def now(self) -> Any:
        return self.escucha.clock()

    def some_case(self, tx: Transaction, pick: int) -> cases.Case | None:
        there = cases.listing(tx, states=list(CaseState))
        return there[pick % len(there)] if there else None

    @rule(asks=some.booleans())
    def opens(self, asks: bool) -> None:
        skills = ("Roaming",) if asks else ()
        plan = CasePlan(team="care", urgency=Urgency.NORMAL, title="t", skills=skills)
        with self.store.write() as tx:
            desk.open_case(
                tx, pattern="ES", plan=plan, account_id=None, customer_id=None, by="x", since=self.now, now=self.now
            )

    @rule(pick=some.integers(0, 20), who=people, how=some.sampled_from(["take", "back", "give", "over"]))
    def by_hand(self, pick: int, who: str, how: str) -> None:
        try:
            with self.store.write() as tx:
                case = self.some_case(tx, pick)
                if case is None:
                    return
                if how == "take" and users.get(tx, who).enabled:  # others never get past the command line
                    handing.take(tx, case, by=who, now=self.now)
                elif how == "back":
                    handing.give_back(tx, case, by=who, now=self.now)
                elif how != "take":
                    over = how == "over"
                    handing.assign(tx, case, team=None, agent=who, by="boss", now=self.now, take_over=over)
        except Mistake:
            pass

    @rule(pick=some.integers(0, 20), to=some.sampled_from(list(CaseState)))
    def moves(self, pick: int, to: CaseState) -> None:
        try:
            with self.store.write() as tx:
                if case := self.some_case(tx, pick):
                    desk.move(tx, case, to, by="boss", now=self.now, moved=all_time)
        except Mistake:
            pass

    @rule(who=people, how=some.sampled_from(["away", "shortly", "back", "disable", "enable"]))
    def comes_and_goes(self, who: str, how: str) -> None:
        try:
            with self.store.write() as tx:
                user = users.get(tx, who)
                match how:
                    case "back":
                        users.back(tx, user, by=who, now=self.now)
                    case "disable":
                        users.disable(tx, who, by="boss", now=self.now)
                    case "enable":
                        users.enable(tx, who, by="boss", now=self.now)
                    case _:
                        until = self.now + timedelta(hours=1) if how == "shortly" else None
                        users.away(tx, user, since=self.now, until=until, reason="", by=who, now=self.now)
        except Mistake:
            pass

    @rule(minutes=some.integers(1, 90))
    def time_passes(self, minutes: int) -> None:
        self.escucha.clock.forward(minutes=minutes)

    @rule()
    def the_daemon_looks(self) -> None:
        with self.store.read() as tx:
            before = assigned.load(tx)
        self.escucha.main.assign()
        with self.store.read() as tx:
            after, away = assigned.load(tx), users.absent(tx, self.now)
            for user in users.listing(tx, disabled=True):
                grew = after.get(user.name, 0) > before.get(user.name, 0)
                room = CAPACITY.get(user.name)
                assert not grew or (user.enabled and user.id not in away)
                assert not grew or room is None or after[user.name] <= room
                if not user.enabled:
                    assert assigned.held(tx, [user.name]) == []
                elif handing.longer(users.absences(tx, user, self.now), self.now):
                    assert assigned.held(tx, [user.name], only_open=True) == []
            for case in cases.listing(tx):
                if handing.waits(case):
                    assert handing.considered(tx, case, self.now, all_time).agent is None

    @invariant()
    def cases_are_what_their_events_say(self) -> None:
        with self.store.read() as tx:
            assert rebuilding.differences(tx, limit=5) == []


TestHands = Hands.TestCase
TestHands.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
