"""Two stretches of time of the same length compared, with how sure one may be. Pure.

Counts: the ratio of two rates, by the binomial that two Poisson counts give once their sum is known (Przyborowski and
Wilenski, 1940), with Wilson's interval (1927). People write in bursts, so a count scatters more than Poisson's; the
interval is widened by the square root of the scatter that the steps within the two stretches show (quasi-likelihood,
McCullagh and Nelder, 1989, 4.5). Shares: the difference of two proportions by Newcombe's method 10 (1998).

Both say how much differs, never why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

Z = 1.959964  # 95 %


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its 95 % interval. `sure`: whether the interval leaves out that nothing changed."""

    value: float
    low: float
    high: float
    sure: bool


def wilson(hits: float, of: float, z: float = Z) -> tuple[float, float]:
    """The interval of a share; from 0 to 1 where there is nothing to go by."""
    if of <= 0:
        return 0.0, 1.0
    share, square = hits / of, z * z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = z / (1 + square / of) * sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def scatter(*stretches: Sequence[int]) -> float:
    """How much more the steps of each stretch scatter about its mean than Poisson's would; never less than 1."""
    squares, freedom = 0.0, 0
    for steps in stretches:
        mean = sum(steps) / len(steps) if steps else 0.0
        if mean > 0:
            squares += sum((count - mean) ** 2 for count in steps) / mean
            freedom += len(steps) - 1
    return max(1.0, squares / freedom) if freedom else 1.0


def change_of_rate(before: Sequence[int], after: Sequence[int]) -> Estimate | None:
    """How much the count of as many steps changed: -0.5 is half of it, 1 twice. None where there was nothing before."""
    one, two = sum(before), sum(after)
    if one == 0:
        return None
    low, high = wilson(two, one + two, Z * sqrt(scatter(before, after)))
    return Estimate(value=two / one - 1, low=_odds(low) - 1, high=_odds(high) - 1, sure=not low <= 0.5 <= high)


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else inf


def change_of_share(before: tuple[int, int], after: tuple[int, int]) -> Estimate | None:
    """How much a share (hits, of) changed, in parts of the whole. None where one of them is of nothing."""
    if not before[1] or not after[1]:
        return None
    one, two = before[0] / before[1], after[0] / after[1]
    (low_1, high_1), (low_2, high_2) = wilson(*before), wilson(*after)
    difference = two - one
    low = difference - sqrt((two - low_2) ** 2 + (high_1 - one) ** 2)
    high = difference + sqrt((high_2 - two) ** 2 + (one - low_1) ** 2)
    return Estimate(value=difference, low=low, high=high, sure=not low <= 0 <= high)
