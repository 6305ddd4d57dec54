"""What of the whole public stream was meant: matched here against the terms, and given as pages.

Only of posts that match is the author looked up, all of a page's at once; the terms are then asked again with a handle,
since `-from:` may exclude whom the stream knows by number only. So on the stream `from:` can only exclude.

The cursor: `time_us`, when the stream saw the last post that we read, in unix microseconds. It moves with every page,
matched or not. Deletions are passed on for all posts alike: an address that nobody stored does no harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from connectors.bluesky_posts import Unreadable as NoPost
from connectors.bluesky_posts import to_address, to_post, view_of_record
from connectors.bluesky_stream import REWIND, Event, Jetstream, Unreadable, moment, read_event
from connectors.bluesky_text import to_text
from connectors.plain import clean_json
from listener.contract import BEAT
from listener.errors import Unavailable
from listener.terms import Matcher, Terms
from listener.types import Page, Post

Profiles = Callable[[Sequence[str]], Mapping[str, Mapping[str, Any]]]  # as much as is known of those DIDs

FIRST_LOOK = timedelta(minutes=15)
_HOLE = timedelta(minutes=5)  # between where we wanted to go on and the first post that came
_MOST_EVENTS = 20_000  # read by one poll
_MOST_SECONDS = 15.0
_QUIET = 3.0  # seconds without a word after which a poll takes itself for done
_FULL = 200


class Ear:
    """Hears messages one by one; `page` gives what was meant since the last page."""

    def __init__(self, wanted: Terms, *, our_did: str | None, profiles: Profiles, cursor: int | None) -> None:
        self._matcher = Matcher({"": wanted})
        self._our_did = our_did
        self._profiles = profiles
        self._start = cursor
        self.time_us = cursor
        self.heard = 0
        self._meant: list[Event] = []
        self._gone: list[str] = []
        self._broken = 0
        self._gap: str | None = None

    @property
    def waiting(self) -> int:
        """How many posts the next page holds."""
        return len(self._meant)

    def hear(self, message: bytes, *, now_us: int) -> bool:
        """Takes one message in. Whether it was about a post."""
        try:
            event = read_event(message)
        except Unreadable:
            self._broken += 1
            return False
        if event is None:
            if b'"OutdatedCursor"' in message:
                self._gap = "the stream no longer reaches back to where we were"
            return False
        if (
            self.heard == 0
            and self._start is not None
            and event.time_us - self._start > _HOLE / timedelta(microseconds=1)
        ):
            minutes = (event.time_us - self._start) / 60e6
            self._gap = f"the stream goes on {minutes:.0f} minutes after where we were"
        self.heard += 1
        self.time_us = max(self.time_us or 0, min(event.time_us, now_us))
        if event.operation == "delete":
            self._gone.append(to_address(event.did, event.key))
        elif self._matcher.matching(to_text(event.record), language=_language(event)):
            self._meant.append(event)
        return True

    def page(self, *, more: bool = False, moves: bool = True) -> Page:
        """What was meant, oldest first, and forgets it. `moves`: whether the source's cursor goes along."""
        meant, gone, broken, gap = self._meant, tuple(self._gone), self._broken, self._gap
        self._meant, self._gone, self._broken, self._gap = [], [], 0, None
        profiles = self._profiles(list(dict.fromkeys(event.did for event in meant))) if meant else {}
        posts: dict[str, Post] = {}
        for event in meant:
            try:
                post = _to_post(event, profiles[event.did], self._our_did)
            except (NoPost, AttributeError, RecursionError):
                broken += 1
                continue
            ours = event.did == self._our_did
            if not ours and self._matcher.matching(post.text, language=post.language, author=post.author.handle):
                posts[post.external_id] = post
        lost = f"{broken} posts could not be read" if broken else None
        return Page(
            posts=tuple(post for post in posts.values() if post.external_id not in gone),
            cursor={"time_us": self.time_us} if moves and self.time_us is not None else None,
            more=more,
            gone=gone,
            gap="; ".join(each for each in (gap, lost) if each) or None,
        )


def read_once(jetstream: Jetstream, ear: Ear, cursor: int, *, now: Callable[[], float]) -> Page:
    """Everything from the cursor to now, or as much of it as one poll may take (then `more` waits)."""
    began, ends = int(now() * 1e6), time.monotonic() + _MOST_SECONDS
    more = False
    with jetstream.open(cursor - REWIND) as messages:
        heard_at = time.monotonic()
        while not more:
            message = messages.next(_QUIET / 3)
            if message is not None and ear.hear(message, now_us=int(now() * 1e6)):
                heard_at = time.monotonic()
                if ear.time_us is not None and ear.time_us >= began:
                    break
            elif time.monotonic() - heard_at > _QUIET:
                break
            more = ear.heard >= _MOST_EVENTS or time.monotonic() > ends
    if not ear.heard:
        raise Unavailable(f"{jetstream.host} said nothing of use")
    return ear.page(more=more)


def listen(
    jetstream: Jetstream, ear: Ear, cursor: int | None, *, now: Callable[[], float], moves: bool
) -> Iterator[Page]:
    """Pages as they come, an empty one at each beat. Unavailable once nothing of use was heard for too long."""
    with jetstream.open(cursor - REWIND if cursor is not None else None) as messages:
        heard_at = beat_at = time.monotonic()
        yield ear.page(moves=moves)  # it is open
        while True:
            message = messages.next(BEAT / 4)
            at = time.monotonic()
            if message is not None and ear.hear(message, now_us=int(now() * 1e6)):
                heard_at = at
            due = ear.waiting >= _FULL or (ear.waiting and (message is None or at - beat_at >= 1.0))
            if due or at - beat_at >= BEAT:
                beat_at = at
                yield ear.page(moves=moves)
            if at - heard_at > jetstream.silence:
                raise Unavailable(f"{jetstream.host} has said nothing of use for {jetstream.silence:.0f} seconds")


def _language(event: Event) -> str | None:
    languages = event.record.get("langs")
    first = languages[0] if isinstance(languages, list) and languages else None
    return first.lower() if isinstance(first, str) and first else None


def _to_post(event: Event, author: Mapping[str, Any], our_did: str | None) -> Post:
    record, seen_at = clean_json(event.record), moment(event.time_us)
    return to_post(view_of_record(author=author, key=event.key, cid=event.cid, record=record, seen_at=seen_at), our_did)
