"""Mastodon's streams: over real sockets from the local server, and what an address or an event may be."""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from connectors.events import Event, Events
from connectors.mastodon import MastodonConnector, Settings
from connectors.mastodon_streaming import Patience, named_address, streaming_address, to_page
from connectors.wire import Wire
from listener.errors import AuthFailed, NetworkError, RateLimited, Rejected, Unavailable
from listener.types import PostKind, Visibility
from tests.connectors.conformance import Heard
from tests.servers.mastodon import BRAND, TOKEN, MastodonServer, status_json

OWN = "https://mastodon.example"
QUICK = Patience(beat=0.1, silence=1.0)
STREAM = "GET /api/v1/streaming"


@pytest.fixture
def server() -> Iterator[MastodonServer]:
    with MastodonServer() as running:
        running.streams.thump = 0.1
        yield running


def connected(server: MastodonServer, *, token: str | None = TOKEN, patience: Patience = QUICK) -> MastodonConnector:
    settings = Settings(instance=server.url, access_token=SecretStr(token) if token else None)
    return MastodonConnector(settings, wire=Wire(proxies=False), patience=patience)


@contextlib.contextmanager
def listening(server: MastodonServer, query: str = "mentions") -> Iterator[Heard]:
    with contextlib.closing(Heard(connected(server), query)) as heard:
        yield heard


def first(server: MastodonServer, query: str = "#telecom") -> NetworkError:
    """What opening a stream ends with."""
    with pytest.raises(NetworkError) as caught:
        next(connected(server).stream(query, None))
    assert TOKEN not in str(caught.value)
    return caught.value


def full(server: MastodonServer, own: str) -> str:
    return f"{server.host}/{own}"


def eventually(what: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not what():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.02)


# --- what is heard ---


def test_whoever_addresses_us_is_heard_as_a_poll_would(server: MastodonServer) -> None:
    ana = server.person("ana")
    ours = server.person(BRAND).post("¿En qué ayudamos?")
    with listening(server) as heard:
        mention = ana.post(f"@{BRAND} sin señal", spoiler_text="quejas")
        answer = ana.reply(ours, f"@{BRAND} con esto", visibility="unlisted")
        ana.post("nada que ver con vosotros")
        heard.until(lambda: len(heard.posts) == 2)
    posts = {post.external_id: post for post in heard.posts}
    assert posts[full(server, mention)].kind is PostKind.MENTION
    assert posts[full(server, mention)].content_warning == "quejas"
    assert posts[full(server, answer)].kind is PostKind.REPLY
    assert posts[full(server, answer)].visibility is Visibility.UNLISTED
    polled = connected(server).poll("mentions", None)
    assert {post.external_id: replace(post, raw={}) for post in polled.posts} == {
        each: replace(post, raw={}) for each, post in posts.items()
    }


def test_a_direct_message_that_the_server_holds_back_comes_by_the_poll(server: MastodonServer) -> None:
    with listening(server) as heard:
        direct = server.person("ana").post(f"@{BRAND} entre nosotros", visibility="direct")
        after = server.person("berta").post(f"@{BRAND} en público")
        heard.until(lambda: heard.post(full(server, after)) is not None)
        assert heard.post(full(server, direct)) is None
    polled = connected(server).poll("mentions", None)
    assert full(server, direct) in [post.external_id for post in polled.posts]


def test_what_people_say_whom_we_follow_is_heard_only_if_it_addresses_us(server: MastodonServer) -> None:
    ana = server.person("ana")
    server.person(BRAND, following=["ana"])
    with listening(server) as heard:
        ana.post("buenos días")
        mention = ana.post(f"@{BRAND} buenos días")
        heard.until(lambda: bool(heard.posts))
        server.edit_status(mention, f"@{BRAND} buenas tardes")
        heard.until(lambda: len(heard.posts) == 2)
    assert [post.external_id for post in heard.posts] == [full(server, mention)] * 2
    assert heard.posts[1].edited_at is not None
    assert "tardes" in heard.posts[1].text


def test_edits_and_deletions_under_a_hashtag_are_heard(server: MastodonServer) -> None:
    ana = server.person("ana")
    with listening(server, "#Telecom") as heard:
        post = ana.post("sin señal #telecom")
        ana.post("otra cosa #tiempo")
        heard.until(lambda: len(heard.posts) == 1)
        ana.edit(post, "ya hay señal #telecom")
        heard.until(lambda: len(heard.posts) == 2)
        ana.delete(post)
        heard.until(lambda: bool(heard.gone))
    assert [each.text for each in heard.posts] == ["sin señal #telecom", "ya hay señal #telecom"]
    assert heard.gone == [full(server, post)]


