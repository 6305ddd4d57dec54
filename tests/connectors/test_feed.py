"""Feeds: the shared suite as RSS and as Atom, and what is special to them."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from connectors.feed import FACTS, MOST, REMEMBERED, Feed, Settings, connect
from connectors.wire import MEGABYTE, Wire
from listener.contract import Connector, Metered, Publishes, Rechecks, Replies, Streams
from listener.errors import AuthFailed, Mistake, NetworkError, RateLimited, Rejected, Unavailable
from listener.types import Answerable, Cursor, Post
from tests.connectors.conformance import Conformance, Fault, Ours, World, only_new, read_all
from tests.servers.feed import KINDS, FeedServer

ROOT = Path(__file__).parents[2]
FAULTS = {Fault.RATE_LIMITED: "429", Fault.UNAVAILABLE: "503", Fault.GARBAGE: "html", Fault.AUTH_FAILED: "401"}


def connected(server: FeedServer, **more: str) -> Feed:
    wire = Wire(connect_timeout=5, read_timeout=5, deadline=10, largest=4 * MEGABYTE, proxies=False)
    return Feed(Settings(url=server.url, **more), wire)


def full(server: FeedServer, guid: str) -> str:
    """The entry's id as the connector gives it."""
    return f"{urlsplit(server.url).netloc}/{hashlib.sha256(f'{server.url} {guid}'.encode()).hexdigest()[:40]}"


class FeedWorld(World):
    """A blog with several authors."""

    module = "connectors.feed"
    query = "all"
    bad_query = "mentions"
    lateness = timedelta(days=3)

    def __init__(self, server: FeedServer) -> None:
        self.server = server

    def connector(self) -> Connector:
        return connected(self.server)

    def post(
        self,
        who: str,
        text: str,
        *,
        reply_to: str | None = None,
        to_us: bool = False,
        late: timedelta = timedelta(0),
    ) -> str:
        return full(self.server, self.server.add(text, author=who, late=late))

    def guid(self, external_id: str) -> str:
        return next(entry.guid for entry in self.server.entries if full(self.server, entry.guid) == external_id)

    def edit(self, external_id: str, text: str) -> None:
        self.server.edit(self.guid(external_id), text)

    def delete(self, external_id: str) -> None:
        self.server.delete(self.guid(external_id))

    def ours(self) -> list[Ours]:
        return []

    def fail(self, fault: Fault, *, writes: bool = False, times: int = 1) -> None:
        self.server.fail(FAULTS[fault], times=times)

    def heal(self) -> None:
        self.server.fail("503", times=0)

    @property
    def our_id(self) -> str:
        raise NotImplementedError("nobody is anybody here")


class TestFeed(Conformance):
    @pytest.fixture(params=KINDS)
    def world(self, request: pytest.FixtureRequest) -> Iterator[World]:
        with FeedServer(kind=request.param) as server:
            yield FeedWorld(server)

    def test_whoami_is_our_account(self, world: World, connector: Connector) -> None:
        assert connector.whoami() is None  # there is none: anybody may read
        assert not connector.speaks


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


def read(server: FeedServer, query: str = "all", cursor: Cursor | None = None) -> tuple[list[Post], Cursor]:
    return read_all(connected(server), query, cursor)


# --- what it is ---


def test_it_reads_and_does_nothing_else() -> None:
    connector = connect(Settings(url="https://blog.example/feed"))
    for ability in (Replies, Publishes, Rechecks, Streams, Metered):
        assert not isinstance(connector, ability)
    assert FACTS.answerable is Answerable.NOBODY


