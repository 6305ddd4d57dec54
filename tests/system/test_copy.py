"""`escucha db copy` as it is typed: while a daemon's writers go on, killed again and again, then switched over."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from listener import store as stores
from listener.store import tables as t
from tests import databases
from tests.listener.flow.world import Escucha
from tests.system.test_daemon import eventually

pytestmark = [pytest.mark.slow, pytest.mark.about_sqlite]

ROOT = Path(__file__).parents[2]
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


def escucha(folder: Path, *arguments: str, code: int = 0) -> Any:
    command = [sys.executable, "-m", "cli", *arguments, "--json"]
    done = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


def counted(url: str) -> dict[str, int]:
    with closing(stores.connect(url)) as store, store.read() as tx:
        return {
            table.name: tx.scalar(select(func.count()).select_from(table)) or 0 for table in t.metadata.sorted_tables
        }


def test_a_database_in_use_moves_whatever_kills_the_copy(folder: Path) -> None:
    chance = random.Random(20261123)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], env=environment(), stdout=subprocess.DEVNULL)
    try:
        eventually((folder / "ready").exists)
        with databases.bare() as url:
            for _ in range(KILLS):
                command = [sys.executable, "-m", "cli", "db", "copy", url]
                copying = subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL)
                time.sleep(chance.uniform(0.8, 4))
                copying.send_signal(signal.SIGKILL)
                copying.wait()
            assert escucha(folder, "db", "copy", url)["state"] == "following"
            again = escucha(folder, "db", "copy", url)
            assert again["copied"] == 0, "it goes on where it was"
            writer.terminate()
            writer.wait(60)
            told = escucha(folder, "db", "copy", url, "--finish")
            assert told["state"] == "moved"
            before, after = counted(f"sqlite:///{folder / 'escucha.db'}"), counted(url)
            assert before["mentions"] > 40, "somebody wrote meanwhile"
            assert after.pop("audit") == before.pop("audit") + 1, "that it moved is written down"
            assert after == before
            assert "has moved to PostgreSQL" in escucha(folder, "inbox", code=2)
            (folder / "escucha.toml").write_text(SETTINGS.replace("sqlite:///escucha.db", url), encoding="utf-8")
            assert escucha(folder, "db", "check")["problems"] == []
            assert escucha(folder, "audit", "verify")["whole"]
            assert len(escucha(folder, "inbox", "--limit", "500")) > 0
    finally:
        writer.kill()
        writer.wait()


def test_what_is_typed_wrong_is_said_with_the_next_step(folder: Path) -> None:
    def said(*arguments: str) -> str:
        return " ".join(escucha(folder, "db", "copy", *arguments, code=2).split())

    assert "Say where to copy to" in said()
    assert "escucha db backup" in said("sqlite:///other.db")
    assert "knows sqlite and postgresql" in said("mysql://h/x")
    assert "takes no target" in said("postgresql://h/x", "--give-up")
    assert escucha(folder, "db", "copy", "--give-up") == {"state": "none"}
    with closing(stores.open(f"sqlite:///{folder / 'escucha.db'}")) as store, store.write() as tx:
        from datetime import UTC, datetime

        from listener.store import daemons

        now = datetime.now(UTC)
        daemons.alive(tx, name="machine:7", version="1", started_at=now, now=now)
    with databases.bare() as url:
        assert "Escucha is running (machine:7): stop it first" in said(url, "--finish")
