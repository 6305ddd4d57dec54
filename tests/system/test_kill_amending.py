"""Kill -9 while corrections go out to several accounts: each place has exactly one corrected text, or one follow-up.

One account can change its posts (Mastodon), the other cannot (X, which knows no idempotency key either, and here takes
the same text twice without a word). What counts is what their servers saw.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from listener import store as stores
from listener.store import amendments, notices
from listener.types import AmendmentState, NoticeState
from tests import databases
from tests.servers.mastodon import BRAND, TOKEN, MastodonServer
from tests.servers.x import KEYS, XServer
from tests.system.kill import AROUND
from tests.system.mortal_amending import RIGHT, SAID

pytestmark = pytest.mark.slow


class Lives:
    """The process that forks one life after another."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.system.mortal_amending"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def live(self, folder: Path, accounts: dict[str, Any], **life: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        usual = {"folder": str(folder), "accounts": accounts, "die_at": None, "later": 0, "corrects": True}
        self.process.stdin.write(json.dumps(usual | life) + "\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        assert not told["failed"], "a life ended with an error of its own"
        return told


@pytest.fixture(scope="module")
def lives() -> Iterator[Lives]:
    made = Lives()
    yield made
    made.process.communicate("")


@contextmanager
def published(lives: Lives, folder: Path) -> Iterator[tuple[MastodonServer, XServer, dict[str, Any]]]:
    """Both networks with the notice on them."""
    folder.mkdir()
    with MastodonServer() as mastodon, XServer(duplicates=False) as x:
        accounts = {
            "masto": {"network": "mastodon", "instance": mastodon.url, "access_token": TOKEN},
            "equis": {"network": "x", "api": x.url} | KEYS,
        }
        lives.live(folder, accounts, corrects=False)
        assert sorted(row["text"] for row in mastodon.posts_by(BRAND)) == sorted(SAID.values())
        yield mastodon, x, accounts


def check_the_books(folder: Path, mastodon: MastodonServer, x: XServer) -> None:
    assert sorted(row["text"] for row in mastodon.posts_by(BRAND)) == sorted(RIGHT.values())
    assert [row["edits"] for row in mastodon.posts_by(BRAND)] == [1, 1], "whoever boosted it is told once"
    firsts = {row["id"]: row["text"] for row in x.posts_by("marca") if row["reply_to"] is None}
    below = sorted((firsts[row["reply_to"]], row["text"]) for row in x.posts_by("marca") if row["reply_to"])
    wanted = [(SAID["es"], f"Corrección: {RIGHT['es']}"), (SAID["en"], f"Correction: {RIGHT['en']}")]
    assert below == sorted(wanted), "uncorrected, or twice"
    store = stores.open(databases.at(folder))
    with store.read() as tx:
        assert {each.state for each in amendments.of_notice(tx, 1)} == {AmendmentState.DONE}
        assert sorted(each.text for each in notices.get(tx, 1).deliveries if each.account == "masto") == sorted(
            RIGHT.values()
        )
        (follows,) = notices.following(tx, 1)
    store.close()
    assert follows.state is NoticeState.PUBLISHED


def test_death_around_every_write_corrects_each_place_once(lives: Lives, tmp_path: Path) -> None:
    folder = tmp_path / "unharmed"
    with published(lives, folder) as (mastodon, x, accounts):
        writes = lives.live(folder, accounts)["writes"]
        check_the_books(folder, mastodon, x)
    assert len(writes) == 4
    deaths = sorted({write + at for write in writes for at in AROUND})
    for die_at in deaths:
        folder = tmp_path / str(die_at)
        with published(lives, folder) as (mastodon, x, accounts):
            assert lives.live(folder, accounts, die_at=die_at)["died"]
            lives.live(folder, accounts, later=600)
            lives.live(folder, accounts, later=2400)  # looks rest as long as an unknown is old
            check_the_books(folder, mastodon, x)
