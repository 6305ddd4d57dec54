"""Whatever people do to records, links and cases, in any order: nothing anybody wrote is lost, and nobody's record,
name or words stand in another person's case.

A new rule is a method with `@rule`; what must hold is `PeopleWorld.holds`, looked at after every step.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.listener.desk.people_world import PeopleWorld

PEOPLE = st.sampled_from(["ana", "beto"])
RECORDS = st.sampled_from(["C1", "C2", "C3"])
TEXTS = st.sampled_from(["@marca todo mal", "@marca ¿horario?"])


WHICH = st.integers(0, 11)
T = TypeVar("T")


def chosen(which: int, among: Sequence[T]) -> T:
    """One of them."""
    return among[which % len(among)]


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

    @rule(record=RECORDS, who=PEOPLE, text=TEXTS)
    def link_who_then_writes(self, record: str, who: str, text: str) -> None:
        self.world.tries("links_", record, who)
        self.world.hears(who, text)

    @rule(record=RECORDS, text=TEXTS)
    def both_write_as_one_person(self, record: str, text: str) -> None:
        for who in ("ana", "beto"):
            self.world.tries("links_", record, who)
            self.world.hears(who, text)

    @precondition(lambda self: self.world.linked())
    @rule(which=WHICH)
    def unlink(self, which: int) -> None:
        self.world.unlinks(*chosen(which, self.world.linked()))

    @precondition(lambda self: self.world.unlinked())
    @rule(which=WHICH)
    def relink(self, which: int) -> None:
        self.world.tries("relinks", *chosen(which, self.world.unlinked()))

    @rule(one=RECORDS, other=RECORDS)
    def merge(self, one: str, other: str) -> None:
        self.world.tries("merges", one, other)

    @precondition(lambda self: self.world.merged())
    @rule(which=WHICH)
    def unmerge(self, which: int) -> None:
        self.world.tries("unmerges", chosen(which, self.world.merged()))

    @rule(number=st.integers(0, 4))
    def resolve(self, number: int) -> None:
        self.world.tries("resolves", number)

    @rule(number=st.integers(0, 4))
    def reopen(self, number: int) -> None:
        self.world.tries("reopens", number)

    @rule(one=st.integers(0, 4), other=st.integers(0, 4))
    def merge_cases(self, one: int, other: int) -> None:
        self.world.tries("joins_cases", one, other)

    @rule(number=st.integers(0, 4), which=WHICH)
    def split(self, number: int, which: int) -> None:
        self.world.tries("splits", number, which)

    @rule(number=st.integers(0, 4))
    def undo(self, number: int) -> None:
        self.world.tries("undoes", number)

    @rule(number=st.integers(0, 4))
    def unmerge_cases(self, number: int) -> None:
        self.world.tries("parts_cases", number)

    @rule(record=RECORDS, tier=st.sampled_from(["", "gold"]))
    def change(self, record: str, tier: str) -> None:
        self.world.tries("changes", record, tier)

    @rule(record=RECORDS)
    def erase(self, record: str) -> None:
        self.world.tries("erases", record)

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "world"):
            self.world.holds()


Whose.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestWhose = pytest.mark.slow(Whose.TestCase)
