"""What a running process says of itself: each cause once, whatever it stands in the way of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from listener.daemon import Daemon
from listener.errors import Outage
from tests.listener.flow.world import Escucha

FULL = "The database x does not do its part: disk is full"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    escucha = Escucha(tmp_path)
    made = Daemon(escucha.main, tick=timedelta(seconds=1), version="test")
    made._guarded("alive", made._alive)
    yield made
    escucha.close()


def breaks(error: Exception) -> Callable[[], Any]:
    def work() -> None:
        raise error

    return work


def test_stages_with_one_cause_are_one_sentence(daemon: Daemon) -> None:
    for name in ("poll care", "watch"):
        daemon._guarded(name, breaks(KeyError("x")))
    daemon._guarded("spot", breaks(ValueError("y")))
    assert daemon.health().hurts == [
        "The stages poll care, watch break (KeyError('x')); the rest goes on, see the log.",
        "The stage spot breaks (ValueError('y')); the rest goes on, see the log.",
    ]
    daemon._guarded("watch", lambda: None)
    assert daemon.health().hurts[0].startswith("The stage poll care breaks (KeyError('x'))")


def test_what_keeps_it_from_living_is_said_once(daemon: Daemon) -> None:
    for name in ("poll care", "alive", "act care"):
        daemon._guarded(name, breaks(Outage(FULL)))
    daemon._guarded("spot", breaks(ValueError("y")))
    health = daemon.health()
    assert health.waits == FULL
    assert health.hurts == ["The stage spot breaks (ValueError('y')); the rest goes on, see the log."]
    daemon._guarded("alive", daemon._alive)
    assert daemon.health().waits == ""
