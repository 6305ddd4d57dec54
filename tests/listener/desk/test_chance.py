"""How much of a difference may be chance: against what is printed in books, and against counting every way."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener.desk.chance import by_chance, interval


@pytest.mark.parametrize(
    ("counts", "odds"),
    [
        ((3, 4, 1, 4), 0.485714),  # the lady tasting tea
        ((8, 10, 1, 6), 0.034965),
        ((0, 0, 0, 0), 1.0),
        ((0, 50, 0, 70), 1.0),
        ((10, 10, 0, 10), 2 / comb(20, 10)),
    ],
)
def test_known_tables(counts: tuple[int, int, int, int], odds: float) -> None:
    assert by_chance(*counts) == pytest.approx(odds, abs=1e-6)


@given(st.integers(0, 30), st.integers(0, 30), st.data())
def test_every_way_is_counted(of: int, of_others: int, data: st.DataObject) -> None:
    hits, other = data.draw(st.integers(0, of)), data.draw(st.integers(0, of_others))
    whole = comb(of + of_others, hits + other)

    def ways(number: int) -> Fraction:
        return Fraction(comb(of, number) * comb(of_others, hits + other - number), whole)

    possible = range(max(0, hits + other - of_others), min(of, hits + other) + 1)
    exact = sum(one for one in map(ways, possible) if one <= ways(hits))
    assert by_chance(hits, of, other, of_others) == pytest.approx(float(exact), rel=1e-6)
    assert by_chance(other, of_others, hits, of) == pytest.approx(float(exact), rel=1e-6), (
        "whichever side is named first"
    )


def test_many_are_counted_too() -> None:
    assert by_chance(50_000, 100_000, 50_000, 100_000) == pytest.approx(1)
    assert by_chance(52_000, 100_000, 50_000, 100_000) < 1e-15


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (0, 10, 0, 0.2775),
        (10, 10, 0.7225, 1),
        (5, 10, 0.2366, 0.7634),
        (0, 0, 0, 1),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_known_intervals(hits: int, of: int, low: float, high: float) -> None:
    assert interval(hits, of) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10**7), st.floats(0, 1))
def test_an_interval_holds_what_was_seen(of: int, share: float) -> None:
    hits = round(of * share)
    low, high = interval(hits, of)
    assert 0 <= low <= hits / of <= high <= 1
