"""How often we spoke already, counted again when a person is about to approve.

The policy counted when it decided; of many posts decided together each was under its caps then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from listener.commands.app import App
from listener.errors import PolicyProblem
from listener.store import Transaction, inbox
from listener.store.inbox import Spoken
from listener.store.mentions import Mention
from listener.store.waiting import Alike

NAMED = 4  # drafts in one sentence


@dataclass(frozen=True, kw_only=True)
class Caps:
    """The policy's caps, as its guard has them."""

    per_author_per_day: int
    per_thread: int
    per_hour: int
    per_day: int


@dataclass(frozen=True, kw_only=True)
class Already:
    """What was said already, in a sentence; empty where nothing was. `over`: one more would pass a cap."""

    sentence: str = ""
    over: bool = False


def of(app: App) -> Caps | None:
    """The caps of the policy that rules; None where it cannot be read."""
    try:
        guard = cast("Any", app.policy).file.guard
    except PolicyProblem:
        return None
    return Caps(
        per_author_per_day=guard.per_author_per_day,
        per_thread=guard.per_thread,
        per_hour=guard.per_hour,
        per_day=guard.per_day,
    )


def already(tx: Transaction, mention: Mention, caps: Caps | None, *, now: datetime) -> Already:
    """What was sent or approved around that mention until now."""
    if caps is None:
        return Already(sentence="its limits are not known: see `escucha policy check`", over=True)
    around: dict[str, Any] = {
        "account_id": mention.account_id,
        "network": mention.network,
        "thread_id": mention.thread_id,
        "now": now,
    }
    sends = inbox.sends(tx, mention_id=mention.id, **around)
    spoken = inbox.spoken(tx, **around)
    counts = (
        (sends.in_thread, caps.per_thread, "in this conversation"),
        (sends.to_author_last_day, caps.per_author_per_day, "to this person in a day"),
        (sends.last_hour, caps.per_hour, f"on {mention.network} in an hour"),
        (sends.last_day, caps.per_day, f"on {mention.network} in a day"),
    )
    reached = [count for count in counts if count[0] >= count[1]]
    if not spoken and not reached:
        return Already()
    told = "; ".join(f"{sent} {where}, {cap} is the limit" for sent, cap, where in reached or counts[:1])
    return Already(sentence=f"{_named(spoken, mention.network)} ({told})", over=bool(reached))


def _named(spoken: Sequence[Spoken], network: str) -> str:
    theirs = [each for each in spoken if each.theirs]
    numbers = [each.number for each in theirs or spoken]
    if not numbers:
        return f"much was said on {network} already"
    names = ", ".join(f"D{number}" for number in numbers[:NAMED]) + (" …" if len(numbers) > NAMED else "")
    elsewhere = "" if any(each.here for each in theirs) else " elsewhere"
    return f"already approved {f'for this person{elsewhere}' if theirs else 'in this conversation'}: {names}"


def keep_under(tx: Transaction, listed: Iterable[Alike], caps: Caps, *, network: str, now: datetime) -> Iterator[Alike]:
    """Of drafts that would go out together, those that keep under every cap: one at most per author and per thread."""
    room = None
    authors, threads = set(), set()
    for one in listed:
        if one.account_id in authors or one.thread_id in threads:
            continue
        sends = inbox.sends(
            tx,
            mention_id=one.mention_id,
            account_id=one.account_id,
            network=network,
            thread_id=one.thread_id,
            now=now,
        )
        room = min(caps.per_hour - sends.last_hour, caps.per_day - sends.last_day) if room is None else room
        if room <= 0:
            return
        if sends.to_author_last_day >= caps.per_author_per_day or sends.in_thread >= caps.per_thread:
            continue
        authors.add(one.account_id)
        threads.add(one.thread_id)
        room -= 1
        yield one
