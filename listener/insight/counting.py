"""How many people said something, by area, intent, place and network, in steps of five minutes. Pure.

What is counted here is what `normal.py` learns from and `spikes.py` looks at. A mention counts for each key that it
fits, so that what is rare by itself (one area, in one town, on one network) has a count of its own. A person counts
once in six hours for a key, however often they write, and so does a text that many copy: fifty posts of one person,
or one text by fifty, are one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import NamedTuple

from listener.types import Intent, utc

BUCKET = timedelta(minutes=5)
ONCE = timedelta(hours=6)  # for how long a person, or a copied text, does not count again for a key
_SECONDS = int(BUCKET.total_seconds())

ALARMING = (
    Intent.COMPLAINT,
    Intent.OUTAGE_REPORT,
    Intent.CANCELLATION_THREAT,
    Intent.QUESTION,
    Intent.REQUEST,
)  # what people say more of when something has gone wrong
OTHER = "other"  # the intent of a key for talk without any of these: jokes, praise, campaigns


class Key(NamedTuple):
    """What is counted together. "" is any: any area, any *alarming* intent, any place, any network.

    `intent` is one of ALARMING, "" for all of them together, or OTHER. Counts are kept by network; "" in `network`
    stands in what is found only, as counts of several networks add up: an account is on one of them.
    """

    area: str = ""
    intent: str = ""
    place: str = ""
    network: str = ""

    def fits(self, said: Said) -> bool:
        """Whether a mention is one of those that this key counts."""
        return (
            (not self.area or self.area in said.areas)
            and (not self.place or self.place in said.places)
            and (not self.network or self.network == said.network)
            and self.intent in _intents(said)
        )

    def beside(self, other: Key) -> bool:
        """Whether some mention can be in both: nowhere do the two name different things."""
        return all(not one or not two or one == two for one, two in zip(self, other, strict=True))


@dataclass(frozen=True, kw_only=True)
class Said:
    """One mention, as far as counting goes.

    `person`: what tells its author apart from all others, such as the account's id. `copy`: what it shares with copies
    of its text, "" for texts too short to say (`store/copies.py`). `negative`: its sentiment is. Of `intents`, `areas`
    and `places` there may be several or none.
    """

    id: int
    at: datetime
    person: int
    network: str
    areas: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    negative: bool = False
    copy: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", utc(self.at))


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A time in which a network was not listened to (any network: ""): its missing posts are no silence."""

    since: datetime
    until: datetime
    network: str = ""


Counts = Mapping[
    Key, Sequence[tuple[int, int]]
]  # by key: the number of a bucket, the people in it; empty ones left out


def bucket(at: datetime) -> int:
    """The number of the five minutes that a moment is in."""
    return int(utc(at).timestamp()) // _SECONDS


def begins(number: int) -> datetime:
    """When the five minutes of that number begin, in UTC."""
    return datetime.fromtimestamp(number * _SECONDS, tz=UTC)


def keys(said: Said) -> tuple[Key, ...]:
    """Every key that a mention counts for."""
    areas, places = ("", *said.areas), ("", *said.places)
    return tuple(
        Key(area, intent, place, said.network) for area, intent, place in product(areas, _intents(said), places)
    )


def _intents(said: Said) -> tuple[str, ...]:
    alarming = tuple(intent for intent in ALARMING if intent in said.intents)
    if alarming:
        return ("", *alarming)
    return ("",) if said.negative else (OTHER,)


def counted(mentions: Iterable[Said]) -> Iterator[tuple[Said, tuple[Key, ...]]]:
    """Each mention with the keys for which it counts: none where its author, or its text, was counted already.

    `mentions` in the order of `at`. What precedes the first by less than six hours is not known to this function: who
    counts from a moment on begins six hours before it.
    """
    last: dict[tuple[Key, str], datetime] = {}
    swept: datetime | None = None
    for said in mentions:
        new = []
        for key in keys(said):
            marks = [(key, f"person {said.person}"), *([(key, f"copy {said.copy}")] if said.copy else [])]
            if all(mark not in last or said.at - last[mark] >= ONCE for mark in marks):
                new.append(key)
                last.update(dict.fromkeys(marks, said.at))
        yield said, tuple(new)
        if swept is None or said.at - swept >= ONCE:  # so that memory does not grow with the length of the history
            swept = said.at
            last = {mark: at for mark, at in last.items() if said.at - at < ONCE}


def count(mentions: Iterable[Said]) -> Counts:
    """How many people in each bucket, by key; `mentions` in the order of `at`, as `counted` wants them."""
    tally: Counter[tuple[Key, int]] = Counter()
    for said, new in counted(mentions):
        number = bucket(said.at)
        tally.update((key, number) for key in new)
    result: dict[Key, list[tuple[int, int]]] = {}
    for (key, number), people in sorted(tally.items()):
        result.setdefault(key, []).append((number, people))
    return result