@pytest.mark.parametrize("url", ["", "blog.example", "ftp://x/y", "file:///etc/passwd", "https://a:b@x/y", "https://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="give the feed's address"):
        Settings(url=url)


def test_nothing_else_in_the_product_knows_that_feeds_exist() -> None:
    """A new network is one file: no list, table, command or setting elsewhere may name it."""
    files = [*(ROOT / "listener").rglob("*.py"), *(ROOT / "policies").rglob("*"), ROOT / "cli.py"]
    files += [path for path in (ROOT / "connectors").glob("*.py") if path.name != "feed.py"]
    word = re.compile(  # Bluesky calls its own lists so, which is no name of a network
        r"connectors[./]feed|feedparser|(?<!body\.get\()['\"]feed['\"]|\b(?:RSS|Atom)\b|\batom feed|rss feed",
        re.IGNORECASE,
    )
    named = [
        path for path in files if path.is_file() and path.suffix in (".py", ".yaml") and word.search(path.read_text())
    ]
    assert named == []


# --- queries ---


def test_terms_are_matched_here(server: FeedServer) -> None:
    server.add("Avería de fibra en Lleida")
    server.add("Nueva tienda en Vigo")
    server.add("Averia resuelta")
    posts, cursor = read(server, "avería -tienda")
    assert ["Lleida" in posts[0].text, "resuelta" in posts[1].text, len(posts)] == [True, True, 2]
    assert read(server, "avería -tienda", cursor)[0] == []
    assert connected(server).explain_query("avería -tienda").endswith("matched here.")
    assert connected(server).terms("all") is None
    assert connected(server).terms("avería").matches("una averia")


def test_an_entry_that_was_heard_and_no_longer_matches_is_told_as_edited(server: FeedServer) -> None:
    guid = server.add("Avería en Lleida")
    _, cursor = read(server, "avería")
    server.edit(guid, "Todo funciona")
    (post,), _ = read(server, "avería", cursor)
    assert "Todo funciona" in post.text
    assert post.edited_at is not None


@pytest.mark.parametrize("query", ["mentions", "", "(", "AND"])
def test_what_a_feed_cannot_be_asked_is_a_mistake(server: FeedServer, query: str) -> None:
    with pytest.raises(Mistake):
        connected(server).explain_query(query)
    with pytest.raises(Mistake):
        connected(server).poll(query, None)
    assert server.asked == []


# --- asking politely ---


def test_what_has_not_changed_is_not_sent_again(server: FeedServer) -> None:
    server.add("uno")
    _, cursor = read(server)
    page = connected(server).poll("all", cursor)
    assert (page.posts, page.cursor) == ((), cursor)
    assert server.asked[1]["If-None-Match"] == cursor["etag"]
    assert "Escucha" in server.asked[0]["User-Agent"]


def test_last_modified_serves_where_there_is_no_etag(server: FeedServer) -> None:
    server.headers = {"Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT", "ETag": ""}
    server.add("uno")
    _, cursor = read(server)
    read(server, cursor=cursor)
    assert server.asked[1]["If-Modified-Since"] == "Sat, 21 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize("etag", ["x" * 5000, "caf\u00e9", '"a\tb"'])
def test_a_validator_that_cannot_stand_in_a_header_is_not_kept(server: FeedServer, etag: str) -> None:
    server.headers = {"ETag": etag}
    server.add("uno")
    _, cursor = read(server)
    assert "etag" not in cursor
    assert read(server, cursor=cursor)[0] == []


@pytest.mark.parametrize(
    ("headers", "head", "seconds"),
    [
        pytest.param({}, "", None, id="nothing said"),
        pytest.param({"Cache-Control": "public, max-age=900"}, "", 900, id="max-age"),
        pytest.param({"Cache-Control": "max-age=0, no-store"}, "", None, id="at once"),
        pytest.param({"Cache-Control": "max-age=soon"}, "", None, id="words"),
        pytest.param({}, "<ttl>30</ttl>", 1800, id="ttl in minutes"),
        pytest.param({"Cache-Control": "max-age=60"}, "<ttl>30</ttl>", 1800, id="the longer one"),
        pytest.param({}, "<ttl>never</ttl>", None, id="ttl in words"),
        pytest.param({}, "<ttl>-5</ttl>", None, id="negative ttl"),
        pytest.param({"RateLimit-Remaining": "0", "RateLimit-Reset": "77"}, "", 77, id="the last one allowed"),
    ],
)
def test_how_long_the_publisher_wants_to_be_left_alone(
    headers: dict[str, str], head: str, seconds: float | None
) -> None:
    with FeedServer(kind="rss", headers=headers, head=head) as server:
        server.add("uno")
        assert connected(server).poll("all", None).retry_after == seconds


# --- going wrong ---


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("301", Rejected, "has moved to https://new.example/feed; set that as the account's url"),
        ("308", Rejected, "has moved to"),
        ("410", Rejected, "gone for good"),
        ("302", Unavailable, "127.0.0.1"),
        ("404", Unavailable, "127.0.0.1"),
        ("403", Unavailable, "127.0.0.1"),
        ("401", AuthFailed, "credentials"),
        ("429", RateLimited, "slow down"),
        ("500", Unavailable, "127.0.0.1"),
        ("huge", Unavailable, "127.0.0.1"),
        ("cut", Unavailable, "127.0.0.1"),
        ("html", Unavailable, "something that is no feed"),
    ],
)
def test_what_goes_wrong_is_one_of_the_errors(
    server: FeedServer, fault: str, error: type[NetworkError], words: str
) -> None:
    server.location = "https://new.example/feed"
    server.add("uno")
    server.fail(fault)
    with pytest.raises(error, match=re.escape(words)):
        connected(server).poll("all", None)


