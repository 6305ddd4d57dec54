"""A real PostgreSQL server for tests, started once on a socket in a folder and thrown away."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOM = 4 * 1024**3  # bytes that several servers, each with the databases of one test and its log, never fill


def programs() -> Path | None:
    """Where initdb and pg_ctl are."""
    found = shutil.which("initdb") or next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))[::-1]), None)
    return Path(found).resolve().parent if found else None


def _fast() -> Path | None:
    """The folder in memory that a test's server lies in, None where there is no room in it (in most containers).

    Where a machine writes slowly, a database is copied in a tenth of the time there.
    """
    memory = Path("/dev/shm")
    return memory if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM else None


@contextmanager
def server(*, port: int = 0) -> Iterator[str]:
    """The url of an empty database. Skips where PostgreSQL is not installed; in CI it must be.

    `port`: of this machine, for those who cannot see the socket.
    """
    bin_ = programs()
    if bin_ is None:
        assert not os.environ.get("CI"), "CI must have PostgreSQL"
        pytest.skip("PostgreSQL is not here")
    folder = Path(tempfile.mkdtemp(prefix="pg", dir=_fast()))
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]

    def run(*command: str) -> None:
        done = subprocess.run([*as_user, *command], capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, done.stdout + done.stderr

    data = str(folder / "data")
    run(str(bin_ / "initdb"), "-D", data, "-A", "trust", "-U", "escucha", "--no-sync", "-E", "UTF8")
    listens = f"-c listen_addresses=127.0.0.1 -p {port}" if port else "-c listen_addresses=''"
    careless = "-c fsync=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0"
    options = f"-k {folder} {listens} -c max_connections=200 {careless}"
    run(str(bin_ / "pg_ctl"), "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        at = ["-h", "127.0.0.1", "-p", str(port)] if port else ["-h", str(folder)]
        run(str(bin_ / "createdb"), *at, "-U", "escucha", "escucha")
        yield (
            f"postgresql://escucha@127.0.0.1:{port}/escucha" if port else f"postgresql://escucha@/escucha?host={folder}"
        )
    finally:
        run(str(bin_ / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


def empty(url: str) -> None:
    """Takes everything out of the database."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as link:
        link.execute("DROP SCHEMA public CASCADE")
        link.execute("CREATE SCHEMA public")
        for (name,) in link.execute(
            "SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'escucha_')"
        ).fetchall():
            link.execute(f"DROP SCHEMA {name} CASCADE")


def restart(url: str) -> None:
    """Stops that server as a power cut would, and starts it again."""
    bin_, folder = programs(), Path(url.partition("host=")[2])
    assert bin_
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    command = [str(bin_ / "pg_ctl"), "-D", str(folder / "data"), "-w", "-l", str(folder / "log"), "-m", "immediate"]
    done = subprocess.run([*as_user, *command, "restart"], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr
