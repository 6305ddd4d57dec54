"""Mastodon: the shared suite against a local server that speaks its protocol, and what is special to it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr, ValidationError

import policies
from connectors.mastodon import FACTS, MastodonConnector, Settings, connect
from connectors.mastodon_posts import full_id, own_id
from connectors.mastodon_streaming import Patience
from connectors.mastodon_text import count
from connectors.wire import Wire
from listener import store as stores
from listener.contract import Connector
from listener.errors import (
    AuthFailed,
    Mistake,
    NetworkError,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
)
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.store import identities, inbox, mentions
from listener.store.sources import Wanted
from listener.types import (
    Author,
    Cursor,
    DraftState,
    MentionState,
    MessageRequest,
    Page,
    PostKind,
    PublishRequest,
    ReplyRequest,
    Visibility,
)
from tests import databases
from tests.connectors.conformance import Conformance, Fault, Ours, World, only_new, read_all
from tests.listener.flow.world import AUTO, Keywords
from tests.servers.mastodon import BRAND, TOKEN, MastodonServer

TAG = "telecom"
PATIENT = 10.0  # seconds that a connector waits, so that a busy machine fails no test
QUICK = 0.4  # and where waiting in vain is the point
NEVER_ANSWERED = {"timeout_before", "timeout_after", "slow"}
POST = "POST /api/v1/statuses"

READ_FAULTS = {
    Fault.RATE_LIMITED: "429",
    Fault.UNAVAILABLE: "503",
    Fault.GARBAGE: "html",
    Fault.AUTH_FAILED: "401",
}
WRITE_FAULTS = {
    Fault.RATE_LIMITED: "429",
    Fault.AUTH_FAILED: "401",
    Fault.REJECTED: "422",
    Fault.LOST_BEFORE: "cut_before",
    Fault.LOST_AFTER: "cut_after",
}


class Later:
    """A clock that a test can put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def connected(
    server: MastodonServer,
    *,
    token: str | None = TOKEN,
    now: Any = None,
    wait: float = PATIENT,
    patience: Patience | None = None,
    **more: Any,
) -> MastodonConnector:
    """A connector to that server which gives up after `wait` seconds without an answer."""
    settings = Settings(instance=server.url, access_token=SecretStr(token) if token else None, **more)
    wire = Wire(connect_timeout=wait, read_timeout=wait, deadline=2 * wait, proxies=False, largest=1024 * 1024)
    return MastodonConnector(settings, wire=wire, now=now, patience=patience)


def waiting_for(kind: str) -> float:
    """How long a test of that fault lets the connector wait."""
    return QUICK if kind in NEVER_ANSWERED else PATIENT


def full(url: str, own: str) -> str:
    """The id as the connector gives it."""
    return f"{urlsplit(url).netloc}/{own}"


def own(full_id: str) -> str:
    """The id as its server knows it."""
    return full_id.rpartition("/")[2]


def said(server: MastodonServer, text: str, *, who: str = "ana", **more: Any) -> str:
    """Somebody posts; gives the id as the connector gives it."""
    return full(server.url, server.person(who).post(text, **more))


class MastodonWorld(World):
    """People on a local server."""

    module = "connectors.mastodon"
    query = f"#{TAG}"
    mentions_query = "mentions"
    bad_query = "#12345"
    page_size = 40
    lateness = timedelta(minutes=10)
    secret = TOKEN

    def __init__(self, server: MastodonServer) -> None:
        self.server = server

    def connector(self) -> Connector:
        return connected(self.server)

    def streaming(self) -> Connector:
        self.server.streams.thump = 0.1
        return connected(self.server, patience=Patience(beat=0.1, silence=1.0))

    def silence_streams(self) -> None:
        self.server.streams.disturb("silent")

    def cut_streams(self) -> None:
        self.server.streams.disturb("cut")

    def post(
        self,
        who: str,
        text: str,
        *,
        reply_to: str | None = None,
        to_us: bool = False,
        late: timedelta = timedelta(0),
    ) -> str:
        text = f"{f'@{BRAND} ' if to_us else ''}{text} #{TAG}"
        parent = own(reply_to) if reply_to else None
        return full(self.server.url, self.server.person(who).post(text, in_reply_to_id=parent, late=late))

    def edit(self, external_id: str, text: str) -> None:
        self.server.edit_status(own(external_id), f"{text} #{TAG}")

    def delete(self, external_id: str) -> None:
        self.server.delete_status(own(external_id))

    def ours(self) -> list[Ours]:
        return [
            Ours(external_id=full(self.server.url, row["id"]), parent_id=parent, text=row["text"])
            for row in self.server.posts_by(BRAND)
            for parent in [row["in_reply_to_id"] and full(self.server.url, row["in_reply_to_id"])]
        ]

    def fail(self, fault: Fault, *, writes: bool = False, times: int = 1) -> None:
        if writes:
            self.server.fail("(POST|PUT|DELETE) /api/v1/statuses", WRITE_FAULTS[fault], times=times)
        else:
            self.server.fail("GET (?!/api/v[12]/instance)", READ_FAULTS[fault], times=times)

    def heal(self) -> None:
        self.server.heal()

    def descriptions(self, external_id: str) -> list[str]:
        return [each["description"] for each in self.server.statuses[own(external_id)]["media"]]

    def seen_by_one(self, external_id: str) -> bool:
        row = self.server.statuses[own(external_id)]
        return bool(row["visibility"] == "direct")

    def fail_upload(self, fault: Fault) -> bool:
        kinds = {**READ_FAULTS, **WRITE_FAULTS}
        self.server.fail("POST /api/v2/media", kinds[fault])
        return True

    @property
    def our_id(self) -> str:
        return full(self.server.url, self.server.person(BRAND).id)


@pytest.fixture
def server() -> Iterator[MastodonServer]:
    with MastodonServer() as running:
        yield running


@pytest.fixture
def other_server() -> Iterator[MastodonServer]:
    with MastodonServer(other=True) as running:
        yield running


class TestMastodon(Conformance):
    @pytest.fixture
    def world(self, server: MastodonServer) -> World:
        return MastodonWorld(server)


