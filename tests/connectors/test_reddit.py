"""Reddit: the shared suite against a local server that speaks its protocol, and what is special to it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.reddit import FACTS, PublishingRedditConnector, RedditConnector, Settings, connect
from connectors.reddit_wire import RedditWire
from listener.contract import Connector, Publishes
from listener.desk.customers import refusal
from listener.errors import (
    AuthFailed,
    Mistake,
    NetworkError,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unavailable,
)
from listener.store.links import Claim
from listener.types import Author, LinkBasis, Post, PostKind, PublishRequest, ReplyRequest, Visibility
from tests.connectors.conformance import Conformance, Fault, Ours, World, read_all
from tests.servers.hostile import Mutating
from tests.servers.reddit import BRAND, CLIENT_ID, CLIENT_SECRET, PASSWORD, REFRESH, RedditServer

HERE = "telecom"
PATIENT = 10.0  # seconds that a connector waits, so that a busy machine fails no test
QUICK = 0.4  # and where waiting in vain is the point
COMMENT = "POST /api/comment"


class Later:
    """A clock that a test can put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def settings_for(server: RedditServer, **more: Any) -> dict[str, Any]:
    """What our account there is set up with."""
    given: dict[str, Any] = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "username": BRAND,
        "password": PASSWORD,
        "subreddit": "marca",
        "oauth_url": server.url,
        "reddit_url": server.url,
    }
    return {name: value for name, value in (given | more).items() if value is not None}


def connected(server: RedditServer, *, wait: float = PATIENT, now: Any = None, **more: Any) -> RedditConnector:
    """A connector to that server which gives up after `wait` seconds without an answer."""
    settings = Settings.model_validate(settings_for(server, **more))
    wire = RedditWire(connect_timeout=wait, read_timeout=wait, deadline=2 * wait, proxies=False, largest=1024 * 1024)
    kind = PublishingRedditConnector if settings.subreddit else RedditConnector
    return kind(settings, wire=wire, now=now)


class RedditWorld(World):
    """People who comment below one old post of a subreddit."""

    module = "connectors.reddit"
    query = f"r/{HERE}"
    mentions_query = "mentions"
    bad_query = "r/all"
    page_size = 100
    lateness = timedelta(minutes=10)
    secret = PASSWORD

    def __init__(self, server: RedditServer) -> None:
        self.server = server
        self.above = server.submit("moderadora", HERE, "Hilo diario", late=timedelta(days=3))

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
        text = f"u/{BRAND} {text}" if to_us else text
        return self.server.comment(who, reply_to or self.above, text, late=late)

    def edit(self, external_id: str, text: str) -> None:
        self.server.edit(external_id, text)

    def delete(self, external_id: str) -> None:
        self.server.delete(external_id)

    def ours(self) -> list[Ours]:
        return [
            Ours(
                external_id=row["name"],
                parent_id=row["parent"],
                text="\n".join(part for part in (row["title"], row["text"]) if part),
            )
            for row in self.server.said_by(BRAND)
        ]

    def fail(self, fault: Fault, *, writes: bool = False, times: int = 1) -> None:
        if not writes:
            kinds = {"rate limited": "429", "unavailable": "503", "garbage": "html", "auth failed": "401"}
            self.server.fail("GET ", kinds[fault], times=times)
            return
        where = "POST /api/(comment|submit|editusertext|del$|set_subreddit_sticky)"
        if fault is Fault.RATE_LIMITED:
            told = "You are doing that too much. Try again in 9 minutes."
            self.server.fail(where, "errors", code="RATELIMIT", message=told, times=times)
        elif fault is Fault.REJECTED:
            self.server.fail(where, "errors", code="THREAD_LOCKED", message="Comments are locked.", times=times)
        elif fault is Fault.AUTH_FAILED:
            self.server.fail(where, "401", times=times)
            self.server.fail("POST /api/v1/access_token", "wrong_type", body={"error": "invalid_grant"})
        else:
            self.server.fail(where, fault.replace("lost ", "cut_"), times=times)

    def heal(self) -> None:
        self.server.heal()

    @property
    def our_id(self) -> str:
        return self.server.person(BRAND)


class RedditPostsWorld(RedditWorld):
    """People who write posts of their own; whoever addresses us does so in a comment."""

    def post(
        self,
        who: str,
        text: str,
        *,
        reply_to: str | None = None,
        to_us: bool = False,
        late: timedelta = timedelta(0),
    ) -> str:
        if to_us or reply_to:
            return super().post(who, text, reply_to=reply_to, to_us=to_us, late=late)
        return self.server.submit(who, HERE, "Un problema", text, late=late)


@pytest.fixture
def server() -> Iterator[RedditServer]:
    with RedditServer() as running:
        yield running


class TestReddit(Conformance):
    @pytest.fixture
    def world(self, server: RedditServer) -> World:
        return RedditWorld(server)


class TestRedditPosts(Conformance):
    @pytest.fixture
    def world(self, server: RedditServer) -> World:
        return RedditPostsWorld(server)


def request_for(parent: str, *, text: str = "Lo miramos.", **more: Any) -> ReplyRequest:
    given: dict[str, Any] = {
        "key": "draft-1",
        "parent_id": parent,
        "parent_author": Author(external_id="t2_ana", handle="ana"),
        "parent_visibility": Visibility.PUBLIC,
        "text": text,
        "language": "es",
    }
    return ReplyRequest(**given | more)


def notice(text: str) -> PublishRequest:
    return PublishRequest(key="notice-1", text=text, language="es")


def heard(connector: Connector, query: str = f"r/{HERE}") -> list[Post]:
    """What a first look finds."""
    return read_all(connector, query, None)[0]


