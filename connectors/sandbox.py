"""A network inside the process: people, threads, replies, faults; for the demo, tests and load.

The network is one SQLite file, so that several processes (the daemon, a command, a test) see the same people. `World`
is the side of the people, who post, edit and delete, and of whoever wants something to break; `connect` gives our own
side, as on any other network.

    world = World("sandbox.db")
    ana = world.person("@ana_ejemplo", "Ana")
    post = ana.post("@marca no tengo señal")
    world.fail("reply", Fault.ANSWER_LOST)

Queries: `mentions` (posts that name our handle or answer us), `#tag`, or words that a post must all contain.

Checklist
    paging          done: up to `page_size` posts, oldest change first; the cursor is the number of the last change seen
    gaps            exempt: nothing is ever skipped, a first poll starts at the network's beginning
    rate limits     done: Fault.RATE_LIMITED with `seconds`
    edits           done: an edited post comes again in polls, with `edited_at`; `recheck` shows it too
    deletions       done: in Page.gone, and in `recheck`
    language        done: what `Person.post(language=…)` claims
    threads         done: parent_id and thread_id (the first post's id)
    media           done: links and descriptions
    auth failure    done: Fault.AUTH_FAILED
    length          done: 500 code points with the address; longer is Rejected
    terms of use    exempt: nobody else's network
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from listener.contract import Connector, Publishes, Rechecks, Replies
from listener.errors import AuthFailed, Mistake, OutcomeUnknown, RateLimited, Rejected, Unavailable
from listener.types import (
    Answerable,
    Author,
    Cursor,
    Facts,
    Media,
    Page,
    Post,
    Posted,
    PostKind,
    PublishRequest,
    Rechecked,
    ReplyRequest,
    Visibility,
    utc,
)

LIMIT = 500
SCAN = 400  # changes read from the file at a time while looking for those a query wants


class Settings(BaseModel):
    """What the sandbox needs."""

    model_config = ConfigDict(extra="forbid")

    world: Path = Field(default=Path("sandbox.db"), description="The file that holds the network; made if missing.")
    handle: str = Field(default="@marca", min_length=2, description="Our handle there.")
    page_size: int = Field(default=200, ge=1, le=200, description="The most posts in one page.")


def address(text: str, handle: str) -> str:
    """The text as a reply to `handle` is posted: it begins by naming them."""
    name = "@" + _bare(handle)
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
    as_of="2026-01-01",
    source="connectors/sandbox.py",
)


def connect(settings: Settings) -> Sandbox:
    """Our account there. Touches the file only when first called upon."""
    return Sandbox(settings)


# --- our side -------------------------------------------------------------------------------------------------------


class Sandbox(Connector, Replies, Publishes, Rechecks):
    """One account on the sandbox network."""

    facts = FACTS

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._handle = _bare(settings.handle)
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
        if query == "mentions":
            return f"Posts that name @{self._handle} or answer it."
        if query.startswith("#") and re.fullmatch(r"#\w+", query):
            return f"Public posts with the hashtag {query}."
        if query.strip() and not query.startswith("#"):
            return f"Public posts that contain: {', '.join(query.split())}."
        raise Mistake(f"The sandbox cannot look for {query!r}: write `mentions`, one #hashtag, or some words.")

    def poll(self, query: str, cursor: Cursor | None) -> Page:
        self.explain_query(query)
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
        with self._asking("reply") as fault:
            return self._write(
                request.key, text, fault, parent=request.parent_id, language=request.language,
                visibility=request.parent_visibility, content_warning=request.content_warning,
            )

    def publish(self, request: PublishRequest) -> Posted:
        with self._asking("publish") as fault:
            return self._write(
                request.key, request.text, fault, language=request.language, visibility=request.visibility
            )

    def find_reply(self, request: ReplyRequest, since: datetime) -> Posted | None:
        return self._find("find_reply", request.key, since)

    def find_published(self, request: PublishRequest, since: datetime) -> Posted | None:
        return self._find("find_published", request.key, since)

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

    def _write(self, key: str, text: str, fault: Fault | None, *, parent: str | None = None, language: str | None,
               visibility: Visibility, content_warning: str = "") -> Posted:
        if len(text) > LIMIT:
            raise Rejected(f"the text has {len(text)} characters, {LIMIT} are allowed")
        with self.world.writing():
            if parent is not None and not any(row["deleted_at"] is None for row in self.world.rows([parent])):
                raise Rejected("the post we would answer is gone")
            known = None if fault is Fault.KEY_FORGOTTEN else self.world.by_key(self._handle, key)
            made = known or self.world.post(
                self._handle, text, parent=parent, language=language, visibility=visibility,
                content_warning=content_warning, key=key,
            )
            return self._posted(self.world.rows([made])[0])

    def _find(self, operation: str, key: str, since: datetime) -> Posted | None:
        with self._asking(operation):
            for row in self.world.posts_by(self._handle, since=since):
                if row["deleted_at"] is None and row["key"] == key:
                    return self._posted(row)
        return None

    def _filter(self, query: str) -> Callable[[sqlite3.Row], bool]:
        """Whether a post concerns the query, as it reads now or as it read before an edit."""
        if query == "mentions":
            us, names_us = self._handle, self._names_us
            return lambda row: row["author"] != us and (
                row["parent_author"] == us or bool(names_us(row["text"] + "\n" + row["before"]))
            )
        words = [re.compile(rf"(?<!\w){re.escape(word)}(?!\w)", re.IGNORECASE) for word in query.split()]

        def found(row: sqlite3.Row) -> bool:
            if row["visibility"] != Visibility.PUBLIC:
                return False
            text = row["text"] + "\n" + row["before"]
            return all(word.search(text) for word in words)

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
            author=_author(row),
            text=row["text"],
            posted_at=_moment(row["posted_at"]),
            kind=kind,
            visibility=Visibility(row["visibility"]),
            url=_url(row),
            content_warning=row["content_warning"],
            language=row["language"],
            edited_at=_moment(row["edited_at"]) if row["edited_at"] else None,
            parent_id=str(row["parent"]) if row["parent"] else None,
            thread_id=str(row["thread"]),
            media=tuple(Media(**item) for item in json.loads(row["media"])),
            raw={"id": row["id"], "change": row["change"], "author": row["author"], "text": row["text"]},
        )

    @staticmethod
    def _posted(row: sqlite3.Row) -> Posted:
        return Posted(external_id=str(row["id"]), url=_url(row), posted_at=_moment(row["posted_at"]))


# --- the people's side ----------------------------------------------------------------------------------------------


class Fault(StrEnum):
    """What `World.fail` can break in one call. `seconds` means the wait of the first and the last two."""

    RATE_LIMITED = "rate limited"
    UNAVAILABLE = "unavailable"
    AUTH_FAILED = "auth failed"
    REJECTED = "rejected"
    NEVER_ARRIVED = "never arrived"  # outcome unknown: it was lost before it was written
    ANSWER_LOST = "answer lost"  # outcome unknown: it was written, and the answer was lost
    KEY_FORGOTTEN = "key forgotten"  # the same key writes a second time
    SLOW = "slow"  # waits, then works
    SLOW_ANSWER = "slow answer"  # works, then waits


@dataclass(frozen=True)
class Person:
    """Somebody on the network, who can post, edit and delete."""

    world: World
    handle: str

    def post(self, text: str, parent: str | None = None, at: datetime | None = None, *,
             visibility: Visibility = Visibility.PUBLIC, content_warning: str = "", language: str | None = None,
             media: Sequence[Media] = ()) -> str:
        """Says something, now or at `at`, to everybody or in answer to `parent`; gives the post's id."""
        return self.world.post(self.handle, text, parent=parent, at=at, visibility=visibility,
                               content_warning=content_warning, language=language, media=media)

    def edit(self, post_id: str, text: str, at: datetime | None = None) -> None:
        """Changes what one of their posts says."""
        self.world.edit(post_id, text, at=at)

    def delete(self, post_id: str) -> None:
        """Takes one of their posts back."""
        self.world.delete(post_id)


