"""Lives in which the database fails at a chosen instant and works again later: `python -m tests.system.starved`.

Speaks the lines of `tests.system.mortal`; what stands there of a death is here a harm, and the life goes on after it.
Further keys: `harm` and `url` (a database; empty: an SQLite file in `folder`).

    full     nothing can be written to a file, as on a full disk, until the next round but one
    cut      the connection to PostgreSQL breaks before the next commit gets there
    lost     PostgreSQL does the next commit, and the connection breaks before it can say so
    ended    PostgreSQL ends every connection of ours, as its administrator may

Whatever a stage raises but an Outage is a failure of the life: a database that is away is nobody's bug.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import connectors
import policies
from listener import log
from listener import store as stores
from listener.contract import Connector
from listener.errors import Outage
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.store.sources import Wanted
from tests.listener.flow.world import AUTO, Keywords
from tests.system.mortal import Instants, announce, maker, moderate, prepare, watch

ROUNDS = 6


class Harm(Instants):
    """Does its harm at the chosen instant, once."""

    def __init__(self, at: int | None, does: Callable[[], None]) -> None:
        super().__init__(None)
        self._at, self._does = at, does
        self.done = False

    def __call__(self, *_: Any) -> None:
        if self.passed == self._at and not self.done:
            self.done = True
            self._does()
        self.passed += 1


def fill() -> None:
    """From now on nothing can be written to a file, as on a full disk. What SQLite keeps in use has room in it else."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))


def make_room() -> None:
    """Files grow again."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


class Wire:
    """The way to PostgreSQL's socket, which can break at one chosen message."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.next: str = ""  # what happens to the next commit: "cut" or "lost"
        self._asked: socket.socket | None = None  # whose answer is lost

    def listen(self) -> Path:
        """The folder with a socket of its own: a short path, as sockets want it."""
        self._folder = Path(tempfile.mkdtemp(prefix="wire"))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / self._target.name))
        self._listener.listen(32)
        threading.Thread(target=self._accept, daemon=True).start()
        return self._folder

    def close(self) -> None:
        """Leaves nothing behind."""
        shutil.rmtree(self._folder)

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._target))
            with self._lock:
                self._open |= {client, server}
            threading.Thread(target=self._asks, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answers, args=(client, server), daemon=True).start()

    def _asks(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while said := client.recv(65536):
                commits = b"COMMIT" in said
                if self.next == "cut" and commits:
                    self.break_off()
                    return
                if self.next == "lost" and commits:
                    self.next, self._asked = "answering", server
                server.sendall(said)
        self._end(client, server)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while said := server.recv(65536):
                if self.next == "answering" and server is self._asked:
                    self.break_off()
                    return
                client.sendall(said)
        self._end(client, server)

    def break_off(self) -> None:
        """Every connection breaks."""
        self.next = ""
        with self._lock:
            held, self._open = self._open, set()
        self._end(*held)

    def _end(self, *links: socket.socket) -> None:
        for link in links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            link.close()


def live(life: dict[str, Any], make: Callable[[], Connector]) -> Harm:
    """One process's life, with one harm in it, to its good end."""
    folder, network, url = Path(life["folder"]), life["network"], life["url"]
    wire: Wire | None = None
    if url:
        target = next(Path(url.partition("host=")[2]).glob(".s.PGSQL.*[0-9]"))
        wire = Wire(target)
        there = wire.listen()
        url = url.replace(str(target.parent), str(there))
    store = stores.open(url or f"sqlite:///{folder / 'escucha.db'}")
    connector = make()

    def harm() -> None:
        if life["harm"] == "full":
            fill()
        elif life["harm"] == "ended":
            end_all(life["url"])
        elif wire:
            wire.next = life["harm"]

    instants = Harm(life["die_at"], harm)
    watch(store, connector, instants)

    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=life["later"])

    pipeline = Pipeline(
        store,
        accounts={"care": network},
        connect=lambda _: connector,
        network_facts=lambda _: connectors.load(network).FACTS,
        classifier=Keywords,
        policy=policies.load_text(AUTO),
        company=Company(case_pattern="ES"),
        clock=clock,
    )
    wanted = Wanted(
        name="mentions", account="care", network=network, query=life["query"], every=timedelta(milliseconds=1)
    )
    stages: list[Callable[[], Any]] = [
        lambda: pipeline.start([wanted], by="test"),
        pipeline.poll,
        pipeline.digest,
        pipeline.release,
        pipeline.act,
        pipeline.recheck,
        pipeline.gather,
        pipeline.compare,
        pipeline.spot,
        pipeline.watch,
        pipeline.assign,
        lambda: moderate(store, clock()),
        lambda: announce(store, network, clock()) if life["publishes"] else None,
        pipeline.act,
    ]
    met = 0
    for _ in range(ROUNDS):
        before = met
        for stage in stages:
            try:
                stage()
            except Outage:
                met += 1
        if instants.done and before:
            make_room()
    make_room()
    problems = store.problems()
    assert not problems, problems
    assert met or not instants.done or life["harm"] == "ended", "the harm was never met"
    store.close()
    if wire:
        wire.close()
    return instants


def end_all(url: str) -> None:
    """Ends every connection to that database but the one that asks for it."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as link:
        link.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )


def main() -> None:
    """Lives as many lives as are asked for."""
    log.start(form="json", level="warning")
    prepare()
    for line in sys.stdin:
        life = json.loads(line)
        make = maker(life)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            instants = live(life, make)
            told = {"died": instants.done, "instants": instants.passed, "writes": instants.writes}
            os.write(writer, json.dumps(told).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as answer:
            told = json.loads(answer.read() or b"{}")
        _, status = os.waitpid(child, 0)
        failed = os.waitstatus_to_exitcode(status) != 0
        print(json.dumps({"died": False, "failed": failed, "instants": None, "writes": []} | told), flush=True)


if __name__ == "__main__":
    main()
