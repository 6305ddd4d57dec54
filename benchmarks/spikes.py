"""How soon incidents are found, how many are missed, and how many false alarms there are: ours, and mean + 3 sigma.

    python -m benchmarks.spikes [--seeds 101,102,103] [--history 42] [--quiet 28] [--sizes 0.5,1,2]

For each company and seed of `benchmarks.traffic`: weeks of history, then weeks without any incident, looked at every
five minutes; each alarm there is a false one. Then each of the eight incidents is laid over a day of these weeks, and
the clock runs from its onset, the moment from which its first person may write. A mention is heard up to three
minutes after it was posted. Found is an alarm within three hours; of ours, one of whose mentions at least a third are
the incident's. `--sizes`: the same with incidents of other sizes.

Beside it what others ship: a series alarms when its count of an hour is above the mean of the last 14 days' hours by
more than three standard deviations, with at least as many mentions as our floor has people. Hours full, or the last
sixty minutes looked at every five; of all mentions, or of each area on each network. Alarms of one company within
three hours are one alarm, and any alarm after the onset counts as found, also one that would have come anyway.
"""

from __future__ import annotations

import argparse
import statistics
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from benchmarks.traffic import COMPANIES, INCIDENTS, Company, Incident, Talk, incident, onset, talk
from listener.insight import counting, normal, spikes
from listener.insight.counting import BUCKET, Gap, Key, Said, bucket

START = datetime(2026, 1, 5, tzinfo=UTC)
TICK = BUCKET
PATIENCE = timedelta(hours=3)
MONTH = timedelta(days=30)
OURS = "negative binomial scan"
LEAST = spikes.Watch().least


@dataclass
class Tally:
    """What came of it, by way of looking: delays in minutes by incident, false alarms and the time they are of."""

    delays: dict[tuple[str, str, str], list[float | None]] = field(default_factory=dict)
    false: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    quiet: timedelta = timedelta()
    looks: list[float] = field(default_factory=list)
    learned: list[float] = field(default_factory=list)


def main() -> None:
    """Runs everything and prints the tables."""
    args = _arguments()
    tally = Tally()
    sizes = [float(size) for size in args.sizes.split(",")]
    by_size: dict[float, list[float | None]] = {size: [] for size in sizes}
    for company in COMPANIES:
        for seed in map(int, args.seeds.split(",")):
            _one(company, seed, args.history, args.quiet, tally, by_size)
    _print(tally, by_size, args)


def _one(
    company: Company,
    seed: int,
    history: int,
    quiet: int,
    tally: Tally,
    by_size: dict[float, list[float | None]],
) -> None:
    since = START + timedelta(days=history)
    everything = talk(company, seed, START, history + quiet)
    learned = {}
    for day in range(0, quiet, 7):  # once a day in the product
        until = since + timedelta(days=day)
        begun = time.process_time()
        counts = counting.count(one for one in everything.said if one.at < until)
        begun = time.process_time()
        learned[until] = normal.learn(counts, until=until, zone=company.zone, gaps=everything.gaps)
        tally.learned.append(time.process_time() - begun)
    alarms = list(_ours(everything.said, everything.gaps, since, since + timedelta(days=quiet), learned, tally.looks))
    tally.false.setdefault((OURS, company.name), []).append(len(alarms))
    if _told:
        for one in alarms:
            ids = set(one.mentions)
            some = [said for said in everything.said if said.id in ids]
            what = {said.copy[:6] for said in some}
            print(
                company.name,
                seed,
                one.at,
                tuple(one.key),
                one.count,
                f"{one.expected:.1f} {one.chance:.0e}",
                sorted(what)[:6],
            )
    for name, way in OTHERS.items():
        times = _merged(way(everything.said, since, since + timedelta(days=quiet)))
        tally.false.setdefault((name, company.name), []).append(len(times))
    tally.quiet += timedelta(days=quiet)
    for what in INCIDENTS:
        start = onset(company, what, everything, seed=seed, since=since, days=quiet)
        for size, delays in by_size.items():
            extra = incident(company, what, seed, start, size=size)
            first = _found(everything, extra, start, learned)
            delays.append(first)
            if size == 1.0:
                tally.delays.setdefault((OURS, company.name, what.name), []).append(first)
        _others(company, what, everything, incident(company, what, seed, start), start, tally)


