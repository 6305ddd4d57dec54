"""Bluesky, over the AT Protocol: an account's mentions and searches, answers and posts, and the whole public stream.

Queries: `mentions` (what names, answers or quotes our account), or terms. With an account, terms are searched for at
each poll and heard on the stream in between; without one (`network = "bluesky"` and no handle) they are heard on the
stream alone, where every public post passes and is matched here.

    paging         done: lists go back from the newest; the stream goes on from a time, page by page
    gaps           done: a list is read again from 15 minutes back each time and from 6 hours back every hour; where we
                   stop short, the stream does not reach back, or a post cannot be read, Page.gap says so
    rate limits    done: 3,000 requests per 5 minutes; `RateLimit-Reset`; logins are few, so sessions are kept
    edits          done: a record can be replaced, though no app of Bluesky's does it; seen by recheck and on the stream
    deletions      done: recheck; what merely cannot be seen is asked for where it is kept; the stream tells of each.
                   Our own posts are deleted and pinned, not edited: see bluesky_amending
    language       done: what the author's client claims
    threads        done: `reply.parent` and `reply.root`; a notice may go on in a thread
    media          done: pictures, video and link cards as links with their descriptions; a quoted post as `quoted`;
                   our pictures with their descriptions, our link cards without a picture, since no page is fetched
    auth failure   done: a worn out session is renewed, a lost one made anew; then AuthFailed, with what to do
    length         done: 300 graphemes and 3,000 bytes, as one number (`bluesky_text.count`)
    terms of use   done: only who named, answered or quoted us is answered. The label `bot` on our own profile is for a
                   person to set (ADVICE)

Writes carry a record key made from ours, so that a repeated one is refused by the server and a look at that key tells
whether it took effect.

Sources: docs.bsky.app (bots, rate limits, rich text, search), atproto.com/specs and the lexicons app.bsky.* and
com.atproto.*, read April 2026; the reference implementation, npm @atproto/dev-env 0.6.7, of November 2026, where these
are silent. The atproto library makes the requests; the answers are read as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pydantic import BaseModel

from connectors import faults
from connectors.bluesky_account import GETS_POSTS, Account
from connectors.bluesky_amending import Amending
from connectors.bluesky_listening import FIRST_LOOK, Ear, listen, read_once
from connectors.bluesky_posts import (
    POST,
    Unreadable,
    read_time,
    record_key,
    reference,
    root_of,
    split_address,
    to_address,
    to_author,
    to_post,
    to_posted,
    to_posts,
)
from connectors.bluesky_profiles import Profiles
from connectors.bluesky_reading import PAGE, Batch, Fetch, back, read_query, to_batch, to_searches
from connectors.bluesky_settings import Settings
from connectors.bluesky_stream import Jetstream
from connectors.bluesky_text import LIMIT, address, count, first_link, to_card, to_facets
from connectors.bluesky_wire import Wire
from connectors.hosts import is_loopback
from connectors.plain import clean
from listener.contract import Connector, Publishes, Rechecks, Replies, Streams
from listener.errors import AuthFailed, Mistake, NetworkError, OutcomeUnknown, RateLimited, Rejected, Unavailable
from listener.terms import Terms
from listener.types import (
    Answerable,
    Attachment,
    Author,
    Cursor,
    Facts,
    Images,
    Page,
    Posted,
    PublishRequest,
    Rechecked,
    ReplyRequest,
    Visibility,
)

__all__ = ["ADVICE", "FACTS", "QUERIES", "BlueskyConnector", "Settings", "connect"]

QUERIES = "mentions, or terms: words, phrases and #tags, searched for and heard on the public stream"

FACTS = Facts(
    network="bluesky",
    limit=LIMIT,
    count=count,
    address=address,
    answerable=Answerable.ADDRESSED,
    linkable=True,
    direct_messages=False,
    no_messages=(
        "Bluesky's chat takes messages only for who lets our account write to them, and Escucha does not read it"
    ),
    keyed_writes=True,
    deletions_visible=True,
    settle_after=timedelta(seconds=30),
    finds=dict.fromkeys(("reply", "notice"), "under the record key that it was written with"),
    looks_at_once=GETS_POSTS,
    images=Images(count=4, types=("image/jpeg", "image/png", "image/webp"), bytes=1_000_000, alt=2_000),
    threads=True,
    deletes=True,
    pins=1,
    as_of="2026-04",
    source="https://docs.bsky.app/docs/starter-templates/bots and https://docs.bsky.app/docs/advanced-guides/rate-limits",
)

ADVICE = (
    "Label the account's profile as automated: Bluesky asks every bot for the self-label `bot`.",
    "Use an app password made for Escucha alone, never the account's own.",
)

_OWN_PAGES = 100  # of 100 of our own posts, as far back as we look
_REASONS = ["mention", "reply", "quote"]


def connect(settings: BaseModel) -> Connector:
    """The connector for one account, or for the public stream alone. Asks the network nothing yet."""
    return BlueskyConnector(cast(Settings, settings))


class BlueskyConnector(Connector, Replies, Publishes, Amending, Rechecks, Streams):
    """One account at one server, or none."""

    def __init__(
        self,
        settings: Settings,
        *,
        wire: Wire | None = None,
        jetstream: Jetstream | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.facts = FACTS
        self.speaks = settings.handle is not None
        self._now = now or (lambda: datetime.now(UTC))
        everybodys = Wire(settings.appview, proxies=not is_loopback(_host(settings.appview)))
        if settings.handle:
            wire = wire or Wire(settings.service, proxies=not is_loopback(_host(settings.service)))
        self._eyes = Account(settings, wire or everybodys, self._now)  # how we see the network, with or without account
        self._account = self._eyes if settings.handle else None
        self._stream = jetstream or (Jetstream(settings.jetstream) if settings.jetstream else None)
        self._profiles = Profiles(everybodys, self._now)

    # --- reading ---

    def whoami(self) -> Author | None:
        """Our account. Without one None, once the stream has shown that it is there."""
        if self._account is None:
            with self._jetstream().open(None):
                return None
        try:
            return to_author(self._account.ask("app.bsky.actor.getProfile", {"actor": self._account.did}))
        except Unreadable as error:
            raise Unavailable(f"{self._account.host} answered something that is not Bluesky's") from error

    def explain_query(self, query: str) -> str:
        """What will be read for `query`; Mistake when it cannot be."""
        wanted = read_query(query)
        if wanted is None:
            if self._account is None:
                raise Mistake("`mentions` needs an account: set handle and app_password, or listen to terms.")
            return f"Whatever names, answers or quotes our account at {self._account.host}."
        if self._account is None:
            return (
                f"Every public post on Bluesky is heard at {self._jetstream().host} and matched here with {wanted}; "
                "`from:` can only exclude there."
            )
        searches = to_searches(wanted)
        asked = " or ".join(f"“{each}”" for each in searches[:5]) + (" and others" if len(searches) > 5 else "")
        heard = ", and every public post heard on the stream," if self._stream else ""
        return f"{self._account.host} is searched for {asked}; what it finds{heard} is matched here with {wanted}."

    def poll(self, query: str, cursor: Cursor | None) -> Page:
        """What came since the cursor; it covers no more than what this page returns."""
        try:
            wanted = read_query(query)
            if self._account is None:
                return self._poll_stream(wanted, cursor)
            fetches = self._fetches(self._account, wanted)
        except Mistake as mistake:
            raise Rejected(str(mistake)) from mistake
        account = self._account
        reading = back(fetches, cursor, now=self._now().timestamp())
        views = reading.items if wanted else self._in_full(account, reading.items)
        posts, broken = to_posts(views, account.did)
        if wanted:
            posts = [
                post
                for post in posts
                if post.author.external_id != account.did
                and wanted.matches(post.text, language=post.language, author=post.author.handle)
            ]
        return Page(
            posts=tuple(posts),
            cursor=reading.cursor,
            retry_after=account.pause,
            gap=reading.gap(len(broken)),
            garbled=tuple(each for each in broken if each.external_id),
        )

    def recheck(self, external_ids: Sequence[str]) -> Rechecked:
        """25 at a time; what does not come is looked for where it is kept, for it may only be hidden from us."""
        waiting = [each for each in dict.fromkeys(external_ids) if split_address(each)]
        found: dict[str, Any] = {}
        gone: list[str] = []
        trouble: NetworkError | None = None
        our_did: str | None = None
        try:
            our_did = self._account.did if self._account and waiting else None
            for start in range(0, len(waiting), GETS_POSTS):
                asked = waiting[start : start + GETS_POSTS]
                found |= {str(each.get("uri")): each for each in self._eyes.posts(asked) if isinstance(each, dict)}
                for uri in [each for each in asked if each not in found]:
                    if self._is_gone(uri):
                        gone.append(uri)
        except (AuthFailed, RateLimited, Unavailable) as error:  # the others could not be told this time
            trouble = error
        except Rejected:  # asked again, it would be refused again
            pass
        posts, _ = to_posts(found.values(), our_did)
        present = tuple(post for post in posts if post.external_id in external_ids)
        if trouble is not None and not present and not gone:
            raise trouble
        return Rechecked(present=present, gone=tuple(gone))

    # --- the stream ---

    def streams(self, query: str) -> bool:
        """Whether that is heard on the public stream: terms are, mentions are polled for."""
        try:
            return self._stream is not None and read_query(query) is not None
        except Mistake:
            return False

    def stream(self, query: str, cursor: Cursor | None) -> Iterator[Page]:
        """Pages as they come. Where polls search, the stream goes on from now and leaves their cursor alone."""
        try:
            wanted = read_query(query)
        except Mistake as mistake:
            raise Rejected(str(mistake)) from mistake
        if wanted is None:
            raise Rejected("Mentions are not heard on the public stream")
        start = _time_us(cursor) if self._account is None else None
        our_did = self._account.did if self._account else None
        ear = Ear(wanted, our_did=our_did, profiles=self._profiles, cursor=start)
        now = self._seconds
        return listen(self._jetstream(), ear, start, now=now, moves=self._account is None)

    def _poll_stream(self, wanted: Terms | None, cursor: Cursor | None) -> Page:
        if wanted is None:
            raise AuthFailed("Mentions are shown only to an account: set handle and app_password")
        known = _time_us(cursor)
        start = int((self._now() - FIRST_LOOK).timestamp() * 1e6) if known is None else known
        ear = Ear(wanted, our_did=None, profiles=self._profiles, cursor=known)
        return read_once(self._jetstream(), ear, start, now=self._seconds)

    def _jetstream(self) -> Jetstream:
        if self._stream is None:
            raise Unavailable("The public stream is switched off in the settings")
        return self._stream

    def _seconds(self) -> float:
        return self._now().timestamp()

    # --- writing ---

    def reply(self, request: ReplyRequest) -> Posted:
        """Answer in the thread; its author is told by that alone."""
        account = self._speaker()
        if split_address(request.parent_id) is None:
            raise Rejected("The post to answer is none of Bluesky's")
        parent = next((each for each in account.posts([request.parent_id]) if isinstance(each, dict)), None)
        try:
            if parent is None or parent.get("uri") != request.parent_id:
                raise Rejected("The post to answer is gone, or its author does not let us see it")
            if why := to_post(parent, account.did).unanswerable:
                raise Rejected(f"The post takes no answer: {why}")
            above = reference(parent)
            thread = {"root": root_of(parent["record"]) or above, "parent": above}
        except Unreadable as error:
            raise Unavailable(f"{account.host} shows the post to answer in a way that cannot be read") from error
        text = address(request.text, request.parent_author.handle)
        return self._post(account, text, key=request.key, language=request.language, media=request.media, reply=thread)

    def find_reply(self, request: ReplyRequest, since: datetime) -> Posted | None:  # noqa: ARG002 - the key tells
        """Looks under the key that the reply was written with: there it is, or it is nowhere."""
        return self._find(request.key)

    def find_replies(self, request: ReplyRequest, since: datetime) -> Sequence[Posted]:
        """Looks through what the network shows of our account, newest first, back to then."""
        account = self._speaker()
        found: list[Posted] = []
        cursor: str | None = None
        for _ in range(_OWN_PAGES):
            views, cursor = account.own_posts(cursor)
            written = [view for view in views if _dict_of(view, "author").get("did") == account.did]
            for view in written:
                record = _dict_of(view, "record")
                if _dict_of(_dict_of(record, "reply"), "parent").get("uri") == request.parent_id:
                    found.append(to_posted(str(view.get("uri")), record.get("createdAt")))
            times = [at for view in written if (at := read_time(view.get("indexedAt")))]
            if cursor is None or (times and min(times) < since - faults.CLOCKS_DIFFER):
                return found
        raise OutcomeUnknown(f"{account.host} does not let us look far enough back among our own posts")

    def publish(self, request: PublishRequest) -> Posted:
        """Say it to everybody, on its own or going on from an earlier post of ours."""
        account = self._speaker()
        if request.visibility not in (Visibility.PUBLIC, Visibility.UNLISTED):
            raise Rejected("Every post on Bluesky is public")
        thread = self._after(account, request.after) if request.after else None
        text = clean(request.text).strip()
        return self._post(account, text, key=request.key, language=request.language, media=request.media, reply=thread)

    def find_published(self, request: PublishRequest, since: datetime) -> Posted | None:  # noqa: ARG002 - the key tells
        """As `find_reply`."""
        return self._find(request.key)

    def _post(
        self,
        account: Account,
        text: str,
        *,
        key: str,
        language: str | None,
        media: Sequence[Attachment],
        reply: Mapping[str, Any] | None,
    ) -> Posted:
        facets = to_facets(text, account.resolve)
        embed = self._images(account, media)
        if embed is None and (link := first_link(facets)):
            embed = to_card(link)
        created_at = self._now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        record: dict[str, Any] = {"$type": POST, "text": text, "createdAt": created_at}
        record |= {"langs": [language]} if language and language != "und" else {}
        record |= {name: part for name, part in (("reply", reply), ("facets", facets), ("embed", embed)) if part}
        refusal: Rejected | None = None
        try:
            uri = account.create(record, record_key(key))
        except Rejected as error:
            uri, refusal = None, error
        if uri is not None:
            return to_posted(uri, created_at)
        # The server fails on a key that is taken, or refuses it; then what stands there is what we wrote before.
        try:
            found = self._find(key)
        except NetworkError as error:
            raise OutcomeUnknown(f"{account.host} failed at the post, and does not say whether it is there") from error
        if found is None and refusal is not None:
            raise refusal
        if found is None:
            raise OutcomeUnknown(f"{account.host} failed at the post, which may still appear")
        return found

    def _find(self, key: str) -> Posted | None:
        account = self._speaker()
        there = account.record(account.did, record_key(key))
        return to_posted(to_address(account.did, record_key(key)), there["value"].get("createdAt")) if there else None

    def _after(self, account: Account, uri: str) -> dict[str, Any]:
        """Where a post stands that goes on from that one of ours."""
        parts = split_address(uri)
        before = account.record(*parts) if parts else None
        if before is None:
            raise Rejected("The post that this one goes on from is not there")
        try:
            above = reference(before)
            return {"root": root_of(before["value"]) or above, "parent": above}
        except Unreadable as error:
            raise Unavailable(f"{account.host} shows our own post in a way that cannot be read") from error

    def _images(self, account: Account, media: Sequence[Attachment]) -> dict[str, Any] | None:
        allowed = cast(Images, FACTS.images)
        if len(media) > allowed.count:
            raise Rejected(f"A post on Bluesky carries at most {allowed.count} pictures")
        for each in media:
            if each.content_type not in allowed.types or len(each.data) > allowed.bytes:
                raise Rejected(f"{each.name} is no picture that Bluesky takes (JPEG, PNG or WebP of at most 1 MB)")
        images = [{"image": account.upload(each.data, each.content_type), "alt": clean(each.alt)} for each in media]
        return {"$type": "app.bsky.embed.images", "images": images} if images else None

    def _speaker(self) -> Account:
        if self._account is None:
            raise AuthFailed("Writing on Bluesky needs an account: set handle and app_password")
        return self._account

    # --- lists ---

    def _fetches(self, account: Account, wanted: Terms | None) -> list[Fetch]:
        def fetch(call: str, name: str, params: Mapping[str, Any]) -> Fetch:
            def one(older: str | None) -> Batch:
                asked = {**params, "limit": PAGE, **({"cursor": older} if older else {})}
                batch = to_batch(account.ask(call, asked), name)
                if batch is None:
                    raise Unavailable(f"{account.host} answered a list that is not Bluesky's")
                return batch

            return one

        if wanted is None:
            return [fetch("app.bsky.notification.listNotifications", "notifications", {"reasons": _REASONS})]
        return [
            fetch("app.bsky.feed.searchPosts", "posts", {"q": search, "sort": "latest"})
            for search in to_searches(wanted)
        ]

    def _in_full(self, account: Account, notifications: Sequence[dict[str, Any]]) -> list[Any]:
        """The posts that notifications tell of, in their order; those that are gone since are left out."""
        uris = [
            str(each["uri"])
            for each in notifications
            if each.get("reason") in _REASONS and split_address(each.get("uri"))
        ]
        views: dict[str, Any] = {}
        for start in range(0, len(uris), GETS_POSTS):
            asked = account.posts(uris[start : start + GETS_POSTS])
            views |= {str(each.get("uri")): each for each in asked if isinstance(each, dict)}
        return [views[uri] for uri in uris if uri in views]

    def _is_gone(self, uri: str) -> bool:
        did, key = cast(tuple[str, str], split_address(uri))
        return self._eyes.record(did, key) is None


def _host(url: str) -> str:
    return url.partition("://")[2].partition(":")[0].strip("[]")


def _time_us(cursor: Cursor | None) -> int | None:
    value = (cursor or {}).get("time_us")
    return value if type(value) is int and value > 0 else None


def _dict_of(value: object, name: str) -> dict[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}
