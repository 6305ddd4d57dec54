"""What is asked for and where to read on: searches made of terms, cursors over lists that begin with the newest.

Lists on Bluesky go back in time by a cursor of the server's, which is good for that walk only. So every round reads
back from the newest to some time before the last round: `OVERLAP`, and once every `SWEEP_EVERY` as far as `HORIZON`,
since a post is filed under its author's clock where that is behind the server's, and search may index it late.

Bluesky's search takes words, "phrases", #tags and from:handle, all of which must hold; it knows no OR. So terms become
several searches one of which finds whatever the terms match, and the posts are matched here.
The cursor: `read` and `swept`, when the last round and the last sweep began, in unix seconds.

Sources: docs.bsky.app/docs/api/app-bsky-feed-search-posts and the help page on search, read April 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.bluesky_posts import read_time
from listener import terms
from listener.errors import Mistake
from listener.terms import And, Expression, From, Phrase, Tag, Terms, Word
from listener.types import Cursor

PAGE = 100  # the most that Bluesky gives
OVERLAP = 15 * 60.0
SWEEP_EVERY = 3600.0
HORIZON = 6 * 3600.0
FIRST_LOOK = 24 * 3600.0
MOST_SEARCHES = 20

_FIRST_PAGES = 5
_MOST_PAGES = 50


def read_query(query: str) -> Terms | None:
    """The terms that are asked for; None where it is our mentions. Raises Mistake for what makes no sense."""
    if query.strip().lower() == "mentions":
        return None
    if not query.strip():
        raise Mistake("Say what to listen to: mentions, or words, phrases and #tags.")
    return terms.parse(query)


# --- terms to searches ----------------------------------------------------------------------------------------------


def to_searches(wanted: Terms) -> tuple[str, ...]:
    """The searches that together find whatever the terms match. Mistake where there is none, or too many are needed."""
    asked = terms.searches(wanted.expression, _can)
    if not asked:
        raise Mistake(f"Bluesky cannot search for {wanted.text!r}: give a word, a phrase or a #tag that must be there.")
    if len(asked) > MOST_SEARCHES:
        raise Mistake(
            f"{wanted.text!r} would take {len(asked)} searches on Bluesky at each poll, more than {MOST_SEARCHES}: "
            "listen to it on the stream, with an account that has no handle."
        )
    return tuple(map(str, asked))


def _can(node: Expression) -> bool:
    """What one search can say. What must not be there is left to us: it is cheap, and names are folded here."""
    return isinstance(node, Word | Phrase | Tag | From | And)


# --- reading back ---------------------------------------------------------------------------------------------------

Fetch = Callable[[str | None], "Batch"]  # asks for what follows a cursor of the server's, None for the newest


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One answer, newest first, and the server's cursor to what is older (None: there is nothing)."""

    items: Sequence[dict[str, Any]]
    older: str | None
    unreadable: int = 0


@dataclass(kw_only=True)
class Reading:
    """What was read, oldest first, and where to read on."""

    items: list[dict[str, Any]]
    cursor: Cursor
    complete: bool = True
    unreadable: int = 0
    further: list[str] = field(default_factory=list)

    def gap(self, broken: int) -> str | None:
        """What was not read, in words; `broken`: how many of the items turned out to be no posts."""
        broken += self.unreadable
        return (
            "; ".join(
                each
                for each in (
                    None
                    if self.complete
                    else "more posts came since the last look than can be read back; the oldest were not",
                    f"{broken} posts could not be read" if broken else None,
                    *self.further,
                )
                if each
            )
            or None
        )


def to_batch(body: dict[str, Any], name: str) -> Batch | None:
    """The list of that name in an answer; None where there is none."""
    entries, older = body.get(name), body.get("cursor")
    if not isinstance(entries, list):
        return None
    items = [each for each in entries if isinstance(each, dict) and _filed_at(each) is not None]
    if entries and not items:
        return None
    return Batch(
        items=items, older=older if isinstance(older, str) and older else None, unreadable=len(entries) - len(items)
    )


def back(fetches: Sequence[Fetch], cursor: Cursor | None, *, now: float) -> Reading:
    """Everything since the last time from all of these lists, each post once."""
    known = cursor or {}
    read, swept = _time(known.get("read"), now), _time(known.get("swept"), now)
    sweep = cursor is not None and now - swept >= SWEEP_EVERY
    until = now - FIRST_LOOK if cursor is None else read - (HORIZON if sweep else OVERLAP)
    reading = Reading(items=[], cursor={"read": now, "swept": now if sweep else swept})
    seen: set[Any] = set()
    for fetch in fetches:
        complete = _walk(fetch, reading, seen, until=until, pages=_FIRST_PAGES if cursor is None else _MOST_PAGES)
        reading.complete = reading.complete and (complete or cursor is None)
    reading.items.reverse()
    reading.items.sort(key=lambda item: _filed_at(item) or 0.0)
    return reading


def _walk(fetch: Fetch, reading: Reading, seen: set[Any], *, until: float, pages: int) -> bool:
    """From the newest back to that time. Whether it came so far."""
    older: str | None = None
    for _ in range(pages):
        batch = fetch(older)
        reading.unreadable += batch.unreadable
        for item in batch.items:
            uri = str(item.get("uri"))
            if uri not in seen and (_filed_at(item) or 0.0) >= until:
                seen.add(uri)
                reading.items.append(item)
        if batch.older is None or batch.older == older:
            return True
        if batch.items and all((_filed_at(item) or 0.0) < until for item in batch.items[-1:]):
            return True
        older = batch.older
    return False


def _filed_at(item: dict[str, Any]) -> float | None:
    """Under which time the server files a post: its own, or the author's claim where that is earlier."""
    record = item.get("record")
    times = [read_time(item.get("indexedAt")), read_time(record.get("createdAt")) if isinstance(record, dict) else None]
    return min((time.timestamp() for time in times if time), default=None) if times[0] else None


def _time(value: object, now: float) -> float:
    """A time from a cursor; never in the future, where a clock was put back since."""
    return min(float(value), now) if isinstance(value, int | float) else now
