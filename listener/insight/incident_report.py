"""What came of an incident, from the facts that `store/incident_facts.py` gives. Pure.

Every number says what it counts: mentions are posts, people are customers, or accounts that are known to be nobody's.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from listener.insight.before_after import Estimate, change_of_rate, change_of_share
from listener.store.incident_facts import Amended, Answer, CaseFacts, NoticeFacts, Said, Sounded, Switched
from listener.store.incidents import Event, Incident
from listener.types import Charge, Intent, Sentiment

STEPS = tuple(
    timedelta(minutes=minutes) for minutes in (5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080, 40320)
)
MOST_BARS = 48
WINDOW = timedelta(hours=2)  # compared before and after a notice, at most
LEAST_WINDOW = timedelta(minutes=15)
LONGEST_AROUND = timedelta(days=7)  # looked at before it began and after it was over
SHORTEST_AROUND = timedelta(days=1)
TWELVE = 12  # steps of a window, whose scatter tells how uneven the flow is


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything that the report is made from. `around`: all that was said from `span(…)` on, of it or not."""

    incident: Incident
    events: tuple[Event, ...]
    mentions: tuple[Said, ...]
    around: tuple[Sounded, ...]
    answers: tuple[Answer, ...]
    cases: tuple[CaseFacts, ...]
    notices: tuple[NoticeFacts, ...]
    amended: tuple[Amended, ...]
    spent: tuple[tuple[str, Charge], ...]
    switched: tuple[Switched, ...]
    places: Mapping[int, frozenset[str]]  # by mention, the policy's places that it names


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What was said from `at` until a step later."""

    at: datetime
    mentions: int
    people: int
    negative: int


@dataclass(frozen=True, kw_only=True)
class Part:
    """A network, an area or a place, and how much of it all is there. A mention may be in several areas and places."""

    name: str
    mentions: int
    people: int


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of time and how people sounded in it, whatever they wrote about that the incident is about."""

    name: str  # before, during, after
    since: datetime
    until: datetime
    mentions: int
    negative: int
    neutral: int
    positive: int

    @property
    def read(self) -> int:
        """How many have a sentiment."""
        return self.negative + self.neutral + self.positive


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Who may have read it: each account counts once, however often it wrote. `told`: accounts whose network says."""

    people: int
    accounts: int
    told: int
    followers: int


@dataclass(frozen=True, kw_only=True)
class Answered:
    """How they were answered. Times are from the post to our answer; None where there is none.

    `within`, `late`, `running`: cases whose first answer came in the promised time, did not, or still has time.
    """

    mentions: int
    answered: int
    people: int
    people_answered: int
    by: Mapping[str, int]  # rule, run, person
    median: timedelta | None
    ninetieth: timedelta | None
    within: int
    late: int
    running: int


@dataclass(frozen=True, kw_only=True)
class Cases:
    """What became of its cases. `opened` after it began; `joined`: they were there before."""

    parts: int
    opened: int
    resolved: int
    reopened: int
    median: timedelta | None  # from opening to solution


@dataclass(frozen=True, kw_only=True)
class Change:
    """The same length of time before and after a notice's first post: people, and shares of mentions.

    `earlier`: people in that length before `before`, None where it reaches back to before the incident began: what was
    rising or falling already.
    """

    notice: NoticeFacts
    length: timedelta
    earlier: int | None
    before: int
    after: int
    rate: Estimate | None
    negative: Estimate | None
    negative_before: tuple[int, int]
    negative_after: tuple[int, int]
    complaints: Estimate | None
    complaints_before: tuple[int, int]
    complaints_after: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Report:
    """All of it. `until`: when it was over, or `now` while it lasts."""

    facts: Facts
    now: datetime
    since: datetime
    until: datetime
    over: bool
    step: timedelta
    bars: tuple[Bar, ...]
    networks: tuple[Part, ...]
    areas: tuple[Part, ...]
    places: tuple[Part, ...]
    phases: tuple[Phase, ...]
    reach: Reach
    answered: Answered
    cases: Cases
    changes: tuple[Change, ...]
    uncompared: tuple[NoticeFacts, ...]  # notices with too little time beside them
    usd: float


def lasted(incident: Incident, now: datetime) -> tuple[datetime, datetime, bool]:
    """From when until when it lasted, up to `now`, and whether it is over: whether it hits nobody any more."""
    ended = incident.ended_at
    over = ended is not None and ended <= now
    return incident.began_at, ended if ended is not None and over else now, over


def span(since: datetime, until: datetime, now: datetime) -> tuple[datetime, datetime]:
    """What lies around it: as long before and after as it lasted, at least a day and at most a week, until now."""
    around = min(max(until - since, SHORTEST_AROUND), LONGEST_AROUND)
    return since - around, min(until + around, now)


def report(facts: Facts, now: datetime) -> Report:
    """The report as of `now`."""
    since, until, over = lasted(facts.incident, now)
    mentions = facts.mentions
    first = min([since, *(each.at for each in mentions)])
    last = max([until, *(each.at for each in mentions)])
    step = step_for(last - first)
    changes = [_change(facts, notice, since, now) for notice in facts.notices]
    return Report(
        facts=facts,
        now=now,
        since=since,
        until=until,
        over=over,
        step=step,
        bars=bars(mentions, first, last, step),
        networks=parts(mentions, lambda said: (said.network,)),
        areas=parts(mentions, lambda said: said.areas),
        places=parts(mentions, lambda said: facts.places.get(said.id, frozenset())),
        phases=_phases(facts, since, until, now),
        reach=reach(mentions),
        answered=_answered(facts, now),
        cases=_cases(facts.cases, since),
        changes=tuple(change for change in changes if change),
        uncompared=tuple(notice for notice, change in zip(facts.notices, changes, strict=True) if not change),
        usd=sum(charge.usd for _, charge in facts.spent),
    )


def step_for(length: timedelta) -> timedelta:
    """The shortest step that makes no more than `MOST_BARS` of that length."""
    return next((step for step in STEPS if length <= MOST_BARS * step), STEPS[-1])


def bars(mentions: Sequence[Said], first: datetime, last: datetime, step: timedelta) -> tuple[Bar, ...]:
    """What was said step by step, from the whole step that `first` is in to that of `last`, silent ones too."""
    begin = first - timedelta(seconds=first.timestamp() % step.total_seconds())
    many = int((last - begin) / step) + 1
    steps: list[list[Said]] = [[] for _ in range(many)]
    for said in mentions:
        steps[min(many - 1, max(0, int((said.at - begin) / step)))].append(said)
    return tuple(
        Bar(at=begin + number * step, mentions=len(inside), people=_people(inside), negative=_negative(inside))
        for number, inside in enumerate(steps)
    )


def parts(mentions: Iterable[Said], of: Callable[[Said], Iterable[str]]) -> tuple[Part, ...]:
    """How much is where, most first."""
    counts: Counter[str] = Counter()
    people: defaultdict[str, set[int]] = defaultdict(set)
    for said in mentions:
        for name in of(said):
            counts[name] += 1
            people[name].add(said.person)
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    return tuple(Part(name=name, mentions=counts[name], people=len(people[name])) for name in ordered)


def reach(mentions: Iterable[Said]) -> Reach:
    """Who may have read it, each account once."""
    followers: dict[int, int | None] = {}
    people = set()
    for said in mentions:
        people.add(said.person)
        followers[said.account] = said.followers
    told = [number for number in followers.values() if number is not None]
    return Reach(people=len(people), accounts=len(followers), told=len(told), followers=sum(told))


def _phases(facts: Facts, since: datetime, until: datetime, now: datetime) -> tuple[Phase, ...]:
    """Before, during and after. Of all that was said, only what is about its areas, where it names some."""
    areas = set(facts.incident.affected.get("areas", ()))
    about = [said for said in facts.around if not areas or areas & set(said.areas)]
    begin, end = span(since, until, now)
    times = [("before", begin, since), ("during", since, until), ("after", until, end)]
    found = []
    for name, start, stop in times:
        inside = [said.sentiment for said in about if start <= said.at < stop]
        sounds = Counter(inside)
        if stop > start:
            found.append(
                Phase(
                    name=name,
                    since=start,
                    until=stop,
                    mentions=len(inside),
                    negative=sounds[Sentiment.NEGATIVE.value],
                    neutral=sounds[Sentiment.NEUTRAL.value],
                    positive=sounds[Sentiment.POSITIVE.value],
                )
            )
    return tuple(found)


def _answered(facts: Facts, now: datetime) -> Answered:
    said = {each.id: each for each in facts.mentions}
    mine = [answer for answer in facts.answers if answer.mention in said]
    waits = sorted(max(answer.at - said[answer.mention].at, timedelta(0)) for answer in mine)
    clocks = [case for case in facts.cases if case.first_response_due is not None]
    within = sum(case.first_response_at is not None and _in_time(case) for case in clocks)
    running = sum(case.first_response_at is None and _due(case) > now for case in clocks)
    return Answered(
        mentions=len(said),
        answered=len(mine),
        people=_people(facts.mentions),
        people_answered=len({said[answer.mention].person for answer in mine}),
        by=Counter(answer.by for answer in mine),
        median=quantile(waits, 0.5),
        ninetieth=quantile(waits, 0.9),
        within=within,
        late=len(clocks) - within - running,
        running=running,
    )


def _due(case: CaseFacts) -> datetime:
    assert case.first_response_due is not None
    return case.first_response_due


def _in_time(case: CaseFacts) -> bool:
    return case.first_response_at is not None and case.first_response_at <= _due(case)


def _cases(found: Sequence[CaseFacts], since: datetime) -> Cases:
    took = sorted(case.resolved_at - case.opened_at for case in found if case.resolved_at is not None)
    return Cases(
        parts=len(found),
        opened=sum(case.opened_at >= since for case in found),
        resolved=len(took),
        reopened=sum(case.reopened for case in found),
        median=quantile(took, 0.5),
    )


def quantile(ordered: Sequence[timedelta], share: float) -> timedelta | None:
    """The smallest value that so large a share does not exceed (nearest rank); None where there is none."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def _change(facts: Facts, notice: NoticeFacts, since: datetime, now: datetime) -> Change | None:
    """Before and after its first post, as far as no other notice, the beginning or the present is in between.

    None where that leaves less than `LEAST_WINDOW`, or nobody wrote before or after.
    """
    at = notice.first_at
    others = [each.first_at for each in facts.notices if each.number != notice.number]
    back = max([since, *(other for other in others if other <= at)])
    ahead = min([now, *(other for other in others if other > at)])
    length = min(WINDOW, at - back, ahead - at)
    if length < LEAST_WINDOW:
        return None
    times = [said.at for said in facts.mentions]

    def between(start: datetime, stop: datetime) -> Sequence[Said]:
        return facts.mentions[bisect_left(times, start) : bisect_left(times, stop)]

    before, after = between(at - length, at), between(at, at + length)
    if not before and not after:
        return None
    negative = _share(before, _is_negative), _share(after, _is_negative)
    complaints = _share(before, _complains), _share(after, _complains)
    return Change(
        notice=notice,
        length=length,
        earlier=_people(between(at - 2 * length, at - length)) if at - 2 * length >= back else None,
        before=_people(before),
        after=_people(after),
        rate=change_of_rate(_first_words(before, at - length, length), _first_words(after, at, length)),
        negative=change_of_share(*negative),
        negative_before=negative[0],
        negative_after=negative[1],
        complaints=change_of_share(*complaints),
        complaints_before=complaints[0],
        complaints_after=complaints[1],
    )


def _first_words(inside: Sequence[Said], start: datetime, length: timedelta) -> list[int]:
    """People by step, each where they first wrote: who writes often is one."""
    steps, seen = [0] * TWELVE, set[int]()
    for said in inside:
        if said.person not in seen:
            seen.add(said.person)
            steps[min(TWELVE - 1, int((said.at - start) / (length / TWELVE)))] += 1
    return steps


def _share(inside: Sequence[Said], hit: Callable[[Said], bool]) -> tuple[int, int]:
    read = [said for said in inside if said.sentiment]
    return sum(map(hit, read)), len(read)


def _is_negative(said: Said) -> bool:
    return said.sentiment == Sentiment.NEGATIVE


def _complains(said: Said) -> bool:
    return Intent.COMPLAINT.value in said.intents


def _negative(inside: Iterable[Said]) -> int:
    return sum(map(_is_negative, inside))


def _people(inside: Iterable[Said]) -> int:
    return len({said.person for said in inside})
