"""The knowledge of a desk, on each of the two databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from listener import store as stores
from tests import postgres
from tests.listener.desk.shelf_world import Shelf


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shelf]:
    """Empty."""
    url = f"sqlite:///{tmp_path / 'escucha.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        postgres.empty(url)
    opened = stores.open(url)
    yield Shelf(opened)
    opened.close()
