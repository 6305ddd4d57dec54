"""A network inside the process: people, threads, replies, faults; for the demo, tests and load.

The network is one SQLite file, so that several processes (the daemon, a command, a test) see the same people. `World`
is the side of the people, who post, edit and delete, and of whoever wants something to break; `connect` gives our own
side, as on any other network.

    world = World("sandbox.db")
    ana = world.person("@ana_ejemplo", "Ana")
    post = ana.post("@marca no tengo señal")
    world.fail("reply", Fault.ANSWER_LOST)

Queries: `mentions` (posts that name our handle or answer us), or terms that a public post must match.

Checklist
    paging          done: up to `page_size` posts, oldest change first; the cursor is the number of the last change seen
    gaps            exempt: nothing is ever skipped, a first poll starts at the network's beginning
    rate limits     done: Fault.RATE_LIMITED with `seconds`
    edits           done: an edited post comes again in polls, with `edited_at`; `recheck` shows it too. Ours are
                    edited, deleted and pinned; World.pinned tells which are up
    deletions       done: in Page.gone, and in `recheck`
    language        done: what `Person.post(language=…)` claims
    threads         done: parent_id and thread_id (the first post's id)
    media           done: links and descriptions; ours carry pictures too, and World.pictures gives them back
    auth failure    done: Fault.AUTH_FAILED
    length          done: 500 code points with the address; longer is Rejected
    terms of use    exempt: nobody else's network
"""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from connectors.sandbox_world import SCAN, Fault, Person, World, author_of, bare, moment, url_of
from listener.contract import Connector, Deletes, Edits, Messages, Pins, Publishes, Rechecks, Replies
from listener.errors import AuthFailed, OutcomeUnknown, RateLimited, Rejected, Unavailable
from listener.terms import Tag
from listener.types import (
    Answerable,
    Attachment,
    Author,
    Cursor,
    EditRequest,
    Facts,
    Images,
    Media,
    MessageRequest,
    Page,
    Post,
    Posted,
    PostKind,
    PublishRequest,
    Rechecked,
    ReplyRequest,
    Visibility,
)

__all__ = ["FACTS", "Fault", "Person", "Sandbox", "Settings", "World", "connect"]

LIMIT = 500
IMAGES = Images(
    count=4,
    types=("image/jpeg", "image/png", "image/gif", "image/webp"),
    bytes=8 * 1024 * 1024,
    alt=1500,
)


class Settings(BaseModel):
    """What the sandbox needs."""

    model_config = ConfigDict(extra="forbid")

    world: Path = Field(default=Path("sandbox.db"), description="The file that holds the network; made if missing.")
    handle: str = Field(default="@marca", min_length=2, description="Our handle there.")
    page_size: int = Field(default=200, ge=1, le=200, description="The most posts in one page.")


def address(text: str, handle: str) -> str:
    """The text as a reply to `handle` is posted: it begins by naming them."""
    name = "@" + bare(handle)
    return text if text.casefold().startswith(name + " ") else f"{name} {text}"


FACTS = Facts(
    network="sandbox",
    limit=LIMIT,
    count=len,
    address=address,
    answerable=Answerable.ANYONE,
    linkable=True,
    direct_messages=True,
    keyed_writes=True,
    deletions_visible=True,
    settle_after=timedelta(seconds=1),
    finds=dict.fromkeys(("reply", "notice", "message"), "under the key that it was written with"),
    images=IMAGES,
    threads=True,
    edits=lambda _says, _shall_say: "",
    deletes=True,
    pins=5,
    as_of="2026-01-01",
    source="connectors/sandbox.py",
)


def connect(settings: Settings) -> Sandbox:
    """Our account there. Touches the file only when first called upon."""
    return Sandbox(settings)


