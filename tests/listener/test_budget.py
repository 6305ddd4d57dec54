"""Waits: never shorter than asked, never longer than the ceiling, whatever a network or a clock says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener import budget

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SPANS = st.timedeltas(min_value=timedelta(milliseconds=1), max_value=timedelta(days=1))
ABSURD = st.none() | st.floats(allow_nan=True, allow_infinity=True)


@given(every=SPANS, more=st.booleans(), retry_after=ABSURD)
def test_the_next_poll_is_never_later_than_the_longest_wait(
    every: timedelta, more: bool, retry_after: float | None
) -> None:
    at = budget.next_poll(NOW, every=every, more=more, retry_after=retry_after)
    assert NOW <= at <= NOW + max(every, budget.CEILING)


@given(failures=st.integers(1, 10_000), every=SPANS, retry_after=ABSURD, dice=st.floats(0, 1))
def test_back_off_stays_between_nothing_and_the_ceiling(
    failures: int, every: timedelta, retry_after: float | None, dice: float
) -> None:
    at = budget.back_off(NOW, failures=failures, every=every, retry_after=retry_after, dice=dice)
    assert NOW < at <= NOW + budget.CEILING


@pytest.mark.parametrize(
    ("failures", "dice", "seconds"),
    [
        pytest.param(1, 1.0, 120, id="doubles"),
        pytest.param(2, 1.0, 240, id="and doubles again"),
        pytest.param(1, 0.0, 60, id="jitter takes up to half"),
        pytest.param(50, 1.0, 3600, id="no longer than an hour"),
    ],
)
def test_back_off_doubles_with_jitter(failures: int, dice: float, seconds: int) -> None:
    at = budget.back_off(NOW, failures=failures, every=timedelta(minutes=1), dice=dice)
    assert at == NOW + timedelta(seconds=seconds)


def test_a_named_wait_is_kept_where_it_is_longer() -> None:
    assert budget.next_poll(NOW, every=timedelta(seconds=5), more=True, retry_after=90) == NOW + timedelta(seconds=90)
    assert budget.next_poll(NOW, every=timedelta(seconds=5), more=True, retry_after=None) == NOW
    at = budget.back_off(NOW, failures=1, every=timedelta(seconds=5), retry_after=300, dice=1)
    assert at == NOW + timedelta(seconds=300)
