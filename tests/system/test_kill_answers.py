"""Kill -9 in the middle of an answer to everybody, twice, and two daemons at once: each person got exactly one."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from listener.store import answer_runs, inbox
from listener.types import DraftState, RunState
from tests.system.complainers import complainers

pytestmark = pytest.mark.slow

PEOPLE = 240


def test_each_of_many_gets_exactly_one(tmp_path: Path) -> None:
    with complainers(tmp_path, PEOPLE) as people:
        people.killed_twice(PEOPLE)
        assert Counter(people.said().values()) == {1: PEOPLE}, "the server counts"
        with people.store.read() as tx:
            (run,) = answer_runs.of_incident(tx, people.incident.id)
            assert run.state is RunState.DONE
            assert answer_runs.counts(tx, run.id) == {"sent": PEOPLE}
            sent = inbox.waiting(tx, states=(DraftState.SENT,))
        wordings = [draft.wording for draft in sorted(sent, key=lambda draft: draft.sending_since or draft.proposed_at)]
        assert sum(one == other for one, other in pairwise(wordings)) < 10
