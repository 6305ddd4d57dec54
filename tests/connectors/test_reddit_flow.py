"""Reddit through every stage, with clocks that are wrong: it knows no key, so only looking keeps us from repeating."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import policies
from connectors.reddit import FACTS
from listener import store as stores
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.store import Store, inbox, notices
from listener.store.inbox import Draft
from listener.store.notices import Variant
from listener.store.sources import Wanted
from listener.types import DraftState
from tests import databases
from tests.connectors.test_reddit import HERE, connected
from tests.listener.flow.world import AUTO, Clock, Keywords
from tests.servers.reddit import BRAND, RedditServer


class Desk:
    """A company that hears its mentions on Reddit, and whose clock is `ahead` of Reddit's."""

    def __init__(self, folder: Path, server: RedditServer, *, ahead: timedelta) -> None:
        self.clock = Clock()
        self.clock.moment += ahead
        self.ahead = ahead
        self.store: Store = stores.open(databases.at(folder))
        self.pipeline = Pipeline(
            self.store,
            accounts={"care": "reddit"},
            connect=lambda _: connected(server, now=lambda: datetime.now(UTC) + self.ahead, subreddit=HERE),
            network_facts=lambda _: FACTS,
            classifier=Keywords,
            policy=policies.load_text(AUTO),
            company=Company(case_pattern="ES", own_handles=frozenset()),
            clock=self.clock,
        )
        source = Wanted(
            name="mentions", account="care", network="reddit", query="mentions", every=timedelta(seconds=10)
        )
        self.pipeline.start([source], by="test")

    def round(self, **later: float) -> None:
        self.clock.forward(**(later or {"seconds": 11}))
        self.pipeline.once()

    def draft(self) -> Draft:
        with self.store.read() as tx:
            (only,) = inbox.waiting(tx, states=tuple(DraftState))
        return only

    def publish(self, text: str) -> None:
        variant = Variant(account="care", network="reddit", language="es", text=text, length=len(text), limit=10_000)
        now = self.clock()
        with self.store.write() as tx:
            notice = notices.draft(tx, title="Corte", variants=[variant], by="marta", now=now)
            notices.publish(tx, notices.approve(tx, notice, by="luis", now=now), by="marta", now=now)

    def states(self) -> list[str]:
        with self.store.read() as tx:
            return [str(each.deliveries[0].state) for each in notices.listing(tx)]


@pytest.fixture
def server() -> Iterator[RedditServer]:
    with RedditServer() as running:
        yield running


HOUR = timedelta(hours=1)


@pytest.mark.parametrize("ahead", [HOUR, -HOUR], ids=["fast", "slow"])
@pytest.mark.parametrize("fault", ["cut_after", "cut_before"])
def test_a_wrong_clock_says_no_answer_twice(server: RedditServer, tmp_path: Path, ahead: timedelta, fault: str) -> None:
    above = server.submit("moderadora", HERE, "Hilo diario", late=timedelta(days=1))
    server.comment("ana", above, f"u/{BRAND} ¿horario?")
    server.fail("POST /api/comment", fault)
    desk = Desk(tmp_path, server, ahead=ahead)
    desk.round()
    assert desk.draft().state is DraftState.UNKNOWN
    for _ in range(3):
        desk.round(minutes=10)
    assert desk.draft().state is DraftState.SENT
    assert len(server.said_by(BRAND)) == 1
    desk.store.close()


def test_a_clock_set_back_says_no_answer_twice(server: RedditServer, tmp_path: Path) -> None:
    above = server.submit("moderadora", HERE, "Hilo diario", late=timedelta(days=1))
    server.comment("ana", above, f"u/{BRAND} ¿horario?")
    server.fail("POST /api/comment", "cut_after")
    desk = Desk(tmp_path, server, ahead=HOUR)
    desk.round()
    desk.clock.moment -= HOUR
    desk.ahead -= HOUR
    for _ in range(3):
        desk.round(minutes=40)
    assert desk.draft().state is DraftState.SENT
    assert len(server.said_by(BRAND)) == 1
    desk.store.close()


@pytest.mark.parametrize("fault", ["cut_after", "cut_before"])
def test_a_notice_that_only_its_time_tells_waits_for_a_person_where_the_clocks_differ(
    server: RedditServer, tmp_path: Path, fault: str
) -> None:
    desk = Desk(tmp_path, server, ahead=HOUR)
    server.fail("POST /api/submit", fault)
    desk.publish("Hay un corte.")
    for _ in range(4):
        desk.round(minutes=10)
    assert desk.states() == ["unknown"]
    assert len(server.said_by(BRAND)) == (fault == "cut_after")
    desk.store.close()


def test_the_same_notice_said_before_is_not_taken_for_the_one_that_was_lost(
    server: RedditServer, tmp_path: Path
) -> None:
    desk = Desk(tmp_path, server, ahead=timedelta(0))
    desk.publish("Hay un corte.")
    desk.round()
    server.fail("POST /api/submit", "cut_before")
    desk.publish("Hay un corte.")
    desk.round()
    assert sorted(desk.states()) == ["sent", "unknown"]
    desk.round(minutes=4)
    assert len(server.said_by(BRAND)) == 1
    desk.round(minutes=5)
    assert desk.states() == ["sent", "sent"]
    assert len(server.said_by(BRAND)) == 2
    desk.store.close()
