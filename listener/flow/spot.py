"""spot: count what was decided, look whether far more people than normal say that something is wrong, tell of it.

    what was decided | count | far above normal | gather | tell, propose an incident

Counting follows deciding and holds it up by nothing; a database that was there before is counted in the same way, a
part at a time. What a person must decide about a spike is theirs: an incident is only ever proposed.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from listener.contract import Policy
from listener.desk import places, spiking
from listener.insight import counting, normal, spikes, wording
from listener.insight.counting import Gap, Key, Said
from listener.insight.normal import Normal
from listener.log import logger
from listener.store import Store, Transaction, identities, listening, policies, volumes
from listener.store import spikes as kept
from listener.store.spikes import Cause, Found
from listener.store.volumes import Label, Voice
from listener.types import Author

log = logger(__name__)

AT_ONCE = 1_000  # mentions counted in one transaction
TURN = 0.1  # seconds between two of them, in which whoever else waits to write gets their turn
SPELL = 20.0  # seconds for which one look counts; the rest comes with the next one
KEPT = timedelta(weeks=26)  # for how long counts are kept
LEARNED = timedelta(weeks=8)  # of them, by which it is known what is normal
LEARN_EVERY = timedelta(days=1)
LEARN_SOON = timedelta(hours=1)  # while little is known
LITTLE = timedelta(weeks=2)
OVER = timedelta(hours=1)  # not found for so long, a spike is over; what is found again soon is the same one
MOST_VOICES = 20_000  # that are looked at behind what was found
MOST_OTHERS = 3_000  # beside which their words are held
MOST_MISSED = 20_000  # mentions that another process counted, of which whoever wrote them is asked one by one
LEAST_MARKS = 10_000  # of whom was counted, below which none are let go
MOST_LABELS = 3  # areas, and places, by which one mention is counted


@dataclass(frozen=True, kw_only=True)
class Spotted:
    """What one look did: how many mentions were counted, and the numbers of the spikes that are there now."""

    counted: int = 0
    live: tuple[int, ...] = ()


class Lookout:
    """What one process remembers between two looks: whom it counted lately, and what is normal.

    `is_ours`: whether an author is one of us, beside what the networks told us.
    """

    def __init__(self, store: Store, *, is_ours: Callable[[Author], bool], pattern: str) -> None:
        self._store = store
        self._is_ours = is_ours
        self._pattern = pattern  # of the references of cases
        self._busy = threading.Lock()
        self._people = _People()
        self._up_to: int | None = None  # the decision up to which `_people` knows everybody
        self._normal: Normal | None = None
        self._learned_at: datetime | None = None
        self._forgot_on: date | None = None

    def look(self, policy: Policy, *, now: datetime, stopping: Callable[[], bool] = lambda: False) -> Spotted:
        """Counts what is new, and looks at it once all of it is counted."""
        with self._busy:
            counted, whole = self._count(policy, now, stopping)
            live = self._find(policy, now) if whole else self._live()
            return Spotted(counted=counted, live=live)

    # --- count ------------------------------------------------------------------------------------------------------

    def _count(self, policy: Policy, now: datetime, stopping: Callable[[], bool]) -> tuple[int, bool]:
        """Counts in parts, each in a transaction; gives how many mentions, and whether nothing is left."""
        with self._store.read() as tx:
            newest = volumes.settled(tx)
        counted, ends = 0, time.monotonic() + SPELL
        while True:
            try:
                with self._store.write() as tx:
                    after = volumes.counted_up_to(tx, since=now - KEPT)
                    self._catch_up(tx, policy, after)
                    voices = volumes.decided(tx, after, newest, limit=AT_ONCE)
                    up_to = voices[-1].decision if len(voices) == AT_ONCE else max(newest, after)
                    volumes.add(tx, self._new(tx, policy, voices, now))
                    volumes.advance(tx, up_to)
                    listening.note(tx, now)
                    if up_to >= newest:
                        self._forget(tx, now)
                        spiking.settle(tx, now)
            except BaseException:
                self._up_to = None  # what was marked was not counted
                raise
            self._up_to = up_to
            counted += len(voices)
            if up_to >= newest:
                return counted, True
            if stopping() or time.monotonic() > ends:
                return counted, False
            time.sleep(TURN)

    def _forget(self, tx: Transaction, now: datetime) -> None:
        """Lets go of what is too old, once a day."""
        if self._forgot_on != now.date():
            volumes.forget(tx, (now - KEPT).date())
            listening.forget(tx, now - KEPT)
            kept.forget(tx, now - KEPT)
            self._forgot_on = now.date()

    def _catch_up(self, tx: Transaction, policy: Policy, after: int) -> None:
        """Learns whom others counted lately: another process, or this one before it was started anew."""
        if self._up_to == after:
            return
        if self._up_to is None or not 0 <= after - self._up_to <= MOST_MISSED:
            self._people = _People()
            missed = volumes.counted_lately(tx, after, counting.ONCE)
        else:
            missed = volumes.decided(tx, self._up_to, after, limit=None)
        for said in self._said(tx, policy, missed):
            self._people.new(said)

    def _new(
        self, tx: Transaction, policy: Policy, voices: Sequence[Voice], now: datetime
    ) -> Mapping[Label, Mapping[int, int]]:
        """By what it is about, in which five minutes how many people began to say something."""
        found: dict[Label, Counter[int]] = {}
        in_order = sorted(self._said(tx, policy, voices), key=lambda one: (one.at, one.id))
        for said in in_order:
            if said.at >= now - KEPT:
                number = counting.bucket(said.at)
                for key in self._people.new(said):
                    found.setdefault(key, Counter())[number] += 1
        if in_order:
            self._people.forget(before=in_order[-1].at - counting.ONCE)
        return found

    def _said(self, tx: Transaction, policy: Policy, voices: Iterable[Voice]) -> list[Said]:
        """What others say, as it is counted: neither our own accounts nor our colleagues'."""
        ours: dict[str, frozenset[str]] = {}
        known: dict[int, bool] = {}
        found = []
        for voice in voices:
            if voice.network not in ours:
                ours[voice.network] = identities.ours(tx, voice.network)
            if voice.account not in known:
                author = Author(external_id=voice.author, handle=voice.handle, url=voice.author_url)
                known[voice.account] = (
                    voice.author in ours[voice.network]
                    or self._is_ours(author)
                    or policy.is_colleague(voice.network, voice.handle)
                )
            if not known[voice.account]:
                found.append(_as_said(voice, policy))
        return found

    # --- look -------------------------------------------------------------------------------------------------------

    def _find(self, policy: Policy, now: datetime) -> tuple[int, ...]:
        """Finds what is far above normal, keeps it and tells of it; ends what is over. Gives what there is now."""
        rules = policy.incident_rules
        with self._store.read() as tx:
            holes = listening.holes(tx, now - LEARNED, now)
            recent = _counts(volumes.read(tx, (now - spikes.LOOK).date()), holes, now)
            running = kept.running(tx)
            then = _policy_then(tx, policy, now)
        gaps = [Gap(since=each.since, until=each.until, network=each.network) for each in holes]
        suspects: list[spikes.Suspect] = []
        what_is_normal = self._normal
        if _many(recent, now, rules.least):
            what_is_normal = self._learn(policy, holes, now)
            watch = spikes.Watch(least=rules.least)
            suspects = spikes.suspects(what_is_normal, recent, now, gaps=gaps, watch=watch)
            suspects = suspects if then is None else _without_new_names(suspects, then)
        deaf = any(each.until >= now for each in holes)
        if not suspects and (deaf or not any(now - each.seen_at > OVER for each in running)):
            return tuple(each.id for each in running)
        voices: list[Voice] = []
        others: list[Voice] = []
        said: list[Said] = []
        if suspects:
            begun = min(each.onset for each in suspects)
            with self._store.read() as tx:
                voices = volumes.posted_between(tx, begun, now + timedelta(microseconds=1), most=MOST_VOICES)
                others = volumes.posted_between(tx, now - spikes.LOOK, begun, most=MOST_OTHERS)
                said = self._said(tx, policy, voices)
        texts = {voice.mention: (voice.account, voice.text) for voice in voices}
        with self._store.write() as tx:
            running = kept.lately(tx, now - spikes.QUIET)
            found = []
            if what_is_normal is not None:
                known = [_running(each) for each in running]
                found = spikes.gather(suspects, said, now, what_is_normal, known)
            for spike in found:
                background = [(voice.account, voice.text) for voice in others]
                words = wording.telling([texts[each] for each in spike.mentions if each in texts], background)
                before = next((each for each in running if each.id == spike.continues), None)
                self._keep(tx, policy, _found(spike, words), before=before, now=now)
            if not deaf:  # where nobody listens, nothing is over
                for over in kept.end(tx, unseen_since=now - OVER):
                    spiking.tell_end(tx, over, targets=rules.alert, now=now)
            return tuple(each.id for each in kept.running(tx))

    def _keep(
        self, tx: Transaction, policy: Policy, found: Found, *, before: kept.Spike | None, now: datetime
    ) -> kept.Spike:
        """Writes down one that was found, as a new one or as going on, and does what follows from it."""
        spike = kept.begin(tx, found, now=now) if before is None else kept.go_on(tx, before, found)
        if before is None:
            log.warning(
                "Far more people than normal say something.",
                action="spike",
                spike=spike.reference,
                about=spiking.about(spike.label),
                people=spike.people,
                expected=round(spike.expected, 1),
            )
        spike = spiking.attend(tx, spike, policy.incident_rules, pattern=self._pattern, now=now)
        spiking.tell(tx, spike, targets=policy.incident_rules.alert, now=now)
        return spike

    def _learn(self, policy: Policy, holes: Sequence[listening.Hole], now: datetime) -> Normal:
        """What is normal, learned anew once a day; sooner while little is known, or where the clock was set back."""
        if self._normal is not None and self._learned_at is not None:
            known = max((self._normal.until - since for since in self._normal.since.values()), default=timedelta(0))
            fresh = LEARN_EVERY if known > LITTLE else LEARN_SOON
            same_zone = str(self._normal.zone) == policy.time_zone
            if same_zone and timedelta(0) <= now - self._learned_at < fresh:
                return self._normal
        with self._store.read() as tx:
            history = _counts(volumes.read(tx, (now - LEARNED).date()), holes, now)
        gaps = [Gap(since=each.since, until=each.until, network=each.network) for each in holes]
        self._normal = normal.learn(history, until=now, zone=ZoneInfo(policy.time_zone), gaps=gaps)
        self._learned_at = now
        return self._normal

    def _live(self) -> tuple[int, ...]:
        with self._store.read() as tx:
            return tuple(each.id for each in kept.running(tx))


