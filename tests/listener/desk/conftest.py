"""The knowledge of a desk, on each of the two databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from listener import store as stores
from tests import databases
from tests.listener.desk.shelf_world import Shelf


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    """Empty."""
    url = databases.at(tmp_path)
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    opened = stores.open(url)
    yield Shelf(opened)
    opened.close()
