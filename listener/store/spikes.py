"""Spikes: far more people than normal, all at once, as they were found; who dismissed them, what was opened from them.

    seen → dismissed | opened

One that is found again while it lasts stays one row, and its mentions grow. What is about it stands in `incidents`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, distinct, func, insert, or_, select, update

from listener.errors import AlreadyDone, NotFound
from listener.store import Transaction, audit, mentions, sight, upsert
from listener.store import tables as t
from listener.store.mentions import Mention
from listener.store.personal import ERASED
from listener.types import IncidentState, MentionState, SpikeState

Label = tuple[str, str, str, str]  # area, intent, place, network; "" is any


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One area, intent, place or network in a spike: people in it, and how many there would normally be."""

    kind: str
    name: str
    people: int
    expected: float


@dataclass(frozen=True, kw_only=True)
class Said:
    """A word that many in a spike use and others do not; how many people."""

    word: str
    people: int


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was found now. `people` wrote from `since` to `at`, where `expected` are normal; `mentions`: of theirs."""

    label: Label
    labels: tuple[Label, ...]
    since: datetime
    at: datetime
    people: int
    expected: float
    chance: float
    days: float
    causes: tuple[Cause, ...]
    words: tuple[Said, ...]
    mentions: Collection[int]


@dataclass(frozen=True, kw_only=True)
class Spike:
    """One spike. `people` wrote from `since` to `peak_at`, when it was strongest, where `expected` are normal.

    `days`: of listening from which it is known what is normal. `ended_at` is None while it goes on.
    """

    id: int
    state: SpikeState
    incident_id: int | None
    label: Label
    labels: tuple[Label, ...]
    onset: datetime
    found_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    since: datetime
    peak_at: datetime
    people: int
    expected: float
    chance: float
    days: float
    causes: tuple[Cause, ...]
    words: tuple[Said, ...]
    told_at: datetime | None
    told_people: int
    decided_by: str | None
    decided_at: datetime | None
    because: str

    @property
    def reference(self) -> str:
        """How people call it: `S4`."""
        return f"S{self.id}"


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """How many there are behind a spike up to now. `gone` was deleted."""

    people: int
    mentions: int
    gone: int


# --- written by the daemon ------------------------------------------------------------------------------------------


def begin(tx: Transaction, found: Found, *, now: datetime) -> Spike:
    """A new one."""
    values = {
        **_found(found),
        "state": SpikeState.SEEN.value,
        "onset": found.since,
        "found_at": now,
        "seen_at": found.at,
        "told_people": 0,
        "because": "",
    }
    made = tx.execute(insert(t.spikes).values(**values).returning(t.spikes.c.id)).scalar_one()
    _keep_mentions(tx, made, found.mentions)
    return get(tx, made)


def go_on(tx: Transaction, spike: Spike, found: Found) -> Spike:
    """It was found again: it goes on, and its mentions grow. What it was at its strongest stays, and when it began."""
    values: dict[str, Any] = {"seen_at": found.at, "ended_at": None}
    if found.people >= spike.people:
        values |= _found(found)
    values["labels"] = [list(label) for label in dict.fromkeys([*spike.labels, *found.labels])]
    tx.execute(update(t.spikes).where(t.spikes.c.id == spike.id).values(**values))
    _keep_mentions(tx, spike.id, found.mentions)
    return get(tx, spike.id)


def end(tx: Transaction, *, unseen_since: datetime) -> list[Spike]:
    """Those that were not found since then are over; gives them."""
    columns = t.spikes.c
    where = (columns.ended_at.is_(None), columns.seen_at < unseen_since)
    ended = [_spike(row) for row in tx.execute(select(t.spikes).where(*where).order_by(columns.id))]
    tx.execute(update(t.spikes).where(*where).values(ended_at=columns.seen_at))
    return ended


def told(tx: Transaction, spike: Spike, people: int, now: datetime) -> None:
    """Our own people were told of it when it was so many."""
    tx.execute(update(t.spikes).where(t.spikes.c.id == spike.id).values(told_at=now, told_people=people))


def belongs(tx: Transaction, spike: Spike, incident_id: int) -> Spike:
    """It is what that incident is about."""
    tx.execute(update(t.spikes).where(t.spikes.c.id == spike.id).values(incident_id=incident_id))
    return get(tx, spike.id)


def _found(found: Found) -> dict[str, Any]:
    area, intent, place, network = found.label
    return {
        "area": area,
        "intent": intent,
        "place": place,
        "network": network,
        "labels": [list(label) for label in found.labels],
        "since": found.since,
        "peak_at": found.at,
        "people": found.people,
        "expected": found.expected,
        "chance": found.chance,
        "days": found.days,
        "causes": [[each.kind, each.name, each.people, each.expected] for each in found.causes],
        "words": [[each.word, each.people] for each in found.words],
    }


def _keep_mentions(tx: Transaction, spike_id: int, mention_ids: Iterable[int]) -> None:
    rows = [{"spike_id": spike_id, "mention_id": each} for each in sorted(set(mention_ids))]
    for first in range(0, len(rows), 1000):
        tx.execute(upsert(tx, t.spike_mentions).on_conflict_do_nothing(), rows[first : first + 1000])


# --- decided by people ----------------------------------------------------------------------------------------------


def dismiss(tx: Transaction, spike: Spike, *, because: str, by: str, now: datetime) -> Spike:
    """It was nothing. Raises AlreadyDone where that was said before, or where an incident was opened from it."""
    return _decide(tx, spike, SpikeState.DISMISSED, because=because, by=by, now=now)


def opened(tx: Transaction, spike: Spike, incident_id: int, *, by: str, now: datetime) -> Spike:
    """An incident is about it. Raises AlreadyDone where one was opened from it before."""
    belongs(tx, spike, incident_id)
    return _decide(tx, spike, SpikeState.OPENED, because="", by=by, now=now)


def _decide(tx: Transaction, spike: Spike, state: SpikeState, *, because: str, by: str, now: datetime) -> Spike:
    columns = t.spikes.c
    undecided = (SpikeState.SEEN.value, *([SpikeState.DISMISSED.value] if state is SpikeState.OPENED else []))
    values = {"state": state.value, "decided_by": by, "decided_at": now, "because": because}
    won = tx.execute(update(t.spikes).where(columns.id == spike.id, columns.state.in_(undecided)).values(**values))
    if not won.rowcount:
        spike = get(tx, spike.id)
        by_then = f"I{spike.incident_id} was opened from it" if spike.state is SpikeState.OPENED else "it was dismissed"
        raise AlreadyDone(f"{spike.reference} is settled: {by_then} by {spike.decided_by}.")
    detail = {"incident": spike.incident_id} if spike.incident_id else {}
    audit.record(
        tx, at=now, by=by, action=f"spike.{state.value}", subject=f"spike {spike.id}", because=because, **detail
    )
    return get(tx, spike.id)


# --- read -----------------------------------------------------------------------------------------------------------


def get(tx: Transaction, spike_id: int) -> Spike:
    """The spike of that number. Raises NotFound."""
    row = tx.execute(select(t.spikes).where(t.spikes.c.id == spike_id)).first()
    if row is None:
        raise NotFound(f"There is no spike S{spike_id}; see `escucha incident spikes --all`.")
    return _spike(row)


def hold(tx: Transaction, spike_id: int) -> Spike:
    """The spike as it is now, and nobody else changes it until the transaction ends. Raises NotFound."""
    tx.execute(select(t.spikes.c.id).where(t.spikes.c.id == spike_id).with_for_update())
    return get(tx, spike_id)


def running(tx: Transaction) -> list[Spike]:
    """Those that go on, whatever people said of them; the newest first."""
    query = select(t.spikes).where(t.spikes.c.ended_at.is_(None)).order_by(t.spikes.c.id.desc())
    return [_spike(row) for row in tx.execute(query)]


def lately(tx: Transaction, since: datetime) -> list[Spike]:
    """Those that go on or were seen since then; the newest first. Nobody adds one until the transaction ends."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql("LOCK TABLE spikes IN SHARE ROW EXCLUSIVE MODE")
    where = or_(t.spikes.c.ended_at.is_(None), t.spikes.c.seen_at >= since)
    return [_spike(row) for row in tx.execute(select(t.spikes).where(where).order_by(t.spikes.c.id.desc()))]


