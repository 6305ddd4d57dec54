"""replay: the situations of decisions made before, rebuilt for whoever wants to decide them again. Reads only.

What a situation needs and is not there any more is named, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from listener import situations
from listener.store import Store, replaying
from listener.store.replaying import Kept, Span
from listener.types import Facts, Situation

PAGE = 500  # decisions read at once: what is held in memory


class Lost(StrEnum):
    """What keeps a decision from being made again."""

    DELETED = "the mention was deleted, and its text with it"
    TEXT = "the words of that revision are not kept any more"
    UNDERSTANDING = "what the model made of it is not kept any more"
    SITUATION = "what else was looked at is not kept, or is of another version of Escucha"
    FACTS = "what was true of the network is not kept any more"
    NETWORK = "the network counts or addresses replies otherwise than it did, or is not set up here"


@dataclass(frozen=True, slots=True)
class Past:
    """One decision made before: its situation again, or what of it is lost."""

    decision_id: int
    mention_id: int
    network: str
    at: datetime
    policy_version: str
    fingerprint: str | None
    situation: Situation | None
    lost: Lost | None
    had_case: bool  # the mention was put into one, then or later
    answered_at: datetime | None  # when that case was first answered


def whole(
    store: Store, *, since: datetime | None = None, network: str | None = None, limit: int | None = None, every: bool
) -> Span:
    """The span of all decisions there are: of the newest `limit` of them, where that is given."""
    with store.read() as tx:
        after, last = replaying.bounds(tx, since=since)
        span = Span(after=after, last=last, newest=last, since=since, network=network, every=every)
        return replaying.newest(tx, span, limit) if limit is not None else span


def past(store: Store, span: Span, *, networks: Callable[[str, str], list[Facts]]) -> Iterator[Past]:
    """The decisions of the span by their number, in constant memory.

    `networks(network, account)` gives how that network computes now (`Facts.count` and its like): in one way or
    several, of which the one that agrees with what was kept is taken.
    """
    facts = _Facts(store, networks)
    while True:
        with store.read() as tx:
            page = replaying.page(tx, span, size=PAGE)
            answered = replaying.answered(tx, page[0].id, page[-1].id) if page else {}
        for kept in page:
            yield _past(kept, facts, answered)
        if len(page) < PAGE:
            return
        span = replaying.rest(span, page[-1].id)


class _Facts:
    """What was true of networks, read once each."""

    def __init__(self, store: Store, networks: Callable[[str, str], list[Facts]]) -> None:
        self._store = store
        self._networks = networks
        self._known: dict[tuple[str, str, str], Facts | Lost] = {}

    def of(self, kept: Kept) -> Facts | Lost:
        key = (kept.facts or "", kept.network, kept.account)
        if key not in self._known:
            self._known[key] = self._read(*key)
        return self._known[key]

    def _read(self, digest: str, network: str, account: str) -> Facts | Lost:
        with self._store.read() as tx:
            values = replaying.facts_of(tx, digest)
        if values is None:
            return Lost.FACTS
        try:
            ways = (situations.rebuilt_facts(values, each) for each in self._networks(network, account))
            return next((found for found in ways if found is not None), Lost.NETWORK)
        except situations.Unfit:
            return Lost.FACTS


def _past(kept: Kept, facts: _Facts, answered: Mapping[int, datetime | None]) -> Past:
    found = _rebuilt(kept, facts)
    lost = found if isinstance(found, Lost) else None
    return Past(
        kept.id,
        kept.mention_id,
        kept.network,
        kept.at,
        kept.policy_version,
        kept.fingerprint,
        None if isinstance(found, Lost) else found,
        lost,
        kept.mention_id in answered,
        answered.get(kept.mention_id),
    )


def _rebuilt(kept: Kept, facts: _Facts) -> Situation | Lost:
    if kept.gone or kept.text is None:
        return Lost.DELETED if kept.gone else Lost.TEXT
    if kept.understanding is None or kept.saw is None:
        return Lost.UNDERSTANDING if kept.understanding is None else Lost.SITUATION
    known = facts.of(kept)
    if isinstance(known, Lost):
        return known
    try:
        return situations.rebuilt(
            kept.saw,
            now=kept.at,
            mention_id=kept.mention_id,
            revision=kept.revision,
            network=kept.network,
            posted_at=kept.posted_at,
            text=kept.text,
            content_warning=kept.content_warning,
            understanding=kept.understanding,
            facts=known,
        )
    except situations.Unfit:
        return Lost.SITUATION
