"""Spikes: many more people than normal say that something is wrong, all at once. Pure; numpy.

The method is a scan over the windows that end now (5 minutes to two hours, in steps of five minutes) by the generalised
likelihood ratio of a negative binomial count against what is normal: Höhle and Paul, "Count data regression charts for
the monitoring of surveillance time series", Computational Statistics & Data Analysis 52 (2008); limited to such windows
as in Lai, J. R. Statist. Soc. B 57 (1995). The window with the highest ratio says when it began. What is normal comes
from `normal.py` (by hour of the week, robust as in Farrington et al. and Noufaily et al.). e to the minus ratio is
Chernoff's bound on the chance of such a count; the limit is that chance shared out among all keys and times of a month.

What is no spike: fewer people than `least` or than twice the expected; one person, or one text, many times
(counting.py); a time that was not listened to (left out, on both sides); and talk of which most is no trouble: what
jokes and campaigns bring beyond the normal of such talk is expected once more among the complaints.

`suspects` looks at the counts, `gather` at the mentions behind what it found: one event that shows in many keys is one
spike, and one that was told already is told as going on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, inf, log, log1p

import numpy as np

from listener.insight.counting import BUCKET, OTHER, Counts, Gap, Key, Said, begins, bucket
from listener.insight.normal import LEVELS, LOWEST, STEPS, WEEK, Flags, Floats, Normal, Rate, levels, slots
from listener.types import utc

LOOK = timedelta(hours=48)  # how far back `recent` must reach: where the level comes from
REACH = timedelta(hours=2)  # the longest window
QUIET = timedelta(hours=3)  # a spike that was not seen for so long is over; the next is a new one
_HOURS, _STEPS = int(LOOK / timedelta(hours=1)), int(REACH / BUCKET)
_LEAST_HISTORY = timedelta(days=2)  # of a network, before anything is said of it
_MONTH = timedelta(days=30) / BUCKET
_SHARED = 0.25  # of a spike's mentions, in a key beside it: then both are one event


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What is told. `least`: people, below which nothing is a spike; `times`: as many as expected; `monthly`: false
    alarms that chance may give in a month, over all keys together.
    """

    least: int = 6
    times: float = 2.0
    monthly: float = 0.25


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A key with far more people than normal since `onset`. `surprise`: the log of how unlikely, told from `limit`."""

    key: Key
    onset: datetime
    count: int
    expected: float
    scatter: float
    surprise: float
    limit: float
    least: int


@dataclass(frozen=True, kw_only=True)
class Driver:
    """One area, intent, place or network in a spike: people in it, and how many there would normally be."""

    kind: str
    name: str
    count: int
    expected: float


@dataclass(frozen=True, kw_only=True)
class Running:
    """A spike that was told before, dismissed or not: its key, all its keys, and when it was last found."""

    id: int
    key: Key
    keys: tuple[Key, ...]
    last: datetime


@dataclass(frozen=True, kw_only=True)
class Spike:
    """Something that many people say at once, told once.

    `count` people since `since` where `expected` are normal, for `key`; `chance`: at most so likely without a cause.
    `keys`: where else it shows, most surprising first. `mentions`: the ids behind all of them, oldest first. `drivers`:
    most above normal first. `days`: how many days of listening what is normal was learned from. `continues`: the id of
    the running spike that this one is, or None.
    """

    key: Key
    keys: tuple[Key, ...]
    since: datetime
    at: datetime
    count: int
    expected: float
    chance: float
    mentions: tuple[int, ...]
    drivers: tuple[Driver, ...]
    days: float
    continues: int | None


def suspects(
    normal: Normal, recent: Counts, now: datetime, *, gaps: Iterable[Gap] = (), watch: Watch | None = None
) -> list[Suspect]:
    """Every key with a spike in some window that ends now, the most surprising first.

    `recent`: counts by network of the last LOOK, of all keys that occurred; as of `now`, which may be within a bucket.
    Networks heard for less than two days are passed over.
    """
    watch = watch or Watch()
    counts = {key: rows for key, rows in recent.items() if _known(normal, key.network)}
    some = _busy(counts, bucket(now), watch.least)
    if not some:
        return []
    limit = log(max(len(normal.rates), 50) * _MONTH / watch.monthly)
    found = _Look(normal, counts, now, tuple(gaps)).over(some, limit)
    result = []
    for key, (count, expected, scatter) in found.items():
        ratio = surprises(count, expected, scatter)
        ratio[(count < watch.least) | (count < watch.times * expected)] = 0.0
        best = int(ratio.argmax())
        if ratio[best] >= limit:
            result.append(
                Suspect(
                    key=key,
                    onset=begins(bucket(now - timedelta(microseconds=1)) - best),
                    count=int(count[best]),
                    expected=float(expected[best]),
                    scatter=float(scatter[best]),
                    surprise=float(ratio[best]),
                    limit=limit,
                    least=watch.least,
                )
            )
    return sorted(result, key=lambda one: (-one.surprise, one.key))


def gather(
    found: Sequence[Suspect], said: Iterable[Said], now: datetime, normal: Normal, running: Iterable[Running] = ()
) -> list[Spike]:
    """The events behind suspects, the most surprising first: each with all its keys, mentions and drivers.

    `said`: the mentions since the earliest `onset`, in any order. A suspect of which nothing surprising is left without
    the mentions of an event belongs to that event; so does one that shares much with it and names nothing else.
    """
    heard = sorted((one for one in said if one.at <= now), key=lambda one: (one.at, one.id))
    behind = {one.key: {said.id for said in heard if said.at >= one.onset and one.key.fits(said)} for one in found}
    person = {one.id: one.person for one in heard}
    events: list[tuple[list[Suspect], set[int]]] = []
    left = list(found)
    while left:
        told = set().union(*(ids for _, ids in events)) if events else set()
        rest = [(_without(one, len({person[id] for id in behind[one.key] & told})), one) for one in left]
        surprise, first = max(rest, key=lambda pair: (pair[0], pair[1].surprise))
        left.remove(first)
        mine = behind[first.key]
        shared = [len(mine & ids) for _, ids in events]
        nearest = max(range(len(events)), key=shared.__getitem__, default=None)
        joins = nearest is not None and (
            surprise < first.limit
            or (first.key.beside(events[nearest][0][0].key) and shared[nearest] >= _SHARED * len(mine))
        )
        if joins and nearest is not None:
            events[nearest][0].append(first)
            if surprise >= first.limit:
                events[nearest][1].update(mine)
        else:
            events.append(([first], set(mine)))
    going = [one for one in running if now - one.last <= QUIET]
    by_id = {one.id: one for one in heard}
    return [
        _spike(one, [by_id[id] for id in sorted(ids, key=lambda id: (by_id[id].at, id))], now, normal, going)
        for one, ids in events
    ]


def surprises(count: Floats, expected: Floats, scatter: Floats) -> Floats:
    """The log of the likelihood ratio of negative binomial counts; 0 where they are not above what is expected."""
    expected = np.maximum(expected, 1e-9)
    many = np.maximum(count, 1e-9)
    ratio = many * np.log(many / expected) - (many + 1 / scatter) * np.log1p(
        scatter * (many - expected) / (1 + scatter * expected)
    )
    return np.where(count > expected, np.maximum(ratio, 0.0), 0.0)


def _known(normal: Normal, network: str) -> bool:
    since = normal.since.get(network)
    return since is not None and normal.until - since >= _LEAST_HISTORY


def _busy(counts: Counts, last: int, least: int) -> list[Key]:
    """The keys, without their network, that had enough people of late; all others cannot be spikes."""
    people: dict[Key, int] = {}
    for key, rows in counts.items():
        if key.intent != OTHER:
            whole = key._replace(network="")
            for number, count in reversed(rows):
                if number < last - _STEPS:
                    break
                people[whole] = people.get(whole, 0) + count
    return [key for key, count in people.items() if count >= least]


class _Look:
    """The last two days of some keys, beside what is normal for them."""

    def __init__(self, normal: Normal, counts: Counts, now: datetime, gaps: tuple[Gap, ...]) -> None:
        self.normal, self.counts = normal, counts
        last = bucket(now - timedelta(microseconds=1))
        self.buckets = np.arange(last + 1 - _HOURS * STEPS, last + 1)
        slot = slots(self.buckets, normal.zone)
        at = (slot + 0.5) / STEPS - 0.5  # rates are those of the middle of their hours, and change evenly between
        self.before, self.part = np.floor(at).astype(np.int64) % WEEK, at - np.floor(at)
        self.hour = int(slot[-1]) // STEPS
        self.share = np.ones(len(self.buckets))
        self.share[-1] = (utc(now) - begins(last)) / BUCKET
        self.networks = sorted({key.network for key in counts})
        self.heard = {network: self._listening(network, gaps) for network in self.networks}
        self.level: dict[tuple[str, bool], tuple[Floats, float]] = {}

    def over(self, some: Sequence[Key], limit: float) -> Mapping[Key, tuple[Floats, Floats, Floats]]:
        """By key: people, expected people and scatter in the windows that end now, the shortest first.

        The keys of `some` name no network; the result has each on every network, and all networks together. Left out is
        what does not reach the limit even where little is expected, so that quiet times cost little.
        """
        found: dict[Key, tuple[Floats, Floats, Floats]] = {}
        aside: dict[Key, tuple[Floats, Floats, Floats]] = {}
        for whole in some:
            if not self._may_reach(whole, limit):
                continue
            parts = []
            for network in self.networks:
                key, other = whole._replace(network=network), whole._replace(intent=OTHER, network=network)
                if other not in aside:
                    aside[other] = self._windows(other)
                seen, usual, scatter = self._windows(key)
                joke = _beyond(*aside[other])
                found[key] = (seen, usual + joke, scatter)
                parts.append(found[key])
            if len(parts) > 1:
                seen, usual = np.sum([part[0] for part in parts], axis=0), np.sum([part[1] for part in parts], axis=0)
                spread = np.sum([part[1] * np.sqrt(part[2]) for part in parts], axis=0) / np.maximum(usual, 1e-9)
                found[whole] = (seen, usual, spread**2)
        return found

    def _may_reach(self, whole: Key, limit: float) -> bool:
        """Whether any network, or all, could be told of: were its own level the lowest, and did nothing scatter."""
        seen, usual = np.zeros((len(self.networks) + 1, _STEPS)), np.zeros((len(self.networks) + 1, _STEPS))
        for row, network in enumerate(self.networks):
            key = whole._replace(network=network)
            rate = self.normal.rate(key)
            if rate is not None:
                level, _ = self._network_level(key)
                usual[row] = self._usual(rate, network, _STEPS) * level[-1] * LOWEST
                for number, people in reversed(self.counts.get(key, ())):
                    if number <= self.buckets[-1] - _STEPS:
                        break
                    if number <= self.buckets[-1]:
                        seen[row, number - self.buckets[-1] - 1] = people
                seen[row] *= self.heard[network][-_STEPS:]
        seen[-1], usual[-1] = seen.sum(axis=0), usual.sum(axis=0)
        count, expected = (np.cumsum(part[:, ::-1], axis=1) for part in (seen, usual))
        return bool((surprises(count, expected, np.full(count.shape, 0.01)) >= limit).any())

    def _windows(self, key: Key) -> tuple[Floats, Floats, Floats]:
        rate = self.normal.rate(key)
        if rate is None:
            nothing = np.zeros(_STEPS)
            return nothing, nothing + inf, nothing + 1.0
        level, doubt = self._network_level(key)
        seen, usual = self._seen(key), self._usual(rate, key.network)
        if key.area or key.place or key.intent not in ("", OTHER):
            own, own_doubt = _now(seen, usual * np.repeat(level, STEPS), LEVELS[1])
            factor, doubt = float(level[-1] * own), doubt + own_doubt
        else:
            factor = float(level[-1])
        windows = np.arange(1, _STEPS + 1)
        short = np.clip(np.log(STEPS / windows) / np.log(4), 0, 1)
        scatter = rate.scatter * self.normal.burst**short + float(rate.doubt[self.hour]) + doubt
        back = slice(-1, -_STEPS - 1, -1)
        return np.cumsum(seen[back]), np.cumsum(usual[back]) * factor, scatter

    def _network_level(self, key: Key) -> tuple[Floats, float]:
        known = (key.network, key.intent == OTHER)
        if known not in self.level:
            root = Key("", OTHER if key.intent == OTHER else "", "", key.network)
            rate = self.normal.rate(root)
            if rate is None:
                self.level[known] = np.ones(_HOURS), 1.0
            else:
                hours = (_hours(self._seen(root)), _hours(self._usual(rate, key.network)))
                level, doubt = levels(hours[0], hours[1], np.ones(hours[0].shape, dtype=bool), *LEVELS[0])
                self.level[known] = level[0], float(doubt[0, -1])
        return self.level[known]

    def _seen(self, key: Key) -> Floats:
        seen = np.zeros(len(self.buckets))
        rows = self.counts.get(key, ())
        if rows:
            numbers = np.array(rows, dtype=np.int64)
            place = numbers[:, 0] - self.buckets[0]
            inside = (place >= 0) & (place < len(seen))
            seen[place[inside]] = numbers[inside, 1]
        return seen * self.heard[key.network]

    def _usual(self, rate: Rate, network: str, last: int = _HOURS * STEPS) -> Floats:
        """What is normal for each bucket, or for the last ones."""
        before, part = self.before[-last:], self.part[-last:]
        people = (1 - part) * rate.hours[before] + part * rate.hours[(before + 1) % WEEK]
        return np.asarray(people / STEPS * self.share[-last:] * self.heard[network][-last:])

    def _listening(self, network: str, gaps: tuple[Gap, ...]) -> Flags:
        heard = self.buckets >= bucket(self.normal.since[network])
        for gap in gaps:
            if gap.network in ("", network):
                heard &= (self.buckets < bucket(gap.since)) | (self.buckets > bucket(gap.until - timedelta(seconds=1)))
        return np.asarray(heard)


def _hours(buckets: Floats) -> Floats:
    return np.asarray(buckets.reshape(1, -1, STEPS).sum(axis=2))


def _now(seen: Floats, usual: Floats, level: tuple[float, float]) -> tuple[float, float]:
    hours = _hours(seen)
    own, doubt = levels(hours, _hours(usual), np.ones(hours.shape, dtype=bool), *level)
    return float(own[0, -1]), float(doubt[0, -1])


def _beyond(seen: Floats, usual: Floats, scatter: Floats) -> Floats:
    """How many more people than normal talk without any trouble, beyond one standard deviation."""
    if not np.isfinite(usual).all():
        return np.zeros(len(seen))
    return np.asarray(np.maximum(seen - usual - np.sqrt(usual + scatter * usual**2), 0.0))


def _without(one: Suspect, people: int) -> float:
    """How surprising a suspect is without so many of its people."""
    count = one.count - people
    if count < one.least or count <= one.expected:
        return 0.0
    more = one.scatter * (count - one.expected) / (1 + one.scatter * one.expected)
    return count * log(count / max(one.expected, 1e-9)) - (count + 1 / one.scatter) * log1p(more)


def _spike(
    some: Sequence[Suspect], behind: Sequence[Said], now: datetime, normal: Normal, running: Sequence[Running]
) -> Spike:
    first = some[0]
    keys = tuple(one.key for one in some)
    same = [one for one in running if one.key in keys or first.key in one.keys or first.key.beside(one.key)]
    networks = {said.network for said in behind}
    heard = [normal.until - at for name, at in normal.since.items() if name in networks]
    return Spike(
        key=first.key,
        keys=keys,
        since=max(first.onset, min((said.at for said in behind), default=first.onset)),
        at=utc(now),
        count=first.count,
        expected=first.expected,
        chance=exp(-first.surprise),
        mentions=tuple(said.id for said in behind),
        drivers=_drivers(first, behind, now, normal),
        days=min(heard, default=timedelta()) / timedelta(days=1),
        continues=max(same, key=lambda one: one.last).id if same else None,
    )


def _drivers(first: Suspect, behind: Sequence[Said], now: datetime, normal: Normal) -> tuple[Driver, ...]:
    """What the mentions of a spike have in common, most above normal first."""
    people: dict[tuple[str, str], set[int]] = {}
    for said in behind:
        for kind, names in zip(Key._fields, (said.areas, said.intents, said.places, (said.network,)), strict=True):
            for name in names:
                people.setdefault((kind, name), set()).add(said.person)
    hours = max((now - first.onset) / timedelta(hours=1), 1 / STEPS)
    slot = int(slots(np.array([bucket(first.onset)]), normal.zone)[0]) // STEPS
    networks = [first.key.network] if first.key.network else sorted(normal.since)
    result = []
    for (kind, name), persons in people.items():
        key = Key()._replace(**{kind: name})
        rates = [normal.rate(key._replace(network=key.network or network)) for network in networks]
        if key.network and key.network not in networks:
            continue
        rates = rates[:1] if key.network else rates
        usual = sum(float(rate.hours[slot]) * hours for rate in rates if rate is not None)
        result.append(Driver(kind=kind, name=name, count=len(persons), expected=usual))
    return tuple(sorted(result, key=lambda one: (-(one.count - one.expected), one.kind, one.name)))