def _found(
    everything: Talk, extra: Sequence[Said], start: datetime, learned: dict[datetime, normal.Normal]
) -> float | None:
    """Minutes until ours finds it; None where it does not."""
    begin, ids = start - spikes.LOOK - counting.ONCE - TICK, {one.id for one in extra}
    gone = [gap for gap in everything.gaps if gap.until > begin]
    heard = [
        one for one in extra if not any(gap.network == one.network and gap.since <= one.at < gap.until for gap in gone)
    ]
    around = _between(everything.said, begin, start + PATIENCE + TICK)
    said = sorted([*around, *heard], key=lambda one: one.at)
    first = _tick(start)
    for found in _ours(said, everything.gaps, first - timedelta(minutes=30), start + PATIENCE, learned, []):
        mine = sum(id in ids for id in found.mentions)
        if found.at > start and mine * 3 >= len(found.mentions):
            return (found.at - start) / timedelta(minutes=1)
    return None


def _others(
    company: Company, what: Incident, everything: Talk, extra: Sequence[Said], start: datetime, tally: Tally
) -> None:
    before = _between(everything.said, start - timedelta(days=15), start + PATIENCE + TICK)
    said = sorted([*before, *extra], key=lambda one: one.at)
    for name, way in OTHERS.items():
        after = [at for at in way(said, start, start + PATIENCE) if at > start]
        first = (min(after) - start) / timedelta(minutes=1) if after else None
        tally.delays.setdefault((name, company.name, what.name), []).append(first)


def _ours(
    said: Sequence[Said],
    gaps: tuple[Gap, ...],
    since: datetime,
    until: datetime,
    learned: dict[datetime, normal.Normal],
    looks: list[float],
) -> Iterator[spikes.Spike]:
    """Every new spike between two moments, looked at each five minutes as the daemon does."""
    rows: dict[Key, list[tuple[int, int]]] = {}
    running: dict[int, spikes.Running] = {}
    known = sorted(
        ((one.at + timedelta(seconds=one.person % 180), one, keys) for one, keys in counting.counted(said)),
        key=lambda told: told[0],
    )
    place, now = bisect_left(said, since - spikes.LOOK - TICK, key=lambda one: one.at), _tick(since)
    while now <= until:
        while place < len(known) and known[place][0] <= now:
            for key in known[place][2]:
                _add(rows.setdefault(key, []), bucket(known[place][1].at))
            place += 1
        begun = time.process_time()
        oldest = bucket(now - spikes.LOOK) - 1
        recent = {key: some[bisect_left(some, (oldest, 0)) :] for key, some in rows.items()}
        by = learned[max(at for at in learned if at <= max(now, min(learned)))]
        found = spikes.suspects(by, recent, now, gaps=[gap for gap in gaps if gap.since <= now])
        if found:
            heard = [one for at, one, _ in known[max(place - 6000, 0) : place] if one.at >= found[-1].onset - PATIENCE]
            for one in spikes.gather(found, heard, now, by, running.values()):
                number = one.continues
                if number is None:
                    number = len(running) + 1
                    yield one
                old = running.get(number)
                running[number] = spikes.Running(
                    id=number,
                    key=old.key if old else one.key,
                    keys=tuple({*(old.keys if old else ()), *one.keys}),
                    last=now,
                )
        looks.append(time.process_time() - begun)
        now += TICK


def _add(rows: list[tuple[int, int]], number: int) -> None:
    place = len(rows)
    while place and rows[place - 1][0] > number:
        place -= 1
    if place and rows[place - 1][0] == number:
        rows[place - 1] = (number, rows[place - 1][1] + 1)
    else:
        rows.insert(place, (number, 1))


