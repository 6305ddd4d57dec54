"""Bluesky's sessions and what a server answers: kept, shared, renewed, made anew, and never given away."""

from __future__ import annotations

import json
import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from connectors.bluesky import BlueskyConnector, Settings
from connectors.bluesky_session import Session, Sessions
from connectors.bluesky_wire import Wire
from listener.errors import AuthFailed, NetworkError, OutcomeUnknown, RateLimited, Rejected, Unavailable
from listener.types import Author, PublishRequest, ReplyRequest, Visibility
from tests.servers.proxy import Proxy

OURS = "did:plc:ours"
PASSWORD = "abcd-efgh-ijkl-mnop"
LOGIN, RENEW = "POST /xrpc/com.atproto.server.createSession", "POST /xrpc/com.atproto.server.refreshSession"
LIST, WRITE = "GET /xrpc/app.bsky.notification.listNotifications", "POST /xrpc/com.atproto.repo.createRecord"
POSTS, RECORD = "GET /xrpc/app.bsky.feed.getPosts", "GET /xrpc/com.atproto.repo.getRecord"
NOTHING = {"notifications": []}


@pytest.fixture
def server() -> Any:
    with Proxy("http://127.0.0.1:9") as running:  # whatever is not arranged finds nobody
        yield running


def tokens(number: int) -> dict[str, Any]:
    return {"did": OURS, "handle": "marca.test", "accessJwt": f"access-{number}", "refreshJwt": f"refresh-{number}"}


def says(server: Proxy, pattern: str, body: Any, status: int = 200, *, times: int = 1, **more: Any) -> None:
    server.fail(pattern, "status", status=status, body=body, times=times, **more)


def wrong(name: str, message: str = "it is so") -> dict[str, str]:
    return {"error": name, "message": message}


def connected(server: Proxy, folder: Path, *, wait: float = 10.0, now: Any = None) -> BlueskyConnector:
    settings = Settings(
        handle="marca.test", app_password=SecretStr(PASSWORD), service=server.url, session_file=folder / "sessions.json"
    )
    wire = Wire(
        server.url, connect_timeout=wait, read_timeout=wait, deadline=2 * wait, proxies=False, largest=1024 * 1024
    )
    return BlueskyConnector(settings, wire=wire, now=now)


def asked(server: Proxy, pattern: str) -> int:
    return sum(f"{seen.method} {seen.path}".startswith(pattern) for seen in server.requests)


def kept(folder: Path) -> Any:
    (entry,) = json.loads((folder / "sessions.json").read_text()).values()
    return entry


def keep(folder: Path, server: Proxy, number: int = 1) -> None:
    entry = {"did": OURS, "handle": "marca.test", "access": f"access-{number}", "refresh": f"refresh-{number}"}
    (folder / "sessions.json").write_text(json.dumps({f"marca.test at {server.url}": entry}))


# --- sessions -------------------------------------------------------------------------------------------------------


def test_one_login_serves_every_restart_and_every_connector(server: Proxy, tmp_path: Path) -> None:
    says(server, LOGIN, tokens(1))
    says(server, LIST, NOTHING, times=9)
    for _ in range(3):
        connected(server, tmp_path).poll("mentions", None)
    assert asked(server, LOGIN) == 1
    assert {seen.headers["authorization"] for seen in server.requests if seen.method == "GET"} == {"Bearer access-1"}


def test_the_session_is_its_owners_alone(server: Proxy, tmp_path: Path) -> None:
    says(server, LOGIN, tokens(1))
    says(server, LIST, NOTHING)
    folder = tmp_path / "new" / "place"
    connected(server, folder).poll("mentions", None)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert modes["sessions.json"] == 0o600
    assert not any(mode & 0o077 for mode in modes.values())
    assert PASSWORD not in (folder / "sessions.json").read_text()


