"""Kill -9 at every commit, and between "the network took it" and "we wrote it down": nothing lost, nothing twice.

Real processes against the local Mastodon server, which is told to forget idempotency keys: only what Escucha wrote
down, and what it finds by looking, keeps it from repeating itself. The counts are the server's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.conformance import World
from tests.connectors.test_mastodon import MastodonWorld
from tests.servers.mastodon import TOKEN, MastodonServer
from tests.system.kill import KillNine, Lives

pytestmark = pytest.mark.slow


class TestMastodon(KillNine):
    network = "mastodon"
    everywhere = True

    @contextmanager
    def world(self) -> Iterator[World]:
        with MastodonServer(forget_keys=True) as server:
            yield MastodonWorld(server)

    def settings(self, world: World) -> dict[str, Any]:
        assert isinstance(world, MastodonWorld)
        return {"instance": world.server.url, "access_token": TOKEN}

    def test_death_while_people_edit_and_delete(self, lives: Lives, tmp_path: Path) -> None:
        for die_at in range(3, 90, 9):
            folder = tmp_path / str(die_at)
            folder.mkdir()
            with self.world() as world:
                posts = self.people_write(world)
                self.live(lives, folder, world, die_at=die_at)
                world.edit(posts["ana"], "@marca ¿horario de mañana?")
                world.delete(posts["beto"])
                self.live(lives, folder, world, die_at=die_at * 2, later=600)
                self.live(lives, folder, world, later=2400)
                self.live(lives, folder, world, later=5400)
                parents = Counter(each.parent_id for each in world.ours() if each.parent_id)
                assert all(times == 1 for times in parents.values()), f"said twice: {parents}"
                assert {posts["ana"], posts["carla"]} <= set(parents)
