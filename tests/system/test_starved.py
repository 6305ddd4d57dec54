"""A database that fails in the middle of anything: a full disk, a connection that breaks, a server that ends it.

At an instant of a life (just before and after each commit, and around each write on the network) the harm is done; some
rounds later all is well again. Nothing may be lost, half done or said twice, and the database must hold together.

`ESCUCHA_EACH=1 pytest tests/system/test_starved.py` does it at every instant; otherwise at one of many.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from listener import store as stores
from listener.store import Store
from tests import databases
from tests.connectors.conformance import World
from tests.connectors.test_mastodon import MastodonWorld
from tests.servers.mastodon import TOKEN, MastodonServer
from tests.system.kill import AROUND, KillNine, Lives

pytestmark = pytest.mark.slow


class Harmed(Lives):
    """The process that forks one life after another, each with its harm."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.system.starved"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


class Starved(KillNine):
    """Lives with a harm instead of a death: one life each, for it goes on."""

    network = "mastodon"
    harm: ClassVar[str]
    each: ClassVar[int] = int(os.environ.get("ESCUCHA_EACH", "60"))  # of so many instants one is tried

    test_a_life_without_death_says_everything_once = None  # type: ignore[assignment]  # `kill` tells that

    def open(self, folder: Path) -> Store:
        return stores.open(f"sqlite:///{folder / 'escucha.db'}")

    @pytest.fixture(scope="class")
    @classmethod
    def lives(cls) -> Iterator[Lives]:
        made = Harmed()
        yield made
        made.end()

    @contextmanager
    def world(self) -> Iterator[World]:
        with MastodonServer() as server:
            server.forget_keys = True
            yield MastodonWorld(server)

    def settings(self, world: World) -> dict[str, Any]:
        assert isinstance(world, MastodonWorld)
        return {"instance": world.server.url, "access_token": TOKEN}

    def url(self) -> str:
        return ""

    def live(self, lives: Lives, folder: Path, world: World, *, die_at: int | None = None, later: int = 0) -> Any:
        return lives.live(
            folder=str(folder),
            network=self.network,
            settings=self.settings(world),
            query=self.query,
            connect=self.connect,
            publishes=self.publishes,
            die_at=die_at,
            later=later,
            harm=self.harm if die_at is not None else "",
            url=self.url(),
        )

    def dies(self, lives: Lives, folder: Path, die_at: int) -> bool:
        """Whether the harm was done; the same process lives on, and a later one settles what is of unknown outcome."""
        folder.mkdir()
        with self.world() as world:
            posts = self.people_write(world)
            harmed: bool = self.live(lives, folder, world, die_at=die_at)["died"]
            self.live(lives, folder, world, later=2400)
            self.check_the_books(folder, world, posts)
        return harmed

    def instants(self, lives: Lives, tmp_path: Path) -> list[int]:
        """All around the first write, where something could be said twice, and some of all the others."""
        around = super().instants(lives, tmp_path)
        return sorted({*around[: len(AROUND)], *range(1, lives.unharmed["instants"], self.each)})


class OnPostgres(Starved):
    """The same on a PostgreSQL database of its own."""

    server: str

    def url(self) -> str:
        return self.server

    @contextmanager
    def world(self) -> Iterator[World]:
        with databases.one() as self.server, super().world() as world:
            yield world

    def open(self, _folder: Path) -> Store:
        return stores.open(self.server)


class TestFullDisk(Starved):
    harm = "full"


class TestCut(OnPostgres):
    harm = "cut"


class TestLost(OnPostgres):
    harm = "lost"


class TestEnded(OnPostgres):
    harm = "ended"
