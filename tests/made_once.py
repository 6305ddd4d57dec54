"""What tests need again and again, made once in each process: tables, compiled statements, policies that were read.

The migrations make SQLite's tables once, and each new database is a copy: 2 ms instead of 150. A test about the making
itself is marked `makes_tables`; what a test starts as a process of its own makes its tables anyhow. A statement is
compiled once, not once for each database: SQLAlchemy keeps what it compiled by dialect, and all databases share one.
A policy is the same for the same text; tests of policies themselves (`tests/policies`) read each anew. And no commit
waits for the disk, which takes 10 ms where it is busy: processes are killed in tests, the power is never cut.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, event
from sqlalchemy.exc import DBAPIError

import policies
from listener.store import Store, _make_private, connect, engines
from listener.types import Mode
from policies import Guarded

_make_tables = Store.upgrade
as_in_life = engines.sqlite
_new_postgres = engines.postgresql
_read_policy = policies.load_text
STATEMENTS = 5000  # that are kept, compiled


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


@cache
def _first() -> Engine:
    """The engine whose dialect, and whose compiled statements, all others have."""
    with tempfile.TemporaryDirectory() as folder:
        made = as_in_life(URL.create("sqlite", database=f"{folder}/first.db"))
        made.connect().close()  # so that it knows what SQLite can do
        made.dispose()
    made._compiled_cache.capacity = STATEMENTS  # type: ignore[union-attr]
    return made


def _leave_to_the_disk(link: Any, _record: Any) -> None:
    link.execute("PRAGMA synchronous=OFF")


def _engine(address: URL) -> Engine:
    made = as_in_life(address)
    event.listen(made, "connect", _leave_to_the_disk)
    made.dialect, made._compiled_cache = _first().dialect, _first()._compiled_cache
    return made


_first_on_postgres: list[Engine] = []


def _engine_on_postgres(address: URL, **more: Any) -> Engine:
    made = _new_postgres(address, **more)
    if not _first_on_postgres:
        try:
            made.connect().close()  # so that it knows what the server can do
        except DBAPIError:
            return made
        made._compiled_cache.capacity = STATEMENTS  # type: ignore[union-attr]
        _first_on_postgres.append(made)
    first = _first_on_postgres[0]
    made.dialect, made._compiled_cache = first.dialect, first._compiled_cache
    return made


@lru_cache(100)
def _policy(text: str, name: str, mode: Mode | None, modes: tuple[tuple[str, Mode], ...]) -> Guarded:
    return _read_policy(text, name, mode=mode, modes=dict(modes))


def _load_text(
    text: str, name: str = "policy", *, mode: Mode | None = None, modes: Mapping[str, Mode] | None = None
) -> Guarded:
    return _policy(text, name, mode, tuple((modes or {}).items()))


def share(*, tables: bool = True, policy: bool = True) -> None:
    """From now on, in this process, everything is made once; tables and policies only where asked for."""
    Store.upgrade = _copy_tables if tables else _make_tables  # type: ignore[method-assign]
    engines.sqlite, engines.postgresql = _engine, _engine_on_postgres
    policies.load_text = _load_text if policy else _read_policy


def for_test(item: pytest.Item) -> None:
    """The same for one test, as it wants it."""
    share(tables=not item.get_closest_marker("makes_tables"), policy="policies" not in item.path.parts)