def test_nobody_listens() -> None:
    with FeedServer() as server:
        pass
    with pytest.raises(Unavailable):
        connected(server).poll("all", None)


def test_a_feed_that_breaks_off_gives_its_whole_entries_and_is_asked_for_again(server: FeedServer) -> None:
    guids = [server.add(f"entrada {n} " + "x" * 200) for n in range(6)]
    server.fail("truncated")
    posts, cursor = read(server)
    assert 0 < len(posts) < 6
    assert all(post.text.endswith("x" * 200) for post in posts)
    assert "etag" not in cursor
    rest, _ = read(server, cursor=cursor)
    assert {post.external_id for post in [*posts, *rest]} == {full(server, guid) for guid in guids}


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    + b"".join(
        b'<!ENTITY %c "&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;&%c;">' % tuple([97 + n + 1] + [97 + n] * 10)
        for n in range(1, 12)
    )
    + b"]><rss version='2.0'><channel><item><title>&l;</title><guid>1</guid></item></channel></rss>"
)
NESTED = (
    b"<rss version='2.0'><channel><item><description>"
    + b"&lt;div&gt;" * 30_000
    + b"hondo</description></item></channel></rss>"
)
OUTSIDE = (
    b'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY secret SYSTEM "file:///etc/passwd">]>'
    b"<rss version='2.0'><channel><item><guid>1</guid><title>&secret;</title></item></channel></rss>"
)
ITEM = b"<rss version='2.0'><channel><item><guid>1</guid>%s</item></channel></rss>"
ENDLESS = b" ".join(b"a%d='%d='" % (n, n) for n in range(60_000))
STRANGE = {
    "endless tag": ITEM % (b"<a b='>' " + ENDLESS + b"/>"),
    "endless broken tag": ITEM % (b'<a " ' + ENDLESS + b"/>&nothing;"),
    "endless tag in another charset": (ITEM % (b"<a " + ENDLESS + b"/>")).decode().encode("utf-16"),
    "endless author": ITEM % (b"<author>" + b"a." * 1_000_000 + b"</author>"),
    "endless categories": ITEM % (b"".join(b"<category>%d</category>" % n for n in range(29_000))),
    "endless blank lines": b'<?xml version="1.0"?>' + b"\n" * 1_000_000 + ITEM % b"",
    "endless encodings": b"<?xml " + b"encoding='" * 100_000 + b"\n" + ITEM % b"",
    "endless blanks": ITEM % (b"<description>a" + b" " * 90_000 + b"b</description>"),
    "bomb": BOMB,
    "nested": NESTED,
    "outside": OUTSIDE,
    "empty": b"",
    "nothing": b"   ",
    "a file's name": b"/etc/passwd",
    "an address": b"http://127.0.0.1:9/feed.xml",
    "json": b'{"version": "https://jsonfeed.org/version/1"}',
    "zeroes": b"\x00" * 100_000,
    "brackets": b"<" * 4_000_000,
    "a few brackets": b"<" * 20_000,
    "open tags": b"<rss version='2.0'><channel>" + b"<a>" * 1_000_000,
    "signs": b"<rss version='2.0'><channel>" + b"&" * 4_000_000,
    "ampersands": b"<rss version='2.0'><channel><item><title>" + b"&" * 50_000 + b"</title></item></channel></rss>",
    "another charset": '<?xml version="1.0" encoding="utf-16"?><rss version="2.0"></rss>'.encode("utf-16"),
    "no such charset": b'<?xml version="1.0" encoding="klingon"?><rss version="2.0"><channel></channel></rss>',
    "half a sign": b"<rss version='2.0'><channel><item><guid>1</guid><title>\xff\xc3</title></item></channel></rss>",
    "surrogates": b"<rss version='2.0'><channel><item><title>&#xD800;a&#0;</title></item></channel></rss>",
    "dates": b"<rss version='2.0'><channel><item><guid>1</guid><pubDate>Mon, 99 Foo 99999 99:99:99 +9999</pubDate>"
    b"<title>a</title></item><item><guid>2</guid><pubDate>Fri, 31 Dec 9999 23:59:59 -1200</pubDate></item>"
    b"</channel></rss>",
    "empty entries": b"<rss version='2.0'><channel>" + b"<item></item>" * 50 + b"</channel></rss>",
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_document_is_an_error_or_a_page_and_soon(server: FeedServer, name: str) -> None:
    server.serve(STRANGE[name])
    began = time.monotonic()
    try:
        page = connected(server).poll("all", None)
    except Unavailable:
        pass
    else:
        for post in page.posts:
            assert "root:" not in post.text
            assert len(post.text) < 200_000
            assert post.posted_at <= datetime.now(UTC)
            post.text.encode("utf-8")
    assert time.monotonic() - began < 30
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "text",
    [
        *(
            "&lt;p&gt;" + "a=b " * 2_000,
            "<![CDATA[" + "a=b " * 2_000 + "]]>",
            "<![CDATA[<p title='" + "a=b " * 250 + "'>fin]]>",
        ),
        *('<img src="data:image/png;base64,' + "A" * 90_000 + '"/>hola', "que = quién " * 2_000),
    ],
    ids=["escaped", "unescaped", "tag", "picture", "plain"],
)
def test_a_long_text_is_no_endless_tag(server: FeedServer, text: str) -> None:
    server.serve(ITEM % f"<description>{text}</description>".encode())
    assert len(read(server)[0]) == 1