def test_of_a_hashtag_with_terms_only_what_matches_is_heard(server: MastodonServer) -> None:
    ana = server.person("ana")
    with listening(server, "#telecom fibra -oferta") as heard:
        ana.post("hoy llueve #telecom")
        ana.post("oferta de fibra #telecom")
        wanted = ana.post("sin FIBRA desde ayer #telecom")
        heard.until(lambda: bool(heard.posts))
    assert [post.external_id for post in heard.posts] == [full(server, wanted)]


def test_many_at_once_come_in_order(server: MastodonServer) -> None:
    with listening(server, "#telecom") as heard:
        said = [full(server, server.person("ana").post(f"mensaje {n} #telecom")) for n in range(100)]
        heard.until(lambda: len(heard.posts) == 100)
    assert [post.external_id for post in heard.posts] == said


def test_what_cannot_be_read_is_left_to_a_poll(server: MastodonServer) -> None:
    with listening(server) as heard:
        server.streams.disturb("garbage")
        after = server.person("ana").post(f"@{BRAND} ¿seguís ahí?")
        heard.until(lambda: heard.post(full(server, after)) is not None)
        assert heard.more
        assert heard.gone == []


# --- what has a stream ---


@pytest.mark.parametrize(
    ("query", "token", "there_is"),
    [
        ("mentions", TOKEN, True),
        ("#telecom", TOKEN, True),
        ("#telecom fibra", TOKEN, True),
        ("fibra", TOKEN, False),
        ("mentions", None, False),
        ("#telecom", None, False),
        ("#12345", TOKEN, False),
        ("", TOKEN, False),
    ],
)
def test_there_is_a_stream(server: MastodonServer, query: str, token: str | None, there_is: bool) -> None:
    assert connected(server, token=token).streams(query) is there_is
    assert server.requests == []


# --- how it fails ---


@pytest.mark.parametrize(
    ("kind", "error", "options"),
    [
        ("401", AuthFailed, {}),
        ("403", AuthFailed, {}),
        ("404", Rejected, {}),
        ("422", Rejected, {}),
        ("429", RateLimited, {}),
        ("500", Unavailable, {}),
        ("503", Unavailable, {}),
        ("html", Unavailable, {}),
        ("html", Unavailable, {"status": 404}),
        ("cut_before", Unavailable, {}),
        ("timeout_before", Unavailable, {}),
        ("redirect", Unavailable, {"to": "https://elsewhere.example/"}),
    ],
)
def test_a_stream_that_does_not_open(
    server: MastodonServer, kind: str, error: type[NetworkError], options: dict[str, Any]
) -> None:
    server.fail(STREAM, kind, **options)
    assert isinstance(first(server), error)


@pytest.mark.parametrize("kind", ["silent", "slow"])
def test_silence_is_noticed(server: MastodonServer, kind: str) -> None:
    server.fail(STREAM, kind)
    with listening(server) as heard, pytest.raises(Unavailable, match="silent for 1 s"):
        heard.until(lambda: False)


@pytest.mark.parametrize(("kind", "said"), [("end", "ended the stream"), ("cut", "broke"), ("huge", "larger than")])
def test_what_ends_it_is_told_after_what_came_before(server: MastodonServer, kind: str, said: str) -> None:
    with listening(server) as heard:
        posts = [server.person("ana").post(f"@{BRAND} hola {n}") for n in range(3)]
        server.streams.disturb(kind)
        with pytest.raises(Unavailable, match=said):
            heard.until(lambda: False)
    assert [post.external_id for post in heard.posts] == [full(server, post) for post in posts]


def test_a_closed_stream_leaves_nothing_open(server: MastodonServer) -> None:
    with listening(server):
        eventually(lambda: len(server.streams.open) == 1)
        assert readers()
    eventually(lambda: server.streams.open == [])
    assert not readers()


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("events of")]


def test_it_can_be_closed_while_more_waits_than_it_holds(server: MastodonServer) -> None:
    with listening(server, "#telecom"):
        for n in range(200):
            server.person("ana").post(f"mensaje {n} #telecom")
    eventually(lambda: server.streams.open == [])


# --- where it is opened ---


def streaming_requests(server: MastodonServer) -> int:
    return sum(seen.path.startswith("/api/v1/streaming") for seen in server.requests)


def test_the_streams_may_be_at_an_address_of_their_own(server: MastodonServer) -> None:
    with MastodonServer() as second:
        second.streams.thump = 0.1
        server.streaming = f"ws://{second.host}"
        with listening(server):
            assert streaming_requests(second) == 1
        assert streaming_requests(server) == 0


@pytest.mark.parametrize("named", [None, "   ", 7, ["x"], {}])
def test_a_server_that_names_none_has_them_itself(server: MastodonServer, named: Any) -> None:
    server.streaming = named
    with listening(server):
        assert streaming_requests(server) == 1