def test_a_file_that_others_may_read_is_put_right(server: Proxy, tmp_path: Path) -> None:
    keep(tmp_path, server)
    os.chmod(tmp_path / "sessions.json", 0o644)
    says(server, LIST, wrong("ExpiredToken"), 400)
    says(server, RENEW, tokens(2))
    says(server, LIST, NOTHING)
    connected(server, tmp_path).poll("mentions", None)
    assert stat.S_IMODE((tmp_path / "sessions.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["ExpiredToken", "InvalidToken"])
def test_a_worn_out_session_is_renewed_and_kept(server: Proxy, tmp_path: Path, name: str) -> None:
    keep(tmp_path, server)
    says(server, LIST, wrong(name), 400)
    says(server, RENEW, tokens(2))
    says(server, LIST, NOTHING)
    connected(server, tmp_path).poll("mentions", None)
    assert (asked(server, LIST), asked(server, RENEW), asked(server, LOGIN)) == (2, 1, 0)
    assert kept(tmp_path)["refresh"] == "refresh-2"
    renewal = next(seen for seen in server.requests if "refreshSession" in seen.path)
    assert renewal.headers["authorization"] == "Bearer refresh-1"


def test_a_write_refused_for_its_token_goes_out_again_once(server: Proxy, tmp_path: Path) -> None:
    keep(tmp_path, server)
    says(server, WRITE, wrong("ExpiredToken"), 400)
    says(server, RENEW, tokens(2))
    says(server, WRITE, {"uri": f"at://{OURS}/app.bsky.feed.post/3k", "cid": "b"})
    posted = connected(server, tmp_path).publish(PublishRequest(key="k", text="hola"))
    assert posted.external_id == f"at://{OURS}/app.bsky.feed.post/3k"
    assert asked(server, WRITE) == 2


def test_a_session_that_cannot_be_renewed_is_made_anew(server: Proxy, tmp_path: Path) -> None:
    keep(tmp_path, server)
    says(server, LIST, wrong("ExpiredToken"), 400)
    says(server, RENEW, wrong("ExpiredToken", "Token has been revoked"), 400)
    says(server, LOGIN, tokens(3))
    says(server, LIST, NOTHING)
    connected(server, tmp_path).poll("mentions", None)
    assert kept(tmp_path)["access"] == "access-3"


def test_a_server_in_trouble_costs_no_login(server: Proxy, tmp_path: Path) -> None:
    keep(tmp_path, server)
    says(server, LIST, wrong("ExpiredToken"), 400, times=3)
    says(server, RENEW, b"<html>busy</html>", 502)
    server.fail(RENEW, "cut_after")
    says(server, RENEW, wrong("RateLimitExceeded"), 429, headers={"ratelimit-reset": "99999999999"})
    for error in (Unavailable, Unavailable, RateLimited):
        with pytest.raises(error):
            connected(server, tmp_path).poll("mentions", None)
    assert asked(server, LOGIN) == 0
    assert kept(tmp_path)["refresh"] == "refresh-1"


def test_tokens_that_never_hold_end_the_matter(server: Proxy, tmp_path: Path) -> None:
    keep(tmp_path, server)
    says(server, LIST, wrong("InvalidToken"), 400, times=50)
    for number in range(2, 9):
        says(server, RENEW, tokens(number))
    with pytest.raises(AuthFailed, match="does not accept our session"):
        connected(server, tmp_path).poll("mentions", None)
    assert asked(server, LIST) == 3


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"x": 3}', b"null", b"[" * 100_000, b'{"marca.test at %s": {"did": 3}}'],
)
def test_a_broken_file_is_mended_by_one_login(server: Proxy, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sessions.json").write_bytes(content.replace(b"%s", server.url.encode()))
    says(server, LOGIN, tokens(1))
    says(server, LIST, NOTHING, times=2)
    connected(server, tmp_path).poll("mentions", None)
    connected(server, tmp_path).poll("mentions", None)
    assert asked(server, LOGIN) == 1
    assert json.loads((tmp_path / "sessions.json").read_text())


def test_two_who_renew_at_once_share_what_the_first_one_got(server: Proxy, tmp_path: Path) -> None:
    keep(tmp_path, server)
    connectors = [connected(server, tmp_path) for _ in range(4)]
    says(server, LIST, wrong("ExpiredToken"), 400, times=4)
    says(server, RENEW, tokens(2))  # a second renewal would find nobody
    started = threading.Barrier(4)
    failed: list[BaseException] = []

    def poll(connector: BlueskyConnector) -> None:
        started.wait()
        try:
            connector.poll("mentions", None)
        except NetworkError as error:
            failed.append(error)

    threads = [threading.Thread(target=poll, args=(each,)) for each in connectors]
    for thread in threads:
        thread.start()
    while asked(server, LIST) < 4:
        pass
    says(server, LIST, NOTHING, times=4)
    for thread in threads:
        thread.join()
    assert (asked(server, RENEW), asked(server, LOGIN)) == (1, 0)
    assert failed == []


def test_accounts_share_a_file(tmp_path: Path) -> None:
    def session(name: str) -> Session:
        return Session(did=f"did:plc:{name}", handle=name, access=f"{name}-access", refresh=f"{name}-refresh")

    def sessions(name: str) -> Sessions:
        path = tmp_path / "sessions.json"
        return Sessions(
            path, account=name, login=lambda: session(name), renew=lambda _: None, now=lambda: datetime.now(UTC)
        )

    for name in ("una", "otra"):
        assert sessions(name).get() == session(name)
    assert len(json.loads((tmp_path / "sessions.json").read_text())) == 2
    assert "access" not in repr(session("una")).replace("access=", "")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (wrong("AuthenticationRequired", "Invalid identifier or password"), 401, "check handle and app_password"),
        (wrong("AuthFactorTokenRequired"), 401, "app password"),
        (wrong("AccountTakedown"), 401, "taken down"),
        (wrong("AccountDeactivated"), 401, "deactivated"),
        (wrong("InvalidRequest"), 400, "check handle"),
    ],
)
def test_a_refused_login_says_what_to_do_and_is_not_tried_again(
    server: Proxy, tmp_path: Path, body: dict[str, str], status: int, words: str
) -> None:
    now = datetime(2026, 11, 22, 10, tzinfo=UTC)
    says(server, LOGIN, body, status, times=5)
    connector = connected(server, tmp_path, now=lambda: now)
    for _ in range(5):
        with pytest.raises(AuthFailed, match=words) as caught:
            connector.poll("mentions", None)
        assert PASSWORD not in str(caught.value)
    assert asked(server, LOGIN) == 1
    now += timedelta(hours=1, minutes=1)
    with pytest.raises(AuthFailed, match=words):
        connector.poll("mentions", None)
    assert asked(server, LOGIN) == 2


