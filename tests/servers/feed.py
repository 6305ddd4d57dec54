"""A publisher's web server for tests: one feed, on loopback, as RSS or Atom, with entries that one can move.

    with FeedServer() as server:
        server.add("Avería en Lleida", author="ana")
        server.fail("503")

It is as careless as many publishers: it writes whatever characters it is given. `window` is how many entries it shows,
newest first. It answers conditional requests. `serve(body)` shows those bytes instead of the feed.

Faults (`fail(kind, times=…)`): a status such as `401`, `429`, `503`, `410`; `301` and `302` (with `location`); `html`,
`truncated`, `huge`, `cut`.
"""

from __future__ import annotations

import hashlib
import html
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

KINDS = ("atom", "rss")


@dataclass
class Entry:
    """One entry as its publisher wrote it; `text` is HTML."""

    guid: str
    title: str
    text: str
    author: str
    published: datetime
    updated: datetime | None = None
    extra: str = ""  # further elements, written as they are


@dataclass
class FeedServer:
    """The server and its one feed. `url` is the feed's address once entered."""

    kind: str = "atom"
    window: int = 200
    head: str = ""  # further elements of the feed itself
    headers: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)  # the headers of each request
    location: str = ""
    _body: bytes | None = None
    _faults: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/feed.xml"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def add(
        self, text: str, *, author: str = "ana", title: str | None = None, late: timedelta = timedelta(0), **more: str
    ) -> str:
        """Publishes an entry; gives its guid. `text` is plain and becomes HTML."""
        guid = more.pop("guid", f"urn:entry:{len(self.asked)}:{len(self.entries)}:{abs(hash(text))}")
        given = {"title": f"Aviso {len(self.entries) + 1}" if title is None else title, **more}
        published = datetime.now(UTC) - late
        self.entries.append(Entry(guid=guid, text=html.escape(text), author=author, published=published, **given))
        return guid

    def entry(self, guid: str) -> Entry:
        """The entry of that guid."""
        return next(entry for entry in self.entries if entry.guid == guid)

    def edit(self, guid: str, text: str) -> None:
        """Changes it, and says when."""
        entry = self.entry(guid)
        entry.text, entry.updated = html.escape(text), datetime.now(UTC) + timedelta(seconds=1)

    def delete(self, guid: str) -> None:
        """Takes it out of the feed."""
        self.entries.remove(self.entry(guid))

    def fail(self, kind: str, *, times: int = 1) -> None:
        """The next requests go wrong that way."""
        self._faults = [kind] * times

    def serve(self, body: bytes) -> None:
        """From now on this is the feed."""
        self._body = body

    def document(self) -> bytes:
        """The feed as it is now."""
        if self._body is not None:
            return self._body
        shown = list(reversed(self.entries))[: self.window]
        written = (self._atom if self.kind == "atom" else self._rss)(shown)
        return written.encode("utf-8", "surrogatepass")

    def _atom(self, shown: list[Entry]) -> str:
        def one(entry: Entry) -> str:
            return (
                f"<entry><id>{html.escape(entry.guid)}</id><title>{html.escape(entry.title)}</title>"
                f"<author><name>{html.escape(entry.author)}</name></author>"
                f'<link href="https://blog.example/{len(entry.guid)}"/>'
                f"<published>{entry.published.isoformat()}</published>"
                f"<updated>{(entry.updated or entry.published).isoformat()}</updated>"
                f'<content type="html">{html.escape(entry.text)}</content>{entry.extra}</entry>'
            )

        return (
            '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="es">'
            f"<title>El blog</title><id>urn:blog</id>{self.head}{''.join(map(one, shown))}</feed>"
        )

    def _rss(self, shown: list[Entry]) -> str:
        def one(entry: Entry) -> str:
            return (
                f'<item><guid isPermaLink="false">{html.escape(entry.guid)}</guid>'
                f"<title>{html.escape(entry.title)}</title><dc:creator>{html.escape(entry.author)}</dc:creator>"
                f"<pubDate>{format_datetime(entry.published)}</pubDate>"
                f"<description>{html.escape(entry.text)}</description>{entry.extra}</item>"
            )

        return (
            '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" '
            'xmlns:media="http://search.yahoo.com/mrss/"><channel><title>El blog</title><language>es-es</language>'
            f"{self.head}{''.join(map(one, shown))}</channel></rss>"
        )

    def next_fault(self) -> str | None:
        """What goes wrong with this request."""
        return self._faults.pop(0) if self._faults else None


def _handler(server: FeedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            return

        def do_GET(self) -> None:
            server.asked.append(dict(self.headers))
            fault, body = server.next_fault(), server.document()
            etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            if fault is None and self.headers.get("If-None-Match") == etag:
                self.answer(304, b"", ETag=etag)
            elif fault is None:
                self.answer(200, body, **{"ETag": etag} | server.headers)
            elif fault == "html":
                self.answer(
                    200, b"<!doctype html><html><head><title>Soon</title></head><body><p>Back soon</body></html>"
                )
            elif fault == "truncated":
                self.answer(200, body[: len(body) * 2 // 3])
            elif fault == "huge":
                self.answer(200, body + b" " * 6_000_000)
            elif fault == "cut":
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[:100])
                self.close_connection = True
            else:
                extra = {"Location": server.location} if fault.startswith("3") else {}
                self.answer(int(fault), b"<h1>no</h1>", **extra, **({"Retry-After": "120"} if fault == "429" else {}))

        def answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/xml", **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