def only(connector: Connector, query: str = f"r/{HERE}") -> Post:
    (post,) = heard(connector, query)
    return post


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"oauth_url": "http://oauth.reddit.com"}, "https://"),
        ({"reddit_url": "https://user:pass@www.reddit.com"}, "address"),
        ({"reddit_url": "https://www.reddit.com/r/spain"}, "page"),
        ({"oauth_url": "https://[::1"}, "address"),
        ({"username": "two words"}, "name alone"),
        ({"subreddit": "r/spain/new"}, "name alone"),
        ({"refresh_token": REFRESH}, "not both"),
        ({"username": None}, "username is missing"),
        ({"username": None, "password": None}, "developer is missing"),
        ({"client_secret": ""}, "empty"),
        ({"client_id": "a:b"}, "app's id"),
        ({"password": "a\nb"}, "character"),
        ({"footer": "x" * 301}, "300"),
        ({"passwrod": "x"}, "Extra"),
    ],
)
def test_settings_that_cannot_be_are_refused(server: RedditServer, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        Settings.model_validate(settings_for(server, **given))
    for secret in (PASSWORD, REFRESH, CLIENT_SECRET):
        assert secret not in str(caught.value)


def test_names_are_read_with_and_without_their_prefix(server: RedditServer) -> None:
    settings = Settings.model_validate(settings_for(server, username="/u/marca", subreddit="r/marca"))
    assert (settings.username, settings.subreddit) == ("marca", "marca")


def test_every_setting_says_where_it_comes_from() -> None:
    for field in Settings.model_fields.values():
        assert isinstance(field.json_schema_extra, dict)
        assert field.json_schema_extra["where"]


def test_no_secret_is_shown(server: RedditServer) -> None:
    settings = Settings.model_validate(settings_for(server))
    assert PASSWORD not in repr(settings) + repr(connected(server).__dict__)


def test_only_who_has_a_subreddit_publishes(server: RedditServer) -> None:
    assert isinstance(connect(Settings.model_validate(settings_for(server))), Publishes)
    assert not isinstance(connect(Settings.model_validate(settings_for(server, subreddit=None))), Publishes)


# --- queries --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ("mentions", ["inbox", "no private messages"]),
        ("r/Spain+madrid", ["r/spain, r/madrid."]),
        ("/r/spain fibra -movil", ["r/spain", "“fibra -movil”", "picked out here"]),
        ('"fibra óptica" OR marca', ['"fibra óptica" OR "marca"', "no comments"]),
        ("marca -ryanair lang:es", ['for "marca";']),
        ("#marca (fibra OR movil)", ['"marca" AND ("fibra" OR "movil")']),
        ("from:ana marca", ["author:ana"]),
    ],
)
def test_a_query_says_what_is_searched_and_what_is_matched_here(
    server: RedditServer, query: str, parts: list[str]
) -> None:
    sentence = connected(server).explain_query(query)
    for part in parts:
        assert part in sentence


@pytest.mark.parametrize("query", ["", "r/", "r/all", "r/spain+popular", "r/a-b", "lang:es", "-marca", "(marca", "€ €"])
def test_a_query_that_cannot_be_served_is_a_mistake(server: RedditServer, query: str) -> None:
    with pytest.raises(Mistake):
        connected(server).explain_query(query)
    with pytest.raises(Rejected):
        connected(server).poll(query, None)


def test_terms_pick_posts_and_comments_of_several_subreddits(server: RedditServer) -> None:
    found = [
        server.submit("ana", "spain", "Sin FIBRA óptica"),
        server.submit("beto", "madrid", "Avería", "otra vez sin fibra"),
    ]
    server.submit("carla", "spain", "Paella")
    server.submit("dani", "paris", "fibra")
    found.append(server.comment("ana", found[0], "#FibraÓptica de marca, mal"))
    server.comment("fibra", found[0], "yo no")
    assert [post.external_id for post in heard(connected(server), "r/spain+madrid fibra -from:fibra")] == found
    assert len(server.asked("/r/")) == 2, "one listing for all subreddits, one for posts and one for comments"


def test_a_search_is_asked_widely_and_matched_here(server: RedditServer) -> None:
    wanted = server.submit("ana", "spain", "Marca no responde")
    server.submit("beto", "spain", "Marcas de coches: marca y marcador", "ryanair")
    posts = heard(connected(server), "marca -ryanair")
    assert [post.external_id for post in posts] == [wanted]
    (asked,) = server.asked("/search")
    assert asked.query["q"] == '"marca"'
    assert (asked.query["sort"], asked.query["type"]) == ("new", "link")


# --- the inbox ------------------------------------------------------------------------------------------------------


def test_the_inbox_brings_mentions_and_answers_and_no_messages(server: RedditServer) -> None:
    ours = server.submit(BRAND, "marca", "Aviso", late=timedelta(days=5))
    said = server.comment(BRAND, ours, "Lo miramos", late=timedelta(days=4))
    other = server.submit("ana", "spain", "Quejas", late=timedelta(days=3))
    mention = server.comment("beto", other, "mira esto /u/Marca")
    under_post = server.comment("carla", ours, "¿y mañana?")
    under_comment = server.comment("dani", said, "u/marca gracias")
    server.comment("eva", other, "u/marcador no es u/marca_es")
    server.message("hola en privado", "fede")
    server.message("Welcome to Reddit")
    posts = {post.external_id: post for post in heard(connected(server), "mentions")}
    assert {name: post.kind for name, post in posts.items()} == {
        mention: PostKind.MENTION,
        under_post: PostKind.REPLY,
        under_comment: PostKind.REPLY,
    }
    assert posts[mention].thread_id == other
    assert posts[mention].parent_id == other
    assert posts[under_comment].parent_id == said
    assert posts[under_comment].thread_id == ours
    assert posts[mention].url == f"{server.url}/r/spain/comments/{other[3:]}/quejas/{mention[3:]}/"
    (asked,) = server.asked("/message/inbox")
    assert asked.query["mark"] == "false", "what a person has not read stays unread"


