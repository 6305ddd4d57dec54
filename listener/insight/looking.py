"""The last two days beside what is normal: people, and expected people, in the windows that end now. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from listener.insight.counting import BUCKET, OTHER, Counts, Gap, Key, begins, bucket
from listener.insight.normal import LEVELS, LOWEST, STEPS, WEEK, Flags, Floats, Normal, Rate, levels, slots
from listener.types import utc

LOOK = timedelta(hours=48)  # how far back counts must reach: where the level comes from
REACH = timedelta(hours=2)  # the longest window
_HOURS, _STEPS = LOOK // timedelta(hours=1), REACH // BUCKET


class Windows(NamedTuple):
    """Of one key: people, expected people and their scatter in the windows that end now, the shortest first."""

    seen: Floats
    usual: Floats
    scatter: Floats


def surprises(count: Floats, expected: Floats, scatter: Floats) -> Floats:
    """The log of the likelihood ratio of negative binomial counts; 0 where they are not above what is expected."""
    expected = np.maximum(expected, 1e-9)
    many = np.maximum(count, 1e-9)
    more = scatter * (many - expected) / (1 + scatter * expected)
    ratio = many * np.log(many / expected) - (many + 1 / scatter) * np.log1p(np.maximum(more, 0.0))
    return np.where(count > expected, np.maximum(ratio, 0.0), 0.0)


class Look:
    """The last two days of all keys. `counts` by network, of networks that are known to `normal` only."""

    def __init__(self, normal: Normal, counts: Counts, now: datetime, gaps: Iterable[Gap]) -> None:
        self._normal, self._counts = normal, counts
        last = bucket(now - timedelta(microseconds=1))
        self._buckets = np.arange(last + 1 - _HOURS * STEPS, last + 1)
        slot = slots(self._buckets, normal.zone)
        at = (slot + 0.5) / STEPS - 0.5  # rates are those of the middle of their hours, and change evenly between
        self._before, self._part = np.floor(at).astype(np.int64) % WEEK, at - np.floor(at)
        self._hour = int(slot[-1]) // STEPS
        self._share = np.ones(len(self._buckets))
        self._share[-1] = (utc(now) - begins(last)) / BUCKET
        self._networks = sorted({key.network for key in counts})
        some = tuple(gaps)
        self._heard = {network: self._listening(network, some) for network in self._networks}
        self._levels: dict[Key, Floats] = {}

    def may_reach(self, whole: Key, limit: float) -> bool:
        """Whether a key (of no network) can be as surprising as that on any network, or on all of them.

        As if its own level were the lowest, and nothing scattered: a quick look, so that quiet times cost little.
        """
        seen, usual = np.zeros((2, len(self._networks) + 1, _STEPS))
        for row, network in enumerate(self._networks):
            key = whole._replace(network=network)
            rate = self._normal.rate(key)
            if rate is not None:
                usual[row] = self._usual([rate], [network], _STEPS)[0] * self._level(key)[-1] * LOWEST
                for number, people in reversed(self._counts.get(key, ())):
                    if number <= self._buckets[-1] - _STEPS:
                        break
                    if number <= self._buckets[-1]:
                        seen[row, number - self._buckets[-1] - 1] = people
                seen[row] *= self._heard[network][-_STEPS:]
        seen[-1], usual[-1] = seen.sum(axis=0), usual.sum(axis=0)
        count, expected = (np.cumsum(part[:, ::-1], axis=1) for part in (seen, usual))
        return bool((surprises(count, expected, np.full(count.shape, 0.01)) >= limit).any())

    def over(self, some: Sequence[Key]) -> Mapping[Key, Windows]:
        """The windows of keys (of no network) on each network, and on all together.

        What other talk than trouble brings beyond its own normal is expected of them too.
        """
        if not some:
            return {}
        asides = {whole._replace(intent=OTHER) for whole in some}
        each = self._windows([whole._replace(network=name) for whole in [*some, *asides] for name in self._networks])
        found: dict[Key, Windows] = {}
        for whole in some:
            parts = []
            for network in self._networks:
                key = whole._replace(network=network)
                if key in each:
                    aside = each.get(key._replace(intent=OTHER))
                    found[key] = each[key]._replace(usual=each[key].usual + _beyond(aside)) if aside else each[key]
                    parts.append(found[key])
            if len(parts) > 1:
                usual = np.sum([part.usual for part in parts], axis=0)
                spread = np.sum([part.usual * np.sqrt(part.scatter) for part in parts], axis=0)
                seen = np.sum([part.seen for part in parts], axis=0)
                found[whole] = Windows(seen, usual, (spread / np.maximum(usual, 1e-9)) ** 2)
        return found

    def _windows(self, keys: Sequence[Key]) -> dict[Key, Windows]:
        """Of those of which anything is known."""
        known = [(key, rate) for key in keys if (rate := self._normal.rate(key)) is not None]
        if not known:
            return {}
        rates = [rate for _, rate in known]
        seen = np.stack([self._seen(key) for key, _ in known])
        usual = self._usual(rates, [key.network for key, _ in known], len(self._buckets))
        level = np.stack([self._level(key) for key, _ in known])
        hours = _hours(seen)
        own = levels(hours, _hours(usual) * level, np.ones(hours.shape, dtype=bool), *LEVELS[1])[:, -1]
        whole = np.array([key == _root(key) for key, _ in known])
        factor = level[:, -1] * np.where(whole, 1.0, own)
        short = np.clip(np.log(STEPS / np.arange(1, _STEPS + 1)) / np.log(4), 0, 1)
        burst = self._normal.burst**short
        count, expected = (np.cumsum(part[:, : -_STEPS - 1 : -1], axis=1) for part in (seen, usual))
        return {
            key: Windows(count[row], expected[row] * factor[row], rate.scatter * burst + rate.doubt[self._hour])
            for row, (key, rate) in enumerate(known)
        }

    def _level(self, key: Key) -> Floats:
        """The level of all its network's talk, of trouble or of other talk, for each hour of the two days."""
        root = _root(key)
        if root not in self._levels:
            rate = self._normal.rate(root)
            if rate is None:
                self._levels[root] = np.ones(_HOURS)
            else:
                seen = _hours(self._seen(root)[None])
                usual = _hours(self._usual([rate], [root.network], len(self._buckets)))
                self._levels[root] = levels(seen, usual, np.ones(seen.shape, dtype=bool), *LEVELS[0])[0]
        return self._levels[root]

    def _seen(self, key: Key) -> Floats:
        seen = np.zeros(len(self._buckets))
        rows = self._counts.get(key, ())
        if rows:
            numbers = np.array(rows, dtype=np.int64)
            place = numbers[:, 0] - self._buckets[0]
            inside = (place >= 0) & (place < len(seen))
            seen[place[inside]] = numbers[inside, 1]
        return seen * self._heard[key.network]

    def _usual(self, rates: Sequence[Rate], networks: Sequence[str], last: int) -> Floats:
        """What is normal for each of the last buckets, by row."""
        before, part = self._before[-last:], self._part[-last:]
        hours = np.stack([rate.hours for rate in rates])
        people = (1 - part) * hours[:, before] + part * hours[:, (before + 1) % WEEK]
        heard = np.stack([self._heard[network][-last:] for network in networks])
        return np.asarray(people / STEPS * self._share[-last:] * heard)

    def _listening(self, network: str, gaps: tuple[Gap, ...]) -> Flags:
        heard = self._buckets >= bucket(self._normal.since[network])
        for gap in gaps:
            if gap.network in ("", network):
                last = bucket(gap.until - timedelta(seconds=1))
                heard &= (self._buckets < bucket(gap.since)) | (self._buckets > last)
        return np.asarray(heard)


def _root(key: Key) -> Key:
    return Key("", OTHER if key.intent == OTHER else "", "", key.network)


def _hours(buckets: Floats) -> Floats:
    return np.asarray(buckets.reshape(len(buckets), -1, STEPS).sum(axis=2))


def _beyond(aside: Windows) -> Floats:
    """How many more people than normal talk without any trouble, beyond one standard deviation."""
    spread = np.sqrt(aside.usual + aside.scatter * aside.usual**2)
    return np.asarray(np.maximum(aside.seen - aside.usual - spread, 0.0))