class TestNotMastodon(Conformance):
    """A server that only speaks the protocol: UUIDs, `user@host` for local authors, no rate-limit headers."""

    @pytest.fixture
    def world(self, other_server: MastodonServer) -> World:
        return MastodonWorld(other_server)


def request_for(url: str, parent: str, *, text: str = "Lo miramos.", handle: str = "ana", **more: Any) -> ReplyRequest:
    given: dict[str, Any] = {
        "key": "draft-1",
        "parent_id": full(url, parent),
        "parent_author": Author(external_id=full(url, "1"), handle=handle),
        "parent_visibility": Visibility.PUBLIC,
        "text": text,
        "language": "es",
    }
    return ReplyRequest(**given | more)


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://mastodon.example/", "https://mastodon.example"),
        (" mastodon.example ", "https://mastodon.example"),
        ("https://mastodon.example:8443", "https://mastodon.example:8443"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://Mastodon.Example:443", "https://mastodon.example"),
    ],
)
def test_an_address_is_read(given: str, read: str) -> None:
    assert Settings(instance=given).instance == read


@pytest.mark.parametrize(
    "given",
    [
        "http://mastodon.example",
        "http://127.0.0.1.example",
        "https://user:pass@mastodon.example",
        "https://mastodon.example/@marca",
        "https://mastodon.example?x=1",
        "ftp://mastodon.example",
        "https://",
        "https://mastodon.example:port",
        f"https://{'a' * 172}",
        "",
    ],
)
def test_an_address_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        Settings(instance=given)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "eñe"])
def test_a_bad_token_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(instance="mastodon.example", access_token=SecretStr(token))
    assert token not in str(caught.value)


def test_an_unknown_setting_is_refused_and_every_setting_says_where_it_comes_from() -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"instance": "mastodon.example", "tokn": "x"})
    for field in Settings.model_fields.values():
        assert isinstance(field.json_schema_extra, dict)
        assert field.json_schema_extra["where"]


def test_connecting_asks_the_network_nothing(server: MastodonServer) -> None:
    assert connect(Settings(instance=server.url, access_token=SecretStr(TOKEN))).facts == FACTS
    assert server.requests == []


def test_a_token_is_never_taken_for_a_file_name(server: MastodonServer, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / TOKEN).write_text("something private")
    connected(server).whoami()
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


# --- without an account ---------------------------------------------------------------------------------------------


def test_a_public_hashtag_needs_no_account(server: MastodonServer) -> None:
    server.person("ana").post("hola @marca #telecom")
    connector = connected(server, token=None)
    assert not connector.speaks
    assert connector.whoami() is None
    (post,) = connector.poll("#telecom", None).posts
    assert post.kind is PostKind.FOUND
    assert all("authorization" not in seen.headers for seen in server.requests)


@pytest.mark.parametrize("query", ["mentions", "sin señal"])
def test_mentions_and_searches_need_one(server: MastodonServer, query: str) -> None:
    connector = connected(server, token=None)
    with pytest.raises(Mistake, match="access_token"):
        connector.explain_query(query)
    with pytest.raises(AuthFailed):
        connector.poll(query, None)
    with pytest.raises(AuthFailed):
        connector.reply(request_for(server.url, "1"))
    with pytest.raises(AuthFailed):
        connector.find_reply(request_for(server.url, "1"), datetime.now(UTC))
    assert server.requests == []


def test_posts_can_be_looked_up_without_one(server: MastodonServer) -> None:
    here, gone = said(server, "uno"), said(server, "dos")
    server.delete_status(own(gone))
    rechecked = connected(server, token=None).recheck([here, gone])
    assert [post.external_id for post in rechecked.present] == [here]
    assert rechecked.gone == (gone,)


# --- queries --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query", ["#", "#123", "", "  ", "#a/b", "#../statuses", "#tag@otro.example", "-nada", "(sin", "a OR from:b"]
)
def test_a_query_that_makes_no_sense_is_a_mistake_and_asks_nothing(server: MastodonServer, query: str) -> None:
    connector = connected(server)
    with pytest.raises(Mistake):
        connector.explain_query(query)
    with pytest.raises(Rejected):
        connector.poll(query, None)
    assert server.requests == []


def test_a_hashtag_elsewhere_is_told_where_to_listen(server: MastodonServer) -> None:
    with pytest.raises(Mistake, match=r"instance = .https://otro.example"):
        connected(server).explain_query("#avería@otro.example")


def test_hashtags_may_hold_any_letter(server: MastodonServer) -> None:
    post = said(server, "se fue la luz #avería2026")
    assert [each.external_id for each in connected(server).poll("#avería2026", None).posts] == [post]


def test_a_search_finds_text_and_overlaps(server: MastodonServer) -> None:
    connector = connected(server)
    old = [said(server, f"corte de fibra {n}") for n in range(3)]
    server.person("ana").post("otra cosa")
    first = connector.poll("corte fibra", None)
    assert [post.external_id for post in first.posts] == old
    new = [said(server, f"corte de fibra, otra vez {n}", who="luis") for n in range(90)]
    second = connector.poll("corte fibra", first.cursor)
    assert only_new(list(second.posts), set(old)) == new
    assert second.gap is None
    assert not second.more


def test_a_server_without_text_search_finds_nothing(server: MastodonServer) -> None:
    server.text_search = False
    server.person("ana").post("corte de fibra")
    page = connected(server).poll("fibra", None)
    assert page.posts == ()
    assert "nothing at all" in connected(server).explain_query("fibra")


def test_a_search_that_cannot_be_read_back_in_full_says_so(server: MastodonServer, monkeypatch: Any) -> None:
    monkeypatch.setattr("connectors.mastodon_reading._MOST_PAGES", 2)
    connector = connected(server)
    cursor = connector.poll("fibra", None).cursor
    for n in range(100):
        server.person("ana").post(f"fibra {n}")
    page = connector.poll("fibra", cursor)
    assert len(page.posts) == 80
    assert page.gap


# --- reading mentions -----------------------------------------------------------------------------------------------


def test_direct_messages_held_back_by_the_servers_policy_are_read(server: MastodonServer) -> None:
    post = said(server, "@marca mi número de cliente es 123", visibility="direct")
    (read,) = connected(server).poll("mentions", None).posts
    assert read.external_id == post
    assert read.kind is PostKind.DIRECT
    assert read.visibility is Visibility.DIRECT


