"""RSS and Atom: blogs, news, status pages and forums that offer a feed. Read only, without an account.

Queries: `all`, or terms, which are matched here. The worked example of docs/adding-a-network.md.

    paging         exempt: a feed is one document, its newest 500 entries are read at once
    gaps           done: where a full feed shows nothing that we know, entries may have come and gone; Page.gap says so,
                   also of entries that cannot be read
    rate limits    done: Retry-After; after a good answer Cache-Control max-age, RateLimit headers and RSS <ttl>
    edits          done: an entry whose words or `updated` changed is read again
    deletions      exempt: an entry that is not there any more has been deleted, or is only too old for the feed
    language       done: what the feed claims
    threads        exempt: entries answer nobody
    media          done: enclosures and Media RSS, as links
    auth failure   done: 401; what has moved or is gone for good (301, 308, 410) pauses the source too
    length         exempt: nothing is written
    terms of use   done: conditional requests (ETag, Last-Modified), one at a time, and an honest User-Agent; whether
                   and how long texts may be kept, their publisher says

Sources: RFC 4287 (Atom), rssboard.org/rss-specification, RFC 9110 and 9111, read November 2026. We fetch the bytes
ourselves; feedparser 6 only reads them. Dates without a zone are taken as UTC, as feedparser does.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
from calendar import timegm
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import feedparser
import requests
from feedparser.mixin import _FeedParserMixin
from pydantic import BaseModel, ConfigDict, Field, field_validator
from urllib3.exceptions import HTTPError

from connectors import faults
from connectors.wire import MEGABYTE, Wire
from listener.contract import Connector
from listener.errors import Mistake, NetworkError, Rejected, Unavailable
from listener.terms import Terms, parse
from listener.types import Answerable, Author, Cursor, Facts, Media, Page, Post

ALSO_CALLED = ("rss", "atom")
QUERIES = "all, or terms to look for"
MOST = 500  # entries read of one feed
TAGS = 60_000  # in a document that is still read
REMEMBERED = 1000  # entries known by the cursor, so that each is read once
LONGEST = 100_000  # characters read of one entry
LONGEST_NAME = 500  # and of its author
PLAIN = ("text/plain", "text")
ENTRY = re.compile(rb"<(?:item|entry)[\s>/]")
ROOT, PROLOG = re.compile(rb"<\w"), 5_000  # bytes before it
WITHIN_TAG, ATTRIBUTES = re.compile(rb"""(?:[^>"']|"[^"]*"|'[^']*')*+"""), 300
TAG, NAME = re.compile(r"(<[/!?a-zA-Z][^<>]*>)"), re.compile(r"<(?P<end>/?)(?P<name>[a-zA-Z0-9]*)")
HIDDEN = ("script", "style")
INLINE = re.compile(r"|a|abbr|b|code|em|font|i|img|small|span|strong|sub|sup|u", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

FACTS = Facts(
    network="feed",
    limit=1,
    count=len,
    address=lambda text, _handle: text,
    answerable=Answerable.NOBODY,
    linkable=False,
    direct_messages=False,
    no_messages="A feed can only be read",
    keyed_writes=False,
    deletions_visible=False,
    settle_after=None,
    as_of="2026-11",
    source="https://www.rfc-editor.org/rfc/rfc4287 and https://www.rssboard.org/rss-specification",
)


class Settings(BaseModel):
    """One feed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(
        max_length=2000,
        description="Address of the feed, such as https://status.example.com/feed.xml",
        json_schema_extra={"where": "The page's orange feed icon, or the address its source names as alternate"},
    )
    title: str = Field(default="", max_length=100, description="What we call it; empty: what it calls itself")

    @field_validator("url")
    @classmethod
    def _read_url(cls, value: str) -> str:
        parts = urlsplit(value.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ValueError("give the feed's address, such as https://status.example.com/feed.xml")
        return value.strip()


def connect(settings: Settings) -> Feed:
    """That feed. Asks nothing yet."""
    return Feed(settings, Wire(largest=4 * MEGABYTE, hosts=[urlsplit(settings.url).hostname or ""]))


class Feed(Connector):
    """One feed, read by polls."""

    facts = FACTS
    speaks = False

    def __init__(self, settings: Settings, wire: Wire) -> None:
        self._settings = settings
        self._wire = wire
        self._host = urlsplit(settings.url).netloc.rpartition("@")[2].lower()

    def whoami(self) -> Author | None:
        return None

    def explain_query(self, query: str) -> str:
        wanted = _wanted(query)
        return f"Every entry of {self._host}" + (f" that matches {wanted}, matched here." if wanted else ".")

    def terms(self, query: str) -> Terms | None:
        return _wanted(query)

    def poll(self, query: str, cursor: Cursor | None) -> Page:
        wanted, known = _wanted(query), dict(cursor or {})
        answer = self._fetch(known)
        now = datetime.now(UTC)
        if answer.status_code == 304:
            return Page(posts=(), cursor=known, retry_after=_wait(answer.headers, {}, now))
        feed, entries, cut = self._read(answer)
        seen: dict[str, str] = dict(known.get("seen") or {})
        current: dict[str, str] = {}
        posts: list[Post] = []
        pairs: list[tuple[Post, dict[str, Any]]] = []

        def read(entry: dict[str, Any]) -> Post:
            pairs.append((self._post(entry, feed, now), entry))
            return pairs[-1][0]

        _, broken = faults.read_each(entries, read, self._named, (ValueError, TypeError, AttributeError, OverflowError))
        for post, entry in pairs:
            matches = not wanted or wanted.matches(post.text, language=post.language, author=post.author.handle)
            before, said = seen.get(post.external_id, ""), _digest(post.text + str(entry.get("updated")))[:12]
            mark = ("+" if matches or before.startswith("+") else "-") + said  # +: given out, so its edits are too
            if post.external_id not in current and mark.startswith("+") and before != mark:
                posts.append(post)
            current.setdefault(post.external_id, mark)
        full, missed = len(current) >= int(known.get("most") or 1), not seen.keys() & current.keys()
        gaps = ["every entry is new, older ones may have gone unseen"] if seen and current and full and missed else []
        gaps += [f"{len(broken)} of {len(entries)} entries could not be read"] if broken else []
        older = {key: mark for key, mark in seen.items() if key not in current}
        kept = dict(list((current | older).items())[:REMEMBERED])
        after = {"seen": kept, "most": max(len(current), int(known.get("most") or 0))}
        return Page(
            posts=tuple(sorted(reversed(posts), key=lambda post: post.posted_at)),
            cursor=after if cut else after | _validators(answer.headers),
            retry_after=_wait(answer.headers, feed, now),
            gap="; ".join(gaps) or None,
            garbled=tuple(each for each in broken if each.external_id),
        )

    def _named(self, entry: Mapping[str, Any]) -> str | None:
        """What tells an entry that cannot be read from others."""
        key = entry.get("id") or entry.get("link")
        return f"{self._host}/{_digest(f'{self._settings.url} {key}')}" if isinstance(key, str) and key else None

    def _fetch(self, known: Mapping[str, Any]) -> requests.Response:
        headers = {
            "User-Agent": "Escucha feed reader",
            "Accept": "application/atom+xml, application/rss+xml, */*;q=0.5",
        }
        for name, value in (("If-None-Match", known.get("etag")), ("If-Modified-Since", known.get("modified"))):
            headers |= {name: str(value)} if value else {}
        try:
            answer = self._wire.get(self._settings.url, headers=headers)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise faults.of_failure(error, where=self._host, writing=False) from error
        if answer.status_code not in (200, 304):
            raise self._refusal(answer)
        return answer

    def _refusal(self, answer: requests.Response) -> NetworkError:
        status = answer.status_code
        if status == 410:
            return Rejected(f"{self._host} says that this feed is gone for good")
        if status in (301, 308):
            target = faults.one_line(answer.headers.get("Location", ""), limit=150) or "elsewhere"
            return Rejected(f"the feed of {self._host} has moved to {target}; set that as the account's url")
        return faults.of_status(status, answer.headers, where=self._host, writing=False, now=datetime.now(UTC))

    def _read(self, answer: requests.Response) -> tuple[Mapping[str, Any], list[dict[str, Any]], bool]:
        """The feed, its newest entries, and whether the document breaks off. Raises Unavailable for anything else."""
        body, kind = answer.content, answer.headers.get("Content-Type", "")
        headers = {"content-type": kind, "content-location": self._settings.url}
        beyond = next(islice(ENTRY.finditer(body), MOST, None), None)
        document = body[: beyond.start()] if beyond else body
        if not _is_readable(document):
            raise Unavailable(f"{self._host} answered with more than anybody should read")
        try:
            # A stream: given plain bytes, feedparser would take them for a file's name and open it.
            parsed = feedparser.parse(
                io.BytesIO(document), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
            )
        except Exception as error:  # it has many ways to stumble over a hostile document
            raise Unavailable(f"{self._host} answered with a feed that nobody can read") from error
        if not parsed.get("version") and not parsed.entries:
            raise Unavailable(f"{self._host} answered with something that is no feed")
        cut = bool(parsed.bozo) and not body.rstrip().endswith((b"</rss>", b"</feed>", b"</rdf:RDF>"))
        entries = parsed.entries[:-1] if cut else parsed.entries
        # As plain dictionaries: feedparser's own give the date of publication for `updated` where there is none.
        return parsed.feed, [dict(entry) for entry in entries[:MOST]], cut

    def _post(self, entry: Mapping[str, Any], feed: Mapping[str, Any], now: datetime) -> Post:
        url, title = _address(entry.get("link")), _plain(entry.get("title_detail"))
        body = _plain(next(iter(entry.get("content") or ()), None) or entry.get("summary_detail"))
        updated, published = _moment(entry.get("updated_parsed")), _moment(entry.get("published_parsed"))
        posted = min(published or updated or now, now)
        name = _clean(entry.get("author")) or self._settings.title or _clean(feed.get("title")) or self._host
        key = entry.get("id") or entry.get("link") or f"{title} {entry.get('published')} {'' if title else body}"
        language = re.match(r"[A-Za-z]{2,3}(?![A-Za-z])", str(feed.get("language") or ""))
        return Post(
            external_id=f"{self._host}/{_digest(f'{self._settings.url} {key}')}",
            author=Author(external_id=f"{self._host}/{name}", handle=name, display_name=name),
            text="\n\n".join(filter(None, (title, "" if body == title else body))),
            posted_at=posted,
            edited_at=updated if published and updated and updated > published else None,
            url=url,
            language=language.group().lower() if language else None,
            media=tuple(_media(entry)),
            raw={k: _clean(entry.get(k)) for k in ("id", "link", "title", "summary", "author", "published", "updated")},
        )


_find_author = _FeedParserMixin._sync_author_detail


def _find_author_soon(parser: Any, key: str = "author") -> None:
    context = parser._get_context()
    if isinstance(name := context.get(key), str):
        context[key] = name[:LONGEST_NAME]
    _find_author(parser, key)


# feedparser looks for an address in an author's name, and for each category among the others, in a time that grows
# with the square of their length and number: one entry could take days. No name is so long, and no category is read.
_FeedParserMixin._sync_author_detail = _find_author_soon
_FeedParserMixin._add_tag = lambda *_: None


def _wanted(query: str) -> Terms | None:
    """What to look for; None: everything. Raises Mistake."""
    if query.strip() == "all":
        return None
    if query.strip() in ("", "mentions"):
        raise Mistake("A feed addresses nobody: write `all`, or terms to look for in its entries.")
    return parse(query)


def _is_readable(document: bytes) -> bool:
    """Whether the parser gets through it in seconds.

    It takes a tenth of a millisecond for each tag, the square of their number for a tag's attributes and the cube of
    its length for whatever stands before the first tag; and entities of entities fill any memory.
    """
    if document.count(b"<") > TAGS or document.count(b"&") > 4 * TAGS or b"<!ENTITY" in document:
        return False
    plain = document.replace(b"\0", b"")  # UTF-16 and UTF-32
    root = ROOT.search(plain)
    return root is None or (root.start() <= PROLOG and not any(map(_is_endless, plain.split(b"<"))))


def _is_endless(piece: bytes) -> bool:
    """Whether a tag without its < has more attributes than any has."""
    if piece.count(b"=") <= ATTRIBUTES or not piece[:1].isalpha():
        return False
    end = WITHIN_TAG.match(piece).end()  # type: ignore[union-attr]  # it matches anything
    return piece.count(b"=", 0, end if piece[end : end + 1] == b">" else None) > ATTRIBUTES


def _wait(headers: Mapping[str, str], feed: Mapping[str, Any], now: datetime) -> float | None:
    """Seconds for which the publisher wants to be left alone; None where nothing is said."""
    age = re.search(r"max-age=(\d{1,9})", headers.get("Cache-Control", ""))
    minutes = re.fullmatch(r"\s*(\d{1,6})\s*", str(feed.get("ttl") or ""))
    asked = [float(age.group(1))] if age else []
    asked += [60.0 * float(minutes.group(1))] if minutes else []
    asked += [pause for pause in (faults.pause_after(headers, now=now),) if pause]
    return max(asked, default=0.0) or None


def _validators(headers: Mapping[str, str]) -> dict[str, str]:
    """What makes the next request conditional, where it can stand in a header again."""
    given = {"etag": headers.get("ETag", ""), "modified": headers.get("Last-Modified", "")}
    return {
        key: value for key, value in given.items() if 0 < len(value) < 500 and value.isascii() and value.isprintable()
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:40]


def _clean(value: object) -> str:
    return CONTROL.sub("", value)[:LONGEST].strip() if isinstance(value, str) else ""


def _plain(detail: Any) -> str:
    """The words of a title or a text, HTML or not."""
    value = _clean(detail.get("value")) if isinstance(detail, Mapping) else ""
    if detail is None or detail.get("type") in PLAIN:
        return value
    words, within = [], ""
    for piece in TAG.split(value):
        tag = NAME.match(piece)
        if tag is None:
            words.append("" if within else piece)
        elif tag["name"].lower() in HIDDEN:
            within = "" if tag["end"] else tag["name"]
        elif not INLINE.fullmatch(tag["name"]):
            words.append("\n")
    lines = (line.strip() for line in _clean(html.unescape("".join(words))).split("\n"))
    return "\n".join(line for line in lines if line)


def _moment(parsed: Any) -> datetime | None:
    return datetime.fromtimestamp(timegm(parsed), UTC) if parsed else None


def _address(value: object) -> str | None:
    return value if isinstance(value, str) and value.startswith(("http://", "https://")) else None


def _media(entry: Mapping[str, Any]) -> Iterator[Media]:
    enclosed = [link for link in entry.get("links") or () if link.get("rel") == "enclosure"]
    for item in [*enclosed, *(entry.get("media_content") or ())][:10]:
        if url := _address(item.get("href") or item.get("url")):
            kind = _clean(item.get("medium") or item.get("type")).partition("/")[0]
            yield Media(kind=kind or "file", url=url, alt=_clean(item.get("title")))