def test_more_entries_than_anybody_reads_are_bounded(server: FeedServer) -> None:
    server.window = 10_000
    for number in range(MOST + 50):
        server.add(f"entrada {number}")
    posts, cursor = read(server)
    assert len(posts) == MOST
    for number in range(REMEMBERED):
        server.add(f"otra {number}")
    _, cursor = read(server, cursor=cursor)
    assert len(cursor["seen"]) <= REMEMBERED


# --- gaps ---


def test_a_full_feed_of_strangers_admits_a_gap(server: FeedServer) -> None:
    server.window = 5
    for number in range(5):
        server.add(f"antes {number}")
    _, cursor = read(server)
    server.add("uno")
    page = connected(server).poll("all", cursor)
    assert page.gap is None
    for number in range(5):
        server.add(f"después {number}")
    page = connected(server).poll("all", page.cursor)
    assert page.gap == "every entry is new, older ones may have gone unseen"
    assert len(page.posts) == 5


def test_an_entry_that_comes_back_is_not_told_twice(server: FeedServer) -> None:
    server.window = 2
    first = server.add("uno")
    server.add("dos")
    _, cursor = read(server)
    server.add("tres")
    _, cursor = read(server, cursor=cursor)
    server.window = 3
    posts, _ = read(server, cursor=cursor)
    assert only_new(posts, set()) == []
    assert full(server, first) in cursor["seen"]


