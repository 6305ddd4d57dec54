"""What is normal for each key at each hour of the week, learned from weeks of counts. Pure; numpy.

- The rate of each hour of the week (in the company's time zone, so that a change of the clocks moves nothing) is the
  mean of past weeks, recent ones weighing more. Where a key has few counts, it is drawn towards its parent's shape (one
  town's towards the network's), a whole network's towards its hour of the day: a gamma prior on a Poisson rate (Gelman
  et al., Bayesian Data Analysis, 2.6), whose variance stays with the rate. So a new installation claims less.
- Past outbreaks are weighed down by their Anscombe residuals, as in Farrington et al., "A statistical algorithm for the
  early detection of outbreaks of infectious disease", J. R. Statist. Soc. A 159 (1996), with the threshold of 2.58 of
  Noufaily et al., Statistics in Medicine 32 (2013); so are days unlike all others (holidays, campaigns).
- How much counts scatter beyond chance is measured (negative binomial: variance = mean + scatter x mean²).
- The level of the last hours against what these hours should have had (`levels`) follows trends, holidays and campaigns
  that go on. What it follows is a network's whole talk, then the key's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.insight.counting import OTHER, Counts, Gap, Key, bucket

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]

WEEK = 168  # hours
STEPS = 12  # buckets in an hour
LAG = 2  # hours before now that are no part of the level: a spike must not hide itself
_FADES = timedelta(weeks=4)  # after which a week weighs half
_UNUSUAL = 2.58  # of Anscombe's residual; above, an hour weighs less
_LEAST_UNUSUAL = 5  # people in an hour, below which nothing is an outbreak
_UNLIKE = np.log(1.5)  # a day with so much more or less than its normal weighs less
_LIKE_PARENT = 11.0  # counts that the parent's shape is worth: rates differ from it by some 30 %
_LIKE_THE_DAY = 4.0  # of a network's hour of the week, its hour of the day: 50 %
_LIKE_ALL = 1.0  # of its hour of the day, its mean
_UNSEEN = 0.5  # what a key that never occurred is held to have had
_SCATTER, _SCATTER_WORTH = 0.08, 50.0  # what is held of the scatter before it is measured, and its worth in mean²
LOWEST, HIGHEST = 0.4, 8.0  # levels that are believed
LEVELS = ((25.0, 5.0), (40.0, 12.0))  # of a network's talk, then of a key: counts that "as ever" is worth; half-life, h


@dataclass(frozen=True)
class Rate:
    """What is normal for one key: people in an hour, for each hour of the week.

    `scatter`: by how much counts vary beyond chance (variance = mean + scatter x mean²). `doubt`: the relative variance
    of each rate. `total`: the counts it was learned from, recent ones weighing more.
    """

    hours: Floats
    doubt: Floats
    scatter: float
    total: float


@dataclass(frozen=True, kw_only=True)
class Normal:
    """What is normal for every key.

    `since`: by network, when listening began. `burst`: how many times more quarters of an hour scatter than hours do.
    """

    rates: Mapping[Key, Rate]
    since: Mapping[str, datetime]
    until: datetime
    zone: tzinfo
    burst: float

    def rate(self, key: Key) -> Rate | None:
        """What is normal for a key, also one that never occurred; None where its network was never heard."""
        known = self.rates.get(key)
        if known is not None or (above := parent(key)) is None:
            return known
        over = self.rate(above)
        if over is None:
            return None
        share = _UNSEEN / (over.total + _UNSEEN)
        return Rate(over.hours * share, over.doubt + 1 / _UNSEEN, over.scatter, _UNSEEN)


def parent(key: Key) -> Key | None:
    """The key whose shape a key's is drawn towards: without its place, its area or its intent; None of a network."""
    if key.place:
        return key._replace(place="")
    if key.area:
        return key._replace(area="")
    return key._replace(intent="") if key.intent not in ("", OTHER) else None


