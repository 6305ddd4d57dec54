"""While the model reads a batch, the one before it is decided; what goes wrong in either is told."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import listener.flow.digest as stages
from listener.errors import Outage
from listener.store import mentions
from listener.types import Decision, MentionState, Situation, Understanding
from tests.listener.flow.world import Escucha, Keywords


class Tells(Keywords):
    """Says when it is asked for the second time; the first time it is slower than whoever finds nothing to decide."""

    def __init__(self) -> None:
        self.calls, self.again, self.looked = 0, threading.Event(), threading.Event()

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        self.calls += 1
        if self.calls > 1:
            self.again.set()
        else:
            self.looked.wait(5)
        return super().classify(texts)


class Waits:
    """The policy, which thinks until the model has the next batch."""

    def __init__(self, policy: Any, reader: Tells) -> None:
        self._policy, self._reader, self.met = policy, reader, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._policy, name)

    def decide(self, situation: Situation) -> Decision:
        self.met = self.met and self._reader.again.wait(5)
        decision: Decision = self._policy.decide(situation)
        return decision


def test_one_batch_is_decided_while_the_next_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "BATCH", 2)
    escucha, reader = Escucha(tmp_path), Tells()
    policy = Waits(escucha.policy, reader)
    monkeypatch.setattr(escucha.main.reader, "_load", lambda: reader)
    escucha.main.ruler.policy = policy
    decide = escucha.main._digest.decide

    def looks() -> int:
        number = decide()
        reader.looked.set()
        return number

    monkeypatch.setattr(escucha.main._digest, "decide", looks)
    for number in range(5):
        escucha.says(f"@marca ¿cuánto cuesta? {number}", who=f"p{number}")
    escucha.main.poll()
    assert escucha.main.digest() == 5
    assert reader.calls == 3
    assert policy.met, "the second batch was read only when the first was decided"
    with escucha.store.read() as tx:
        assert {each.state for each in mentions.recent(tx, limit=10)} == {MentionState.DECIDED}
    escucha.close()


@pytest.mark.parametrize("stage", ["understand", "decide"])
def test_an_outage_in_either_ends_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    escucha = Escucha(tmp_path)

    def fails() -> int:
        raise Outage("the disk is full")

    monkeypatch.setattr(escucha.main._digest, stage, fails)
    with pytest.raises(Outage, match="full"):
        escucha.main.digest()
    escucha.close()