def test_mentions_are_read_in_the_order_they_arrive_however_late(server: MastodonServer) -> None:
    connector = connected(server)
    first = said(server, "@marca uno")
    _, cursor = read_all(connector, "mentions", None)
    late = said(server, "@marca dos", late=timedelta(days=3))
    posts, _ = read_all(connector, "mentions", cursor)
    assert only_new(posts, {first}) == [late]


def test_a_notification_without_its_status_is_passed_over(server: MastodonServer) -> None:
    server.person("ana").post("@marca uno")
    note = {"id": "77", "type": "mention", "created_at": "2026-08-01T00:00:00.000Z", "account": {}, "status": None}
    server.fail("GET /api/v1/notifications", "wrong_type", body=[note])
    page = connected(server).poll("mentions", None)
    assert page.posts == ()
    assert page.gap is None


# --- hashtags: lateness, gaps, big backlogs -------------------------------------------------------------------------


def test_a_post_hours_late_is_read_by_the_hourly_sweep(server: MastodonServer) -> None:
    clock = Later()
    connector = connected(server, now=clock)
    for hours in range(12, 0, -1):
        server.person("ana").post(f"hace {hours} horas #telecom", late=timedelta(hours=hours))
    posts, cursor = read_all(connector, "#telecom", None)
    known = {post.external_id for post in posts}
    late = said(server, "mi servidor estuvo caído #telecom", late=timedelta(hours=4))
    posts, cursor = read_all(connector, "#telecom", cursor)
    assert only_new(posts, known) == []
    clock.ahead = timedelta(minutes=61)
    posts, cursor = read_all(connector, "#telecom", cursor)
    assert only_new(posts, known) == [late]


def test_a_poll_in_between_asks_little(server: MastodonServer) -> None:
    clock = Later()
    connector = connected(server, now=clock)
    for n in range(120):
        server.person("ana").post(f"{n} #telecom", late=timedelta(minutes=1440 - 10 * n))
    _, cursor = read_all(connector, "#telecom", None)
    for minutes in (20, 40, 59):
        clock.ahead = timedelta(minutes=minutes)
        before = len(server.requests)
        _, cursor = read_all(connector, "#telecom", cursor)
        assert len(server.requests) - before == 1
    assert len(json.dumps(cursor)) < 4000


def test_a_backlog_is_read_page_by_page_and_survives_a_restart(server: MastodonServer) -> None:
    clock = Later()
    server.person("ana").post("antes #telecom", late=timedelta(hours=30))
    _, cursor = read_all(connected(server, now=clock), "#telecom", None)
    clock.ahead = timedelta(hours=2)
    wanted = [said(server, f"{n} #telecom") for n in range(170)]
    seen: list[str] = []
    for _ in range(20):
        page = connected(server, now=clock).poll("#telecom", cursor)  # a new process every time
        assert len(page.posts) <= 40
        seen += [post.external_id for post in page.posts]
        cursor = json.loads(json.dumps(page.cursor))
        if not page.more:
            break
    assert list(dict.fromkeys(seen))[-170:] == wanted


def test_the_first_look_goes_back_a_day_and_at_most_some_pages(server: MastodonServer) -> None:
    for n in range(300):
        server.person("ana").post(f"{n} #telecom", late=timedelta(seconds=3000 - n))
    page = connected(server).poll("#telecom", None)
    assert len(page.posts) == 200
    assert page.posts[-1].text.startswith("299")
    assert page.posts[0].posted_at < page.posts[-1].posted_at


def test_a_server_that_gives_ten_at_a_time_is_read_in_full(server: MastodonServer, monkeypatch: Any) -> None:
    monkeypatch.setattr("connectors.mastodon.PAGE", 10)  # as if the server cut our limit down
    connector = connected(server)
    wanted = [said(server, f"{n} #telecom") for n in range(35)]
    posts, cursor = read_all(connector, "#telecom", None)
    assert only_new(posts, set()) == wanted
    more = [said(server, f"más {n} #telecom") for n in range(35)]
    posts, _ = read_all(connector, "#telecom", cursor)
    assert only_new(posts, set(wanted)) == more


def test_a_server_that_ignores_min_id_does_not_keep_us_busy(server: MastodonServer) -> None:
    connector = connected(server)
    for n in range(30):
        server.person("ana").post(f"{n} #telecom", late=timedelta(hours=1))
    page = connector.poll("#telecom", None)
    newest = page.posts[-1].raw
    cursor: Cursor = {**page.cursor, "at": own(page.posts[-1].external_id)}
    server.fail("GET /api/v1/timelines", "wrong_type", times=5, body=[newest] * 25)
    assert not connector.poll("#telecom", cursor).more


# --- what a post says -----------------------------------------------------------------------------------------------


def read_one(server: MastodonServer, text: str = "hola", **more: Any) -> Any:
    server.person("ana").post(f"{text} #telecom", **more)
    (post,) = connected(server).poll("#telecom", None).posts
    return post


def test_everything_a_status_says_is_kept(server: MastodonServer) -> None:
    server.person("luis@otra.example")
    image = {"id": "5", "type": "image", "url": "https://files.example/1.png", "description": "Un poste caído"}
    post = read_one(
        server,
        "@luis@otra.example mira https://www.example.com/una/direccion/muy/larga/que/se/acorta?a=1&b=2\n\nfin",
        language="es",
        spoiler_text="avería",
        media=[image, {"id": "6", "type": "video", "url": None, "remote_url": "https://files.example/2.mp4"}],
        poll=["Sí", "No"],
    )
    assert post.text == (
        "@luis@otra.example mira https://www.example.com/una/direccion/muy/larga/que/se/acorta?a=1&b=2\n\n"
        "fin #telecom\n\n○ Sí\n○ No"
    )
    assert post.content_warning == "avería"
    assert post.language == "es"
    assert [(each.kind, each.url, each.alt) for each in post.media] == [
        ("image", "https://files.example/1.png", "Un poste caído"),
        ("video", "https://files.example/2.mp4", ""),
    ]
    assert post.author.handle == "ana"
    assert post.author.followers == 12
    assert post.author.created_at is not None
    assert post.url == f"{server.url}/@ana/{own(post.external_id)}"
    assert post.external_id == full(server.url, post.raw["id"])
    assert post.author.external_id == full(server.url, server.person("ana").id)
    assert post.edited_at is None


