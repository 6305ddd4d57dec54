from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.listener.flow.world import Escucha


@pytest.fixture
def escucha(tmp_path: Path) -> Iterator[Escucha]:
    made = Escucha(tmp_path)
    yield made
    made.close()
