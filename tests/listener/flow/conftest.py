from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.listener.flow.world import Escucha


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def escucha(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Escucha]:
    """A whole Escucha, on each of the two databases."""
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    made = Escucha(tmp_path, url=url)
    yield made
    made.close()