def test_older_servers_name_it_elsewhere(server: MastodonServer) -> None:
    server.fail("GET /api/v2/instance", "404", times=9)
    with listening(server):
        assert streaming_requests(server) == 1


@pytest.mark.parametrize("kind", ["503", "429"])
def test_a_server_that_cannot_say_now_is_asked_later(server: MastodonServer, kind: str) -> None:
    server.fail("GET /api/v[12]/instance", kind, times=9)
    assert isinstance(first(server), (Unavailable, RateLimited))
    assert streaming_requests(server) == 0


def test_a_token_is_sent_nowhere_without_tls(server: MastodonServer) -> None:
    server.streaming = "ws://streaming.example"
    assert "without TLS" in str(first(server))
    assert isinstance(first(server), Rejected)


@pytest.mark.parametrize(
    ("named", "address"),
    [
        ("wss://streaming.mastodon.example", "https://streaming.mastodon.example"),
        ("wss://streaming.mastodon.example:4000/", "https://streaming.mastodon.example:4000"),
        ("https://streaming.mastodon.example/x?y", "https://streaming.mastodon.example"),
        ("WSS://Streaming.Mastodon.Example", "https://streaming.mastodon.example"),
        ("wss://[2001:db8::1]:4000", "https://[2001:db8::1]:4000"),
        (None, OWN),
        ("", OWN),
    ],
)
def test_an_address_is_read(named: object, address: str) -> None:
    assert streaming_address(named, OWN) == address


@pytest.mark.parametrize(
    "named",
    [
        "ws://streaming.mastodon.example",
        "http://127.0.0.1:4000",
        "ws://localhost:4000",
        "wss://user:pass@streaming.mastodon.example",
        "wss://",
        "wss://a b",
        "wss://x:port",
        "wss://[::1",
        "file:///etc/passwd",
        "streaming.mastodon.example",
        "wss://streaming.mastodon.example\r\nHost: x",
    ],
)
def test_an_address_that_no_token_goes_to_is_refused(named: str) -> None:
    with pytest.raises(Rejected):
        streaming_address(named, OWN)


@pytest.mark.parametrize("document", [{}, {"configuration": []}, {"configuration": {"urls": 3}}, {"urls": None}])
def test_a_strange_document_names_nothing(document: dict[str, Any]) -> None:
    assert named_address(document, 1) is None
    assert named_address(document, 2) is None


# --- events as a page ---


@pytest.mark.parametrize("data", ['"114"', "114", " 114 "])
def test_a_deletion_is_a_bare_id(data: str) -> None:
    page = to_page([Event(name="delete", data=data)], tagged=True, host="m.example", our_id="1")
    assert page.gone == ("m.example/114",)


@pytest.mark.parametrize(
    "event",
    [
        Event(name="delete", data=""),
        Event(name="delete", data="../1"),
        Event(name="delete", data='{"id": 1}'),
        Event(name="update", data="undefined"),
        Event(name="update", data="[]"),
        Event(name="update", data='{"id": "1"}'),
        Event(name="update", data='{"id": "1", "account": 3, "created_at": "2026-01-01"}'),
        Event(name="update", data="[" * 100_000),
        Event(name="status.update", data=""),
        Event(name="notifications_merged", data="1"),
    ],
    ids=lambda event: f"{event.name} {event.data[:20]}",
)
def test_of_a_strange_event_nothing_is_taken_but_that_a_poll_should_look(event: Event) -> None:
    page = to_page([event], tagged=True, host="m.example", our_id="1")
    assert (page.posts, page.gone, page.more, page.cursor) == ((), (), True, None)


@pytest.mark.parametrize("name", ["filters_changed", "announcement.delete", "conversation", "new in 2030", ""])
def test_other_events_say_nothing_to_us(name: str) -> None:
    page = to_page([Event(name=name, data="undefined")], tagged=False, host="m.example", our_id="1")
    assert (page.posts, page.gone, page.more) == ((), (), False)


@pytest.mark.parametrize(
    "told", [{"type": "favourite"}, {"type": "mention"}, {"type": "mention", "status": None}, {"type": []}]
)
def test_of_notifications_only_mentions_count(told: dict[str, Any]) -> None:
    event = Event(name="notification", data=json.dumps(told))
    page = to_page([event], tagged=False, host="m.example", our_id="1")
    assert page.posts == ()
    assert page.more is (told["type"] == "mention")


def test_an_update_that_addresses_us_waits_for_its_notification(server: MastodonServer) -> None:
    row = server.add_status("ana", f"@{BRAND} hola #telecom")
    event = Event(name="update", data=json.dumps(status_json(server, row)))
    us = server.person(BRAND).id
    assert to_page([event], tagged=False, host=server.host, our_id=us).posts == ()
    assert len(to_page([event], tagged=True, host=server.host, our_id=us).posts) == 1


