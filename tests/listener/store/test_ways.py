"""What one mention costs, decided or answered with thousands, does not grow with all that was ever sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert

from listener import store as stores
from listener.store import (
    Store,
    Transaction,
    answering,
    attached,
    crowd,
    inbox,
    incidents,
    matters,
    mentions,
    sources,
    threads,
)
from listener.store import tables as t
from listener.store.answer_runs import Answer
from listener.store.sources import Wanted
from listener.store.spoken import Spoken
from tests import databases

NOW = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
pytestmark = pytest.mark.about_sqlite  # whose ways do not depend on how many rows there are
PEOPLE = answering.TOGETHER  # so few more in one question, and SQLite would take another way


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Everybody has written once, and is in a case of their own."""
    opened = stores.open(databases.at(tmp_path))
    with opened.write() as tx:
        _lay_down(tx)
    yield opened
    opened.close()


def _lay_down(tx: Transaction) -> None:
    wanted = Wanted(name="tag", account="care", network="sandbox", query="#marca", every=timedelta(minutes=1))
    sources.sync(tx, [wanted], NOW)
    source_id = sources.get(tx, "tag").id
    incident = incidents.open(tx, title="Corte", by="ana", now=NOW, began_at=NOW - timedelta(hours=3))
    numbers = range(1, PEOPLE + 1)
    who: dict[str, Any] = {"network": "sandbox", "first_seen_at": NOW}
    named = [{"id": n, "external_id": f"a{n}", "handle": f"a{n}", "folded": f"a{n}", **who} for n in numbers]
    tx.execute(insert(t.accounts), named)
    said: dict[str, Any] = {"network": "sandbox", "source_id": source_id, "state": "decided", "kind": "mention"}
    said |= {"visibility": "public", "text": "sin luz", "thread_id": "t", "media": [], "raw": {}}
    said |= {"posted_at": NOW, "heard_at": NOW, "checked_at": NOW}
    tx.execute(insert(t.mentions), [{"id": n, "account_id": n, "external_id": f"m{n}", **said} for n in numbers])
    case: dict[str, Any] = {"state": "open", "title": "", "team": "care", "urgency_rank": 1, "tags": [], "skills": []}
    case |= {"opened_at": NOW, "opened_by": "test", "changed_at": NOW, "promise": {}, "minutes_per_point": 1}
    case |= {"queue_at": NOW, "parent_id": None}
    tx.execute(insert(t.cases), [{"id": 1000 + n, "reference": f"ES-26-{n}", "account_id": n, **case} for n in numbers])
    inside = [{"case_id": 1000 + n, "mention_id": n, "why": "", "at": NOW} for n in numbers]
    tx.execute(insert(t.case_mentions), inside)
    part: dict[str, Any] = {"incident_id": incident.id, "how": "rule", "why": "", "at": NOW, "by": "daemon"}
    tx.execute(insert(t.incident_mentions), [{"mention_id": n, **part} for n in numbers])


@contextmanager
def _ways(tx: Transaction) -> Iterator[list[str]]:
    """How SQLite goes about each question that is asked meanwhile, a line for each table that it reads."""
    found: list[str] = []

    def ask(_tx: Any, cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if statement.startswith(("SELECT", "WITH")):
            found.extend(row[3] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values))

    event.listen(tx.engine, "before_cursor_execute", ask)
    yield found
    event.remove(tx.engine, "before_cursor_execute", ask)


def _by_mention(ways: list[str], *lately: str) -> bool:
    """Whether drafts were read, and only those of the mentions in question, or by that other index."""
    drafts = [way for way in ways if way.startswith(("SEARCH drafts", "SCAN drafts"))]
    narrow = ("ix_drafts_mention_id", "INTEGER PRIMARY KEY", *lately)
    return bool(drafts) and all(any(name in way for name in narrow) for way in drafts)


def test_who_is_to_be_answered_is_found_without_reading_all_that_was_ever_sent(store: Store) -> None:
    with store.read() as tx, _ways(tx) as ways:
        assert len(list(answering.candidates(tx, 1, NOW))) == PEOPLE
    assert _by_mention(ways), ways


def test_nor_when_somebodys_turn_comes_nor_all_of_the_run(store: Store) -> None:
    known: dict[str, Any] = {"id": 7, "mention_id": 3, "incident_id": 1, "account_id": 3, "customer_id": None}
    answer = Answer(**{field.name: None for field in fields(Answer)} | known)
    with store.read() as tx, _ways(tx) as ways:
        assert answering.turn(tx, answer).part
    assert _by_mention(ways), ways
    held = [way for way in ways if " answers " in way]
    assert held
    assert all("account_id=?" in way or "customer_id=?" in way for way in held), held


def test_what_was_said_to_an_author_and_in_a_thread_is_found_by_their_mentions(store: Store) -> None:
    with store.read() as tx:
        mention = mentions.get(tx, 3)
        with _ways(tx) as ways:
            threads.last_said(tx, mention)
        assert _by_mention(ways), ways
        with _ways(tx) as ways:
            inbox.sends(tx, mention_id=3, account_id=3, network="sandbox", thread_id="t", now=NOW)
        assert _by_mention(ways, "ix_drafts_said_at"), ways


WHOLE = ("SCAN me", "SCAN h", "SCAN d", "SCAN c", "SCAN i", "SCAN u", "SCAN o", "SCAN a", "SCAN l", "SCAN whose")


def test_what_is_known_around_many_is_found_without_reading_any_table_whole(store: Store) -> None:
    """Each of the questions in one has its index; by no state and no network, which hold all that was ever said."""
    with store.read() as tx:
        batch = [mentions.get(tx, number) for number in (3, 4, 5)]
        with _ways(tx) as ways:
            known = crowd.around(tx, batch, since=NOW - timedelta(days=14), quick=timedelta(seconds=20), now=NOW)
            Spoken(tx, batch, now=NOW)
            matters.said_in(tx, [1003, 1004])
    assert set(known) == {3, 4, 5}
    assert not [way for way in ways if way.split(" USING ")[0].split(" (")[0] in WHOLE], ways
    assert not [way for way in ways if way.startswith(("SCAN mentions", "SCAN drafts", "SCAN cases"))], ways
    assert not [way for way in ways if "ix_drafts_state" in way or "uq_mentions_network_external_id (network=?)" in way]


def test_what_of_a_case_is_of_an_incident_is_found_by_the_case(store: Store) -> None:
    with store.read() as tx, _ways(tx) as ways:
        assert attached.in_case(tx, 1, 1003)
        assert not attached.in_case(tx, 1, 1003, but=3)
    parts = [way for way in ways if " incident_mentions " in way]
    assert parts
    assert all("mention_id=?" in way for way in parts), ways
