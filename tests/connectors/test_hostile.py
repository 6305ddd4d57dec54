"""Every connector against servers that mean no good: one of the five errors or an honest answer, never a bug.

reading   whatever comes back, a poll is a page or one of our errors, soon
writing   nothing but a clear no may say that it was not written; nothing is sent twice
secrets   no error shows one, and no other host is ever asked
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from listener.contract import Connector, Publishes, Rechecks, Replies
from listener.errors import AuthFailed, NetworkError, OutcomeUnknown, RateLimited, Rejected
from listener.types import Author, Page, Posted, PublishRequest, Rechecked, ReplyRequest, Visibility
from tests.servers.hostile import ELSEWHERE, GARBAGE, SLOW_GARBAGE, Garbage, Mutating, whole
from tests.servers.mastodon import TOKEN, MastodonServer

SECRET = "s3cr3t-0f-0ur-0wn-9d1f"


@dataclass(frozen=True, kw_only=True)
class Victim:
    """One network's connector, pointed at a server. `honest`: what it must say, by path, for a connector to go on."""

    connect: Callable[[str], Connector]
    queries: tuple[str, ...]
    post: str  # an id of a post there; `{host}` stands for the server's address
    honest: Mapping[str, Any] = field(default_factory=dict)


def mastodon(url: str) -> Connector:
    from connectors.mastodon import Settings, connect

    return connect(Settings(instance=url, access_token=SecretStr(SECRET)))


def reddit(url: str) -> Connector:
    from connectors.reddit import Settings, connect

    given = {"client_id": "app", "client_secret": SECRET, "username": "marca", "password": SECRET, "subreddit": "marca"}
    return connect(Settings.model_validate(given | {"oauth_url": url, "reddit_url": url}))


def x(url: str) -> Connector:
    from connectors.x import Settings, connect

    keys = dict.fromkeys(("consumer_key", "consumer_secret", "access_token", "access_token_secret"), SECRET)
    return connect(Settings.model_validate(keys | {"bearer_token": SECRET, "api": url}))


def bluesky(url: str) -> Connector:
    from connectors.bluesky import Settings, connect

    file = Path(tempfile.mkdtemp()) / "sessions.json"
    given = {"handle": "marca.test", "app_password": SECRET, "service": url, "appview": url, "jetstream": ""}
    return connect(Settings.model_validate(given | {"session_file": file}))


VICTIMS = {
    "bluesky": Victim(
        connect=bluesky,
        queries=("mentions", "telecom -fibra"),
        post="at://did:plc:ana/app.bsky.feed.post/3kabc",
        honest={
            "/xrpc/com.atproto.server.createSession": {
                "did": "did:plc:marca",
                "handle": "marca.test",
                "accessJwt": SECRET,
                "refreshJwt": SECRET,
            },
        },
    ),
    "mastodon": Victim(connect=mastodon, queries=("mentions", "#telecom", "fibra"), post="{host}/1"),
    "reddit": Victim(
        connect=reddit,
        queries=("mentions", "r/telecom fibra", "fibra"),
        post="t1_abc",
        honest={
            "/api/v1/access_token": {"access_token": SECRET, "expires_in": 3600, "scope": "*"},
            "/api/v1/me": {"id": "m1", "name": "marca"},
        },
    ),
    "x": Victim(
        connect=x,
        queries=("mentions", "telecom -fibra"),
        post="2124385684528562176",
        honest={"/2/users/me": {"data": {"id": "900", "username": "marca", "name": "Marca"}}},
    ),
}


def reply_to(post: str) -> ReplyRequest:
    return ReplyRequest(
        key="k" * 32,
        parent_id=post,
        parent_author=Author(external_id="7", handle="ana"),
        parent_visibility=Visibility.PUBLIC,
        text="Lo miramos.",
    )


def readings(connector: Connector, victim: Victim, post: str) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "whoami", connector.whoami
    for query in victim.queries:
        yield f"poll {query}", lambda query=query: connector.poll(query, None)
    since = datetime.now(UTC) - timedelta(hours=1)
    if isinstance(connector, Rechecks):
        yield "recheck", lambda: connector.recheck([post])
    if isinstance(connector, Replies):
        yield "find_reply", lambda: connector.find_reply(reply_to(post), since)
    if isinstance(connector, Publishes):
        yield "find_published", lambda: connector.find_published(PublishRequest(key="p" * 32, text="Aviso."), since)


def writings(connector: Connector, post: str) -> Iterator[tuple[str, Callable[[], object]]]:
    if isinstance(connector, Replies):
        yield "reply", lambda: connector.reply(reply_to(post))
    if isinstance(connector, Publishes):
        yield "publish", lambda: connector.publish(PublishRequest(key="p" * 32, text="Aviso."))


def outcome(ask: Callable[[], object]) -> object:
    """What came of it; an error of ours shows no secret."""
    came: object
    try:
        came = ask()
    except NetworkError as error:
        came = error
    if isinstance(came, NetworkError):
        assert SECRET not in f"{came} {came!r} {came.__cause__!r}"
    return came


