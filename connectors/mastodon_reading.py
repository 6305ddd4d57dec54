"""Where to read on: cursors over lists that are ordered by opaque ids. Nothing here knows HTTP; `fetch` asks.

Two ways to read. *Forward*, by min_id, page after page from where we were: nothing is skipped however much waits, and
every page read is a step that a crash cannot undo. *Back*, by max_id from the newest: for a first look, for search
(which has no way forward), and as long as we know no id old enough to start from.

A server files a post that reaches it late under the post's own time, so its id lies behind what we have read. A
*round* forward therefore begins some way back: at the newest *footprint* from at least `OVERLAP` before the last round,
and once every `SWEEP_EVERY` at one from `HORIZON` before. A footprint is an id with its time, kept every 15 minutes or
40 posts; 24 of them are kept, so that a sweep stays short on a busy tag and reaches hours back on a quiet one.

The cursor: `at` the id to read on from, within a round; `began` and `sweep` of that round; `read` and `swept`, when the
last round and the last sweep began; `head` the newest item seen; `trail` the footprints; `since` how many items came
after the last of them; `longest` the longest page so far. Times are unix seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from connectors.mastodon_posts import Unreadable, read_id, read_time
from listener.types import Cursor

PAGE = 40  # what we ask for, the most that Mastodon gives
OVERLAP = 15 * 60.0
SWEEP_EVERY = 3600.0
HORIZON = 6 * 3600.0
FIRST_LOOK = 24 * 3600.0

_FOOTPRINTS = 24
_FOOTPRINT_SECONDS = 15 * 60.0
_FOOTPRINT_ITEMS = 40
_FIRST_PAGES = 5
_MOST_PAGES = 50


@dataclass(frozen=True, kw_only=True)
class Item:
    """One entry of a list: its id in that list, its time, and the status (None: there is none any more)."""

    id: str
    at: float
    status: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One answer, newest first. `length` is what the server sent, `unreadable` how much of it could not be read."""

    items: Sequence[Item]
    length: int
    unreadable: int = 0


class Fetch(Protocol):
    """Asks for one page: directly after `min_id`, directly before `max_id`, or the newest."""

    def __call__(self, *, min_id: str | None = None, max_id: str | None = None) -> Batch: ...


def to_batch(entries: object, inside: str | None = None) -> Batch:
    """A list as the server sent it; `inside` names where an entry keeps its status. Unreadable if it holds no ids."""
    if not isinstance(entries, list):
        raise Unreadable("no list")
    items: list[Item] = []
    unreadable = 0
    for entry in entries:
        try:
            at = read_time(entry.get("created_at"))
            status = entry.get(inside) if inside else entry
            items.append(Item(id=read_id(entry), at=at.timestamp() if at else 0.0, status=status))
        except (Unreadable, AttributeError):
            unreadable += 1
    if entries and not items:
        raise Unreadable("a list of things that have no id")
    return Batch(items=items, length=len(entries), unreadable=unreadable)


@dataclass(kw_only=True)
class Reading:
    """What was read, oldest first, and where to read on."""

    items: list[Item]
    cursor: Cursor
    more: bool = False
    gap: str | None = None
    unreadable: int = 0

    def gap_with(self, broken: int) -> str | None:
        """What was not read, in words, when so many of the items turned out to be broken."""
        broken += self.unreadable
        lost = f"{broken} posts could not be read" if broken else None
        return "; ".join(each for each in (self.gap, lost) if each) or None


@dataclass(kw_only=True)
class _Walk:
    items: list[Item] = field(default_factory=list)  # newest first
    complete: bool = True
    unreadable: int = 0


