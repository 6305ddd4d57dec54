"""Kill -9 on any network: nothing lost, nothing said twice. A network is one small class:

    pytestmark = pytest.mark.slow

    class TestReddit(KillNine):
        network = "reddit"

        @contextmanager
        def world(self):
            with RedditServer() as server:
                yield RedditWorld(server)

        def settings(self, world):
            return {"client_id": …, "reddit_url": world.server.url}

`world` gives the same `World` as the network's conformance suite, a fresh one for every death; what it counts is the
truth. `settings` is JSON for the connector's `Settings` in another process. Where settings alone do not lead there,
`connect` names a function (`"tests.servers.x:connected"`) that makes the connector from them.

Each death costs some two seconds, so by default a process dies around every write only, which is where things could be
lost or doubled: `AROUND` it, after “sending” is committed, before the network is asked, after it was, and where what
it said is committed. `everywhere` dies at every instant.
"""

from __future__ import annotations

import json
import subprocess
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from listener import store as stores
from listener.store import Store, inbox, mentions, notices, stats
from listener.types import DraftState, NoticeState
from tests import databases
from tests.connectors.conformance import World
from tests.system.mortal import NOTICE

AROUND = range(-1, 3)  # instants, counted from the one before the network is asked
PARTS = 4
TURNS = 3  # a life may have fewer instants than the one by which they were counted: another is lived
TEXTS = {"ana": "¿horario?", "beto": "todo mal", "carla": "¿y el precio?"}


class Lives:
    """The process that forks one life after another. `unharmed`: what a life without death told."""

    unharmed: Any = None

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.system.mortal"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def live(self, **life: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(life) + "\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        assert not told["failed"], "a life ended with an error of its own"
        return told

    def end(self) -> None:
        self.process.communicate("")


class KillNine(ABC):
    """Inherit, name the network, and say how to reach its world."""

    network: ClassVar[str]
    query: ClassVar[str] = "mentions"
    connect: ClassVar[str] = ""
    publishes: ClassVar[bool] = True  # whether the network takes notices
    everywhere: ClassVar[bool] = False

    @abstractmethod
    def world(self) -> AbstractContextManager[World]:
        """A network with nothing on it yet."""

    @abstractmethod
    def settings(self, world: World) -> dict[str, Any]:
        """What the connector of our account is made from, secrets in the clear."""

    @pytest.fixture(scope="class")
    @classmethod
    def lives(cls) -> Iterator[Lives]:
        made = Lives()
        yield made
        made.end()

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
        )

    def people_write(self, world: World) -> dict[str, str]:
        """Three posts that want an answer; gives their ids by who wrote them."""
        return {who: world.post(who, text, to_us=True) for who, text in TEXTS.items()}

    def test_a_life_without_death_says_everything_once(self, lives: Lives, tmp_path: Path) -> None:
        with self.world() as world:
            posts = self.people_write(world)
            told = self.live(lives, tmp_path, world)
            self.live(lives, tmp_path, world, later=600)
            self.check_the_books(tmp_path, world, posts)
        assert told["instants"] > 30
        assert len(told["writes"]) == len(posts) + self.publishes

    @pytest.mark.parametrize("part", range(PARTS))
    def test_death_loses_and_doubles_nothing(self, lives: Lives, tmp_path: Path, part: int) -> None:
        """Dies at one instant after another, each time in a fresh world, then lives on.

        An instant near the end of the life by which they were counted may lie beyond the end of every other one.
        """
        instants = self.instants(lives, tmp_path)[part::PARTS]
        turns = range(TURNS)
        never = [at for at in instants if not any(self.dies(lives, tmp_path / f"{at}-{turn}", at) for turn in turns)]
        assert len(never) <= max(1, len(instants) // 10), never

    def dies(self, lives: Lives, folder: Path, die_at: int) -> bool:
        """Whether a process died at that instant; it lives on in either case, and the books are right."""
        folder.mkdir()
        with self.world() as world:
            posts = self.people_write(world)
            told = self.live(lives, folder, world, die_at=die_at)
            assert told["died"] or told["instants"] <= die_at, "it had that instant, and lived through it"
            self.live(lives, folder, world, later=600)
            self.live(lives, folder, world, later=2400)  # looks rest as long as an unknown is old
            self.check_the_books(folder, world, posts)
        return bool(told["died"])

    def instants(self, lives: Lives, tmp_path: Path) -> list[int]:
        """When to die, as a life without death tells."""
        if lives.unharmed is None:
            folder = tmp_path / "unharmed"
            folder.mkdir()
            with self.world() as world:
                self.people_write(world)
                lives.unharmed = self.live(lives, folder, world)
        told = lives.unharmed
        if self.everywhere:
            return list(range(told["instants"]))
        return sorted({write + at for write in told["writes"] for at in AROUND})

    def open(self, folder: Path) -> Store:
        """The database that they wrote."""
        return stores.open(databases.at(folder))

    def check_the_books(self, folder: Path, world: World, posts: dict[str, str]) -> None:
        """Everybody has one answer, the notice stands once, and the store knows just that."""
        said = world.ours()
        parents = Counter(each.parent_id for each in said if each.parent_id)
        assert dict(parents) == dict.fromkeys(posts.values(), 1), "unanswered, or said twice"
        assert [each.text for each in said if not each.parent_id] == [NOTICE] * self.publishes
        store = self.open(folder)
        with store.read() as tx:
            for post in posts.values():
                assert mentions.by_external_id(tx, self.network, post), "lost"
            sent = inbox.waiting(tx, states=(DraftState.SENT,))
            counts = stats.counts(tx)
            published = notices.listing(tx)
        store.close()
        assert {draft.posted_id for draft in sent} == {each.external_id for each in said if each.parent_id}
        assert [notice.state for notice in published] == [NoticeState.PUBLISHED] * self.publishes
        delivered = [delivery.posted_id for notice in published for delivery in notice.deliveries]
        assert delivered == [each.external_id for each in said if not each.parent_id]
        assert sum(counts.drafts.values()) == counts.drafts["sent"] + counts.drafts["expired"]
        assert counts.cases["open"] == len(posts), "one case for each of them"