def test_an_edit_is_seen_when_the_post_is_read_again(server: MastodonServer) -> None:
    connector = connected(server)
    post = server.person("ana").post("sin señal #telecom")
    _, cursor = read_all(connector, "#telecom", None)
    server.edit_status(post, "ya tengo señal #telecom")
    (again,) = read_all(connector, "#telecom", cursor)[0]
    assert again.edited_at is not None
    assert again.text.startswith("ya tengo")


@pytest.mark.parametrize(
    ("visibility", "read"),
    [
        ("unlisted", Visibility.UNLISTED),
        ("private", Visibility.FOLLOWERS),
        ("direct", Visibility.DIRECT),
        ("mutuals_only", Visibility.FOLLOWERS),
    ],
)
def test_visibility_is_never_read_wider(server: MastodonServer, visibility: str, read: Visibility) -> None:
    server.person("ana").post("@marca hola", visibility=visibility)
    (post,) = connected(server).poll("mentions", None).posts
    assert post.visibility is read


@pytest.mark.parametrize(
    ("profile", "opted_out", "bot"),
    [
        ({}, False, False),
        ({"bot": True}, False, True),
        ({"note": '<p>Hola <a href="https://x.example/tags/nobot">#<span>NoBot</span></a></p>'}, True, False),
        ({"note": "<p>#nobots, please</p>"}, True, False),
        ({"fields": [{"name": "Bots", "value": "<p>#nobot</p>", "verified_at": None}]}, True, False),
        ({"note": "<p>I build nobots and #nobotany</p>"}, False, False),
        ({"note": None, "fields": None, "bot": None, "display_name": None}, False, False),
        ({"note": 7, "fields": [None, 3], "bot": "yes", "followers_count": -4}, False, False),
    ],
)
def test_who_does_not_want_bots_is_known(
    server: MastodonServer, profile: dict[str, Any], opted_out: bool, bot: bool
) -> None:
    server.person("ana", **profile)
    post = read_one(server)
    assert (post.author.opted_out, post.author.bot) == (opted_out, bot)


def test_one_broken_post_does_not_hide_the_others_and_is_admitted(server: MastodonServer) -> None:
    server.person("ana").post("roto #telecom", more={"account": None})
    server.person("ana").post("sin id #telecom", more={"id": "../../etc/passwd"})
    good = said(server, "entero #telecom")
    page = connected(server).poll("#telecom", None)
    assert [post.external_id for post in page.posts] == [good]
    assert page.gap is not None
    assert "2 posts" in page.gap


def test_a_local_author_is_known_by_id_whatever_the_handle(other_server: MastodonServer) -> None:
    other_server.person("ana").post("hola @marca #telecom")
    connector = connected(other_server)
    (post,) = connector.poll("#telecom", None).posts
    assert post.kind is PostKind.MENTION
    assert post.author.handle == "ana@pruebas.example"
    request = request_for(other_server.url, own(post.external_id), handle=post.author.handle)
    posted = connector.reply(request)
    found = connector.find_reply(request, datetime.now(UTC) - timedelta(seconds=5))
    assert found is not None
    assert found.external_id == posted.external_id


def test_numbers_for_ids_are_opaque_strings_too(server: MastodonServer) -> None:
    post = read_one(server, more={"id": 12345678901234567890, "in_reply_to_id": 7})
    assert post.external_id == full(server.url, "12345678901234567890")
    assert post.parent_id == full(server.url, "7")


# --- writing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "parent", "said"),
    [
        (None, Visibility.PUBLIC, "unlisted"),
        (None, Visibility.UNLISTED, "unlisted"),
        (None, Visibility.FOLLOWERS, "private"),
        (None, Visibility.DIRECT, "direct"),
        (Visibility.PUBLIC, Visibility.PUBLIC, "public"),
        (Visibility.PUBLIC, Visibility.DIRECT, "direct"),
        (Visibility.FOLLOWERS, Visibility.PUBLIC, "private"),
    ],
)
def test_an_answer_is_never_wider_than_its_parent(
    server: MastodonServer, wish: Visibility | None, parent: Visibility, said: str
) -> None:
    names = {"public": "public", "unlisted": "unlisted", "followers": "private", "direct": "direct"}
    post = server.person("ana").post("@marca hola", visibility=names[parent])
    connector = connected(server, **({"visibility": wish} if wish else {}))
    connector.reply(request_for(server.url, post, parent_visibility=parent))
    assert server.posts_by(BRAND)[0]["visibility"] == said


def test_an_answer_carries_key_language_warning_and_mention(server: MastodonServer) -> None:
    post = server.person("ana").post("@marca hola", spoiler_text="factura")
    connected(server).reply(request_for(server.url, post, content_warning="factura", key="draft-77"))
    (row,) = server.posts_by(BRAND)
    assert (row["text"], row["language"], row["spoiler_text"]) == ("@ana Lo miramos.", "es", "factura")
    assert server.requests[-1].headers["idempotency-key"] == "draft-77"
    assert server.requests[-1].form["in_reply_to_id"] == post


def test_whom_the_text_mentions_already_is_not_mentioned_twice(server: MastodonServer) -> None:
    post = server.person("ana").post("@marca hola")
    connected(server).reply(request_for(server.url, post, text="Hola, @Ana, lo miramos."))
    assert server.posts_by(BRAND)[0]["text"] == "Hola, @Ana, lo miramos."


@pytest.mark.parametrize("language", ["und", "es-MX", "", None, "x'; --"])
def test_a_language_that_is_none_is_not_claimed(server: MastodonServer, language: str | None) -> None:
    post = server.person("ana").post("@marca hola")
    connected(server).reply(request_for(server.url, post, language=language))
    assert "language" not in server.requests[-1].form


def test_a_long_content_warning_does_not_stop_the_answer(server: MastodonServer) -> None:
    post = server.person("ana").post("@marca hola", spoiler_text="x" * 300)
    connector = connected(server)
    connector.reply(request_for(server.url, post, text="a" * 400, content_warning="x" * 300))
    (row,) = server.posts_by(BRAND)
    assert row["spoiler_text"] == "x" * 94 + "…"