def test_what_was_read_by_a_person_is_heard_all_the_same(server: RedditServer) -> None:
    above = server.submit("ana", "spain", "Quejas", late=timedelta(days=3))
    connector = connected(server)
    _, cursor = read_all(connector, "mentions", None)
    mention = server.comment("beto", above, "u/marca hola", more={"new": False})
    posts, cursor = read_all(connector, "mentions", cursor)
    assert [post.external_id for post in posts] == [mention]
    before = len(server.requests)
    posts, _ = read_all(connector, "mentions", cursor)
    assert posts == []
    assert len(server.requests) == before + 1, "one request where nothing is new"


# --- paging, gaps ---------------------------------------------------------------------------------------------------


def test_a_first_look_goes_back_a_day_and_not_to_the_beginnings(server: RedditServer) -> None:
    server.submit("ana", HERE, "del año pasado", late=timedelta(days=300))
    yesterday = server.submit("ana", HERE, "de ayer", late=timedelta(hours=20))
    connector = connected(server)
    posts, cursor = read_all(connector, f"r/{HERE}", None)
    assert [post.external_id for post in posts] == [yesterday]
    assert read_all(connector, f"r/{HERE}", cursor)[0] == []


def test_more_than_reddit_lists_is_admitted(server: RedditServer) -> None:
    server.submit("ana", HERE, "antes")
    connector = connected(server)
    _, cursor = read_all(connector, f"r/{HERE}", None)
    for n in range(1010):
        server.submit("ana", HERE, f"mensaje {n}")
    page = connector.poll(f"r/{HERE}", cursor)
    assert len(page.posts) == 1000
    assert page.gap is not None
    assert "posts" in page.gap
    assert "comments" not in page.gap
    assert connector.poll(f"r/{HERE}", page.cursor).gap is None


def test_a_quiet_place_whose_posts_are_all_deleted_has_no_gap(server: RedditServer) -> None:
    gone = [server.submit("ana", HERE, f"mensaje {n}") for n in range(3)]
    connector = connected(server)
    _, cursor = read_all(connector, f"r/{HERE}", None)
    for each in gone:
        server.delete(each)
    page = connector.poll(f"r/{HERE}", cursor)
    assert (page.posts, page.gap) == ((), None)


def test_the_post_that_leads_to_the_next_page_may_be_deleted(
    server: RedditServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.submit("ana", HERE, "antes")
    connector = connected(server)
    _, cursor = read_all(connector, f"r/{HERE}", None)
    wanted = [server.submit("ana", HERE, f"mensaje {n}") for n in range(150)]
    last_of_the_first_page = wanted[50]
    fetch = RedditConnector._listing

    def deleting(self: RedditConnector, path: str, after: str | None, **params: Any) -> Any:
        if after == last_of_the_first_page:
            server.delete(last_of_the_first_page)
        return fetch(self, path, after, **params)

    monkeypatch.setattr(RedditConnector, "_listing", deleting)
    page = connector.poll(f"r/{HERE}", cursor)
    assert {post.external_id for post in page.posts} == set(wanted)
    assert page.gap is None


def test_what_a_moderator_lets_through_late_is_found_within_the_hour(server: RedditServer) -> None:
    clock = Later()
    connector = connected(server, now=clock)
    server.submit("ana", HERE, "antes", late=timedelta(hours=7))
    for n in range(230):
        server.submit("ana", HERE, f"mensaje {n}", late=timedelta(minutes=1))
    _, cursor = read_all(connector, f"r/{HERE}", None)
    late = server.submit("berta", HERE, "me retuvo el filtro", late=timedelta(hours=3))
    posts, cursor = read_all(connector, f"r/{HERE}", cursor)
    assert posts == [], "it stands behind the newest page"
    clock.ahead = timedelta(minutes=61)
    posts, cursor = read_all(connector, f"r/{HERE}", cursor)
    assert late in {post.external_id for post in posts}


def test_an_edit_is_seen_again(server: RedditServer) -> None:
    post = server.submit("ana", HERE, "Avería", "antes")
    connector = connected(server)
    _, cursor = read_all(connector, f"r/{HERE}", None)
    server.edit(post, "después")
    (seen,) = connector.poll(f"r/{HERE}", cursor).posts
    assert seen.text == "Avería\n\ndespués"
    assert seen.edited_at is not None


def test_a_place_with_and_one_without_a_cursor_of_ours(server: RedditServer) -> None:
    server.submit("ana", HERE, "hola")
    for strange in ({}, {"lists": None}, {"before": "t3_abc"}):
        assert len(connected(server).poll(f"r/{HERE}", strange).posts) == 1


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ("missing", Rejected, "no such subreddit"),
        ("private", AuthFailed, "private"),
    ],
)
def test_a_subreddit_that_cannot_be_read_says_so(
    server: RedditServer, how: str, error: type[NetworkError], said: str
) -> None:
    getattr(server, how).add(HERE)
    with pytest.raises(error, match=said):
        connected(server).poll(f"r/{HERE}", None)


def test_the_last_request_allowed_asks_for_a_pause(server: RedditServer) -> None:
    server.fail("GET /r/.*/comments", "last_allowed")
    assert connected(server).poll(f"r/{HERE}", None).retry_after == 17.0


def test_nonsense_in_headers_and_a_fractional_reset_stop_nothing(server: RedditServer) -> None:
    server.submit("ana", HERE, "hola")
    server.fail("GET ", "bad_headers", times=50)
    connector = connected(server)
    for _ in range(2):
        assert connector.poll(f"r/{HERE}", None).posts
    assert connector.poll(f"r/{HERE}", None).retry_after is None


