"""Real daemons die by the dozen while people write, edit and delete on three networks: lost 0, doubled 0, misplaced 0.

The long run is `python -m benchmarks.kills`.
"""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from listener import store as stores
from listener.store import alerts, crm_out
from tests.servers.webhook import Delivered
from tests.system.kill_matrix import Plan, Said, matrix, told
from tests.system.kill_receiver import Heard, heard

ROLES = (("poll",), ("work",), ("send",), ("send",))
PLANS = {
    "sqlite": Plan(seed=3, posts=20, kills=8, patience=90, slow=1.0),
    "roles on postgresql": Plan(
        seed=4,
        posts=15,
        kills=6,
        pace=0.4,
        patience=90,
        slow=1.0,
        database="postgresql",
        restarts=1,
        processes=ROLES,
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


def test_whoever_is_told_can_unite_what_comes_twice(tmp_path: Path) -> None:
    """By the ids. What comes under another one, or under the same in other words, would be told twice."""
    with closing(stores.open(f"sqlite:///{tmp_path / 'escucha.db'}")) as store:
        store.crms = {"erp": frozenset({"cases"})}
        now = datetime.now(UTC)
        with store.write() as tx:
            told = {"kind": "rule", "subject": "s", "why": "w", "mention_id": None, "case_id": None}
            alerts.add(tx, to="ops", key="k", now=now, **told)  # type: ignore[arg-type]
            crm_out.note(tx, "cases", ["case ES-1"], "opened", now=now)
        alert, news = {"id": 1}, {"reference": "ES-1", "events": [{"kind": "opened"}]}
        right = [came("alerts", "a", alert), came("alerts", "a", alert), came("crm", "c", news), came("crm", "c", news)]
        with store.read() as tx:
            assert heard(tx, right) == Heard(told=2, again=2, lost=(), doubled=())
            assert len(heard(tx, []).lost) == 2
            assert heard(tx, [*right, came("alerts", "b", alert)]).doubled == ("alert 1",)
            assert heard(tx, [*right, came("crm", "d", news)]).doubled == ("case ES-1: 2 of 1",)
            assert heard(tx, [*right, came("crm", "c", {**news, "case": None})]).doubled == ("crm c",)


def came(path: str, number: str, words: dict[str, Any]) -> Delivered:
    """One request, as a receiver keeps it."""
    headers = Message()
    headers["webhook-id"] = number
    return Delivered(f"/hook/{path}", headers, json.dumps(words).encode())
