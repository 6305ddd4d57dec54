"""Kill -9 around every write on Bluesky, on the reference implementation: nothing lost, nothing twice.

What saves us is the record key that is made from the draft's own: the server refuses a second write under it, and a
look at it tells at once. The counts are the server's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.connectors.conformance import World
from tests.connectors.test_bluesky import BlueskyWorld
from tests.servers import bluesky
from tests.servers.bluesky import Network
from tests.servers.jetstream import JetstreamServer
from tests.servers.proxy import Proxy
from tests.system.kill import AROUND, KillNine, Lives

pytestmark = pytest.mark.slow


class TestBluesky(KillNine):
    network = "bluesky"
    running: ClassVar[Network]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def run(cls) -> Iterator[None]:
        with bluesky.running() as cls.running:
            yield

    @contextmanager
    def world(self) -> Iterator[World]:
        with Proxy(self.running.pds) as proxy, JetstreamServer() as jetstream, tempfile.TemporaryDirectory() as folder:
            yield BlueskyWorld(self.running, proxy, jetstream, Path(folder))

    def settings(self, world: World) -> dict[str, Any]:
        assert isinstance(world, BlueskyWorld)
        return {
            "service": world.proxy.url,
            "handle": world.brand.handle,
            "app_password": world.brand.password,
            "session_file": str(world.folder / "sessions.json"),
        }

    def instants(self, lives: Lives, tmp_path: Path) -> list[int]:
        """Around the first answer and the notice: every death takes long here, and answers are all alike."""
        super().instants(lives, tmp_path)
        first, *_, notice = lives.unharmed["writes"]
        return [write + at for write in (first, notice) for at in AROUND]
