"""SQLite's tables for the tests: made by the migrations once in each process, and copied for every new database.

The migrations take 150 ms, a copy 2 ms, and almost every test begins with a new database. A test that is about the
making itself is marked `makes_tables`; what a test starts as a process of its own makes its tables anyhow.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from listener.store import Store, _make_private, connect

_make_tables = Store.upgrade


@cache
def fresh() -> bytes:
    """An empty database with all its tables."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fresh.db"
        made = connect(f"sqlite:///{path}")
        _make_tables(made)
        made.close()
        return path.read_bytes()


def _copy_tables(store: Store) -> None:
    """What `Store.upgrade` does, by copying where there is no file yet."""
    path = store.path
    if path and not path.exists():
        with suppress(OSError):  # whoever may not write there hears so below, as does who finds it made meanwhile
            half = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
            _make_private(half)
            half.write_bytes(fresh())
            try:
                path.hardlink_to(half)
            finally:
                half.unlink()
            return
    _make_tables(store)


def for_test(item: pytest.Item) -> None:
    """From now on tables come as that test wants them: by a copy, or as they are made."""
    making = _make_tables if item.get_closest_marker("makes_tables") else _copy_tables
    Store.upgrade = making  # type: ignore[method-assign]
