"""Reddit, by its API and with an app that Reddit has approved.

Queries: `mentions` (our inbox: u/mentions of us and answers to what we wrote), `r/spain+madrid TERMS` (posts and
comments of those subreddits; the terms may be left out), or TERMS alone (a search for posts in all of Reddit).

    paging         done: from the newest page back until something known is met, several subreddits in one listing;
                   posts and comments are two listings with a place each in one cursor
    gaps           done: a listing ends at about 1,000 things; where that is before anything known, or where a post
                   cannot be read, Page.gap says so. What a filter held back and a moderator let through later is
                   found on the newest page, and every hour up to 6 hours back
    rate limits    done: 100 requests a minute; a refusal's headers, the pause after the last request, and RATELIMIT
                   with a time in words inside a 200. A poll costs a request per listing, and another for what is new
    edits          done: `edited`; seen when a thing is listed again, and by recheck. Our own are edited (but for their
                   titles), deleted and pinned: see reddit_amending
    deletions      done: recheck every day for as long as a post is kept; [deleted] and [removed] where author or text
                   were, and what an answer that is surely whole does not hold
    language       exempt: Reddit claims none
    threads        done: the parent's fullname, and the submission's as the thread
    media          done: pictures, galleries, videos, previews and links; ours carry none
    auth failure   done: a token that ends is renewed; wrong credentials, a lacking scope, a suspended account are told
    length         done: 10,000 characters for an answer with its footer; a notice's first line is its title
    terms of use   done: nobody is matched to a person but by their own word, private messages are neither read nor
                   written, and the user agent is true. Reddit's approval, an agreement where it is for business, and
                   a profile that says “bot” are for a person to arrange: see ADVICE

Sources: reddit.com/dev/api, Reddit's Data API terms, Developer terms and Responsible Builder Policy, read March 2026;
the traps of praw 8.0 and prawcore 4.0 in November 2026. praw signs in and makes the requests; the answers are read as
they came, since `Post.raw` is to be what Reddit said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic import BaseModel

from connectors import faults
from connectors.hosts import is_loopback
from connectors.reddit_amending import Amending, no_edit
from connectors.reddit_posts import (
    Thing,
    Unreadable,
    Us,
    find_ours,
    is_comment,
    is_fullname,
    is_gone,
    is_hidden,
    link_of,
    short_id,
    time_of,
    to_author,
    to_post,
    to_posted,
    words_of,
)
from connectors.reddit_reading import PAGE, Batch, Item, Listing, Query, backward, holds, read_query, to_batch, unfolded
from connectors.reddit_refusals import nothing_posted, of_errors
from connectors.reddit_settings import Settings
from connectors.reddit_text import LONGEST_COMMENT, address, count, title_and_body
from connectors.reddit_wire import Login, RedditWire, needs_account
from listener.contract import Connector, Publishes, Rechecks, Replies
from listener.errors import AuthFailed, Mistake, NetworkError, OutcomeUnknown, Rejected, Unavailable
from listener.terms import Terms
from listener.types import (
    Answerable,
    Author,
    Cursor,
    Facts,
    Garbled,
    Page,
    Post,
    Posted,
    PublishRequest,
    Rechecked,
    ReplyRequest,
)

__all__ = ["ADVICE", "FACTS", "QUERIES", "RedditConnector", "Settings", "connect"]

QUERIES = "mentions, r/subreddit with or without terms, or terms to search for"

ADVICE = (
    "Reddit must have approved this use of its API beforehand (since November 2025, any use), and a company needs an "
    "agreement with Reddit.",
    "The account must say that it is a bot and whose: in its profile, or set `footer`.",
    "Ask the moderators of a subreddit before you answer there.",
)

_OWN_PAGES = 10  # how far back we look among our own: about 1,000, Reddit has no more
_SEARCH_DEPTH = 2  # pages
_LOOKED_UP = 99  # at once, besides the one that is always there
_ALWAYS_THERE = "t5_6"  # r/reddit.com, the first subreddit: an answer without it is not whole
_LONGEST_KEPT = timedelta(days=90)


def _lookups(keep: timedelta) -> tuple[tuple[timedelta, timedelta], ...]:
    """What is kept is looked up every day: Reddit wants deleted content gone, and recommends within 48 hours."""
    hour, day = timedelta(hours=1), timedelta(days=1)
    return ((hour, hour / 6), (day, hour), (max(keep, day), 20 * hour))


FACTS = Facts(
    network="reddit",
    limit=LONGEST_COMMENT,
    count=count,
    address=address,
    answerable=Answerable.ANYONE,
    linkable=False,
    direct_messages=False,
    no_messages="Reddit allows no private message to who has not consented to it",
    keyed_writes=False,
    deletions_visible=True,
    settle_after=timedelta(minutes=5),
    finds={
        "reply": "among our own comments and below what it answers, for the same words",
        "notice": "among our own submissions, for the same title and words",
    },
    edits=no_edit,
    deletes=True,
    pins=2,
    rechecks=_lookups(_LONGEST_KEPT),
    looks_at_once=_LOOKED_UP,
    keep=_LONGEST_KEPT,
    as_of="2026-03",
    source="https://www.reddit.com/dev/api and https://redditinc.com/policies/data-api-terms",
)


def connect(settings: BaseModel) -> Connector:
    """The connector for one app and account. Asks Reddit nothing yet."""
    given = cast(Settings, settings)
    return PublishingRedditConnector(given) if given.subreddit else RedditConnector(given)


class RedditConnector(Connector, Replies, Amending, Rechecks):
    """One account on Reddit, or none: then it only reads."""

    def __init__(
        self, settings: Settings, *, wire: RedditWire | None = None, now: Callable[[], datetime] | None = None
    ) -> None:
        keep = timedelta(days=settings.keep_days)
        spoken = partial(address, footer=settings.footer) if settings.footer else address
        self.facts = replace(FACTS, address=spoken, keep=keep, rechecks=_lookups(keep))
        self.speaks = settings.speaks
        self._settings = settings
        self._site = settings.reddit_url
        self._now = now or (lambda: datetime.now(UTC))
        hosts = [urlsplit(url).hostname or "" for url in (settings.oauth_url, settings.reddit_url)]
        self._wire = wire or RedditWire(proxies=not is_loopback(hosts[0]), hosts=hosts)
        self._stranger = Login(settings, self._wire, ours=False, now=self._now)
        self._login = Login(settings, self._wire, ours=True, now=self._now) if self.speaks else self._stranger
        self._known: Us | None = None

    # --- reading ---

    def whoami(self) -> Author | None:
        """Our account. Without one None, once Reddit has taken the app for what it is."""
        if not self.speaks:
            self._login.sign_in()
            return None
        me = self._login.get("api/v1/me")
        account = me.get("id") if isinstance(me, dict) else None
        if not isinstance(me, dict) or not isinstance(account, str) or not isinstance(me.get("name"), str):
            raise Unavailable("Reddit answered something else when asked who we are")
        if me.get("is_suspended") is True:
            raise AuthFailed(f"Reddit has suspended our account u/{faults.one_line(me['name'], limit=40)}")
        try:
            author = to_author({"author": me["name"], "author_fullname": f"t2_{account}"}, self._site)
        except Unreadable as error:
            raise Unavailable("Reddit answered something else when asked who we are") from error
        if author.handle.casefold() != str(self._settings.username).casefold():
            other = faults.one_line(author.handle, limit=40)
            raise AuthFailed(f"The refresh_token is u/{other}'s, and username names u/{self._settings.username}")
        self._known = Us(id=author.external_id, name=author.handle)
        return replace(author, created_at=time_of(me))

    def explain_query(self, query: str) -> str:
        """What will be read for `query`; Mistake when it cannot be."""
        wanted = read_query(query)
        if wanted.mentions:
            if not self.speaks:
                raise Mistake(f"{query!r} needs an account: {self._missing()} is missing (r/subreddit needs none).")
            return (
                "The inbox of our account: mentions of it, and answers to its comments and posts; no private messages."
            )
        if wanted.subreddits:
            where = "Every new post and comment in " + ", ".join(f"r/{name}" for name in wanted.subreddits.split("+"))
            return f"{where}; what matches “{wanted.terms}” is picked out here." if wanted.terms else f"{where}."
        return (
            f"Reddit's search finds posts (no comments) for {wanted.searched}; what of them matches “{wanted.terms}” "
            "is picked out here. r/subreddit before the terms reads the comments there too."
        )

    def terms(self, query: str) -> Terms | None:
        return read_query(query).terms

    def poll(self, query: str, cursor: Cursor | None) -> Page:
        """What is new since the cursor, in one page."""
        try:
            wanted = read_query(query)
        except Mistake as mistake:
            raise Rejected(str(mistake)) from mistake
        if wanted.mentions and not self.speaks:
            raise needs_account()
        us = self._us()
        reading = backward(self._listings(wanted), cursor, now=self._now().timestamp())
        posts, gone, broken = self._to_posts(reading.items, wanted, us)
        pause = faults.pause_after(self._wire.answer.headers, now=self._now()) if self._wire.answer else None
        return Page(
            posts=tuple(posts),
            cursor=reading.cursor,
            retry_after=pause,
            gone=tuple(gone),
            gap=reading.gap_with(len(broken)),
            garbled=tuple(broken),
        )

    def recheck(self, external_ids: Sequence[str]) -> Rechecked:
        """Looked up by fullname, with the submissions they stand under."""
        waiting = [each for each in dict.fromkeys(external_ids) if is_fullname(each)]
        if not waiting:
            return Rechecked()
        us = self._us()
        found, missing = self._info(waiting)
        gone = [name for name, thing in found.items() if is_gone(thing)] + missing
        links = self._links(found.values(), known=found)
        present: list[Post] = []
        for name, thing in found.items():
            if name in gone:
                continue
            try:
                present.append(to_post(thing, links.get(link_of(thing) or ""), site=self._site, us=us))
            except Unreadable:
                continue
        return Rechecked(present=tuple(present), gone=tuple(gone))

    # --- writing ---

    def reply(self, request: ReplyRequest) -> Posted:
        """Answer below the comment or post. Rejected also where Reddit hides the answer from everybody else at once."""
        if not is_fullname(request.parent_id):
            raise Rejected("What is to be answered is no comment or post of Reddit")
        text = self._addressed(request)
        answer = self._write("api/comment/", thing_id=request.parent_id, text=text)
        data = answer.get("data")
        things = data.get("things") if isinstance(data, dict) else None
        first = things[0] if isinstance(things, list) and things else None
        thing = first.get("data") if isinstance(first, dict) else None
        return self._seen_by_others(self._posted(thing))

    def find_reply(self, request: ReplyRequest, since: datetime) -> Posted | None:
        """Looks through our own comments back to then, and below the parent; whom it answers tells it, not its time."""
        if not is_fullname(request.parent_id):
            raise OutcomeUnknown("what was answered is no comment or post of Reddit")
        us = self._ours()
        wanted = {"body": self._addressed(request)}
        look = partial(find_ours, us=us, parent=request.parent_id, wanted=wanted, since=None, site=self._site)
        found = look(self._own("comments", us, since))
        return found or look(self._below(request))

    def find_replies(self, request: ReplyRequest, since: datetime) -> Sequence[Posted]:
        """Below the parent; where nothing of ours is there, as `find_reply`."""
        if not is_fullname(request.parent_id):
            raise OutcomeUnknown("what was answered is no comment or post of Reddit")
        us = self._ours()
        found = self._answers_in(self._below(request), us, request)
        return found or self._answers_in(self._own("comments", us, since), us, request)

    def _answers_in(self, there: Sequence[Thing], us: Us, request: ReplyRequest) -> list[Posted]:
        ours = [each for each in there if us.wrote(each) and each.get("parent_id") == request.parent_id]
        try:
            posted = [to_posted(each, self._site) for each in ours]
        except Unreadable as error:
            raise OutcomeUnknown("an answer of ours cannot be read") from error
        return list({each.external_id: each for each in posted}.values())

    def _addressed(self, request: ReplyRequest) -> str:
        return self.facts.address(request.text, request.parent_author.handle)

    def _write(self, path: str, **data: str | bool) -> dict[str, Any]:
        """What stands in the answer to something that we write, once it names no errors."""
        if not self.speaks:
            raise needs_account()
        answer = self._login.post(path, **data)
        if (error := of_errors(answer, secrets=self._login.secrets())) is not None:
            raise error
        inner = answer.get("json", {})
        if not isinstance(inner, dict):
            raise nothing_posted()
        return inner

    def _posted(self, thing: object) -> Posted:
        if not isinstance(thing, dict):
            raise nothing_posted()
        try:
            return to_posted(thing, self._site)
        except Unreadable:
            raise nothing_posted() from None

    def _seen_by_others(self, posted: Posted) -> Posted:
        """The same, unless a stranger is shown that it was removed: a filter or a ban that only others can see.

        Whatever keeps us from looking, or is not there yet, says nothing.
        """
        try:
            found, _ = self._info([posted.external_id], login=self._stranger)
        except NetworkError:
            return posted
        thing = found.get(posted.external_id)
        if thing is None or not is_hidden(thing):
            return posted
        raise Rejected(
            f"Reddit took it and hides it from everybody but us: a filter, the moderators or a ban of our account "
            f"removed it. It is at {posted.url or posted.external_id}; only the moderators can let it through"
        )

    # --- looking for what we wrote ---

    def _own(self, what: str, us: Us, since: datetime) -> list[Thing]:
        """What we wrote, newest first, back to `since`; `what`: comments or submitted."""
        things: list[Thing] = []
        after: str | None = None
        for _ in range(_OWN_PAGES):
            batch = self._listing(f"user/{us.name}/{what}/", after, sort="new")
            things += [item.thing for item in batch.items]
            until = (since - faults.CLOCKS_DIFFER - max(self._ahead(), timedelta(0))).timestamp()
            if batch.after is None or any(item.at < until for item in batch.items):
                return things
            after = batch.after
        raise OutcomeUnknown("Reddit does not let us look far enough back among what we wrote")

    def _ahead(self) -> timedelta:
        """How far our clock is ahead of Reddit's, by its last answer."""
        last = self._wire.answer
        return faults.clock_ahead(last.headers, now=self._now()) if last else timedelta(0)

    def _below(self, request: ReplyRequest) -> list[Thing]:
        """The comments directly below the parent, as far as Reddit unfolds them; none of a thread closed to us."""
        link = link_of({**request.parent_raw, "name": request.parent_id})
        params: dict[str, str | int] = {"limit": 500, "depth": 1, "sort": "new"}
        if is_comment(request.parent_id):
            params |= {"comment": short_id(request.parent_id), "depth": 2, "context": 0}
        if link is None:
            return []
        try:
            answer = self._login.get(f"comments/{short_id(link)}/", **params)
        except (Rejected, AuthFailed):
            return []
        tree = answer[1] if isinstance(answer, list) and len(answer) == 2 else None
        if tree is None:
            raise Unavailable("Reddit answered something that is no thread")
        return list(unfolded(tree, levels=2))

    # --- asking ---

    def _us(self) -> Us:
        """Our account; an empty one where there is none."""
        return self._ours() if self.speaks else Us()

    def _ours(self) -> Us:
        if not self.speaks:
            raise needs_account()
        if self._known is None:
            self.whoami()
        return cast(Us, self._known)

    def _missing(self) -> str:
        return "password or refresh_token" if self._settings.username else "username and password, or refresh_token,"

    def _listings(self, wanted: Query) -> dict[str, Listing]:
        """The listings to read for a query, by name."""
        if wanted.mentions:
            return {"inbox": Listing(fetch=partial(self._listing, "message/inbox/", mark="false"))}
        if wanted.subreddits:
            where = f"r/{wanted.subreddits}"
            return {
                "posts": Listing(fetch=partial(self._listing, f"{where}/new/")),
                "comments": Listing(fetch=partial(self._listing, f"{where}/comments/")),
            }
        search = partial(
            self._listing, "search/", q=wanted.searched, sort="new", t="all", type="link", include_over_18="on"
        )
        return {"search": Listing(fetch=search, depth=_SEARCH_DEPTH)}

    def _listing(self, path: str, after: str | None, **params: str | int) -> Batch:
        asked = {**params, "limit": PAGE} | ({"after": after} if after else {})
        try:
            return to_batch(self._login.get(path, **asked))
        except Unreadable as error:
            raise Unavailable("Reddit answered something that is no listing") from error

    def _info(self, names: Sequence[str], *, login: Login | None = None) -> tuple[dict[str, Thing], list[str]]:
        """Things by fullname, and which of them are not there any more. What could not be told is in neither."""
        found: dict[str, Thing] = {}
        missing: list[str] = []
        for start in range(0, len(names), _LOOKED_UP):
            asked = names[start : start + _LOOKED_UP]
            answer = (login or self._login).get("api/info/", id=",".join([*asked, _ALWAYS_THERE]))
            try:
                batch = to_batch(answer)
            except Unreadable as error:
                raise Unavailable("Reddit answered something that is no listing") from error
            there = {item.name: item.thing for item in batch.items if item.name in asked}
            found |= there
            if not batch.unreadable and holds(answer, _ALWAYS_THERE):
                missing += [name for name in asked if name not in there]
        return found, missing

    def _links(self, things: Any, *, known: Mapping[str, Thing]) -> dict[str, Thing]:
        """The submissions that these stand under."""
        wanted = dict.fromkeys(link for thing in things if (link := link_of(thing)))
        there = {name: known[name] for name in wanted if name in known}
        unknown = [name for name in wanted if name not in there]
        return there | self._info(unknown)[0]

    def _to_posts(self, items: Sequence[Item], wanted: Query, us: Us) -> tuple[list[Post], list[str], list[Garbled]]:
        """The posts that are wanted, which are gone, and which could not be read.

        Inbox entries lack most of what a comment has, and no comment says whether its thread is locked; so what is
        wanted is looked up once more.
        """
        gone = [item.name for item in items if is_gone(item.thing)]
        left = [item for item in items if item.name not in gone]
        left = [item for item in left if wanted.wants(words_of(item.thing), str(item.thing.get("author") or ""))]
        whole: dict[str, Thing] = {item.name: item.thing for item in left if not wanted.mentions}
        unknown = [item.name for item in left if wanted.mentions]
        above = dict.fromkeys(link for item in left if (link := link_of(item.thing)) and link not in whole)
        looked_up = self._info([*unknown, *above])[0]
        meant: list[Item] = []
        for item in left:
            thing = whole.get(item.name) or {**item.thing, **looked_up.get(item.name, {})}
            if is_gone(thing):
                gone.append(item.name)
                continue
            meant.append(item)

        def read(item: Item) -> Post:
            thing = whole.get(item.name) or {**item.thing, **looked_up.get(item.name, {})}
            name = link_of(thing) or ""
            kind = str(item.thing.get("type") or "") if wanted.mentions else ""
            return to_post(thing, looked_up.get(name) or whole.get(name), site=self._site, us=us, kind=kind)

        known = (Unreadable, RecursionError)
        posts, broken = faults.read_each(meant, read, lambda item: item.name, known)
        return posts, gone, broken


