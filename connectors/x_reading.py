"""Where to read on. Nothing here knows HTTP; `fetch` asks.

X gives the newest first, page after page by `next_token`. One *look* reads them all, back to where the last look began
to read, and hands them on oldest first. So a look that breaks off moves nothing: what it did read is kept, and the next
one reads it again, which is free on the same day.

A look starts from the newest post of the last one (what its first page named), less a minute: X may list a post a
little later than its time. Search reaches seven days back, the list of our mentions 800 posts: what a long absence
leaves behind that is a gap, and said to be one.

The cursor: `newest`, the newest id read so far; `from`, where the first look began, as long as nothing was found;
`kept`, the oldest and the newest id that a look read before it broke off, so that the next one that breaks can tell
whether it read anything new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from connectors.x_money import pages_to_buy, worth_counting
from connectors.x_posts import id_at, is_id, time_of
from listener.errors import RateLimited, Rejected, Unavailable
from listener.types import Cursor, Garbled, Post

PAGE = 100
OVERLAP = timedelta(minutes=1)
FIRST_LOOK = timedelta(hours=24)
SEARCH_REACH = timedelta(days=6, hours=23)  # seven days, and an hour for clocks that differ
MENTIONS_REACH = 800  # posts

_MOST_EMPTY = 3  # pages in a row that hold nothing but name a next one


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where a look begins to read: behind a post, or at a time."""

    since_id: str | None = None
    start_time: datetime | None = None
    gap: str | None = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One answer, newest first. `length` is how many posts X sent, `unreadable` how many of them could not be read."""

    posts: list[Post]
    length: int
    newest: str | None
    next_token: str | None
    unreadable: int = 0
    garbled: tuple[Garbled, ...] = ()  # those of them that have an id


class Fetch(Protocol):
    """Asks for one page."""

    def __call__(self, start: Start, *, next_token: str | None, size: int) -> Batch: ...


Count = Callable[[Start], int | None]


@dataclass(kw_only=True)
class Look:
    """What was read, oldest first, and where to read on."""

    posts: list[Post] = field(default_factory=list)
    cursor: dict[str, Any] = field(default_factory=dict)
    retry_after: float | None = None
    gap: str | None = None
    garbled: list[Garbled] = field(default_factory=list)


def begin(cursor: Cursor | None, now: datetime, reach: timedelta | None) -> Start:
    """Where the next look begins; `reach` is how far back X lets us look (None: any time)."""
    known = cursor or {}
    newest = known.get("newest")
    if is_id(newest):
        since = time_of(str(newest)) - OVERLAP
        if reach is None or since > now - reach:
            return Start(since_id=id_at(since))
    else:
        since = _read(known.get("from")) or now - FIRST_LOOK
        if reach is None or since > now - reach:
            return Start(start_time=since)
    days = (now - since).days
    return Start(
        start_time=now - (reach or FIRST_LOOK),
        gap=f"the last look was {days} days ago, and X's search reaches back seven: older posts were not read",
    )


def look(
    fetch: Fetch,
    cursor: Cursor | None,
    *,
    now: datetime,
    most: int,
    reach: timedelta | None,
    listed: int | None = None,
    count: Count | None = None,
) -> Look:
    """One whole look, of at most `most` posts; X lists no more than `listed` of them (None: it lists all).

    `count` asks how many posts wait, where that can be asked.
    """
    start = begin(cursor, now, reach)
    read, unreadable, empty = 0, 0, 0
    found: dict[str, Post] = {}
    garbled: dict[str, Garbled] = {}
    newest: str | None = None
    token: str | None = None
    waiting: int | None = None
    flooded = False
    while True:
        try:
            batch = fetch(start, next_token=token, size=min(PAGE, max(10, most - read)))
        except Rejected as error:
            if start.since_id is None or read or reach is None or "since_id" not in str(error):
                raise
            start = Start(start_time=now - reach, gap="X no longer knows where the last look ended")
            continue
        except (RateLimited, Unavailable) as error:
            return _broken_off(error, cursor, start, found)
        first = newest is None and not read
        newest = batch.newest if first else newest
        read, unreadable = read + batch.length, unreadable + batch.unreadable
        empty = 0 if batch.length else empty + 1
        garbled |= {each.external_id: each for each in batch.garbled}
        for post in batch.posts:
            known = found.get(post.external_id)
            if known is None or (post.edited_at or post.posted_at) > (known.edited_at or known.posted_at):
                found[post.external_id] = post
        token = batch.next_token
        if token is None or empty == _MOST_EMPTY:
            break
        if first and count is not None and worth_counting(read=read, most=most, more=True):
            waiting = count(start)
        if not pages_to_buy(read=read, waiting=waiting, most=most):
            flooded = True
            break
    after: dict[str, Any] = {"newest": newest or (cursor or {}).get("newest")}
    if after["newest"] is None:
        after["from"] = (start.start_time or now).isoformat()
    gaps = [start.gap, _flood(read, waiting) if flooded else _deserted(token)]
    if listed is not None and read >= listed and cursor:
        gaps.append(f"more than {listed} posts came since the last look, and X lists no more of them")
    gaps.append(f"{unreadable} posts could not be read" if unreadable else None)
    told = "; ".join(filter(None, gaps)) or None
    return Look(posts=_in_order(found), cursor=after, gap=told, garbled=list(garbled.values()))


def _broken_off(error: RateLimited | Unavailable, cursor: Cursor | None, start: Start, found: dict[str, Post]) -> Look:
    """What was read of a look that broke off; the next one begins where this one did.

    Raises the error where that is no more than the look before had read when it broke off: then the source fails.
    """
    kept = _more_than(cursor, found)
    if kept is None:
        raise error
    after = {**(cursor or {}), "kept": kept}
    if start.start_time and not is_id(after.get("newest")):
        after["from"] = start.start_time.isoformat()
    return Look(posts=_in_order(found), cursor=after, retry_after=error.retry_after)


def _deserted(token: str | None) -> str | None:
    """What a page that was named and not asked for may hold; None where none was."""
    if token is None:
        return None
    return f"X named a further page after {_MOST_EMPTY} empty ones in a row: older posts were not read"


def _more_than(cursor: Cursor | None, found: dict[str, Post]) -> list[str] | None:
    """The oldest and newest id read by now; None where the look before, which broke off too, read as much."""
    kept = (cursor or {}).get("kept")
    before = [each for each in kept if is_id(each)] if isinstance(kept, list) else []
    ids = sorted({*before, *found}, key=int)
    return [ids[0], ids[-1]] if ids and [ids[0], ids[-1]] != before else None


def _in_order(found: dict[str, Post]) -> list[Post]:
    return sorted(found.values(), key=lambda post: int(post.external_id))


def _flood(read: int, waiting: int | None) -> str:
    if waiting is None:
        return f"more than {read} posts wait, which is as many as one look may buy; the older ones were not read"
    return f"{waiting} posts wait, more than one look may buy; the newest {read} were read"


def _read(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment and moment.tzinfo else None
