"""Kill -9 around every write on X, which knows no idempotency key: nothing lost, nothing said twice.

X refuses the same text twice, but nobody has promised that it always will. So it is tried where X does not: then only
what Escucha wrote down, and what it finds among its own posts, keeps it from repeating itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.conformance import World
from tests.connectors.test_x import XWorld
from tests.servers.x import KEYS, XServer
from tests.system.kill import KillNine, Lives

pytestmark = pytest.mark.slow


class TestX(KillNine):
    network = "x"
    refuses_duplicates = False

    @contextmanager
    def world(self) -> Iterator[World]:
        with XServer(duplicates=self.refuses_duplicates) as server:
            yield XWorld(server)

    def settings(self, world: World) -> dict[str, Any]:
        assert isinstance(world, XWorld)
        return KEYS | {"api": world.server.url}


class TestXThatRefusesTheSameTwice(TestX):
    refuses_duplicates = True

    def instants(self, lives: Lives, tmp_path: Path) -> list[int]:
        """Only where X has taken it and we have not written that down: nothing else can tell the two apart."""
        return [write + 1 for write in (super().instants(lives, tmp_path) and lives.unharmed["writes"])]