def test_a_parent_id_that_is_a_path_is_rejected_unasked(server: MastodonServer) -> None:
    with pytest.raises(Rejected):
        connected(server).reply(request_for(server.url, "../accounts/1"))
    assert server.requests == []


@pytest.mark.parametrize("kind", ["timeout_after", "cut_after", "500_after", "truncated", "huge", "slow", "wrong_type"])
def test_a_write_that_took_effect_unseen_is_unknown_then_found(server: MastodonServer, kind: str) -> None:
    post = server.person("ana").post("@marca hola")
    connector, request, since = connected(server), request_for(server.url, post), datetime.now(UTC)
    server.fail(POST, kind)
    with pytest.raises(OutcomeUnknown):
        connected(server, wait=waiting_for(kind)).reply(request)
    found = connector.find_reply(request, since)
    assert found is not None
    assert [own(found.external_id)] == [row["id"] for row in server.posts_by(BRAND)]


@pytest.mark.parametrize("kind", ["timeout_before", "cut_before", "500", "502", "503", "408", "html"])
def test_a_write_without_effect_and_answer_is_unknown_then_not_found(server: MastodonServer, kind: str) -> None:
    post = server.person("ana").post("@marca hola")
    connector, request, since = connected(server), request_for(server.url, post), datetime.now(UTC)
    server.fail(POST, kind)
    with pytest.raises(OutcomeUnknown):
        connected(server, wait=waiting_for(kind)).reply(request)
    assert connector.find_reply(request, since) is None
    assert server.posts_by(BRAND) == []


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("401", {}, AuthFailed),
        ("404", {}, Rejected),
        ("410", {}, Rejected),
        ("422", {}, Rejected),
        ("400", {}, Rejected),
        ("429", {}, RateLimited),
        ("429_bare", {}, RateLimited),
        ("redirect", {"to": "/elsewhere", "status": 308}, Unavailable),
        ("redirect", {"to": "/elsewhere", "status": 303}, OutcomeUnknown),
        ("html", {"status": 403}, OutcomeUnknown),
        ("html", {"status": 404}, OutcomeUnknown),
        ("html", {"status": 502}, OutcomeUnknown),
    ],
)
def test_what_a_refused_write_means(
    server: MastodonServer, kind: str, options: dict[str, Any], error: type[NetworkError]
) -> None:
    post = server.person("ana").post("@marca hola")
    server.fail(POST, kind, **options)
    with pytest.raises(error) as caught:
        connected(server).reply(request_for(server.url, post))
    assert type(caught.value) is error
    assert TOKEN not in str(caught.value)
    assert sum(seen.method == "POST" for seen in server.requests) == 1


def test_a_write_refused_with_403_asks_whether_it_is_us(server: MastodonServer) -> None:
    post = server.person("ana").post("@marca hola")
    connector = connected(server)
    server.fail(POST, "403", times=2)
    with pytest.raises(Rejected, match="not allowed"):
        connector.reply(request_for(server.url, post))
    server.fail("GET /api/v1/accounts/verify_credentials", "403")
    with pytest.raises(AuthFailed):
        connector.reply(request_for(server.url, post))


def test_the_servers_own_reason_is_passed_on_in_one_safe_line(server: MastodonServer) -> None:
    post = server.person("ana").post("@marca hola")
    server.fail(POST, "422", error=f"No puede ser:\n\x1b[31m token={TOKEN} " + "x" * 900)
    with pytest.raises(Rejected) as caught:
        connected(server).reply(request_for(server.url, post))
    message = str(caught.value)
    assert "No puede ser:" in message
    assert TOKEN not in message
    assert message.isprintable()
    assert len(message) < 300


def test_nothing_listens_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(Unavailable):
        MastodonConnector(Settings(instance=url)).whoami()
    connector = MastodonConnector(Settings(instance=url, access_token=SecretStr(TOKEN)))
    with pytest.raises(Unavailable):
        connector.poll("#telecom", None)
    with pytest.raises(Unavailable):  # nothing reached it, so nothing can have been written
        connector.reply(request_for(url, "1"))


def test_a_server_that_ignores_keys_is_why_we_look_first(server: MastodonServer) -> None:
    server.forget_keys = True
    post = server.person("ana").post("@marca hola")
    connector, request, since = connected(server), request_for(server.url, post), datetime.now(UTC)
    server.fail(POST, "cut_after")
    with pytest.raises(OutcomeUnknown):
        connector.reply(request)
    assert connector.find_reply(request, since) is not None
    assert len(server.posts_by(BRAND)) == 1


# --- looking for what we wrote --------------------------------------------------------------------------------------


def test_our_answer_is_found_among_many_others(server: MastodonServer) -> None:
    post = server.person("ana").post("@marca hola")
    connector, request, since = connected(server), request_for(server.url, post), datetime.now(UTC)
    posted = connector.reply(request)
    for n in range(95):
        server.person(BRAND).post(f"otra cosa {n}")
        server.person("luis").reply(post, "Lo miramos.")
    server.fail("GET /api/v1/statuses/.*/context", "wrong_type", body={"ancestors": [], "descendants": []})
    found = connector.find_reply(request, since)
    assert found is not None
    assert found.external_id == posted.external_id


def test_it_is_found_although_the_parent_is_gone(server: MastodonServer) -> None:
    post = server.person("ana").post("@marca hola")
    connector, request, since = connected(server), request_for(server.url, post), datetime.now(UTC)
    server.fail(POST, "cut_after")
    with pytest.raises(OutcomeUnknown):
        connector.reply(request)
    server.delete_status(post)
    assert connector.find_reply(request, since) is not None


def test_the_same_words_under_another_post_are_not_it(server: MastodonServer) -> None:
    one, two = server.person("ana").post("@marca uno"), server.person("ana").post("@marca dos")
    connector, since = connected(server), datetime.now(UTC)
    connector.reply(request_for(server.url, one))
    assert connector.find_reply(request_for(server.url, two, key="draft-2"), since) is None


def test_somebody_elses_answer_is_not_it(server: MastodonServer) -> None:
    post = server.person("ana").post("@marca hola", late=timedelta(hours=2))
    server.person("impostor").reply(post, "@ana Lo miramos.")
    assert connected(server).find_reply(request_for(server.url, post), datetime.now(UTC)) is None


