"""X: the shared suite against a local server that speaks its protocol, and what is special to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.wire import Wire
from connectors.x import FACTS, Settings, XConnector, connect
from connectors.x_reading import Batch, Start, look
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
from listener.types import (
    Answerable,
    Attachment,
    Author,
    Page,
    PostKind,
    PublishRequest,
    ReplyRequest,
    Visibility,
)
from tests.connectors.conformance import Conformance, Fault, Ours, World, only_new
from tests.servers.hostile import Mutating
from tests.servers.x import BEARER, BRAND, KEYS, XServer

WORD = "telecom"
PATIENT = 10.0  # seconds that a connector waits, so that a busy machine fails no test
QUICK = 0.4  # and where waiting in vain is the point
NO_ACCOUNT: dict[str, Any] = dict.fromkeys(KEYS)
NEVER_ANSWERED = {"timeout_before", "timeout_after", "slow"}
POST = "POST /2/tweets"
SEARCH = "GET /2/tweets/search"

READ_FAULTS = {
    Fault.RATE_LIMITED: "429",
    Fault.UNAVAILABLE: "503",
    Fault.GARBAGE: "html",
    Fault.AUTH_FAILED: "401",
}
WRITE_FAULTS = {
    Fault.RATE_LIMITED: "429",
    Fault.AUTH_FAILED: "401",
    Fault.REJECTED: "403",
    Fault.LOST_BEFORE: "cut_before",
    Fault.LOST_AFTER: "cut_after",
}


class Later:
    """A clock that a test can put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def settings(server: XServer, **more: Any) -> Settings:
    """The account's settings for that server, and whatever else."""
    return Settings.model_validate(KEYS | {"bearer_token": BEARER, "api": server.url} | more)


def connected(server: XServer, *, now: Any = None, wait: float = PATIENT, **more: Any) -> XConnector:
    """A connector to that server which gives up after `wait` seconds without an answer."""
    wire = Wire(connect_timeout=wait, read_timeout=wait, deadline=2 * wait, proxies=False, largest=1024 * 1024)
    return XConnector(settings(server, **more), wire=wire, now=now)


def reading_only(server: XServer, **more: Any) -> XConnector:
    """A connector with a bearer token alone."""
    return connected(server, **NO_ACCOUNT, **more)


class XWorld(World):
    """People on a local server."""

    module = "connectors.x"
    query = WORD
    mentions_query = "mentions"
    bad_query = "lang:es"
    page_size = 100
    secret = KEYS["access_token_secret"]

    def __init__(self, server: XServer) -> None:
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
        text = f"{f'@{BRAND} ' if to_us else ''}{text} {WORD}"
        return self.server.person(who).post(text, reply_to=reply_to, late=late)

    def edit(self, external_id: str, text: str) -> None:
        self.server.edit(external_id, f"{text} {WORD}")

    def delete(self, external_id: str) -> None:
        self.server.delete(external_id)

    def ours(self) -> list[Ours]:
        rows = self.server.posts_by(BRAND)
        return [Ours(external_id=row["id"], parent_id=row["reply_to"], text=row["text"]) for row in rows]

    def fail(self, fault: Fault, *, writes: bool = False, times: int = 1) -> None:
        if writes:
            self.server.fail("(POST|DELETE) /2/tweets", WRITE_FAULTS[fault], times=times)
        else:
            self.server.fail("GET ", READ_FAULTS[fault], times=times)

    def heal(self) -> None:
        self.server.heal()

    def descriptions(self, external_id: str) -> list[str]:
        return [self.server.media[each]["alt_text"] for each in self.server.posts[external_id]["media"]]

    def fail_upload(self, fault: Fault) -> bool:
        kind = READ_FAULTS.get(fault) or WRITE_FAULTS[fault]
        self.server.fail("POST /2/media/upload", kind)
        return True

    @property
    def our_id(self) -> str:
        return self.server.person(BRAND).id


@pytest.fixture
def server() -> Iterator[XServer]:
    with XServer() as running:
        yield running


class TestX(Conformance):
    @pytest.fixture
    def world(self, server: XServer) -> World:
        return XWorld(server)


def request_for(parent: str, *, text: str = "Lo miramos.", handle: str = "ana", **more: Any) -> ReplyRequest:
    given: dict[str, Any] = {
        "key": "draft-1",
        "parent_id": parent,
        "parent_author": Author(external_id="1", handle=handle),
        "parent_visibility": Visibility.PUBLIC,
        "text": text,
        "language": "es",
    }
    return ReplyRequest(**given | more)


def notice(text: str = "Avería en Lleida.", **more: Any) -> PublishRequest:
    return PublishRequest(key="notice-1", text=text, language="es", **more)


def asked(server: XServer, path: str) -> list[dict[str, str]]:
    """The queries of the requests to that path."""
    return [seen.query for seen in server.requests if seen.path.endswith(path)]


def spent(connector: XConnector) -> dict[str, float]:
    """What was charged since the last time, by name of the price."""
    return {charge.call: charge.usd for charge in connector.charges()}


