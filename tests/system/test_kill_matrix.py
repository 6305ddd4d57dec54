"""Real daemons die by the dozen while people write, edit and delete on three networks: lost 0, doubled 0, misplaced 0.

The long run is `python -m benchmarks.kills`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.kill_matrix import Plan, Said, matrix, told

ROLES = (("poll",), ("work",), ("send",), ("send",))
PLANS = {
    "sqlite": Plan(seed=3, posts=20, kills=8, patience=90),
    "roles on postgresql": Plan(
        seed=4, posts=15, kills=6, pace=0.4, patience=90, database="postgresql", restarts=1, processes=ROLES
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("setup", PLANS)
def test_whoever_dies_nothing_is_lost_doubled_or_said_elsewhere(tmp_path: Path, setup: str) -> None:
    plan = PLANS[setup]
    with matrix(tmp_path, plan) as played:
        outcome = played.run()
    assert outcome.clean, outcome
    assert outcome.heard.told > 2 * outcome.posts
    assert outcome.answered == outcome.posts > 35
    assert outcome.edits > 1
    assert outcome.deletions > 1
    assert outcome.kills + outcome.ended >= plan.kills
    assert outcome.in_mid_send, "nobody died while something was being said"
    assert outcome.restarts == plan.restarts


def test_the_count_sees_what_is_doubled_and_what_is_misplaced() -> None:
    said = [Said(id="p1", network="x"), Said(id="p2", network="x"), Said(id="p3", network="x", deleted=True)]
    one, two, three = "ES-26-000001-8", "ES-26-000002-6", "ES-26-000003-4"
    post_of = {one: "p1", two: "p2", three: "p3"}
    right = told({"p1": [f"@ana {one}."], "p2": [two], "": [three]}, post_of, said)
    assert right.misplaced == ()
    assert right.times == {"p1": 1, "p2": 1, "p3": 1}
    assert told({"p1": [one, one]}, post_of, said).times["p1"] == 2
    for below, text in (("p2", one), ("", one), ("p9", one), ("p1", "no case"), ("p1", "ES-26-999999-9")):
        assert told({below: [text]}, post_of, said).misplaced, (below, text)
