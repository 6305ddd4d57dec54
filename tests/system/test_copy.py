"""`escucha db copy` as it is typed: while a daemon's writers go on, killed again and again, then switched over."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select

from listener import store as stores
from listener.store import tables as t
from tests import databases
from tests.listener.flow.world import Escucha
from tests.system.company import ROOT, Brood, Forked, brood, eventually

pytestmark = [pytest.mark.slow, pytest.mark.about_sqlite]

KILLS = 6
SETTINGS = '[database]\nurl = "sqlite:///escucha.db"\n[accounts.care]\nnetwork = "sandbox"\nworld = "world.db"\n'

# What a daemon does all day, as fast as it can; a process that ends says how many mentions it stored.
WRITER = """
import sys, signal, time
from pathlib import Path
from tests.listener.flow.world import Escucha
from tests.listener.flow import world as worlds
from listener import store as stores
from connectors.sandbox import World
escucha = Escucha.__new__(Escucha)  # on the database that is there
escucha.folder, escucha.clock = Path(sys.argv[1]), worlds.Clock()
escucha.network = World(escucha.folder / "world.db")
escucha.store = stores.open(f"sqlite:///{sys.argv[1]}/escucha.db")
escucha.policy, escucha.queries = worlds.policies.load_text(worlds.AUTO), ("mentions",)
escucha.main = escucha.pipeline()
ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(1))
number = 0
(escucha.folder / "ready").touch()
while not ended:
    number += 1
    escucha.says(f"@marca todo mal {number}", who=f"w{number}")
    escucha.round(seconds=11)
    time.sleep(0.05)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = Escucha(tmp_path)
    for number in range(40):
        made.says(f"@marca todo mal {number}", who=f"p{number}")
    made.round()
    made.close()
    (tmp_path / "escucha.toml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


def environment() -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ESCUCHA_")}
    return clean | {"PYTHONPATH": str(ROOT), "ESCUCHA_ACTOR": "eva"}


class Shell:
    """Commands as they are typed, each a process of its own that is forked with all loaded (`brood.py`)."""

    def __init__(self, folder: Path, born: Brood) -> None:
        self.folder, self._born, self._typed = folder, born, 0

    def type(self, *arguments: str) -> tuple[Forked, Path]:
        """Starts it; gives its process, and the file beside which `.out` and `.err` appear."""
        self._typed += 1
        said = self.folder / f"typed-{self._typed}"
        files = {"log": f"{said}.out", "errors": f"{said}.err"}
        return self._born.escucha(self.folder, *arguments, "--json", environment={}, **files), said

    def __call__(self, *arguments: str, code: int = 0) -> Any:
        """What it prints: JSON, or where it is to end with another code, what it says is wrong."""
        process, said = self.type(*arguments)
        ended = process.wait(200)
        out, errors = (said.with_suffix(each).read_text(encoding="utf-8") for each in (".out", ".err"))
        assert ended == code, out + errors
        return json.loads(out) if code == 0 else errors


@pytest.fixture
def escucha(folder: Path) -> Iterator[Shell]:
    with brood(ESCUCHA_ACTOR="eva") as born:
        yield Shell(folder, born)


def alone(url: str) -> bool:
    """Whether nobody else has that database open."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(url) as link:
        return link.execute(others).fetchone() == (0,)


def counted(url: str) -> dict[str, int]:
    with closing(stores.connect(url)) as store, store.read() as tx:
        return {
            table.name: tx.scalar(select(func.count()).select_from(table)) or 0 for table in t.metadata.sorted_tables
        }


def test_a_database_in_use_moves_whatever_kills_the_copy(folder: Path, escucha: Shell) -> None:
    chance = random.Random(20261123)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], env=environment(), stdout=subprocess.DEVNULL)
    try:
        eventually((folder / "ready").exists)
        with databases.bare() as url:
            for _ in range(KILLS):
                copying, _ = escucha.type("db", "copy", url)
                time.sleep(chance.uniform(0.1, 2))
                copying.kill()
                eventually(lambda: alone(url))  # the server has noticed, and its lock is free
            assert escucha("db", "copy", url)["state"] == "following"
            again = escucha("db", "copy", url)
            assert again["copied"] == 0, "it goes on where it was"
            writer.terminate()
            writer.wait(60)
            told = escucha("db", "copy", url, "--finish")
            assert told["state"] == "moved"
            before, after = counted(f"sqlite:///{folder / 'escucha.db'}"), counted(url)
            assert before["mentions"] > 40, "somebody wrote meanwhile"
            assert after.pop("audit") == before.pop("audit") + 1, "that it moved is written down"
            assert after == before
            assert "has moved to postgresql://" in escucha("inbox", code=2)
            (folder / "escucha.toml").write_text(SETTINGS.replace("sqlite:///escucha.db", url), encoding="utf-8")
            assert escucha("db", "check")["problems"] == []
            assert escucha("audit", "verify")["whole"]
            assert len(escucha("inbox", "--limit", "500")) > 0
    finally:
        writer.kill()
        writer.wait()


def test_what_is_typed_wrong_is_said_with_the_next_step(folder: Path, escucha: Shell) -> None:
    def said(*arguments: str) -> str:
        return " ".join(escucha("db", "copy", *arguments, code=2).split())

    assert "Say where to copy to" in said()
    assert "escucha db backup" in said("sqlite:///other.db")
    assert "knows sqlite and postgresql" in said("mysql://h/x")
    assert "takes no target" in said("postgresql://h/x", "--give-up")
    assert escucha("db", "copy", "--give-up") == {"state": "none"}
    with closing(stores.open(f"sqlite:///{folder / 'escucha.db'}")) as store, store.write() as tx:
        from datetime import UTC, datetime

        from listener.store import daemons

        now = datetime.now(UTC)
        daemons.alive(tx, name="machine:7", version="1", started_at=now, now=now)
    with databases.bare() as url:
        assert "Escucha is running (machine:7): stop it first" in said(url, "--finish")
