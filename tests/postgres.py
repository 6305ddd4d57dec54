"""A real PostgreSQL server for tests, started once on a socket in a folder and thrown away."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def restart(url: str, *, away: float = 0.0, how: str = "immediate") -> None:
    """Stops that server as a power cut would, or an administrator (`fast`); `away` seconds later it starts again."""
    bin_, folder = programs(), Path(url.partition("host=")[2])
    assert bin_
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    command = [*as_user, str(bin_ / "pg_ctl"), "-D", str(folder / "data"), "-w", "-l", str(folder / "log")]
    options = (folder / "data" / "postmaster.opts").read_text().partition(" ")[2].strip()
    for action in (["-m", how, "stop"], ["-o", options, "start"]):
        done = subprocess.run([*command, *action], capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, done.stdout + done.stderr
        if action[-1] == "stop":
            time.sleep(away)


class Machine:
    """A PostgreSQL server of its own on a port of loopback, as an operator has it: killed, copied, promoted.

    Escucha comes as the user `app`, who owns the database `escucha` and has no other right.
    """

    def __init__(self) -> None:
        bin_ = programs()
        if bin_ is None:
            assert not os.environ.get("CI"), "CI must have PostgreSQL"
            pytest.skip("PostgreSQL is not here")
        self._bin = bin_
        self.folder = Path(tempfile.mkdtemp(prefix="pg"))
        self.data = self.folder / "data"
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            self._as_user = ["runuser", "-u", "postgres", "--"]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"postgresql://app@{self.host}/escucha"

    def run(self, program: str, *arguments: str) -> str:
        """One of PostgreSQL's programs, as the user who owns the server; gives what it prints."""
        return self.typed(str(self._bin / program), *arguments)

    def typed(self, *words: str) -> str:
        """Any program, as that user, who finds PostgreSQL's."""
        path = f"PATH={self._bin}:{os.environ['PATH']}"
        command = [*self._as_user, "env", path, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def make(self, **settings: str) -> None:
        """A new server with an empty database, running."""
        self.run("initdb", "-D", str(self.data), "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8")
        self.start(**settings)
        self.sql("CREATE ROLE app LOGIN")
        self.sql("CREATE DATABASE escucha OWNER app")

    def start(self, **settings: str) -> None:
        """Starts it; these settings stay."""
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write("".join(f"{name} = '{value}'\n" for name, value in settings.items()))
        options = f"-k {self.folder} -p {self.port} -c fsync=off"
        self.run("pg_ctl", "-D", str(self.data), "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def kill(self) -> None:
        """Its machine is gone."""
        pid = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)

    def copy(self, *more: str) -> Machine:
        """A base backup as a further machine, not started."""
        made = Machine()
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-D", str(made.data))
        self.run("pg_basebackup", *where, "-c", "fast", "--no-sync", *more)
        return made

    def promote(self) -> None:
        """It takes over from the one that it followed."""
        self.run("pg_ctl", "-D", str(self.data), "-w", "promote")

    def sql(self, statement: str, *, database: str = "postgres") -> Any:
        """What a statement of the administrator gives: the first value; None where it gives no rows."""
        import psycopg

        with psycopg.connect(f"postgresql://postgres@{self.host}/{database}", autocommit=True) as link:
            cursor = link.execute(statement)  # type: ignore[call-overload]
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def close(self) -> None:
        """Ends it, whatever state it is in."""
        command = [*self._as_user, str(self._bin / "pg_ctl"), "-D", str(self.data), "-m", "immediate", "stop"]
        subprocess.run(command, capture_output=True, check=False, cwd="/")
        shutil.rmtree(self.folder)