# --- entries ---


def items(server: FeedServer, written: str, *, head: str = "") -> list[Post]:
    server.serve(
        f"<?xml version='1.0'?><rss version='2.0' xmlns:media='http://search.yahoo.com/mrss/'><channel>"
        f"<title>El blog</title>{head}{written}</channel></rss>".encode()
    )
    return read(server)[0]


def test_an_entry_is_known_by_guid_else_link_else_what_it_says(server: FeedServer) -> None:
    written = (
        "<item><guid>7</guid><title>a</title></item><item><link>https://b.example/1</link><title>b</title></item>"
        "<item><title>c</title><pubDate>Sat, 21 Nov 2026 10:00:00 GMT</pubDate></item>"
        "<item><description>d</description></item>"
    )
    first = items(server, written)
    assert len({post.external_id for post in first}) == 4
    assert {post.external_id for post in first} == {post.external_id for post in items(server, written)}
    twice = "<item><guid>7</guid><title>a</title></item>" * 2
    assert len(items(server, twice)) == 1


def test_two_feeds_may_use_the_same_guid(server: FeedServer) -> None:
    with FeedServer() as other:
        for each in (server, other):
            each.add("uno", guid="1")
        assert read(server)[0][0].external_id != read(other)[0][0].external_id


def test_html_becomes_plain_text(server: FeedServer) -> None:
    (post,) = items(
        server,
        "<item><guid>1</guid><title>Corte &amp;amp; avería &lt; 5</title>"
        "<description><![CDATA[<p>Hola&nbsp;a <b>todos</b></p>"
        "<script>alert(1)</script><p>Seguimos<br>aquí</p>]]></description></item>",
    )
    assert post.text == "Corte & avería < 5\n\nHola\u00a0a todos\nSeguimos\naquí"


def test_a_date_without_a_zone_is_utc_and_one_without_a_date_is_now(server: FeedServer) -> None:
    early, dateless = sorted(
        items(
            server,
            "<item><guid>1</guid><pubDate>2026-11-20T10:00:00</pubDate><title>a</title></item>"
            "<item><guid>2</guid><title>b</title></item>",
        ),
        key=lambda post: post.posted_at,
    )
    assert early.posted_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert abs(dateless.posted_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_pictures_are_links(server: FeedServer) -> None:
    (post,) = items(
        server,
        "<item><guid>1</guid><title>a</title><enclosure url='https://b.example/a.mp3' type='audio/mpeg' length='1'/>"
        "<media:content url='https://b.example/a.jpg' medium='image'/><enclosure url='javascript:alert(1)'/></item>",
    )
    assert {(item.kind, item.url) for item in post.media} == {
        ("audio", "https://b.example/a.mp3"),
        ("image", "https://b.example/a.jpg"),
    }


def test_who_wrote_it_and_in_which_language(server: FeedServer) -> None:
    written = "<item><guid>1</guid><title>a</title></item>"
    (post,) = items(server, written, head="<language>es-ES</language>")
    assert (post.author.handle, post.language) == ("El blog", "es")
    (post,) = read_all(connected(server, title="Nuestro blog"), "all", None)[0]
    assert post.author.handle == "Nuestro blog"


def test_an_edit_without_a_date_of_its_own_is_seen_by_its_words(server: FeedServer) -> None:
    server.kind = "rss"
    guid = server.add("antes")
    _, cursor = read(server)
    server.entry(guid).text = "después"
    (post,), _ = read(server, cursor=cursor)
    assert "después" in post.text
    assert post.external_id == full(server, guid)