def cases() -> list[Any]:
    return [
        pytest.param(name, honest, id=f"{name}{'' if honest else ' all garbage'}")
        for name, victim in VICTIMS.items()
        for honest in ((True, False) if victim.honest else (True,))
    ]


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize(("network", "honest"), cases())
def test_garbage_is_one_of_our_errors_or_an_honest_answer(network: str, honest: bool, garbage: str) -> None:
    victim = VICTIMS[network]
    with Garbage(GARBAGE[garbage], victim.honest if honest else None) as server:
        post = victim.post.format(host=server.url.removeprefix("http://"))
        connector = victim.connect(server.url)
        for what, ask in readings(connector, victim, post):
            came = outcome(ask)
            assert came is None or isinstance(came, NetworkError | Page | Rechecked | Author), (what, came)
            if isinstance(came, Page):
                assert came.posts == (), (what, came)
            elif isinstance(came, Rechecked):
                assert came.present == (), (what, came)
                assert came.gone == () or garbage in ("an empty list", "an empty object"), (what, came)
        connector = victim.connect(server.url)
        for what, ask in writings(connector, post):
            before = len(server.asked)
            came = outcome(ask)
            written = [each for each in server.asked[before:] if each.startswith("POST") and is_write(victim, each)]
            assert len(written) <= 1, (what, written)
            assert isinstance(came, NetworkError), (what, came)
            if written:
                assert isinstance(came, OutcomeUnknown | Rejected | AuthFailed | RateLimited), (what, came)
                if isinstance(came, Rejected | AuthFailed):
                    assert "HTML" not in garbage, (what, came)


def is_write(victim: Victim, asked: str) -> bool:
    return asked.removeprefix("POST ") not in victim.honest


@pytest.mark.parametrize("status", ELSEWHERE)
@pytest.mark.parametrize("network", VICTIMS)
def test_nobody_is_followed_to_another_host(network: str, status: int) -> None:
    victim = VICTIMS[network]
    with Garbage(GARBAGE["an empty object"]) as elsewhere:
        answer = whole(b"", f"Location: {elsewhere.url}/stolen", status=f"{status} Elsewhere")
        for honest in (victim.honest, {}):
            with Garbage(answer, honest) as server:
                post = victim.post.format(host=server.url.removeprefix("http://"))
                connector = victim.connect(server.url)
                for _, ask in (*readings(connector, victim, post), *writings(connector, post)):
                    came = outcome(ask)
                    assert came is None or isinstance(came, NetworkError | Rechecked | Author), came
        assert elsewhere.asked == []


@pytest.mark.slow
def test_slow_bytes_are_given_up() -> None:
    """All networks at once, for each waits as long as it does in earnest."""
    came: dict[tuple[str, str], object] = {}

    def poll(which: tuple[str, str], victim: Victim, url: str) -> None:
        came[which] = outcome(lambda: victim.connect(url).poll(victim.queries[0], None))

    with ExitStack() as stack:
        waiting = {}
        for garbage, answer in SLOW_GARBAGE.items():
            for name, victim in VICTIMS.items():
                server = stack.enter_context(Garbage(answer, victim.honest))
                which = name, garbage
                waiting[which] = threading.Thread(target=poll, args=(which, victim, server.url), daemon=True)
        for thread in waiting.values():
            thread.start()
        ends = time.monotonic() + 120
        for thread in waiting.values():
            thread.join(max(0.0, ends - time.monotonic()))
    assert came.keys() == waiting.keys()
    assert all(isinstance(each, NetworkError) for each in came.values()), came


@pytest.mark.parametrize("seed", range(60))
def test_one_spoilt_value_spoils_no_more_than_its_post(seed: int) -> None:
    """Mastodon's own answers, each with one value replaced: what can be read is read, and nothing is a bug."""
    with MastodonServer() as server, Mutating(server.url, seed=seed) as proxy:
        from connectors.mastodon import Settings, connect

        ana = server.person("ana")
        posts = [ana.post(f"@marca sin fibra {n} #telecom") for n in range(6)]
        connector = connect(Settings(instance=proxy.url, access_token=SecretStr(TOKEN)))
        host = proxy.url.removeprefix("http://")
        connector.whoami()
        proxy.spoiling = True
        victim = VICTIMS["mastodon"]
        for what, ask in readings(connector, victim, f"{host}/{posts[0]}"):
            came = outcome(ask)
            assert came is None or isinstance(came, NetworkError | Page | Rechecked | Author | Posted), (what, came)
            if isinstance(came, Page) and what in ("poll mentions", "poll #telecom") and not came.posts:
                assert came.gap or came.more, (what, came, proxy.spoilt)
        for what, ask in writings(connector, f"{host}/{posts[1]}"):
            came = outcome(ask)
            assert isinstance(came, NetworkError | Posted), (what, came, proxy.spoilt)