def test_an_answer_edited_since_cannot_be_told(server: MastodonServer) -> None:
    post = server.person("ana").post("@marca hola")
    connector, request, since = connected(server), request_for(server.url, post), datetime.now(UTC)
    posted = connector.reply(request)
    server.edit_status(own(posted.external_id), "@ana Corregido por una compañera.")
    with pytest.raises(OutcomeUnknown):
        connector.find_reply(request, since)


@pytest.mark.parametrize(
    ("route", "kind", "error"),
    [
        ("context", "503", Unavailable),
        ("context", "html", Unavailable),
        ("accounts/.*/statuses", "timeout_before", Unavailable),
        ("accounts/.*/statuses", "truncated", Unavailable),
        ("accounts/.*/statuses", "429", RateLimited),
        ("verify_credentials", "401", AuthFailed),
    ],
)
def test_not_being_able_to_look_is_never_a_no(
    server: MastodonServer, route: str, kind: str, error: type[NetworkError]
) -> None:
    post = server.person("ana").post("@marca hola")
    server.fail(f"GET .*{route}", kind)
    with pytest.raises(error):
        connected(server, wait=waiting_for(kind)).find_reply(request_for(server.url, post), datetime.now(UTC))


def test_not_reaching_back_far_enough_is_never_a_no(server: MastodonServer, monkeypatch: Any) -> None:
    monkeypatch.setattr("connectors.mastodon._OWN_PAGES", 2)
    for n in range(100):
        server.person(BRAND).post(f"{n}")
    with pytest.raises(OutcomeUnknown, match="far enough"):
        connected(server).find_published(PublishRequest(key="k", text="hola"), datetime.now(UTC) - timedelta(hours=1))


def test_a_notice_is_as_public_as_asked_and_not_taken_for_an_answer(server: MastodonServer) -> None:
    connector, since = connected(server), datetime.now(UTC)
    post = server.person("ana").post("@marca hola")
    connector.reply(request_for(server.url, post, text="Avería resuelta"))
    request = PublishRequest(key="n", text="Avería resuelta", visibility=Visibility.PUBLIC)
    assert connector.find_published(request, since) is None
    connector.publish(request)
    assert server.posts_by(BRAND)[-1]["visibility"] == "public"
    assert connector.find_published(request, since) is not None


# --- faults on reading ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("401", {}, AuthFailed),
        ("403", {}, AuthFailed),
        ("html", {"status": 403}, Unavailable),
        ("html", {"status": 404}, Unavailable),
        ("html", {"status": 200}, Unavailable),
        ("404", {}, Rejected),
        ("422", {}, Rejected),
        ("500", {}, Unavailable),
        ("504", {}, Unavailable),
        ("429", {}, RateLimited),
        ("timeout_before", {}, Unavailable),
        ("cut_before", {}, Unavailable),
        ("truncated", {}, Unavailable),
        ("wrong_type", {}, Unavailable),
        ("wrong_type", {"body": [{"no": "id"}, 3, None]}, Unavailable),
        ("raw", {"body": "[" * 50_000}, Unavailable),
        ("raw", {"body": '{"a":' * 5_000 + "1" + "}" * 5_000}, Unavailable),
        ("raw", {"body": "[" + "9" * 5_000 + "]"}, Unavailable),
        ("raw", {"body": ""}, Unavailable),
        ("raw", {"body": "null"}, Unavailable),
        ("huge", {}, Unavailable),
        ("slow", {}, Unavailable),
        ("redirect", {"to": "https://elsewhere.example/"}, Unavailable),
    ],
)
def test_what_a_failed_read_means(
    server: MastodonServer, kind: str, options: dict[str, Any], error: type[NetworkError]
) -> None:
    server.person("ana").post("hola #telecom")
    server.fail("GET /api/v1/timelines", kind, **options)
    with pytest.raises(error) as caught:
        connected(server, wait=waiting_for(kind)).poll("#telecom", None)
    assert type(caught.value) is error
    assert TOKEN not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_redirect_is_not_followed_with_our_token(server: MastodonServer, other_server: MastodonServer) -> None:
    post = server.person("ana").post("@marca hola #telecom")
    for status in (301, 302, 303, 307, 308):
        server.fail("GET /api/v1/timelines", "redirect", to=f"{other_server.url}/api/v1/x", status=status)
        with pytest.raises(Unavailable):
            connected(server).poll("#telecom", None)
        server.fail(POST, "redirect", to=f"{other_server.url}/api/v1/statuses", status=status)
        with pytest.raises((Unavailable, OutcomeUnknown)):
            connected(server).reply(request_for(server.url, post))
    assert other_server.requests == []


def test_nonsense_in_the_headers_spoils_nothing(server: MastodonServer) -> None:
    post = said(server, "@marca hola #telecom")
    server.fail("GET|POST", "bad_headers", times=10)
    connector = connected(server)
    page = connector.poll("#telecom", None)
    assert [each.external_id for each in page.posts] == [post]
    assert page.retry_after is None
    connector.reply(request_for(server.url, own(post)))
    assert len(server.posts_by(BRAND)) == 1


def test_how_long_to_wait_is_read_from_the_headers(server: MastodonServer) -> None:
    server.fail("GET /api/v1/timelines", "429")
    server.fail("GET /api/v1/timelines", "429_bare")
    connector = connected(server)
    with pytest.raises(RateLimited) as told:
        connector.poll("#telecom", None)
    assert told.value.retry_after is not None
    assert 290 < told.value.retry_after <= 301  # the Date header knows no fractions
    with pytest.raises(RateLimited) as untold:
        connector.poll("#telecom", None)
    assert untold.value.retry_after is None


def test_after_the_last_request_allowed_the_page_says_wait(server: MastodonServer) -> None:
    server.fail("GET /api/v1/timelines", "last_allowed", times=3)
    server.person("ana").post("hola #telecom")
    page = connected(server).poll("#telecom", None)
    assert len(page.posts) == 1
    assert page.retry_after is not None
    assert 290 < page.retry_after <= 301  # the Date header knows no fractions


