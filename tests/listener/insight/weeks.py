"""Weeks of counts for tests: gamma-Poisson by the hour of the local week."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np

from listener.insight.counting import Key, Said, begins, bucket

Rows = dict[Key, list[tuple[int, int]]]
DAYTIME = (1, 1, 1, 1, 1, 2, 4, 8, 14, 20, 22, 22, 20, 18, 16, 16, 18, 20, 22, 22, 20, 14, 6, 2)


def counts(
    shares: Mapping[Key, float],
    since: datetime,
    until: datetime,
    zone: tzinfo,
    *,
    seed: int = 1,
    level: Callable[[datetime], float] = lambda _: 1.0,
    scatter: float = 0.05,
    hours: tuple[float, ...] = DAYTIME,
) -> Rows:
    """People in each bucket for each key, at `share` times `hours` an hour; `level` may change that by the moment."""
    dice = np.random.default_rng(seed)
    numbers = range(bucket(since), bucket(until))
    noise = dice.gamma(1 / scatter, scatter, size=len(numbers) // 12 + 2)
    rates = []
    for number in numbers:
        at = begins(number)
        rates.append(hours[at.astimezone(zone).hour] / 12 * level(at) * noise[(number - numbers[0]) // 12])
    found: Rows = {}
    for key, share in shares.items():
        drawn = dice.poisson(np.array(rates) * share)
        found[key] = [(numbers[int(place)], int(drawn[place])) for place in np.flatnonzero(drawn)]
    return found


def lately(rows: Rows, now: datetime) -> Rows:
    """What `suspects` is given at a moment."""
    first, last = bucket(now - timedelta(hours=49)), bucket(now - timedelta(microseconds=1))
    return {key: [row for row in some if first <= row[0] <= last] for key, some in rows.items()}


def more(rows: Rows, key: Key, at: datetime, people: int) -> None:
    """That many people more at that moment."""
    some = dict(rows.get(key, ()))
    some[bucket(at)] = some.get(bucket(at), 0) + people
    rows[key] = sorted(some.items())


def said(number: int, at: datetime, **what: object) -> Said:
    """One complaint by somebody of their own."""
    told: dict[str, object] = {"person": number, "network": "x", "intents": ("complaint",), **what}
    return Said(id=number, at=at, **told)  # type: ignore[arg-type]


def day(number: int, hour: float = 0.0, *, month: int = 6) -> datetime:
    """A moment of 2026, in UTC."""
    return datetime(2026, month, 1, tzinfo=UTC) + timedelta(days=number - 1, hours=hour)