class Sandbox(Connector, Replies, Messages, Publishes, Edits, Deletes, Pins, Rechecks):
    """One account on the sandbox network."""

    facts = FACTS

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._handle = bare(settings.handle)
        self._names_us = re.compile(rf"(?<![\w@])@{re.escape(self._handle)}(?!\w)", re.IGNORECASE).search

    @cached_property
    def world(self) -> World:
        """The network behind. Raises Unavailable when its file cannot be used."""
        with _unavailable():
            world = World(self._settings.world)
            world.person(self._handle)
        return world

    def whoami(self) -> Author | None:
        with self._asking("whoami"):
            return self.world.author(self._handle)

    def explain_query(self, query: str) -> str:
        terms = self.terms(query)
        if terms is None:
            return f"Posts that name @{self._handle} or answer it."
        if isinstance(terms.expression, Tag):
            return f"Public posts with the hashtag {terms}."
        return f"Public posts that match: {terms}."

    def poll(self, query: str, cursor: Cursor | None) -> Page:
        wanted = self._filter(query)
        posts: list[Post] = []
        gone: list[str] = []
        last = int(cursor["change"]) if cursor else 0
        more = True
        with self._asking("poll"):
            while more and len(posts) + len(gone) < self._settings.page_size:
                rows = self.world.changes(last)
                more = len(rows) == SCAN
                for at, row in enumerate(rows, 1):
                    last = row["change"]
                    if not wanted(row):
                        continue
                    if row["deleted_at"] is None:
                        posts.append(self._post(row))
                    else:
                        gone.append(str(row["id"]))
                    if len(posts) + len(gone) == self._settings.page_size:
                        more = more or at < len(rows)
                        break
        return Page(posts=tuple(posts), cursor={"change": last}, more=more, gone=tuple(gone))

    def recheck(self, external_ids: Sequence[str]) -> Rechecked:
        if not external_ids:
            return Rechecked()
        with self._asking("recheck"):
            found = {str(row["id"]): row for row in self.world.rows(external_ids)}
        there = [row for row in found.values() if row["deleted_at"] is None]
        gone = [i for i in external_ids if i not in found or found[i]["deleted_at"] is not None]
        return Rechecked(present=tuple(self._post(row) for row in there), gone=tuple(gone))

    def reply(self, request: ReplyRequest) -> Posted:
        text = address(request.text, request.parent_author.handle)
        self._upload(request.media)
        with self._asking("reply") as fault:
            return self._write(
                request.key,
                text,
                fault,
                media=request.media,
                parent=request.parent_id,
                language=request.language,
                visibility=request.parent_visibility,
                content_warning=request.content_warning,
            )

    def message(self, request: MessageRequest) -> Posted:
        with self._asking("message") as fault:
            return self._write(
                request.key,
                address(request.text, request.to.handle),
                fault,
                parent=request.parent_id,
                language=request.language,
                visibility=Visibility.DIRECT,
                content_warning=request.content_warning,
            )

    def publish(self, request: PublishRequest) -> Posted:
        self._upload(request.media)
        with self._asking("publish") as fault:
            return self._write(
                request.key,
                request.text,
                fault,
                media=request.media,
                parent=request.after,
                language=request.language,
                visibility=request.visibility,
            )

    def find_reply(self, request: ReplyRequest, since: datetime) -> Posted | None:  # noqa: ARG002 - the key tells
        return self._find("find_reply", request.key)

    def find_replies(self, request: ReplyRequest, since: datetime) -> Sequence[Posted]:
        with self._asking("find_replies") as fault:
            ours = self.world.posts_by(self._handle, since=since) if fault is not Fault.NOT_YET else []
        below = [row for row in ours if str(row["parent"]) == request.parent_id and row["deleted_at"] is None]
        return [self._posted(row) for row in below]

    def find_message(self, request: MessageRequest, since: datetime) -> Posted | None:  # noqa: ARG002 - as above
        return self._find("find_message", request.key)

    def find_published(self, request: PublishRequest, since: datetime) -> Posted | None:  # noqa: ARG002 - as above
        return self._find("find_published", request.key)

    def edit(self, request: EditRequest) -> None:
        if len(request.text) > LIMIT:
            raise Rejected(f"the text has {len(request.text)} characters, {LIMIT} are allowed")
        with self._asking("edit"), self.world.writing():
            row = self._there(request.external_id)
            if row is None:
                raise Rejected("the post is gone")
            if row["text"] != request.text:
                self.world.edit(request.external_id, request.text)

    def is_edited(self, request: EditRequest) -> bool:
        with self._asking("is_edited") as fault:
            row = self._there(request.external_id)
            return row is not None and row["text"] == request.text and fault is not Fault.NOT_YET

    def delete(self, external_id: str) -> None:
        with self._asking("delete"), self.world.writing():
            if self._there(external_id) is not None:
                self.world.delete(external_id)

    def is_deleted(self, external_id: str) -> bool:
        with self._asking("is_deleted") as fault:
            return self._there(external_id) is None and fault is not Fault.NOT_YET

    def pin(self, external_id: str) -> None:
        with self._asking("pin"):
            if self._there(external_id) is None:
                raise Rejected("the post is gone")
            self.world.pin(external_id, up=True)

    def unpin(self, external_id: str) -> None:
        with self._asking("unpin"):
            self.world.pin(external_id, up=False)

    def is_pinned(self, external_id: str) -> bool:
        with self._asking("is_pinned"):
            return self._there(external_id) is not None and external_id in self.world.pinned()

    def _there(self, external_id: str) -> sqlite3.Row | None:
        """Our post as it is now; None where it is gone, or none of ours."""
        ours = (row for row in self.world.rows([external_id]) if row["author"] == self._handle)
        return next((row for row in ours if row["deleted_at"] is None), None)

    @contextmanager
    def _asking(self, operation: str) -> Iterator[Fault | None]:
        """One call to the network, with whatever `World.fail` arranged for it."""
        with _unavailable():
            fault, seconds = self.world.next_fault(operation)
            match fault:
                case Fault.RATE_LIMITED:
                    raise RateLimited(retry_after=seconds)
                case Fault.UNAVAILABLE:
                    raise Unavailable("the sandbox does not answer")
                case Fault.AUTH_FAILED:
                    raise AuthFailed("the sandbox no longer knows us")
                case Fault.REJECTED:
                    raise Rejected("the sandbox refuses this")
                case Fault.NEVER_ARRIVED:
                    raise OutcomeUnknown("the connection broke")
                case Fault.SLOW:
                    time.sleep(seconds or 0)
            yield fault
            if fault is Fault.SLOW_ANSWER:
                time.sleep(seconds or 0)
            if fault is Fault.ANSWER_LOST:
                raise OutcomeUnknown("the connection broke")

    def _upload(self, media: Sequence[Attachment]) -> None:
        """Hands the pictures over, before anything is said: World.fail("upload", …) breaks it."""
        if not media:
            return
        try:
            with self._asking("upload"):
                taken = len(media) <= IMAGES.count and all(
                    each.content_type in IMAGES.types
                    and len(each.data) <= IMAGES.bytes
                    and 0 < len(each.alt) <= IMAGES.alt
                    for each in media
                )
        except OutcomeUnknown as error:
            raise Unavailable("the pictures did not arrive") from error
        if not taken:
            raise Rejected("the sandbox takes no such pictures")

    def _write(
        self,
        key: str,
        text: str,
        fault: Fault | None,
        *,
        media: Sequence[Attachment] = (),
        parent: str | None = None,
        language: str | None,
        visibility: Visibility,
        content_warning: str = "",
    ) -> Posted:
        if len(text) > LIMIT:
            raise Rejected(f"the text has {len(text)} characters, {LIMIT} are allowed")
        with self.world.writing():
            if parent is not None and not any(row["deleted_at"] is None for row in self.world.rows([parent])):
                raise Rejected("the post we would answer is gone")
            known = None if fault is Fault.KEY_FORGOTTEN else self.world.by_key(self._handle, key)
            made = known or self.world.post(
                self._handle,
                text,
                parent=parent,
                language=language,
                visibility=visibility,
                content_warning=content_warning,
                pictures=media,
                key=key,
            )
            return self._posted(self.world.rows([made])[0])

    def _find(self, operation: str, key: str) -> Posted | None:
        with self._asking(operation) as fault:
            for row in self.world.posts_by(self._handle) if fault is not Fault.NOT_YET else ():
                if row["deleted_at"] is None and row["key"] == key:
                    return self._posted(row)
        return None

    def _filter(self, query: str) -> Callable[[sqlite3.Row], bool]:
        """Whether a post concerns the query, as it reads now or as it read before an edit."""
        terms = self.terms(query)
        if terms is None:
            us, names_us = self._handle, self._names_us
            return lambda row: (
                row["author"] != us
                and (row["parent_author"] == us or bool(names_us(row["text"] + "\n" + row["before"])))
            )

        def found(row: sqlite3.Row) -> bool:
            if row["visibility"] != Visibility.PUBLIC:
                return False
            language, author = row["language"], row["author"]
            said = (f"{row['content_warning']}\n{text}" for text in (row["text"], row["before"]))
            return any(terms.matches(text, language=language, author=author) for text in said)

        return found

    def _post(self, row: sqlite3.Row) -> Post:
        if row["visibility"] == Visibility.DIRECT:
            kind = PostKind.DIRECT
        elif row["parent_author"] == self._handle:
            kind = PostKind.REPLY
        elif self._names_us(row["text"]):
            kind = PostKind.MENTION
        else:
            kind = PostKind.FOUND
        return Post(
            external_id=str(row["id"]),
            author=author_of(row),
            text=row["text"],
            posted_at=moment(row["posted_at"]),
            kind=kind,
            visibility=Visibility(row["visibility"]),
            url=url_of(row),
            content_warning=row["content_warning"],
            language=row["language"],
            edited_at=moment(row["edited_at"]) if row["edited_at"] else None,
            parent_id=str(row["parent"]) if row["parent"] else None,
            thread_id=str(row["thread"]),
            media=tuple(Media(**item) for item in json.loads(row["media"])),
            raw={"id": row["id"], "change": row["change"], "author": row["author"], "text": row["text"]},
        )

    @staticmethod
    def _posted(row: sqlite3.Row) -> Posted:
        return Posted(external_id=str(row["id"]), url=url_of(row), posted_at=moment(row["posted_at"]))


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Unavailable(f"the sandbox's file cannot be used: {error}") from error
