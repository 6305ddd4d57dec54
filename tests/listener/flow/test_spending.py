"""Money in the flow: calls are written down, sources slow down, answers wait, deletions are followed to the last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors import sandbox
from connectors.sandbox import Fault
from listener.budget import Allowance
from listener.contract import Metered
from listener.desk.purse import Level, Purse
from listener.errors import Outage
from listener.flow.pipeline import Pipeline
from listener.store import audit, sources, spending
from listener.types import Author, Charge, DraftState, Facts
from tests.listener.flow.world import Escucha

PRICES = {"poll": 0.10, "post": 0.05, "look": 0.02, "reply": 0.50, "find": 0.30, "profile": 5.00}
ON_A_WEDNESDAY = datetime(2026, 11, 18, 6, tzinfo=UTC)


class Paid(sandbox.Sandbox, Metered):
    """The sandbox, at a price for every call, also for those that fail."""

    def __init__(self, settings: sandbox.Settings, facts: Facts, *, asks_who_we_are: bool = False) -> None:
        super().__init__(settings)
        self.facts = facts
        self._owed: list[Charge] = []
        self._known = not asks_who_we_are

    def _cost(self, call: str, units: int = 1) -> None:
        self._owed.append(Charge(call=call, units=units, usd=PRICES[call] * units))

    def charges(self) -> tuple[Charge, ...]:
        owed, self._owed = tuple(self._owed), []
        return owed

    def whoami(self) -> Author | None:
        if not self._known:
            self._known = True
            self._cost("profile")
        return super().whoami()

    def poll(self, *args: Any) -> Any:
        self._cost("poll")
        page = super().poll(*args)
        if page.posts:
            self._cost("post", len(page.posts))
        return page

    def recheck(self, external_ids: Any) -> Any:
        self._cost("look", len(external_ids))
        return super().recheck(external_ids)

    def reply(self, request: Any) -> Any:
        self._cost("reply")
        return super().reply(request)

    def find_reply(self, *args: Any) -> Any:
        self._cost("find")
        return super().find_reply(*args)


class PaidEscucha(Escucha):
    """Escucha on a network that costs money. `allowance` and `facts` may be set before `restart`."""

    allowance = Allowance()
    facts = sandbox.FACTS

    def pipeline(self, **given: Any) -> Pipeline:
        made = super().pipeline(**given)
        made.connections._connect = lambda _: Paid(sandbox.Settings(world=self.folder / "world.db"), self.facts)
        made.money.purses["care"] = Purse(self.store, "care", self.allowance, made.clock)
        return made

    def restart(self, **allowance: float) -> None:
        self.allowance = Allowance(**allowance)
        self.main = self.pipeline()
        self.main.start(self.wanted(), by="test")

    def wanted(self) -> list[sources.Wanted]:
        every = timedelta(seconds=10)
        return [
            sources.Wanted(name=f"source-{n}", account="care", network="sandbox", query=query, every=every)
            for n, query in enumerate(self.queries)
        ]

    def costs(self) -> dict[str, tuple[int, float]]:
        with self.store.read() as tx:
            return {c.call: (c.units, pytest.approx(c.usd)) for c in spending.calls(tx, "care", self.clock())}

    def spent_today(self) -> float:
        with self.store.read() as tx:
            return spending.by_day(tx, "care", self.clock())[0]

    def spends(self, usd: float) -> None:
        """Somebody else spent that much on the account today."""
        with self.store.write() as tx:
            spending.record(tx, "care", [Charge(call="other", units=1, usd=usd)], self.clock())

    def level(self) -> Level:
        with self.store.read() as tx:
            return self.main.money.purses["care"].standing(tx).level

    def source(self) -> sources.Source:
        with self.store.read() as tx:
            return sources.get(tx, "source-0")

    def levels(self) -> list[str]:
        with self.store.read() as tx:
            return [e.action for e in audit.about(tx, "account care")]


@pytest.fixture
def escucha(tmp_path: Path) -> Iterator[PaidEscucha]:
    made = PaidEscucha(tmp_path)
    made.clock.moment = ON_A_WEDNESDAY
    made.restart()
    yield made
    made.close()


def test_every_call_is_written_down_also_one_that_fails(escucha: PaidEscucha) -> None:
    escucha.says("@marca ¿a qué hora abrís?")
    escucha.main.poll()
    assert escucha.costs() == {"poll": (1, 0.10), "post": (1, 0.05)}
    escucha.network.fail("poll", Fault.UNAVAILABLE)
    escucha.clock.forward(seconds=11)
    escucha.main.poll()
    assert escucha.costs()["poll"] == (2, 0.20)
    escucha.main.digest()
    escucha.network.fail("reply", Fault.ANSWER_LOST)
    escucha.main.act()  # looks whether the question is still there, answers, hears nothing
    assert escucha.costs()["reply"] == (1, 0.50)
    assert escucha.costs()["look"] == (1, 0.02)
    escucha.clock.forward(seconds=30)
    escucha.main.act()  # looks for its answer
    assert escucha.costs()["find"] == (1, 0.30)


def test_asking_who_we_are_is_paid_but_makes_no_poll_dearer(escucha: PaidEscucha) -> None:
    escucha.restart(day=1_500.0)
    settings = sandbox.Settings(world=escucha.folder / "world.db")
    escucha.main.connections._connect = lambda _: Paid(settings, escucha.facts, asks_who_we_are=True)
    escucha.main.poll()
    assert escucha.costs() == {"profile": (1, 5.00), "poll": (1, 0.10)}
    assert escucha.source().poll_usd == pytest.approx(0.10)
    assert escucha.levels() == [], "nothing is slowed, and nothing said"


def test_each_utc_day_has_its_own_row_and_the_month_their_sum(escucha: PaidEscucha) -> None:
    escucha.clock.moment = datetime(2026, 11, 30, 23, 59, 55, tzinfo=UTC)
    escucha.spends(1.0)
    escucha.spends(0.5)
    with escucha.store.read() as tx:
        assert spending.by_day(tx, "care", escucha.clock()) == (1.5, 0.0, 1.5)
        assert spending.by_day(tx, "else", escucha.clock()) == (0.0, 0.0, 0.0)
    escucha.clock.forward(seconds=10)
    with escucha.store.read() as tx:
        assert spending.by_day(tx, "care", escucha.clock()) == (0.0, 1.5, 0.0)


def test_a_charge_that_the_database_did_not_take_is_kept_for_the_next_time(
    escucha: PaidEscucha, monkeypatch: pytest.MonkeyPatch
) -> None:
    purse = escucha.main.money.purses["care"]
    paid = Paid(sandbox.Settings(world=escucha.folder / "world.db"), sandbox.FACTS)
    paid.poll("mentions", None)
    with monkeypatch.context() as broken:
        broken.setattr(escucha.store, "write", lambda: (_ for _ in ()).throw(Outage("full")))
        purse.pay(paid)
    assert escucha.spent_today() == 0
    paid.poll("mentions", None)
    purse.pay(paid)
    assert escucha.spent_today() == pytest.approx(0.20)


def test_without_a_budget_nothing_is_slowed(escucha: PaidEscucha) -> None:
    for _ in range(20):
        escucha.round(seconds=10)
    assert escucha.costs()["poll"][0] == 20
    assert escucha.levels() == []


def test_a_day_of_polls_lasts_the_day_and_leaves_the_share_of_the_answers(escucha: PaidEscucha) -> None:
    escucha.clock.moment = ON_A_WEDNESDAY.replace(hour=0)
    escucha.restart(day=5.0)
    polled: list[datetime] = []
    while escucha.clock().date() == ON_A_WEDNESDAY.date():
        if any(page.waits is None for page in escucha.main.poll()):
            polled.append(escucha.clock())
        escucha.clock.forward(minutes=4)
    assert len(polled) in (39, 40, 41)  # 80 % of five dollars, ten cents each
    assert polled[-1].hour >= 22
    escucha.clock.moment = polled[-1]
    assert escucha.spent_today() <= 4.0 + 0.10
    assert escucha.levels()[0] == "money.slowed"


def test_reading_stops_and_goes_on_when_the_day_turns(escucha: PaidEscucha) -> None:
    escucha.restart(day=10.0)
    escucha.spends(8.0)
    (waits,) = escucha.main.poll()
    assert waits.waits == (
        "the money of the account care is spent: 8.00 of 10.00 USD today, of which reading may use 80%; "
        "more from 19 November, 00:00 UTC"
    )
    assert waits.error is None
    assert escucha.source().failures == 0
    assert escucha.main.poll(["source-0"])[0].waits  # not even when somebody asks for it
    assert "poll" not in escucha.costs()
    escucha.clock.moment = datetime(2026, 11, 19, 0, 0, 1, tzinfo=UTC)
    assert escucha.main.poll()[0].waits is None
    assert escucha.levels()[:2] == ["money.no reading", "money.enough"]


def test_answers_go_out_while_reading_has_stopped(escucha: PaidEscucha) -> None:
    escucha.says("@marca ¿a qué hora abrís?")
    escucha.main.poll()
    escucha.main.digest()
    escucha.restart(day=10.0)
    escucha.spends(8.5)
    assert escucha.main.poll(["source-0"])[0].waits
    assert [acted.sent for acted in escucha.main.act()] == [1]


def test_an_answer_waits_approved_until_there_is_money(escucha: PaidEscucha) -> None:
    escucha.says("@marca ¿a qué hora abrís?")
    escucha.main.poll()
    escucha.main.digest()
    escucha.restart(day=10.0)
    escucha.spends(9.5)
    (acted,) = escucha.main.act()
    assert acted.sent == 0
    assert acted.broke
    assert "9.65 of 10.00 USD today, of which sending may use 95%" in acted.broke
    assert escucha.draft().state is DraftState.APPROVED
    assert escucha.level() is Level.NO_SENDING
    assert not set(escucha.costs()) & {"reply", "look"}
    escucha.clock.forward(days=1)
    assert [acted.sent for acted in escucha.main.act()] == [1]


def test_an_unknown_outcome_stays_unknown_while_there_is_no_money_to_look(escucha: PaidEscucha) -> None:
    escucha.says("@marca ¿a qué hora abrís?")
    escucha.main.poll()
    escucha.main.digest()
    escucha.network.fail("reply", Fault.ANSWER_LOST)
    escucha.main.act()
    escucha.restart(day=10.0)
    escucha.spends(9.5)
    escucha.clock.forward(minutes=5)
    escucha.main.act()
    assert escucha.draft().state is DraftState.UNKNOWN
    escucha.clock.forward(days=1)
    escucha.main.act()
    assert escucha.draft().state is DraftState.SENT
    assert len(escucha.answers()) == 1


def test_deletions_that_the_network_wants_followed_are_followed_with_the_last_of_the_money(
    escucha: PaidEscucha,
) -> None:
    escucha.facts = replace(sandbox.FACTS, rechecks=((timedelta(days=90), timedelta(hours=20)),))
    escucha.restart(day=10.0)
    said = escucha.says("@marca ¿a qué hora abrís?")
    escucha.main.poll()
    escucha.clock.forward(hours=21)
    escucha.network.delete(said)
    escucha.spends(9.7)
    assert escucha.level() is Level.NO_SENDING
    assert escucha.main.recheck() == 1
    later = escucha.says("@marca ¿y mañana?")
    escucha.main.money.purses["care"].allowance = Allowance()
    escucha.main.poll(["source-0"])
    escucha.restart(day=10.0)
    escucha.clock.forward(hours=21)
    escucha.network.delete(later)
    escucha.spends(10.0)
    assert escucha.main.recheck() == 0  # nothing at all is left, and `status` says so loudly
    assert escucha.level() is Level.GONE


def test_usual_second_looks_stop_with_reading(escucha: PaidEscucha) -> None:
    said = escucha.says("@marca ¿a qué hora abrís?")
    escucha.main.poll()
    escucha.restart(day=10.0)
    escucha.spends(8.0)
    escucha.network.delete(said)
    escucha.clock.forward(minutes=11)
    assert escucha.main.recheck() == 0
    escucha.clock.forward(days=1)
    assert escucha.main.recheck() == 1


def test_a_raised_budget_wakes_what_waits_at_the_next_start(escucha: PaidEscucha) -> None:
    escucha.restart(day=1.0)
    escucha.main.poll()
    escucha.spends(1.0)
    escucha.clock.forward(hours=1)
    escucha.main.poll(["source-0"])
    assert escucha.source().next_poll_at == escucha.clock() + timedelta(hours=1)
    escucha.clock.forward(minutes=1)
    escucha.restart(day=1000.0)
    assert escucha.source().next_poll_at <= escucha.clock()
    assert escucha.main.poll()[0].waits is None


def test_a_level_is_said_once_in_every_process(escucha: PaidEscucha) -> None:
    escucha.restart(day=10.0)
    escucha.spends(8.0)
    for _ in range(3):
        escucha.main.poll(["source-0"])
        escucha.restart(day=10.0)
        escucha.main.recheck()
    assert escucha.levels() == ["money.no reading"]


def test_a_free_network_costs_no_transaction(escucha: PaidEscucha, monkeypatch: pytest.MonkeyPatch) -> None:
    free = sandbox.connect(sandbox.Settings(world=escucha.folder / "world.db"))
    purse = Purse(escucha.store, "care", Allowance(), escucha.clock)
    monkeypatch.setattr(escucha.store, "write", lambda: pytest.fail("it wrote"))
    monkeypatch.setattr(escucha.store, "read", lambda: pytest.fail("it read"))
    purse.pay(free)
    assert purse.slower() == 1
    for use in ("reading", "sending", "following"):
        assert purse.refusal(use) is None  # type: ignore[arg-type]
