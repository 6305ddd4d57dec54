"""Both databases say how many rows were really written: whoever asks whether they were first must be told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from listener import store as stores
from listener.store import Store, upsert
from listener.store import tables as t
from tests import databases


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = databases.at(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = stores.open(url)
    yield opened
    opened.close()


def test_what_was_there_already_counts_as_nothing(store: Store) -> None:
    counted = []
    for _ in range(2):
        with store.write() as tx:
            new = upsert(tx, t.case_numbers).values(year=2026, last=0).on_conflict_do_nothing()
            counted.append(tx.execute(new).rowcount)
    assert counted == [1, 0]
