"""X: the shared suite against a local server that speaks its protocol, and what is special to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from connectors.wire import Wire
from connectors.x import FACTS, Settings, XConnector, connect
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
    PostKind,
    PublishRequest,
    ReplyRequest,
    Visibility,
)
from tests.connectors.conformance import Conformance, Fault, Ours, World, only_new, read_all
from tests.servers.x import BEARER, BRAND, KEYS, XServer

WORD = "telecom"
PATIENT = 10.0  # seconds that a connector waits, so that a busy machine fails no test
QUICK = 0.4  # and where waiting in vain is the point
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
    return connected(server, **dict.fromkeys(KEYS), **more)


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
            self.server.fail(POST, WRITE_FAULTS[fault], times=times)
        else:
            self.server.fail("GET ", READ_FAULTS[fault], times=times)

    def heal(self) -> None:
        self.server.heal()

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
