"""How PostgreSQL goes about the questions that are asked all day, where there is a long history behind what waits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert, text, update

from listener import cluster
from listener import store as stores
from listener.store import Store, Transaction, backlog, cases, inbox, jobs, mentions, outbox, sources, stats, waiting
from listener.store import tables as t
from listener.store.sources import Wanted
from listener.types import DraftState, MentionState
from tests import databases

pytestmark = pytest.mark.slow
NOW = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
MANY = 20_000  # of everything
EACH = 400  # how manieth of them still waits
BIG = {"mentions", "accounts", "drafts", "cases", "case_mentions", "decisions"}
OVER = {"mentions": "decided", "drafts": "sent", "cases": "closed"}  # the state of what needs nothing any more


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """Years of it, counted by PostgreSQL."""
    with databases.one() as url:
        opened = stores.open(url)
        cluster.prepare(opened)
        with opened.write() as tx:
            _lay_down(tx)
        with opened.write() as tx:
            tx.execute(text("ANALYZE"))
        yield opened
        opened.close()


def _lay_down(tx: Transaction) -> None:
    wanted = Wanted(name="tag", account="care", network="sandbox", query="#marca", every=timedelta(minutes=1))
    sources.sync(tx, [wanted], NOW)
    source_id = sources.get(tx, "tag").id
    numbers = range(1, MANY + 1)
    waits = {"mentions": ("new", "understood"), "drafts": ("proposed", "approved"), "cases": ("open", "pending")}

    def moment(n: int) -> datetime:
        return NOW - timedelta(minutes=MANY - n)

    def state(table: str, n: int) -> str:
        return waits[table][n // EACH % 2] if n % EACH == 0 else OVER[table]

    named: dict[str, Any] = {"network": "sandbox", "first_seen_at": NOW}
    tx.execute(
        insert(t.accounts),
        [{"id": n, "external_id": f"a{n}", "handle": f"a{n}", "folded": f"a{n}", **named} for n in numbers],
    )
    said: dict[str, Any] = {"network": "sandbox", "source_id": source_id, "kind": "mention", "visibility": "public"}
    said |= {"text": "sin luz", "media": [], "raw": {}}
    tx.execute(
        insert(t.mentions),
        [
            {"id": n, "account_id": n, "external_id": f"m{n}", "thread_id": f"t{n}", "state": state("mentions", n)}
            | {"posted_at": moment(n), "heard_at": moment(n), "checked_at": moment(n)}
            | said
            for n in numbers
        ],
    )
    decided: dict[str, Any] = {"revision": 1, "policy_version": "p", "model_version": "m", "urgency": "normal"}
    decided |= {"needs_routing": False, "escalate_to": "", "ignored": "", "tags": [], "alerts": [], "trace": {}}
    tx.execute(
        insert(t.decisions),
        [{"id": n, "mention_id": n, "at": moment(n), "queue_at": moment(n)} | decided for n in numbers],
    )
    case: dict[str, Any] = {
        "title": "",
        "team": "care",
        "urgency_rank": 1,
        "tags": [],
        "skills": [],
        "opened_by": "test",
    }
    case |= {"promise": {}, "minutes_per_point": 1}
    tx.execute(
        insert(t.cases),
        [
            {"id": n, "reference": f"ES-26-{n}", "account_id": n, "state": state("cases", n), "opened_at": moment(n)}
            | {"changed_at": moment(n), "queue_at": moment(n)}
            | case
            for n in numbers
        ],
    )
    tx.execute(insert(t.case_mentions), [{"case_id": n, "mention_id": n, "why": "", "at": moment(n)} for n in numbers])
    draft: dict[str, Any] = {"account": "care", "text": "hola", "language": "es", "template": "t", "length": 4}
    draft |= {"length_limit": 500, "urgency_rank": 1, "revision": 1, "policy_version": "p"}
    tx.execute(
        insert(t.drafts),
        [
            {"id": n, "mention_id": n, "decision_id": n, "case_id": n, "send_key": f"k{n}", "state": state("drafts", n)}
            | {"proposed_at": moment(n), "queue_at": moment(n)}
            | draft
            for n in numbers
        ],
    )


@contextmanager
def _plans(tx: Transaction) -> Iterator[list[Mapping[str, Any]]]:
    """Every step of the plan of each question that is asked meanwhile."""
    found: list[Mapping[str, Any]] = []

    def steps(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        yield plan
        for part in plan.get("Plans", ()):
            yield from steps(part)

    def ask(_tx: Any, cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        ((told,),) = cursor.connection.execute(f"EXPLAIN (FORMAT JSON) {statement}", values).fetchall()
        found.extend(steps((told if isinstance(told, list) else json.loads(told))[0]["Plan"]))

    event.listen(tx.engine, "before_cursor_execute", ask)
    try:
        yield found
    finally:
        event.remove(tx.engine, "before_cursor_execute", ask)


def _sends(tx: Transaction) -> int:
    assert outbox.anything_due(tx, "care", NOW)
    assert jobs.to_send(tx, NOW) == {"care"}
    assert not outbox.sending(tx, "care")
    assert not outbox.unsettled(tx, "care")
    return len(outbox.sendable(tx, "care", NOW))


QUESTIONS: dict[str, tuple[Callable[[Transaction], int], int]] = {
    "review": (lambda tx: len(inbox.waiting(tx, limit=21, after=20)), 5),
    "inbox": (lambda tx: len(waiting.drafts(tx, states=[DraftState.PROPOSED], limit=21)), 21),
    "inbox --all": (lambda tx: len(waiting.drafts(tx, states=list(DraftState), limit=21)), 21),
    "case list": (lambda tx: len(cases.listing(tx, limit=21, awake_at=NOW)), 21),
    "case list of a team": (lambda tx: len(cases.listing(tx, team="care", limit=21, awake_at=NOW)), 21),
    "claim of what is to be read": (lambda tx: len(mentions.awaiting(tx, MentionState.NEW, 250, alone=True)), 25),
    "claim of a job": (lambda tx: len(mentions.awaiting(tx, MentionState.NEW, 9, ids=range(800, 1000), alone=True)), 1),
    "sweep": (lambda tx: len(jobs.uncarried(tx, "digest", 4096)), 50),
    "sends": (_sends, 25),
    "counts of status": (lambda tx: stats.counts(tx).drafts["approved"], 25),
    "oldest of status": (lambda tx: len(stats.oldest_waiting(tx)), 2),
    "backlog of status": (lambda tx: sum(backlog.waiting(tx).values()), 50),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_of_the_day_reads_a_long_history_whole(store: Store, question: str) -> None:
    """An index leads to what waits. (Where much waits, PostgreSQL may read all accounts for its authors at once.)"""
    ask, expected = QUESTIONS[question]
    with store.write() as tx, _plans(tx) as plans:
        assert ask(tx) == expected
    assert plans
    whole = [step for step in plans if step["Node Type"] == "Seq Scan" and step["Relation Name"] in BIG]
    assert not [step for step in whole if not _ends_early(step)], "\n".join(map(_told, plans))


def test_what_waits_in_masses_is_taken_up_in_its_order_without_being_sorted(store: Store) -> None:
    plans: list[Mapping[str, Any]] = []
    with suppress(_EnoughSeen), store.write() as tx:
        tx.execute(update(t.mentions).values(state="new"))
        tx.execute(text("ANALYZE mentions"))
        with _plans(tx) as plans:
            assert len(mentions.awaiting(tx, MentionState.NEW, 250, alone=True)) == 250
        raise _EnoughSeen
    assert "ix_mentions_waiting" in [step.get("Index Name") for step in plans], "\n".join(map(_told, plans))
    assert "Sort" not in [step["Node Type"] for step in plans], "\n".join(map(_told, plans))


class _EnoughSeen(Exception):
    """Ends a transaction that must leave nothing behind."""


def _ends_early(step: Mapping[str, Any]) -> bool:
    """Whether it looks for what nearly every row is, of which so many are enough."""
    sought = step.get("Filter", "")
    return sought == "(id IS NOT NULL)" or any(f"'{state}'::text" in sought for state in OVER.values())


def _told(step: Mapping[str, Any]) -> str:
    """Of one step what it does and to what."""
    named = ("Node Type", "Relation Name", "Index Name", "Index Cond", "Filter", "Sort Key", "Plan Rows")
    return " | ".join(str(step[name]) for name in named if name in step)
