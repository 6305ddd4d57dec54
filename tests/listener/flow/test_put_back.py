"""A database that goes on as what it was earlier: what went out since is on the network, and is not said again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connectors import sandbox
from connectors.sandbox import Fault
from listener import store as stores
from listener.daemon import Daemon
from listener.store import inbox, lives, looks, mentions, switch
from listener.types import DraftState, Finding, Sent
from tests.listener.flow.test_unknown import publish, states
from tests.listener.flow.world import Escucha

pytestmark = pytest.mark.about_sqlite

A_WHILE = {"minutes": 5}  # little enough that nobody needs to look first


class Forgetful(sandbox.Sandbox):
    """A network on which no look proves anything."""

    facts = replace(sandbox.FACTS, settle_after=None)


@pytest.fixture
def escucha(tmp_path: Path) -> Escucha:
    made = Escucha(tmp_path)
    made.round()  # so that the database knows where it is
    return made


def copied(escucha: Escucha) -> Path:
    """A copy as `escucha db backup` makes it."""
    target = escucha.folder / "copy.db"
    target.unlink(missing_ok=True)
    escucha.store.backup(target)
    return target


def put_in_place(escucha: Escucha, copy: Path) -> None:
    """The database goes on as that copy, under whoever works on it; the network forgets what it was written to with."""
    escucha.store.close()
    for name in ("escucha.db-wal", "escucha.db-shm"):
        (escucha.folder / name).unlink(missing_ok=True)
    shutil.copy(copy, escucha.folder / "escucha.db")
    escucha.forgets_keys()


def put_back(escucha: Escucha, copy: Path, *, connector: type[sandbox.Sandbox] = sandbox.Sandbox) -> None:
    """Puts it in place and starts, as a command or daemon does."""
    put_in_place(escucha, copy)
    escucha.store = stores.open(f"sqlite:///{escucha.folder / 'escucha.db'}")
    lives.recognise(escucha.store, escucha.clock())
    escucha.main = escucha.pipeline(connector=connector)


def paused(escucha: Escucha) -> bool:
    with escucha.store.read() as tx:
        return bool(switch.pauses(tx))


def test_what_was_heard_and_answered_after_the_copy_is_heard_again_and_not_answered_again(escucha: Escucha) -> None:
    copy = copied(escucha)
    for number in range(3):
        escucha.says(f"@marca ¿horario de la tienda {number}?", who=f"p{number}")
    escucha.round(**A_WHILE)
    assert len(escucha.answers()) == 3
    put_back(escucha, copy)
    late = escucha.says("@marca ¿y los domingos?", who="late")
    for _ in range(3):
        escucha.round()
    assert {draft.state for draft in escucha.drafts()} == {DraftState.SENT}
    assert len(escucha.drafts()) == 4
    assert sorted(parent for parent, _ in escucha.answers()) == sorted({parent for parent, _ in escucha.answers()})
    assert late in {parent for parent, _ in escucha.answers()}
    assert not paused(escucha)


def test_an_answer_in_other_words_counts_too_and_where_it_stands_is_kept(escucha: Escucha) -> None:
    escucha.says("@marca todo mal")
    escucha.round()
    copy = copied(escucha)
    draft = escucha.draft()
    with escucha.store.write() as tx:
        edited = inbox.edit(tx, draft, text="Te llamamos hoy.", length=16, by="mod", now=escucha.clock())
        inbox.approve(tx, edited, by="mod", now=escucha.clock())
    escucha.round(**A_WHILE)
    assert len(escucha.answers()) == 1
    put_back(escucha, copy)
    assert escucha.draft().state is DraftState.PROPOSED
    escucha.approve(escucha.draft())
    escucha.round()
    assert escucha.draft().state is DraftState.SENT
    assert escucha.draft().posted_url
    assert len(escucha.answers()) == 1
    with escucha.store.read() as tx:
        (look,) = looks.of(tx, Sent.REPLY, escucha.draft().id)
    assert look.found is Finding.THERE
    assert "knows nothing" in look.asked


def test_what_did_not_go_out_goes_out_once_a_look_is_certain(escucha: Escucha) -> None:
    escucha.says("@marca todo mal")
    escucha.round()
    escucha.approve(escucha.draft())
    put_back(escucha, copied(escucha))
    escucha.round(milliseconds=500)
    assert escucha.draft().state is DraftState.APPROVED, "what was said a moment ago might not show yet"
    escucha.round()
    assert escucha.draft().state is DraftState.SENT
    assert len(escucha.answers()) == 1


def test_where_no_look_proves_anything_a_person_decides(escucha: Escucha) -> None:
    escucha.says("@marca todo mal")
    escucha.round()
    escucha.approve(escucha.draft())
    put_back(escucha, copied(escucha), connector=Forgetful)
    for _ in range(3):
        escucha.round()
    assert escucha.draft().state is DraftState.UNKNOWN
    assert escucha.answers() == []
    now = escucha.clock()
    with escucha.store.write() as tx:
        inbox.settle_by_hand(tx, escucha.draft(), was_sent=False, by="mod", now=now)
        inbox.approve(tx, inbox.retry(tx, inbox.get(tx, 1), by="mod", now=now), by="mod", now=now)
    escucha.round()
    assert escucha.draft().state is DraftState.SENT
    assert len(escucha.answers()) == 1


def test_where_it_cannot_be_looked_for_it_waits(escucha: Escucha) -> None:
    copy = copied(escucha)
    escucha.says("@marca ¿horario?")
    escucha.round(**A_WHILE)
    put_back(escucha, copy)
    escucha.network.fail("find_replies", Fault.UNAVAILABLE, times=2)
    escucha.round()
    assert escucha.draft().state is DraftState.APPROVED
    for _ in range(3):
        escucha.round(minutes=2)
    assert escucha.draft().state is DraftState.SENT
    assert len(escucha.answers()) == 1


def test_who_looked_before_that_time_knows_nothing_of_what_came_in_it(escucha: Escucha) -> None:
    """It was not there then; it went out after the copy, and no look can prove that it did not."""
    escucha.main = escucha.pipeline(connector=Forgetful)
    escucha.network.fail("reply", Fault.NEVER_ARRIVED)
    escucha.says("@marca ¿horario?")
    escucha.round()
    assert escucha.draft().state is DraftState.UNKNOWN
    now = escucha.clock()
    with escucha.store.write() as tx:
        inbox.settle_by_hand(tx, escucha.draft(), was_sent=False, by="mod", now=now)
        inbox.approve(tx, inbox.retry(tx, inbox.get(tx, 1), by="mod", now=now), by="mod", now=now)
    escucha.clock.forward(seconds=1)
    put_back(escucha, copied(escucha), connector=Forgetful)
    for _ in range(3):
        escucha.round()
    assert escucha.draft().state is DraftState.UNKNOWN
    assert escucha.answers() == []


def test_a_notice_that_went_out_is_not_published_again(escucha: Escucha) -> None:
    publish(escucha)
    copy = copied(escucha)
    escucha.round(**A_WHILE)
    assert len(escucha.network.posts_by("marca")) == 1
    put_back(escucha, copy)
    for _ in range(3):
        escucha.round()
    assert states(escucha) == ["sent"]
    assert len(escucha.network.posts_by("marca")) == 1


def test_after_a_long_time_nothing_goes_out_before_a_person_says_so(escucha: Escucha) -> None:
    copy = copied(escucha)
    escucha.says("@marca ¿horario?")
    escucha.round(hours=2)
    put_back(escucha, copy)
    escucha.says("@marca ¿y los domingos?", who="late")
    escucha.round()
    assert paused(escucha)
    assert len(escucha.answers()) == 1
    with escucha.store.write() as tx:
        assert switch.resume(tx, network=None, by="eva", now=escucha.clock())
    for draft in escucha.drafts(DraftState.PROPOSED):  # while all is paused nothing goes out alone
        escucha.approve(draft)
    for _ in range(3):
        escucha.round()
    assert {draft.state for draft in escucha.drafts()} == {DraftState.SENT}
    assert len(escucha.answers()) == 2


@pytest.mark.parametrize(("minutes", "holds"), [(9, False), (11, True)])
def test_where_more_than_ten_minutes_are_missing_a_person_looks_first(
    escucha: Escucha, minutes: int, holds: bool
) -> None:
    copy = copied(escucha)
    escucha.clock.forward(minutes=minutes)
    put_back(escucha, copy)
    assert paused(escucha) == holds


def test_a_sign_of_life_of_who_went_on_working_is_nothing_that_was_known(escucha: Escucha) -> None:
    """Another server takes over under a daemon: what it does first is to say that it lives."""
    daemon = Daemon(escucha.main, tick=timedelta(seconds=1), version="test")
    daemon._alive()
    copy = copied(escucha)
    escucha.says("@marca ¿horario?")
    escucha.round(minutes=40)
    assert len(escucha.answers()) == 1
    put_in_place(escucha, copy)
    daemon._alive()
    assert paused(escucha)
    for _ in range(2):
        escucha.round()
    with escucha.store.write() as tx:
        assert switch.resume(tx, network=None, by="eva", now=escucha.clock())
    for draft in escucha.drafts(DraftState.PROPOSED):
        escucha.approve(draft)
    for _ in range(3):
        escucha.round()
    assert escucha.draft().state is DraftState.SENT
    assert len(escucha.answers()) == 1


def test_who_says_it_themselves_after_it_was_noticed_takes_nothing_back(escucha: Escucha) -> None:
    """The time that is lost counts from the first loss, however often it is said."""
    copy = copied(escucha)
    escucha.says("@marca ¿horario?")
    escucha.round(hours=2)
    put_back(escucha, copy)
    escucha.clock.forward(minutes=3)
    lives.begin(escucha.store, by="eva", now=escucha.clock())
    with escucha.store.write() as tx:
        switch.resume(tx, network=None, by="eva", now=escucha.clock())
    for _ in range(3):
        escucha.round()
    assert escucha.draft().state is DraftState.SENT
    assert len(escucha.answers()) == 1
    with escucha.store.read() as tx:
        lost = lives.lost(tx, mentions.get(tx, escucha.draft().mention_id).posted_at)
    assert lost is not None
    assert lost.began_at - lost.known_until > timedelta(hours=2)


def test_numbers_that_people_were_told_are_not_given_again(escucha: Escucha) -> None:
    copy = copied(escucha)
    escucha.says("@marca ¿horario?")
    escucha.round(**A_WHILE)
    with escucha.store.read() as tx:
        told = tx.exec_driver_sql("SELECT reference FROM cases").scalars().all()
    put_back(escucha, copy)
    for _ in range(3):
        escucha.round()
    with escucha.store.read() as tx:
        given = tx.exec_driver_sql("SELECT reference FROM cases").scalars().all()
    assert len(told) == len(given) == 1
    assert not set(told) & set(given)


def test_as_many_more_numbers_are_left_out_as_were_given_before(
    escucha: Escucha, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as many as in as long a time before; of what is spare besides there is next to nothing here."""
    monkeypatch.setattr(lives, "SPARE", 1)

    def asked(times: int, begun: int) -> None:
        for number in range(begun, begun + times):
            escucha.says(f"@marca ¿horario de la tienda {number}?", who=f"p{number}")
        escucha.round(minutes=2)

    def references() -> set[str]:
        with escucha.store.read() as tx:
            return set(tx.exec_driver_sql("SELECT reference FROM cases").scalars())

    asked(3, 0)
    copy, known = copied(escucha), references()
    asked(6, 3)
    told = references()
    put_back(escucha, copy)
    for _ in range(3):
        escucha.round()
    assert len(references()) == len(told) == 9
    assert references() & told == known


def test_a_database_that_stays_where_it_is_looks_for_nothing(escucha: Escucha) -> None:
    copied(escucha)
    escucha.network.fail("find_replies", Fault.AUTH_FAILED, times=100)
    escucha.says("@marca ¿horario?")
    escucha.round()
    lives.recognise(escucha.store, escucha.clock())
    escucha.says("@marca ¿y mañana?", who="berta")
    escucha.round()
    assert {draft.state for draft in escucha.drafts()} == {DraftState.SENT}
    with escucha.store.read() as tx:
        assert lives.lost(tx, escucha.clock() - timedelta(days=9)) is None