@pytest.mark.parametrize("name", ["AccountTakedown", "AccountSuspended", "AccountDeactivated"])
def test_an_account_that_is_no_more_does_not_log_in_again(server: Proxy, tmp_path: Path, name: str) -> None:
    keep(tmp_path, server)
    says(server, LIST, wrong(name), 401)
    with pytest.raises(AuthFailed, match="the account"):
        connected(server, tmp_path).poll("mentions", None)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"<html>", 200, Unavailable),
        ({"did": "x", **{name: "y" for name in ("handle", "accessJwt", "refreshJwt")}}, 200, Unavailable),
        ({**tokens(1), "accessJwt": "a\nb"}, 200, Unavailable),
        (wrong("RateLimitExceeded"), 429, RateLimited),
        (b"", 503, Unavailable),
        (b"<html>", 403, Unavailable),
    ],
)
def test_a_login_that_went_wrong(server: Proxy, tmp_path: Path, body: Any, status: int, error: type[Exception]) -> None:
    says(server, LOGIN, body, status)
    with pytest.raises(error) as caught:
        connected(server, tmp_path).poll("mentions", None)
    assert type(caught.value) is error
    assert not (tmp_path / "sessions.json").exists()


def test_a_place_that_cannot_be_written_is_for_a_person(server: Proxy, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    says(server, LOGIN, tokens(1), times=9)
    with pytest.raises(AuthFailed, match="session_file"):
        connected(server, tmp_path / "file").poll("mentions", None)
    assert asked(server, LOGIN) == 0, "no login is spent on a session that cannot be kept"


# --- answers --------------------------------------------------------------------------------------------------------

WAITS_IN_VAIN = {"silent_before", "silent_after", "slow"}
DEEP = b"[" * 50_000
READS = [
    ("status", {"status": 401, "body": wrong("AuthenticationRequired")}, AuthFailed),
    ("status", {"status": 403, "body": wrong("Forbidden")}, AuthFailed),
    ("status", {"status": 403, "body": b"<html>"}, Unavailable),
    ("status", {"status": 404, "body": b"<html>"}, Unavailable),
    ("status", {"status": 400, "body": wrong("InvalidRequest", "q is too long")}, Rejected),
    ("status", {"status": 500, "body": wrong("InternalServerError")}, Unavailable),
    ("status", {"status": 502, "body": wrong("UpstreamFailure")}, Unavailable),
    ("status", {"status": 429, "body": b"slow"}, RateLimited),
    ("status", {"status": 200, "body": b""}, Unavailable),
    ("status", {"status": 200, "body": b"null"}, Unavailable),
    ("status", {"status": 200, "body": DEEP}, Unavailable),
    ("status", {"status": 200, "body": b'{"notifications":[' + b"9" * 5000 + b"]}"}, Unavailable),
    ("status", {"status": 200, "body": b'{"notifications":[{"uri":3},4,null]}'}, Unavailable),
    ("status", {"status": 200, "body": b'{"notifications":"x"}'}, Unavailable),
    ("status", {"status": 200, "body": b'{"posts":[]}'}, Unavailable),
    ("status", {"status": 200, "body": b"{}", "headers": {"Content-Encoding": "br"}}, Unavailable),
    ("status", {"status": 200, "body": b"{}", "headers": {"Content-Encoding": "gzip, gzip"}}, Unavailable),
    ("status", {"status": 400, "body": b'{"error":{"x":1},"message":[]}'}, Rejected),
    ("status", {"status": 400, "body": DEEP}, Rejected),
    ("redirect", {"to": "http://127.0.0.1:1/"}, Unavailable),
    ("cut_before", {}, Unavailable),
    ("silent_before", {}, Unavailable),
    ("slow", {}, Unavailable),
    ("endless", {}, Unavailable),
    ("bomb", {}, Unavailable),
]


@pytest.mark.parametrize(("kind", "options", "error"), READS)
def test_what_a_failed_read_means(
    server: Proxy, tmp_path: Path, kind: str, options: dict[str, Any], error: type[NetworkError]
) -> None:
    keep(tmp_path, server)
    server.fail(LIST, kind, **options)
    with pytest.raises(error) as caught:
        connected(server, tmp_path, wait=0.4 if kind in WAITS_IN_VAIN else 10).poll("mentions", None)
    assert type(caught.value) is error
    assert "access-1" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("status", {"status": 400, "body": wrong("InvalidRequest", "grapheme too big")}, Rejected),
        ("status", {"status": 403, "body": wrong("Forbidden")}, Rejected),
        ("status", {"status": 401, "body": wrong("AccountTakedown")}, AuthFailed),
        ("status", {"status": 429, "body": wrong("RateLimitExceeded")}, RateLimited),
        ("status", {"status": 502, "body": b"<html>"}, OutcomeUnknown),
        ("status", {"status": 200, "body": b"<html>"}, OutcomeUnknown),
        ("status", {"status": 200, "body": {"uri": 3}}, OutcomeUnknown),
        ("status", {"status": 408, "body": b""}, OutcomeUnknown),
        ("cut_before", {}, OutcomeUnknown),
        ("silent_before", {}, OutcomeUnknown),
        ("endless", {}, OutcomeUnknown),
        ("bomb", {}, OutcomeUnknown),
    ],
)
def test_what_a_failed_write_means(
    server: Proxy, tmp_path: Path, kind: str, options: dict[str, Any], error: type[NetworkError]
) -> None:
    keep(tmp_path, server)
    server.fail(WRITE, kind, **options)
    says(server, RECORD, wrong("RecordNotFound"), 400)
    connector = connected(server, tmp_path, wait=0.4 if kind in WAITS_IN_VAIN else 10)
    with pytest.raises(error) as caught:
        connector.publish(PublishRequest(key="k", text="hola"))
    assert type(caught.value) is error
    assert asked(server, WRITE) == 1, "a write is never repeated by itself"


