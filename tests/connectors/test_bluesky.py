"""Bluesky: the shared suite against the reference implementation on loopback, and what is special to it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.bluesky import BlueskyConnector, Settings
from connectors.bluesky_stream import Jetstream
from connectors.bluesky_text import count
from connectors.bluesky_wire import Wire
from listener.contract import Connector
from tests.connectors.conformance import Conformance, Fault, Ours, World
from tests.servers import bluesky
from tests.servers.bluesky import POST, Network, Person
from tests.servers.jetstream import JetstreamServer
from tests.servers.proxy import Proxy

PATIENT = 20.0  # seconds that a connector waits, so that a busy machine fails no test
QUICK = 0.4  # and where waiting in vain is the point
WRITE = "POST /xrpc/com.atproto.repo.createRecord"
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
    wire = Wire(service, connect_timeout=wait, read_timeout=wait, deadline=2 * wait, proxies=False, largest=1024 * 1024)
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