# --- signing in -----------------------------------------------------------------------------------------------------


def test_who_we_say_we_are(server: RedditServer) -> None:
    me = connected(server).whoami()
    assert me is not None
    assert me.handle == BRAND
    assert me.created_at is not None
    for seen in server.requests:
        assert "escucha" in seen.headers["user-agent"]
        assert "(by /u/marca)" in seen.headers["user-agent"]
    connected(server, developer="somebody").whoami()
    assert "(by /u/somebody)" in server.requests[-1].headers["user-agent"]


def test_a_refresh_token_does_instead_of_a_password(server: RedditServer) -> None:
    connector = connected(server, password=None, refresh_token=REFRESH)
    assert connector.speaks
    assert connector.whoami() is not None
    assert server.requests[0].form["grant_type"] == "refresh_token"


def test_the_token_of_another_account_is_told(server: RedditServer) -> None:
    with pytest.raises(AuthFailed, match="u/marca's"):
        connected(server, username="otra", password=None, refresh_token=REFRESH).whoami()


def test_the_files_and_variables_of_other_bots_have_no_say(
    server: RedditServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "praw.ini").write_text("oauth_url=https://example.com\n[no end", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("praw.config.Config.CONFIG", None)
    for name in ("praw_username", "praw_password", "praw_client_id", "praw_oauth_url", "praw_site"):
        monkeypatch.setenv(name, "another")
    assert connected(server).whoami() is not None
    assert connected(server, username=None, password=None, developer="somebody").whoami() is None
    assert {seen.form.get("username", "") for seen in server.requests} == {"", BRAND}


def test_without_an_account_it_reads_and_says_nothing(server: RedditServer) -> None:
    server.submit("ana", HERE, "hola")
    connector = connected(server, username=None, password=None, developer="somebody")
    assert not connector.speaks
    assert connector.whoami() is None
    assert connector.explain_query(f"r/{HERE}")
    post = only(connector)
    assert server.requests[0].form["grant_type"] == "client_credentials"
    with pytest.raises(Mistake, match="password"):
        connector.explain_query("mentions")
    for ask in (
        lambda: connector.poll("mentions", None),
        lambda: connector.reply(request_for(post.external_id)),
        lambda: connector.find_reply(request_for(post.external_id), datetime.now(UTC)),
    ):
        with pytest.raises(AuthFailed, match="account"):
            ask()


def test_one_token_serves_until_its_end(server: RedditServer) -> None:
    connector = connected(server)
    for _ in range(3):
        heard(connector)
    assert len(server.asked("/api/v1/access_token")) == 1


@pytest.mark.parametrize("expires_in", [100, -5, 0, 10**400, True])
def test_a_token_that_soon_ends_is_renewed_before(server: RedditServer, expires_in: Any) -> None:
    server.expires_in = expires_in
    connector = connected(server)
    for _ in range(2):
        assert connector.whoami() is not None
    assert len(server.asked("/api/v1/access_token")) == (1 if expires_in == 10**400 else 2)


def test_a_token_that_ends_early_is_renewed_and_the_read_repeated(server: RedditServer) -> None:
    server.submit("ana", HERE, "hola")
    connector = connected(server)
    connector.whoami()
    server.tokens.clear()
    assert only(connector).text == "hola"
    assert len(server.asked("/api/v1/access_token")) == 2


def test_a_token_that_ends_early_repeats_no_write(server: RedditServer) -> None:
    parent = server.submit("ana", HERE, "hola")
    connector = connected(server)
    connector.whoami()
    server.tokens.clear()
    with pytest.raises(Unavailable, match="token"):
        connector.reply(request_for(parent))
    assert len(server.asked("/api/comment")) == 1
    assert connector.reply(request_for(parent)).external_id == server.said_by(BRAND)[0]["name"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"password": "wrong-password"}, "invalid_grant"),
        ({"password": None, "refresh_token": "wrong-token"}, "invalid_grant"),
        ({"client_secret": "wrong-secret"}, "client_secret"),
    ],
)
def test_wrong_credentials_are_told_apart_and_not_shown(server: RedditServer, given: dict[str, Any], said: str) -> None:
    with pytest.raises(AuthFailed, match=said) as caught:
        connected(server, **given).whoami()
    assert "wrong-" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("429", {}, RateLimited),
        ("503", {}, Unavailable),
        ("html", {}, Unavailable),
        ("html", {"status": 403}, Unavailable),
        ("truncated", {}, Unavailable),
        ("cut_after", {}, Unavailable),
        ("wrong_type", {"body": {"error": "unauthorized_client", "error_description": "Only script apps"}}, AuthFailed),
        ("wrong_type", {"body": {"access_token": 7, "expires_in": "x", "scope": "*"}}, Unavailable),
        ("wrong_type", {"body": []}, Unavailable),
        ("401", {}, AuthFailed),
    ],
)
def test_a_login_that_fails(
    server: RedditServer, kind: str, options: dict[str, Any], error: type[NetworkError]
) -> None:
    parent = server.submit("ana", HERE, "hola")
    server.fail("POST /api/v1/access_token", kind, times=2, **options)
    connector = connected(server)
    with pytest.raises(error):
        connector.whoami()
    with pytest.raises(error):
        connector.reply(request_for(parent))
    assert server.asked("/api/comment") == [], "nothing is written where we are not signed in"


def test_a_suspended_account_is_for_a_person(server: RedditServer) -> None:
    server.suspended = True
    with pytest.raises(AuthFailed, match="suspended"):
        connected(server).whoami()


