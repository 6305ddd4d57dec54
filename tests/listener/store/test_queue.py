"""The queue of cases: its beginning is the beginning of the whole, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from listener.store import cases, tables
from listener.types import CaseState
from tests.listener.commands.desk_world import DeskWorld

LIVE = [CaseState.OPEN, CaseState.PENDING]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = DeskWorld(tmp_path)
    dice = Random(3)
    now = made.clock()
    rows = [
        {
            "reference": f"ES-26-{number:06}",
            "state": dice.choice([*CaseState]).value,
            "title": "Outage",
            "team": dice.choice(["care", "billing"]),
            "agent": dice.choice([None, "luis"]),
            "urgency_rank": 1,
            "tags": [dice.choice(["vip", "x"])],
            "opened_at": now,
            "opened_by": "policy",
            "changed_at": now,
            "promise": {},
            "skills": [],
            "minutes_per_point": 30,
            "queue_at": now - timedelta(minutes=dice.randrange(20)),
            "snoozed_until": dice.choice([None, now - timedelta(hours=1), now + timedelta(hours=1)]),
        }
        for number in range(120)
    ]
    with made.store.write() as tx:
        tx.execute(tables.cases.insert(), rows)
    yield made
    made.close()


@pytest.mark.parametrize("limit", [1, 7, 500])
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"team": "care"},
        {"agent": "luis"},
        {"tag": "vip"},
        {"awake": True},
        {"states": [*CaseState]},
        {"states": LIVE},
    ],
    ids=["all", "team", "agent", "tag", "awake", "every state", "live"],
)
def test_a_limit_cuts_the_queue_and_changes_nothing_else(world: DeskWorld, asked: dict[str, Any], limit: int) -> None:
    how = {("awake_at" if name == "awake" else name): value for name, value in asked.items()}
    how |= {"awake_at": world.clock()} if "awake" in asked else {}
    with world.store.read() as tx:
        whole = [case.id for case in cases.listing(tx, **how)]
        assert len(whole) > 7
        assert [case.id for case in cases.listing(tx, limit=limit, **how)] == whole[:limit]


@pytest.mark.about_sqlite
@pytest.mark.parametrize("how", [{}, {"team": "care"}], ids=["all", "of a team"])
def test_the_queue_is_read_in_its_order_from_an_index(world: DeskWorld, how: dict[str, Any]) -> None:
    with world.store.read() as tx:
        seen: list[str] = []
        connection = tx.connection.dbapi_connection
        assert connection is not None
        connection.set_trace_callback(seen.append)  # type: ignore[attr-defined]
        cases.listing(tx, limit=5, **how)
        connection.set_trace_callback(None)  # type: ignore[attr-defined]
        (asked,) = [text for text in seen if "cases.queue_at" in text]
        plan = [row[3] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}")]
    by_order = [step for step in plan if "queue_at" in step or "team_queue_at" in step or "COVERING INDEX" in step]
    assert by_order, plan
    assert sum("TEMP B-TREE" in step for step in plan) <= 1, plan  # the last one sorts what was found, a few
