"""What was to go out alone and did not in time waits for a person."""

from __future__ import annotations

from listener.store import audit, switch
from listener.types import DraftState
from tests.listener.flow.world import Escucha


def pause(escucha: Escucha) -> None:
    with escucha.store.write() as tx:
        switch.pause(tx, network=None, by="mod", reason="", now=escucha.clock())


def resume(escucha: Escucha) -> None:
    with escucha.store.write() as tx:
        switch.resume(tx, network=None, by="mod", now=escucha.clock())


def held_up(escucha: Escucha) -> None:
    """A question is answered alone, and nothing is sent before it is two days old."""
    escucha.says("@marca ¿a qué hora abren?")
    escucha.clock.forward(seconds=11)
    escucha.main.poll()
    escucha.main.understand()
    escucha.main.decide()
    assert escucha.draft().state is DraftState.APPROVED


def test_an_old_answer_goes_back_to_people(escucha: Escucha) -> None:
    held_up(escucha)
    pause(escucha)
    escucha.clock.forward(days=2)
    resume(escucha)
    escucha.round()
    assert escucha.answers() == []
    draft = escucha.draft()
    assert (draft.state, draft.automatic, draft.decided_by) == (DraftState.PROPOSED, False, None)
    with escucha.store.read() as tx:
        told = audit.about(tx, f"draft {draft.id}")[-1]
    assert told.action == "draft.shown_again"
    assert "too old by now" in told.detail["reason"]
    escucha.approve(draft)
    escucha.round()
    assert len(escucha.answers()) == 1, "a person may still send it"


def test_in_time_it_goes_out(escucha: Escucha) -> None:
    held_up(escucha)
    pause(escucha)
    escucha.clock.forward(hours=47)
    resume(escucha)
    escucha.round()
    assert len(escucha.answers()) == 1
    assert escucha.draft().automatic
