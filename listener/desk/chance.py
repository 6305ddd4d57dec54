"""How much of a difference between two counts may be chance. Pure."""

from __future__ import annotations

from math import exp, lgamma, log, sqrt

_Z = 1.959963984540054  # the normal quantile for 95 %
_ALIKE = 1e-7  # probabilities that differ by less, relatively, are taken for equal: they are, but for rounding


def interval(hits: int, of: int) -> tuple[float, float]:
    """Between which shares (0..1) the true one lies, for 19 of 20 such counts: Wilson's score interval.

    `hits` of `of`; nothing is known of 0. From E. B. Wilson, "Probable inference, the law of succession, and
    statistical inference", Journal of the American Statistical Association 22 (1927), 209-212.
    """
    if of == 0:
        return 0.0, 1.0
    share, square = hits / of, _Z * _Z
    middle = share + square / (2 * of)
    reach = _Z * sqrt(share * (1 - share) / of + square / (4 * of * of))
    low, high = ((middle + sign * reach) / (1 + square / of) for sign in (-1, 1))
    return (0.0 if hits == 0 else max(low, 0.0)), (1.0 if hits == of else min(high, 1.0))


def by_chance(hits: int, of: int, other_hits: int, of_others: int) -> float:
    """How likely (0..1) chance alone gives two shares that differ so much or more: Fisher's exact test, two-sided.

    All ways to spread the hits over both sides that are no likelier than this one, added up. From R. A. Fisher, The
    Design of Experiments (1935), chapter II; two-sided as in R's `fisher.test`. Time grows with the smaller count.
    """
    every, all_hits = of + of_others, hits + other_hits
    least, most = max(0, all_hits - of_others), min(of, all_hits)

    def likely(number: int) -> float:  # the logarithm
        return _ways(of, number) + _ways(of_others, all_hits - number) - _ways(every, all_hits)

    limit = likely(hits) + _ALIKE
    one, total = likely(least), 0.0
    for number in range(least, most + 1):
        if one <= limit:
            total += exp(one)
        if number < most:  # to the next one, by the ratio of the two
            ratio = (of - number) * (all_hits - number) / ((number + 1) * (of_others - all_hits + number + 1))
            one += log(ratio)
    return min(total, 1.0)


def _ways(every: int, number: int) -> float:
    """The logarithm of how many ways there are to choose so many."""
    return lgamma(every + 1) - lgamma(number + 1) - lgamma(every - number + 1)
