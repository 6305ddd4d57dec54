"""Every column that can hold words says whose they are and how they go."""

from __future__ import annotations

import pytest
from sqlalchemy import Table

from listener.store import personal, tables

TABLES = list(tables.metadata.tables.values())
BY_SKELETON = {  # what `erasing.py` empties by hand, because something of the row must stay
    "accounts", "mentions", "revisions", "understandings", "decisions", "drafts", "draws", "views", "cases",
    "case_mentions", "case_events", "case_steps",
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_that_can_hold_words_is_declared(table: Table) -> None:
    """A new table or column is declared in `listener/store/personal.py`, by whoever adds it."""
    held = personal.HELD.get(table.name)
    assert held is not None, f"say in listener/store/personal.py what {table.name} holds of people"
    declared = held.words + held.clear
    assert sorted(declared) == sorted(personal.verbal(table))
    assert set(held.emptied) <= {column.name for column in table.columns}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_what_is_about_a_person_can_be_found_and_goes(table: Table) -> None:
    held = personal.HELD[table.name]
    names = {column.name for column in table.columns}
    points_at_a_person = any(key.column.table.name in ("customers", "accounts") for key in table.foreign_keys)
    if points_at_a_person or names & {"customer_id", "account_id"}:
        assert held.whose is not None, f"{table.name} points at a person: say whose its rows are"
    if held.whose is None:
        assert not held.gone
        assert not held.emptied
    elif not held.gone and table.name not in BY_SKELETON:
        assert set(held.words) <= set(held.emptied), f"say what becomes of {table.name}'s words"


def test_nothing_is_declared_that_is_not_there() -> None:
    assert set(personal.HELD) == set(tables.metadata.tables)
