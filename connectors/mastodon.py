"""Mastodon, and the servers that speak its language (GoToSocial, Pleroma, Akkoma, Friendica …).

Queries: `mentions` (what addresses our account), `#tag` (a public hashtag; on most servers without any account), `#tag`
with other terms (what of the hashtag's posts matches them), and any other terms are searched for where the server
offers text search.

    paging         done: by min_id, oldest first, so that nothing is skipped; search and a first look go back by max_id
    gaps           done: a server files a post that reaches it late under the post's own time, behind what we have
                   read; so a hashtag is read again from 15 minutes back each time and from some hours back every
                   hour. Where we stop short, or a post cannot be read, Page.gap says so
    rate limits    done: 300 requests per 5 minutes; a refusal's headers are read, and the pause after the last request
    edits          done: `edited_at`; seen whenever a post is read again, by recheck, and as its streams tell. Our
                   own posts are edited in place, deleted and pinned: see mastodon_amending
    deletions      done: recheck; only a 404 in the API's own words counts, never a proxy's page. And as streams tell
    language       done: what the author's client claims
    threads        done: `in_reply_to_id`; Mastodon has no id for the whole thread. A notice goes on below our own post
    media          done: links with their descriptions; poll options join the text. Ours carry pictures, which are
                   handed over first (scope write:media), as the server's limits allow
    auth failure   done: 401, and 403 on reading; a 403 on a write counts only if our token is refused altogether
    length         done: the server's own limit and its URL length; 500 and 23 until it has told us
    terms of use   done: answers are unlisted by default and never wider than the parent, #nobot is honoured. The bot
                   flag of our own profile is for a person to set, and each server has rules of its own to be read

Sources: docs.joinmastodon.org/methods/{timelines,notifications,search,statuses,accounts,instance}, /api/rate-limits
and /api/guidelines, read July 2026; late ids: lib/mastodon/snowflake.rb of Mastodon 4.6. Mastodon.py 2.3 makes the
requests; the answers are read as they came, since `Post.raw` is to be what the network said and the library drops the
headers of a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast
from urllib.parse import urlsplit

from pydantic import BaseModel

from connectors import faults
from connectors.hosts import is_loopback
from connectors.mastodon_amending import Amending
from connectors.mastodon_asking import Asking
from connectors.mastodon_media import USUAL_IMAGES, Uploads, read_images
from connectors.mastodon_posts import (
    USUAL_LIMIT,
    Unreadable,
    all_ours,
    find_ours,
    full_id,
    is_id,
    own_id,
    parent_of,
    read_id,
    read_limits,
    read_time,
    to_author,
    to_posted,
    to_posts,
    visibility_name,
)
from connectors.mastodon_queries import Query, explain, read_query
from connectors.mastodon_reading import PAGE, Batch, all_backward, forward, to_batch
from connectors.mastodon_settings import Settings
from connectors.mastodon_streaming import Patience, Streaming
from connectors.mastodon_text import address, count, names_in
from connectors.plain import clean
from connectors.wire import Wire
from listener.contract import Connector, Messages, Publishes, Rechecks, Replies, Streams
from listener.errors import AuthFailed, Mistake, NetworkError, OutcomeUnknown, RateLimited, Rejected, Unavailable
from listener.terms import Terms
from listener.types import (
    Answerable,
    Attachment,
    Author,
    Cursor,
    Facts,
    MessageRequest,
    Page,
    Posted,
    PublishRequest,
    Rechecked,
    ReplyRequest,
    Visibility,
)

__all__ = ["FACTS", "QUERIES", "MastodonConnector", "Settings", "connect"]

QUERIES = "mentions, a #hashtag, or terms to search for"

FACTS = Facts(
    network="mastodon",
    limit=USUAL_LIMIT,
    count=count,
    address=address,
    answerable=Answerable.ANYONE,
    linkable=True,
    direct_messages=True,
    keyed_writes=True,
    deletions_visible=True,
    settle_after=timedelta(seconds=60),
    finds={
        "reply": "below the post that it answers, then among our own posts, for the same words",
        "notice": "among our own posts in that place, for the same words",
        "message": "among our own posts in that place, for the same words",
    },
    images=USUAL_IMAGES,
    threads=True,
    edits=lambda _says, _shall_say: "",
    deletes=True,
    pins=5,
    as_of="2026-07",
    source="https://docs.joinmastodon.org/api/guidelines/ and https://docs.joinmastodon.org/methods/statuses/",
)

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_OWN_PAGES = 25  # how far back we look among our own posts: 1,000 of them
_RECHECK_TOGETHER = 20
_GIVE_UP_AFTER = 3  # posts in a row that could not be looked up
_LEARN_AGAIN = timedelta(hours=1)


def _read(query: str) -> Query:
    """`read_query` where nobody is there to hear a Mistake."""
    try:
        return read_query(query)
    except Mistake as mistake:
        raise Rejected(str(mistake)) from mistake


def connect(settings: BaseModel) -> Connector:
    """The connector for one server and account. Asks the network nothing yet."""
    return MastodonConnector(cast(Settings, settings))


class MastodonConnector(Connector, Replies, Messages, Publishes, Amending, Rechecks, Streams):
    """One account on one server. `facts` grow exact once the server has told its limits."""

    def __init__(
        self,
        settings: Settings,
        *,
        wire: Wire | None = None,
        now: Callable[[], datetime] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.facts = FACTS
        self.speaks = bool(settings.access_token)
        self._settings = settings
        self._host = urlsplit(settings.instance).netloc
        self._token = settings.access_token.get_secret_value() if settings.access_token else None
        self._now = now or (lambda: datetime.now(UTC))
        self._patience = patience or Patience()
        self._our_id: str | None = None  # as our server knows it
        self._learnt_at: datetime | None = None
        self._rechecks_together = True
        server = urlsplit(settings.instance).hostname or ""
        self._wire = wire or Wire(proxies=not is_loopback(server), hosts=[server])
        asking = Asking(instance=settings.instance, host=self._host, token=self._token, wire=self._wire, now=self._now)
        self._ask, self._api = asking.ask, asking.api
        self._uploads = Uploads(self._ask, self._api, self._wire, host=self._host)

    # --- reading ---

    def whoami(self) -> Author | None:
        """Our account. Without a token None, once the server has shown that it is there."""
        if self._token is None:
            self._learnt_at = None
            trouble = self._learn()
            if isinstance(trouble, (RateLimited, Unavailable)):
                raise trouble
            return None
        account = self._ask(self._api.account_verify_credentials, want=dict)
        try:
            me, self._our_id = to_author(account, self._host), read_id(account)
        except Unreadable as error:
            raise Unavailable(f"{self._host} answered something that is not Mastodon's") from error
        self._learn()
        return me

    def explain_query(self, query: str) -> str:
        """What will be read for `query`; Mistake when it cannot be."""
        wanted = read_query(query)
        if self._token is None and wanted.kind != "tag":
            raise Mistake(
                f"{query!r} needs an account: access_token is missing (a public hashtag such as #telecom needs none)."
            )
        return explain(wanted, self._host)

    def terms(self, query: str) -> Terms | None:
        return read_query(query).terms

    def poll(self, query: str, cursor: Cursor | None) -> Page:
        """The next page; the cursor covers no more than what this page returns."""
        wanted = _read(query)
        if self._token is None and wanted.kind != "tag":
            raise AuthFailed(f"{self._host} shows mentions and searches only to an account: access_token is missing")
        our_id = self._us() if self._token else None
        now = self._now().timestamp()
        if wanted.kind == "tag":
            reading = forward(partial(self._fetch_tag, wanted.tag), cursor, now=now, late=True)
        elif wanted.kind == "mentions":
            reading = forward(self._fetch_mentions, cursor, now=now, late=False)
        else:
            reading = all_backward([partial(self._fetch_search, text) for text in wanted.texts], cursor, now=now)
        retry_after = faults.pause_after(self._wire.answer.headers, now=self._now()) if self._wire.answer else None
        self._learn()
        statuses = (item.status for item in reading.items if item.status is not None)
        posts, broken = to_posts(statuses, self._host, our_id)
        return Page(
            posts=tuple(post for post in posts if wanted.keeps(post, host=self._host)),
            cursor=reading.cursor,
            more=reading.more,
            retry_after=retry_after,
            gap=reading.gap_with(len(broken)),
            garbled=tuple(each for each in broken if each.external_id),
        )

    def streams(self, query: str) -> bool:
        """Whether there is a stream for it: for mentions and hashtags, where there is a token."""
        try:
            return self._token is not None and read_query(query).kind != "search"
        except Mistake:
            return False

    def stream(self, query: str, cursor: Cursor | None) -> Iterator[Page]:  # noqa: ARG002 - no page moves a cursor
        """What is said from now on; `cursor` stays where it is."""
        wanted = _read(query)
        our_id = self._us()
        streaming = Streaming(
            self._ask,
            self._api,
            instance=self._settings.instance,
            token=cast(str, self._token),
            now=self._now,
            patience=self._patience,
        )
        yield from streaming.pages(wanted.tag, our_id=our_id, keeps=partial(wanted.keeps, host=self._host))

    def recheck(self, external_ids: Sequence[str]) -> Rechecked:
        """Together where the server offers that, then one by one what did not come; gone is what the API calls 404.

        Of another server's posts it tells nothing.
        """
        waiting = [own for each in dict.fromkeys(external_ids) if (own := own_id(self._host, each))]
        found: dict[str, dict[str, Any]] = {}
        gone: list[str] = []
        our_id: str | None = None
        trouble: NetworkError | None = None
        failed_in_a_row = 0
        try:
            our_id = self._us() if self._token and waiting else None
            for start in range(0, len(waiting), _RECHECK_TOGETHER):
                found |= {str(each.get("id")): each for each in self._many(waiting[start : start + _RECHECK_TOGETHER])}
            for own in [each for each in waiting if each not in found]:
                try:
                    status = self._ask(self._api.status, own, want=dict, missing=True)
                    failed_in_a_row = 0
                except (AuthFailed, Rejected):
                    continue
                except Unavailable as error:
                    trouble, failed_in_a_row = error, failed_in_a_row + 1
                    if failed_in_a_row == _GIVE_UP_AFTER:
                        break
                    continue
                if status is None:
                    gone.append(full_id(self._host, own))
                else:
                    found[own] = status
        except (AuthFailed, RateLimited, Unavailable) as error:  # the others could not be told this time
            trouble = error
        posts, _ = to_posts(found.values(), self._host, our_id)
        present = [post for post in posts if post.external_id in external_ids]
        if trouble is not None and not present and not gone:
            raise trouble
        return Rechecked(present=tuple(present), gone=tuple(gone))

    # --- writing ---

    def reply(self, request: ReplyRequest) -> Posted:
        """Answer in the thread, mentioning the author, no wider than the parent and behind its content warning."""
        parent = own_id(self._host, request.parent_id)
        if parent is None:
            raise Rejected(f"The post to answer is not one of {self._host}, where this account is")
        text = address(request.text, request.parent_author.handle)
        return self._post(
            text,
            key=request.key,
            in_reply_to_id=parent,
            visibility=self._settings.visibility.no_wider_than(request.parent_visibility),
            language=request.language,
            content_warning=self._fitting(request.content_warning, text),
            media=request.media,
        )

    def find_reply(self, request: ReplyRequest, since: datetime) -> Posted | None:
        """Looks under the parent, then through our own posts back to then; whom it answers tells it, not its time."""
        parent, our_id, below = self._below(request)
        text = address(request.text, request.parent_author.handle)
        stands = below is not None
        candidates = [*(below or ()), *self._own_posts(our_id, since)]
        parents = {parent} if stands else {parent, ""}  # a lost parent is unset
        candidates = [each for each in candidates if parent_of(each) in parents]
        if stands:
            return find_ours(candidates, self._host, our_id, text, None)
        return self._surely(find_ours(candidates, self._host, our_id, text, since))

    def find_replies(self, request: ReplyRequest, since: datetime) -> Sequence[Posted]:
        """Looks under the parent; where nothing of ours is there, as `find_reply`. OutcomeUnknown where it is gone."""
        parent, our_id, below = self._below(request)
        if below is None:
            raise OutcomeUnknown(f"the post is gone from {self._host}, and what answers it is no longer told")
        found = all_ours(below, self._host, our_id, parent)
        return found or all_ours(self._own_posts(our_id, since), self._host, our_id, parent)

    def _below(self, request: ReplyRequest) -> tuple[str, str, list[dict[str, Any]] | None]:
        """The server's ids of the post and of our account, and what stands below it; None where the post is gone."""
        parent = own_id(self._host, request.parent_id)
        if parent is None:
            raise OutcomeUnknown(f"the post is of another server than {self._host}, where a reply cannot be looked for")
        our_id = self._us()
        context = self._ask(self._api.status_context, parent, want=dict, missing=True)
        if context is None:
            return parent, our_id, None
        below = context.get("descendants")
        return parent, our_id, [each for each in below if isinstance(each, dict)] if isinstance(below, list) else []

    def message(self, request: MessageRequest) -> Posted:
        """A post that only they see. Rejected where it names anybody else, who would see it too."""
        text = address(request.text, request.to.handle)
        named = names_in(text)
        if not named:
            raise Rejected("That account has a name that cannot be mentioned, so nobody would see the message")
        if others := [each for each in named if each.casefold() != f"@{request.to.handle.lstrip('@')}".casefold()]:
            raise Rejected(f"Whoever a direct message names reads it too; take {', '.join(others)} out")
        return self._post(
            text,
            key=request.key,
            in_reply_to_id=self._followed(request),
            visibility=Visibility.DIRECT,
            language=request.language,
            content_warning=self._fitting(request.content_warning, text),
        )

    def find_message(self, request: MessageRequest, since: datetime) -> Posted | None:
        """Looks through our own posts since then, below theirs where it follows one."""
        our_id, text = self._us(), address(request.text, request.to.handle)
        parents = {self._followed(request) or "", ""}  # a lost parent is unset
        candidates = (each for each in self._own_posts(our_id, since) if parent_of(each) in parents)
        return self._surely(find_ours(candidates, self._host, our_id, text, since))

    def _followed(self, request: MessageRequest) -> str | None:
        """The server's id of their post that the message follows; None where there is none of this server."""
        return own_id(self._host, request.parent_id) if request.parent_id else None

    def publish(self, request: PublishRequest) -> Posted:
        """Say it to everybody, as widely as asked; below our own post where it goes on from one."""
        text = clean(request.text).strip()
        return self._post(
            text,
            key=request.key,
            in_reply_to_id=self._continued(request),
            visibility=request.visibility,
            language=request.language,
            media=request.media,
        )

    def find_published(self, request: PublishRequest, since: datetime) -> Posted | None:
        """Looks through our own posts since then that answer nothing, or go on from where this one does."""
        our_id, parents = self._us(), {self._continued(request) or "", ""}  # a lost parent is unset
        candidates = (each for each in self._own_posts(our_id, since) if parent_of(each) in parents)
        return self._surely(find_ours(candidates, self._host, our_id, request.text, since))

    def _surely(self, found: Posted | None) -> Posted | None:
        """The same. OutcomeUnknown where nothing was found by its time, and the clocks differ."""
        if found is None and abs(self._ahead()) > faults.CLOCKS_DIFFER:
            raise OutcomeUnknown(f"our clock and that of {self._host} differ: ours may be among what looks older")
        return found

    def _ahead(self) -> timedelta:
        """How far our clock is ahead of the server's, by its last answer."""
        last = self._wire.answer
        return faults.clock_ahead(last.headers, now=self._now()) if last else timedelta(0)

    def _continued(self, request: PublishRequest) -> str | None:
        """The server's id of our own post that this one continues."""
        if request.after is None:
            return None
        own = own_id(self._host, request.after)
        if own is None:
            raise Rejected(f"The post that this one continues is not one of {self._host}, where this account is")
        return own

    def _post(
        self,
        text: str,
        *,
        key: str,
        visibility: Visibility,
        language: str | None,
        in_reply_to_id: str | None = None,
        content_warning: str = "",
        media: Sequence[Attachment] = (),
    ) -> Posted:
        if self._token is None:
            raise AuthFailed(f"Writing at {self._host} needs an account: access_token is missing")
        pictures = self._uploads.ids(key, media)
        try:
            status = self._ask(
                self._api.status_post,
                text,
                want=dict,
                writing=True,
                in_reply_to_id=in_reply_to_id,
                media_ids=pictures,
                visibility=visibility_name(visibility),
                spoiler_text=content_warning or None,
                language=language if language and language != "und" and _LANGUAGE.fullmatch(language) else None,
                idempotency_key=key,
            )
        except Rejected:
            self._uploads.forget(key)  # perhaps the server has
            raise
        try:
            return to_posted(status, self._host)
        except Unreadable as error:
            raise OutcomeUnknown(f"{self._host} took the post and answered something that is none") from error

    def _fitting(self, content_warning: str, text: str) -> str:
        """The parent's content warning, shortened where the server would else refuse the whole for its length."""
        warning = clean(content_warning).strip()
        room = self.facts.limit - self.facts.count(text)
        return warning if len(warning) <= room or room < 1 else warning[: room - 1] + "…"

    def _own_posts(self, our_id: str, since: datetime) -> list[dict[str, Any]]:
        """Our own posts, newest first, back to `since`. OutcomeUnknown when we cannot look that far."""
        posts: list[dict[str, Any]] = []
        oldest = None
        for _ in range(_OWN_PAGES):
            page = self._ask(self._api.account_statuses, our_id, max_id=oldest, limit=PAGE, exclude_reblogs=True)
            readable = [each for each in page if isinstance(each, dict) and is_id(str(each.get("id")))]
            posts += readable
            times = [time for each in readable if (time := read_time(each.get("created_at")))]
            until = since - faults.CLOCKS_DIFFER - max(self._ahead(), timedelta(0))
            if not page or (times and min(times) < until):
                return posts
            if not readable or str(readable[-1]["id"]) == oldest:
                break
            oldest = str(readable[-1]["id"])
        raise OutcomeUnknown(f"{self._host} does not let us look far enough back among our own posts")

    # --- asking ---

    def _us(self) -> str:
        """The id of our account as the server knows it, asked for once."""
        if self._token is None:
            raise AuthFailed(f"This needs an account at {self._host}: access_token is missing")
        if self._our_id is None:
            self.whoami()
        return cast(str, self._our_id)

    def _fetch_tag(self, tag: str, *, min_id: str | None = None, max_id: str | None = None) -> Batch:
        return self._batch(self._ask(self._api.timeline_hashtag, tag, min_id=min_id, max_id=max_id, limit=PAGE))

    def _fetch_mentions(self, *, min_id: str | None = None, max_id: str | None = None) -> Batch:
        # Without include_filtered a server keeps back what its policy holds for review: by default the direct
        # messages of everybody whom we do not follow. The library has no word for it yet.
        extra = {"include_filtered": "true"}
        ask = partial(self._ask, self._api.notifications, types=["mention"], limit=PAGE, extra=extra)
        return self._batch(ask(min_id=min_id, max_id=max_id), inside="status")

    def _fetch_search(self, words: str, *, min_id: str | None = None, max_id: str | None = None) -> Batch:
        ask = partial(self._ask, self._api.search_v2, words, want=dict, resolve=False, result_type="statuses")
        return self._batch(ask(max_id=max_id, min_id=min_id, limit=PAGE).get("statuses"))

    def _batch(self, entries: object, inside: str | None = None) -> Batch:
        try:
            return to_batch(entries, inside)
        except Unreadable as error:
            raise Unavailable(f"{self._host} answered a list that is not Mastodon's") from error

    def _many(self, external_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Those that the server gives together; a server older than Mastodon 4.3 gives none."""
        if len(external_ids) < 2 or not self._rechecks_together:
            return []
        try:
            statuses = self._ask(self._api.statuses, list(external_ids))
        except (AuthFailed, Unavailable):
            return []
        except Rejected:
            self._rechecks_together = False
            return []
        return [status for status in statuses if isinstance(status, dict)]

    def _learn(self) -> NetworkError | None:
        """The server's limits, once; after a failure again in an hour at the earliest. What went wrong, if it did."""
        now, trouble = self._now(), None
        if self._learnt_at is not None and now - self._learnt_at < _LEARN_AGAIN:
            return None
        self._learnt_at = now
        for call in (self._api.instance_v2, self._api.instance_v1):
            try:
                instance = self._ask(call, want=dict)
            except NetworkError as error:
                trouble = error
                continue
            limit, url_length = read_limits(instance)
            self.facts = replace(
                FACTS, limit=limit, count=partial(count, url_length=url_length), images=read_images(instance)
            )
            self._learnt_at = datetime.max.replace(tzinfo=UTC)
            return None
        return trouble
