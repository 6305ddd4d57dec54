"""Every client of ours against real TLS: what it does not trust hears nothing, and nobody is followed with a secret.

The first test is the measure of the others: with a certificate that is right, the same client is heard.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

import connectors
from connectors import bluesky_wire, links
from connectors.events import Events
from listener import tracing
from listener.correlation import correlation
from listener.errors import EscuchaError, NetworkError
from listener.types import AlertMessage, CrmDelivery, LinkState
from tests.connectors.test_hostile import SECRET
from tests.servers import tls
from tests.servers.tls import Authority, Secure, Talk

HOST = "care.test"
KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Client:
    """`ask(port)` goes to HOST. `talk`: how the server speaks. `web`: whether redirects are known there at all."""

    ask: Callable[[int], object]
    talk: Talk = field(default_factory=tls.http)
    at_once: bool = True
    web: bool = True
    follows: bool = False  # redirects, on purpose and without a secret


def mastodon(port: int) -> object:
    from connectors.mastodon import Settings, connect

    return connect(Settings(instance=f"https://{HOST}:{port}", access_token=SecretStr(SECRET))).whoami()


def mastodon_stream(port: int) -> object:
    with Events(
        f"https://{HOST}:{port}/api/v1/streaming/user",
        params={},
        token=SECRET,
        where=HOST,
        now=lambda: NOW,
        silence=5.0,
    ) as events:
        return events.take(wait=1.0, most=1)


def reddit(port: int) -> object:
    from connectors.reddit import Settings, connect

    url = f"https://{HOST}:{port}"
    given = {"client_id": "app", "client_secret": SECRET, "username": "marca", "password": SECRET, "subreddit": "marca"}
    return connect(Settings.model_validate(given | {"oauth_url": url, "reddit_url": url})).whoami()


def x(port: int) -> object:
    from connectors.wire import Wire
    from connectors.x import Settings, XConnector

    keys = dict.fromkeys(("consumer_key", "consumer_secret", "access_token", "access_token_secret"), SECRET)
    settings = Settings.model_validate(keys | {"bearer_token": SECRET})  # which let nobody name another server
    api = settings.model_copy(update={"api": f"https://{HOST}:{port}"})
    return XConnector(api, wire=Wire(hosts=[HOST])).whoami()


def bluesky(port: int) -> object:
    from connectors.bluesky import Settings, connect

    url = f"https://{HOST}:{port}"
    given = {"handle": "marca.test", "app_password": SECRET, "service": url, "appview": url, "jetstream": ""}
    file = Path(tempfile.mkdtemp()) / "sessions.json"
    return connect(Settings.model_validate(given | {"session_file": file})).whoami()


def jetstream(port: int) -> object:
    from connectors.bluesky_stream import Jetstream

    with Jetstream(f"wss://{HOST}:{port}/subscribe", open_timeout=20.0).open(None) as messages:
        return messages.next(1.0)


def feed(port: int) -> object:
    from connectors.feed import Settings, connect

    return connect(Settings(url=f"https://{HOST}:{port}/feed.xml")).poll("all", None)


def alert(port: int) -> object:
    hook = connectors.webhook(f"https://{HOST}:{port}/hook/{SECRET}", key=KEY.encode(), ca_file=None)
    return hook.alert(AlertMessage(key="a1", subject="s", text="t", fields={"id": 1}))


def crm(port: int) -> object:
    from connectors import crm_webhook

    joined = crm_webhook.join(crm_webhook.Settings(secret=SecretStr(KEY), url=f"https://{HOST}:{port}/{SECRET}"))
    return joined.deliver(CrmDelivery(key="d1", fields={"kind": "test"}))  # type: ignore[attr-defined]


def hub(port: int) -> object:
    from listener.model.fetching import Hub

    return Hub(endpoint=f"https://{HOST}:{port}", token=SECRET, sleep=lambda _: None).look("owner/name")


def link(port: int) -> object:
    found = links.check(f"https://{HOST}:{port}/page", allowed=lambda _: True)
    if found.state is LinkState.BROKEN:
        raise NetworkError(found.detail)
    return found


def collector(port: int) -> object:
    with capture_logs() as said:
        tracing.start(f"https://{HOST}:{port}/v1/traces", version="1")
        tracing.span("heard", correlation("sandbox", "1"), began=NOW, ended=NOW, about={})
        tracing.stop()
    if any(line["action"] == "traces_down" for line in said):
        raise NetworkError(f"the collector is away: {said}")
    return said


def mail(port: int, way: str, security: str) -> object:
    from connectors.mail import Settings
    from connectors.mail_wire import reading, sending

    given = {"address": "care@brand.example", "password": SecretStr(SECRET), "imap_host": HOST, "smtp_host": HOST}
    settings = Settings.model_validate(given | {f"{way}_port": port, f"{way}_security": security})
    with reading(settings) if way == "imap" else sending(settings):  # type: ignore[attr-defined]
        return None


def mailing(way: str, security: str) -> Callable[[int], object]:
    return lambda port: mail(port, way, security)


CLIENTS = {
    "mastodon": Client(ask=mastodon),
    "mastodon's stream": Client(ask=mastodon_stream),
    "reddit": Client(ask=reddit),
    "x": Client(ask=x),
    "bluesky": Client(ask=bluesky),
    "bluesky's stream": Client(ask=jetstream),
    "feed": Client(ask=feed),
    "an alert's webhook": Client(ask=alert),
    "a CRM's webhook": Client(ask=crm),
    "a hub of models": Client(ask=hub, follows=True),
    "a link in a notice": Client(ask=link, follows=True),
    "a collector of traces": Client(ask=collector),
    "imap": Client(ask=mailing("imap", "tls"), talk=tls.imap(), web=False),
    "imap, starttls": Client(ask=mailing("imap", "starttls"), talk=tls.imap(), at_once=False, web=False),
    "smtp": Client(ask=mailing("smtp", "tls"), talk=tls.smtp(), web=False),
    "smtp, starttls": Client(ask=mailing("smtp", "starttls"), talk=tls.smtp(), at_once=False, web=False),
}
WEB = [name for name, client in CLIENTS.items() if client.web]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def trusted(folder: Path) -> Authority:
    return Authority(folder, "trusted")


@pytest.fixture(scope="module")
def stranger(folder: Path) -> Authority:
    return Authority(folder, "stranger")


@pytest.fixture(autouse=True)
def _names_and_trust(trusted: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    tls.names_here(monkeypatch)
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(trusted.file))
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"Authorization=Bearer%20{SECRET}")
    bluesky_wire._tls.cache_clear()
    yield
    bluesky_wire._tls.cache_clear()


def outcome(client: Client, port: int) -> Any:
    """What came of it; an error of ours, in words without a secret."""
    try:
        came = client.ask(port)
    except EscuchaError as error:
        came = error
    assert not any(secret in f"{came} {came!r}" for secret in (SECRET, KEY))
    return came


@pytest.mark.parametrize("name", CLIENTS)
def test_with_the_right_certificate_it_is_heard(name: str, trusted: Authority) -> None:
    client = CLIENTS[name]
    with Secure(trusted.context(HOST), client.talk, at_once=client.at_once) as server:
        outcome(client, server.port)
    assert server.heard.inside
    assert SECRET.encode() not in server.heard.clear
    assert b"cGFzc3dvcmQ" not in server.heard.clear


@pytest.mark.parametrize("wrong", ["of its own making", "of a stranger's", "another name's", "run out", "outdated"])
@pytest.mark.parametrize("name", CLIENTS)
def test_what_is_not_to_be_trusted_hears_nothing(
    name: str, wrong: str, trusted: Authority, stranger: Authority
) -> None:
    client = CLIENTS[name]
    context = {
        "of its own making": lambda: trusted.context(HOST, itself=True),
        "of a stranger's": lambda: stranger.context(HOST),
        "another name's": lambda: trusted.context("other.test", "test", f"{HOST}.evil.test"),
        "run out": lambda: trusted.context(HOST, days=-1),
        "outdated": lambda: tls.outdated(trusted.context(HOST)),
    }[wrong]()
    with Secure(context, client.talk, at_once=client.at_once) as server:
        came = outcome(client, server.port)
    assert isinstance(came, EscuchaError), came
    assert server.heard.inside == b""
    assert server.handshakes > 0, "nobody tried: nothing was tested"
    for secret in (SECRET.encode(), base64.b64encode(f"\0care@brand.example\0{SECRET}".encode())):
        assert secret not in server.heard.clear


@pytest.mark.parametrize("starttls", ["no", "refused", "lies"])
@pytest.mark.parametrize("way", ["imap", "smtp"])
def test_without_encryption_no_password_is_told(way: str, starttls: str, trusted: Authority) -> None:
    talk = tls.imap(starttls) if way == "imap" else tls.smtp(starttls)
    client = Client(ask=mailing(way, "starttls"))
    with Secure(trusted.context(HOST), talk, at_once=False) as server:
        assert isinstance(outcome(client, server.port), NetworkError)
    assert server.heard.clear, "nobody came: nothing was tested"
    for word in (b"AUTH", b"LOGIN", SECRET.encode(), base64.b64encode(SECRET.encode())[:-4]):
        assert word not in server.heard.clear.upper() or word == SECRET.encode()
    assert SECRET.encode() not in server.heard.clear


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("name", WEB)
def test_nobody_is_followed_elsewhere_with_a_secret(name: str, status: int, trusted: Authority) -> None:
    client = CLIENTS[name]
    with Secure(trusted.context("elsewhere.test"), tls.http()) as elsewhere:
        there = f"Location: https://elsewhere.test:{elsewhere.port}/stolen"
        with Secure(trusted.context(HOST), tls.http(there, status=f"{status} Elsewhere")) as server:
            came = outcome(client, server.port)
        assert server.heard.inside, "nobody came: nothing was tested"
    if not client.follows:
        assert isinstance(came, NetworkError), came
        assert elsewhere.heard.inside == b""
    assert SECRET.encode() not in elsewhere.heard.inside
    assert b"authorization" not in elsewhere.heard.inside.lower()


@pytest.mark.parametrize("name", ["a hub of models", "a link in a notice"])
def test_who_follows_goes_nowhere_without_encryption_but_to_look(name: str, trusted: Authority) -> None:
    """A hub's files only come encrypted; a link's end may be bare, which is then said."""
    client = CLIENTS[name]
    with Secure(trusted.context("elsewhere.test"), tls.http(), at_once=False) as elsewhere:
        there = f"Location: http://elsewhere.test:{elsewhere.port}/stolen"
        with Secure(trusted.context(HOST), tls.http(there, status="302 Elsewhere")) as server:
            came = outcome(client, server.port)
    if name == "a hub of models":
        assert elsewhere.heard.clear == b""
        assert "not safe" in str(came)
    else:
        assert "without encryption" in came.detail
    assert SECRET.encode() not in elsewhere.heard.clear