@pytest.mark.parametrize(
    ("look", "error"),
    [
        ({"status": 400, "body": wrong("RecordNotFound")}, "may still appear"),
        ({"status": 503, "body": b""}, "does not say whether"),
    ],
)
def test_a_server_that_failed_at_a_write_is_asked_whether_it_is_there(
    server: Proxy, tmp_path: Path, look: dict[str, Any], error: str
) -> None:
    keep(tmp_path, server)
    says(server, WRITE, wrong("InternalServerError"), 500)
    server.fail(RECORD, "status", **look)
    with pytest.raises(OutcomeUnknown, match=error):
        connected(server, tmp_path).publish(PublishRequest(key="k", text="hola"))
    says(server, RECORD, wrong("InvalidToken"), 401, times=0)


def test_a_connection_that_was_never_made_wrote_nothing(tmp_path: Path) -> None:
    with Proxy("http://127.0.0.1:9") as server:
        keep(tmp_path, server)
        connector = connected(server, tmp_path)
    with pytest.raises(Unavailable):
        connector.publish(PublishRequest(key="k", text="hola"))


def test_a_redirect_is_not_followed_with_our_token(server: Proxy, tmp_path: Path) -> None:
    keep(tmp_path, server)
    with Proxy("http://127.0.0.1:9") as elsewhere:
        for status in (301, 302, 303, 307, 308):
            server.fail(LIST, "redirect", to=f"{elsewhere.url}/x", status=status)
            server.fail(WRITE, "redirect", to=f"{elsewhere.url}/x", status=status)
            connector = connected(server, tmp_path)
            with pytest.raises((Unavailable, Rejected)):
                connector.poll("mentions", None)
            with pytest.raises((Unavailable, OutcomeUnknown, Rejected)):
                connector.publish(PublishRequest(key="k", text="hola"))
        assert elsewhere.requests == []


