"""Where to read on: cursors over Reddit's listings, which show about the newest 1,000 things, newest first.

Nothing here knows HTTP; `fetch` asks for the page after a fullname. Reddit's own `before` is of no use as a cursor:
once the thing it names is deleted, it gives nothing, for ever. So every round reads from the newest page back until it
meets something known, and says so where the listing ends before. What is known is the fullnames of the newest
`REMEMBERED` things and the time of the newest; a round is over at whichever comes first, so that not even the deletion
of all of them makes it read to the end.

A filter may hold a post back and a moderator let it through hours later: then it turns up behind what was read. The
newest page is looked through each time, and once every `SWEEP_EVERY` the listing back to `HORIZON`.

The cursor: `read` and `swept`, when the last round and the last sweep began; `lists`, for each listing by name, the
fullnames (`names`) and the time (`newest`). Times are unix seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.reddit_posts import Thing, Unreadable, fullname_of, is_fullname, time_of
from listener import terms
from listener.errors import Mistake
from listener.terms import And, Expression, From, Or, Phrase, Terms, Word
from listener.types import Cursor

PAGE = 100  # the most that Reddit gives at once
REMEMBERED = 250
OVERLAP = 120.0  # how far Reddit's listings may lag behind each other, and clocks apart
SWEEP_EVERY = 3600.0
HORIZON = 6 * 3600.0
FIRST_LOOK = 24 * 3600.0
BEGINNING = 1_119_484_800.0  # 23 June 2005, when Reddit began: nothing there is older
LONGEST_SEARCH = 512

_FIRST_PAGES = 3
_MOST_PAGES = 10  # about 1,000 things: Reddit has no more
_OTHERS = 3
_SUBREDDITS = re.compile(r"/?r/([A-Za-z0-9_]{2,24}(?:\+[A-Za-z0-9_]{2,24})*)/?(?:\s+(.*))?", re.DOTALL)
_TOO_MUCH = frozenset({"all", "popular", "friends", "mod", "home"})
_MOST_SUBREDDITS = 50
_SEARCHED = re.compile(r"[^\W_]+(?:[-'’.][^\W_]+)*")
_OPERATORS = frozenset({"AND", "OR", "NOT"})


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is asked for: our inbox (`mentions`), the `subreddits` (a+b), or a search (`searched`, as Reddit is asked).

    `terms` is what a post must match here; None: everything.
    """

    mentions: bool = False
    subreddits: str = ""
    searched: str = ""
    terms: Terms | None = None

    def wants(self, text: str, author: str) -> bool:
        """Whether such a post is meant. Reddit claims no language, so none is excluded."""
        return self.terms is None or self.terms.matches(text, author=author)


def read_query(query: str) -> Query:
    """The query as it will be served. Raises Mistake for what makes no sense or cannot be."""
    query = query.strip()
    if query.lower() == "mentions":
        return Query(mentions=True)
    if not query:
        raise Mistake("Say what to listen to: mentions, r/subreddit with or without terms, or terms to search for.")
    if re.match(r"/?r/", query):
        return _subreddits(query)
    wanted = terms.parse(query)
    widest = terms.widest(wanted.expression, _searchable)
    if widest is None:
        raise Mistake(
            f"Reddit cannot search for {query!r}: it needs words, and at most {LONGEST_SEARCH} characters of them; "
            "r/subreddit before the terms reads everything there and matches it here."
        )
    return Query(searched=_search_text(widest), terms=wanted)


def _subreddits(query: str) -> Query:
    found = _SUBREDDITS.fullmatch(query)
    if not found:
        raise Mistake(f"{query!r} names no subreddits: write r/spain or r/spain+madrid, and then the terms.")
    names = list(dict.fromkeys(name.lower() for name in found[1].split("+")))
    if too_much := _TOO_MUCH & set(names):
        raise Mistake(f"r/{min(too_much)} is more than Reddit lets anyone read: name subreddits, or search for terms.")
    if len(names) > _MOST_SUBREDDITS:
        raise Mistake(f"At most {_MOST_SUBREDDITS} subreddits fit into one source; make two of it.")
    rest = (found[2] or "").strip()
    return Query(subreddits="+".join(names), terms=terms.parse(rest) if rest else None)


