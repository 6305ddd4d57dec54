"""The people's side of the sandbox network: who they are, what they say, and what goes wrong.

One SQLite file. Every post, edit and deletion takes the next change number, and polls read in that order; with SQLite
only one writes at a time, so no change turns up behind one that was already read.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from listener.types import Attachment, Author, Media, Visibility, utc

SCAN = 400  # changes read from the file at a time while looking for those a query wants


class Fault(StrEnum):
    """What `World.fail` can break in one call. `seconds` means the wait of the first and the last two."""

    RATE_LIMITED = "rate limited"
    UNAVAILABLE = "unavailable"
    AUTH_FAILED = "auth failed"
    REJECTED = "rejected"
    NEVER_ARRIVED = "never arrived"  # outcome unknown: it was lost before it was written
    ANSWER_LOST = "answer lost"  # outcome unknown: it was written, and the answer was lost
    KEY_FORGOTTEN = "key forgotten"  # the same key writes a second time
    NOT_YET = "not yet"  # a look does not find what is there
    SLOW = "slow"  # waits, then works
    SLOW_ANSWER = "slow answer"  # works, then waits


@dataclass(frozen=True)
class Person:
    """Somebody on the network, who can post, edit and delete."""

    world: World
    handle: str

    def post(
        self,
        text: str,
        parent: str | None = None,
        at: datetime | None = None,
        *,
        visibility: Visibility = Visibility.PUBLIC,
        content_warning: str = "",
        language: str | None = None,
        media: Sequence[Media] = (),
    ) -> str:
        """Says something, now or at `at`, to everybody or in answer to `parent`; gives the post's id."""
        return self.world.post(
            self.handle,
            text,
            parent=parent,
            at=at,
            visibility=visibility,
            content_warning=content_warning,
            language=language,
            media=media,
        )

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
CREATE TABLE IF NOT EXISTS pictures (
    post INTEGER NOT NULL, name TEXT NOT NULL, content_type TEXT NOT NULL, data BLOB NOT NULL, alt TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS pins (post INTEGER PRIMARY KEY);
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

    def person(
        self,
        handle: str,
        name: str = "",
        *,
        followers: int | None = None,
        bot: bool = False,
        created_at: datetime | None = None,
        opted_out: bool = False,
    ) -> Person:
        """Somebody of that handle, new or known; what is said here about a known person is what holds."""
        known = Person(self, bare(handle))
        told = (name, followers, bot, utc(created_at).timestamp() if created_at else None, opted_out)
        query = "INSERT OR REPLACE INTO people VALUES (?, ?, ?, ?, ?, ?)"
        if not any(told):
            query = "INSERT OR IGNORE INTO people VALUES (?, ?, ?, ?, ?, ?)"
        with self.writing():
            self._link.execute(query, (known.handle, *told))
        return known

    def author(self, handle: str) -> Author:
        """The person as the network shows them. Raises KeyError where there is none."""
        rows = self._all("SELECT *, handle AS author FROM people WHERE handle = ?", (bare(handle),))
        if not rows:
            raise KeyError(handle)
        return author_of(rows[0])

    def post(
        self,
        handle: str,
        text: str,
        *,
        parent: str | None = None,
        at: datetime | None = None,
        visibility: Visibility = Visibility.PUBLIC,
        content_warning: str = "",
        language: str | None = None,
        media: Sequence[Media] = (),
        pictures: Sequence[Attachment] = (),
        key: str | None = None,
    ) -> str:
        """Writes a post of a known person; gives its id. Raises IndexError for a parent that never was.

        `pictures` join `media` as links, and are kept.
        """
        shown = [
            Media(kind="image", url=f"https://sandbox.example/media/{each.name}", alt=each.alt) for each in pictures
        ]
        media = [*media, *shown]
        with self.writing():
            above = tuple(self.rows([parent])[0][i] for i in ("id", "author", "thread")) if parent else (None,) * 3
            made = self._link.execute(
                "INSERT INTO posts (author, text, parent, parent_author, thread, visibility, content_warning, "
                "language, media, posted_at, key, change) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT COALESCE(MAX(change), 0) + 1 FROM posts))",
                (
                    bare(handle),
                    _clean(text),
                    *above,
                    visibility.value,
                    _clean(content_warning),
                    language,
                    json.dumps([asdict(item) for item in media]) if media else "[]",
                    utc(at).timestamp() if at else time.time(),
                    key,
                ),
            ).lastrowid
            if parent is None:
                self._link.execute("UPDATE posts SET thread = id WHERE id = ?", (made,))
            for each in pictures:
                kept = (made, each.name, each.content_type, each.data, each.alt)
                self._link.execute("INSERT INTO pictures VALUES (?, ?, ?, ?, ?)", kept)
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
        return self._all("SELECT * FROM seen WHERE author = ? AND posted_at >= ? ORDER BY id", (bare(handle), start))

    def thread(self, post_id: str) -> list[sqlite3.Row]:
        """The conversation that post is in, oldest first, deleted posts included."""
        query = "SELECT * FROM seen WHERE thread = (SELECT thread FROM posts WHERE id = ?) ORDER BY id"
        return self._all(query, (post_id,))

    def pictures(self, post_id: str) -> list[Attachment]:
        """The pictures that we posted with it, in order."""
        rows = self._all("SELECT * FROM pictures WHERE post = ? ORDER BY rowid", (post_id,))
        return [
            Attachment(name=row["name"], content_type=row["content_type"], data=row["data"], alt=row["alt"])
            for row in rows
        ]

    def pin(self, post_id: str, *, up: bool) -> None:
        """Sets a post above its author's others, or back among them."""
        query = "INSERT OR IGNORE INTO pins VALUES (?)" if up else "DELETE FROM pins WHERE post = ?"
        with self.writing():
            self._link.execute(query, (int(post_id),))

    def pinned(self) -> set[str]:
        """The posts that stand above the others."""
        return {str(row["post"]) for row in self._all("SELECT post FROM pins", ())}

    def rows(self, post_ids: Sequence[str]) -> list[sqlite3.Row]:
        """Those posts, as far as they ever existed."""
        return self._all("SELECT * FROM seen WHERE id IN (SELECT value FROM json_each(?))", (_numbers(post_ids),))

    def changes(self, after: int) -> list[sqlite3.Row]:
        """The next posts written, edited or deleted after that change, in the order of their newest change."""
        return self._all("SELECT * FROM seen WHERE change > ? ORDER BY change LIMIT ?", (after, SCAN))

    def by_key(self, handle: str, key: str) -> str | None:
        """The post that this person wrote with that key."""
        for row in self._all("SELECT id FROM posts WHERE author = ? AND key = ?", (bare(handle), key)):
            return str(row["id"])
        return None

    def fail(self, operation: str, fault: Fault, times: int = 1, *, seconds: float | None = None) -> None:
        """Breaks the next `times` calls of `operation`, a method of the connector; after earlier faults are used up."""
        with self.writing():
            self._link.execute(
                "INSERT INTO faults (operation, fault, seconds, times) VALUES (?, ?, ?, ?)",
                (operation, fault.value, seconds, times),
            )

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


def bare(handle: str) -> str:
    return handle.removeprefix("@").casefold()


def _clean(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _numbers(post_ids: Sequence[str]) -> str:
    return json.dumps([int(i) for i in post_ids if i.isdecimal()])


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def url_of(row: sqlite3.Row) -> str:
    return f"https://sandbox.example/@{row['author']}/{row['id']}"


def author_of(row: sqlite3.Row) -> Author:
    return Author(
        external_id=row["author"],
        handle=row["author"],
        display_name=row["name"],
        url=f"https://sandbox.example/@{row['author']}",
        followers=row["followers"],
        bot=bool(row["bot"]),
        created_at=moment(row["created_at"]) if row["created_at"] else None,
        opted_out=bool(row["opted_out"]),
    )