def forward(fetch: Fetch, cursor: Cursor | None, *, now: float, late: bool) -> Reading:
    """The next page forward. `late`: items may turn up behind what was read, so rounds begin some way back."""
    began = float((cursor or {}).get("began") or now)
    sweep = bool((cursor or {}).get("sweep"))
    known = dict(cursor or {})
    start = known.get("at")
    if cursor is not None and start is None:
        sweep = late and now - known["swept"] >= SWEEP_EVERY
        start = _start(known, known["read"] - (HORIZON if sweep else OVERLAP)) if late else _head_id(known)
    gap = None
    longest = known.get("longest", 0)
    if start is None:
        if cursor is None:
            walk = _walk_back(fetch, until=now - FIRST_LOOK, head=None, pages=_FIRST_PAGES)
        else:
            until = known["read"] - (HORIZON if sweep else OVERLAP)
            walk = _walk_back(fetch, until=until, head=_head_id(known), pages=_MOST_PAGES)
            gap = None if walk.complete else _too_much()
        items, unreadable, more = walk.items[::-1], walk.unreadable, False
    else:
        batch = fetch(min_id=start)
        items, unreadable = list(batch.items)[::-1], batch.unreadable
        # The round is over when nothing comes, or when a page ends exactly where we were before and is no full one;
        # what is full, only the longest page so far can tell, since servers cut what we ask for as they like.
        longest = max(longest, batch.length)
        more = bool(items) and items[-1].id != start
        more = more and (batch.length >= longest or items[-1].id != _head_id(known))
    after = {"swept": known.get("swept", now), "read": known.get("read", now), "longest": longest}
    after |= _advance(known, items, late)
    if more:
        after.update(at=items[-1].id, began=began, sweep=sweep, read=known.get("read", began))
    else:
        after.update(read=began, swept=began if sweep else after["swept"])
    return Reading(items=items, cursor=after, more=more, gap=gap, unreadable=unreadable)


def backward(fetch: Fetch, cursor: Cursor | None, *, now: float) -> Reading:
    """Everything since the last time, read back from the newest: for lists that cannot be read forward."""
    until = now - FIRST_LOOK if cursor is None else cursor["read"] - OVERLAP
    walk = _walk_back(fetch, until=until, head=None, pages=_FIRST_PAGES if cursor is None else _MOST_PAGES)
    gap = None if walk.complete or cursor is None else _too_much()
    return Reading(items=walk.items[::-1], cursor={"read": now}, gap=gap, unreadable=walk.unreadable)


def all_backward(fetches: Sequence[Fetch], cursor: Cursor | None, *, now: float) -> Reading:
    """Several lists that cannot be read forward, as one."""
    readings = [backward(fetch, cursor, now=now) for fetch in fetches]
    items = {item.id: item for reading in readings for item in reading.items}
    gaps = dict.fromkeys(reading.gap for reading in readings if reading.gap)
    return Reading(
        items=sorted(items.values(), key=lambda item: item.at),
        cursor={"read": now},
        gap="; ".join(gaps) or None,
        unreadable=sum(reading.unreadable for reading in readings),
    )


def _walk_back(fetch: Fetch, *, until: float, head: str | None, pages: int) -> _Walk:
    """From the newest back to `until`, and to `head` where we know one, in at most that many pages."""
    walk, seen, oldest = _Walk(), set[str](), None
    for _ in range(pages):
        batch = fetch(max_id=oldest)
        fresh = [item for item in batch.items if item.id not in seen]
        walk.unreadable += batch.unreadable
        if not fresh:
            return walk
        walk.items += fresh
        seen.update(item.id for item in fresh)
        oldest = fresh[-1].id
        head_seen = head is None or head in seen
        if (fresh[-1].at < until and head_seen) or all(item.at < until for item in fresh):
            return walk
    walk.complete = False
    return walk


def _start(known: Cursor, before: float) -> str | None:
    """The newest id we know from before that time; the oldest we know if we once knew older ones; else None."""
    marks = [*known.get("trail", []), *([known["head"]] if known.get("head") else [])]
    old = [mark for mark in marks if mark[1] <= before]
    if old:
        return str(max(old, key=lambda mark: mark[1])[0])
    return str(marks[0][0]) if len(marks) > _FOOTPRINTS else None


def _advance(known: Cursor, items: Sequence[Item], late: bool) -> dict[str, Any]:
    """Head and trail after these items, oldest first."""
    head, trail, since = known.get("head"), list(known.get("trail", [])), known.get("since", 0)
    for item in items:
        if head and item.at <= head[1] and late:
            continue
        head, since = [item.id, item.at], since + 1
        if late and (not trail or item.at - trail[-1][1] >= _FOOTPRINT_SECONDS or since >= _FOOTPRINT_ITEMS):
            trail, since = [*trail, head][-_FOOTPRINTS:], 0
    return {"head": head, "trail": trail, "since": since} if late else {"head": head}


def _head_id(known: Cursor) -> str | None:
    return str(known["head"][0]) if known.get("head") else None


def _too_much() -> str:
    return f"more than {_MOST_PAGES * PAGE} posts came since the last look; the oldest of them were not read"
