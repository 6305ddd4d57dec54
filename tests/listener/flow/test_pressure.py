"""More is heard than can be read: what addresses us comes first, what only finds slows down, nothing is dropped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import sandbox
from listener import budget
from listener.flow.pressure import Pressure, ratio
from listener.store import mentions, sources
from listener.types import MentionState, PostKind
from tests.listener.flow.world import Escucha

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Short(sandbox.Sandbox):
    """The sandbox network, two posts a page."""

    def __init__(self, settings: sandbox.Settings) -> None:
        super().__init__(settings.model_copy(update={"page_size": 2}))


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("listener.flow.pressure.FRESH", 0.0)


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(0, 1), (2, 1), (3, 1.5), (20, 10), (32, 16), (60 * 24, 16), (-5, 1)],
    ids=["nothing waits", "as it should", "a little", "more", "most", "no more than that", "a clock set back"],
)
def test_the_longer_the_oldest_waits_the_slower(minutes: float, expected: float) -> None:
    waiting = {"new": NOW - timedelta(minutes=minutes), "understood": NOW}
    assert ratio(waiting, NOW) == expected


def test_nothing_waits() -> None:
    assert ratio({}, NOW) == 1


@given(
    every=st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=1)),
    slower=st.floats(1, budget.MOST_PRESSED),
)
def test_a_slowed_poll_is_never_sooner_than_usual_nor_so_late_that_a_listing_runs_out(
    every: timedelta, slower: float
) -> None:
    later = budget.pressed_poll(NOW, every=every, ratio=slower) - NOW
    assert every <= later <= max(every, timedelta(minutes=15))


def due_in(escucha: Escucha, name: str) -> float:
    with escucha.store.read() as tx:
        return (sources.get(tx, name).next_poll_at - escucha.clock()).total_seconds()


@pytest.mark.usefixtures("fresh")
def test_what_only_finds_slows_down_and_what_addresses_us_does_not(tmp_path_factory: pytest.TempPathFactory) -> None:
    escucha = Escucha(tmp_path_factory.mktemp("pressed"), queries=("mentions", "fibra"))
    escucha.says("la fibra va lenta")
    escucha.says("@marca hola")
    escucha.main.poll()
    assert (due_in(escucha, "source-0"), due_in(escucha, "source-1")) == (10, 10)
    escucha.clock.forward(minutes=12)  # nobody reads
    escucha.says("otra vez la fibra")
    escucha.says("@marca otra vez")
    escucha.main.poll()
    assert due_in(escucha, "source-0") == 10
    assert due_in(escucha, "source-1") == 60
    escucha.clock.forward(minutes=1)
    escucha.says("y otra de la fibra")
    escucha.main.digest()  # caught up
    escucha.main.poll()
    assert due_in(escucha, "source-1") == 10
    escucha.main.digest()
    with escucha.store.read() as tx:
        found = mentions.recent(tx, limit=10)
    assert [each.state for each in found] == [MentionState.DECIDED] * 5, "none was dropped"
    escucha.close()


@pytest.mark.usefixtures("fresh")
def test_pages_that_wait_are_left_waiting_under_pressure(tmp_path_factory: pytest.TempPathFactory) -> None:
    escucha = Escucha(tmp_path_factory.mktemp("pages"), queries=("fibra",))
    escucha.main = escucha.pipeline(connector=Short)
    for number in range(5):
        escucha.says(f"la fibra va lenta {number}")
    escucha.main.poll()
    assert due_in(escucha, "source-0") <= 0, "more is waiting, so it is due at once"
    escucha.clock.forward(minutes=4)
    heard = escucha.main.poll()
    assert heard[0].saved.new
    assert due_in(escucha, "source-0") == 20
    escucha.close()


def test_what_addresses_us_is_read_first(tmp_path_factory: pytest.TempPathFactory) -> None:
    escucha = Escucha(tmp_path_factory.mktemp("first"), queries=("fibra", "mentions"))
    for number in range(70):
        escucha.says(f"la fibra va lenta {number}")
    escucha.says("@marca hola")
    escucha.main.poll()
    escucha.main.poll()
    escucha.main.reader.understand(limit=64)
    with escucha.store.read() as tx:
        (direct,) = [each for each in mentions.recent(tx, limit=100) if each.kind is not PostKind.FOUND]
        waiting = mentions.awaiting(tx, MentionState.NEW, 100)
    assert direct.state is MentionState.UNDERSTOOD
    assert waiting
    escucha.close()


@pytest.mark.usefixtures("fresh")
def test_it_is_said_once_when_it_begins_and_once_when_it_ends(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    escucha = Escucha(tmp_path_factory.mktemp("said"), queries=("fibra",))
    pressure = Pressure(escucha.store, escucha.clock)
    escucha.says("la fibra va lenta")
    escucha.main.poll()
    escucha.clock.forward(minutes=5)
    for _ in range(3):
        assert pressure.now() == pytest.approx(2.5, abs=0.1)
    escucha.main.digest()
    for _ in range(3):
        assert pressure.now() == 1
    said = "".join(capsys.readouterr())
    assert said.count("polls that only find slow down") == 1
    assert said.count("read again as it comes") == 1
    escucha.close()
