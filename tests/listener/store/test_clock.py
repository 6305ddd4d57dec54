"""Machines with wrong clocks go by the database's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from listener import store as stores
from listener.store import Store
from listener.store.clock import Clock
from tests import postgres

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with postgres.server() as url:
        made = stores.open(url)
        yield made
        made.close()


class Own:
    """This machine's clock, wrong by so much."""

    def __init__(self, **wrong: float) -> None:
        self.wrong = timedelta(**wrong)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.wrong


@pytest.mark.parametrize(
    ("wrong", "said"), [(-90, "90 s behind"), (90, "90 s ahead of"), (3, ""), (86400 * 400, "34560000 s ahead of")]
)
def test_whatever_the_machine_says_it_is_the_database_s_time(store: Store, wrong: float, said: str) -> None:
    clock = Clock(store, own=Own(seconds=wrong))
    assert abs(clock() - datetime.now(UTC)) < timedelta(seconds=2)
    assert said in clock.trouble
    assert bool(said) is bool(clock.trouble)


def test_a_clock_that_is_right_is_left_as_it_is(store: Store) -> None:
    own = Own(seconds=0.4)
    clock = Clock(store, own=own)
    assert clock() - own() < timedelta(seconds=0.2), "nothing was added"
    own.wrong = timedelta(hours=1)
    assert clock() > datetime.now(UTC) + timedelta(minutes=59), "until it looks"
    clock.look()
    assert abs(clock() - datetime.now(UTC)) < timedelta(seconds=2)
    own.wrong = timedelta(0)
    clock.look()
    assert clock.trouble == ""
    assert abs(clock() - datetime.now(UTC)) < timedelta(seconds=1)
