"""A database of its own for each test, on each of the two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from listener import store as stores
from listener.store import Store
from tests import postgres


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Empty."""
    url = f"sqlite:///{tmp_path / 'escucha.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        postgres.empty(url)
    opened = stores.open(url)
    yield opened
    opened.close()