class _People:
    """Who was counted of late, for what: nobody counts twice within six hours, nor does a text that many copy."""

    def __init__(self) -> None:
        self._counted: dict[tuple[Key, int | str], tuple[datetime, ...]] = {}  # every time, for posts may be backdated
        self._left = LEAST_MARKS

    def new(self, said: Said) -> tuple[Key, ...]:
        """The keys for which this one counts. A little disorder between sources does no harm."""
        found = []
        for key in counting.keys(said):
            marks: list[tuple[Key, int | str]] = [(key, said.person), *([(key, said.copy)] if said.copy else [])]
            before = [at for mark in marks for at in self._counted.get(mark, ())]
            if all(abs(said.at - each) >= counting.ONCE for each in before):
                found.append(key)
                self._counted.update({mark: (*self._counted.get(mark, ()), said.at) for mark in marks})
        return tuple(found)

    def forget(self, *, before: datetime) -> None:
        """Lets go of who counts again, whenever there are twice as many as were left the last time."""
        if len(self._counted) > 2 * self._left:
            left = {mark: tuple(at for at in each if at >= before) for mark, each in self._counted.items()}
            self._counted = {mark: each for mark, each in left.items() if each}
            self._left = max(len(self._counted), LEAST_MARKS)


def _as_said(voice: Voice, policy: Policy) -> Said:
    return Said(
        id=voice.mention,
        at=voice.at,
        person=voice.account,
        network=voice.network,
        areas=tuple(voice.areas[:MOST_LABELS]),
        intents=tuple(voice.intents),
        places=tuple(sorted(places.named(voice.text, policy.places))[:MOST_LABELS]),
        negative=voice.negative,
        copy=voice.copy,
    )