def test_a_lacking_scope_is_for_a_person(server: RedditServer) -> None:
    parent = server.submit("ana", HERE, "hola")
    server.fail("/message/inbox", "scope")
    server.fail(COMMENT, "scope")
    connector = connected(server)
    with pytest.raises(AuthFailed, match="scope"):
        connector.poll("mentions", None)
    with pytest.raises(AuthFailed, match="scope"):
        connector.reply(request_for(parent))


# --- what a post says -----------------------------------------------------------------------------------------------


def test_texts_are_kept_as_they_were_written(server: RedditServer) -> None:
    server.submit("ana", HERE, "A & B <c>", "**negrita** &amp; [enlace](https://example.com/?a=1&b=2)\n\n> cita")
    post = only(connected(server))
    assert post.text == "A & B <c>\n\n**negrita** &amp; [enlace](https://example.com/?a=1&b=2)\n\n> cita"
    assert post.author.handle == "ana"
    assert post.author.external_id == server.person("ana")
    assert post.author.url == f"{server.url}/user/ana"
    assert post.thread_id == post.external_id
    assert post.parent_id is None
    assert post.kind is PostKind.FOUND


@pytest.mark.parametrize(
    ("more", "warning"),
    [
        ({"over_18": True}, "NSFW"),
        ({"spoiler": True}, "spoiler"),
        ({"over_18": True, "spoiler": True}, "NSFW, spoiler"),
    ],
)
def test_what_is_not_for_everybody_carries_a_warning(server: RedditServer, more: dict[str, Any], warning: str) -> None:
    above = server.submit("ana", HERE, "hola", more=more)
    server.comment("beto", above, "y yo")
    assert {post.content_warning for post in heard(connected(server))} == {warning}


@pytest.mark.parametrize(
    ("state", "said"), [({"locked": True}, "locked"), ({"archived": True}, "archived")], ids=["locked", "archived"]
)
@pytest.mark.parametrize("query", ["mentions", f"r/{HERE}"])
def test_what_takes_no_answer_says_why(server: RedditServer, state: dict[str, bool], said: str, query: str) -> None:
    above = server.submit("ana", HERE, "hilo", late=timedelta(days=2))
    server.things[above].update(state)
    comment = server.comment("beto", above, "u/marca ¿y?")
    connector = connected(server)
    assert only(connector, query).unanswerable == f"the thread is {said}"
    server.things[above].update(locked=False, archived=False)
    server.things[comment].update(state)
    assert only(connector, query).unanswerable == f"it is {said}"
    (again,) = connector.recheck([comment]).present
    assert again.unanswerable == f"it is {said}"


def test_below_a_removed_post_nothing_is_answered(server: RedditServer) -> None:
    above = server.submit("ana", HERE, "hilo", late=timedelta(days=2))
    server.comment("beto", above, "u/marca ¿y?")
    server.remove(above)
    assert "removed" in only(connected(server), "mentions").unanswerable


def test_where_we_moderate_what_we_removed_is_seen_and_not_answered(server: RedditServer) -> None:
    server.moderated.add(HERE)
    post = server.submit("ana", HERE, "hilo", "texto")
    server.remove(post)
    rechecked = connected(server).recheck([post])
    assert rechecked.gone == ()
    assert "removed" in rechecked.present[0].unanswerable


@pytest.mark.parametrize(
    ("more", "media"),
    [
        ({}, []),
        ({"is_self": False, "url": "https://example.com/a"}, [("link", "https://example.com/a", "")]),
        ({"is_self": False, "url": "https://i.redd.it/a.PNG"}, [("image", "https://i.redd.it/a.PNG", "")]),
        (
            {
                "is_self": False,
                "url": "https://example.com/a",
                "preview": {"images": [{"source": {"url": "https://preview.redd.it/p.jpg?a=1&b=2"}}]},
            },
            [("link", "https://example.com/a", ""), ("image", "https://preview.redd.it/p.jpg?a=1&b=2", "")],
        ),
        (
            {"is_self": False, "media": {"reddit_video": {"fallback_url": "https://v.redd.it/x/DASH_720.mp4"}}},
            [("video", "https://v.redd.it/x/DASH_720.mp4", "")],
        ),
        (
            {
                "is_self": False,
                "gallery_data": {"items": [{"media_id": "b", "caption": "la factura"}, {"media_id": "a"}]},
                "media_metadata": {
                    "a": {"e": "Image", "s": {"u": "https://preview.redd.it/a.jpg"}},
                    "b": {"e": "Image", "s": {"u": "https://preview.redd.it/b.jpg"}},
                    "c": {"e": "AnimatedImage", "s": {"gif": "https://i.redd.it/c.gif"}},
                    "d": {"status": "failed"},
                },
            },
            [
                ("image", "https://preview.redd.it/b.jpg", "la factura"),
                ("image", "https://preview.redd.it/a.jpg", ""),
                ("video", "https://i.redd.it/c.gif", ""),
            ],
        ),
        ({"is_self": False, "url": "javascript:alert(1)", "media_metadata": [1], "media": 7}, []),
    ],
    ids=["text", "link", "picture", "preview", "video", "gallery", "nonsense"],
)
def test_media_are_links_with_their_captions(
    server: RedditServer, more: dict[str, Any], media: list[tuple[str, str, str]]
) -> None:
    server.submit("ana", HERE, "mira", more=more)
    assert [(each.kind, each.url, each.alt) for each in only(connected(server)).media] == media


@pytest.mark.parametrize(
    "more",
    [
        {"created_utc": None},
        {"created_utc": "yesterday"},
        {"created_utc": 1e300},
        {"name": "t3_../../etc"},
        {"name": 7},
        {"author": None},
        {"author": ""},
    ],
)
def test_a_post_that_cannot_be_read_is_named_and_the_rest_is_read(server: RedditServer, more: dict[str, Any]) -> None:
    server.submit("ana", HERE, "rota", more=more)
    whole = server.submit("beto", HERE, "entera")
    page = connected(server).poll(f"r/{HERE}", None)
    assert [post.external_id for post in page.posts] == [whole]
    assert page.gap == "1 posts could not be read"


