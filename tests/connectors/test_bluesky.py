"""Bluesky: the shared suite against the reference implementation on loopback, and what is special to it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from connectors.bluesky import BlueskyConnector, Settings
from connectors.bluesky_stream import Jetstream
from connectors.bluesky_text import count
from connectors.bluesky_wire import Wire
from listener.contract import Connector
from listener.errors import AuthFailed, Mistake, NetworkError, OutcomeUnknown, Rejected, Unavailable
from listener.types import Attachment, Post, PostKind, PublishRequest, ReplyRequest, Visibility
from tests.connectors.conformance import Conformance, Fault, Ours, World
from tests.listener.desk.picture_files import png
from tests.servers import bluesky
from tests.servers.bluesky import POST, Network, Person
from tests.servers.jetstream import JetstreamServer
from tests.servers.proxy import Proxy

pytestmark = pytest.mark.slow  # the network takes its time to start, and every test makes an account on it

PATIENT = 20.0  # seconds that a connector waits, so that a busy machine fails no test
QUICK = 0.4  # and where waiting in vain is the point
WRITE = "POST /xrpc/com.atproto.repo.(createRecord|putRecord|deleteRecord)"
UPLOAD = "POST /xrpc/com.atproto.repo.uploadBlob"

FAULTS: dict[Fault, dict[str, Any]] = {
    Fault.RATE_LIMITED: {"kind": "status", "status": 429, "body": {"error": "RateLimitExceeded", "message": "slow"}},
    Fault.UNAVAILABLE: {"kind": "status", "status": 503, "body": b"<html>busy</html>"},
    Fault.GARBAGE: {"kind": "status", "status": 200, "body": b"<html>hello</html>"},
    Fault.AUTH_FAILED: {"kind": "status", "status": 401, "body": {"error": "AuthenticationRequired", "message": "no"}},
    Fault.REJECTED: {"kind": "status", "status": 400, "body": {"error": "InvalidRequest", "message": "not so"}},
    Fault.LOST_BEFORE: {"kind": "cut_before"},
    Fault.LOST_AFTER: {"kind": "cut_after"},
}


def connected(
    brand: Person | None,
    folder: Path,
    *,
    service: str,
    jetstream: str = "",
    appview: str = "https://public.api.bsky.app",
    wait: float = PATIENT,
    silence: float = 30.0,
    now: Any = None,
) -> BlueskyConnector:
    """A connector which gives up after `wait` seconds without an answer."""
    given: dict[str, Any] = {"service": service, "jetstream": jetstream, "appview": appview}
    if brand is not None:
        given |= {"handle": brand.handle, "app_password": SecretStr(brand.password)}
    settings = Settings(session_file=folder / "sessions.json", **given)
    wire = None
    if brand is not None:
        limits = {"connect_timeout": wait, "read_timeout": wait, "deadline": 2 * wait}
        wire = Wire(service, **limits, proxies=False, largest=1024 * 1024)
    stream = Jetstream(jetstream, silence=silence) if jetstream else None
    return BlueskyConnector(settings, wire=wire, jetstream=stream, now=now)


def keep_session(brand: Person, folder: Path, service: str) -> None:
    """The session that came with the account, as an earlier run would have kept it."""
    entry = {"did": brand.did, "handle": brand.handle, "access": brand.token, "refresh": brand.refresh}
    (folder / "sessions.json").write_text(json.dumps({f"{brand.handle} at {service}": entry}))


@pytest.fixture(scope="session")
def network() -> Iterator[Network]:
    with bluesky.running() as running:
        yield running


@pytest.fixture
def proxy(network: Network) -> Iterator[Proxy]:
    with Proxy(network.pds) as running:
        yield running


class BlueskyWorld(World):
    """People on a real network; ours is a new account each time, the others stay."""

    module = "connectors.bluesky"
    mentions_query = "mentions"
    bad_query = "-movistar"
    page_size = 10
    lateness = timedelta(minutes=10)

    def __init__(self, network: Network, proxy: Proxy, jetstream: JetstreamServer, folder: Path) -> None:
        self.network = network
        self.proxy = proxy
        self.jetstream = jetstream
        self.folder = folder
        self.brand = network.person("marca")
        network.settle()
        self.secret = self.brand.token
        self.tag = f"t{uuid.uuid4().hex[:10]}"
        self.query = f"#{self.tag}"
        keep_session(self.brand, folder, proxy.url)

    def connector(self) -> Connector:
        return connected(self.brand, self.folder, service=self.proxy.url)

    def post(
        self,
        who: str,
        text: str,
        *,
        reply_to: str | None = None,
        to_us: bool = False,
        late: timedelta = timedelta(0),
    ) -> str:
        # What holds a NUL is kept by the server and never shown by its AppView.
        text = f"{cut(text.replace(chr(0), ''))} #{self.tag}"
        more = {"reply": self.thread(reply_to)} if reply_to else {}
        said = self.who(who).post(text, late=late, naming=self.brand if to_us else None, **more)
        self.network.settle()
        did, key = said["uri"].split("/")[2::2]
        record = self.record(said["uri"])
        self.jetstream.say(did, record["value"], key=key, cid=said["cid"])
        return said["uri"]

    def edit(self, external_id: str, text: str) -> None:
        self.owner(external_id).edit(external_id, f"{text} #{self.tag}")
        self.network.settle()

    def delete(self, external_id: str) -> None:
        self.owner(external_id).delete(external_id)
        self.network.settle()

    def settle(self) -> None:
        self.network.settle()

    def ours(self) -> list[Ours]:
        return [
            Ours(external_id=post["uri"], parent_id=parent, text=post["value"]["text"])
            for post in self.brand.posts()
            for parent in [post["value"].get("reply", {}).get("parent", {}).get("uri")]
        ]

    def fail(self, fault: Fault, *, writes: bool = False, times: int = 1) -> None:
        self.proxy.fail(WRITE if writes else "GET", times=times, **FAULTS[fault])

    def fail_upload(self, fault: Fault) -> bool:
        self.proxy.fail(UPLOAD, **FAULTS[fault])
        return True

    def heal(self) -> None:
        self.proxy.heal()

    def descriptions(self, external_id: str) -> list[str]:
        return [image["alt"] for image in self.record(external_id)["value"]["embed"]["images"]]

    def streaming(self) -> Connector:
        return connected(
            self.brand,
            self.folder,
            service=self.proxy.url,
            jetstream=self.jetstream.url,
            appview=self.network.appview,
            silence=2.0,
        )

    def silence_streams(self) -> None:
        self.jetstream.silence()

    def cut_streams(self) -> None:
        self.jetstream.cut()

    @property
    def our_id(self) -> str:
        return self.brand.did

    def who(self, name: str) -> Person:
        return self.network.somebody(name)

    def owner(self, uri: str) -> Person:
        return self.network.owner(uri)

    def record(self, uri: str) -> dict[str, Any]:
        did, key = uri.split("/")[2::2]
        return self.brand.ask("com.atproto.repo.getRecord", repo=did, collection=POST, rkey=key)

    def thread(self, uri: str) -> dict[str, Any]:
        above = self.record(uri)
        reference = {"uri": above["uri"], "cid": above["cid"]}
        return {"root": above["value"].get("reply", {}).get("root", reference), "parent": reference}


def cut(text: str) -> str:
    """As much of a text as leaves room for a tag and a mention."""
    while count(text) > 240:
        text = text[:-1]
    return text


class TestBluesky(Conformance):
    @pytest.fixture
    def world(
        self, network: Network, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[BlueskyWorld]:
        monkeypatch.setattr("connectors.bluesky.PAGE", BlueskyWorld.page_size)
        monkeypatch.setattr("connectors.bluesky_listening.BEAT", 0.5)
        with JetstreamServer() as jetstream:
            yield BlueskyWorld(network, proxy, jetstream, tmp_path)


# --- what the network makes of it -----------------------------------------------------------------------------------


@pytest.fixture
def world(network: Network, proxy: Proxy, tmp_path: Path) -> Iterator[BlueskyWorld]:
    with JetstreamServer() as jetstream:
        yield BlueskyWorld(network, proxy, jetstream, tmp_path)


def request_for(parent: Post, text: str = "Lo miramos.", **more: Any) -> ReplyRequest:
    given: dict[str, Any] = {
        "key": "draft-1",
        "parent_id": parent.external_id,
        "parent_author": parent.author,
        "parent_visibility": parent.visibility,
        "text": text,
        "language": "es",
    }
    return ReplyRequest(**given | more)


def first_mention(world: BlueskyWorld) -> Post:
    """Somebody names us, and we have read it."""
    said = world.post("ana", "¿hay avería?", to_us=True)
    (post,) = [each for each in world.connector().poll("mentions", None).posts if each.external_id == said]
    return post


def views(world: BlueskyWorld, uri: str) -> dict[str, Any]:
    """The post as the AppView shows it."""
    world.network.settle()
    (view,) = world.brand.ask("app.bsky.feed.getPosts", uris=[uri])["posts"]
    return cast(dict[str, Any], view)


def test_mentions_answers_and_quotes_are_told_apart(world: BlueskyWorld) -> None:
    ours = world.brand.post("Hola a todos")
    quote = {"$type": "app.bsky.embed.record", "record": ours}
    uris = {
        "mention": world.post("ana", "¿hola?", to_us=True),
        "reply": world.post("ana", "gracias", reply_to=ours["uri"]),
    }
    uris["quote"] = world.who("berta").post("mirad esto", embed=quote)["uri"]
    uris["below"] = world.post("berta", "y yo", reply_to=uris["reply"])
    world.who("ana").post("sin nosotros")
    world.network.settle()
    kinds = {each.external_id: each.kind for each in world.connector().poll("mentions", None).posts}
    assert kinds.get(uris["below"], PostKind.FOUND) is PostKind.FOUND, "an answer to somebody else is not to us"
    kinds.pop(uris["below"], None)
    assert kinds == {
        uris["mention"]: PostKind.MENTION,
        uris["reply"]: PostKind.REPLY,
        uris["quote"]: PostKind.MENTION,
    }
    (quoting,) = [each for each in world.connector().poll("mentions", None).posts if each.text == "mirad esto"]
    assert quoting.quoted == f"@{world.brand.handle}: Hola a todos"


def test_a_reply_refers_to_root_and_parent(world: BlueskyWorld) -> None:
    root = world.post("ana", "hilo", to_us=True)
    middle = world.post("berta", "yo también", reply_to=root, to_us=True)
    (post,) = [each for each in world.connector().poll("mentions", None).posts if each.external_id == middle]
    assert (post.parent_id, post.thread_id) == (root, root)
    connector = cast(BlueskyConnector, world.connector())
    posted = connector.reply(request_for(post))
    reply = world.record(posted.external_id)["value"]["reply"]
    assert reply["root"] == {"uri": root, "cid": world.record(root)["cid"]}
    assert reply["parent"] == {"uri": middle, "cid": world.record(middle)["cid"]}
    assert posted.url == f"https://bsky.app/profile/{world.brand.did}/post/{posted.external_id.rpartition('/')[2]}"


def test_a_text_is_marked_as_the_network_shows_it(world: BlueskyWorld) -> None:
    ana = world.who("ana")
    text = f"👩‍👩‍👧‍👦 Hola @{ana.handle} y @nadie.test: véase https://example.com/estado?zona=1. #Avería"
    connector = cast(BlueskyConnector, world.connector())
    posted = connector.publish(PublishRequest(key="n", text=text, language="es"))
    view = views(world, posted.external_id)
    record = view["record"]
    parts = {
        record["text"].encode()[facet["index"]["byteStart"] : facet["index"]["byteEnd"]].decode(): facet["features"][0]
        for facet in record["facets"]
    }
    assert {part: feature["$type"].rpartition("#")[2] for part, feature in parts.items()} == {
        f"@{ana.handle}": "mention",
        "https://example.com/estado?zona=1": "link",
        "#Avería": "tag",
    }
    assert parts[f"@{ana.handle}"]["did"] == ana.did
    assert view["embed"]["external"]["title"] == "example.com/estado"
    assert record["langs"] == ["es"]
    told = ana.ask("app.bsky.notification.listNotifications", limit=5)["notifications"]
    assert posted.external_id in {each["uri"] for each in told}


def test_nothing_foreign_is_fetched_for_a_card(world: BlueskyWorld) -> None:
    with Proxy("http://127.0.0.1:9") as foreign:
        posted = cast(BlueskyConnector, world.connector()).publish(
            PublishRequest(key="n", text=f"mira {foreign.url}/x")
        )
        assert world.record(posted.external_id)["value"]["embed"]["external"]["uri"] == f"{foreign.url}/x"
        assert foreign.requests == []


def test_a_repeated_write_is_the_first_one(world: BlueskyWorld) -> None:
    connector = cast(BlueskyConnector, world.connector())
    request = PublishRequest(key="n", text="Avería resuelta")
    world.proxy.fail(WRITE, "cut_after")
    with pytest.raises(OutcomeUnknown):
        connector.publish(request)
    again = cast(BlueskyConnector, world.connector()).publish(request)
    (ours,) = world.ours()
    assert again.external_id == ours.external_id
    found = connector.find_published(request, datetime.now(UTC))
    assert found is not None
    assert (found.external_id, found.posted_at) == (again.external_id, again.posted_at)


def test_a_refusal_of_what_is_there_already_is_none(world: BlueskyWorld) -> None:
    request = PublishRequest(key="n", text="Avería resuelta")
    first = cast(BlueskyConnector, world.connector()).publish(request)
    world.proxy.fail(WRITE, **FAULTS[Fault.REJECTED])
    assert cast(BlueskyConnector, world.connector()).publish(request).external_id == first.external_id


def test_many_at_once_write_one(world: BlueskyWorld) -> None:
    request = PublishRequest(key="n", text="Avería resuelta")
    outcomes: list[object] = []

    def publish() -> None:
        try:
            outcomes.append(cast(BlueskyConnector, world.connector()).publish(request).external_id)
        except NetworkError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (ours,) = world.ours()
    assert set(outcomes) <= {ours.external_id, OutcomeUnknown}


@pytest.mark.parametrize("rule", ["nobody", "followers"])
def test_a_thread_that_takes_no_answer_is_known(world: BlueskyWorld, rule: str) -> None:
    ana = world.network.person("ana")
    allow = [] if rule == "nobody" else [{"$type": "app.bsky.feed.threadgate#followerRule"}]
    said = ana.post("hablo yo sola", naming=world.brand)
    gate = {"post": said["uri"], "allow": allow, "createdAt": bluesky.moment()}
    ana.create("app.bsky.feed.threadgate", gate, key=said["uri"].rpartition("/")[2])
    world.network.settle()
    connector = cast(BlueskyConnector, world.connector())
    (post,) = connector.poll("mentions", None).posts
    assert post.unanswerable
    with pytest.raises(Rejected, match="takes answers"):
        connector.reply(request_for(post))
    assert world.ours() == []


def test_who_blocks_us_is_neither_read_nor_answered_nor_called_gone(world: BlueskyWorld) -> None:
    ana = world.network.person("ana")
    said = ana.post("no quiero saber nada", naming=world.brand)
    world.network.settle()
    (post,) = world.connector().poll("mentions", None).posts
    ana.create("app.bsky.graph.block", {"subject": world.brand.did, "createdAt": bluesky.moment()})
    world.network.settle()
    connector = cast(BlueskyConnector, world.connector())
    assert connector.poll("mentions", None).posts == ()
    rechecked = connector.recheck([said["uri"]])
    assert rechecked.gone == ()
    with pytest.raises(Rejected):
        connector.reply(request_for(post))
    assert world.ours() == []


def test_labels_warn_and_tell_bots(world: BlueskyWorld) -> None:
    said = world.who("ana").post("mira esto", naming=world.brand)
    bot = world.network.person("robot")
    bot.create(
        "app.bsky.actor.profile",
        {"labels": {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "bot"}]}, "displayName": "Robot"},
        key="self",
    )
    bot.post("soy un robot", naming=world.brand)
    world.network.do("label", subject=said["uri"], cid=said["cid"], value="graphic-media")
    world.network.settle()
    posts = {each.text.partition(" ")[2]: each for each in world.connector().poll("mentions", None).posts}
    assert posts["mira esto"].content_warning == "graphic-media"
    assert posts["soy un robot"].author.bot
    assert posts["soy un robot"].author.display_name == "Robot"
    assert not posts["mira esto"].author.bot


def test_pictures_and_links_are_shown_with_their_words(world: BlueskyWorld) -> None:
    connector = cast(BlueskyConnector, world.connector())
    picture = Attachment(name="mapa.png", content_type="image/png", data=png(width=9), alt="un mapa")
    posted = connector.publish(PublishRequest(key="n", text="Mirad: https://example.com", media=(picture,)))
    world.network.settle()
    (post,) = connector.recheck([posted.external_id]).present
    (media,) = post.media
    assert (media.kind, media.alt) == ("image", "un mapa")
    assert media.url.startswith("http")


@pytest.mark.parametrize(
    ("media", "why"),
    [
        ([Attachment(name="a.svg", content_type="image/svg+xml", data=b"<svg/>", alt="x")], "no picture"),
        (
            [Attachment(name="a.png", content_type="image/png", data=b"\x89PNG" + b"x" * 1_000_001, alt="x")],
            "no picture",
        ),
        ([Attachment(name="a.png", content_type="image/png", data=b"x", alt="x")] * 5, "at most 4"),
    ],
)
def test_what_is_no_picture_is_not_posted(world: BlueskyWorld, media: list[Attachment], why: str) -> None:
    with pytest.raises(Rejected, match=why):
        cast(BlueskyConnector, world.connector()).publish(PublishRequest(key="n", text="x", media=tuple(media)))
    assert world.ours() == []
    assert not any("createRecord" in seen.path for seen in world.proxy.requests)


def test_only_what_is_public_can_be_said(world: BlueskyWorld) -> None:
    with pytest.raises(Rejected, match="public"):
        cast(BlueskyConnector, world.connector()).publish(
            PublishRequest(key="n", text="x", visibility=Visibility.FOLLOWERS)
        )


@pytest.mark.parametrize("after", ["nothing", "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/3k"])
def test_a_thread_goes_on_only_from_what_is_there(world: BlueskyWorld, after: str) -> None:
    with pytest.raises((Rejected, Unavailable)):
        cast(BlueskyConnector, world.connector()).publish(PublishRequest(key="n", text="x", after=after))
    assert world.ours() == []


def test_a_choice_is_searched_for_one_by_one(world: BlueskyWorld) -> None:
    one, other = f"uno{world.tag}", f"dos{world.tag}"
    wanted = [world.who("ana").post(text)["uri"] for text in (f"aquí {one}", f"aquí {other}", f"allí {one} {other}")]
    world.who("ana").post(f"ni {one} prohibido")
    world.network.settle()
    query = f"({one} OR {other}) -prohibido"
    page = world.connector().poll(query, None)
    assert [each.external_id for each in page.posts] == wanted
    searches = [seen.path for seen in world.proxy.requests if "searchPosts" in seen.path]
    assert len(searches) == 2
    assert "prohibido" not in "".join(searches)


def test_what_cannot_be_searched_for_is_a_mistake(world: BlueskyWorld) -> None:
    connector = world.connector()
    many = " OR ".join(f"palabra{n}" for n in range(30))
    for query in ("-movistar", "lang:es", "", "(", many):
        with pytest.raises(Mistake):
            connector.explain_query(query)
        with pytest.raises(Rejected):
            connector.poll(query, None)
    assert "searched for “iberia”" in connector.explain_query("iberia -ryanair")
    assert "\n" not in connector.explain_query("iberia -ryanair")


def test_our_own_posts_are_no_finds(world: BlueskyWorld) -> None:
    world.brand.post(f"hablamos de #{world.tag}")
    world.network.settle()
    assert world.connector().poll(world.query, None).posts == ()


def test_many_are_looked_up_together(world: BlueskyWorld) -> None:
    ana = world.network.person("ana")
    uris = [ana.post(f"mensaje {n}")["uri"] for n in range(27)]
    world.network.settle()
    ana.delete(uris[3])
    world.network.settle()
    before = len(world.proxy.requests)
    rechecked = cast(BlueskyConnector, world.connector()).recheck([*uris, uris[0], "at://no/such", ""])
    assert rechecked.gone == (uris[3],)
    assert {each.external_id for each in rechecked.present} == {*uris} - {uris[3]}
    assert len(world.proxy.requests) - before == 3


def test_a_deleted_account_takes_its_posts_along(world: BlueskyWorld) -> None:
    ana = world.network.person("ana")
    said = ana.post("me voy")
    world.network.settle()
    ana.call("com.atproto.server.deactivateAccount", {})
    world.network.settle()
    rechecked = cast(BlueskyConnector, world.connector()).recheck([said["uri"]])
    assert rechecked.present == ()


def test_without_an_account_the_network_is_heard_and_looked_at(world: BlueskyWorld) -> None:
    stays, goes = world.post("ana", "me quedo"), world.post("berta", "me voy")
    connector = connected(
        None, world.folder, service="https://bsky.social", jetstream=world.jetstream.url, appview=world.network.appview
    )
    heard = connector.poll(world.query, None)
    assert [each.external_id for each in heard.posts] == [stays, goes]
    assert [each.author.handle for each in heard.posts] == [world.who("ana").handle, world.who("berta").handle]
    world.delete(goes)
    rechecked = connector.recheck([stays, goes])
    assert rechecked.gone == (goes,)
    assert [each.author for each in rechecked.present] == [heard.posts[0].author]


# --- sessions on the real server ------------------------------------------------------------------------------------


def test_a_first_login_is_kept(world: BlueskyWorld) -> None:
    file = world.folder / "sessions.json"
    file.unlink()
    for _ in range(2):
        assert world.connector().whoami() is not None
    logins = [seen for seen in world.proxy.requests if "createSession" in seen.path]
    assert len(logins) == 1
    assert world.brand.password not in file.read_text()


def test_a_worn_out_token_is_renewed_by_whoever_comes_first(world: BlueskyWorld) -> None:
    entries = json.loads((world.folder / "sessions.json").read_text())
    for entry in entries.values():
        entry["access"] = worn_out(world.brand.did)
    (world.folder / "sessions.json").write_text(json.dumps(entries))
    connectors = [world.connector() for _ in range(4)]
    failed: list[BaseException] = []

    def ask(connector: Connector) -> None:
        try:
            connector.whoami()
        except NetworkError as error:
            failed.append(error)

    threads = [threading.Thread(target=ask, args=(each,)) for each in connectors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    calls = [seen.path.rpartition(".")[2] for seen in world.proxy.requests]
    assert calls.count("refreshSession") == 1
    assert calls.count("createSession") == 0


def test_an_account_taken_down_says_so(world: BlueskyWorld) -> None:
    world.network.do("takedown", did=world.brand.did)
    with pytest.raises(AuthFailed, match="taken down"):
        cast(BlueskyConnector, world.connector()).publish(PublishRequest(key="n", text="hola"))


def test_a_wrong_password_is_tried_once(world: BlueskyWorld) -> None:
    (world.folder / "sessions.json").unlink()
    connector = connected(replace(world.brand, password="wrong"), world.folder, service=world.proxy.url)
    for _ in range(3):
        with pytest.raises(AuthFailed, match="check handle and app_password"):
            connector.whoami()
    assert sum("createSession" in seen.path for seen in world.proxy.requests) == 1


def worn_out(did: str) -> str:
    """A token of the server's own that ended an hour ago, as it signs them."""

    def packed(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    ended = int(time.time()) - 3600
    claims = {"scope": "com.atproto.access", "sub": did, "aud": "did:web:localhost", "iat": ended - 60, "exp": ended}
    text = f"{packed({'typ': 'at+jwt', 'alg': 'HS256'})}.{packed(claims)}"
    signed = hmac.new(b"jwt-secret", text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(signed).rstrip(b'=').decode()}"


# --- what becomes of a notice that is out ---


def test_a_pin_leaves_the_rest_of_the_profile_as_it_was(world: BlueskyWorld) -> None:
    ours = cast(BlueskyConnector, world.connector())
    world.brand.create("app.bsky.actor.profile", {"displayName": "Marca", "description": "Lo nuestro"}, key="self")
    first, second = (ours.publish(PublishRequest(key=str(n), text=f"aviso {n}")).external_id for n in range(2))
    ours.pin(first)
    ours.pin(second)  # there is one place
    assert (ours.is_pinned(first), ours.is_pinned(second)) == (False, True)
    ours.unpin(first)
    assert ours.is_pinned(second)
    ours.unpin(second)
    kept = world.brand.ask(
        "com.atproto.repo.getRecord", repo=world.brand.did, collection="app.bsky.actor.profile", rkey="self"
    )["value"]
    kept.pop("createdAt", None)
    assert kept == {"$type": "app.bsky.actor.profile", "displayName": "Marca", "description": "Lo nuestro"}


def test_a_profile_that_somebody_changed_meanwhile_is_not_overwritten(world: BlueskyWorld) -> None:
    ours = cast(BlueskyConnector, world.connector())
    out = ours.publish(PublishRequest(key="1", text="aviso")).external_id
    account = ours._speaker()
    account.put("app.bsky.actor.profile", "self", {"$type": "app.bsky.actor.profile"}, instead_of=None)
    ours_now = {"$type": "app.bsky.actor.profile", "displayName": "Marca"}
    with pytest.raises(Unavailable, match="another record"):
        account.put("app.bsky.actor.profile", "self", ours_now, instead_of=None)
    ours.pin(out)
    assert ours.is_pinned(out)


def test_nobody_elses_post_is_deleted_or_pinned(world: BlueskyWorld) -> None:
    ours = cast(BlueskyConnector, world.connector())
    theirs = world.post("ana", "mío")
    for act in (ours.delete, ours.pin, ours.unpin):
        with pytest.raises(Rejected, match="none of our account"):
            act(theirs)
