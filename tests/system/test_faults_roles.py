"""A few cells of the fault matrix with the work going over jobs on PostgreSQL, as many machines share it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests import postgres
from tests.servers.line import Trouble, papers
from tests.system.fault_matrix import play
from tests.system.fault_networks import Networks
from tests.system.fault_sites import Stage

pytestmark = pytest.mark.slow

CELLS = [
    ("mastodon", Stage.POLL, Trouble.BUSY),
    ("reddit", Stage.POLL, Trouble.RESET),
    ("x", Stage.REPLY, Trouble.AWAY),
    ("mastodon", Stage.REPLY, Trouble.GATEWAY),
    ("reddit", Stage.REPLY, Trouble.CUT),
    ("mastodon", Stage.PUBLISH, Trouble.RESET),
    ("webhook", Stage.DELIVER, Trouble.GATEWAY),
]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres.server() as url:
        yield url


@pytest.mark.parametrize(("network", "stage", "trouble"), CELLS, ids=lambda each: str(each).replace(" ", "-"))
def test_many_machines_live_recover_and_say_it_once(
    server: str, tmp_path: Path, network: str, stage: Stage, trouble: Trouble
) -> None:
    postgres.empty(server)
    with ExitStack() as stack:
        networks = Networks(stack, tmp_path, cache(lambda: papers(tmp_path)))
        site = stack.enter_context(networks.site(network, trouble))
        came = play(site, stage, trouble, tmp_path, url=server)
    assert came.fine, came
    assert came.met, "the trouble was never met"
    assert came.came == "by itself", came