def test_a_text_with_half_characters_passes(server: MastodonServer) -> None:
    status = read_one(server).raw
    body = json.dumps([{**status, "content": "<p>\ud83d mitad \x00 fin</p>", "extra": ["\udc00\x00"]}])
    server.fail("GET /api/v1/timelines", "raw", body=body)
    (post,) = connected(server).poll("#telecom", None).posts
    assert post.text == "mitad fin"
    assert "\x00" not in json.dumps(post.raw, ensure_ascii=False).encode("utf-8").decode()


# --- rechecking -----------------------------------------------------------------------------------------------------


def test_many_are_looked_up_together(server: MastodonServer) -> None:
    ids = [said(server, f"{n}") for n in range(45)]
    server.delete_status(own(ids[7]))
    connector = connected(server)
    connector.whoami()
    before = len(server.requests)
    rechecked = connector.recheck([*ids, ids[0], full(server.url, "no/such/../id")])
    assert rechecked.gone == (ids[7],)
    assert {post.external_id for post in rechecked.present} == set(ids) - {ids[7]}
    assert len(server.requests) - before == 4


def test_a_server_that_cannot_do_that_is_asked_one_by_one(other_server: MastodonServer) -> None:
    ids = [said(other_server, f"{n}") for n in range(3)]
    other_server.delete_status(own(ids[1]))
    rechecked = connected(other_server).recheck(ids)
    assert rechecked.gone == (ids[1],)
    assert [post.external_id for post in rechecked.present] == [ids[0], ids[2]]


def test_a_proxys_404_deletes_nothing(server: MastodonServer) -> None:
    ids = [said(server, f"{n}") for n in range(3)]
    server.fail("GET /api/v1/statuses", "html", times=50, status=404)
    with pytest.raises(Unavailable):
        connected(server).recheck(ids)


@pytest.mark.parametrize("kind", ["401", "403", "422", "500", "timeout_before"])
def test_one_that_cannot_be_told_does_not_hold_up_the_rest(server: MastodonServer, kind: str) -> None:
    ids = [said(server, f"{n}") for n in range(3)]
    server.delete_status(own(ids[2]))
    server.fail("GET /api/v1/statuses$", "404")
    server.fail(f"GET /api/v1/statuses/{own(ids[0])}", kind)
    rechecked = connected(server, wait=2 if kind in NEVER_ANSWERED else PATIENT).recheck(ids)
    assert [post.external_id for post in rechecked.present] == [ids[1]]
    assert rechecked.gone == (ids[2],)


def test_a_dead_server_is_not_asked_for_every_single_post(server: MastodonServer) -> None:
    connector = connected(server)
    connector.whoami()
    before = len(server.requests)
    server.fail("GET /api/v1/statuses", "503", times=100)
    with pytest.raises(Unavailable):
        connector.recheck([full(server.url, str(n)) for n in range(1, 61)])
    assert len(server.requests) - before < 10


# --- length ---------------------------------------------------------------------------------------------------------


def test_the_servers_own_limit_is_learnt_once(server: MastodonServer) -> None:
    server.max_characters = 5000
    connector = connected(server)
    assert connector.facts.limit == 500
    connector.whoami()
    assert connector.facts.limit == 5000
    connector.poll("#telecom", None)
    assert sum(seen.path.endswith("/instance") for seen in server.requests) == 1


@pytest.mark.parametrize(
    ("body", "limit", "url"),
    [
        ({"max_toot_chars": 1000}, 1000, 23),
        ({}, 500, 23),
        ({"configuration": None, "max_toot_chars": "many"}, 500, 23),
        ({"configuration": {"statuses": {"max_characters": 0, "characters_reserved_per_url": 30}}}, 500, 30),
        ({"configuration": {"statuses": {"max_characters": True}}}, 500, 23),
    ],
)
def test_an_older_servers_limit_is_learnt_too(server: MastodonServer, body: Any, limit: int, url: int) -> None:
    server.fail("GET /api/v2/instance", "404")
    server.fail("GET /api/v1/instance", "wrong_type", body=body)
    connector = connected(server)
    connector.whoami()
    assert connector.facts.limit == limit
    assert connector.facts.count("https://example.com/") == url


def test_a_server_that_does_not_tell_its_limit_stops_nothing(server: MastodonServer) -> None:
    server.fail("GET /api/v./instance", "500", times=10)
    clock = Later()
    connector = connected(server, now=clock)
    server.person("ana").post("hola #telecom")
    assert connector.poll("#telecom", None).posts
    assert connector.facts.limit == 500
    server.heal()
    server.max_characters = 700
    connector.whoami()
    assert connector.facts.limit == 500
    clock.ahead = timedelta(hours=2)
    connector.whoami()
    assert connector.facts.limit == 700


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/" + "a" * 460 + " " + "x" * 470,
        "@luis@otra.example " + "x" * 490,
        "n\u0303" * 490,
        "mira https://example.com/una/ruta?con=consulta, y (https://example.org)." + "x" * 420,
        "https://例え.jp/ " + "x" * 480,
    ],
)
def test_what_we_count_as_fitting_fits(server: MastodonServer, text: str) -> None:
    server.person("luis@otra.example")
    post = server.person("ana").post("@marca hola")
    connector = connected(server)
    while connector.facts.count(connector.facts.address(text, "ana")) > connector.facts.limit:
        text = text[:-1]
    connector.reply(request_for(server.url, post, text=text))
    assert count(text) <= 500


# --- two servers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def twins(monkeypatch: Any) -> Iterator[tuple[MastodonServer, MastodonServer]]:
    """Two servers on which another person's post has the same id, and everybody's account too."""

    def count_up(server: MastodonServer, _moment: float) -> int:
        server._order += 1
        return server._order

    monkeypatch.setattr(MastodonServer, "_next_order", count_up)
    with MastodonServer() as one, MastodonServer() as two:
        assert one.person(BRAND).id == two.person(BRAND).id
        assert one.person("ana").post("@marca ¿horario?") == two.person("beto").post("@marca todo mal")
        yield one, two


