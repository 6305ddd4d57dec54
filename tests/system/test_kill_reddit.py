"""Kill -9 around every write on Reddit, which knows no key: only looking keeps us from saying a thing twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.connectors.conformance import World
from tests.connectors.test_reddit import RedditWorld, settings_for
from tests.servers.reddit import RedditServer
from tests.system.kill import KillNine

pytestmark = pytest.mark.slow


class TestReddit(KillNine):
    network = "reddit"

    @contextmanager
    def world(self) -> Iterator[World]:
        with RedditServer() as server:
            yield RedditWorld(server)

    def settings(self, world: World) -> dict[str, Any]:
        assert isinstance(world, RedditWorld)
        return settings_for(world.server)