def _counts(
    read: Mapping[Label, Sequence[tuple[int, int]]], holes: Iterable[listening.Hole], now: datetime
) -> dict[Key, Sequence[tuple[int, int]]]:
    """By key, without what a network brought before it was heard as it is now: that begins anew."""
    begins = {each.network: counting.bucket(each.until) for each in holes if each.since <= now - LEARNED}
    found: dict[Key, Sequence[tuple[int, int]]] = {}
    for label, rows in read.items():
        key, first = Key(*label), begins.get(label[3])
        heard = rows if first is None else [row for row in rows if row[0] > first]
        if heard:
            found[key] = heard
    return found


def _policy_then(tx: Transaction, policy: Policy, now: datetime) -> str | None:
    """The text of the policy that ruled two weeks ago; None where none did, or the same as now."""
    before = policies.by_then(tx, now - LITTLE)
    return None if before is None or before.version == policy.version else before.text


def _without_new_names(suspects: Sequence[spikes.Suspect], then: str) -> list[spikes.Suspect]:
    """Those of areas and places that the policy named then; of a new name it is not known what is normal.

    What is above normal shows without that name too, sooner or later.
    """
    return [each for each in suspects if each.key.area in then and each.key.place in then]


def _many(recent: counting.Counts, now: datetime, least: int) -> bool:
    """Whether so many people said anything of late that it is worth knowing what is normal."""
    first = counting.bucket(now - spikes.REACH)
    people: Counter[Key] = Counter()
    for key, rows in recent.items():
        if key.intent != counting.OTHER:
            people[key._replace(network="")] += sum(count for number, count in rows if number >= first)
    return any(count >= least for count in people.values())


def _running(spike: kept.Spike) -> spikes.Running:
    keys = tuple(Key(*label) for label in spike.labels)
    return spikes.Running(id=spike.id, key=Key(*spike.label), keys=keys, last=spike.seen_at)


def _found(spike: spikes.Spike, words: Iterable[wording.Telling]) -> Found:
    causes = [each for each in spike.drivers if each.name and each.count > each.expected]
    return Found(
        label=spike.key,
        labels=spike.keys,
        since=spike.since,
        at=spike.at,
        people=spike.count,
        expected=spike.expected,
        chance=spike.chance,
        days=spike.days,
        causes=tuple(
            Cause(kind=each.kind, name=each.name, people=each.count, expected=each.expected) for each in causes
        ),
        words=tuple(kept.Said(word=each.word, people=each.people) for each in words),
        mentions=spike.mentions,
    )
