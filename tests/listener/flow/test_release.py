"""Notices that go out by themselves: once, in time, and not at all where something stands against it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from connectors.sandbox import Fault
from listener.desk import clearance, resuming, scheduling
from listener.desk.resuming import Fate
from listener.desk.scheduling import Standing
from listener.desk.stopping import Scope
from listener.errors import AlreadyDone, Mistake
from listener.flow.release import Means, release
from listener.store import incidents, notices, scheduled, switch
from listener.store import tables as t
from listener.store.notices import Notice, Variant
from listener.types import IncidentState, LinkCheck, LinkState, NoticeKind, SendKind
from tests.at_once import at_once
from tests.listener.flow.world import Escucha

LATE = timedelta(minutes=30)
TEXTS = ("Hay un corte: https://marca.example/corte", "There is an outage.")


def written(
    escucha: Escucha, *, kind: NoticeKind = NoticeKind.NOTICE, approved: bool = True, texts: Sequence[str] = TEXTS
) -> Notice:
    """A notice that is due in an hour."""
    now = escucha.clock()
    variants = [
        Variant(account="care", network="sandbox", language=f"l{at}", text=text, length=len(text), limit=500)
        for at, text in enumerate(texts)
    ]
    with escucha.store.write() as tx:
        notice = notices.draft(tx, title="Corte", variants=variants, kind=kind, by="marta", now=now)
        notice = schedule(tx, notice, escucha)
        return notices.approve(tx, notice, by="luis", now=now) if approved else notice


def schedule(tx: object, notice: Notice, escucha: Escucha, hours: float = 1) -> Notice:
    due_at = escucha.clock() + timedelta(hours=hours)
    return scheduled.schedule(
        tx,  # type: ignore[arg-type]
        notice,
        due_at=due_at,
        zone="Europe/Madrid",
        late_after=due_at + LATE,
        by="marta",
        now=escucha.clock(),
    )


def found(escucha: Escucha, number: int = 1) -> Notice:
    with escucha.store.read() as tx:
        return notices.get(tx, number)


def said(escucha: Escucha) -> list[str]:
    return [str(row["text"]) for row in escucha.network.posts_by("marca")]


def standing(escucha: Escucha) -> Standing:
    return scheduling.standing(found(escucha), escucha.clock())


def check(state: LinkState, detail: str = "") -> tuple[list[str], Callable[[Sequence[str]], list[LinkCheck]]]:
    """Something that follows links and always finds the same; and what it was asked."""
    asked: list[str] = []

    def follow(urls: Sequence[str]) -> list[LinkCheck]:
        asked.extend(urls)
        return [LinkCheck(url=url, state=state, detail=detail) for url in urls]

    return asked, follow


def test_it_goes_out_when_its_time_has_come_and_not_before(escucha: Escucha) -> None:
    written(escucha)
    assert standing(escucha) is Standing.AHEAD
    escucha.round(minutes=59)
    assert said(escucha) == []
    escucha.round(minutes=1)
    assert said(escucha) == list(TEXTS)
    notice = found(escucha)
    assert (notice.state, notice.published_by) == ("published", "daemon")
    assert standing(escucha) is Standing.DONE
    escucha.round(hours=1)
    assert said(escucha) == list(TEXTS)


def test_of_many_daemons_one_lets_it_go_out(escucha: Escucha) -> None:
    written(escucha)
    escucha.clock.forward(minutes=61)
    came = at_once(*(lambda: release(escucha.store, Means(), clock=escucha.clock) for _ in range(6)))
    assert sorted(came, key=str) == [0, 0, 0, 0, 0, 1]
    at_once(*(escucha.pipeline().act for _ in range(3)))
    escucha.round()
    assert sorted(said(escucha)) == sorted(TEXTS)


@pytest.mark.parametrize(("minutes", "out"), [(60, True), (89, True), (90, False), (600, False)])
def test_what_became_due_while_nothing_ran_goes_out_late_only_within_reason(
    escucha: Escucha, minutes: int, out: bool
) -> None:
    written(escucha)
    escucha.round(minutes=minutes)
    assert bool(said(escucha)) is out
    with escucha.store.read() as tx:
        stale = [each.id for each in scheduled.stale(tx, escucha.clock())]
    assert stale == ([] if out else [1])
    assert scheduling.stale(found(escucha), escucha.clock()) is not out
    if not out:
        escucha.round(hours=5)
        assert said(escucha) == []
        with escucha.store.write() as tx:
            notices.publish(tx, notices.get(tx, 1), by="marta", now=escucha.clock())
        escucha.round()
        assert said(escucha) == list(TEXTS)


@pytest.mark.parametrize(
    ("network", "kind"), [(None, None), ("sandbox", None), (None, SendKind.NOTICE), ("sandbox", SendKind.SCHEDULED)]
)
def test_a_pause_holds_it_and_nothing_slips_out_when_that_ends_late(
    escucha: Escucha, network: str | None, kind: SendKind | None
) -> None:
    written(escucha)
    with escucha.store.write() as tx:
        switch.pause(tx, network=network, kind=kind, by="boss", reason="", now=escucha.clock())
    escucha.round(minutes=61)
    notice = found(escucha)
    assert (notice.state, notice.held) == ("approved", scheduled.PAUSED)
    escucha.round(minutes=40)
    with escucha.store.write() as tx:
        switch.resume(tx, network=network, kind=kind, by="boss", now=escucha.clock())
    escucha.round()
    assert said(escucha) == []
    assert standing(escucha) is Standing.STALE


def test_a_short_pause_only_delays_it(escucha: Escucha) -> None:
    written(escucha)
    with escucha.store.write() as tx:
        switch.pause(tx, network=None, by="boss", reason="", now=escucha.clock())
    escucha.round(minutes=61)
    with escucha.store.write() as tx:
        switch.resume(tx, network=None, by="boss", now=escucha.clock())
    escucha.round()
    assert said(escucha) == list(TEXTS)
    assert found(escucha).held is None


def test_what_began_to_go_out_and_was_cut_short_is_not_finished_hours_later_unasked(escucha: Escucha) -> None:
    written(escucha)
    escucha.network.fail("publish", Fault.SLOW, seconds=0)
    escucha.network.fail("publish", Fault.RATE_LIMITED, seconds=60)
    escucha.round(minutes=61)
    assert said(escucha) == list(TEXTS[:1])
    assert found(escucha).state == "publishing"
    escucha.network.heal()
    escucha.round(hours=3)
    assert said(escucha) == list(TEXTS[:1])
    assert standing(escucha) is Standing.STALE
    with escucha.store.write() as tx:
        notices.go_on(tx, notices.get(tx, 1), by="marta", now=escucha.clock())
    escucha.round()
    assert said(escucha) == list(TEXTS)


def test_another_time_keeps_the_approval_and_no_time_waits_for_a_person(escucha: Escucha) -> None:
    notice = written(escucha)
    with escucha.store.write() as tx:
        moved = schedule(tx, notice, escucha, hours=3)
    assert moved.state == "approved"
    escucha.round(minutes=61)
    assert said(escucha) == []
    with escucha.store.write() as tx:
        scheduled.unschedule(tx, moved, by="marta", now=escucha.clock())
    escucha.round(hours=3)
    assert said(escucha) == []
    assert standing(escucha) is Standing.UNSCHEDULED


def test_whoever_looked_before_it_was_moved_cannot_let_it_go_out(escucha: Escucha) -> None:
    """A daemon that read the old time, and a person who gave it another meanwhile."""
    notice = written(escucha)
    escucha.clock.forward(minutes=61)
    with escucha.store.write() as tx:
        schedule(tx, notice, escucha, hours=2)
    with escucha.store.write() as tx:
        assert scheduled.begin(tx, notice, escucha.clock()) is False
    assert found(escucha).state == "approved"


def test_a_draft_never_goes_out_by_itself(escucha: Escucha) -> None:
    written(escucha, approved=False)
    escucha.round(minutes=61)
    assert standing(escucha) is Standing.DUE
    escucha.round(hours=1)
    assert said(escucha) == []
    assert standing(escucha) is Standing.STALE


def test_nothing_but_what_was_approved_goes_out(escucha: Escucha) -> None:
    """Whatever changes the row, by whichever way, unmakes the approval."""
    written(escucha)
    with escucha.store.write() as tx:
        tx.execute(update(t.deliveries).where(t.deliveries.c.language == "l1").values(text="All is well!"))
    escucha.round(minutes=61)
    notice = found(escucha)
    assert (said(escucha), notice.state, notice.held) == ([], "approved", scheduled.CHANGED)
    with escucha.store.write() as tx, pytest.raises(Mistake, match="is not what luis approved any more"):
        notices.publish(tx, notice, by="marta", now=escucha.clock())
    with escucha.store.write() as tx, pytest.raises(Mistake, match="somebody else must approve it"):
        notices.approve(tx, notice, by="marta", now=escucha.clock())
    with escucha.store.write() as tx:
        notices.approve(tx, notice, by="eva", now=escucha.clock())
    escucha.round()
    assert said(escucha) == [TEXTS[0], "All is well!"]
    with escucha.store.write() as tx, pytest.raises(AlreadyDone):
        notices.approve(tx, notice, by="eva", now=escucha.clock())


def test_a_link_that_broke_holds_it_until_it_leads_somewhere(escucha: Escucha) -> None:
    written(escucha)
    escucha.clock.forward(minutes=61)
    asked, broken = check(LinkState.BROKEN, "is not there (404)")
    for _ in range(3):
        assert release(escucha.store, Means(check_links=broken), clock=escucha.clock) == 0
        escucha.clock.forward(seconds=5)
    assert asked == ["https://marca.example/corte"]  # not at every tick
    assert found(escucha).held == "the link https://marca.example/corte is not there (404)"
    with escucha.store.read() as tx:  # where nobody follows links any more, what came of them says nothing
        notice = notices.get(tx, 1)
    assert clearance.obstacles(notice, {}, {}, follows_links=False) == []
    escucha.clock.forward(minutes=2)
    _, fine = check(LinkState.DOUBTFUL, "is in trouble just now (503)")
    assert release(escucha.store, Means(check_links=fine), clock=escucha.clock) == 1
    notice = found(escucha)
    assert (notice.state, notice.held) == ("publishing", None)
    assert [(each.state, each.detail) for each in notice.links] == [
        (LinkState.DOUBTFUL, "is in trouble just now (503)")
    ]


def test_it_waits_where_the_money_does_not_reach_for_all_of_it(escucha: Escucha) -> None:
    written(escucha)
    escucha.clock.forward(minutes=61)
    poor = Means(
        prices=lambda _: {"care": lambda text, _pictures: 0.2 if "http" in text else 0.015},
        left=lambda _tx, _notice: {"care": 0.21},
    )
    assert release(escucha.store, poor, clock=escucha.clock) == 0
    assert found(escucha).held == "it costs 0.215 USD on care, which may spend 0.21 USD now"
    enough = replace(poor, left=lambda _tx, _notice: {"care": 0.215})
    assert release(escucha.store, enough, clock=escucha.clock) == 1


def test_cheer_waits_while_an_incident_holds_it(escucha: Escucha) -> None:
    written(escucha, kind=NoticeKind.CHEER, texts=("¡Feliz viernes!",))
    with escucha.store.write() as tx:
        incident = incidents.open(
            tx, title="Corte", by="ana", now=escucha.clock(), began_at=escucha.clock(), holds_cheer=True
        )
    escucha.round(minutes=61)
    assert said(escucha) == []
    assert "holds cheer back" in str(found(escucha).held)
    with escucha.store.write() as tx:
        fresh = incidents.get(tx, incident.id)
        incidents.record(
            tx, fresh, "state", by="ana", now=escucha.clock(), became={"state": IncidentState.RESOLVED.value}
        )
    escucha.round()
    assert said(escucha) == ["¡Feliz viernes!"]


def test_cheer_that_began_to_go_out_stops_when_an_incident_begins(escucha: Escucha) -> None:
    written(escucha, kind=NoticeKind.CHEER, texts=("¡Feliz viernes!", "Happy Friday!"))
    escucha.network.fail("publish", Fault.SLOW, seconds=0)
    escucha.network.fail("publish", Fault.RATE_LIMITED, seconds=60)
    escucha.round(minutes=61)
    assert said(escucha) == ["¡Feliz viernes!"]
    escucha.network.heal()
    now = escucha.clock()
    with escucha.store.write() as tx:
        incidents.open(tx, title="Corte", by="ana", now=now, began_at=now)
    escucha.round(minutes=5)
    assert said(escucha) == ["¡Feliz viernes!"]


@pytest.mark.parametrize(
    ("fate", "state", "out"),
    [(Fate.SEND, "published", True), (Fate.DROP, "withdrawn", False), (Fate.REVIEW, "approved", False)],
)
def test_resuming_asks_about_what_was_to_go_out_meanwhile(escucha: Escucha, fate: Fate, state: str, out: bool) -> None:
    written(escucha)
    everything = [Scope(network=None, kind=None)]
    with escucha.store.write() as tx:
        switch.pause(tx, network=None, by="boss", reason="", now=escucha.clock())
    escucha.round(minutes=120)
    now = escucha.clock()
    with escucha.store.write() as tx:
        assert [each.number for each in resuming.stale(tx, everything, now=now)] == ["N1"]
        resuming.resume(tx, everything, fates={"N1": fate}, by="boss", now=now)
    for _ in range(3):
        escucha.round()
    assert bool(said(escucha)) is out
    assert found(escucha).state == state


@pytest.mark.parametrize(("fate", "out"), [(Fate.SEND, 2), (Fate.REVIEW, 1)])
def test_resuming_asks_about_the_rest_of_what_was_cut_short(escucha: Escucha, fate: Fate, out: int) -> None:
    written(escucha)
    escucha.network.fail("publish", Fault.SLOW, seconds=0)
    escucha.network.fail("publish", Fault.RATE_LIMITED, seconds=60)
    escucha.round(minutes=61)
    with escucha.store.write() as tx:
        switch.pause(tx, network=None, by="boss", reason="", now=escucha.clock())
    escucha.network.heal()
    escucha.round(minutes=5 if fate is Fate.REVIEW else 50)
    everything, now = [Scope(network=None, kind=None)], escucha.clock()
    with escucha.store.write() as tx:
        found_stale = {each.number: fate for each in resuming.stale(tx, everything, now=now)} or {"N1": fate}
        resuming.resume(tx, everything, fates=found_stale, by="boss", now=now)
        if fate is Fate.REVIEW and notices.get(tx, 1).state == "publishing":
            notices.hold_back(tx, notices.get(tx, 1), by="boss", now=now)
    for _ in range(3):
        escucha.round()
    assert len(said(escucha)) == out
