"""Accounts left in peace: until when, how often they failed, and what a clock that was set back makes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from listener import budget
from listener.flow.holds import Holds

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_it_is_left_in_peace_until_then_and_the_others_are_not() -> None:
    holds = Holds()
    holds.hold("care", NOW + timedelta(minutes=1))
    assert holds.holds("care", NOW)
    assert not holds.holds("care", NOW + timedelta(minutes=1))
    assert not holds.holds("sales", NOW)


def test_a_clock_that_was_set_back_does_not_make_it_last() -> None:
    holds = Holds()
    holds.hold("care", NOW + timedelta(minutes=1))
    assert not holds.holds("care", NOW - timedelta(hours=1)), "it would be 61 minutes"
    holds.hold("care", NOW + budget.CEILING)
    assert holds.holds("care", NOW), "the longest there is"


def test_what_is_lifted_is_tried_at_once_and_its_failures_count_on() -> None:
    holds = Holds()
    assert [holds.failed("care"), holds.failed("care")] == [1, 2]
    holds.hold("care", NOW + timedelta(minutes=1))
    holds.lift("care")
    assert not holds.holds("care", NOW)
    assert (holds.failures("care"), holds.failures("sales")) == (2, 0)
    assert (holds.worked("care"), holds.worked("care")) == (2, 0)