def _three_sigma(
    group: Callable[[Said], Iterable[object]], step: timedelta
) -> Callable[[Sequence[Said], datetime, datetime], list[datetime]]:
    def alarms(said: Sequence[Said], since: datetime, until: datetime) -> list[datetime]:
        first = bucket(since) // 12 * 12 - 14 * 288
        steps = bucket(until) - first + 1
        series: dict[object, np.ndarray] = {}
        for one in said:
            place = bucket(one.at + timedelta(seconds=one.person % 180)) - first
            if 0 <= place < steps:
                for name in group(one):
                    series.setdefault(name, np.zeros(steps))[place] += 1
        found = set()
        every = int(step / TICK)
        for counts in series.values():
            hours = counts[: len(counts) // 12 * 12].reshape(-1, 12).sum(axis=1)
            before = np.concatenate([[0.0], np.cumsum(counts)])
            sums = np.concatenate([[0.0], np.cumsum(hours)])
            squares = np.concatenate([[0.0], np.cumsum(hours**2)])
            for end in range(14 * 288 + every, steps, every):
                last = (end - 12) // 12  # hours that ended before the one looked at
                mean = (sums[last] - sums[max(last - 336, 0)]) / min(last, 336)
                spread = max((squares[last] - squares[max(last - 336, 0)]) / min(last, 336) - mean**2, 0.0) ** 0.5
                if (count := before[end] - before[end - 12]) >= LEAST and count > mean + 3 * spread:
                    found.add(counting.begins(first + end))
        return sorted(at for at in found if since <= at <= until)

    return alarms


def _area(said: Said) -> Iterable[object]:
    return [(area, said.network) for area in said.areas or ("",)]


def _all(said: Said) -> Iterable[object]:  # noqa: ARG001
    return [""]


OTHERS = {
    "3 sigma, all mentions, full hours": _three_sigma(_all, timedelta(hours=1)),
    "3 sigma, all mentions, sliding": _three_sigma(_all, TICK),
    "3 sigma, area and network, full hours": _three_sigma(_area, timedelta(hours=1)),
    "3 sigma, area and network, sliding": _three_sigma(_area, TICK),
}


def _merged(times: Iterable[datetime]) -> list[datetime]:
    """One for those that follow each other within three hours."""
    alarms: list[datetime] = []
    last: datetime | None = None
    for at in sorted(times):
        if last is None or at - last > PATIENCE:
            alarms.append(at)
        last = at
    return alarms


def _between(said: Sequence[Said], since: datetime, until: datetime) -> Sequence[Said]:
    return said[bisect_left(said, since, key=lambda one: one.at) : bisect_left(said, until, key=lambda one: one.at)]


def _tick(at: datetime) -> datetime:
    return counting.begins(bucket(at))


def _print(tally: Tally, by_size: dict[float, list[float | None]], args: argparse.Namespace) -> None:
    months = tally.quiet / MONTH / len(COMPANIES)
    ways = [OURS, *OTHERS]
    print(
        f"history {args.history} days; seeds {args.seeds}; {months:.1f} quiet months of each of {len(COMPANIES)} companies\n"
    )
    print(f"{'':38} {'found':>9} {'in 15 min':>10} {'delay, median':>14} {'90 %':>6}   false alarms a month")
    for way in ways:
        delays = [one for (name, _, _), some in tally.delays.items() if name == way for one in some]
        false = {company.name: sum(tally.false[way, company.name]) / months for company in COMPANIES}
        told = ", ".join(f"{name} {number:.2f}" for name, number in false.items())
        print(f"{way:38} {_line(delays)}   {told}")
    print(f"\n{OURS}, by incident:")
    for what in INCIDENTS:
        cells = []
        for company in COMPANIES:
            delays = tally.delays[OURS, company.name, what.name]
            cells.append(f"{company.name} {_line(delays)}")
        print(f"{what.name:15} " + "  ".join(cells))
    print("\nby size of the incident (1: as above):")
    for size, delays in by_size.items():
        print(f"{size:38g} {_line(delays)}")
    looks = sorted(tally.looks)
    print(
        f"\na look: {1000 * statistics.median(looks):.1f} ms, the slowest {1000 * looks[-1]:.0f} ms;"
        f" learning: {statistics.median(tally.learned):.2f} s of CPU"
    )


def _line(delays: Sequence[float | None]) -> str:
    found = sorted(one for one in delays if one is not None)
    soon = sum(one <= 15 for one in found)
    if not found:
        return f"{0:>4}/{len(delays):<4} {soon:>6}/{len(delays):<3} {'-':>14} {'-':>6}"
    high = found[min(int(0.9 * len(found)), len(found) - 1)]
    return f"{len(found):>4}/{len(delays):<4} {soon:>6}/{len(delays):<3} {statistics.median(found):>12.1f} m {high:>4.0f} m"


_told = False


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="101")
    parser.add_argument("--history", type=int, default=42, help="days before what is looked at")
    parser.add_argument("--quiet", type=int, default=28, help="days without an incident")
    parser.add_argument("--sizes", default="1", help="multiples of the incidents' sizes")
    parser.add_argument("--told", action="store_true", help="name each false alarm")
    args = parser.parse_args()
    globals()["_told"] = args.told
    return args


if __name__ == "__main__":
    main()
