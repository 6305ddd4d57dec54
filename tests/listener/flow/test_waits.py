"""No header and no clock keeps a source away for longer than its ceiling; trouble is said once, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from connectors import faults
from connectors.sandbox import Fault
from listener import budget
from listener.contract import Connector
from listener.store import sources
from listener.types import DraftState
from tests.listener.flow.world import Escucha

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EVERY = timedelta(seconds=60)
JUMPS = st.timedeltas(min_value=timedelta(days=-4000), max_value=timedelta(days=4000))
SECONDS = st.floats(-1e12, 1e12) | st.floats() | st.integers(-(10**20), 10**20)


def written(form: str, seconds: float, now: datetime) -> str:
    """A reset that far away, in one of the formats in use."""
    match form:
        case "unix":
            return f"{now.timestamp() + seconds:f}"
        case "milliseconds":
            return f"{(now.timestamp() + seconds) * 1000:.0f}"
        case "fractional":
            return f"{seconds:.7f}"
        case "iso":
            try:
                return (now + timedelta(seconds=seconds)).isoformat()
            except (OverflowError, ValueError):
                return "99999-01-01T00:00:00Z"
        case _:
            return f"{seconds}"


@settings(deadline=None)
@given(
    name=st.sampled_from(["Retry-After", "x-rate-limit-reset", "X-RateLimit-Reset", "RateLimit-Reset", "RateLimit"]),
    form=st.sampled_from(["unix", "milliseconds", "fractional", "iso", "plain"]),
    seconds=SECONDS,
    remaining=st.sampled_from(["0", "0.0", "5", "", "many", None]),
    skew=JUMPS,
    failures=st.integers(1, 50),
)
def test_whatever_a_header_says_the_next_call_comes_within_the_ceiling(
    name: str, form: str, seconds: float, remaining: str | None, skew: timedelta, failures: int
) -> None:
    headers: Mapping[str, str] = {name: written(form, seconds, NOW)}
    if remaining is not None:
        headers = {**headers, name.lower().replace("reset", "remaining"): remaining}
    clock = NOW + skew  # ours may be wrong by years
    refused = faults.seconds_to_wait(headers, now=clock)
    pause = faults.pause_after(headers, now=clock)
    at = budget.back_off(clock, failures=failures, every=EVERY, retry_after=refused)
    assert clock < at <= clock + budget.CEILING
    at = budget.next_poll(clock, every=EVERY, more=False, retry_after=pause)
    assert clock + EVERY <= at <= clock + budget.CEILING


@pytest.fixture(scope="module")
def escucha(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Escucha]:
    made = Escucha(tmp_path_factory.mktemp("waits"))
    yield made
    made.close()


def source(escucha: Escucha) -> sources.Source:
    with escucha.store.read() as tx:
        return sources.get(tx, "source-0")


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    jumps=st.lists(JUMPS, min_size=1, max_size=4), fault=st.sampled_from([None, Fault.UNAVAILABLE, Fault.RATE_LIMITED])
)
def test_a_clock_that_jumps_stalls_a_source_for_no_longer_than_the_ceiling(
    escucha: Escucha, jumps: list[timedelta], fault: Fault | None
) -> None:
    escucha.clock.moment = NOW
    escucha.main.poll(["source-0"])
    for jump in jumps:
        if fault:
            escucha.network.fail("whoami", fault, seconds=1e9)
        escucha.clock.moment = min(max(NOW + jump, NOW - timedelta(days=5000)), NOW + timedelta(days=5000))
        if not escucha.main.poll():
            escucha.clock.forward(hours=1, minutes=2)
            assert escucha.main.poll(), "it is not even looked at"


def test_a_source_says_once_that_it_fails_and_once_that_it_works_again(tmp_path: Path) -> None:
    escucha = Escucha(tmp_path)
    escucha.network.fail("poll", Fault.UNAVAILABLE, times=5)
    with capture_logs() as said:
        for _ in range(7):
            escucha.main.poll(["source-0"])
            escucha.clock.forward(minutes=1)
    changes = [each["action"] for each in said if each.get("action") in ("source_down", "source_up")]
    assert changes == ["source_down", "source_up"]
    escucha.close()


@pytest.mark.parametrize("fault", [Fault.AUTH_FAILED, Fault.REJECTED])
def test_what_a_person_must_mend_pauses_the_source_and_says_how(tmp_path: Path, fault: Fault) -> None:
    escucha = Escucha(tmp_path, queries=("mentions", "fibra"))
    escucha.network.fail("poll", fault)
    with capture_logs() as said:
        escucha.main.poll(["source-0"])
    (paused,) = [each for each in said if each.get("action") == "source_paused"]
    begins = "put the new token in place" if fault is Fault.AUTH_FAILED else "mend the source's query"
    assert paused["next_step"].startswith(begins)
    assert paused["next_step"].endswith(", then: escucha source resume source-0")
    assert source(escucha).paused
    escucha.clock.forward(days=3)
    assert [page.source for page in escucha.main.poll()] == ["source-1"]  # the others go on
    with escucha.store.write() as tx:
        sources.resume(tx, "source-0", by="test", now=escucha.clock())
    assert {page.source for page in escucha.main.poll()} == {"source-0"}
    escucha.close()


def test_a_resumed_source_is_asked_with_freshly_read_secrets(tmp_path: Path) -> None:
    escucha = Escucha(tmp_path)
    events: list[str] = []
    connect = escucha.main.connections._connect

    def connects(account: str) -> Connector:
        events.append(f"connects {account}")
        return connect(account)

    escucha.main.connections._connect = connects
    escucha.main._renew = lambda account: events.append(f"renews {account}")
    escucha.network.fail("poll", Fault.AUTH_FAILED)
    for _ in range(3):
        escucha.main.poll()
        escucha.clock.forward(minutes=1)
    assert events == ["connects care"]
    with escucha.store.write() as tx:
        sources.resume(tx, "source-0", by="test", now=escucha.clock())
    for _ in range(2):
        assert escucha.main.poll()
        escucha.clock.forward(minutes=1)
    assert events == ["connects care", "renews care", "connects care"]
    escucha.close()


def test_why_nothing_goes_out_stands_beside_what_waits(tmp_path: Path) -> None:
    escucha = Escucha(tmp_path)
    escucha.says("@marca todo mal")
    escucha.round()
    escucha.approve(escucha.draft())
    escucha.network.fail("recheck", Fault.AUTH_FAILED)
    escucha.main.act()
    assert escucha.draft().reason == "the sandbox no longer knows us"
    escucha.clock.forward(minutes=10)
    escucha.main.act()
    assert (escucha.draft().state, escucha.draft().reason) == (DraftState.SENT, None)
    escucha.close()
