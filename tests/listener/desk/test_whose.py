"""Whatever people do to records, links and cases, in any order: nothing anybody wrote is lost, and nobody's record,
name or words stand in another person's case.

A new rule is a method with `@rule`; what must hold is `PeopleWorld.holds`, looked at after every step.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.listener.desk.people_world import PeopleWorld

PEOPLE = st.sampled_from(["ana", "beto", "carla"])
RECORDS = st.sampled_from(["C1", "C2", "C3"])
TEXTS = st.sampled_from(["@marca ¿horario?", "@marca todo mal", "@marca gracias"])


class Whose(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.world = PeopleWorld(self.folder)
        self.world.adds("C1", "C2", tags=["vip"])
        self.world.adds("C3", email="c3@a.example", fields={"plan": "fibre"})

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.close()
            shutil.rmtree(self.folder)

    @rule(who=PEOPLE, text=TEXTS)
    def writes(self, who: str, text: str) -> None:
        self.world.hears(who, text)

    @rule()
    def decides_what_has_to_be_decided_again(self) -> None:
        self.world.main.digest()

    @rule(record=RECORDS, who=PEOPLE)
    def link(self, record: str, who: str) -> None:
        self.world.tries("links_", record, who)

    @rule(record=RECORDS, who=PEOPLE)
    def unlink(self, record: str, who: str) -> None:
        self.world.tries("unlinks", record, who)

    @rule(record=RECORDS, who=PEOPLE)
    def relink(self, record: str, who: str) -> None:
        self.world.tries("relinks", record, who)

    @rule(one=RECORDS, other=RECORDS)
    def merge(self, one: str, other: str) -> None:
        self.world.tries("merges", one, other)

    @rule(other=RECORDS)
    def unmerge(self, other: str) -> None:
        self.world.tries("unmerges", other)

    @rule(number=st.integers(0, 4))
    def resolve(self, number: int) -> None:
        self.world.tries("resolves", number)

    @rule(number=st.integers(0, 4))
    def reopen(self, number: int) -> None:
        self.world.tries("reopens", number)

    @rule(record=RECORDS, tier=st.sampled_from(["", "gold"]))
    def change(self, record: str, tier: str) -> None:
        self.world.changes(record, tier=tier)

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "world"):
            self.world.holds()


Whose.TestCase.settings = settings(
    max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWhose = Whose.TestCase