@pytest.mark.parametrize("state", ["deleted", "removed"])
def test_a_shell_in_a_listing_is_gone_and_no_post(server: RedditServer, state: str) -> None:
    above = server.submit("ana", "spain", "Quejas", late=timedelta(days=3))
    shell = {"author": f"[{state}]", "body": f"[{state}]"}
    mention = server.comment("beto", above, "u/marca hola", more=shell)
    page = connected(server).poll("mentions", None)
    assert page.posts == ()
    assert page.gone == (mention,)


# --- recheck --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["delete", "remove"])
@pytest.mark.parametrize("kind", ["post", "comment"])
def test_what_its_author_or_a_moderator_took_away_is_gone(server: RedditServer, how: str, kind: str) -> None:
    post = server.submit("ana", HERE, "título", "texto")
    there = server.comment("beto", post, "sigo")
    gone = post if kind == "post" else server.comment("carla", post, "adiós")
    getattr(server, how)(gone)
    rechecked = connected(server).recheck([gone, there])
    assert rechecked.gone == (gone,)
    assert [each.external_id for each in rechecked.present] == [there]


def test_what_a_whole_answer_does_not_hold_is_gone(server: RedditServer) -> None:
    there = server.submit("ana", HERE, "sigo")
    assert connected(server).recheck(["t1_zzzz", there]).gone == ("t1_zzzz",)
    assert connected(server).recheck(["t1_zzzz"]).gone == ("t1_zzzz",), "alone too"


def test_an_answer_that_is_empty_altogether_tells_nothing(server: RedditServer) -> None:
    post = server.submit("ana", HERE, "sigo")
    server.listings_work = False
    assert connected(server).recheck([post, "t1_zzzz"]).gone == ()


def test_many_are_looked_up_together(server: RedditServer) -> None:
    posts = [server.submit("ana", HERE, f"mensaje {n}") for n in range(150)]
    rechecked = connected(server).recheck([*posts, "no fullname", "t2_ana", "t1_a,t1_b"])
    assert [post.external_id for post in rechecked.present] == posts
    assert len(server.asked("/api/info")) == 2
    assert rechecked.gone == ()


@pytest.mark.parametrize("days", [1, 30, 90])
def test_what_is_kept_is_looked_up_every_day(server: RedditServer, days: int) -> None:
    facts = connected(server, keep_days=days).facts
    assert facts.keep == timedelta(days=days)
    assert facts.rechecks[-1][0] >= facts.keep
    assert all(often <= timedelta(days=1) for _, often in facts.rechecks)


# --- writing --------------------------------------------------------------------------------------------------------

NEVER_ANSWERED = {"timeout_before", "timeout_after", "slow"}


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("429", {}, RateLimited),
        ("429_bare", {}, RateLimited),
        ("500", {}, OutcomeUnknown),
        ("500_after", {}, OutcomeUnknown),
        ("502", {}, OutcomeUnknown),
        ("503", {}, OutcomeUnknown),
        ("520", {}, OutcomeUnknown),
        ("cut_before", {}, OutcomeUnknown),
        ("cut_after", {}, OutcomeUnknown),
        ("timeout_before", {}, OutcomeUnknown),
        ("timeout_after", {}, OutcomeUnknown),
        ("slow", {}, OutcomeUnknown),
        ("html", {}, OutcomeUnknown),
        ("truncated", {}, OutcomeUnknown),
        ("huge", {}, OutcomeUnknown),
        ("nothing", {}, OutcomeUnknown),
        ("nothing_after", {}, OutcomeUnknown),
        ("wrong_type", {}, OutcomeUnknown),
        (
            "wrong_type",
            {"body": {"json": {"errors": "x", "data": {"things": [{"data": {"name": 3}}]}}}},
            OutcomeUnknown,
        ),
        ("wrong_type", {"body": []}, OutcomeUnknown),
        ("redirect", {"to": "https://example.com/"}, OutcomeUnknown),
        ("redirect", {"to": "https://example.com/", "status": 307}, Unavailable),
        ("403", {}, Rejected),
        ("404", {}, Rejected),
        ("reason", {"code": "TOO_LONG"}, Rejected),
    ],
)
def test_a_write_goes_out_once_whatever_comes_back(
    server: RedditServer, kind: str, options: dict[str, Any], error: type[NetworkError]
) -> None:
    parent = server.submit("ana", HERE, "hola")
    connector = connected(server, wait=QUICK if kind in NEVER_ANSWERED else PATIENT)
    connector.whoami()
    server.fail(COMMENT, kind, **options)
    with pytest.raises(error):
        connector.reply(request_for(parent))
    assert len(server.asked("/api/comment")) == 1
    server.heal()
    found = connected(server).find_reply(request_for(parent), datetime.now(UTC) - timedelta(minutes=1))
    assert [row["name"] for row in server.said_by(BRAND)] == ([found.external_id] if found else [])


@pytest.mark.parametrize("kind", ["500", "503", "cut_before", "timeout_before", "429_bare"])
def test_a_read_goes_out_once_too(server: RedditServer, kind: str) -> None:
    connector = connected(server, wait=QUICK if kind in NEVER_ANSWERED else PATIENT)
    server.fail("GET /api/v1/me", kind, times=5)
    with pytest.raises(NetworkError):
        connector.whoami()
    assert len(server.asked("/api/v1/me")) == 1, "when to ask again is not the library's to say"


