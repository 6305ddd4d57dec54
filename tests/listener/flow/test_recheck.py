"""What cannot be looked up again now comes again later, and keeps neither the others nor the network busy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from connectors import sandbox
from connectors.sandbox import Fault
from listener.types import Rechecked
from tests.listener.flow.world import Escucha

MONTHS, DAYLY = timedelta(days=90), timedelta(hours=20)


class Silent(sandbox.Sandbox):
    """A network that must be followed every 20 hours, and tells nothing of what is asked."""

    facts = replace(sandbox.FACTS, rechecks=((MONTHS, DAYLY),), looks_at_once=1)
    asked: list[tuple[str, ...]]
    told: tuple[str, ...] = ()

    def recheck(self, external_ids: Sequence[str]) -> Rechecked:
        type(self).asked.append(tuple(external_ids))
        answer = super().recheck(external_ids)
        return replace(answer, present=tuple(post for post in answer.present if post.external_id in self.told))


@pytest.fixture
def silent(escucha: Escucha) -> Escucha:
    Silent.asked, Silent.told = [], ()
    escucha.main = escucha.pipeline(connector=Silent)
    return escucha


def looked_up(escucha: Escucha, **later: float) -> list[str]:
    escucha.clock.forward(**later)
    Silent.asked.clear()
    escucha.main.recheck()
    return [each for ids in Silent.asked for each in ids]


def test_what_was_not_told_comes_again_in_an_hour_and_not_at_once(silent: Escucha) -> None:
    one, other = silent.says("@marca mal"), silent.says("@marca peor, mal")
    silent.main.poll(["source-0"])
    Silent.told = (one,)
    assert set(looked_up(silent, hours=21)) == {one, other}
    assert looked_up(silent, minutes=50) == []
    assert looked_up(silent, minutes=11) == [other]
    Silent.told = (one, other)
    assert looked_up(silent, minutes=61) == [other]
    assert looked_up(silent, hours=3) == []


@pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.UNAVAILABLE, Fault.AUTH_FAILED])
def test_a_network_that_refuses_is_left_in_peace(silent: Escucha, fault: Fault) -> None:
    post = silent.says("@marca mal")
    silent.main.poll(["source-0"])
    Silent.told = (post,)
    silent.network.fail("recheck", fault, times=1000, seconds=1800)
    asked = sum(bool(looked_up(silent, **({"minutes": 1} if turn else {"hours": 21}))) for turn in range(60))
    assert 2 <= asked <= (2 if fault is Fault.RATE_LIMITED else 8)
    silent.network.heal()
    assert looked_up(silent, hours=1) == [post]
    assert looked_up(silent, hours=1) == []


def test_that_nothing_can_be_looked_up_is_told_once_and_that_it_can_again(silent: Escucha) -> None:
    post = silent.says("@marca mal")
    silent.main.poll(["source-0"])
    Silent.told = (post,)
    silent.network.fail("recheck", Fault.UNAVAILABLE, times=6)
    with capture_logs() as said:
        for _ in range(30):
            looked_up(silent, hours=21)
    told = [(entry["action"], entry["log_level"]) for entry in said if entry["action"].startswith("looks_")]
    assert [each for each in told if each[1] != "debug"] == [("looks_down", "warning"), ("looks_up", "info")]
