"""Spikes: many more people than normal say that something is wrong, all at once. Pure; numpy.

The method is a scan over the windows that end now (5 minutes to two hours, in steps of five minutes) by the generalised
likelihood ratio of a negative binomial count against what is normal: Höhle and Paul, "Count data regression charts for
the monitoring of surveillance time series", Computational Statistics & Data Analysis 52 (2008); limited to such windows
as in Lai, J. R. Statist. Soc. B 57 (1995). The window with the highest ratio says when it began. What is normal comes
from `normal.py` (by hour of the week, robust as in Farrington et al. and Noufaily et al.). e to the minus ratio is
Chernoff's bound on the chance of such a count; the limit grows with the number of keys that are looked at (`Watch`).

What is no spike: fewer people than `least` or than twice the expected; one person, or one text, many times
(counting.py); a time that was not listened to (left out, on both sides); and talk of which most is no trouble: what
jokes and campaigns bring beyond the normal of such talk is expected once more among the complaints.

`suspects` looks at the counts, `gather` at the mentions behind what it found: one event that shows in many keys is one
spike, and one that was told already is told as going on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, log

import numpy as np

from listener.insight.counting import BUCKET, OTHER, Counts, Gap, Key, Said, begins, bucket
from listener.insight.looking import LOOK, REACH, Look, surprises
from listener.insight.normal import STEPS, Normal, slots
from listener.types import utc

__all__ = ["LOOK", "QUIET", "REACH", "Driver", "Running", "Spike", "Suspect", "Watch", "gather", "suspects"]

QUIET = timedelta(hours=3)  # a spike that was not seen for so long is over; the next is a new one
_LEAST_HISTORY = timedelta(days=2)  # of a network, before anything is said of it
_SHARED = 0.25  # of a spike's mentions, in a key beside it: then both are one event


@dataclass(frozen=True, kw_only=True)
class Watch:
    """What is told. `least`: people, below which nothing is a spike; `times`: as many as expected.

    `surprise`: the log of the likelihood ratio that it takes where there are four keys of a sort (those that name one
    of area, intent and place; two of them; …). Where there are n times as many, log n is added, as Bonferroni would.
    8 was tuned on made-up traffic (benchmarks/spikes.py), where chance gives less than one false alarm in a month.
    """

    least: int = 8
    times: float = 2.0
    surprise: float = 8.0


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
    limits = _limits(normal, watch.surprise)
    around = Look(normal, counts, now, tuple(gaps))
    found = around.over([key for key in some if around.may_reach(key, limits[_named(key)])])
    result = []
    for key, (count, expected, scatter) in found.items():
        ratio = surprises(count, expected, scatter)
        ratio[(count < watch.least) | (count < watch.times * expected)] = 0.0
        best = int(ratio.argmax())
        limit = limits[_named(key)]
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


def _limits(normal: Normal, surprise: float) -> tuple[float, ...]:
    """From which surprise on a key is told, by how many of area, intent and place it names."""
    keys = Counter(_named(key) for key in normal.rates if key.intent != OTHER)
    return tuple(surprise + log(max(keys[named], 4) / 4) for named in range(4))


def _named(key: Key) -> int:
    """How many of area, intent and place a key names."""
    return bool(key.area) + bool(key.intent) + bool(key.place)


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
                if number < last - REACH // BUCKET:
                    break
                people[whole] = people.get(whole, 0) + count
    return [key for key, count in people.items() if count >= least]


def _without(one: Suspect, people: int) -> float:
    """How surprising a suspect is without so many of its people."""
    count = one.count - people
    if count < one.least:
        return 0.0
    return float(surprises(*(np.array([float(number)]) for number in (count, one.expected, one.scatter)))[0])


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