_TABLES = """
CREATE TABLE IF NOT EXISTS people (
    handle TEXT PRIMARY KEY, name TEXT NOT NULL, followers INTEGER, bot INTEGER NOT NULL, created_at REAL,
    opted_out INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS posts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, author TEXT NOT NULL REFERENCES people, text TEXT NOT NULL,
    before TEXT NOT NULL DEFAULT '', parent INTEGER, parent_author TEXT, thread INTEGER, visibility TEXT NOT NULL,
    content_warning TEXT NOT NULL, language TEXT, media TEXT NOT NULL, posted_at REAL NOT NULL, edited_at REAL,
    deleted_at REAL, key TEXT, change INTEGER NOT NULL UNIQUE
);
CREATE INDEX IF NOT EXISTS posts_thread ON posts (thread);
CREATE INDEX IF NOT EXISTS posts_author ON posts (author, posted_at);
CREATE TABLE IF NOT EXISTS faults (
    id INTEGER PRIMARY KEY, operation TEXT NOT NULL, fault TEXT NOT NULL, seconds REAL, times INTEGER NOT NULL
);
CREATE VIEW IF NOT EXISTS seen AS SELECT * FROM posts JOIN people ON people.handle = posts.author;
"""


class World:
    """The network in the file at `path`, made if missing. Safe to share between threads and processes.

    Handles are written with or without their `@` and are the same in any case. Rows come as the tables above have them,
    times as seconds since 1970 in UTC.
    """

    def __init__(self, path: Path | str) -> None:
        self._lock = threading.RLock()
        self._link = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._link.close)
        self._link.row_factory = sqlite3.Row
        self._link.execute("PRAGMA journal_mode=WAL")
        self._link.execute("PRAGMA synchronous=OFF")  # play: a power cut may take the last posts with it
        with self._lock:
            self._link.executescript(_TABLES)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All or nothing, and much faster for many posts at once. The others see them when the block ends."""
        with self._lock:
            if self._link.in_transaction:
                yield
                return
            self._link.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._link.execute("ROLLBACK")
                raise
            self._link.execute("COMMIT")

    def person(self, handle: str, name: str = "", *, followers: int | None = None, bot: bool = False,
               created_at: datetime | None = None, opted_out: bool = False) -> Person:
        """Somebody of that handle, new or known; what is said here about a known person is what holds."""
        known = Person(self, _bare(handle))
        told = (name, followers, bot, utc(created_at).timestamp() if created_at else None, opted_out)
        query = "INSERT OR REPLACE INTO people VALUES (?, ?, ?, ?, ?, ?)"
        if not any(told):
            query = "INSERT OR IGNORE INTO people VALUES (?, ?, ?, ?, ?, ?)"
        with self.writing():
            self._link.execute(query, (known.handle, *told))
        return known

    def author(self, handle: str) -> Author:
        """The person as the network shows them. Raises KeyError where there is none."""
        rows = self._all("SELECT *, handle AS author FROM people WHERE handle = ?", (_bare(handle),))
        if not rows:
            raise KeyError(handle)
        return _author(rows[0])

    def post(self, handle: str, text: str, *, parent: str | None = None, at: datetime | None = None,
             visibility: Visibility = Visibility.PUBLIC, content_warning: str = "", language: str | None = None,
             media: Sequence[Media] = (), key: str | None = None) -> str:
        """Writes a post of a known person; gives its id. Raises IndexError for a parent that never was."""
        with self.writing():
            above = tuple(self.rows([parent])[0][i] for i in ("id", "author", "thread")) if parent else (None,) * 3
            made = self._link.execute(
                "INSERT INTO posts (author, text, parent, parent_author, thread, visibility, content_warning, "
                "language, media, posted_at, key, change) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT COALESCE(MAX(change), 0) + 1 FROM posts))",
                (_bare(handle), _clean(text), *above, visibility.value, _clean(content_warning), language,
                 json.dumps([asdict(item) for item in media]) if media else "[]",
                 utc(at).timestamp() if at else time.time(), key),
            ).lastrowid
            if parent is None:
                self._link.execute("UPDATE posts SET thread = id WHERE id = ?", (made,))
        return str(made)

    def edit(self, post_id: str, text: str, *, at: datetime | None = None) -> None:
        """Changes what a post says; it comes again in polls. Raises KeyError where it is not there."""
        self._change(
            "UPDATE posts SET before = before || char(10) || text, text = ?, edited_at = ?, "
            "change = (SELECT MAX(change) + 1 FROM posts) WHERE id = ? AND deleted_at IS NULL",
            (_clean(text), utc(at).timestamp() if at else time.time(), post_id),
        )

    def delete(self, post_id: str) -> None:
        """Takes a post away; polls say that it is gone. Raises KeyError where it is not there."""
        self._change(
            "UPDATE posts SET deleted_at = ?, change = (SELECT MAX(change) + 1 FROM posts) "
            "WHERE id = ? AND deleted_at IS NULL",
            (time.time(), post_id),
        )

    def posts_by(self, handle: str, *, since: datetime | None = None) -> list[sqlite3.Row]:
        """What that person posted, oldest first, deleted posts included."""
        start = utc(since).timestamp() if since else 0.0
        return self._all("SELECT * FROM seen WHERE author = ? AND posted_at >= ? ORDER BY id", (_bare(handle), start))

    def thread(self, post_id: str) -> list[sqlite3.Row]:
        """The conversation that post is in, oldest first, deleted posts included."""
        query = "SELECT * FROM seen WHERE thread = (SELECT thread FROM posts WHERE id = ?) ORDER BY id"
        return self._all(query, (post_id,))

    def rows(self, post_ids: Sequence[str]) -> list[sqlite3.Row]:
        """Those posts, as far as they ever existed."""
        return self._all("SELECT * FROM seen WHERE id IN (SELECT value FROM json_each(?))", (_numbers(post_ids),))

    def changes(self, after: int) -> list[sqlite3.Row]:
        """The next posts written, edited or deleted after that change, in the order of their newest change."""
        return self._all("SELECT * FROM seen WHERE change > ? ORDER BY change LIMIT ?", (after, SCAN))

    def by_key(self, handle: str, key: str) -> str | None:
        """The post that this person wrote with that key."""
        for row in self._all("SELECT id FROM posts WHERE author = ? AND key = ?", (_bare(handle), key)):
            return str(row["id"])
        return None

    def fail(self, operation: str, fault: Fault, times: int = 1, *, seconds: float | None = None) -> None:
        """Breaks the next `times` calls of `operation`, a method of the connector; after earlier faults are used up."""
        with self.writing():
            self._link.execute("INSERT INTO faults (operation, fault, seconds, times) VALUES (?, ?, ?, ?)",
                               (operation, fault.value, seconds, times))

    def heal(self) -> None:
        """Nothing is broken any more."""
        with self.writing():
            self._link.execute("DELETE FROM faults")

    def next_fault(self, operation: str) -> tuple[Fault | None, float | None]:
        """What the next call of `operation` meets, used up by asking; and its seconds."""
        look = "SELECT * FROM faults WHERE operation = ? AND times > 0 ORDER BY id LIMIT 1"
        if not self._all(look, (operation,)):
            return None, None
        with self.writing():
            for row in self._all(look, (operation,)):
                self._link.execute("UPDATE faults SET times = times - 1 WHERE id = ?", (row["id"],))
                return Fault(row["fault"]), row["seconds"]
        return None, None

    def close(self) -> None:
        """Gives the file back."""
        self._link.close()

    def _all(self, query: str, values: tuple[object, ...]) -> list[sqlite3.Row]:
        with self._lock:
            return self._link.execute(query, values).fetchall()

    def _change(self, query: str, values: tuple[object, ...]) -> None:
        with self.writing():
            if not self._link.execute(query, values).rowcount:
                raise KeyError(values[-1])


def _bare(handle: str) -> str:
    return handle.removeprefix("@").casefold()


def _clean(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _numbers(post_ids: Sequence[str]) -> str:
    return json.dumps([int(i) for i in post_ids if i.isdecimal()])


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _url(row: sqlite3.Row) -> str:
    return f"https://sandbox.example/@{row['author']}/{row['id']}"


def _author(row: sqlite3.Row) -> Author:
    return Author(
        external_id=row["author"],
        handle=row["author"],
        display_name=row["name"],
        url=f"https://sandbox.example/@{row['author']}",
        followers=row["followers"],
        bot=bool(row["bot"]),
        created_at=_moment(row["created_at"]) if row["created_at"] else None,
        opted_out=bool(row["opted_out"]),
    )


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Unavailable(f"the sandbox's file cannot be used: {error}") from error