PICTURE = Attachment(name="mapa.png", content_type="image/png", data=b"\x89PNG...", alt="Un mapa de Lleida")


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "X shows nothing without keys"),
        ({"consumer_key": "a"}, "missing: consumer_secret, access_token, access_token_secret"),
        (KEYS | {"access_token": ""}, "missing: access_token"),
        (KEYS | {"access_token": "two words"}, "copy it again"),
        ({"bearer_token": "a", "api": "https://x.example"}, "nowhere else"),
        ({"bearer_token": "a", "api": "http://127.0.0.1.example"}, "nowhere else"),
        ({"bearer_token": "a", "keep_days": 91}, "less than or equal to 90"),
        ({"bearer_token": "a", "tokn": "x"}, "not permitted"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings.model_validate(given)


def test_no_secret_shows_in_what_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(KEYS | {"access_token_secret": "seven secret words"})
    assert "seven" not in str(caught.value)


def test_every_setting_says_where_it_comes_from() -> None:
    for field in Settings.model_fields.values():
        assert isinstance(field.json_schema_extra, dict)
        assert field.json_schema_extra["where"]


def test_connecting_asks_the_network_nothing(server: XServer) -> None:
    assert connect(settings(server)).facts == FACTS
    assert server.requests == []


def test_our_keys_go_to_x_and_to_nobody_else() -> None:
    assert Settings.model_validate({"bearer_token": "a"}).api == "https://api.x.com"


# --- only reading ---------------------------------------------------------------------------------------------------


def test_an_app_alone_searches_and_looks_up_and_says_nothing(server: XServer) -> None:
    here, gone = (server.person("ana").post(f"@marca telecom {n}") for n in range(2))
    connector = reading_only(server)
    assert not connector.speaks
    assert connector.whoami() is None
    posts = connector.poll(WORD, None).posts
    assert [post.kind for post in posts] == [PostKind.FOUND] * 2
    server.delete(gone)
    rechecked = connector.recheck([here, gone])
    assert [post.external_id for post in rechecked.present] == [here]
    assert rechecked.gone == (gone,)
    with pytest.raises(Mistake, match="access_token"):
        connector.explain_query("mentions")
    for write in (connector.reply, lambda request: connector.find_reply(request, datetime.now(UTC))):
        with pytest.raises(AuthFailed):
            write(request_for(here))
    with pytest.raises(AuthFailed):
        connector.poll("mentions", None)
    assert not [seen for seen in server.requests if seen.method == "POST"]


def test_proving_an_app_s_token_costs_nothing(server: XServer) -> None:
    connector = reading_only(server)
    connector.whoami()
    assert connector.charges() == ()
    with pytest.raises(AuthFailed):
        reading_only(server, bearer_token="wrong").whoami()


# --- the rule of the summoned ---------------------------------------------------------------------------------------


def test_only_who_named_us_or_quoted_us_may_be_answered(server: XServer) -> None:
    ours = server.person(BRAND).post("Estamos en ello.")
    said = {
        server.person("ana").post("@marca telecom"): PostKind.MENTION,
        server.person("luis").post("telecom fatal"): PostKind.FOUND,
        server.person("eva").post("telecom, pues vaya", quotes=ours): PostKind.MENTION,
        server.person("paz").post("@marca telecom gracias", reply_to=ours): PostKind.REPLY,
        server.person("sol").post("telecom…", long="Un telecom muy largo, @marca"): PostKind.MENTION,
    }
    silent = server.person("leo").post(
        "@otra telecom sin la mención",
        reply_to=ours,
        more={"entities": {"mentions": [{"id": "1", "username": "otra"}]}},
    )
    connector = connected(server)
    assert connector.facts.answerable is Answerable.ADDRESSED
    kinds = {post.external_id: post.kind for post in connector.poll(WORD, None).posts if post.author.handle != BRAND}
    assert kinds == said | {silent: PostKind.FOUND}


def test_an_enterprise_contract_lifts_the_rule(server: XServer) -> None:
    ours = server.person(BRAND).post("Estamos en ello.")
    server.person("leo").post("telecom sin la mención", reply_to=ours, more={"entities": {}})
    connector = connected(server, enterprise=True)
    assert connector.facts.answerable is Answerable.ANYONE
    (post,) = connector.poll(WORD, None).posts
    assert post.kind is PostKind.REPLY


def test_a_refusal_by_the_rule_is_one_for_good(server: XServer) -> None:
    found = server.person("luis").post("telecom fatal")
    with pytest.raises(Rejected, match="not been mentioned"):
        connected(server).reply(request_for(found))


@pytest.mark.parametrize(
    ("setting", "text", "why"),
    [
        ("everyone", "telecom", ""),
        ("following", "telecom", "only those whom its author follows may answer"),
        ("mentionedUsers", "telecom", "only those whom its author mentioned may answer"),
        ("subscribers", "telecom", "only its author's subscribers may answer"),
        ("verified", "telecom", "only verified accounts may answer"),
        ("following", "@marca telecom", ""),
        ("mentionedUsers", "@marca telecom", ""),
    ],
)
def test_a_post_that_shuts_us_out_says_so(server: XServer, setting: str, text: str, why: str) -> None:
    server.person("ana").post(text, reply_settings=setting)
    (post,) = connected(server).poll(WORD, None).posts
    assert post.unanswerable == why


# --- what a post says -----------------------------------------------------------------------------------------------


def test_a_post_is_joined_with_what_belongs_to_it(server: XServer) -> None:
    picture = {"type": "photo", "url": "https://pbs.example/a.jpg", "alt_text": "Un router apagado"}
    video = {"type": "video", "preview_image_url": "https://pbs.example/b.jpg"}
    first = server.person("luis", followers=71).post("telecom, ¿alguien?")
    text = "telecom & <nada>: https://example.com/estado?a=1&b=2 @luis"
    post_id = server.person("luis").post(text, reply_to=first, media=[picture, video], lang="es")
    post = connected(server).poll(WORD, None).posts[-1]
    assert post.external_id == post_id
    assert post.text == "@luis telecom & <nada>: https://example.com/estado?a=1&b=2 @luis"
    assert (post.author.handle, post.author.followers) == ("luis", 71)
    assert post.author.created_at == datetime(2019, 3, 1, 10, tzinfo=UTC)
    assert [(each.kind, each.url, each.alt) for each in post.media] == [
        ("photo", "https://pbs.example/a.jpg", "Un router apagado"),
        ("video", "https://pbs.example/b.jpg", ""),
    ]
    assert (post.parent_id, post.thread_id, post.language) == (first, first, "es")
    assert post.url == f"https://x.com/luis/status/{post_id}"
    assert post.edited_at is None


def test_a_long_post_is_read_whole(server: XServer) -> None:
    long = "telecom " + "muy largo " * 100 + "https://example.com/fin"
    server.person("ana").post(long[:250] + "…", long=long)
    (post,) = connected(server).poll(WORD, None).posts
    assert post.text == long


def test_a_retweet_says_nothing_of_its_own(server: XServer) -> None:
    first = server.person("ana").post("@marca telecom")
    server.person("luis").post("RT @ana: @marca telecom", repeats=first)
    page = connected(server).poll("mentions", None)
    assert [post.external_id for post in page.posts] == [first]
    assert page.gap is None


@pytest.mark.parametrize("language", ["und", "qme", "zxx"])
def test_a_language_that_x_does_not_know_is_none(server: XServer, language: str) -> None:
    server.person("ana").post("telecom", lang=language)
    (post,) = connected(server).poll(WORD, None).posts
    assert post.language is None


BROKEN: list[Any] = [
    None,
    17,
    {"id": "../users/me", "text": "telecom", "author_id": "5"},
    {"id": "9" * 40, "text": "telecom", "author_id": "5"},
    {"id": "77", "text": "telecom"},
    {"id": "78", "text": "telecom", "author_id": ["5"]},
]


def test_what_cannot_be_read_is_skipped_and_named(server: XServer) -> None:
    good = {"id": "99", "text": "telecom", "author_id": "5", "entities": 3, "note_tweet": [], "attachments": "x"}
    strange = {"users": [None, {"id": "5", "username": 7, "public_metrics": "many"}], "tweets": {}, "media": [1]}
    body = {"data": [*BROKEN, good], "includes": strange, "meta": {"newest_id": 5, "next_token": ["x"]}}
    server.fail(SEARCH, "wrong_type", body=body)
    page = connected(server).poll(WORD, None)
    assert [(post.external_id, post.author.handle) for post in page.posts] == [("99", "5")]
    assert page.gap == f"{len(BROKEN)} posts could not be read"


# --- looks ----------------------------------------------------------------------------------------------------------


def test_a_look_begins_where_the_first_page_of_the_last_one_began(server: XServer) -> None:
    ids = [server.person("ana").post(f"@marca {n}", late=timedelta(minutes=300 - n)) for n in range(250)]
    connector = connected(server)
    first = connector.poll("mentions", None)
    assert [post.external_id for post in first.posts] == ids
    assert first.cursor == {"newest": ids[-1]}
    queries = asked(server, "/mentions")
    assert [query.get("pagination_token") for query in queries] == [None, "t100", "t200"]
    assert len({query["start_time"] for query in queries}) == 1
    new = [server.person("luis").post(f"@marca otra vez {n}") for n in range(3)]
    server.requests.clear()
    second = connector.poll("mentions", first.cursor)
    assert only_new(list(second.posts), set(ids)) == new
    (query,) = asked(server, "/mentions")
    assert int(ids[-1]) - (60_500 << 22) < int(query["since_id"]) < int(ids[-1])


def test_a_post_that_x_lists_late_is_read_all_the_same(server: XServer) -> None:
    server.person("ana").post("telecom uno")
    connector = connected(server)
    first = connector.poll(WORD, None)
    late = server.person("ana").post("telecom dos", late=timedelta(seconds=40))
    assert late in [post.external_id for post in connector.poll(WORD, first.cursor).posts]


def test_a_look_that_breaks_off_keeps_what_it_read_and_begins_again(server: XServer) -> None:
    connector = connected(server)
    server.person("ana").post("@marca antes")
    cursor = connector.poll("mentions", None).cursor
    ids = [server.person("ana").post(f"@marca {n}") for n in range(150)]
    connector.charges()
    server.most["mentions"] = 2
    broken = connector.poll("mentions", cursor)
    assert [post.external_id for post in broken.posts] == ids[50:]
    assert broken.cursor == {**(cursor or {}), "kept": [ids[50], ids[-1]]}
    assert broken.retry_after is not None
    assert 0 < broken.retry_after <= 700
    server.most["mentions"] = 100
    again = connector.poll("mentions", broken.cursor)
    assert [post.external_id for post in again.posts][-150:] == ids
    assert spent(connector) == {"owned_read": 0.15}


def test_a_look_that_breaks_at_the_same_place_again_fails(server: XServer) -> None:
    later = Later()
    connector = connected(server, now=later)
    ids = [server.person("ana").post(f"@marca {n}") for n in range(150)]
    server.most["mentions"] = 1
    broken = connector.poll("mentions", None)
    assert len(broken.posts) == 100
    assert broken.cursor is not None
    began = datetime.fromisoformat(broken.cursor["from"])
    later.ahead = timedelta(hours=3)
    server.most["mentions"] = 2
    with pytest.raises(RateLimited):
        connector.poll("mentions", broken.cursor)
    server.most["mentions"] = 100
    whole = connector.poll("mentions", broken.cursor)
    assert [post.external_id for post in whole.posts] == ids
    asked = datetime.fromisoformat(server.requests[-1].query["start_time"])
    assert abs(asked - began) < timedelta(seconds=2), "the first look does not move on"


def test_pages_that_stay_empty_are_a_gap() -> None:
    asked: list[str | None] = []

    def fetch(_start: Start, *, next_token: str | None, size: int) -> Batch:
        asked.append(next_token)
        return Batch(posts=[], length=0, newest=None, next_token="more")

    read = look(fetch, None, now=datetime.now(UTC), most=1000, reach=None)
    assert len(asked) == 3
    assert "older posts were not read" in (read.gap or "")


def test_more_mentions_than_x_lists_are_a_gap(server: XServer) -> None:
    connector = connected(server)
    server.person("ana").post("@marca antes")
    cursor = connector.poll("mentions", None).cursor
    for n in range(830):
        server.person("ana").post(f"@marca {n}")
    page = connector.poll("mentions", cursor)
    assert len(page.posts) == 800
    assert page.gap == "more than 800 posts came since the last look, and X lists no more of them"


def test_a_long_absence_is_a_gap_of_search(server: XServer) -> None:
    clock = Later()
    connector = connected(server, now=clock)
    server.person("ana").post("telecom")
    cursor = connector.poll(WORD, None).cursor
    clock.ahead = timedelta(days=9)
    page = connector.poll(WORD, cursor)
    assert page.gap is not None
    assert "9 days ago" in page.gap
    assert "since_id" not in asked(server, "/recent")[-1]


def test_a_post_that_x_finds_too_old_to_begin_behind_is_begun_by_time(server: XServer) -> None:
    server.person("ana").post("telecom")
    clock = Later()
    connector = connected(server, now=clock)
    clock.ahead = -timedelta(days=5)  # our clock is wrong: we think that it is recent
    old = str((int((datetime.now(UTC) - timedelta(days=8)).timestamp() * 1000) - 1288834974657) << 22)
    page = connector.poll(WORD, {"newest": old})
    assert page.gap == "X no longer knows where the last look ended"
    assert len(page.posts) == 1


def test_posts_that_the_terms_do_not_match_are_bought_and_dropped(server: XServer) -> None:
    server.person("ana").post("telecom en Sevilla")
    kept = server.person("ana").post("telecom en Lleida", lang="ca")
    connector = connected(server)
    (post,) = connector.poll("telecom lang:ca", None).posts
    assert post.external_id == kept


def test_a_query_is_explained_with_what_x_gets_and_what_it_costs(server: XServer) -> None:
    said = connected(server).explain_query("telecom lang:pt-br")
    assert "“telecom -is:retweet”" in said
    assert "rest of the terms is matched here" in said
    assert "0.005 USD" in said
    with pytest.raises(Mistake, match="512"):
        connected(server).explain_query(" OR ".join(f"palabra{n:03}" for n in range(60)))
    with pytest.raises(Rejected):
        connected(server).poll("lang:es", None)
    assert server.requests == []


# --- money ----------------------------------------------------------------------------------------------------------


def test_the_bill_is_the_one_that_x_writes(server: XServer) -> None:
    connector = connected(server)
    ours = server.person(BRAND).post("Estamos en ello.")
    mention = server.person("ana").post("@marca telecom")
    for n in range(3):
        server.person("luis").post(f"telecom {n}")
    connector.poll("mentions", None)
    connector.poll(WORD, None)
    connector.poll(WORD, None)
    connector.recheck([mention])
    connector.reply(request_for(mention))
    connector.publish(notice())
    connector.publish(notice("Más en https://example.com/averia"))
    connector.publish(notice("Y seguimos.", after=ours))
    connector.find_published(notice("no está"), datetime.now(UTC))
    charges = connector.charges()
    assert {charge.call: charge.usd for charge in charges} == pytest.approx(server.bill)
    assert {charge.call: charge.units for charge in charges} == {
        "user_read": 1,
        "owned_read": 6,  # one mention, and five posts of our own looked through
        "post_read": 3,  # what we had as a mention is not paid for again
        "summoned_reply": 1,
        "post": 2,
        "post_with_url": 1,
    }
    assert connector.charges() == ()


def test_the_same_post_is_paid_for_again_on_another_day(server: XServer) -> None:
    clock = Later()
    connector = connected(server, now=clock)
    post = server.person("ana").post("telecom")
    for days, cost in ((0, 0.015), (0, 0.0), (1, 0.015)):
        clock.ahead += timedelta(days=days)
        connector.recheck([post])
        assert sum(spent(connector).values()) == pytest.approx(cost)


def test_a_quiet_search_costs_nothing(server: XServer) -> None:
    connector = connected(server)
    connector.whoami()
    connector.charges()
    connector.poll(WORD, None)
    assert connector.charges() == ()
    assert asked(server, "/counts/recent") == []


@pytest.mark.parametrize("fault", ["401", "402", "403", "429", "cap", "503"])
def test_what_x_refuses_costs_nothing(server: XServer, fault: str) -> None:
    connector = connected(server)
    connector.whoami()
    connector.charges()
    server.fail(POST, fault)
    server.fail(SEARCH, fault)
    with pytest.raises(NetworkError):
        connector.poll(WORD, None)
    with pytest.raises(NetworkError):
        connector.publish(notice())
    assert spent(connector) == ({"post": 0.015} if fault == "503" else {})  # a 503 leaves open whether it was made


@pytest.mark.parametrize("fault", ["cut_before", "cut_after", "500_after", "truncated"])
def test_a_write_of_unknown_outcome_counts_as_paid(server: XServer, fault: str) -> None:
    connector = connected(server)
    server.fail(POST, fault)
    with pytest.raises(OutcomeUnknown):
        connector.publish(notice("Más en https://example.com/averia"))
    assert spent(connector) == {"post_with_url": 0.2}


def test_a_write_that_never_left_costs_nothing() -> None:
    with XServer() as gone:
        pass
    connector = connected(gone, wait=QUICK)
    with pytest.raises(Unavailable):
        connector.publish(notice())
    assert connector.charges() == ()


def test_authors_that_come_along_are_counted_where_one_is_told_to(server: XServer) -> None:
    server.person("ana").post("telecom", media=[{"url": "https://pbs.example/a.jpg"}])
    connector = connected(server, included_billed=True)
    connector.poll(WORD, None)
    assert spent(connector) == {"user_read": 0.02, "post_read": 0.005, "media_read": 0.005}


def flood(server: XServer, posts: int) -> None:
    for n in range(posts):
        server.person("ana").post(f"telecom {n}")


def test_a_full_page_is_counted_before_more_is_bought(server: XServer) -> None:
    flood(server, 250)
    page = connected(server).poll(WORD, None)
    assert len(page.posts) == 250
    assert page.gap is None
    assert len(asked(server, "/counts/recent")) == 1


def test_a_flood_is_counted_and_only_its_newest_page_is_bought(server: XServer) -> None:
    flood(server, 620)
    connector = connected(server)
    connector.whoami()
    connector.charges()
    page = connector.poll(WORD, None)
    assert page.gap == "620 posts wait, more than one look may buy; the newest 100 were read"
    assert spent(connector) == {"post_read": 0.5, "counts": 0.005}
    assert only_new(list(connector.poll(WORD, page.cursor).posts), {post.external_id for post in page.posts}) == []


def test_a_flood_that_cannot_be_counted_is_bought_as_far_as_a_look_may(server: XServer) -> None:
    flood(server, 320)
    page = connected(server, bearer_token=None, most_per_look=250).poll(WORD, None)
    assert len(page.posts) == 250
    assert page.gap is not None
    assert "more than 250 posts wait" in page.gap


def test_a_count_that_fails_stops_no_look(server: XServer) -> None:
    flood(server, 150)
    server.fail("counts", "503")
    assert len(connected(server).poll(WORD, None).posts) == 150


# --- edits and deletions --------------------------------------------------------------------------------------------


def test_an_edit_is_the_same_mention_with_a_new_text(server: XServer) -> None:
    first = server.person("ana").post("@marca sin línea", late=timedelta(minutes=10))
    connector = connected(server)
    before = connector.poll("mentions", None)
    second = server.edit(first, "@marca sin línea desde ayer")
    (post,) = connector.poll("mentions", before.cursor).posts
    assert (post.external_id, post.text) == (first, "@marca sin línea desde ayer")
    assert post.posted_at == before.posts[0].posted_at.replace(microsecond=post.posted_at.microsecond)
    assert post.edited_at is not None
    assert post.edited_at > post.posted_at
    (looked_up,) = connector.recheck([first]).present
    assert (looked_up.external_id, looked_up.text, looked_up.edited_at) == (first, post.text, post.edited_at)
    posted = connector.reply(request_for(first, parent_raw=post.raw))
    assert server.posts[posted.external_id]["reply_to"] == second
    found = connector.find_reply(request_for(first, parent_raw=post.raw), datetime.now(UTC))
    assert found is not None
    assert found.external_id == posted.external_id


def test_an_answer_to_an_edited_post_of_ours_knows_its_first_id(server: XServer) -> None:
    ours = server.person(BRAND).post("Estamos en ello.")
    newer = server.edit(ours, "Ya está.")
    server.person("ana").post("@marca gracias", reply_to=newer)
    (post,) = connected(server).poll("mentions", None).posts
    assert (post.kind, post.parent_id) == (PostKind.REPLY, ours)


def test_what_is_hidden_from_us_is_gone_like_what_is_deleted(server: XServer) -> None:
    here, deleted, hidden = (server.person(who).post("telecom") for who in ("ana", "luis", "eva"))
    server.delete(deleted)
    server.protect("eva")
    rechecked = connected(server).recheck([here, deleted, hidden, "no-id"])
    assert [post.external_id for post in rechecked.present] == [here]
    assert set(rechecked.gone) == {deleted, hidden}


def test_many_are_looked_up_a_hundred_at_a_time(server: XServer) -> None:
    ids = [server.person("ana").post(f"telecom {n}") for n in range(230)]
    connector = connected(server)
    assert len(connector.recheck(ids).present) == 230
    server.fail("GET /2/tweets$", "html")  # the first hundred; then all is well, but nobody asks any more
    with pytest.raises(Unavailable):
        connector.recheck(ids)


@pytest.mark.parametrize("body", [{}, {"data": "x"}, {"errors": [{"title": "?"}]}, {"data": [None]}])
def test_nonsense_makes_nothing_gone(server: XServer, body: Any) -> None:
    post = server.person("ana").post("telecom")
    connector = connected(server)
    connector.whoami()
    server.fail("GET ", "wrong_type", body=body)
    try:
        assert connector.recheck([post]).gone == ()
    except Unavailable:
        return


# --- writing --------------------------------------------------------------------------------------------------------


def test_a_notice_goes_on_below_its_own_beginning(server: XServer) -> None:
    connector = connected(server)
    since = datetime.now(UTC)
    first = connector.publish(notice("Avería en Lleida. (1/2)"))
    second = connector.publish(notice("Sin horario todavía. (2/2)", after=first.external_id))
    assert server.posts[second.external_id]["reply_to"] == first.external_id
    found = connector.find_published(notice("Sin horario todavía. (2/2)", after=first.external_id), since)
    assert found is not None
    assert found.external_id == second.external_id
    assert connector.find_published(notice("Sin horario todavía. (2/2)"), since) is None
    assert connector.facts.threads


def test_the_same_notice_twice_is_refused_in_plain_words(server: XServer) -> None:
    connector = connected(server)
    connector.publish(notice())
    with pytest.raises(Rejected, match="the same text twice"):
        connector.publish(notice())
    assert len(server.posts_by(BRAND)) == 1


def test_an_answer_that_x_knows_already_is_the_one_we_meant(server: XServer) -> None:
    parent = server.person("ana").post("@marca telecom")
    connector = connected(server)
    server.fail(POST, "cut_after")
    with pytest.raises(OutcomeUnknown):
        connector.reply(request_for(parent))
    again = connector.reply(request_for(parent))
    assert [row["id"] for row in server.posts_by(BRAND)] == [again.external_id]


def test_an_answer_that_shows_late_is_not_taken_for_lost(server: XServer) -> None:
    server.lag = 300
    parent = server.person("ana").post("@marca telecom")
    connector = connected(server)
    since = datetime.now(UTC)
    connector.reply(request_for(parent))
    assert connector.find_reply(request_for(parent), since) is None
    assert FACTS.settle_after is not None
    assert FACTS.settle_after >= timedelta(seconds=server.lag)  # so nobody believes that look
    with pytest.raises(Rejected, match="the same text twice"):
        connector.reply(request_for(parent))


def test_an_answer_that_was_edited_may_be_the_one(server: XServer) -> None:
    parent = server.person("ana").post("@marca telecom")
    connector = connected(server)
    since = datetime.now(UTC)
    posted = connector.reply(request_for(parent))
    server.edit(posted.external_id, "Lo hemos mirado.")
    with pytest.raises(OutcomeUnknown):
        connector.find_reply(request_for(parent), since)


def test_an_answer_among_posts_that_cannot_be_read_may_be_there(server: XServer) -> None:
    connector = connected(server)
    connector.whoami()
    for body in ({"data": [None], "meta": {}}, {"data": [{"id": "x"}], "meta": {}}, {"unexpected": 1}):
        server.fail("GET .*/tweets$", "wrong_type", body=body)
        with pytest.raises((OutcomeUnknown, Unavailable)):
            connector.find_reply(request_for("5"), datetime.now(UTC))


def test_our_own_posts_beyond_what_can_be_looked_through_are_no_no(server: XServer, monkeypatch: Any) -> None:
    monkeypatch.setattr("connectors.x._OWN_PAGES", 2)
    for n in range(220):
        server.person(BRAND).post(f"aviso {n}")
    with pytest.raises(OutcomeUnknown):
        connected(server).find_published(notice(), datetime.now(UTC))


def test_a_link_is_found_again_though_x_shortens_it(server: XServer) -> None:
    connector = connected(server)
    since = datetime.now(UTC)
    posted = connector.publish(notice("Más en https://example.com/averia", media=(PICTURE,)))
    found = connector.find_published(notice("Más en https://example.com/averia"), since)
    assert found is not None
    assert found.external_id == posted.external_id
    assert found.url == f"https://x.com/marca/status/{posted.external_id}"
    assert connector.find_published(notice("Más en https://example.com/resuelta"), since) is None


@pytest.mark.parametrize("parent", ["", "mastodon.example/1", "../users/1"])
def test_a_post_that_is_none_of_x_s_is_not_answered(server: XServer, parent: str) -> None:
    with pytest.raises(Rejected):
        connected(server).reply(request_for(parent))
    assert server.requests == []


# --- pictures -------------------------------------------------------------------------------------------------------


def test_a_picture_goes_with_its_description(server: XServer) -> None:
    parent = server.person("ana").post("@marca telecom")
    connector = connected(server)
    posted = connector.reply(request_for(parent, media=(PICTURE, PICTURE)))
    pictures = [server.media[each] for each in server.posts[posted.external_id]["media"]]
    assert [each["alt_text"] for each in pictures] == ["Un mapa de Lleida"] * 2
    assert spent(connector)["media_metadata"] == 0.01


@pytest.mark.parametrize("fault", ["cut_before", "cut_after", "503", "html", "timeout_after", "truncated"])
@pytest.mark.parametrize("route", ["upload", "metadata"])
def test_a_picture_that_does_not_arrive_is_no_write_of_unknown_outcome(server: XServer, fault: str, route: str) -> None:
    connector = connected(server, wait=QUICK if fault in NEVER_ANSWERED else PATIENT)
    server.fail(f"POST /2/media/{route}", fault)
    with pytest.raises(Unavailable):
        connector.publish(notice(media=(PICTURE,)))
    assert server.posts_by(BRAND) == []
    connected(server).publish(notice(media=(PICTURE,)))
    assert len(server.posts_by(BRAND)) == 1


@pytest.mark.parametrize(
    "media",
    [
        (PICTURE,) * 5,
        (Attachment(name="a.gif", content_type="image/gif", data=b"GIF", alt="x"),),
        (Attachment(name="a.png", content_type="image/png", data=b"x" * 5_000_001, alt="x"),),
    ],
    ids=["five", "gif", "large"],
)
def test_pictures_that_x_does_not_take_are_not_sent(server: XServer, media: tuple[Attachment, ...]) -> None:
    with pytest.raises(Rejected):
        connected(server).publish(notice(media=media))
    assert server.requests == []


# --- refusals -------------------------------------------------------------------------------------------------------


def refused(server: XServer, fault: str, *, writing: bool = False, **options: Any) -> NetworkError:
    """What the connector makes of that answer."""
    connector = connected(server)
    connector.whoami()
    server.fail(POST if writing else SEARCH, fault, **options)
    with pytest.raises(NetworkError) as caught:
        connector.publish(notice()) if writing else connector.poll(WORD, None)
    assert not [secret for secret in [*KEYS.values(), BEARER] if secret in str(caught.value)]
    return caught.value


@pytest.mark.parametrize("writing", [False, True], ids=["reading", "writing"])
def test_a_monthly_cap_is_not_waited_for_until_the_window_ends(server: XServer, writing: bool) -> None:
    error = refused(server, "cap", writing=writing)
    assert isinstance(error, RateLimited)
    assert error.retry_after == 6 * 3600
    assert "monthly cap" in str(error)


def test_a_window_that_is_used_up_is_waited_for(server: XServer) -> None:
    error = refused(server, "429")
    assert isinstance(error, RateLimited)
    assert error.retry_after is not None
    assert 600 < error.retry_after <= 700


def test_a_day_that_is_used_up_is_waited_for_though_the_window_has_room(server: XServer) -> None:
    error = refused(server, "daily", writing=True)
    assert isinstance(error, RateLimited)
    assert error.retry_after is not None
    assert 7000 < error.retry_after <= 7200


def test_a_refusal_that_names_no_time_leaves_it_to_us(server: XServer) -> None:
    error = refused(server, "429_bare")
    assert isinstance(error, RateLimited)
    assert error.retry_after is None


@pytest.mark.parametrize("writing", [False, True], ids=["reading", "writing"])
@pytest.mark.parametrize("body", [{}, {"title": "CreditsDepleted", "detail": "no credits"}])
def test_an_empty_purse_is_for_a_person(server: XServer, writing: bool, body: Any) -> None:
    error = refused(server, "402", writing=writing, body=body)
    assert isinstance(error, AuthFailed)
    assert "buy credits" in str(error)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"detail": "You are not allowed to create a Tweet with duplicate content."}, Rejected),
        ({"detail": "You are not permitted to perform this action."}, Rejected),
        ({"detail": "Your account is suspended and is not permitted to access this feature."}, AuthFailed),
        ({"detail": "Your account is temporarily locked."}, AuthFailed),
        ({"detail": "Forbidden", "type": "https://api.x.com/2/problems/oauth1-permissions"}, AuthFailed),
        ({"detail": "no", "reason": "client-not-enrolled"}, AuthFailed),
        ({}, OutcomeUnknown),
        ([], OutcomeUnknown),
        ({"detail": 17, "errors": "many"}, OutcomeUnknown),
    ],
)
def test_a_403_is_about_the_post_or_about_us(server: XServer, body: Any, kind: type[NetworkError]) -> None:
    assert isinstance(refused(server, "403", writing=True, body=body), kind)


