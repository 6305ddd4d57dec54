"""Kill -9 at every commit, and between "the network took it" and "we wrote it down": nothing lost, nothing twice.

Real processes against the local Mastodon server, which is told to forget idempotency keys: only what Escucha wrote
down, and what it finds by looking, keeps it from repeating itself. The counts are the server's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from listener import store as stores
from listener.store import inbox, mentions, notices, stats
from listener.types import DraftState, NoticeState
from tests.servers.mastodon import TOKEN, MastodonServer
from tests.system.mortal import NOTICE

pytestmark = pytest.mark.slow


class Lives:
    """The process that forks one life after another."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.system.mortal"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def live(self, folder: Path, server: MastodonServer, *, die_at: int | None = None, later: int = 0) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        life = {"folder": str(folder), "url": server.url, "token": TOKEN, "die_at": die_at, "later": later}
        self.process.stdin.write(json.dumps(life) + "\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        assert not told["failed"], "a life ended with an error of its own"
        return told

    def end(self) -> None:
        self.process.communicate("")


@pytest.fixture(scope="module")
def lives() -> Iterator[Lives]:
    made = Lives()
    yield made
    made.end()


def people_write(server: MastodonServer) -> dict[str, str]:
    """Three posts that want an answer; gives their ids by who wrote them."""
    server.forget_keys = True
    texts = {"ana": "@marca ¿horario?", "beto": "@marca todo mal", "carla": "@marca ¿y el precio?"}
    return {who: server.person(who).post(text) for who, text in texts.items()}


def check_the_books(folder: Path, server: MastodonServer, posts: dict[str, str], *, answered: set[str]) -> None:
    said = server.posts_by("marca")
    parents = Counter(row["in_reply_to_id"] for row in said if row["in_reply_to_id"])
    assert all(times == 1 for times in parents.values()), f"said twice: {parents}"
    assert answered <= set(parents) <= set(posts.values())
    assert [row["text"] for row in said if not row["in_reply_to_id"]] == [NOTICE]
    host = urlsplit(server.url).netloc
    store = stores.open(f"sqlite:///{folder / 'escucha.db'}")
    with store.read() as tx:
        for post in posts.values():
            assert mentions.by_external_id(tx, "mastodon", f"{host}/{post}"), "lost"
        sent = inbox.waiting(tx, states=(DraftState.SENT,))
        counts = stats.counts(tx)
        (notice,) = notices.listing(tx)
    store.close()
    assert {draft.posted_id for draft in sent} == {f"{host}/{row['id']}" for row in said if row["in_reply_to_id"]}
    assert notice.state is NoticeState.PUBLISHED
    assert notice.deliveries[0].posted_id in {f"{host}/{row['id']}" for row in said}
    assert sum(counts.drafts.values()) == counts.drafts["sent"] + counts.drafts["expired"]
    assert counts.cases["open"] == 3, "one case for each of them"


def test_a_life_without_death_has_many_instants(lives: Lives, tmp_path: Path) -> None:
    with MastodonServer() as server:
        posts = people_write(server)
        told = lives.live(tmp_path, server)
        lives.live(tmp_path, server, later=600)
        check_the_books(tmp_path, server, posts, answered=set(posts.values()))
    assert told["instants"] > 50


@pytest.mark.parametrize("part", range(4))
def test_death_at_every_instant(lives: Lives, tmp_path: Path, part: int) -> None:
    """Dies at instant 0, 1, 2, …, each time in a fresh world, then lives on; until an instant is never reached."""
    for die_at in range(part, 1000, 4):
        folder = tmp_path / str(die_at)
        folder.mkdir()
        with MastodonServer() as server:
            posts = people_write(server)
            told = lives.live(folder, server, die_at=die_at)
            if not told["died"]:
                assert die_at > 50
                return
            lives.live(folder, server, later=600)
            lives.live(folder, server, later=1200)
            check_the_books(folder, server, posts, answered=set(posts.values()))


def test_death_while_people_edit_and_delete(lives: Lives, tmp_path: Path) -> None:
    for die_at in range(3, 90, 9):
        folder = tmp_path / str(die_at)
        folder.mkdir()
        with MastodonServer() as server:
            posts = people_write(server)
            lives.live(folder, server, die_at=die_at)
            server.edit_status(posts["ana"], "@marca ¿horario de mañana?")
            server.delete_status(posts["beto"])
            lives.live(folder, server, die_at=die_at * 2, later=600)
            lives.live(folder, server, later=1200)
            lives.live(folder, server, later=1800)
            parents = Counter(row["in_reply_to_id"] for row in server.posts_by("marca") if row["in_reply_to_id"])
            assert all(times == 1 for times in parents.values()), f"said twice: {parents}"
            assert {posts["ana"], posts["carla"]} <= set(parents)
