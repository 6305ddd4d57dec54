"""A database of its own for each test, on each of the two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from listener import store as stores
from listener.store import Store
from tests import databases


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Empty."""
    url = databases.at(tmp_path)
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    opened = stores.open(url)
    yield opened
    opened.close()
