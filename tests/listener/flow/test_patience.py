"""What takes long to decide keeps nobody waiting for the database."""

from __future__ import annotations

import importlib
import time

import pytest

import policies
from listener.types import Decision, Situation
from policies.guard import Guarded
from tests.listener.flow.world import AUTO, Escucha

flow = importlib.import_module("listener.flow.decide")


class Slow(Guarded):
    """A policy that takes its time over each mention."""

    def decide(self, situation: Situation) -> Decision:
        time.sleep(0.03)
        return super().decide(situation)


def test_a_batch_that_takes_long_is_written_down_piece_by_piece(
    escucha: Escucha, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "LONGEST", 0.05)
    escucha.main.ruler.policy = Slow(policies.load_text(AUTO)._rules)
    for number in range(6):
        escucha.says(f"@marca todo mal {number}", who=f"ana{number}")
    escucha.clock.forward(seconds=11)
    escucha.main.poll()
    assert escucha.main.understand() == 6
    batches = []
    while decided := escucha.main.decide():
        batches.append(decided)
    assert sum(batches) == 6
    assert max(batches) < 6
    assert len(escucha.drafts()) == 6