def test_headers_that_make_no_sense_do_no_harm(server: XServer) -> None:
    server.person("ana").post("telecom")
    server.fail(".", "bad_headers", times=10)
    page = connected(server).poll(WORD, None)
    assert len(page.posts) == 1
    assert page.retry_after is None


def test_after_the_last_allowed_request_we_wait(server: XServer) -> None:
    server.fail(SEARCH, "last_allowed")
    page = connected(server).poll(WORD, None)
    assert page.retry_after is not None
    assert 600 < page.retry_after <= 700


@pytest.mark.parametrize("fault", ["truncated", "huge", "html", "wrong_type", "slow", "timeout_before", "redirect"])
def test_garbage_ends_in_time_as_trouble(server: XServer, fault: str) -> None:
    connector = connected(server, wait=QUICK if fault in NEVER_ANSWERED else PATIENT)
    server.person("ana").post("telecom")
    server.fail("GET ", fault, times=9, **({"to": f"{server.url}/2/users/me"} if fault == "redirect" else {}))
    with pytest.raises(Unavailable):
        connector.poll(WORD, None)
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", ["truncated", "huge", "html", "wrong_type", "slow", "timeout_after", "500_after"])
def test_garbage_after_a_write_leaves_its_outcome_open(server: XServer, fault: str) -> None:
    connector = connected(server, wait=QUICK if fault in NEVER_ANSWERED else PATIENT)
    server.fail(POST, fault)
    with pytest.raises(OutcomeUnknown):
        connector.publish(notice())
    assert sum(seen.method == "POST" for seen in server.requests) == 1


