"""Each look for something of unknown outcome is kept; what was once unknown is looked for before it is said again."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors import sandbox
from connectors.sandbox import Fault
from listener.errors import OutcomeUnknown
from listener.store import inbox, looks, outbox, senders, underway
from listener.store import tables as t
from listener.store.looks import Look
from listener.types import DraftState, Finding, Posted, ReplyRequest, Sent
from tests.listener.flow.world import Escucha


class Proofless(sandbox.Sandbox):
    """A network on which no look proves that something is not there, as with mail."""

    facts = replace(sandbox.FACTS, settle_after=None)


class Mute(Proofless):
    """The same, and looking tells nothing at all."""

    def find_reply(self, request: ReplyRequest, since: object) -> Posted | None:
        raise OutcomeUnknown(f"nothing tells {request.key[:0]}what became of it")


def unknown_answer(escucha: Escucha, fault: Fault) -> int:
    """A reply of which nobody knows; its number."""
    escucha.network.fail("reply", fault)
    escucha.forgets_keys()
    escucha.says("@marca ¿horario?")
    escucha.round()
    assert escucha.draft().state is DraftState.UNKNOWN
    return escucha.draft().id


def seen(escucha: Escucha) -> tuple[Look, ...]:
    with escucha.store.read() as tx:
        return looks.of(tx, Sent.REPLY, escucha.draft().id)


def tried_again(escucha: Escucha) -> None:
    """A person looked, did not see it, and has it sent again."""
    with escucha.store.write() as tx:
        inbox.settle_by_hand(tx, escucha.draft(), was_sent=False, by="ana", now=escucha.clock())
        inbox.retry(tx, inbox.get(tx, escucha.draft().id), by="ana", now=escucha.clock())
    escucha.approve(escucha.draft())


def test_the_look_that_finds_it_is_the_proof(escucha: Escucha) -> None:
    unknown_answer(escucha, Fault.ANSWER_LOST)
    escucha.round()
    (only,) = seen(escucha)
    assert only.found is Finding.THERE
    assert only.posted_id == escucha.draft().posted_id is not None
    assert only.asked == sandbox.FACTS.finds["reply"]
    assert only.by == looks.DAEMON
    assert only.since
    assert only.since < only.at


def test_what_is_not_there_goes_out_once_with_each_look_on_record(escucha: Escucha) -> None:
    unknown_answer(escucha, Fault.NEVER_ARRIVED)
    for _ in range(4):
        escucha.round()
    assert escucha.draft().state is DraftState.SENT
    assert len(escucha.answers()) == 1
    assert [look.found for look in seen(escucha)][-1] is Finding.MISSING


def test_the_same_again_is_counted_in_one_row(escucha: Escucha) -> None:
    escucha.main = escucha.pipeline(connector=Proofless)
    unknown_answer(escucha, Fault.NEVER_ARRIVED)
    for _ in range(5):
        escucha.round(hours=2)
    (only,) = seen(escucha)
    assert (only.found, only.times) == (Finding.NOT_FOUND, 5)
    assert only.first_at < only.at
    assert escucha.answers() == []


def test_what_a_person_missed_is_found_before_it_is_said_again(escucha: Escucha) -> None:
    escucha.main = escucha.pipeline(connector=Proofless)
    unknown_answer(escucha, Fault.ANSWER_LOST)
    tried_again(escucha)
    escucha.round()
    assert escucha.draft().state is DraftState.SENT
    assert len(escucha.answers()) == 1, "said twice"
    assert [(look.found, look.by) for look in seen(escucha)] == [
        (Finding.MISSING, "ana"),
        (Finding.THERE, looks.DAEMON),
    ]


def test_where_looking_tells_nothing_the_person_is_believed(escucha: Escucha) -> None:
    escucha.main = escucha.pipeline(connector=Mute)
    unknown_answer(escucha, Fault.NEVER_ARRIVED)
    escucha.round(hours=2)
    assert escucha.draft().state is DraftState.UNKNOWN
    assert seen(escucha)[-1].found is Finding.UNCLEAR
    assert "what became of it" in seen(escucha)[-1].detail
    tried_again(escucha)
    escucha.round()
    assert escucha.draft().state is DraftState.SENT
    assert len(escucha.answers()) == 1


def test_what_a_person_settled_is_not_undone_by_a_look_that_ends_later(escucha: Escucha) -> None:
    escucha.main = escucha.pipeline(connector=Proofless)
    unknown_answer(escucha, Fault.NEVER_ARRIVED)
    before = escucha.draft()
    with escucha.store.write() as tx:
        inbox.settle_by_hand(tx, before, was_sent=False, by="ana", now=escucha.clock())
    with escucha.store.write() as tx:
        outbox.not_sent(tx, before, "not there", escucha.clock())
    assert escucha.draft().state is DraftState.FAILED


# --- which process sends ---


@pytest.fixture
def other() -> subprocess.Popen[str]:
    """Another process, which tells its name as a sender and waits."""
    code = "from listener.store import senders; print(senders.me(), flush=True); input()"
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_process_is_dead_only_where_that_is_certain(other: subprocess.Popen[str]) -> None:
    assert other.stdout
    name = other.stdout.readline().strip()
    host, pid, began, where = name.rsplit(":", 3)
    assert not senders.is_dead(name)
    assert not senders.is_dead(senders.me())
    assert senders.is_dead(f"{host}:{pid}:{int(began) - 1}:{where}"), "the number was given to another one since"
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert senders.is_dead(name), "it has ended, and nobody has taken notice yet"
    other.wait()
    assert senders.is_dead(name)
    assert not senders.is_dead(f"{host}:{pid}:{began}:{'0' * 16}"), "of another machine nothing is known"
    for strange in (None, "", "a:b", "a:x:1:" + where, name[:-1]):
        assert not senders.is_dead(strange)
    other.communicate()


def test_who_died_here_is_named_dead_to_the_machine_that_took_over(
    escucha: Escucha, other: subprocess.Popen[str]
) -> None:
    assert other.stdout
    name = other.stdout.readline().strip()
    draft_id = unknown_answer(escucha, Fault.NEVER_ARRIVED)
    with escucha.store.write() as tx:
        tx.execute(t.drafts.update().values(reason=senders.DIED, sender=name))
        assert underway.ended_here(tx, "care") == {}, "it lives"
    other.kill()
    other.communicate()
    with escucha.store.write() as tx:
        assert underway.ended_here(tx, "other") == {}
        ended = underway.ended_here(tx, "care")
        assert ended == {"reply": [draft_id]}
        underway.testify(tx, ended)
    assert escucha.draft().reason == senders.KILLED


def test_nobody_is_named_dead_over_what_was_settled_meanwhile(escucha: Escucha) -> None:
    draft_id = unknown_answer(escucha, Fault.NEVER_ARRIVED)
    with escucha.store.write() as tx:
        tx.execute(t.drafts.update().values(reason="looked for it"))
        underway.testify(tx, {"reply": [draft_id]})
    assert escucha.draft().reason == "looked for it"


def test_what_was_tried_twice_is_looked_for_since_the_first_attempt(escucha: Escucha) -> None:
    number = unknown_answer(escucha, Fault.NEVER_ARRIVED)
    first = escucha.clock()
    with escucha.store.write() as tx:
        for since, found in ((first, Finding.NOT_FOUND), (first + timedelta(hours=1), Finding.UNREACHED)):
            at = since + timedelta(minutes=1)
            looks.keep(tx, Sent.REPLY, number, asked="our own posts", found=found, at=at, since=since)
    with escucha.store.read() as tx:
        assert looks.earliest(tx, Sent.REPLY, number) == first
        assert looks.earliest(tx, Sent.NOTICE, number) is None