class PublishingRedditConnector(RedditConnector, Publishes):
    """With a subreddit to publish in."""

    def publish(self, request: PublishRequest) -> Posted:
        """A text post in our subreddit: the first line is its title. Rejected also where it is hidden at once."""
        title, body = self._said(request)
        if not title:
            raise Rejected("Reddit refuses this: the text is empty")
        answer = self._write(
            "api/submit/",
            kind="self",
            sr=str(self._settings.subreddit),
            title=title,
            text=body,
            resubmit=True,
            sendreplies=True,
        )
        return self._seen_by_others(self._posted(answer.get("data")))

    def find_published(self, request: PublishRequest, since: datetime) -> Posted | None:
        """Looks through our own posts since then. OutcomeUnknown where only their times tell, and the clocks differ."""
        us = self._ours()
        title, body = self._said(request)
        found = find_ours(
            self._own("submitted", us, since),
            us=us,
            parent=None,
            wanted={"title": title, "selftext": body},
            since=since,
            site=self._site,
        )
        if found is None and abs(self._ahead()) > faults.CLOCKS_DIFFER:
            raise OutcomeUnknown("our clock and Reddit's differ, so that ours may be among what looks older")
        return found

    def _said(self, request: PublishRequest) -> tuple[str, str]:
        title, body = title_and_body(request.text)
        return title, address(body, "", footer=self._settings.footer)
