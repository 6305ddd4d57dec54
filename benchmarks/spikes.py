"""How soon incidents are found, how many are missed, and how many false alarms there are: ours, and mean + 3 sigma.

    python -m benchmarks.spikes [--seeds 101,102] [--history 42] [--quiet 28] [--every 5] [--sizes 0.5,1,2] [--told]

For each company and seed of `benchmarks.traffic`: weeks of history, then weeks without any incident, looked at every
`--every` minutes; each alarm there is a false one. Then each of the eight incidents is laid over a day of these
weeks, and the clock runs from its onset, the moment from which its first person may write; looked at every minute, as
by the daemon. A mention is heard up to three minutes after it was posted. Found is an alarm within three hours; of
ours, one of whose mentions at least a third are the incident's. `--sizes`: the same with incidents of other sizes,
without the others.

Beside it `benchmarks.three_sigma`. Of it, alarms of one company within three hours are one alarm, and any alarm after
the onset counts as found, also one that would have come anyway. `--told` names each false alarm of ours.
"""

from __future__ import annotations

import argparse
import statistics
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks.three_sigma import HEARD, WAYS, heard
from benchmarks.traffic import COMPANIES, INCIDENTS, Company, Incident, Talk, incident, onset, talk
from listener.insight import counting, normal, spikes
from listener.insight.counting import BUCKET, Gap, Key, Said, begins, bucket
from listener.insight.normal import Normal

START = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATIENCE = timedelta(hours=3)
MONTH = timedelta(days=30)
OURS = "ours"
WATCH = spikes.Watch()

Delays = list[float | None]  # minutes; None: not found


@dataclass(kw_only=True)
class Result:
    """What came of it: by way of looking, then company, then incident."""

    delays: dict[tuple[str, str, str], Delays] = field(default_factory=dict)
    sizes: dict[tuple[float, str], Delays] = field(default_factory=dict)
    false: dict[tuple[str, str], int] = field(default_factory=dict)
    months: float = 0.0  # of each company
    looks: list[float] = field(default_factory=list)  # seconds of CPU
    learned: list[float] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class World:
    """One company with one seed: what is said, and what is known of it from week to week."""

    company: Company
    seed: int
    talk: Talk
    since: datetime
    days: int
    known: Mapping[datetime, Normal]

    def normal(self, now: datetime) -> Normal:
        """What had been learned by then."""
        return self.known[max((at for at in self.known if at <= now), default=min(self.known))]


def main() -> None:
    """Runs everything and prints the tables."""
    args = _arguments()
    result = Result()
    sizes = [float(size) for size in args.sizes.split(",") if size]
    for company in COMPANIES:
        for seed in map(int, args.seeds.split(",")):
            world = _world(company, seed, args.history, args.quiet, result)
            _quiet(world, args, result)
            for what in INCIDENTS:
                _incident(world, what, sizes, result)
    result.months = len(args.seeds.split(",")) * args.quiet / MONTH.days
    _print(result, args)


def _world(company: Company, seed: int, history: int, quiet: int, result: Result) -> World:
    since, everything = START + timedelta(days=history), talk(company, seed, START, history + quiet)
    known = {}
    for day in range(0, quiet, 7):  # once a day in the product
        until = since + timedelta(days=day)
        counts = counting.count(one for one in everything.said if one.at < until)
        begun = time.process_time()
        known[until] = normal.learn(counts, until=until, zone=company.zone, gaps=everything.gaps)
        result.learned.append(time.process_time() - begun)
    return World(company=company, seed=seed, talk=everything, since=since, days=quiet, known=known)


def _quiet(world: World, args: argparse.Namespace, result: Result) -> None:
    end, company = world.since + timedelta(days=world.days), world.company.name
    alarms = list(_ours(world, world.talk.said, world.since, end, every=MINUTE * args.every, looks=result.looks))
    result.false[OURS, company] = result.false.get((OURS, company), 0) + len(alarms)
    for one in alarms if args.told else ():
        ids = set(one.mentions)
        what = sorted({said.copy.split()[0] for said in world.talk.said if said.id in ids and said.copy})
        print(f"{company} {world.seed} {one.at:%m-%d %H:%M} {tuple(one.key)} {one.count} for {one.expected:.1f} {what}")
    for name, way in WAYS.items():
        times = _merged(way(world.talk.said, world.since, end, WATCH.least))
        result.false[name, company] = result.false.get((name, company), 0) + len(times)


def _incident(world: World, what: Incident, sizes: Sequence[float], result: Result) -> None:
    company, begin = world.company, world.since
    start = onset(company, what, world.talk, seed=world.seed, since=begin, days=world.days)
    extra = incident(company, what, world.seed, start)
    result.delays.setdefault((OURS, company.name, what.name), []).append(_found(world, extra, start))
    for size in sizes:
        other = incident(company, what, world.seed, start, size=size)
        result.sizes.setdefault((size, company.name), []).append(_found(world, other, start))
    before = _between(world.talk.said, start - timedelta(days=16), start + PATIENCE + BUCKET)
    said = sorted([*before, *extra], key=lambda one: one.at)
    for name, way in WAYS.items():
        after = [at for at in way(said, start, start + PATIENCE, WATCH.least) if at > start]
        result.delays.setdefault((name, company.name, what.name), []).append(_since(start, min(after, default=None)))


def _found(world: World, extra: Sequence[Said], start: datetime) -> float | None:
    """Minutes until ours finds it; None where it does not."""
    begin, ids = start - spikes.LOOK - counting.ONCE - BUCKET, {one.id for one in extra}
    gaps = [gap for gap in world.talk.gaps if gap.until > begin]
    reached = [
        one for one in extra if not any(gap.network == one.network and gap.since <= one.at < gap.until for gap in gaps)
    ]
    said = sorted([*_between(world.talk.said, begin, start + PATIENCE), *reached], key=lambda one: one.at)
    for found in _ours(world, said, start - 30 * MINUTE, start + PATIENCE):
        if found.at > start and 3 * sum(number in ids for number in found.mentions) >= len(found.mentions):
            return _since(start, found.at)
    return None