def test_how_long_to_wait_is_read_from_the_headers(server: Proxy, tmp_path: Path) -> None:
    keep(tmp_path, server)
    reset = int(datetime.now(UTC).timestamp()) + 120
    told = {"ratelimit-limit": "3000", "ratelimit-remaining": "0", "ratelimit-reset": str(reset)}
    says(server, LIST, wrong("RateLimitExceeded"), 429, headers=told)
    connector = connected(server, tmp_path)
    with pytest.raises(RateLimited) as caught:
        connector.poll("mentions", None)
    assert caught.value.retry_after is not None
    assert 100 < caught.value.retry_after <= 121
    says(server, LIST, NOTHING, headers={**told, "Content-Type": "application/json"})
    pause = connector.poll("mentions", None).retry_after
    assert pause is not None
    assert 100 < pause <= 121


def test_a_text_that_no_database_takes_is_cleaned(server: Proxy, tmp_path: Path) -> None:
    keep(tmp_path, server)
    view = {
        "uri": "at://did:plc:ana/app.bsky.feed.post/3k",
        "cid": "b",
        "author": {"did": "did:plc:ana", "handle": "ana.test"},
        "record": {"text": "telecom \x00 y \x1b[31m", "createdAt": datetime.now(UTC).isoformat(), "x": ["\x00"]},
        "indexedAt": datetime.now(UTC).isoformat(),
    }
    body = json.dumps({"posts": [view]}).replace(" y ", r" \ud83d ")
    says(server, "GET /xrpc/app.bsky.feed.searchPosts", body)
    (post,) = connected(server, tmp_path).poll("telecom", None).posts
    assert post.text == "telecom   [31m"
    assert "\x00" not in json.dumps(post.raw, ensure_ascii=False).encode().decode()


@pytest.mark.parametrize(
    "parent", [[], [None], [{"uri": "at://did:plc:ana/app.bsky.feed.post/other"}]], ids=["none", "null", "another"]
)
def test_a_parent_that_does_not_come_is_rejected(server: Proxy, tmp_path: Path, parent: list[Any]) -> None:
    keep(tmp_path, server)
    says(server, POSTS, {"posts": parent})
    request = ReplyRequest(
        key="k",
        parent_id="at://did:plc:ana/app.bsky.feed.post/3k",
        parent_author=Author(external_id="did:plc:ana", handle="ana.test"),
        parent_visibility=Visibility.PUBLIC,
        text="hola",
    )
    with pytest.raises(Rejected, match="gone"):
        connected(server, tmp_path).reply(request)
    assert asked(server, WRITE) == 0


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name", "read"),
    [
        ({"handle": " @Marca.Bsky.Social ", "app_password": "x"}, "handle", "marca.bsky.social"),
        ({"service": "bsky.social/"}, "service", "https://bsky.social"),
        ({"service": "http://127.0.0.1:2583"}, "service", "http://127.0.0.1:2583"),
        ({"jetstream": "ws://localhost:6008/subscribe"}, "jetstream", "ws://localhost:6008/subscribe"),
        ({}, "handle", None),
    ],
)
def test_settings_are_read(given: dict[str, Any], name: str, read: Any) -> None:
    assert getattr(Settings(**given), name) == read


@pytest.mark.parametrize(
    "given",
    [
        {"handle": "marca", "app_password": "x"},
        {"handle": "marca.bsky.social"},
        {"app_password": "x"},
        {"service": "http://bsky.social"},
        {"service": "https://user:pw@bsky.social"},
        {"service": "https://bsky.social/xrpc"},
        {"service": "https://[::1"},
        {"jetstream": "ws://jetstream.example/subscribe"},
        {"jetstream": "https://jetstream.example/subscribe"},
        {"jetstream": ""},
        {"handle": "marca.bsky.social", "app_password": "a\nb"},
        {"unknown": 1},
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(**given)
    assert "pw" not in str(caught.value)
