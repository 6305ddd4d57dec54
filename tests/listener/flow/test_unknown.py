"""A write of unknown outcome is looked for, and goes out again only where a look proves that it is not there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from connectors import sandbox
from connectors.sandbox import Fault
from listener.errors import OutcomeUnknown
from listener.store import notices, outbox
from listener.store.notices import Variant
from listener.types import DraftState, Posted, PublishRequest, ReplyRequest
from tests.listener.flow.world import Escucha


class Forgetful(sandbox.Sandbox):
    """A network on which no look proves anything."""

    facts = replace(sandbox.FACTS, settle_after=None)


def a_lost_answer(escucha: Escucha) -> None:
    """Our reply is there, and we do not know it."""
    escucha.network.fail("reply", Fault.ANSWER_LOST)
    escucha.forgets_keys()
    escucha.says("@marca ¿horario?")
    escucha.round()
    assert escucha.draft().state is DraftState.UNKNOWN


def test_what_is_not_found_at_once_may_still_appear(escucha: Escucha) -> None:
    a_lost_answer(escucha)
    escucha.network.fail("find_reply", Fault.NOT_YET)
    escucha.round(milliseconds=500)
    assert escucha.draft().state is DraftState.UNKNOWN
    escucha.round()
    assert escucha.draft().state is DraftState.SENT
    assert len(escucha.answers()) == 1


def test_the_time_to_settle_counts_from_when_nobody_knew_any_more(escucha: Escucha) -> None:
    a_lost_answer(escucha)
    draft = escucha.draft()
    assert draft.sending_since is not None
    escucha.clock.forward(minutes=4)
    with escucha.store.write() as tx:  # as though pictures had gone up for minutes before
        outbox.unknown(tx, draft, "lost", escucha.clock())
    escucha.network.fail("find_reply", Fault.NOT_YET)
    escucha.round(milliseconds=500)
    assert escucha.draft().state is DraftState.UNKNOWN
    assert len(escucha.answers()) == 1


def test_where_no_look_proves_anything_it_waits_for_a_person(escucha: Escucha) -> None:
    escucha.main = escucha.pipeline(connector=Forgetful)
    a_lost_answer(escucha)
    escucha.network.fail("find_reply", Fault.NOT_YET, times=1000)
    for _ in range(5):
        escucha.round(hours=30)
    assert escucha.draft().state is DraftState.UNKNOWN
    assert len(escucha.answers()) == 1


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=400)])
def test_once_the_clock_was_set_back_no_look_proves_that_it_is_not_there(escucha: Escucha, back: timedelta) -> None:
    a_lost_answer(escucha)
    escucha.network.fail("find_reply", Fault.NOT_YET, times=3)
    escucha.clock.moment -= back
    escucha.round()
    assert escucha.draft().state is DraftState.UNKNOWN
    escucha.clock.moment += back
    escucha.round(hours=2)
    assert escucha.draft().state is DraftState.UNKNOWN, "also when the time has come round again"
    for _ in range(3):
        escucha.round(hours=2)
    assert escucha.draft().state is DraftState.SENT
    assert len(escucha.answers()) == 1


def test_a_clock_that_runs_forward_says_nothing_twice(escucha: Escucha) -> None:
    a_lost_answer(escucha)
    escucha.round(days=400)
    assert escucha.draft().state is DraftState.SENT
    assert len(escucha.answers()) == 1


class Wordy(sandbox.Sandbox):
    """A network that knows our notices by their words alone, and finds the newest."""

    def find_published(self, request: PublishRequest, since: datetime) -> Posted | None:
        rows = [row for row in self.world.posts_by("marca", since=since) if row["text"] == request.text]
        return self._posted(rows[-1]) if rows else None


def publish(escucha: Escucha, text: str = "Hay un corte.") -> None:
    variant = Variant(account="care", network="sandbox", language="es", text=text, length=len(text), limit=500)
    now = escucha.clock()
    with escucha.store.write() as tx:
        notice = notices.draft(tx, title="Corte", variants=[variant], by="marta", now=now)
        notices.publish(tx, notices.approve(tx, notice, by="luis", now=now), by="marta", now=now)


def states(escucha: Escucha) -> list[str]:
    with escucha.store.read() as tx:
        return [str(each.deliveries[0].state) for each in notices.listing(tx)]


def test_the_same_notice_said_before_is_not_taken_for_the_one_that_was_lost(escucha: Escucha) -> None:
    escucha.main = escucha.pipeline(connector=Wordy)
    publish(escucha)
    escucha.round()
    escucha.network.fail("publish", Fault.NEVER_ARRIVED)
    publish(escucha)
    escucha.round()
    assert sorted(states(escucha)) == ["sent", "unknown"]
    for _ in range(3):
        escucha.round()
    assert states(escucha) == ["sent", "sent"]
    assert len(escucha.network.posts_by("marca")) == 2


def test_of_two_same_ones_that_were_lost_none_is_said_again_where_both_may_be_there(escucha: Escucha) -> None:
    escucha.main = escucha.pipeline(connector=Wordy)
    escucha.network.fail("publish", Fault.ANSWER_LOST, times=2)
    escucha.forgets_keys()
    publish(escucha)
    publish(escucha)
    for _ in range(5):
        escucha.round()
    assert sorted(states(escucha)) == ["sent", "unknown"]
    assert len(escucha.network.posts_by("marca")) == 2


class Nowhere(sandbox.Sandbox):
    """A network behind a door that answers every write with a page of its own; nothing ever arrives."""

    def reply(self, request: ReplyRequest) -> Posted:
        raise OutcomeUnknown("the answer was no answer")


def test_writes_that_never_get_a_clear_answer_become_rare_and_are_told_once(escucha: Escucha) -> None:
    escucha.main = escucha.pipeline(connector=Nowhere)
    escucha.says("@marca ¿horario?")
    with capture_logs() as said:
        escucha.round()
        for _ in range(360):
            escucha.clock.forward(seconds=10)
            escucha.main.act()
    tried = [entry for entry in said if entry["action"] == "unknown"]
    assert len(tried) <= 12, "in an hour: after half a minute, a minute, two, four …"
    assert [entry["log_level"] for entry in tried].count("warning") == 1
    assert [entry["action"] for entry in said].count("send_rest") == 1
    escucha.main.connections.drop("care")
    escucha.main.connections._connect = lambda _: sandbox.Sandbox(sandbox.Settings(world=escucha.folder / "world.db"))
    escucha.round(hours=1)
    escucha.round()
    assert len(escucha.answers()) == 1
    assert not escucha.main._sending._holds.failures("care")


def test_a_round_ends_after_a_few_writes_without_a_clear_answer(escucha: Escucha) -> None:
    escucha.main = escucha.pipeline(connector=Nowhere)
    for number in range(8):
        escucha.says("@marca ¿horario?", who=f"p{number}")
    escucha.round()
    states = [draft.state for draft in escucha.drafts()]
    assert states.count(DraftState.UNKNOWN) == 3
    assert states.count(DraftState.APPROVED) == 5