@pytest.mark.parametrize(
    ("code", "message", "said"),
    [
        ("THREAD_LOCKED", "Comments are locked.", "thread is locked"),
        ("DELETED_COMMENT", "that comment has been deleted", "comment was deleted"),
        ("TOO_OLD", "that's a piece of history now", "too old"),
        ("SUBREDDIT_NOTALLOWED", "you aren't allowed to post there.", "not allowed to post"),
        ("USER_BLOCKED", "", "blocked our account"),
        ("BANNED_FROM_SUBREDDIT", "", "banned"),
        ("NO_TEXT", "we need something here", "empty"),
        ("TOO_LONG", "this is too long (max: 10000)", "too long"),
        ("SOMETHING_NEW", "no way, José", "“no way, José” \\(SOMETHING_NEW\\)"),
        ("SOMETHING_NEW", "", "does not say why"),
    ],
)
def test_a_refusal_gives_a_plain_reason(server: RedditServer, code: str, message: str, said: str) -> None:
    parent = server.submit("ana", HERE, "hola")
    server.fail(COMMENT, "errors", code=code, message=message)
    with pytest.raises(Rejected, match=said):
        connected(server).reply(request_for(parent))
    server.fail(COMMENT, "reason", code=code, message=message)
    with pytest.raises(Rejected, match=said):
        connected(server).reply(request_for(parent))


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("You are doing that too much. Try again in 9 minutes.", 540.0),
        ("Looks like you've been doing that a lot. Take a break for 1 minute before trying again.", 60.0),
        ("you are doing that too much. try again in 43 seconds.", 43.0),
        ("Take a break for 300 milliseconds before trying again.", 1.0),
        ("try again in 2 hours.", 7200.0),
        ("try again in an hour.", 3600.0),
        ("try again in 3 days.", 21600.0),
        ("you are doing that too much.", None),
        ("", None),
    ],
)
def test_too_many_writes_say_how_long_to_wait(server: RedditServer, message: str, seconds: float | None) -> None:
    parent = server.submit("ana", HERE, "hola")
    server.fail(COMMENT, "errors", code="RATELIMIT", message=message)
    with pytest.raises(RateLimited) as caught:
        connected(server).reply(request_for(parent))
    assert caught.value.retry_after == seconds
    assert server.said_by(BRAND) == []


@pytest.mark.parametrize("code", ["USER_REQUIRED", "IN_TIMEOUT"])
def test_an_account_that_may_no_longer_write_is_for_a_person(server: RedditServer, code: str) -> None:
    parent = server.submit("ana", HERE, "hola")
    server.fail(COMMENT, "errors", code=code, message="no")
    with pytest.raises(AuthFailed):
        connected(server).reply(request_for(parent))


def test_where_we_are_banned_is_told(server: RedditServer) -> None:
    parent = server.submit("ana", HERE, "hola")
    server.banned_in.add(HERE)
    with pytest.raises(Rejected, match="banned"):
        connected(server).reply(request_for(parent))


def test_an_answer_that_only_we_can_see_is_told(server: RedditServer) -> None:
    parent = server.submit("ana", HERE, "hola")
    server.removes_in |= {HERE, "marca"}
    connector = connected(server)
    assert isinstance(connector, PublishingRedditConnector)
    with pytest.raises(Rejected, match="hides it from everybody"):
        connector.reply(request_for(parent))
    with pytest.raises(Rejected, match="hides it from everybody"):
        connector.publish(notice("Aviso"))
    stranger = server.asked("/api/info")[-1].headers["authorization"].partition(" ")[2]
    assert server.tokens[stranger] == "", "looked at without our account"
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert connector.find_reply(request_for(parent), since) is not None, "it is there, whoever sees it"


@pytest.mark.parametrize("what", ["private", "unreachable", "not there yet"])
def test_not_being_able_to_look_as_a_stranger_says_nothing(server: RedditServer, what: str) -> None:
    parent = server.submit("ana", HERE, "hola")
    if what == "private":
        server.private.add(HERE)
    elif what == "unreachable":
        server.fail("/api/info", "503", times=9)
    else:
        server.listings_work = False
    assert connected(server).reply(request_for(parent)).external_id == server.said_by(BRAND)[0]["name"]


def test_a_parent_that_is_none_of_reddits_is_refused(server: RedditServer) -> None:
    with pytest.raises(Rejected):
        connected(server).reply(request_for("mastodon.example/1"))
    with pytest.raises(OutcomeUnknown):
        connected(server).find_reply(request_for("mastodon.example/1"), datetime.now(UTC))
    assert server.requests == []


# --- looking for what we wrote --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["post", "comment"])
def test_an_answer_is_found_below_its_parent_where_our_own_list_lags(server: RedditServer, kind: str) -> None:
    above = server.submit("ana", HERE, "hola")
    parent = above if kind == "post" else server.comment("beto", above, "y yo")
    server.comment("carla", parent, "Lo miramos.")
    connector = connected(server)
    post = next(post for post in heard(connector) if post.external_id == parent)
    request = request_for(parent, parent_raw=post.raw)
    posted = connector.reply(request)
    server.fail("/user/marca/comments", "wrong_type", body={"kind": "Listing", "data": {"children": []}})
    found = connector.find_reply(request, datetime.now(UTC) - timedelta(minutes=1))
    assert found is not None
    assert found.external_id == posted.external_id


def test_the_same_words_elsewhere_are_not_it(server: RedditServer) -> None:
    parent, other = (server.submit("ana", HERE, f"hola {n}") for n in range(2))
    connector = connected(server)
    connector.reply(request_for(other))
    assert connector.find_reply(request_for(parent), datetime.now(UTC) - timedelta(minutes=1)) is None
    connector.reply(request_for(parent))
    assert connector.find_reply(request_for(parent), datetime.now(UTC) + timedelta(hours=1)) is not None, "our clock"


