"""Bluesky's public stream: read from a small Jetstream on loopback, in both its forms and with all its faults."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import bluesky_listening
from connectors.bluesky import BlueskyConnector, Settings
from connectors.bluesky_profiles import Profiles
from connectors.bluesky_stream import Event, Jetstream, Unreadable, read_event
from connectors.bluesky_wire import Wire
from listener.contract import BEAT
from listener.errors import AuthFailed, Mistake, RateLimited, Rejected, Unavailable
from listener.types import Page, PostKind
from tests.connectors.conformance import read_all
from tests.servers.jetstream import JetstreamServer
from tests.servers.proxy import Proxy

ANA, BERTA = "did:plc:anaanaanaanaanaanaana", "did:plc:bertabertabertabertab"
NOBODY = "http://127.0.0.1:9"  # where no profile can be had


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bluesky_listening, "BEAT", 0.3)
    monkeypatch.setattr(bluesky_listening, "_QUIET", 0.6)


@pytest.fixture(params=[False, True], ids=["newer", "older"])
def server(request: pytest.FixtureRequest) -> Iterator[JetstreamServer]:
    with JetstreamServer(older=request.param) as running:
        yield running


def hearing(server: JetstreamServer, *, appview: str = NOBODY, silence: float = 30.0) -> BlueskyConnector:
    """A connector without an account."""
    settings = Settings(jetstream=server.url, appview=appview)
    return BlueskyConnector(settings, jetstream=Jetstream(server.url, open_timeout=5, silence=silence))


def post(text: str, **more: Any) -> dict[str, Any]:
    return {"$type": "app.bsky.feed.post", "text": text, "createdAt": datetime.now(UTC).isoformat(), **more}


def now_us(ago: timedelta = timedelta(0)) -> int:
    return int((time.time() - ago.total_seconds()) * 1e6)


class Listening:
    """An open stream, page by page."""

    def __init__(self, connector: BlueskyConnector, query: str = "telecom", cursor: Any = None) -> None:
        self.pages = connector.stream(query, cursor)
        self.heard: list[Page] = []
        self.next()

    def next(self) -> Page:
        self.heard.append(next(self.pages))
        return self.heard[-1]

    def until_heard(self, count: int = 1) -> list[str]:
        """The texts heard so far, once there are so many."""
        for _ in range(100):
            texts = [each.text for page in self.heard for each in page.posts]
            if len(texts) >= count:
                return texts
            self.next()
        pytest.fail("it was never heard")

    def until_the_end(self, *, meanwhile: Callable[[], None] | None = None) -> None:
        for _ in range(50):
            if meanwhile:
                meanwhile()
            self.next()

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *_: object) -> None:
        self.pages.close()  # type: ignore[attr-defined]


# --- one message ----------------------------------------------------------------------------------------------------


def older(**changed: Any) -> bytes:
    commit = {
        "operation": "create",
        "collection": "app.bsky.feed.post",
        "rkey": "3k",
        "cid": "b",
        "record": {"text": "hola"},
    }
    return json.dumps({"did": ANA, "time_us": 7, "kind": "commit", "commit": commit | changed}).encode()


def test_a_post_is_read_in_both_forms() -> None:
    payload = {
        "$type": "network.bsky.jetstream.subscribeEvents#commit",
        **{"did": ANA, "seq": 1, "time": "1970-01-01T00:00:09Z", "witnessedAt": "1970-01-01T00:00:00.000007Z"},
        **json.loads(older())["commit"],
    }
    newer = json.dumps({"$type": "message", "payload": payload}).encode()
    assert read_event(older()) == read_event(newer) == Event(7, ANA, "create", "3k", "b", {"text": "hola"})


@pytest.mark.parametrize(
    "message",
    [
        b'{"did":"did:plc:a","time_us":1,"kind":"identity","identity":{}}',
        b'{"did":"did:plc:a","time_us":1,"kind":"commit","commit":{"collection":"app.bsky.feed.like"}}',
        older(collection="app.bsky.feed.like", record={"subject": "app.bsky.feed.post"}),
        b"",
        b"\xff\xfe",
        b"[]",
    ],
)
def test_what_is_no_post_is_passed_over(message: bytes) -> None:
    assert read_event(message) is None


@pytest.mark.parametrize(
    "message",
    [
        older()[:-3],
        older(record=None),
        older(record=["app"]),
        older(rkey=3),
        older(cid=None),
        older(operation="explode"),
        older().replace(b'"time_us": 7', b'"time_us": "7"'),
        older().replace(b'"time_us": 7', b'"time": "yesterday"'),
        older().replace(ANA.encode(), b"ana"),
        b'["app.bsky.feed.post"]',
        b'"app.bsky.feed.post"',
        b'{"commit":{"collection":"app.bsky.feed.post"}}',
        b'{"commit":"app.bsky.feed.post"}',
        b"[" * 100_000 + b'"app.bsky.feed.post"',
    ],
)
def test_what_claims_to_be_a_post_and_is_none_is_unreadable(message: bytes) -> None:
    with pytest.raises(Unreadable):
        read_event(message)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["did", "time_us", "commit", "payload", "collection", "record", "rkey", "x"]), json_values
    ),
    st.dictionaries(st.sampled_from(["operation", "record", "rkey", "cid", "collection"]), json_values),
)
def test_no_message_is_a_bug(event: dict[str, Any], commit: dict[str, Any]) -> None:
    for message in (event, {**event, "commit": {"collection": "app.bsky.feed.post", **commit}}):
        with contextlib.suppress(Unreadable):
            read_event(json.dumps(message).encode() + b' "app.bsky.feed.post"')
        with contextlib.suppress(Unreadable):
            read_event(json.dumps({**message, "say": "app.bsky.feed.post"}).encode())


# --- polls ----------------------------------------------------------------------------------------------------------


def test_a_poll_reads_what_was_meant_and_says_how_far_it_read(server: JetstreamServer) -> None:
    server.say(ANA, post("sin cobertura de Telecom", langs=["es"]), key="3a", time_us=now_us(timedelta(minutes=2)))
    last = server.say(BERTA, post("buenos días"), key="3b", time_us=now_us(timedelta(minutes=1)))
    page = hearing(server).poll("telecom", None)
    (found,) = page.posts
    assert found.external_id == f"at://{ANA}/app.bsky.feed.post/3a"
    assert (found.text, found.language, found.kind) == ("sin cobertura de Telecom", "es", PostKind.FOUND)
    assert found.url == f"https://bsky.app/profile/{ANA}/post/3a"
    assert page.cursor == {"time_us": last}
    assert not page.more


def test_a_restart_goes_on_where_it_was(server: JetstreamServer) -> None:
    for n in range(3):
        server.say(ANA, post(f"telecom {n}"), key=f"3{n}", time_us=now_us(timedelta(minutes=3 - n)))
    posts, cursor = read_all(hearing(server), "telecom", None)
    assert [each.text for each in posts] == ["telecom 0", "telecom 1", "telecom 2"]
    server.say(ANA, post("telecom y más"), key="3x")
    posts, _ = read_all(hearing(server), "telecom", cursor)
    assert [each.text for each in posts][-1] == "telecom y más"
    assert len(posts) <= 2, "only a little is read again"


def test_a_poll_takes_no_more_than_it_may(server: JetstreamServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bluesky_listening, "_MOST_EVENTS", 4)
    for n in range(10):
        server.say(ANA, post(f"telecom {n}"), key=f"3{n}", time_us=now_us(timedelta(minutes=10 - n)))
    page = hearing(server).poll("telecom", None)
    assert page.more
    assert len(page.posts) == 4
    posts, _ = read_all(hearing(server), "telecom", page.cursor)
    assert {each.text for each in (*page.posts, *posts)} == {f"telecom {n}" for n in range(10)}


def test_a_poll_ends_at_now_however_much_is_said(server: JetstreamServer) -> None:
    server.say(ANA, post("telecom"), key="3a", time_us=now_us(timedelta(minutes=1)))
    server.say(ANA, post("telecom"), key="3b", time_us=now_us() + 3_600_000_000)
    page = hearing(server).poll("telecom", None)
    assert page.cursor is not None
    assert page.cursor["time_us"] <= now_us(), "a time to come is no place to go on from"


def test_a_stream_that_says_nothing_is_no_empty_page(server: JetstreamServer) -> None:
    server.say(ANA, post("telecom"), key="3a")
    server.silence()
    with pytest.raises(Unavailable, match="nothing of use"):
        hearing(server).poll("telecom", None)


def test_what_the_stream_has_forgotten_is_told(server: JetstreamServer) -> None:
    server.say(ANA, post("telecom"), key="3a", time_us=now_us(timedelta(hours=30)))
    server.say(ANA, post("telecom"), key="3b", time_us=now_us(timedelta(minutes=1)))
    server.forget(now_us(timedelta(hours=1)))
    page = hearing(server).poll("telecom", {"time_us": now_us(timedelta(hours=31))})
    assert page.gap is not None
    assert "minutes after where we were" in page.gap


def test_deletions_and_edits_are_heard(server: JetstreamServer) -> None:
    server.say(ANA, post("telecom uno"), key="3a", time_us=now_us(timedelta(minutes=5)))
    server.say(ANA, post("telecom dos"), key="3b", time_us=now_us(timedelta(minutes=4)))
    server.say(ANA, post("telecom uno, corregido"), key="3a", operation="update", time_us=now_us(timedelta(minutes=3)))
    server.say(ANA, None, key="3b", operation="delete", time_us=now_us(timedelta(minutes=2)))
    page = hearing(server).poll("telecom", None)
    assert [each.text for each in page.posts] == ["telecom uno, corregido"]
    assert page.gone == (f"at://{ANA}/app.bsky.feed.post/3b",)


def test_a_post_that_cannot_be_read_is_named_in_the_gap(server: JetstreamServer) -> None:
    server.say(ANA, post("telecom", facets=[{"index": 3}, None, {"features": "x"}], langs=3, embed=[]), key="3a")
    server.say(ANA, {"text": {"telecom": 1}, "createdAt": 3}, key="3b")
    server.say("ana", post("telecom"), key="3c")
    page = hearing(server).poll("telecom", None)
    assert [each.external_id[-2:] for each in page.posts] == ["3a"]
    assert page.gap == "1 posts could not be read"


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("mas", "¡Y MÁS!", True),
        ("iberia", "#IberiaExpress otra vez", True),
        ('"iberia express" -ryanair', "Iberia Express mejor que Ryanair", False),
        ("telecom lang:en", "telecom", False),
        ("#averia", "no hay etiqueta: averia", False),
        ("averia", "sin palabra", True),  # in the outside tags
    ],
)
def test_terms_are_matched_here(server: JetstreamServer, query: str, text: str, found: bool) -> None:
    server.say(ANA, post(text, langs=["es"], tags=["avería"] if text == "sin palabra" else []), key="3a")
    assert bool(hearing(server).poll(query, None).posts) is found


def test_what_a_post_shows_is_read_from_its_record(server: JetstreamServer) -> None:
    image = {"alt": "el router", "image": {"$type": "blob", "ref": {"$link": "bafkreiabc"}, "mimeType": "image/jpeg"}}
    parent, root = (f"at://{BERTA}/app.bsky.feed.post/{key}" for key in ("3p", "3r"))
    record = post(
        "mira telecom",
        embed={"$type": "app.bsky.embed.images", "images": [image]},
        labels={"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "graphic-media"}]},
        reply={"parent": {"uri": parent, "cid": "b"}, "root": {"uri": root, "cid": "b"}},
    )
    server.say(ANA, record, key="3a")
    (found,) = hearing(server).poll("telecom", None).posts
    (media,) = found.media
    assert (media.kind, media.alt) == ("image", "el router")
    assert media.url == f"https://cdn.bsky.app/img/feed_fullsize/plain/{ANA}/bafkreiabc@jpeg"
    assert found.content_warning == "graphic-media"
    assert (found.parent_id, found.thread_id) == (parent, root)
    json.dumps(dict(found.raw))


# --- who said it ----------------------------------------------------------------------------------------------------


def profiles_of(*people: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "status", "status": 200, "body": {"profiles": list(people)}}


def test_only_those_who_match_are_looked_up_and_only_once(server: JetstreamServer) -> None:
    with Proxy(NOBODY) as appview:
        bot = {"did": ANA, "handle": "ana.example", "displayName": "Ana", "labels": [{"val": "bot", "src": ANA}]}
        appview.fail("GET /xrpc/app.bsky.actor.getProfiles", times=9, **profiles_of(bot))
        for n in range(30):
            server.say(f"did:plc:other{n}", post("buenos días"), key="3a")
        server.say(ANA, post("telecom"), key="3a")
        server.say(ANA, post("telecom otra vez"), key="3b")
        connector = hearing(server, appview=appview.url)
        for _ in range(2):
            posts = connector.poll("telecom", None).posts
            assert [(each.author.handle, each.author.display_name, each.author.bot) for each in posts] == [
                ("ana.example", "Ana", True)
            ] * 2
        (seen,) = appview.requests
        assert seen.path.count("actors=") == 1
        assert "authorization" not in seen.headers


def test_without_profiles_posts_stand_under_the_number(server: JetstreamServer) -> None:
    server.say(ANA, post("telecom"), key="3a")
    (found,) = hearing(server).poll("telecom", None).posts
    assert found.author.handle == found.author.external_id == ANA


@pytest.mark.parametrize("body", [b"<html>", b"[]", {"profiles": 3}, {"profiles": [3, {"did": ANA, "handle": 5}]}])
def test_nonsense_instead_of_profiles_harms_nothing(server: JetstreamServer, body: Any) -> None:
    server.say(ANA, post("telecom"), key="3a")
    with Proxy(NOBODY) as appview:
        appview.fail("GET", "status", status=200, body=body, times=9)
        (found,) = hearing(server, appview=appview.url).poll("telecom", None).posts
        assert found.author.handle == ANA


def test_an_author_is_excluded_by_handle(server: JetstreamServer) -> None:
    server.say(ANA, post("telecom"), key="3a")
    server.say(BERTA, post("telecom"), key="3b")
    with Proxy(NOBODY) as appview:
        people = profiles_of({"did": ANA, "handle": "ana.example"}, {"did": BERTA, "handle": "berta.example"})
        appview.fail("GET", times=9, **people)
        posts = hearing(server, appview=appview.url).poll("telecom -from:ana.example", None).posts
    assert [each.author.handle for each in posts] == ["berta.example"]


def test_a_dead_server_of_profiles_is_left_in_peace() -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    with Proxy(NOBODY) as appview:
        appview.fail("GET", "status", status=503, times=9)
        profiles = Profiles(Wire(appview.url, proxies=False), lambda: now, most=2)
        for _ in range(5):
            assert profiles([ANA]) == {ANA: {"did": ANA}}
        assert len(appview.requests) == 1
        appview.heal()
        appview.fail(
            "GET", times=9, **profiles_of(*({"did": f"did:plc:{n}", "handle": f"h{n}.example"} for n in range(9)))
        )
        now += timedelta(minutes=2)
        profiles([f"did:plc:{n}" for n in range(4)])
        asked = len(appview.requests)
        profiles(["did:plc:3"])
        assert len(appview.requests) == asked, "the newest are remembered"
        profiles(["did:plc:0"])
        assert len(appview.requests) == asked + 1, "and no more than so many"


# --- the stream -----------------------------------------------------------------------------------------------------


def test_a_page_comes_at_each_beat_with_a_cursor(server: JetstreamServer) -> None:
    start = now_us()
    with Listening(hearing(server), cursor={"time_us": start}) as listening:
        assert listening.next().cursor == {"time_us": start}
        heard = server.say(ANA, post("nada de eso"), key="3a")
        for _ in range(20):
            page = listening.next()
            if page.cursor == {"time_us": heard}:
                break
        assert page.posts == ()
        assert page.cursor == {"time_us": heard}


def test_only_posts_are_asked_for_and_nothing_packed_or_huge(server: JetstreamServer) -> None:
    cursor = now_us()
    with Listening(hearing(server), cursor={"time_us": cursor}):
        server.send("[]")
        (asked,) = server.asked
    wanted = asked.get("wantedCollections" if server.older else "collections")
    assert wanted == ["app.bsky.feed.post"]
    assert asked["maxMessageSizeBytes"] == ["1000000"]
    assert "compress" not in asked
    assert cursor - 60_000_000 < int(asked["cursor"][0]) < cursor, "a little before where it was"


def test_nonsense_between_posts_is_skipped(server: JetstreamServer) -> None:
    with Listening(hearing(server)) as listening:
        for nonsense in (
            "",
            "{",
            "null",
            "[]",
            b"\x00\xff",
            '{"did":1}',
            '"app.bsky.feed.post"',
            '{"kind":"identity"}',
        ):
            server.send(nonsense)
        server.say(ANA, post("telecom"), key="3a")
        assert listening.until_heard() == ["telecom"]
        assert any(page.gap == "1 posts could not be read" for page in listening.heard)


@pytest.mark.parametrize("what", ["silence", "nonsense", "cut", "huge", "error"])
def test_a_stream_that_is_no_more_is_unavailable(server: JetstreamServer, what: str) -> None:
    with Listening(hearing(server, silence=1.0)) as listening:
        if what == "silence":
            server.silence()
        elif what == "cut":
            server.cut()
        elif what == "huge":
            server.send(json.dumps({"say": "app.bsky.feed.post", "x": "y" * 3_000_000}))
        elif what == "error":
            server.send('{"$type":"error","error":"ConsumerTooSlow"}')
        with pytest.raises(Unavailable) as caught:
            listening.until_the_end(meanwhile=(lambda: server.send("[]")) if what == "nonsense" else None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error"), [(400, Unavailable), (403, Unavailable), (500, Unavailable), (429, RateLimited)]
)
def test_a_stream_that_lets_nobody_in(server: JetstreamServer, status: int, error: type[Exception]) -> None:
    server.refuse(status, Retry_After="30")
    connector = hearing(server)
    for asking in (
        lambda: next(connector.stream("telecom", None)),
        lambda: connector.poll("telecom", None),
        connector.whoami,
    ):
        with pytest.raises(error) as caught:
            asking()
        assert type(caught.value) is error


def test_a_stream_is_not_followed_elsewhere(server: JetstreamServer) -> None:
    with JetstreamServer() as elsewhere:
        server.refuse(302, Location=elsewhere.url)
        with pytest.raises(Unavailable):
            hearing(server).whoami()
        assert elsewhere.asked == []


def test_a_closed_stream_leaves_no_connection(server: JetstreamServer) -> None:
    with Listening(hearing(server)):
        server.send("[]")
        assert len(server._open) == 1
    for _ in range(100):
        server.send("[]")
        if not server._open:
            return
        time.sleep(0.02)
    pytest.fail("the connection stayed open")


# --- without an account ---------------------------------------------------------------------------------------------


def test_without_an_account_only_terms_are_served(server: JetstreamServer) -> None:
    connector = hearing(server)
    assert connector.whoami() is None
    assert not connector.speaks
    assert connector.streams("telecom")
    assert not connector.streams("mentions")
    assert not connector.streams("")
    assert "from:" in connector.explain_query("telecom OR avería")
    with pytest.raises(Mistake, match="needs an account"):
        connector.explain_query("mentions")
    with pytest.raises(AuthFailed):
        connector.poll("mentions", None)
    with pytest.raises(Rejected):
        connector.poll("(", None)
    with pytest.raises(Rejected):
        connector.stream("mentions", None)


def test_without_an_account_posts_are_looked_up_as_everybody_sees_them(server: JetstreamServer) -> None:
    there, gone, hidden = (f"at://{ANA}/app.bsky.feed.post/{key}" for key in ("3a", "3b", "3c"))
    seen = {
        "uri": there,
        "cid": "b",
        "author": {"did": ANA, "handle": "ana.example"},
        "record": post("telecom, corregido"),
    }
    with Proxy(NOBODY) as appview:
        body = {"posts": [seen | {"indexedAt": datetime.now(UTC).isoformat()}]}
        appview.fail("GET /xrpc/app.bsky.feed.getPosts", "status", status=200, body=body)
        missing = {"error": "RecordNotFound", "message": "Could not locate record"}
        appview.fail("GET /xrpc/com.atproto.repo.getRecord.*3b", "status", status=400, body=missing)
        still = {"uri": hidden, "cid": "b", "value": post("sigo")}
        appview.fail("GET /xrpc/com.atproto.repo.getRecord.*3c", "status", status=200, body=still)
        rechecked = hearing(server, appview=appview.url).recheck([there, gone, hidden])
        assert not any("authorization" in request.headers for request in appview.requests)
    assert [each.text for each in rechecked.present] == ["telecom, corregido"]
    assert rechecked.gone == (gone,)


def test_what_nobody_shows_is_not_gone(server: JetstreamServer) -> None:
    with pytest.raises(Unavailable):
        hearing(server).recheck([f"at://{ANA}/app.bsky.feed.post/3a"])


def test_the_beat_is_the_contracts() -> None:
    assert BEAT == 5.0


@pytest.mark.parametrize("cursor", [{}, {"time_us": None}, {"time_us": "7"}, {"time_us": -3}, {"read": 5.0}])
def test_a_cursor_that_is_none_begins_anew(server: JetstreamServer, cursor: Any, tmp_path: Path) -> None:
    del tmp_path
    server.say(ANA, post("telecom"), key="3a")
    assert len(hearing(server).poll("telecom", cursor).posts) == 1