# --- the reader itself ---


class _Says(BaseHTTPRequestHandler):
    """Answers with the pieces of the server it belongs to, as they are."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        self.send_response(200)
        for name, value in self.server.headers.items():  # type: ignore[attr-defined]
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            for piece in self.server.pieces:  # type: ignore[attr-defined]
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(0.01)
            self.server.heard.append(self.headers.get("Authorization"))  # type: ignore[attr-defined]
            self.server.leave.wait(20)  # type: ignore[attr-defined]

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextlib.contextmanager
def saying(*pieces: bytes, tls: ssl.SSLContext | None = None, **headers: str) -> Iterator[Any]:
    http: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Says)
    http.daemon_threads = True
    http.headers = {"Content-Type": "text/event-stream"} | {k.replace("_", "-"): v for k, v in headers.items()}
    http.pieces, http.leave, http.heard = pieces, threading.Event(), []
    if tls:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    http.url = f"http{'s' if tls else ''}://127.0.0.1:{http.server_address[1]}/"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield http
    finally:
        http.leave.set()
        http.shutdown()
        http.server_close()
        thread.join()


def events_of(http: Any, *, silence: float = 20.0, largest: int = 10_000, proxies: bool = False) -> Events:
    return Events(
        http.url,
        params={},
        token=TOKEN,
        where=urlsplit(http.url).netloc,
        now=lambda: datetime.now(UTC),
        silence=silence,
        largest=largest,
        proxies=proxies,
    )


@pytest.mark.parametrize(
    "pieces",
    [
        [b"event: a\ndata: 1\n\n"],
        [b"event: a\r\ndata: 1\r\n\r\n"],
        [b"ev", b"ent: a\nda", b"ta: 1\n", b"\n"],
        [b"event:a\ndata:1\n\n"],
        [b": hello\n\n\nevent: a\n: in between\ndata: 1\nid: 7\nretry: 1\nunknown\n\n"],
        [b"event: lost for want of data\n\nevent: a\ndata: 1\n\n"],
    ],
)
def test_an_event_is_read_however_it_comes(pieces: list[bytes]) -> None:
    with saying(*pieces) as http, events_of(http) as events:
        assert events.take(wait=10, most=9) == [Event(name="a", data="1")]


def test_several_lines_of_data_are_one() -> None:
    with saying(b"data: one\ndata:  two\ndata\n\n") as http, events_of(http) as events:
        assert events.take(wait=10, most=9) == [Event(name="message", data="one\n two\n")]


def test_data_that_goes_on_in_ever_more_lines_is_too_large() -> None:
    endless = b"data: 0123456789\n" * 1000
    with saying(endless) as http, events_of(http) as events, pytest.raises(Unavailable, match="larger"):
        events.take(wait=10, most=9)


def test_blank_lines_and_noise_are_no_sign_of_life() -> None:
    noise = [b"\nnoise\n"] * 500
    with saying(*noise) as http, events_of(http, silence=0.5) as events, pytest.raises(Unavailable, match="silent"):
        take_all(events)


def take_all(events: Events) -> None:
    while True:
        events.take(wait=0.1, most=9)


@pytest.mark.parametrize(
    "headers", [{"Content_Type": "text/html"}, {"Content_Type": ""}, {"Content_Encoding": "gzip"}], ids=str
)
def test_what_is_no_stream_is_not_taken_for_one(headers: dict[str, str]) -> None:
    with saying(b"data: 1\n\n", **headers) as http, pytest.raises(Unavailable, match="no stream"):
        events_of(http)


def test_a_login_kept_for_that_host_takes_not_the_tokens_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with saying(b"data: 1\n\n") as http, events_of(http, proxies=True) as events:
        events.take(wait=10, most=1)
        eventually(lambda: http.heard == [f"Bearer {TOKEN}"])


def test_a_secure_stream_is_read_and_closed_under_its_readers_hands(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = {"-keyout": tmp_path / "key.pem", "-out": tmp_path / "cert.pem"}
    files = [str(part) for pair in names.items() for part in pair]
    what = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    made = subprocess.run(
        ["openssl", "req", *what, "-addext", "subjectAltName=IP:127.0.0.1", *files], capture_output=True, check=False
    )
    assert made.returncode == 0, made.stderr
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with saying(b"data: 1\n\n", tls=context) as http:
        with pytest.raises(Unavailable, match="no secure connection"):
            events_of(http)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "cert.pem"))
        events = events_of(http, proxies=True)
        assert events.take(wait=10, most=9) == [Event(name="message", data="1")]
        events.close()
        assert not events._reader.is_alive()