@pytest.mark.parametrize("seed", range(60))
def test_one_spoilt_value_spoils_no_more_than_its_post(server: XServer, seed: int) -> None:
    """X's own answers, each with one value replaced: what can be read is read, and nothing is a bug."""
    ours = server.person(BRAND).post("Estamos en ello.")
    picture = {"url": "https://pbs.example/a.jpg", "alt_text": "Un router"}
    posts = [
        server.person("ana").post(f"@marca telecom {n}", reply_to=ours, media=[picture], long=f"telecom {n} @marca")
        for n in range(4)
    ]
    with Mutating(server.url, seed=seed) as proxy:
        server.seen_as = proxy.url
        connector = connected(server, api=proxy.url)
        connector.whoami()
        proxy.spoiling = True
        since = datetime.now(UTC) - timedelta(hours=1)
        for ask in (
            lambda: connector.poll("mentions", None),
            lambda: connector.poll(WORD, None),
            lambda: connector.recheck(posts),
            lambda: connector.find_reply(request_for(posts[0]), since),
            lambda: connector.find_published(notice(), since),
            lambda: connector.reply(request_for(posts[1], media=(PICTURE,))),
            lambda: connector.publish(notice()),
            XConnector(settings(server, api=proxy.url)).whoami,
        ):
            try:
                came = ask()
            except NetworkError:
                continue
            if isinstance(came, Page) and not came.posts:
                assert came.gap, proxy.spoilt
        assert all(charge.usd > 0 for charge in connector.charges())


