"""Alerts over HTTP: what a receiver gets and can prove, and what comes of each way in which it may answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

import connectors
from connectors.webhooks import Webhook
from listener.contract import Alerts
from listener.errors import AuthFailed, NetworkError, RateLimited, Rejected, Unavailable
from listener.types import AlertMessage
from tests.servers import dovecot
from tests.servers.hostile import GARBAGE, SLOW_GARBAGE, Garbage
from tests.servers.webhook import FINE, Receiver

KEY = b"0123456789abcdef0123456789abcdef"
NOW = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
MESSAGE = AlertMessage(key="abc123", subject="M1 on x", text="M1 on x\nwhy", fields={"id": 1, "text": "añ\n\ud800"})


def test_a_receiver_can_tell_that_it_is_from_us() -> None:
    with Receiver() as receiver:
        hook: Alerts = connectors.webhook(receiver.url, key=KEY, ca_file=None)
        assert hook.alert(MESSAGE) == ""
    (came,) = receiver.came
    assert came.path == "/hook"
    assert json.loads(came.body) == MESSAGE.fields
    assert came.headers["Content-Type"] == "application/json"
    assert came.headers["Idempotency-Key"] == came.headers["webhook-id"] == "abc123"
    timestamp = came.headers["webhook-timestamp"]
    assert abs(int(timestamp) - time.time()) < 60
    signed = b"abc123." + timestamp.encode() + b"." + came.body
    ours = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert came.headers["webhook-signature"] == f"v1,{ours}"


def test_without_a_key_nothing_is_signed_and_nothing_else_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine localhost login me password hunter2\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    with Receiver((204, {"Set-Cookie": "a=b"}), FINE) as receiver:
        hook = Webhook(receiver.url)
        hook.alert(MESSAGE)
        hook.alert(MESSAGE)
    for came in receiver.came:
        assert {"webhook-signature", "Authorization", "Cookie"}.isdisjoint(came.headers.keys())


@pytest.mark.parametrize(
    ("status", "headers", "error", "wait"),
    [
        (500, {}, Unavailable, None),
        (502, {"Retry-After": "5"}, Unavailable, None),
        (503, {"Retry-After": "30"}, RateLimited, 30.0),
        (503, {}, Unavailable, None),
        (429, {"Retry-After": "90"}, RateLimited, 90.0),
        (429, {"Retry-After": "99999999999"}, RateLimited, 6 * 3600.0),
        (429, {"Retry-After": "soon"}, RateLimited, None),
        (408, {}, Unavailable, None),
        (425, {}, Unavailable, None),
        (401, {}, AuthFailed, None),
        (403, {}, AuthFailed, None),
        (400, {}, Rejected, None),
        (404, {}, Rejected, None),
        (410, {}, Rejected, None),
        (301, {"Location": "https://elsewhere.example/"}, Rejected, None),
        (304, {}, Rejected, None),
    ],
)
def test_what_comes_of_each_answer(
    status: int, headers: dict[str, str], error: type[NetworkError], wait: float | None
) -> None:
    with Receiver((status, headers)) as receiver, pytest.raises(error) as raised:
        Webhook(receiver.url, key=KEY, now=lambda: NOW).alert(MESSAGE)
    assert len(receiver.came) == 1, "asked once; who asks again is the outbox"
    assert str(status) in str(raised.value)
    if isinstance(raised.value, RateLimited):
        assert raised.value.retry_after == wait


@pytest.mark.parametrize("status", [404, 400, 401, 403, 429, 500, 503, 307, 599])
def test_what_a_receiver_says_is_told_nowhere(status: int) -> None:
    secret = "T0ABC/B0DEF/XyZs3cr3t"
    with Receiver((status, {"Location": f"https://elsewhere.example/{secret}", "Retry-After": secret})) as receiver:
        receiver.says = lambda path: f"Cannot POST {path}: XyZs3cr3t, T0ABC%2FB0DEF"  # as some servers answer
        with pytest.raises(NetworkError) as raised:
            Webhook(receiver.url.replace("/hook", f"/services/{secret}?token=XyZs3cr3t")).alert(MESSAGE)
    told = {
        404: "localhost answered 404",
        307: "localhost sends us elsewhere (307), which is not followed",
        599: "localhost answered 599",
    }
    assert str(raised.value) == told.get(status, str(raised.value))
    for part in ("XyZs3cr3t", "T0ABC", "services", "Cannot"):
        assert part not in str(raised.value)


def test_a_date_to_come_back_counts_by_the_receivers_own_clock() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    with Receiver((429, {"Retry-After": later})) as receiver, pytest.raises(RateLimited) as raised:
        Webhook(receiver.url, now=lambda: NOW).alert(MESSAGE)
    assert raised.value.retry_after == pytest.approx(120, abs=30)


def test_a_redirect_is_not_followed() -> None:
    with Receiver() as other, Receiver((307, {"Location": other.url})) as receiver, pytest.raises(Rejected):
        Webhook(receiver.url).alert(MESSAGE)
    assert other.came == []


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_a_yes_or_one_of_our_errors(name: str) -> None:
    said = ""
    with Garbage(GARBAGE[name]) as server, suppress(NetworkError):
        try:
            said = Webhook(f"{server.url}/hook", key=KEY, patience=2.0).alert(MESSAGE)
        except NetworkError as error:
            said = str(error)
            raise
    assert said.isprintable()
    assert len(said) < 300
    assert server.asked == ["POST /hook"]


@pytest.mark.slow
def test_who_says_yes_and_then_trickles_has_said_yes() -> None:
    with Garbage(SLOW_GARBAGE["a drip"]) as server:
        assert Webhook(f"{server.url}/hook", patience=0.5).alert(MESSAGE) == ""


@pytest.mark.slow
def test_who_never_comes_to_the_point_is_given_up() -> None:
    """Each byte comes in time; all of them never would."""
    began = time.monotonic()
    with Garbage(SLOW_GARBAGE["a drip in the head"]) as server, pytest.raises(Unavailable):
        Webhook(f"{server.url}/hook", patience=2.0).alert(MESSAGE)
    assert 8 < time.monotonic() - began < 20


def _silent(link: socket.socket) -> None:
    link.settimeout(3)
    link.recv(1)


def test_who_says_nothing_is_given_up() -> None:
    with Garbage(_silent) as server, pytest.raises(Unavailable) as raised:
        Webhook(f"{server.url}/hook", patience=0.2).alert(MESSAGE)
    assert str(raised.value) == "No answer from 127.0.0.1: it did not answer in time"


def test_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unavailable, match="nothing listens there"):
        Webhook(f"http://127.0.0.1:{port}/a-secret-path").alert(MESSAGE)
    with pytest.raises(Unavailable, match="name cannot be found"):
        Webhook("https://nowhere.invalid/a-secret-path").alert(MESSAGE)


def test_a_certificate_is_looked_at(tmp_path: Path) -> None:
    dovecot.certificate(tmp_path)
    with Receiver(folder=tmp_path) as receiver:
        assert Webhook(receiver.url, ca_file=tmp_path / "cert.pem").alert(MESSAGE) == ""
        with pytest.raises(Unavailable, match="no secure connection"):
            Webhook(receiver.url).alert(MESSAGE)
        with pytest.raises(NetworkError):
            Webhook(receiver.url, ca_file=tmp_path / "missing.pem").alert(MESSAGE)
        assert len(receiver.came) == 1