def test_what_has_the_same_id_on_two_servers_is_kept_apart(
    twins: tuple[MastodonServer, MastodonServer], tmp_path: Any
) -> None:
    one, two = twins
    connectors = {"one": connected(one), "two": connected(two)}
    store = stores.open(databases.at(tmp_path))
    pipeline = Pipeline(
        store,
        accounts=dict.fromkeys(connectors, "mastodon"),
        connect=connectors.__getitem__,
        network_facts=lambda _: FACTS,
        classifier=Keywords,
        policy=policies.load_text(AUTO),
        company=Company(case_pattern="ES", own_handles=frozenset()),
        clock=lambda: datetime.now(UTC),
    )
    every = timedelta(milliseconds=1)
    sources = [
        Wanted(name=name, account=name, network="mastodon", query="mentions", every=every) for name in connectors
    ]
    pipeline.start(sources, by="test")
    pipeline.once()
    with store.write() as tx:
        (manual,) = inbox.waiting(tx, states=(DraftState.PROPOSED,))
        inbox.approve(tx, manual, by="mod", now=datetime.now(UTC))
    pipeline.once()
    with store.read() as tx:
        heard = {mention.account: mention for mention in mentions.recent(tx, limit=10)}
        sent = {draft.account: draft.posted_id for draft in inbox.waiting(tx, states=(DraftState.SENT,))}
        us = identities.ours(tx, "mastodon")
    for name, server, who in [("one", one, "ana"), ("two", two, "beto")]:
        assert heard[name].author.handle == who
        (answer,) = server.posts_by(BRAND)
        assert full(server.url, answer["in_reply_to_id"]) == heard[name].external_id
        assert full(server.url, answer["id"]) == sent[name]
        assert full(server.url, server.person(BRAND).id) in us
    assert own(heard["one"].external_id) == own(heard["two"].external_id)
    two.delete_status(own(heard["two"].external_id))
    both = [mention.external_id for mention in heard.values()]
    for connector in connectors.values():
        rechecked = connector.recheck(both)
        with store.write() as tx:
            mentions.rechecked(
                tx, network="mastodon", external_ids=both, answer=rechecked, due=(), now=datetime.now(UTC)
            )
    with store.read() as tx:
        states = {mention.account: mention.state for mention in mentions.recent(tx, limit=10)}
    store.close()
    assert states == {"one": MentionState.DECIDED, "two": MentionState.GONE}


@pytest.mark.parametrize("parent", ["{other}/{id}", "{id}", "/{id}", "{own}/", "{own}/x/{id}", "{own}/..", ""])
def test_a_post_that_is_not_this_servers_is_left_alone(server: MastodonServer, parent: str) -> None:
    number = server.person("ana").post("@marca hola")
    parent = parent.format(other="otra.example", own=urlsplit(server.url).netloc, id=number)
    connector, request = connected(server), request_for(server.url, number, parent_id=parent)
    with pytest.raises(Rejected, match="not one of 127"):
        connector.reply(request)
    with pytest.raises(OutcomeUnknown, match="another server"):
        connector.find_reply(request, datetime.now(UTC))
    rechecked = connector.recheck([parent])
    assert (rechecked.present, rechecked.gone) == ((), ())
    assert server.requests == []


@pytest.mark.parametrize("url", ["mastodon.example", "http://127.0.0.1:3000", "https://" + "a" * 171])
def test_an_id_goes_out_and_comes_back_in_and_fits_the_store(url: str) -> None:
    host = urlsplit(Settings(instance=url).instance).netloc
    longest = "7" * 128
    assert own_id(host, full_id(host, longest)) == longest
    assert len(full_id(host, longest)) <= 300
    assert own_id("otra.example", full_id(host, longest)) is None


# --- one connector, many threads ------------------------------------------------------------------------------------


def test_threads_do_not_see_each_others_answers(server: MastodonServer) -> None:
    ids = {f"tag{n}x": said(server, f"hola #tag{n}x") for n in range(8)}
    connector = connected(server)
    got: dict[str, Page] = {}

    def poll(tag: str) -> None:
        for _ in range(5):
            got[tag] = connector.poll(f"#{tag}", None)

    threads = [threading.Thread(target=poll, args=(tag,)) for tag in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {tag: page.posts[0].external_id for tag, page in got.items()} == ids


def test_a_trickling_answer_is_given_up_in_time(server: MastodonServer) -> None:
    server.person("ana").post("hola #telecom")
    server.fail("GET /api/v1/timelines", "slow", pause=0.1)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="in time"):
        connected(server, token=None, wait=QUICK).poll("#telecom", None)
    assert time.monotonic() - began < 4 * QUICK + 5  # the whole of it would take minutes


# --- wrong clocks ---------------------------------------------------------------------------------------------------


def test_an_answer_is_found_by_whom_it_answers_however_fast_our_clock(server: MastodonServer) -> None:
    now = lambda: datetime.now(UTC) + timedelta(hours=1)  # noqa: E731
    connector = connected(server, now=now)
    post = server.person("ana").post("@marca hola")
    posted = connector.reply(request_for(server.url, post))
    found = connector.find_reply(request_for(server.url, post), now() - timedelta(minutes=10))
    assert found is not None
    assert found.external_id == posted.external_id


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_notice_is_not_surely_missing_where_the_clocks_differ(server: MastodonServer, ahead: timedelta) -> None:
    connector = connected(server, now=lambda: datetime.now(UTC) + ahead)
    with pytest.raises(OutcomeUnknown):
        connector.find_published(PublishRequest(key="k", text="hola"), datetime.now(UTC) + ahead)


@pytest.mark.parametrize(
    ("handle", "text", "fits"),
    [
        ("ana", "Seguimos por aquí; nuestro correo es ayuda@marca.example.", True),
        ("ana", "Hola @Ana, seguimos por aquí.", True),
        ("ana", "Seguimos por aquí, con @beto en copia.", False),
        ("ana", "Seguimos por aquí @ana@elsewhere.example", False),
        ("two names", "Seguimos por aquí.", False),
    ],
)
def test_a_direct_message_names_nobody_but_whom_it_is_to(
    server: MastodonServer, handle: str, text: str, fits: bool
) -> None:
    connector = connected(server)
    request = MessageRequest(key="k1", to=Author(external_id="1", handle=handle), text=text)
    if fits:
        posted = connector.message(request)
        (row,) = server.posts_by(BRAND)
        assert (row["visibility"], full(server.url, row["id"])) == ("direct", posted.external_id)
        return
    with pytest.raises(Rejected):
        connector.message(request)
    assert server.posts_by(BRAND) == []