def _searchable(expression: Expression) -> bool:
    """What Reddit's search finds surely: words and phrases, authors, AND and OR of them.

    Never a NOT: Reddit also finds other forms of a word, so it would leave out more than the terms do.
    """
    match expression:
        case Word(text):
            return _SEARCHED.fullmatch(text) is not None and text not in _OPERATORS
        case Phrase(text):
            return all(_SEARCHED.fullmatch(word) for word in text.split())
        case From(handle):
            return re.fullmatch(r"[A-Za-z0-9_-]{2,24}", handle) is not None
        case And() | Or():
            return len(_search_text(expression)) <= LONGEST_SEARCH
        case _:
            return False


def _search_text(expression: Expression) -> str:
    """The expression in the language of Reddit's search."""
    match expression:
        case And(parts) | Or(parts):
            sign = " AND " if isinstance(expression, And) else " OR "
            return sign.join(
                f"({_search_text(part)})" if isinstance(part, And | Or) else _search_text(part) for part in parts
            )
        case Phrase(text) | Word(text):
            return f'"{text}"'
        case From(handle):
            return f"author:{handle}"
        case _:
            raise ValueError(f"Reddit cannot search for {expression}")


# --- reading back ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Item:
    """One entry of a listing."""

    name: str
    at: float
    thing: Thing
    edited: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One answer, newest first; `after` leads to the next one, None at the end. `unreadable`: how many had no name."""

    items: Sequence[Item]
    after: str | None
    unreadable: int = 0


Fetch = Callable[[str | None], Batch]


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One listing to read. `depth`: how many pages Reddit gives of it at least, before it admits to no more.

    Pages, not things: what was deleted is missing from a page and counts all the same.
    """

    fetch: Fetch
    depth: int = 9


def to_batch(answer: object, kinds: Sequence[str] = ("t1", "t3")) -> Batch:
    """A listing as Reddit sent it; things of other kinds are passed over. Unreadable if it is none."""
    data = _data(answer)
    if not isinstance(data.get("children"), list):
        raise Unreadable("no listing")
    items, unreadable = [], 0
    for child in data["children"]:
        kind, thing = (child.get("kind"), child.get("data")) if isinstance(child, dict) else (None, None)
        if isinstance(kind, str) and kind not in kinds:
            continue
        try:
            if not isinstance(thing, dict):
                raise Unreadable("nothing in it")
            at, edited = time_of(thing), time_of(thing, "edited")
            if at is None:
                raise Unreadable("no time")
            item = Item(
                name=fullname_of(thing), at=at.timestamp(), thing=thing, edited=edited.timestamp() if edited else 0.0
            )
            items.append(item)
        except Unreadable:
            unreadable += 1
    after = data.get("after")
    return Batch(items=items, after=after if isinstance(after, str) and after else None, unreadable=unreadable)


@dataclass(kw_only=True)
class Reading:
    """What was read, oldest first, and where to read on. `gaps`: which listings ended too soon."""

    items: list[Item] = field(default_factory=list)
    cursor: Cursor = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    unreadable: int = 0

    def gap_with(self, broken: int) -> str | None:
        """What was not read, in words, when so many of the items turned out to be broken."""
        told = [f"more came ({name}) than Reddit shows; the oldest of it was not read" for name in self.gaps]
        if broken := broken + self.unreadable:
            told.append(f"{broken} posts could not be read")
        return "; ".join(told) or None


def backward(listings: Mapping[str, Listing], cursor: Cursor | None, *, now: float) -> Reading:
    """What is new in each of the listings since the cursor, and what was edited since."""
    known = _readable(cursor)
    sweep = known is not None and now - known["swept"] >= SWEEP_EVERY
    reading = Reading()
    lists: dict[str, Any] = {}
    for name, listing in listings.items():
        before = known["lists"].get(name) if known else None
        walk = _walk_back(listing, before, now=now, sweep=sweep, read=known["read"] if known else None)
        seen = frozenset(before["names"]) if before else frozenset()
        since = known["read"] - OVERLAP if known else now
        reading.items += [
            item for item in walk.items if item.at >= walk.until and (item.name not in seen or item.edited > since)
        ]
        reading.unreadable += walk.unreadable
        if known is not None and walk.ended_early:
            reading.gaps.append(name)
        lists[name] = _remembered(walk.items, before, now)
    reading.items.sort(key=lambda item: item.at)
    swept = now if known is None or sweep else known["swept"]
    reading.cursor = {"read": now, "swept": swept, "lists": lists}
    return reading


