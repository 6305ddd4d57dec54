"""Every network, and every stage of it, meets a trouble of its server, and every trouble is met: a part of the matrix.

`python -m benchmarks.faults` plays all of it. Here each stage of each network meets one, in turns, so that all troubles
come up; what must be so of a cell is told in `fault_matrix`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.servers.line import Papers, Trouble, papers
from tests.system.fault_matrix import FOR_A_PERSON, play
from tests.system.fault_networks import SITES, Networks, cells
from tests.system.fault_sites import Stage

pytestmark = pytest.mark.slow

STEP = 7  # troubles from one stage's to the next one's, so that neighbours differ


def chosen() -> list[tuple[str, Stage, Trouble]]:
    """One trouble for each stage of each network, and more where that leaves one out."""
    picked = []
    for number, (_, group) in enumerate(groupby(cells(), key=lambda cell: cell[:2])):
        there = list(group)
        picked.append(there[number * STEP % len(there)])
    missing = set(Trouble) - {trouble for _, _, trouble in picked}
    return picked + [
        next(cell for cell in cells() if cell[2] is trouble and cell[0] == "x") for trouble in sorted(missing)
    ]


@pytest.fixture(scope="session")
def networks() -> Iterator[Networks]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))

        @cache
        def made() -> Papers:
            return papers(folder, "*.my.salesforce.com")

        yield Networks(stack, folder, made)


def test_the_part_meets_every_trouble_and_every_stage() -> None:
    assert {trouble for _, _, trouble in chosen()} == set(Trouble)
    assert {(name, stage) for name, stage, _ in chosen()} == {
        (name, stage) for name, site in SITES.items() for stage in site.stages
    }


@pytest.mark.parametrize(("network", "stage", "trouble"), chosen(), ids=lambda each: str(each).replace(" ", "-"))
def test_the_daemon_lives_recovers_and_says_it_once(
    networks: Networks, tmp_path: Path, network: str, stage: Stage, trouble: Trouble
) -> None:
    with networks.site(network, trouble) as site:
        came = play(site, stage, trouble, tmp_path)
    assert came.fine, came
    assert came.met or trouble is Trouble.REFUSED, "the trouble was never met"
    if trouble not in FOR_A_PERSON and network != "mail":
        assert came.came == "by itself", came