def test_one_of_ours_that_was_edited_may_be_it(server: RedditServer) -> None:
    parent = server.submit("ana", HERE, "hola")
    connector = connected(server)
    server.edit(connector.reply(request_for(parent)).external_id, "Otra cosa.")
    with pytest.raises(OutcomeUnknown):
        connector.find_reply(request_for(parent), datetime.now(UTC) - timedelta(minutes=1))


def test_what_we_wrote_is_looked_through_page_by_page(server: RedditServer) -> None:
    parent = server.submit("ana", HERE, "hola")
    connector = connected(server)
    posted = connector.reply(request_for(parent))
    other = server.submit("ana", "spain", "otra")
    for n in range(130):
        server.comment(BRAND, other, f"respuesta {n}")
    found = connector.find_reply(request_for(parent), datetime.now(UTC) - timedelta(minutes=1))
    assert found is not None
    assert found.external_id == posted.external_id
    assert len(server.asked("/user/")) == 2


# --- length, footer, notices ----------------------------------------------------------------------------------------

FOOTER = "Soy el asistente de Marca."


def test_a_footer_stands_below_once_and_is_counted(server: RedditServer) -> None:
    parent = server.submit("ana", HERE, "hola")
    connector = connected(server, footer=FOOTER)
    facts = connector.facts
    text = facts.address("Lo miramos.", "ana")
    assert text == f"Lo miramos.\n\n{FOOTER}"
    assert facts.address(text, "ana") == text
    assert facts.count(text) == len("Lo miramos.") + 2 + len(FOOTER)
    connector.reply(request_for(parent))
    assert [row["text"] for row in server.said_by(BRAND)] == [text]
    assert connector.find_reply(request_for(parent), datetime.now(UTC) - timedelta(minutes=1)) is not None


@pytest.mark.parametrize(
    ("text", "title", "body"),
    [
        ("Aviso", "Aviso", ""),
        (
            "  Aviso  de\tavería \n\nTrabajamos en ello.\n\nGracias. ",
            "Aviso de avería",
            "Trabajamos en ello.\n\nGracias.",
        ),
        ("a" * 300 + "\nb", "a" * 300, "b"),
        ("palabra " * 60, "palabra " * 36 + "palabra…", ("palabra " * 60).strip()),
        ("a" * 301, "a" * 299 + "…", "a" * 301),
        ("a" * 10_000, "a" * 299 + "…", "a" * 10_000),
    ],
    ids=["title alone", "title and text", "longest title", "too long", "one word", "longest"],
)
@pytest.mark.parametrize("footer", ["", FOOTER])
def test_a_notice_is_a_title_and_a_text(server: RedditServer, text: str, title: str, body: str, footer: str) -> None:
    connector = connected(server, footer=footer)
    assert isinstance(connector, PublishingRedditConnector)
    assert connector.facts.count(text) <= FACTS.limit
    posted = connector.publish(notice(text))
    (row,) = server.said_by(BRAND)
    assert row["subreddit"] == "marca"
    assert row["title"] == title
    assert row["text"] == "\n\n".join(part for part in (body, footer) if part)
    found = connector.find_published(notice(text), datetime.now(UTC) - timedelta(minutes=1))
    assert found is not None
    assert found.external_id == posted.external_id == row["name"]
    assert connector.find_published(notice("Otra cosa\n\nmuy distinta"), datetime.now(UTC) - timedelta(hours=1)) is None


@pytest.mark.parametrize(("how", "said"), [("missing", "no such subreddit"), ("banned_in", "banned")])
def test_a_notice_that_has_no_place_is_told(server: RedditServer, how: str, said: str) -> None:
    getattr(server, how).add("marca")
    connector = connected(server)
    assert isinstance(connector, PublishingRedditConnector)
    with pytest.raises(Rejected, match=said):
        connector.publish(notice("Aviso"))
    with pytest.raises(Rejected, match="empty"):
        connector.publish(notice(" \n "))


# --- the platform's rules -------------------------------------------------------------------------------------------


def test_nobody_is_matched_to_a_person_but_by_their_own_word() -> None:
    claim = Claim(handle="ana", account_id=None)
    for basis in LinkBasis:
        reason = refusal(claim, network="reddit", linkable=FACTS.linkable, basis=basis, reference="C-1")
        assert (reason == "") is (basis is LinkBasis.SELF_DECLARED)


# --- what is spoilt -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_one_spoilt_value_is_no_bug(seed: int) -> None:
    with RedditServer() as server, Mutating(server.url, seed=seed) as proxy:
        above = server.submit("ana", HERE, "hilo")
        posts = [server.comment("ana", above, f"u/marca sin fibra {n}") for n in range(5)]
        given = settings_for(server, oauth_url=proxy.url, reddit_url=proxy.url)
        connector = connect(Settings.model_validate(given))
        assert isinstance(connector, PublishingRedditConnector)
        connector.whoami()
        proxy.spoiling = True
        since = datetime.now(UTC) - timedelta(minutes=1)
        asks: list[Any] = [
            connector.whoami,
            lambda: connector.poll("mentions", None),
            lambda: connector.poll(f"r/{HERE}", None),
            lambda: connector.poll("fibra", None),
            lambda: connector.recheck(posts),
            lambda: connector.find_reply(request_for(posts[0]), since),
            lambda: connector.find_published(notice("Aviso"), since),
            lambda: connector.reply(request_for(posts[1])),
            lambda: connector.publish(notice("Aviso\n\ntexto")),
        ]
        for ask in asks:
            with contextlib.suppress(NetworkError):
                came = ask()
                json.dumps(getattr(came, "cursor", None))
                for post in getattr(came, "posts", ()):
                    json.dumps(dict(post.raw)).encode()
