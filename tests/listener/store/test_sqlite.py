"""What every connection to SQLite is told, in life; tests leave commits to the disk (`tests/made_once.py`)."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import URL

from tests import made_once

pytestmark = pytest.mark.about_sqlite


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("synchronous", 2), ("journal_mode", "wal"), ("foreign_keys", 1), ("secure_delete", 1), ("busy_timeout", 30_000)],
)
def test_what_is_committed_outlives_a_power_cut_and_what_is_deleted_is_gone(
    tmp_path: Path, pragma: str, value: object
) -> None:
    engine = made_once.as_in_life(URL.create("sqlite", database=str(tmp_path / "escucha.db")))
    with engine.connect() as link:
        assert link.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
    engine.dispose()
