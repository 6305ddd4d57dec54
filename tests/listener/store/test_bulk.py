"""Many rows at once, on both databases: what comes back, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, IntegrityError

from listener.store import Store, audit, bulk
from listener.store import tables as t

NAMES = ("digest", "facts")
NOW = datetime(2026, 11, 23, 12, 0, 0, 5, tzinfo=UTC)
STRANGE: list[Any] = [
    {"text": "tab\tline\nback\\slash \\N ñandú 👩‍👩‍👧", "none": None, "deep": [{"a": [1, 2.5, True]}], "7": 2**70},
    [],
    {},
    "\\.",
]


def test_what_is_added_comes_back_as_it_was(store: Store) -> None:
    rows = [(f"{number:064d}", value) for number, value in enumerate([*STRANGE, *STRANGE])]
    with store.write() as tx:
        assert bulk.add(tx, t.facts, NAMES, rows) == len(rows)
    with store.read() as tx:
        found = tx.execute(select(t.facts.c.digest, t.facts.c.facts).order_by(t.facts.c.digest)).all()
    assert [tuple(row) for row in found] == rows


def test_json_that_was_written_before_is_kept_as_what_it_says(store: Store) -> None:
    with store.write() as tx:
        bulk.add(tx, t.facts, NAMES, [("a" * 64, bulk.Json.of({"with": ("ñ", 1)}))])
        assert tx.scalars(select(t.facts.c.facts)).all() == [{"with": ["ñ", 1]}]


def test_a_row_that_stands_in_the_way_is_refused_as_by_any_statement(store: Store) -> None:
    with pytest.raises(IntegrityError), store.write() as tx:
        bulk.add(tx, t.facts, NAMES, [("a" * 64, {}), ("b" * 64, {}), ("a" * 64, {})])
    with store.read() as tx:
        assert tx.scalars(select(t.facts.c.digest)).all() == []


def test_what_does_not_fit_is_an_error_of_the_database_on_postgresql(store: Store) -> None:
    if store.is_sqlite:
        pytest.skip("SQLite counts no characters")
    with pytest.raises(DBAPIError), store.write() as tx:
        bulk.add(tx, t.facts, NAMES, [("a" * 65, {})])


def test_moments_come_back_in_utc_to_the_microsecond(store: Store) -> None:
    summer = NOW.astimezone(timezone(timedelta(hours=2)))
    with store.write() as tx:
        for at in (NOW, summer, NOW.replace(microsecond=0)):
            audit.record(tx, at=at, by="test", action="tried", subject=str(at))
    with store.read() as tx:
        found = tx.scalars(select(t.audit.c.at).order_by(t.audit.c.id)).all()
        known = tx.scalars(select(t.audit.c.subject).where(t.audit.c.at >= summer)).all()
    assert found == [NOW, NOW, NOW.replace(microsecond=0)]
    assert {at.tzinfo for at in found} == {UTC}
    assert len(known) == 2


def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(Exception, match="has no time zone"), store.read() as tx:
        tx.execute(select(t.audit.c.id).where(t.audit.c.at > NOW.replace(tzinfo=None)))
