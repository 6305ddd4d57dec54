"""The simulation of many workers keeps to what bounds it: the model, and the database."""

from __future__ import annotations

import pytest

from benchmarks.scale_out import simulated


def test_workers_that_only_wait_for_their_models_add_up() -> None:
    alone = simulated(1, 8, takes=0.02, own=0.0, shared=0.0)
    assert alone == pytest.approx(50, rel=0.05)
    assert simulated(40, 8, takes=0.02, own=0.0, shared=0.0) == pytest.approx(40 * alone, rel=0.05)


@pytest.mark.parametrize("cores", [1, 4])
def test_no_number_of_workers_gets_more_out_of_the_database_than_it_has(cores: int) -> None:
    most = cores / 0.004
    assert simulated(100, cores, takes=0.02, own=0.001, shared=0.004) == pytest.approx(most, rel=0.05)
    assert simulated(1, cores, takes=0.02, own=0.001, shared=0.004) < most / 2


def test_what_a_worker_decides_by_itself_slows_it_only_where_it_takes_longer_than_the_model() -> None:
    assert simulated(1, 8, takes=0.02, own=0.001, shared=0.001) == pytest.approx(50, rel=0.05)
    assert simulated(1, 8, takes=0.001, own=0.009, shared=0.001) == pytest.approx(100, rel=0.1)