def listing(tx: Transaction, *, everything: bool = False, limit: int | None = None) -> list[Spike]:
    """What goes on or is yet to be decided, the newest first; `everything`: all that were ever found."""
    columns = t.spikes.c
    query = select(t.spikes).order_by(columns.id.desc()).limit(limit)
    if not everything:
        open_ = or_(columns.ended_at.is_(None), columns.state == SpikeState.SEEN.value)
        query = query.where(open_, columns.state != SpikeState.DISMISSED.value)
    return [_spike(row) for row in tx.execute(query)]


def of_incident(tx: Transaction, incident_id: int) -> list[Spike]:
    """Those that an incident is about, the oldest first."""
    query = select(t.spikes).where(t.spikes.c.incident_id == incident_id).order_by(t.spikes.c.id)
    return [_spike(row) for row in tx.execute(query)]


def undecided(tx: Transaction) -> list[Spike]:
    """Those of an incident of which a person said what it is, and nobody what the spike is; the oldest first."""
    columns = t.spikes.c
    joined = t.spikes.join(t.incidents, t.incidents.c.id == columns.incident_id)
    where = (columns.state == SpikeState.SEEN.value, t.incidents.c.state != IncidentState.PROPOSED.value)
    return [_spike(row) for row in tx.execute(select(t.spikes).select_from(joined).where(*where).order_by(columns.id))]


