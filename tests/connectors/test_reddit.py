"""Reddit: the shared suite against a local server that speaks its protocol, and what is special to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.reddit import PublishingRedditConnector, RedditConnector, Settings
from connectors.reddit_wire import RedditWire
from listener.contract import Connector
from tests.connectors.conformance import Conformance, Fault, Ours, World
from tests.servers.reddit import BRAND, CLIENT_ID, CLIENT_SECRET, PASSWORD, RedditServer

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
        where = "POST /api/(comment|submit)"
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