def learn(counts: Counts, *, until: datetime, zone: tzinfo, gaps: Iterable[Gap] = ()) -> Normal:
    """What was normal until a moment. `counts` by network (`counting.count`): of four to eight weeks, or what there is.

    Memory and time grow with keys times hours: 2,000 keys of eight weeks take some seconds. Once a day is enough.
    """
    first = min((rows[0][0] for rows in counts.values() if rows), default=bucket(until)) // STEPS
    hours = max(bucket(until) // STEPS - first, 0)
    began: dict[str, int] = {}
    for key, rows in counts.items():
        if rows:
            began[key.network] = min(began.get(key.network, rows[0][0]), rows[0][0])
    gone = tuple(gaps)
    heard = {name: _heard(first, hours, -(-began[name] // STEPS), name, gone) for name in sorted(began)}
    place = slots(np.arange(first, first + hours) * STEPS, zone) // STEPS
    learning = _Learning(first, hours, place, heard)
    wanted = set(counts)
    for key in counts:  # every parent, also where all its own rows are another's too
        above = parent(key)
        while above is not None and above not in wanted:
            wanted.add(above)
            above = parent(above)
    for depth in range(4):
        learning.fit([key for key in sorted(wanted) if _depth(key) == depth and key.network in heard], counts)
    since = {name: datetime.fromtimestamp(number * 300, tz=UTC) for name, number in began.items()}
    return Normal(rates=learning.rates, since=since, until=until, zone=zone, burst=_burst(learning, counts))


def slots(buckets: Numbers, zone: tzinfo) -> Numbers:
    """Which five minutes of the local week (0..2015, from Monday 0:00) each bucket is.

    A clock is looked at once for each hour: no zone changes its clocks in the middle of one.
    """
    hours = buckets // STEPS
    distinct, back = np.unique(hours, return_inverse=True)
    moments = [datetime.fromtimestamp(int(hour) * 3600, tz=UTC).astimezone(zone) for hour in distinct]
    starts = np.array([at.weekday() * 24 * STEPS + at.hour * STEPS + at.minute // 5 for at in moments], dtype=np.int64)
    return (starts[back] + buckets % STEPS) % (WEEK * STEPS) if len(distinct) else np.zeros(0, dtype=np.int64)


def levels(seen: Floats, normal: Floats, heard: Flags, worth: float, half: float) -> Floats:
    """For each row and hour, how far the hours before were above (or below) normal, 1 being as ever.

    `seen` and `normal` are people by row and hour. The last LAG hours before each are left out, and what was far above
    counts only in part, so that a spike does not hide the next one.
    """
    rows, count = seen.shape
    level = np.ones((rows, count))
    had, should, now = np.zeros(rows), np.zeros(rows), np.ones(rows)
    fades = 0.5 ** (1 / half)
    for hour in range(count - LAG):
        usual = normal[:, hour] * heard[:, hour]
        had = fades * had + np.minimum(seen[:, hour] * heard[:, hour], 2 * usual * now + 4)
        should = fades * should + usual
        now = np.clip((worth + had) / (worth + should), LOWEST, HIGHEST)
        level[:, hour + LAG] = now
    return level


def _depth(key: Key) -> int:
    depth, above = 0, parent(key)
    while above is not None:
        depth, above = depth + 1, parent(above)
    return depth


def _heard(first: int, hours: int, begin: int, network: str, gaps: Iterable[Gap]) -> Flags:
    """Which hours were listened to from end to end."""
    listening = np.arange(first, first + hours) >= begin
    for gap in gaps:
        if gap.network in ("", network):
            start, end = bucket(gap.since) // STEPS - first, (bucket(gap.until) - 1) // STEPS + 1 - first
            listening[max(start, 0) : max(end, 0)] = False
    return listening


class _Learning:
    """What is learned so far: parents before children, as these are drawn towards those."""

    def __init__(self, first: int, hours: int, place: Numbers, heard: Mapping[str, Flags]) -> None:
        self.first, self.hours, self.place, self.heard = first, hours, place, heard
        age = (hours - np.arange(hours)) / (_FADES / timedelta(hours=1))
        self.fresh = 0.5**age
        self.rates: dict[Key, Rate] = {}
        self.days: dict[Key, Floats] = {}  # how much each hour weighs, by the network's whole talk on its day
        self.levels: dict[Key, Floats] = {}

    def fit(self, keys: Sequence[Key], counts: Counts) -> None:
        """Learns keys of one depth, some hundreds at a time so that memory stays small."""
        for begin in range(0, len(keys), 400):
            some = keys[begin : begin + 400]
            if self.hours:
                self._fit(some, hourly(counts, some, self.first, self.hours))

    def _fit(self, some: Sequence[Key], seen: Floats) -> None:
        heard = np.stack([self.heard[key.network] for key in some])
        roots = [Key("", OTHER if key.intent == OTHER else "", "", key.network) for key in some]
        top = parent(some[0]) is None
        days = np.ones(seen.shape) if top else np.stack([self.days[root] for root in roots])
        weight = self.fresh * heard * days
        hours, doubt, total = self._rates(some, seen, weight)
        for _ in range(3):  # outbreaks are outbreaks against a normal that is without them
            usual = hours[:, self.place]
            if top:
                days = self._days(seen, usual, heard)
            weight = self.fresh * heard * days * _outbreaks(seen, usual, self._scatters(some))
            hours, doubt, total = self._rates(some, seen, weight)
        usual = hours[:, self.place]
        if top:
            level = levels(seen, usual, heard, *LEVELS[0])
        else:
            level = np.stack([self.levels[root] for root in roots])
            level = level * levels(seen, usual * level, heard, *LEVELS[1])
        scatter = self._scatter(some, seen, usual * level, weight / np.maximum(self.fresh, 1e-9))
        for row, key in enumerate(some):
            self.rates[key] = Rate(hours[row], doubt[row], float(scatter[row]), float(total[row]))
            if top:
                self.days[key], self.levels[key] = days[row], level[row]

    def _rates(self, some: Sequence[Key], seen: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
        """Rates of the 168 hours, their doubt, and the weighed total, of each row."""
        had, times = np.zeros((len(some), WEEK)), np.zeros((len(some), WEEK))
        np.add.at(had.T, self.place, (seen * weight).T)
        np.add.at(times.T, self.place, weight.T)
        total = had.sum(axis=1) + _UNSEEN
        if parent(some[0]) is None:
            mean = (total / np.maximum(times.sum(axis=1), 1.0))[:, None]
            day, day_times = (part.reshape(-1, 7, 24).sum(axis=1) for part in (had, times))
            like = np.tile((_LIKE_ALL + day) / (_LIKE_ALL / mean + day_times), (1, 7))
            worth, doubt = _LIKE_THE_DAY, 0.0 * like
        else:
            over = [self.rates[above] for key in some if (above := parent(key)) is not None]
            share = total / np.array([max(rate.total, 1.0) for rate in over])
            like = np.stack([rate.hours for rate in over]) * share[:, None]
            worth, doubt = _LIKE_PARENT, np.broadcast_to(1 / total[:, None], had.shape)
        hours = (worth + had) / (worth / np.maximum(like, 1e-9) + times)
        return hours, doubt + 1 / (worth + had), total

    def _days(self, seen: Floats, usual: Floats, heard: Flags) -> Floats:
        """How much each hour weighs: less where its whole day had far more, or far less, than such a day has."""
        day = (np.arange(self.hours) + self.place[0]) // 24 if self.hours else np.zeros(0, dtype=np.int64)
        weights = np.ones(seen.shape)
        for row in range(len(seen)):
            had = np.bincount(day, seen[row] * heard[row])
            should = np.bincount(day, usual[row] * heard[row])
            apart = np.abs(np.log((had + 10) / (should + 10)))
            weights[row] = (np.minimum(1.0, _UNLIKE / np.maximum(apart, 1e-9)) ** 2)[day]
        return weights

    def _scatters(self, some: Sequence[Key]) -> Floats:
        above = [parent(key) for key in some]
        return np.array([[self.rates[over].scatter if over is not None else _SCATTER] for over in above])

    def _scatter(self, some: Sequence[Key], seen: Floats, usual: Floats, weight: Floats) -> Floats:
        """By moments, drawn towards the parent's; the rates were fitted to the same weeks, which is allowed for."""
        weeks = weight.sum(axis=1) / WEEK
        fitted = np.where(weeks > 1.5, weeks / np.maximum(weeks - 1, 0.5), 3.0)
        beyond = (weight * ((seen - usual) ** 2 * fitted[:, None] - usual)).sum(axis=1)
        square = (weight * usual**2).sum(axis=1)
        drawn = (beyond + _SCATTER_WORTH * self._scatters(some)[:, 0]) / (square + _SCATTER_WORTH)
        return np.asarray(np.clip(drawn, 0.01, 3.0))


def hourly(counts: Counts, some: Sequence[Key], first: int, hours: int) -> Floats:
    """People by key and hour, from hour number `first` on."""
    seen = np.zeros((len(some), hours))
    for row, key in enumerate(some):
        rows = counts.get(key, ())
        if rows:
            numbers = np.array(rows, dtype=np.int64)
            hour = numbers[:, 0] // STEPS - first
            inside = (hour >= 0) & (hour < hours)
            seen[row] = np.bincount(hour[inside], numbers[inside, 1], minlength=hours)
    return seen


def _outbreaks(seen: Floats, usual: Floats, scatter: Floats) -> Floats:
    """How much each hour weighs: less, the further above normal it is (Farrington's weights)."""
    usual = np.maximum(usual, 1e-3)
    spread = np.sqrt(1 + scatter * usual)
    residual = 1.5 * (seen ** (2 / 3) - usual ** (2 / 3)) / usual ** (1 / 6) / spread
    strange = (residual > _UNUSUAL) & (seen >= _LEAST_UNUSUAL)
    return np.where(strange, (_UNUSUAL / np.maximum(residual, _UNUSUAL)) ** 2, 1.0)


def _burst(learning: _Learning, counts: Counts) -> float:
    """How much more quarters of an hour scatter than hours do, over all networks: 1 (no more) to 5."""
    quarters = whole = 0.0
    for key, level in learning.levels.items():
        if key.intent == OTHER:
            continue
        usual = learning.rates[key].hours[learning.place] * level
        weight = learning.heard[key.network] * learning.days[key]
        rows: NDArray[Any] = np.array(counts.get(key, ()), dtype=np.int64).reshape(-1, 2)
        quarter = rows[:, 0] // 3 - learning.first * 4
        inside = (quarter >= 0) & (quarter < learning.hours * 4)
        seen = np.bincount(quarter[inside], rows[inside, 1], minlength=learning.hours * 4).reshape(-1, 4)
        each = np.repeat(usual[:, None] / 4, 4, axis=1)
        fine = weight * (seen.sum(axis=1) < 2 * usual + 10)  # without the outbreaks
        quarters += float((fine[:, None] * ((seen - each) ** 2 - each)).sum() * 4)
        whole += float((fine * ((seen.sum(axis=1) - usual) ** 2 - usual)).sum())
    return float(np.clip(quarters / whole, 1.0, 5.0)) if whole > 0 and quarters > 0 else 1.0
