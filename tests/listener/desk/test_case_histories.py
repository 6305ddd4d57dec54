"""Whatever is done to cases in whatever order: each is what its events say, no event is lost, nobody's words move to
another customer's case, and each mention is in one case.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from sqlalchemy import func, select

from listener.desk import case_merging as merging
from listener.desk import cases as desk
from listener.desk import checklists, clocks, marks, parts, unlinking
from listener.desk import customers as people
from listener.errors import Mistake
from listener.store import Transaction, cases, customers, mentions, rebuilding
from listener.store import tables as t
from listener.store.cases import Case
from listener.store.mentions import Mention
from listener.types import CasePlan, CaseState, Item, LinkBasis, Promise, Urgency
from tests.listener.commands.desk_world import DeskWorld, on_and_on

WHO = st.sampled_from(["ana", "anita", "beto", "carla"])
CUSTOMERS = {"ana": "C1", "anita": "C1", "beto": "C2"}
STATES = st.sampled_from(list(CaseState))
TEAMS = st.sampled_from(["care", "billing"])
STEPS = (Item(name="look", weight=1), Item(name="mend", weight=2), Item(name="tell", weight=1))
Change = Callable[[Transaction, Case], object]


def plan_for(world: DeskWorld, urgency: Urgency = Urgency.NORMAL) -> CasePlan:
    due = world.clock() + timedelta(hours=4 - urgency.rank)
    promise = Promise(level="normal", resolution=timedelta(hours=4), resolution_due=due)
    return CasePlan(
        team="care",
        urgency=urgency,
        title="T",
        tags=(urgency.value,),
        promise=promise,
        checklist=STEPS,
        score=urgency.rank,
    )


class Histories(RuleBasedStateMachine):
    cases = Bundle("cases")

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.world = DeskWorld(self.folder)
        self.events: Counter[int] = Counter()
        self.routed: set[int] = set()
        for who in ("ana", "anita", "beto", "carla"):
            self.world.hears(who=who)
        with self.world.store.write() as tx:
            for reference in ("C1", "C2"):
                row = {"reference": reference, "name": reference, "tags": [], "fields": {}}
                tx.execute(
                    t.customers.insert().values(**row, added_at=self.world.clock(), changed_at=self.world.clock())
                )

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()
            shutil.rmtree(self.folder)

    def does(self, reference: str, change: Change, *, merged: bool = False) -> None:
        self.world.clock.forward(minutes=7)
        try:
            with self.world.store.write() as tx:
                change(tx, desk.find(tx, reference, "ES", merged=merged))
        except Mistake:
            pass  # a refusal changes nothing: the invariants look

    def plan(self, _mention: Mention) -> CasePlan:
        return plan_for(self.world)

    @rule(target=cases, who=WHO, another=st.booleans(), urgency=st.sampled_from(list(Urgency)))
    def hear(self, who: str, another: bool, urgency: Urgency) -> object:
        number = self.world.hears(who=who)
        with self.world.store.write() as tx:
            case, opened = desk.route(
                tx,
                mentions.get(tx, number),
                pattern="ES",
                plan=plan_for(self.world, urgency),
                another=another,
                by="mod",
                now=self.world.clock(),
                moved=on_and_on,
                reopen=timedelta(days=2),
            )
        self.routed.add(number)
        return case.reference if opened else multiple()

    @rule(who=st.sampled_from(sorted(CUSTOMERS)), forth=st.booleans())
    def link(self, who: str, forth: bool) -> None:
        with self.world.store.write() as tx:
            customer = customers.get(tx, CUSTOMERS[who])
            told = {"network": "sandbox", "handle": who, "by": "mod", "now": self.world.clock()}
            try:
                if forth:
                    people.link(
                        tx,
                        customer,
                        basis=LinkBasis.VERIFIED,
                        evidence="",
                        linkable=True,
                        **told,  # type: ignore[arg-type]
                    )
                else:
                    unlinking.unlink(tx, customer, pattern="ES", **told)  # type: ignore[arg-type]
            except Mistake:
                pass

    @rule(case=cases, to=STATES)
    def move(self, case: str, to: CaseState) -> None:
        self.does(case, lambda tx, it: desk.move(tx, it, to, by="ana", now=self.world.clock(), moved=on_and_on))

    @rule(case=cases, team=TEAMS, agent=st.sampled_from([None, "luis", "eva"]))
    def assign(self, case: str, team: str, agent: str | None) -> None:
        told = {"team": team, "agent": agent, "by": "ana", "take_over": True, "checklist": STEPS[:2]}
        self.does(case, lambda tx, it: desk.assign(tx, it, now=self.world.clock(), **told))  # type: ignore[arg-type]

    @rule(case=cases, ask=st.booleans())
    def inform(self, case: str, ask: bool) -> None:
        told = {"text": "x", "by": "ana", "now": self.world.clock()}
        if ask:
            self.does(case, lambda tx, it: clocks.ask(tx, it, team="billing", chain=(), **told))  # type: ignore[arg-type]
        else:
            self.does(case, lambda tx, it: clocks.inform(tx, it, **told))  # type: ignore[arg-type]

    @rule(case=cases, step=st.sampled_from(["look", "mend", "tell"]), done=st.booleans())
    def step(self, case: str, step: str, done: bool) -> None:
        self.does(
            case,
            lambda tx, it: checklists.mark(tx, it, step, done=done, wanted=STEPS, by="ana", now=self.world.clock()),
        )

    @rule(case=cases, what=st.sampled_from([marks.tag, marks.untag]), tag=st.sampled_from(["vip", "low"]))
    def tag(self, case: str, what: Callable[..., Case], tag: str) -> None:
        self.does(case, lambda tx, it: what(tx, it, [tag], by="ana", now=self.world.clock()))

    @rule(case=cases, what=st.sampled_from([marks.watch, marks.unwatch]), who=WHO)
    def watch(self, case: str, what: Callable[..., Case], who: str) -> None:
        self.does(case, lambda tx, it: what(tx, it, who, by=who, now=self.world.clock()))

    @rule(case=cases, hours=st.integers(-1, 30), snooze=st.booleans())
    def later(self, case: str, hours: int, snooze: bool) -> None:
        at = self.world.clock() + timedelta(hours=hours)
        what = marks.snooze if snooze else marks.due
        self.does(case, lambda tx, it: what(tx, it, at, by="ana", now=self.world.clock()))

    @rule(case=cases, other=cases)
    def merge(self, case: str, other: str) -> None:
        now = self.world.clock()
        self.does(
            case, lambda tx, it: merging.merge(tx, it, desk.find(tx, other, "ES", merged=True), by="ana", now=now)
        )

    @rule(case=cases)
    def unmerge(self, case: str) -> None:
        now = self.world.clock()
        self.does(case, lambda tx, it: merging.unmerge(tx, it, by="ana", now=now, moved=on_and_on), merged=True)

    @rule(target=cases, case=cases, data=st.data())
    def split(self, case: str, data: st.DataObject) -> object:
        with self.world.store.read() as tx:
            inside = [number for number, _, _ in cases.mentions_in(tx, desk.find(tx, case, "ES"))]
        chosen = data.draw(st.lists(st.sampled_from(inside or [0]), min_size=1, max_size=3))
        made: list[str] = []

        def split(tx: Transaction, it: Case) -> None:
            now = self.world.clock()
            new = merging.split(tx, it, chosen, plan=self.plan, pattern="ES", by="ana", now=now)
            made.append(new.reference)

        self.does(case, split)
        return made[0] if made else multiple()

    @rule(case=cases)
    def undo(self, case: str) -> None:
        told = {"plan": self.plan, "pattern": "ES", "by": "ana", "now": self.world.clock(), "moved": on_and_on}
        self.does(case, lambda tx, it: merging.undo(tx, it, **told))  # type: ignore[arg-type]

    @rule(case=cases, other=cases, leave=st.booleans())
    def parent(self, case: str, other: str, leave: bool) -> None:
        now = self.world.clock()
        if leave:
            self.does(case, lambda tx, it: parts.leave_parent(tx, it, by="ana", now=now))
        else:
            self.does(case, lambda tx, it: parts.set_parent(tx, it, desk.find(tx, other, "ES"), by="ana", now=now))

    @rule(hours=st.integers(1, 60))
    def time_passes(self, hours: int) -> None:
        self.world.clock.forward(hours=hours)
        now = self.world.clock()
        with self.world.store.write() as tx:
            for case_id in cases.snoozed(tx, now, 50):
                marks.wake_due(tx, case_id, now)
            for case in cases.listing(tx):
                clocks.do_due(tx, case.id, now)

    @invariant()
    def each_case_is_what_its_events_say(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.world.store.read() as tx:
            assert rebuilding.differences(tx, limit=3) == []
            of_case = t.case_events.c.case_id
            counted = tx.execute(select(of_case, func.count().label("events")).group_by(of_case))
            events = Counter({row.case_id: row.events for row in counted})
            assert events >= self.events, "an event was lost"
            self.events = events
            held = t.case_mentions.join(t.mentions, t.mentions.c.id == t.case_mentions.c.mention_id).join(t.accounts)
            inside = tx.execute(
                select(t.case_mentions.c.mention_id, t.case_mentions.c.case_id, t.accounts.c.handle).select_from(held)
            ).all()
            merged = set(tx.scalars(select(t.cases.c.id).where(t.cases.c.merged_into.is_not(None))))
        assert sorted(row.mention_id for row in inside) == sorted(self.routed), "each mention is in one case"
        assert not merged & {row.case_id for row in inside}, "a merged case holds nothing"
        people_of = {(row.case_id, CUSTOMERS.get(row.handle, row.handle)) for row in inside}
        assert max(Counter(case_id for case_id, _ in people_of).values(), default=1) == 1, "two people share a case"


Histories.TestCase.settings = settings(
    max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestHistories = pytest.mark.slow(Histories.TestCase)