def _ours(
    world: World,
    said: Sequence[Said],
    since: datetime,
    until: datetime,
    *,
    every: timedelta = MINUTE,
    looks: list[float] | None = None,
) -> Iterator[spikes.Spike]:
    """Every new spike between two moments, looked at as the daemon does."""
    rows: dict[Key, list[tuple[int, int]]] = {}
    running: dict[int, spikes.Running] = {}
    coming = sorted(((heard(one), one, keys) for one, keys in counting.counted(said)), key=lambda told: told[0])
    place, now = 0, begins(bucket(since))
    while now <= until:
        while place < len(coming) and coming[place][0] <= now:
            for key in coming[place][2]:
                _add(rows.setdefault(key, []), bucket(coming[place][1].at))
            place += 1
        begun = time.process_time()
        oldest, known = bucket(now - spikes.LOOK) - 1, world.normal(now)
        recent = {key: late for key, some in rows.items() if (late := some[bisect_left(some, (oldest, 0)) :])}
        found = spikes.suspects(known, recent, now, gaps=_known_gaps(world.talk.gaps, now), watch=WATCH)
        if found:
            begin = min(one.onset for one in found)
            first = bisect_left(coming, begin, key=lambda told: told[0])
            behind = [one for _, one, _ in coming[first:place] if one.at >= begin]
            for one in spikes.gather(found, behind, now, known, running.values()):
                number = len(running) + 1 if one.continues is None else one.continues
                old = running.get(number)
                keys = tuple({*one.keys, *(old.keys if old else ())})
                running[number] = spikes.Running(id=number, key=old.key if old else one.key, keys=keys, last=now)
                if one.continues is None:
                    yield one
        if looks is not None:
            looks.append(time.process_time() - begun)
        now += every


def _known_gaps(gaps: Iterable[Gap], now: datetime) -> list[Gap]:
    return [gap for gap in gaps if gap.since <= now]


def _add(rows: list[tuple[int, int]], number: int) -> None:
    place = len(rows)
    while place and rows[place - 1][0] > number:
        place -= 1
    if place and rows[place - 1][0] == number:
        rows[place - 1] = (number, rows[place - 1][1] + 1)
    else:
        rows.insert(place, (number, 1))


def _merged(times: Iterable[datetime]) -> list[datetime]:
    """One for those that follow each other within three hours."""
    alarms: list[datetime] = []
    last: datetime | None = None
    for at in times:
        if last is None or at - last > PATIENCE:
            alarms.append(at)
        last = at
    return alarms


def _between(said: Sequence[Said], since: datetime, until: datetime) -> Sequence[Said]:
    return said[bisect_left(said, since, key=lambda one: one.at) : bisect_left(said, until, key=lambda one: one.at)]


def _since(start: datetime, at: datetime | None) -> float | None:
    return None if at is None else (at - start) / MINUTE


def _print(result: Result, args: argparse.Namespace) -> None:
    print(f"{args.history} days of history, seeds {args.seeds}, {result.months:.1f} quiet months of each company\n")
    print(f"{'':38} {'found':>8} {'in 15 min':>9} {'median':>7} {'90 %':>5}  false alarms a month")
    for way in (OURS, *WAYS):
        false = [f"{one.name} {result.false[way, one.name] / result.months:.1f}" for one in COMPANIES]
        print(f"{way:38} {_line(_all(result, way))}  {', '.join(false)}")
    print(f"\n{OURS}, by incident, by company and by size")
    for what in INCIDENTS:
        print(f"{what.name:38} {_line([one for it in COMPANIES for one in result.delays[OURS, it.name, what.name]])}")
    for company in COMPANIES:
        mine = [one for it in INCIDENTS for one in result.delays[OURS, company.name, it.name]]
        print(f"{company.name:38} {_line(mine)}")
    for size in sorted({size for size, _ in result.sizes}):
        some = [one for (other, _), delays in result.sizes.items() if other == size for one in delays]
        print(f"{f'of {size:g} times the size':38} {_line(some)}")
    looks = sorted(result.looks)
    middle, high = statistics.median(looks), looks[int(0.99 * len(looks))]
    print(f"\na look {1000 * middle:.1f} ms of CPU, 99 % of them within {1000 * high:.0f}; learning", end=" ")
    print(f"{statistics.median(result.learned):.2f} s; mentions are heard within {HEARD / MINUTE:.0f} minutes")


def _all(result: Result, way: str) -> Delays:
    return [one for (name, _, _), some in result.delays.items() if name == way for one in some]


def _line(delays: Delays) -> str:
    found = sorted(one for one in delays if one is not None)
    if not found:
        return f"{0:>3}/{len(delays):<4} {0:>9} {'':>7} {'':>5}"
    soon, high = sum(one <= 15 for one in found), found[min(int(0.9 * len(found)), len(found) - 1)]
    return f"{len(found):>3}/{len(delays):<4} {soon:>9} {statistics.median(found):>7.0f} {high:>5.0f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="101")
    parser.add_argument("--history", type=int, default=42, help="days before what is looked at")
    parser.add_argument("--quiet", type=int, default=28, help="days without an incident")
    parser.add_argument("--every", type=int, default=5, help="minutes between two looks at quiet days")
    parser.add_argument("--sizes", default="", help="other sizes of the incidents, as multiples")
    parser.add_argument("--told", action="store_true", help="name each false alarm")
    return parser.parse_args()


if __name__ == "__main__":
    main()