def forget(tx: Transaction, before: datetime) -> None:
    """Lets go of the words of those that were over before then."""
    where = (t.spikes.c.ended_at < before, t.spikes.c.because != ERASED)
    tx.execute(update(t.spikes).where(*where).values(words=[], because=ERASED))


def numbers(tx: Transaction, spike_ids: Sequence[int]) -> dict[int, Numbers]:
    """How many there are behind each of those spikes, counted now."""
    joined = t.spike_mentions.join(t.mentions, t.mentions.c.id == t.spike_mentions.c.mention_id)
    here = t.mentions.c.state != MentionState.GONE.value
    query = (
        select(
            t.spike_mentions.c.spike_id,
            func.count(distinct(t.mentions.c.account_id)).filter(here).label("people"),
            func.count().filter(here).label("mentions"),
            func.count().label("all"),
        )
        .select_from(joined)
        .where(t.spike_mentions.c.spike_id.in_(spike_ids))
        .group_by(t.spike_mentions.c.spike_id)
    )
    found = {
        row.spike_id: Numbers(people=row.people, mentions=row.mentions, gone=row.all - row.mentions)
        for row in tx.execute(query)
    }
    return {number: found.get(number, Numbers(people=0, mentions=0, gone=0)) for number in spike_ids}


def mention_ids(tx: Transaction, spike_id: int) -> list[int]:
    """The numbers of its mentions that are still there, the oldest first."""
    columns = t.mentions.c
    joined = t.spike_mentions.join(t.mentions, columns.id == t.spike_mentions.c.mention_id)
    where = (t.spike_mentions.c.spike_id == spike_id, columns.state != MentionState.GONE.value)
    query = select(columns.id).select_from(joined).where(*where)
    return list(tx.scalars(query.order_by(columns.posted_at, columns.id)))


def samples(tx: Transaction, spike_id: int, *, limit: int) -> list[Mention]:
    """Some of its mentions that whoever acts may see, one of each person and one of each text, the newest first."""
    columns = t.mentions.c
    joined = t.spike_mentions.join(t.mentions, columns.id == t.spike_mentions.c.mention_id)
    query = (
        select(columns.id, columns.account_id, columns.copy_key)
        .select_from(joined)
        .where(t.spike_mentions.c.spike_id == spike_id, columns.state != MentionState.GONE.value, *sight.heard(tx))
        .order_by(columns.posted_at.desc(), columns.id.desc())
        .limit(limit * 20)
    )
    chosen: list[int] = []
    seen: set[Any] = set()
    for row in tx.execute(query):
        marks = {row.account_id, *([row.copy_key] if row.copy_key else [])}
        if len(chosen) < limit and seen.isdisjoint(marks):
            seen |= marks
            chosen.append(row.id)
    known: Mapping[int, Mention] = {each.id: each for each in mentions.several(tx, chosen)}
    return [known[each] for each in chosen if each in known]


def _spike(row: Row[Any]) -> Spike:
    read: dict[str, Any] = {
        "state": SpikeState(row.state),
        "label": (row.area, row.intent, row.place, row.network),
        "labels": tuple((each[0], each[1], each[2], each[3]) for each in row.labels),
        "causes": tuple(Cause(kind=each[0], name=each[1], people=each[2], expected=each[3]) for each in row.causes),
        "words": tuple(Said(word=each[0], people=each[1]) for each in row.words),
    }
    return Spike(**read, **{name: getattr(row, name) for name in Spike.__dataclass_fields__ if name not in read})
