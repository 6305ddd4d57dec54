"""X (once Twitter), by its API version 2.

Queries: `mentions` (our own mentions, the cheapest read there is), and a brand's terms (recent search).

    paging         done: newest first by `next_token` under one `since_id`, a whole look at a time
    gaps           done: search reaches back seven days, mentions 800 posts, and a look buys no more than it may: what
                   lies beyond is told in Page.gap. A minute is read twice, since X lists some posts late
    rate limits    done: per 15 minutes and per day, by the headers; a monthly cap comes as a 429 although the window
                   has room (`UsageCapExceeded`), and is waited for in hours, not till the window's end
    edits          done: an edit is a new post with the ids of all versions; we keep one mention under the first of
                   them, and answer the newest
    deletions      done: a look-up names the ids it no longer has, or no longer shows us (protected, suspended). Our own
                   posts are deleted, not edited or pinned: see x_amending
    language       done: what X takes it for
    threads        done: `conversation_id`; a notice may go on as answers to its own first post
    media          done: links with their descriptions; our posts may carry up to four pictures
    auth failure   done: 401, 402 (no credit), and a 403 that speaks of the app or the account rather than of the post
    length         done: weighted as X counts, never less
    terms of use   done: only who named our account or quoted one of our posts is answered, unless an Enterprise
                   contract says otherwise; content is looked up every 20 hours and kept for 90 days. The
                   Automated label and X's approval of automatic answers are for a person to get

Sources: docs.x.com/x-api (posts/search, posts/timelines, posts/lookup, posts/manage-posts, media, fundamentals/
rate-limits, getting-started/pricing) and the automation and developer policies, read August 2026. tweepy 4.17 makes the
requests, over a session of ours.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

from pydantic import BaseModel

from connectors import faults
from connectors.wire import Wire
from connectors.x_amending import Amending
from connectors.x_asking import Asking, number_of, rows_of, strangers_in, token_after
from connectors.x_money import PRICES
from connectors.x_posts import (
    EXPANSIONS,
    MEDIA_FIELDS,
    TWEET_FIELDS,
    USER_FIELDS,
    Joined,
    Unreadable,
    Us,
    all_ours,
    dicts,
    find_ours,
    is_id,
    to_author,
    to_posted,
    to_posts,
    versions,
)
from connectors.x_query import LONGEST, LONGEST_ENTERPRISE, Search, compile_terms
from connectors.x_reading import MENTIONS_REACH, PAGE, SEARCH_REACH, Batch, Look, Start, look
from connectors.x_refusals import says_it_twice
from connectors.x_settings import Settings
from connectors.x_text import LIMIT, address, count, has_link, sendable
from listener.contract import Connector, Metered, Publishes, Rechecks, Replies
from listener.errors import AuthFailed, Mistake, NetworkError, OutcomeUnknown, RateLimited, Rejected, Unavailable
from listener.types import (
    Answerable,
    Attachment,
    Author,
    Charge,
    Cursor,
    Facts,
    Images,
    Page,
    Posted,
    PublishRequest,
    Rechecked,
    ReplyRequest,
)

__all__ = ["ADVICE", "ALSO_CALLED", "FACTS", "QUERIES", "Settings", "XConnector", "connect"]

ALSO_CALLED = ("twitter",)
QUERIES = "mentions, or terms to search for"

ADVICE = (
    "Put X's “Automated” label on the account, naming the account of the person who answers for it.",
    "Ask X for approval before a model writes answers: its rules want it beforehand.",
    "X lets us answer only who mentioned the account or quoted one of its posts, once each, and never by keyword.",
    "Who asks to be left alone is left alone at once, here and by hand.",
    "Nothing read from X may train or tune a model.",
)

FACTS = Facts(
    network="x",
    limit=LIMIT,
    count=count,
    address=address,
    answerable=Answerable.ADDRESSED,
    linkable=True,
    direct_messages=False,
    no_messages=(
        "X takes a direct message only for who lets our account write to them, and its answers are read by a call of "
        "their own that Escucha does not make"
    ),
    keyed_writes=False,
    deletions_visible=True,
    settle_after=timedelta(minutes=5),
    finds={
        "reply": "among our own posts that answer any version of theirs, for the same words",
        "notice": "among our own posts, for the same words",
    },
    costs=PRICES,
    images=Images(count=4, types=("image/jpeg", "image/png", "image/webp"), bytes=5_000_000, alt=1000),
    threads=True,
    deletes=True,
    rechecks=((timedelta(days=90), timedelta(hours=20)),),
    looks_at_once=PAGE,
    keep=timedelta(days=90),
    as_of="2026-08",
    source="https://docs.x.com/x-api/introduction and https://help.x.com/en/rules-and-policies/x-automation",
    reply_price=lambda text: PRICES["post_with_url" if has_link(text) else "summoned_reply"],
    publish_price=lambda text, pictures: (
        PRICES["post_with_url" if has_link(text) else "post"] + pictures * PRICES["media_metadata"]
    ),
)

_KNOW_US_FOR = timedelta(hours=1)
_OWN_PAGES = 10  # how far back we look among our own posts: 1,000 of them


def connect(settings: BaseModel) -> Connector:
    """The connector for one account. Asks the network nothing yet."""
    return XConnector(cast(Settings, settings))


class XConnector(Connector, Replies, Publishes, Amending, Rechecks, Metered):
    """One account, or an app that only reads."""

    def __init__(
        self, settings: Settings, *, wire: Wire | None = None, now: Callable[[], datetime] | None = None
    ) -> None:
        keep = timedelta(days=settings.keep_days)
        self.facts = replace(
            FACTS,
            answerable=Answerable.ANYONE if settings.enterprise else Answerable.ADDRESSED,
            rechecks=((keep, FACTS.rechecks[0][1]),),
            keep=keep,
        )
        self.speaks = settings.speaks
        self._settings = settings
        self._now = now or (lambda: datetime.now(UTC))
        self._me: tuple[datetime, Author] | None = None
        self._asking = Asking(settings, wire=wire, now=self._now)
        self._api = self._asking.client
        self._ask = self._asking.ask

    # --- reading ---

    def whoami(self) -> Author | None:
        """Our account; None where an app only reads. Asked for once an hour: it costs, and X allows few such calls."""
        if self._me is None or self._now() - self._me[0] >= _KNOW_US_FOR:
            self._me = (self._now(), self._look_at_ourselves())
        return self._me[1] if self.speaks else None

    def explain_query(self, query: str) -> str:
        """What X will be asked for `query`; Mistake when it cannot be."""
        search = self._read_query(query)
        if search is None:
            if not self.speaks:
                raise Mistake("Mentions need an account: access_token is missing (terms need only a bearer_token).")
            return "Whatever mentions our account on X, up to the newest 800 posts: 0.001 USD a post."
        rest = "all of it is searched by X" if search.whole else "the rest of the terms is matched here"
        return (
            f"X searches the last seven days for “{search.query}” ({len(search.query)} of {self._longest} characters); "
            f"{rest}, and every post it finds costs 0.005 USD. X tells accents apart: write words with theirs."
        )

    def poll(self, query: str, cursor: Cursor | None) -> Page:
        """Everything since the last look, in one page."""
        try:
            search = self._read_query(query)
        except Mistake as mistake:
            raise Rejected(str(mistake)) from mistake
        if search is None and not self.speaks:
            raise AuthFailed("X shows mentions only to an account: access_token is missing")
        us = self._us() if self.speaks else None
        read = self._look_for(search, us, cursor) if search else self._look_at_mentions(cast(Us, us), cursor)
        retry_after = self._asking.pause() if read.retry_after is None else read.retry_after
        return Page(
            posts=tuple(read.posts),
            cursor=read.cursor,
            retry_after=retry_after,
            gap=read.gap,
            garbled=tuple(read.garbled),
        )

    def recheck(self, external_ids: Sequence[str]) -> Rechecked:
        """A hundred at a time. Of what was edited, the newest version is looked up too."""
        waiting = [each for each in dict.fromkeys(external_ids) if is_id(each)]
        present: dict[str, Any] = {}
        gone: list[str] = []
        trouble: NetworkError | None = None
        try:
            us = self._us() if self.speaks and waiting else None
            for start in range(0, len(waiting), PAGE):
                posts, missing = self._look_up(waiting[start : start + PAGE], us)
                gone += missing
                newer = [ids[-1] for post in posts if (ids := versions(post.raw))[-1] != post.raw.get("id")]
                present |= {post.external_id: post for post in posts if versions(post.raw)[-1] not in newer}
                for post in self._look_up(newer, us)[0] if newer else []:
                    present[post.external_id] = post
        except (RateLimited, Unavailable) as error:  # the others could not be told this time
            trouble = error
        if trouble is not None and not present and not gone:
            raise trouble
        return Rechecked(present=tuple(present.values()), gone=tuple(gone))

    # --- writing ---

    def reply(self, request: ReplyRequest) -> Posted:
        """Answer the newest version of the post. X mentions its author by itself."""
        parents = _parents(request)
        text = address(request.text, request.parent_author.handle)
        try:
            return self._post(text, price="summoned_reply", to=parents[-1], media=request.media)
        except Rejected as refusal:
            if not says_it_twice(refusal):
                raise
            found = self._found(text, parents, self._now() - timedelta(days=1))
            if found is None:
                raise
            return found  # this very answer is there: an earlier attempt of ours took effect after all

    def find_reply(self, request: ReplyRequest, since: datetime) -> Posted | None:
        """Looks through our own posts back to then for one that answers any version of the post, whatever its time."""
        return self._search_ours(address(request.text, request.parent_author.handle), _parents(request), since)

    def find_replies(self, request: ReplyRequest, since: datetime) -> Sequence[Posted]:
        """As `find_reply`."""
        us, posts = self._ours_since(since)
        return all_ours(posts, us, parents=_parents(request))

    def publish(self, request: PublishRequest) -> Posted:
        """Say it to everybody; where it continues a post of ours, as an answer to that."""
        if request.after is not None and not is_id(request.after):
            raise Rejected("The post to continue is none of X's")
        return self._post(sendable(request.text).strip(), price="post", to=request.after, media=request.media)

    def find_published(self, request: PublishRequest, since: datetime) -> Posted | None:
        """Looks through our own posts since then."""
        return self._search_ours(sendable(request.text), [request.after] if request.after else [], since)

    def charges(self) -> tuple[Charge, ...]:
        """What the calls since the last time have cost."""
        return self._asking.meter.drain()

    def _post(self, text: str, *, price: str, to: str | None, media: Sequence[Attachment]) -> Posted:
        if not self.speaks:
            raise AuthFailed("Writing on X needs an account: access_token is missing")
        pictures = [self._upload(each) for each in self._fitting(media)]
        body = self._ask(
            self._api.create_tweet,
            text=text,
            in_reply_to_tweet_id=to,
            media_ids=pictures or None,
            user_auth=True,
            writing=True,
            price="post_with_url" if has_link(text) else price,
        )
        posted = body.get("data")
        try:
            handle = self._me[1].handle if self._me else ""
            return to_posted(posted if isinstance(posted, dict) else {}, handle)
        except Unreadable as error:
            raise OutcomeUnknown("X took the post and answered something that is none") from error

    def _fitting(self, media: Sequence[Attachment]) -> Sequence[Attachment]:
        images = cast(Images, self.facts.images)
        if len(media) > images.count:
            raise Rejected(f"X takes {images.count} pictures at most with one post")
        for each in media:
            if each.content_type not in images.types or len(each.data) > images.bytes:
                raise Rejected(
                    f"X does not take {each.name!r}: JPEG, PNG or WebP, up to {images.bytes // 1_000_000} MB"
                )
        return media

    def _upload(self, picture: Attachment) -> str:
        """Brings a picture there with its description; gives its id. Nothing is said by that yet."""
        send = partial(self._api.request, "POST", user_auth=True)
        encoded = base64.b64encode(picture.data).decode("ascii")
        file = {"media": encoded, "media_category": "tweet_image", "media_type": picture.content_type}
        uploaded = self._ask(send, "/2/media/upload", json=file, task="take the picture").get("data")
        media_id = uploaded.get("id") if isinstance(uploaded, dict) else None
        if not is_id(media_id):
            raise Unavailable("X took the picture and did not name it")
        if picture.alt.strip():
            described = {"id": media_id, "metadata": {"alt_text": {"text": sendable(picture.alt)[: FACTS.images.alt]}}}  # type: ignore[union-attr]
            self._ask(send, "/2/media/metadata", json=described, price="media_metadata", task="take its description")
        return str(media_id)

    def _ours_since(self, since: datetime) -> tuple[Us, list[dict[str, Any]]]:
        if not self.speaks:
            raise AuthFailed("Looking for our own posts on X needs an account: access_token is missing")
        us = self._us()
        return us, self._own_posts(us, since - faults.CLOCKS_DIFFER)

    def _search_ours(self, text: str, parents: Sequence[str], since: datetime) -> Posted | None:
        us, posts = self._ours_since(since)
        found = find_ours(posts, us, text=text, parents=parents, since=None if parents else since)
        if found is None and not parents and abs(self._asking.ahead()) > faults.CLOCKS_DIFFER:
            raise OutcomeUnknown("our clock and X's differ, so that ours may be among what looks older")
        return found

    def _found(self, text: str, parents: Sequence[str], since: datetime) -> Posted | None:
        """The same, where not being able to look changes nothing."""
        try:
            return self._search_ours(text, parents, since)
        except NetworkError:
            return None

    def _own_posts(self, us: Us, since: datetime) -> list[dict[str, Any]]:
        """Our own posts since then, newest first, also where our clock is ahead of X's."""
        try:
            posts = self._own_pages(us, since)
        except Rejected:  # X takes no start that is yet to come
            if self._asking.ahead() <= faults.CLOCKS_DIFFER:
                raise
        else:
            if self._asking.ahead() <= faults.CLOCKS_DIFFER:
                return posts
        return self._own_pages(us, since - self._asking.ahead())

    def _own_pages(self, us: Us, since: datetime) -> list[dict[str, Any]]:
        """The same by that time of X's clock. OutcomeUnknown when we cannot look that far."""
        posts: list[dict[str, Any]] = []
        token = None
        for _ in range(_OWN_PAGES):
            body = self._ask(
                self._api.get_users_tweets,
                us.id,
                start_time=since,
                exclude=["retweets"],
                max_results=PAGE,
                pagination_token=token,
                tweet_fields=TWEET_FIELDS,
                user_auth=True,
            )
            page = rows_of(body)
            if strangers_in(body):
                raise Unavailable("X answered a list of our posts that holds something else")
            self._asking.meter.resources("owned_read", "post", [str(each.get("id")) for each in page])
            posts += page
            token = token_after(body)
            if token is None:
                return posts
        raise OutcomeUnknown("X does not let us look far enough back among our own posts")

    # --- asking ---

    @property
    def _longest(self) -> int:
        return LONGEST_ENTERPRISE if self._settings.enterprise else LONGEST

    def _read_query(self, query: str) -> Search | None:
        """None for `mentions`. Raises Mistake."""
        return None if query.strip().lower() == "mentions" else compile_terms(query, longest=self._longest)

    def _look_at_ourselves(self) -> Author:
        if not self.speaks:  # a post that never was: costs nothing, and shows that X lets us read
            self._ask(self._api.get_tweets, ["1"])
            return Author(external_id="", handle="")
        user = self._ask(self._api.get_me, user_fields=USER_FIELDS).get("data")
        try:
            author = to_author(user if isinstance(user, dict) else {})
        except Unreadable as error:
            raise Unavailable("X answered something that is not an account") from error
        self._asking.meter.resources("user_read", "user", [author.external_id])
        return author

    def _us(self) -> Us:
        me = cast(Author, self.whoami())
        return Us(id=me.external_id, handle=me.handle, anyone=self._settings.enterprise)

    def _look_at_mentions(self, us: Us, cursor: Cursor | None) -> Look:
        ask = partial(self._api.get_users_mentions, us.id)
        fetch = partial(self._fetch, ask=ask, price="owned_read", page_by="pagination_token", us=us)
        return look(fetch, cursor, now=self._now(), most=2 * MENTIONS_REACH, reach=None, listed=MENTIONS_REACH)

    def _look_for(self, search: Search, us: Us | None, cursor: Cursor | None) -> Look:
        ask = partial(self._api.search_recent_tweets, search.query)
        fetch = partial(self._fetch, ask=ask, price="post_read", page_by="next_token", us=us, search=search)
        counting = partial(self._count, search) if self._settings.bearer_token else None
        most = self._settings.most_per_look
        return look(fetch, cursor, now=self._now(), most=most, reach=SEARCH_REACH, count=counting)

    def _fetch(
        self,
        start: Start,
        *,
        next_token: str | None,
        size: int,
        ask: Callable[..., Any],
        price: str,
        page_by: str,
        us: Us | None,
        search: Search | None = None,
    ) -> Batch:
        where: dict[str, Any] = {"since_id": start.since_id, "start_time": start.start_time, page_by: next_token}
        body = self._ask(ask, max_results=size, user_auth=self.speaks, **_FIELDS, **where)
        rows, joined = rows_of(body), Joined.of(body)
        strangers = strangers_in(body)
        if strangers and not rows:  # not one of them is a post at all: that is no page of X
            raise Unavailable("X answered something that is not X's")
        self._bill(price, rows, joined)
        posts, broken = to_posts(rows, joined, us)
        if search is not None:
            matches = search.terms.matches
            posts = [post for post in posts if matches(post.text, language=post.language, author=post.author.handle)]
        meta = body.get("meta")
        newest = meta.get("newest_id") if isinstance(meta, dict) else None
        ids = [str(each["id"]) for each in rows if is_id(each.get("id"))]
        return Batch(
            posts=posts,
            length=len(rows),
            newest=str(newest) if is_id(newest) else max(ids, key=int, default=None),
            next_token=token_after(body),
            unreadable=len(broken) + strangers,
            garbled=tuple(each for each in broken if each.external_id),
        )

    def _count(self, search: Search, start: Start) -> int | None:
        """How many posts wait; None where X does not say. For the price of one post."""
        try:
            body = self._ask(
                self._api.get_recent_tweets_count,
                search.query,
                granularity="day",
                since_id=start.since_id,
                start_time=start.start_time,
                price="counts",
            )
        except NetworkError:
            return None
        return number_of(body, "total_tweet_count")

    def _look_up(self, ids: Sequence[str], us: Us | None) -> tuple[list[Any], list[str]]:
        """Those posts as they are, and which of them X no longer has or no longer shows."""
        body = self._ask(self._api.get_tweets, list(ids), user_auth=self.speaks, **_FIELDS)
        rows, joined = rows_of(body), Joined.of(body)
        self._bill("post_read", rows, joined)
        missing = [
            str(each.get("resource_id") or each.get("value"))
            for each in dicts(body, "errors")
            if str(each.get("type")).rpartition("/")[2] in _GONE and each.get("resource_type") in ("tweet", "post")
        ]
        return to_posts(rows, joined, us)[0], [each for each in dict.fromkeys(ids) if each in missing]

    def _bill(self, price: str, rows: Sequence[Mapping[str, Any]], joined: Joined) -> None:
        self._asking.meter.resources(price, "post", [str(each.get("id")) for each in rows])
        if self._settings.included_billed:
            self._asking.meter.resources("user_read", "user", joined.users)
            self._asking.meter.resources("post_read", "post", joined.posts)
            self._asking.meter.resources("media_read", "media", joined.media)


_FIELDS: Mapping[str, Any] = {
    "tweet_fields": TWEET_FIELDS,
    "user_fields": USER_FIELDS,
    "media_fields": MEDIA_FIELDS,
    "expansions": EXPANSIONS,
}
# Deleted, or hidden from us by protection, suspension or a block: X wants such content gone everywhere.
_GONE = ("resource-not-found", "not-authorized-for-resource")


def _parents(request: ReplyRequest) -> list[str]:
    """The ids of all versions of the post to answer, as far as we know them, oldest first."""
    if not is_id(request.parent_id):
        raise Rejected("The post to answer is none of X's")
    try:
        known = versions(request.parent_raw)
    except Unreadable:
        known = []
    return known if request.parent_id in known else [request.parent_id]
