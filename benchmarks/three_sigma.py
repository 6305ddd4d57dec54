"""What others ship: an hour with more than the mean of the last 14 days' hours and three standard deviations.

In four ways: of full hours, or of the last sixty minutes looked at every five; of all mentions, or of each area on each
network. Posts are counted, not people. The floor on counts is ours, or it would fire without end where little is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import numpy as np

from listener.insight.counting import BUCKET, Said, begins, bucket

HEARD = timedelta(minutes=3)  # the latest that a mention is heard after it was posted
_HOUR, _DAYS = 12, 14  # buckets; days
Way = Callable[[Sequence[Said], datetime, datetime, int], list[datetime]]


def heard(said: Said) -> datetime:
    """When a mention reaches us: the same delay for all ways of looking."""
    return said.at + HEARD * (said.person % 180) / 180


def _alarms(group: Callable[[Said], Iterable[object]], step: timedelta) -> Way:
    def alarms(said: Sequence[Said], since: datetime, until: datetime, least: int) -> list[datetime]:
        """The moments between the two at which anything alarms, in order."""
        first = bucket(since) // _HOUR * _HOUR - _DAYS * 24 * _HOUR
        steps = bucket(until) - first + 1
        series: dict[object, np.ndarray] = {}
        for one in said:
            place = bucket(heard(one)) - first
            if 0 <= place < steps:
                for name in group(one):
                    series.setdefault(name, np.zeros(steps))[place] += 1
        found = {number for counts in series.values() for number in _above(counts, step // BUCKET, least)}
        return [at for number in sorted(found) if since <= (at := begins(first + number)) <= until]

    return alarms


def _above(counts: np.ndarray, every: int, least: int) -> Iterable[int]:
    """The buckets at whose beginning the hour before was far above the mean of the 14 days before that hour."""
    span = _DAYS * 24
    hours = counts[: len(counts) // _HOUR * _HOUR].reshape(-1, _HOUR).sum(axis=1)
    buckets, sums, squares = (np.concatenate([[0.0], np.cumsum(part)]) for part in (counts, hours, hours**2))
    for end in range(span * _HOUR + _HOUR, len(counts), every):
        last = (end - _HOUR) // _HOUR
        mean = (sums[last] - sums[last - span]) / span
        spread = max((squares[last] - squares[last - span]) / span - mean**2, 0.0) ** 0.5
        count = buckets[end] - buckets[end - _HOUR]
        if count >= least and count > mean + 3 * spread:
            yield end


def _by_area(said: Said) -> Iterable[object]:
    return [(area, said.network) for area in said.areas or ("",)]


def _all(_: Said) -> Iterable[object]:
    return [""]


WAYS: dict[str, Way] = {
    "3 sigma: all, full hours": _alarms(_all, timedelta(hours=1)),
    "3 sigma: all, sliding hour": _alarms(_all, BUCKET),
    "3 sigma: area and network, full hours": _alarms(_by_area, timedelta(hours=1)),
    "3 sigma: area and network, sliding": _alarms(_by_area, BUCKET),
}
