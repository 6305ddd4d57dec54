"""Every trouble, every stage and every network at least once: a part of the matrix that `benchmarks.faults` plays.

What must be so of a cell is told in `fault_matrix`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.servers.line import Papers, Trouble, papers
from tests.system.fault_matrix import FOR_A_PERSON, play
from tests.system.fault_networks import SITES, Networks, cells
from tests.system.fault_sites import WAITS, Stage

pytestmark = pytest.mark.slow

STRIDE = 47  # cells from one trouble's to the next one's, so that networks and stages take turns

Cell = tuple[str, Stage, Trouble]


def chosen() -> list[Cell]:
    """A cell for each trouble, and one for each stage and each network that this leaves out.

    A look-up that waits is left to the whole matrix: it is asked for hours, and each time takes seconds of ours.
    """
    picked: list[Cell] = []
    for number, trouble in enumerate(Trouble):
        there = [cell for cell in cells() if cell[2] is trouble and not (cell[1] is Stage.RECHECK and trouble in WAITS)]
        picked.append(there[number * STRIDE % len(there)])
    for cell in cells():
        name, stage, _ = cell
        if name not in {each[0] for each in picked} or stage not in {each[1] for each in picked}:
            picked.append(cell)
    return sorted(picked)


@pytest.fixture(scope="session")
def networks() -> Iterator[Networks]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))

        @cache
        def made() -> Papers:
            return papers(folder, "*.my.salesforce.com")

        yield Networks(stack, folder, made)


def test_the_part_meets_every_trouble_every_stage_and_every_network() -> None:
    names, stages, troubles = (set(each) for each in zip(*chosen(), strict=True))
    assert (names, stages, troubles) == (set(SITES), set(Stage), set(Trouble))


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
