"""The bundled model, loaded once."""

from __future__ import annotations

import pytest

from listener.model.reading import Model, load


@pytest.fixture(scope="session")
def model() -> Model:
    return load()