@dataclass(kw_only=True)
class _Walk:
    """`until`: what is older than that was there before we began to listen."""

    until: float
    items: list[Item] = field(default_factory=list)  # newest first
    ended_early: bool = False
    unreadable: int = 0


def _walk_back(
    listing: Listing, before: Mapping[str, Any] | None, *, now: float, sweep: bool, read: float | None
) -> _Walk:
    """From the newest back to what is known, or to the end of the listing."""
    if read is None:
        until, pages = now - FIRST_LOOK, _FIRST_PAGES
    else:
        newest = before["newest"] if before else None
        until, pages = (newest if newest is not None else read) - OVERLAP, _MOST_PAGES
    deepest = until if read is None else min(until, read - HORIZON)
    walk, after, met = _Walk(until=deepest), None, False
    names = frozenset(before["names"]) if before else frozenset()
    seen: set[str] = set()
    asked = 0
    for _ in range(pages):
        asked += 1
        batch = _next_page(listing.fetch, after, walk.items)
        if batch is None:  # the page that was promised does not come: no end of the listing, but of what we can read
            walk.ended_early = not met
            return walk
        walk.unreadable += batch.unreadable
        fresh = [item for item in batch.items if item.name not in seen]
        walk.items += fresh
        seen.update(item.name for item in fresh)
        age = _age(fresh, now)
        met = met or age < until or any(item.name in names for item in fresh)
        if (met and (not sweep or age < deepest)) or batch.after is None or batch.after == after:
            break
        after = batch.after
    # A listing that ends before its depth has no more, whatever became of the things that we knew.
    walk.ended_early = not met and asked >= listing.depth
    return walk


def _age(page: Sequence[Item], now: float) -> float:
    """When the middle of a page was written, as far as its times can be believed, so that spoilt ones end no round."""
    times = sorted(item.at for item in page if BEGINNING <= item.at <= now + OVERLAP)
    return times[len(times) // 2] if times else now


def _next_page(fetch: Fetch, after: str | None, items: Sequence[Item]) -> Batch | None:
    """The page after that name, or, when it was deleted meanwhile, after one of those just before it."""
    others = [item.name for item in items[-_OTHERS:][::-1] if item.name != after] if after else []
    for name in [after, *others]:
        batch = fetch(name)
        if batch.items or batch.unreadable or batch.after or name is None:
            return batch
    return None


def _remembered(items: Sequence[Item], before: Mapping[str, Any] | None, now: float) -> dict[str, Any]:
    """The newest names of a listing and its newest time, never one to come, after these items."""
    fresh = [item.name for item in items]
    there = set(fresh)
    older = [name for name in (before["names"] if before else []) if name not in there]
    times = [min(item.at, now) for item in items] + (
        [before["newest"]] if before and before["newest"] is not None else []
    )
    return {"names": [*fresh, *older][:REMEMBERED], "newest": max(times, default=None)}


def _readable(cursor: Cursor | None) -> dict[str, Any] | None:
    """The cursor, if it is one of ours."""
    if cursor is None or not isinstance(cursor.get("lists"), Mapping):
        return None
    return dict(cursor)


# --- other answers --------------------------------------------------------------------------------------------------


def holds(answer: Any, name: str) -> bool:
    """Whether a listing has that thing, of whatever kind."""
    return any(_data(child).get("name") == name for child in _children(answer))


def unfolded(tree: object, *, levels: int) -> Iterator[Thing]:
    """The comments of a thread's uppermost levels."""
    for child in _children(tree) if levels else []:
        thing = _data(child)
        if is_fullname(thing.get("name")):
            yield thing
            yield from unfolded(thing.get("replies"), levels=levels - 1)


def _children(listing: object) -> list[Any]:
    children = _data(listing).get("children")
    return children if isinstance(children, list) else []


def _data(wrapped: object) -> dict[str, Any]:
    data = wrapped.get("data") if isinstance(wrapped, dict) else None
    return data if isinstance(data, dict) else {}