def test_who_we_are_is_asked_once_an_hour(server: XServer) -> None:
    clock = Later()
    connector = connected(server, now=clock)
    for _ in range(5):
        connector.whoami()
        connector.poll(WORD, None)
    assert len(asked(server, "/users/me")) == 1
    clock.ahead = timedelta(minutes=61)
    connector.whoami()
    assert len(asked(server, "/users/me")) == 2


# --- wrong clocks ---------------------------------------------------------------------------------------------------


def test_an_answer_is_found_by_whom_it_answers_however_fast_our_clock(server: XServer) -> None:
    later = Later()
    later.ahead = timedelta(hours=1)
    connector = connected(server, now=later)
    parent = server.person("ana").post(f"@{BRAND} hola")
    posted = connector.reply(request_for(parent))
    found = connector.find_reply(request_for(parent), later() - timedelta(minutes=10))
    assert found is not None
    assert found.external_id == posted.external_id


def test_a_notice_is_not_surely_missing_where_the_clocks_differ(server: XServer) -> None:
    later = Later()
    connector = connected(server, now=later)
    assert connector.find_published(notice(), later() - timedelta(minutes=10)) is None
    later.ahead = timedelta(hours=1)
    with pytest.raises(OutcomeUnknown):
        connector.find_published(notice(), later() - timedelta(minutes=10))
