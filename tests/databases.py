"""Where a test's database is: an SQLite file in its folder, or, with `pytest --on postgresql`, a database of its own.

On PostgreSQL each test gets an empty one with all tables, copied from a template, and `ESCUCHA_DATABASE__URL` names it,
for every command and every process that the test starts. One that nobody wrote into is the next test's too.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from listener import store
from tests import postgres

SETTING = "ESCUCHA_DATABASE__URL"
PASSED_ON = "TESTS_DATABASE"  # the same for the tests' own programs, which some of them start without our settings
TEMPLATE = "ready"  # the database that the others are copied from


class Server:
    """One PostgreSQL server for all tests of this process, started for the first that asks."""

    def __init__(self) -> None:
        import psycopg

        self._held = ExitStack()
        self._url = self._held.enter_context(postgres.server())
        self._link = self._held.enter_context(psycopg.connect(self._named("postgres"), autocommit=True))
        self._made = 0
        self._link.execute(f"CREATE DATABASE {TEMPLATE}")
        store.open(self._named(TEMPLATE)).close()

    def _named(self, name: str) -> str:
        return self._url.replace("/escucha?", f"/{name}?")

    def fresh(self, *, tables: bool = True) -> str:
        """The url of a new database, with all tables, or with none."""
        self._made += 1
        name = f"t{self._made}"
        template = TEMPLATE if tables else "template0"
        self._link.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self._named(name)

    def drop(self, url: str) -> None:
        """Throws a database away, whoever is still connected to it."""
        name = url.partition("@/")[2].partition("?")[0]
        self._link.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def written(self) -> str:
        """How far the server has written; what is the same before and after has changed nothing."""
        row = self._link.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
        assert row
        return str(row[0])

    def close(self) -> None:
        self._held.close()


class _Places:
    """Which database belongs to which folder."""

    def __init__(self) -> None:
        self.server: Server | None = None
        self.on_postgres = False
        self.current = ""  # the running test's, "" between tests
        self.mark = ""  # how far the server had written when that one was made
        self.taken: Path | None = None  # the folder that it belongs to
        self.others: dict[Path, str] = {}

    def running(self) -> Server:
        self.server = self.server or Server()
        return self.server


_places = _Places()


def use_postgres() -> None:
    """From now on every test is on PostgreSQL."""
    _places.on_postgres = True


def on_postgres() -> bool:
    """Whether the tests are on PostgreSQL."""
    return _places.on_postgres or PASSED_ON in os.environ


def close() -> None:
    """Ends the server, where one was started."""
    if _places.server:
        _places.server.close()
        _places.server = None


@contextmanager
def one() -> Iterator[str]:
    """A PostgreSQL database with all tables and nothing in them, while the block runs."""
    server = _places.running()
    url = server.fresh()
    try:
        yield url
    finally:
        server.drop(url)


@contextmanager
def bare() -> Iterator[str]:
    """A PostgreSQL database without any table, while the block runs."""
    server = _places.running()
    url = server.fresh(tables=False)
    try:
        yield url
    finally:
        server.drop(url)


@contextmanager
def for_a_test() -> Iterator[str]:
    """The running test's database, on PostgreSQL; as good as new."""
    server = _places.running()
    if not _places.current or _places.mark != server.written():
        if _places.current:
            server.drop(_places.current)
        _places.current = server.fresh()
        _places.mark = server.written()
    _places.taken = None
    try:
        yield _places.current
    finally:
        for folder, url in list(_places.others.items()):
            if not folder.exists():
                server.drop(url)
                del _places.others[folder]


def edit(folder: Path | str, statement: str) -> None:
    """Changes the database of that folder by plain SQL, as somebody behind our back would."""
    if not on_postgres():
        with closing(sqlite3.connect(Path(folder) / "escucha.db")) as link, link:
            link.execute(statement)
        return
    import psycopg

    with psycopg.connect(os.environ[SETTING]) as other:
        other.execute(statement)


def content(folder: Path | str) -> bytes:
    """All that the database of that folder keeps: every byte of SQLite's files, on PostgreSQL every row as text."""
    if not on_postgres():
        return b"".join(path.read_bytes() for path in sorted(Path(folder).glob("escucha.db*")))
    import psycopg

    with psycopg.connect(at(folder)) as link:
        names = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname !~ '^(pg_|information_)'"
        rows = [link.execute(f"SELECT t::text FROM {name} t").fetchall() for (name,) in link.execute(names).fetchall()]
    return "\n".join(text for found in rows for (text,) in found).encode()


def at(folder: Path | str) -> str:
    """The url of the database that belongs to that folder: of the first folder that a test names, the test's own."""
    folder = Path(folder).resolve()
    if not _places.on_postgres:
        return os.environ.get(PASSED_ON) or f"sqlite:///{folder / 'escucha.db'}"
    if PASSED_ON in os.environ and _places.taken in (None, folder):
        _places.taken = folder
        return os.environ[PASSED_ON]
    if folder not in _places.others:
        for gone in [each for each in _places.others if not each.exists()]:
            _places.running().drop(_places.others.pop(gone))
        _places.others[folder] = _places.running().fresh()
    return _places.others[folder]
