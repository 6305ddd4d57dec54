"""The stop: held at once, kind by kind, and over only when what was being said has ended."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from subprocess import PIPE
from typing import ClassVar

import pytest
from sqlalchemy import text, update

from connectors import sandbox
from listener.desk import stopping
from listener.desk.stopping import Scope, Stopped
from listener.store import inbox, incidents, outbox, switch
from listener.store import tables as t
from listener.store.underway import Underway
from listener.types import DraftState, Posted, ReplyRequest, SendKind
from tests.listener.flow.world import Escucha

EVERYTHING = (Scope(),)


class Hesitant(sandbox.Sandbox):
    """A network that takes a reply when the test lets it."""

    asked: ClassVar[threading.Event]
    go: ClassVar[threading.Event]

    def reply(self, request: ReplyRequest) -> Posted:
        self.asked.set()
        assert self.go.wait(30)
        return super().reply(request)


def approved(escucha: Escucha, *kinds: SendKind) -> list[int]:
    """One approved draft of each kind; gives their numbers."""
    for kind in kinds:
        escucha.says(f"@marca todo mal con {kind}", who=f"who-{kind}")
    escucha.clock.forward(seconds=11)
    escucha.main.poll()
    escucha.main.digest()
    numbers = []
    with escucha.store.write() as tx:
        for kind, draft in zip(kinds, sorted(inbox.waiting(tx), key=lambda draft: draft.id), strict=True):
            inbox.approve(tx, draft, by="mod", now=escucha.clock(), automatic=kind is SendKind.AUTOMATIC)
            numbers.append(draft.id)
    return numbers


def stop(escucha: Escucha, scopes: Sequence[Scope] = EVERYTHING, *, wait: float = 0.3, **more: object) -> Stopped:
    now = escucha.clock()
    return stopping.stop(escucha.store, scopes, by="boss", reason="", now=now, wait=wait, **more)  # type: ignore[arg-type]


def states(escucha: Escucha, numbers: Sequence[int]) -> list[DraftState]:
    with escucha.store.read() as tx:
        return [inbox.get(tx, number).state for number in numbers]


@contextmanager
def saying(escucha: Escucha) -> Iterator[threading.Thread]:
    """Another process is in the middle of a reply until the block ends, or its `go` is set."""
    Hesitant.asked, Hesitant.go = threading.Event(), threading.Event()
    pipeline = escucha.pipeline(connector=Hesitant)
    sender = threading.Thread(target=pipeline.act)
    sender.start()
    try:
        assert Hesitant.asked.wait(30)
        yield sender
    finally:
        Hesitant.go.set()
        sender.join(30)


def test_what_is_being_said_is_waited_for(escucha: Escucha) -> None:
    first, second = approved(escucha, SendKind.REPLY, SendKind.AUTOMATIC)
    told: list[Sequence[Underway]] = []
    with saying(escucha):
        early = stop(escucha, tell=told.append)
        assert not early.is_complete
        assert [(each.what, each.id, each.account) for each in early.left] == [("reply", first, "care")]
        assert told == [early.left]
        threading.Timer(0.2, Hesitant.go.set).start()
        done = stop(escucha, wait=20)
        assert states(escucha, [first]) == [DraftState.SENT], "it returned before the end of what was being said"
    assert done.is_complete
    assert set(done.known) == {"all"}
    assert states(escucha, [first, second]) == [DraftState.SENT, DraftState.APPROVED], "the next one was not begun"
    escucha.round()
    assert len(escucha.answers()) == 1


@pytest.mark.parametrize(
    ("scope", "goes"),
    [
        pytest.param(Scope(kind=SendKind.AUTOMATIC), [SendKind.REPLY], id="automatic"),
        pytest.param(Scope(kind=SendKind.REPLY), [SendKind.AUTOMATIC], id="reply"),
        pytest.param(Scope(kind=SendKind.NOTICE), [SendKind.AUTOMATIC, SendKind.REPLY], id="notice"),
        pytest.param(Scope(kind=SendKind.REPLY, network="sandbox"), [SendKind.AUTOMATIC], id="reply here"),
        pytest.param(Scope(kind=SendKind.REPLY, network="x"), [SendKind.AUTOMATIC, SendKind.REPLY], id="reply there"),
        pytest.param(Scope(network="sandbox"), [], id="network"),
        pytest.param(Scope(), [], id="everything"),
    ],
)
def test_what_is_held_keeps_nothing_else_back(escucha: Escucha, scope: Scope, goes: list[SendKind]) -> None:
    kinds = (SendKind.AUTOMATIC, SendKind.REPLY)
    numbers = approved(escucha, *kinds)
    assert stop(escucha, [scope]).is_complete
    escucha.main.act()
    sent = [state is DraftState.SENT for state in states(escucha, numbers)]
    assert sent == [kind in goes for kind in kinds]


def test_only_what_is_in_the_scope_is_waited_for(escucha: Escucha) -> None:
    approved(escucha, SendKind.REPLY)
    with saying(escucha):
        assert stop(escucha, [Scope(kind=SendKind.AUTOMATIC)]).is_complete
        assert stop(escucha, [Scope(network="x")]).is_complete
        assert not stop(escucha, [Scope(kind=SendKind.AUTOMATIC), Scope(kind=SendKind.REPLY)]).is_complete


def test_a_rule_approves_nothing_while_automatic_replies_are_held(escucha: Escucha) -> None:
    stop(escucha, [Scope(kind=SendKind.AUTOMATIC)])
    escucha.says("@marca ¿horario?")
    escucha.round()
    assert escucha.draft().state is DraftState.PROPOSED


def test_a_dead_sender_is_waited_for_only_where_it_may_be_alive(escucha: Escucha) -> None:
    """The operating system knows who died; PostgreSQL only whom it lost, so there the longest call must be over."""
    (number,) = approved(escucha, SendKind.REPLY)
    with escucha.store.write() as tx:
        (draft,) = outbox.sendable(tx, "care", escucha.clock())
        assert outbox.claim(tx, draft, escucha.clock())
    assert stop(escucha).is_complete == escucha.store.is_sqlite
    if not escucha.store.is_sqlite:
        with escucha.store.write() as tx:
            outbox.abandoned(tx, "care", escucha.clock())
            assert inbox.get(tx, number).state is DraftState.UNKNOWN
            tx.execute(update(t.drafts).values(state="sending"))
        escucha.clock.forward(minutes=16)
        assert stop(escucha).is_complete


def test_a_claim_that_began_before_is_waited_for(escucha: Escucha) -> None:
    """Its statement saw no pause; until its transaction ends nobody sees what it claimed."""
    approved(escucha, SendKind.REPLY)
    claimed, end = threading.Event(), threading.Event()

    def claim() -> None:
        with escucha.store.write() as tx:
            (draft,) = outbox.sendable(tx, "care", escucha.clock())
            assert outbox.claim(tx, draft, escucha.clock())
            claimed.set()
            assert end.wait(30)

    claimer = threading.Thread(target=claim)
    claimer.start()
    try:
        assert claimed.wait(30)
        if escucha.store.is_sqlite:  # the pause itself cannot be written while somebody else writes
            threading.Timer(0.2, end.set).start()
            done = stop(escucha)
        else:
            done = stop(escucha)
            assert (done.is_complete, done.claiming) == (False, 1)
            threading.Timer(0.2, end.set).start()
            done = stop(escucha, wait=1)
            assert done.claiming == 0
    finally:
        end.set()
        claimer.join(30)
    assert len(done.waited) == 1, "what was claimed at the last moment was not seen"


def test_a_sender_that_lost_its_place_begins_nothing(escucha: Escucha) -> None:
    numbers = approved(escucha, SendKind.REPLY, SendKind.AUTOMATIC)
    if escucha.store.is_sqlite:
        with escucha.store.sole_sender("care"):
            assert escucha.store.keeps_its_place("care")
        return
    with saying(escucha), escucha.store.read() as tx:
        mine = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock'"
        assert len(tx.scalars(text(f"SELECT pg_terminate_backend(pid) FROM ({mine}) AS senders")).all()) == 1
    assert states(escucha, numbers) == [DraftState.SENT, DraftState.APPROVED]


def test_it_is_said_who_paused_what(escucha: Escucha) -> None:
    with escucha.store.write() as tx:
        first = switch.pause(
            tx, network="x", kind=SendKind.MASS, by="eva", reason="no", now=escucha.clock() - timedelta(hours=1)
        )
        again = switch.pause(tx, network="x", kind=SendKind.MASS, by="leo", reason="too", now=escucha.clock())
        assert first is None
        assert again is not None
        assert (again.scope, again.by, again.reason) == ("kind mass on x", "eva", "no")
        assert [each.scope for each in switch.pauses(tx)] == ["kind mass on x"]
        assert not switch.resume(tx, network="x", by="eva", now=escucha.clock())
        assert not switch.resume(tx, network=None, kind=SendKind.MASS, by="eva", now=escucha.clock())
        assert switch.resume(tx, network="x", kind=SendKind.MASS, by="eva", now=escucha.clock())


def test_the_claim_itself_asks(escucha: Escucha) -> None:
    """Whatever was looked at before: a pause may come between the look and the claim."""
    approved(escucha, SendKind.AUTOMATIC)
    with escucha.store.read() as tx:
        (draft,) = outbox.sendable(tx, "care", escucha.clock())
    for scope in (Scope(), Scope(network="sandbox"), Scope(kind=SendKind.AUTOMATIC)):
        stop(escucha, [scope])
        with escucha.store.write() as tx:
            assert not outbox.claim(tx, draft, escucha.clock())
            switch.resume(tx, network=scope.network, kind=scope.kind, by="boss", now=escucha.clock())
    stop(escucha, [Scope(kind=SendKind.MASS), Scope(network="x")])
    with escucha.store.write() as tx:
        assert outbox.claim(tx, draft, escucha.clock())


def is_said_by(escucha: Escucha, number: int, sender: str) -> None:
    with escucha.store.write() as tx:
        values = {"state": DraftState.SENDING.value, "sending_since": escucha.clock(), "sender": sender}
        tx.execute(update(t.drafts).where(t.drafts.c.id == number).values(**values))


def test_a_sender_that_was_killed_on_this_machine_is_not_waited_for(escucha: Escucha) -> None:
    (number,) = approved(escucha, SendKind.REPLY)
    code = "from listener.store import senders; print(senders.me(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=PIPE, stdout=PIPE, text=True) as sender:
        assert sender.stdout
        name = sender.stdout.readline().strip()
        is_said_by(escucha, number, name)
        assert stop(escucha).is_complete is escucha.store.is_sqlite, "on PostgreSQL it may have lost the server alone"
        with escucha.store.write() as tx:  # another machine took its place meanwhile
            outbox.abandoned(tx, "care", escucha.clock())
        assert stop(escucha).is_complete is escucha.store.is_sqlite
        sender.kill()
        sender.wait()
        assert stop(escucha, wait=5).is_complete
        is_said_by(escucha, number, name)
        assert stop(escucha, wait=5).is_complete
        is_said_by(escucha, number, name.replace(name[-16:], "0" * 16))
        assert stop(escucha).is_complete is escucha.store.is_sqlite, "of another machine we know nothing"


def test_an_incident_that_holds_replies_waits_for_a_claim_and_holds_the_next(escucha: Escucha) -> None:
    if escucha.store.is_sqlite:
        pytest.skip("who writes is alone there")
    first, second = approved(escucha, SendKind.AUTOMATIC, SendKind.AUTOMATIC)
    opened = threading.Event()

    def hold() -> None:
        now = escucha.clock()
        with escucha.store.write() as tx:
            incidents.open(tx, title="Corte", by="ana", now=now, began_at=now)
        opened.set()

    with escucha.store.write() as tx:
        assert outbox.claim(tx, inbox.get(tx, first), escucha.clock())
        holding = threading.Thread(target=hold)
        holding.start()
        assert not opened.wait(0.7), "it would be over before what it holds began"
    assert opened.wait(5)
    holding.join()
    with escucha.store.write() as tx:
        assert not outbox.claim(tx, inbox.get(tx, second), escucha.clock())
    assert states(escucha, [first, second]) == [DraftState.SENDING, DraftState.PROPOSED]
