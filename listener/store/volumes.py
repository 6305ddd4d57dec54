"""How many people spoke of what, in steps of five minutes: numbers only, of nobody in particular.

What is decided is counted from the rows that are there anyway, in the order in which it was decided, and how far that
has come is kept in the transaction that counts: whoever is killed half-way counts nothing twice, and a database that
was there before is counted in the same way from its beginning. Deciding itself writes nothing for it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple, overload

from sqlalchemy import and_, delete, exists, func, select, update

from listener.store import Transaction, upsert
from listener.store import tables as t
from listener.types import MentionState, Sentiment

Label = tuple[str, str, str, str]  # area, intent, place, network; "" is any
BUCKETS = 288  # of five minutes, in a day of UTC
_EPOCH = date(1970, 1, 1).toordinal()
_NAME = "volumes"  # of the row in `sweeps`
_PAIR = struct.Struct("<HH")  # the bucket of the day, the people in it
_MOST = 65_535
_LONGEST = 100  # characters of a label, as wide as its column


class Voice(NamedTuple):
    """One decided mention, as far as counting goes, and how its author is known there."""

    decision: int
    mention: int
    at: datetime  # when it was posted
    account: int
    author: str  # the network's id of them
    handle: str
    author_url: str | None
    network: str
    areas: Sequence[str]
    intents: Sequence[str]
    negative: bool
    copy: str
    text: str


# --- what is to be counted ------------------------------------------------------------------------------------------


def settled(tx: Transaction) -> int:
    """The number up to which every decision that will ever be there is there; in a transaction of its own.

    Those who decide hold the policy that rules (`policies.hold`), so where numbers are given out before they are
    committed, it waits for them, and they for it.
    """
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql("LOCK TABLE policy_versions IN ROW EXCLUSIVE MODE")
    return int(tx.scalar(select(func.max(t.decisions.c.id))) or 0)


def counted_up_to(tx: Transaction, *, since: datetime) -> int:
    """The last decision that was counted. Nobody else counts until the transaction ends.

    `since`: a database of which nothing was counted yet is counted from what was decided then.
    """
    columns = t.sweeps.c
    query = select(columns.last_id).where(columns.name == _NAME)
    if tx.scalar(query) is None:
        first = tx.scalar(select(func.min(t.decisions.c.id)).where(t.decisions.c.at >= since))
        last = tx.scalar(select(func.max(t.decisions.c.id)))
        begins = {"name": _NAME, "last_id": int(last or 0) if first is None else int(first) - 1}
        tx.execute(upsert(tx, t.sweeps).values(**begins).on_conflict_do_nothing())
    return int(tx.execute(query.with_for_update()).scalar_one())


def advance(tx: Transaction, to: int) -> None:
    """Everything up to that decision is counted."""
    tx.execute(update(t.sweeps).where(t.sweeps.c.name == _NAME).values(last_id=to))


def decided(tx: Transaction, after: int, up_to: int, *, limit: int | None) -> list[Voice]:
    """Mentions by their first decisions, after the one and up to the other, in their order; `limit` at most, None: all.

    Only the first of a mention counts, so that nobody counts twice for an edit. What is gone, or written by a machine
    that says so, does not count.
    """
    columns = t.decisions.c
    return _voices(tx, and_(columns.id > after, columns.id <= up_to), limit)


def counted_lately(tx: Transaction, up_to: int, span: timedelta) -> list[Voice]:
    """The same of what was posted within that span before that decision, which is the last that was counted."""
    at = tx.scalar(select(t.decisions.c.at).where(t.decisions.c.id == up_to))
    if at is None:
        return []
    return _voices(tx, and_(t.mentions.c.posted_at >= at - span, t.decisions.c.id <= up_to), None)


def posted_between(tx: Transaction, since: datetime, until: datetime, *, most: int) -> list[Voice]:
    """The same of what was posted between the two moments; the newest, where there is more."""
    posted = t.mentions.c.posted_at
    found = _voices(tx, and_(posted >= since, posted < until), most, newest=True)
    return sorted(found, key=lambda voice: (voice.at, voice.mention))


def _voices(tx: Transaction, where: Any, limit: int | None, *, newest: bool = False) -> list[Voice]:
    decision, mention, read, author = t.decisions.c, t.mentions.c, t.understandings.c, t.accounts.c
    earlier = t.decisions.alias("earlier")
    known = exists().where(earlier.c.mention_id == mention.id, earlier.c.id < decision.id)
    same = and_(
        read.mention_id == decision.mention_id,
        read.revision == decision.revision,
        read.model_version == decision.model_version,
    )
    query = (
        select(
            decision.id,
            mention.id.label("mention"),
            mention.posted_at,
            mention.account_id,
            author.external_id,
            author.handle,
            author.url,
            mention.network,
            read.areas,
            read.intents,
            read.sentiment,
            mention.copy_key,
            mention.text,
        )
        .join(t.mentions, mention.id == decision.mention_id)
        .join(t.understandings, same)
        .join(t.accounts, author.id == mention.account_id)
        .where(where, mention.state != MentionState.GONE.value, author.bot.is_(False), ~known)
        .order_by(*([mention.posted_at.desc()] if newest else [decision.id]))
        .limit(limit)
    )
    return [
        Voice(
            decision=row.id,
            mention=row.mention,
            at=row.posted_at,
            account=row.account_id,
            author=row.external_id,
            handle=row.handle,
            author_url=row.url,
            network=row.network,
            areas=row.areas,
            intents=row.intents,
            negative=row.sentiment == Sentiment.NEGATIVE.value,
            copy=row.copy_key,
            text=row.text,
        )
        for row in tx.execute(query)
    ]


# --- what was counted -----------------------------------------------------------------------------------------------


def add(tx: Transaction, counts: Mapping[Label, Mapping[int, int]]) -> None:
    """Adds people to what was counted: by label, buckets (five minutes since 1970, UTC) and how many more in each."""
    by_day: dict[date, dict[Label, dict[int, int]]] = {}
    for label, buckets in counts.items():
        narrow = tuple(each[:_LONGEST] for each in label)
        for bucket, people in buckets.items():
            day = _day(bucket)
            there = by_day.setdefault(day, {}).setdefault((narrow[0], narrow[1], narrow[2], narrow[3]), {})
            there[bucket % BUCKETS] = there.get(bucket % BUCKETS, 0) + people
    for day, added in sorted(by_day.items()):
        rows = []
        known = {_label(row): row.people for row in tx.execute(select(t.volumes).where(t.volumes.c.day == day))}
        for label, now in sorted(added.items()):
            for bucket, before in _PAIR.iter_unpack(known.get(label, b"")):
                now[bucket] = now.get(bucket, 0) + before
            packed = b"".join(_PAIR.pack(bucket, min(count, _MOST)) for bucket, count in sorted(now.items()))
            names = dict(zip(("area", "intent", "place", "network"), label, strict=True))
            rows.append({"day": day, **names, "people": packed})
        statement = upsert(tx, t.volumes)
        key = ["day", "area", "intent", "place", "network"]
        people_now = {"people": statement.excluded.people}
        tx.execute(statement.on_conflict_do_update(index_elements=key, set_=people_now), rows)


class Buckets(Sequence[tuple[int, int]]):
    """The buckets (five minutes since 1970, UTC) with anybody in them, in order, and how many people, as they are kept.

    Weeks of them, of thousands of labels, are small so; numpy takes them as an array with a row for each.
    """

    def __init__(self) -> None:
        self._days: list[tuple[int, bytes]] = []  # the first bucket of the day, the pairs
        self._length = 0

    def add(self, first: int, packed: bytes) -> None:
        """A further day."""
        self._days.append((first, packed))
        self._length += len(packed) // _PAIR.size

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for first, packed in self._days:
            for bucket, people in _PAIR.iter_unpack(packed):
                yield first + bucket, people

    def __reversed__(self) -> Iterator[tuple[int, int]]:
        for first, packed in reversed(self._days):
            for bucket, people in reversed(list(_PAIR.iter_unpack(packed))):
                yield first + bucket, people

    @overload
    def __getitem__(self, index: int) -> tuple[int, int]: ...

    @overload
    def __getitem__(self, index: slice) -> list[tuple[int, int]]: ...

    def __getitem__(self, index: int | slice) -> tuple[int, int] | list[tuple[int, int]]:
        if isinstance(index, int) and 0 <= index < len(self):
            return next(islice(self, index, None))
        return list(self)[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        import numpy as np

        pairs = [
            np.add(np.frombuffer(packed, dtype="<u2").reshape(-1, 2), np.array((first, 0), dtype=np.int64))
            for first, packed in self._days
        ]
        found = np.concatenate(pairs) if pairs else np.zeros((0, 2), dtype=np.int64)
        return found.astype(dtype or np.int64, copy=bool(copy))


def read(tx: Transaction, since: date) -> dict[Label, Buckets]:
    """By label, how many people, from that day on."""
    found: dict[Label, Buckets] = {}
    for row in tx.execute(select(t.volumes).where(t.volumes.c.day >= since).order_by(t.volumes.c.day)):
        found.setdefault(_label(row), Buckets()).add((row.day.toordinal() - _EPOCH) * BUCKETS, row.people)
    return found


def series(tx: Transaction, label: Label, since: datetime, until: datetime, *, step: int) -> list[int]:
    """How many people in each span of so many buckets, for a label: "" in its network is all of them together.

    The last span ends with the bucket of `until`.
    """
    area, intent, place, network = label
    columns = t.volumes.c
    last, first = int(until.timestamp()) // 300, int(since.timestamp()) // 300
    spans = max(-(-(last - first) // step), 1)
    first = last + 1 - spans * step
    where = [columns.day >= _day(first), columns.day <= _day(last)]
    where += [columns.area == area, columns.intent == intent, columns.place == place]
    where += [columns.network == network] if network else []
    found = [0] * spans
    for row in tx.execute(select(columns.day, columns.people).where(*where)):
        midnight = (row.day.toordinal() - _EPOCH) * BUCKETS
        for bucket, people in _PAIR.iter_unpack(row.people):
            if first <= midnight + bucket <= last:
                found[(midnight + bucket - first) // step] += people
    return found


def forget(tx: Transaction, before: date) -> int:
    """Lets go of the days before that one; gives how many rows."""
    return tx.execute(delete(t.volumes).where(t.volumes.c.day < before)).rowcount


def _label(row: Any) -> Label:
    return (row.area, row.intent, row.place, row.network)


def _day(bucket: int) -> date:
    return date.fromordinal(_EPOCH + bucket // BUCKETS)
