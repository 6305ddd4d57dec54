"""Failures told as the five errors: statuses, lost connections, rate-limit headers of every format, secrets."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.exceptions import SSLError as TlsError

from connectors import faults
from listener.errors import AuthFailed, NetworkError, OutcomeUnknown, RateLimited, Rejected, Unavailable

NOW = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)
UNIX = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, None, id="nothing said"),
        pytest.param({"Retry-After": "30"}, 30, id="seconds"),
        pytest.param({"retry-after": "1.5"}, 1.5, id="fractional seconds"),
        pytest.param({"Retry-After": "90s"}, 90, id="seconds with a unit"),
        pytest.param({"Retry-After": "Sat, 01 Aug 2026 12:02:00 GMT"}, 120, id="HTTP date"),
        pytest.param({"Retry-After": "0"}, None, id="zero says nothing"),
        pytest.param({"Retry-After": "-5"}, None, id="negative"),
        pytest.param({"Retry-After": "soon"}, None, id="words"),
        pytest.param({"Retry-After": "nan"}, None, id="not a number"),
        pytest.param({"Retry-After": "inf"}, None, id="infinite"),
        pytest.param({"Retry-After": "1e9"}, None, id="exponent"),
        pytest.param({"Retry-After": "9" * 400}, None, id="endless digits"),
        pytest.param({"Retry-After": "999999"}, faults.CEILING, id="absurdly long"),
        pytest.param({"X-RateLimit-Reset": "2026-08-01T12:05:00.441909Z"}, 300.441909, id="mastodon: ISO"),
        pytest.param({"X-RateLimit-Reset": "2026-08-01T14:01:00+02:00"}, 60, id="ISO elsewhere"),
        pytest.param({"X-RateLimit-Reset": "2026-08-01T12:01:00"}, 60, id="ISO without a zone"),
        pytest.param({"x-rate-limit-reset": str(UNIX + 900)}, 900, id="x: unix seconds"),
        pytest.param({"RateLimit-Reset": str(UNIX + 77)}, 77, id="bluesky: unix seconds"),
        pytest.param({"X-RateLimit-Reset": str((UNIX + 10) * 1000)}, 10, id="unix milliseconds"),
        pytest.param({"X-Ratelimit-Reset": "412"}, 412, id="reddit: seconds from now"),
        pytest.param({"X-Ratelimit-Reset": "31.7"}, 31.7, id="reddit: with a fraction"),
        pytest.param({"RateLimit": '"default";r=0;t=44'}, 44, id="IETF draft"),
        pytest.param({"X-RateLimit-Reset": str(UNIX - 900)}, None, id="already past"),
        pytest.param({"X-RateLimit-Reset": "9999-12-31T23:59:59Z"}, faults.CEILING, id="the end of time"),
        pytest.param({"X-RateLimit-Reset": "0000-00-00T00:00:00Z"}, None, id="no such day"),
        pytest.param({"X-RateLimit-Reset": ""}, None, id="empty"),
        pytest.param({"Retry-After": "5", "X-RateLimit-Reset": str(UNIX + 900)}, 5, id="Retry-After first"),
        pytest.param(
            {"x-rate-limit-remaining": "299", "x-rate-limit-reset": str(UNIX + 900)}, None, id="this window has room"
        ),
        pytest.param(
            {
                "x-rate-limit-remaining": "5",
                "x-rate-limit-reset": str(UNIX + 900),
                "x-user-limit-24hour-remaining": "0",
                "x-user-limit-24hour-reset": str(UNIX + 7200),
            },
            7200,
            id="the daily window is used up",
        ),
        pytest.param(
            {"Date": "Sat, 01 Aug 2026 13:00:00 GMT", "X-RateLimit-Reset": str(UNIX + 3600 + 30)},
            30,
            id="by the network's clock",
        ),
    ],
)
def test_how_long_to_wait(headers: Mapping[str, str], seconds: float | None) -> None:
    waited = faults.seconds_to_wait(headers, now=NOW)
    assert waited == (None if seconds is None else pytest.approx(seconds, abs=1e-3))


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["Retry-After", "X-RateLimit-Reset", "RateLimit", "Date"]), st.text()))
def test_no_header_is_too_strange(headers: dict[str, str]) -> None:
    for waited in (faults.seconds_to_wait(headers, now=NOW), faults.pause_after(headers, now=NOW)):
        assert waited is None or 0 < waited <= faults.CEILING


@settings(deadline=None)
@given(st.floats(min_value=0.001, max_value=20_000), st.sampled_from(["iso", "unix", "relative"]))
def test_every_format_says_the_same(seconds: float, form: str) -> None:
    moment = NOW + timedelta(seconds=seconds)
    value = {"iso": moment.isoformat(), "unix": f"{moment.timestamp():.6f}", "relative": f"{seconds:.6f}"}[form]
    waited = faults.seconds_to_wait({"X-RateLimit-Reset": value}, now=NOW)
    assert waited == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(UNIX + 60)}, 60),
        ({"X-Ratelimit-Remaining": "0.0", "X-Ratelimit-Reset": "60"}, 60),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": str(UNIX + 60)}, None),
        ({"X-RateLimit-Reset": str(UNIX + 60)}, None),
        ({"X-RateLimit-Remaining": "0"}, None),
        ({}, None),
    ],
)
def test_when_to_pause_although_all_is_well(headers: Mapping[str, str], seconds: float | None) -> None:
    assert faults.pause_after(headers, now=NOW) == seconds


API, PAGE = "so says the API", ""


@pytest.mark.parametrize(
    ("status", "said", "reading", "writing"),
    [
        (200, PAGE, Unavailable, OutcomeUnknown),  # a success that makes no sense
        (202, PAGE, Unavailable, OutcomeUnknown),
        (302, PAGE, Unavailable, OutcomeUnknown),
        (303, PAGE, Unavailable, OutcomeUnknown),
        (301, PAGE, Unavailable, Unavailable),
        (308, PAGE, Unavailable, Unavailable),
        (400, API, Rejected, Rejected),
        (401, API, AuthFailed, AuthFailed),
        (401, PAGE, AuthFailed, AuthFailed),
        (402, API, AuthFailed, AuthFailed),
        (403, API, AuthFailed, Rejected),
        (403, PAGE, Unavailable, OutcomeUnknown),
        (404, API, Rejected, Rejected),
        (404, PAGE, Unavailable, OutcomeUnknown),
        (408, PAGE, Unavailable, OutcomeUnknown),
        (410, API, Rejected, Rejected),
        (413, PAGE, Rejected, Rejected),
        (422, API, Rejected, Rejected),
        (425, PAGE, Unavailable, Unavailable),
        (429, API, RateLimited, RateLimited),
        (451, API, Rejected, Rejected),
        (500, API, Unavailable, OutcomeUnknown),
        (503, PAGE, Unavailable, OutcomeUnknown),
        (599, PAGE, Unavailable, OutcomeUnknown),
        (999, PAGE, Unavailable, OutcomeUnknown),
        (0, PAGE, Unavailable, OutcomeUnknown),
    ],
)
def test_what_a_status_means(status: int, said: str, reading: type[NetworkError], writing: type[NetworkError]) -> None:
    for is_write, error in ((False, reading), (True, writing)):
        told = faults.of_status(status, {}, where="red.example", writing=is_write, now=NOW, said=said)
        assert type(told) is error
        assert "red.example" in str(told)


def wrapped(inner: Exception, outer: type[Exception] = requests.ConnectionError) -> Exception:
    """As requests and urllib3 hand it up: the reason inside the arguments."""
    pool = urllib3.HTTPSConnectionPool("red.example")
    return outer(urllib3.exceptions.MaxRetryError(pool, "/api", inner))


POOL = urllib3.HTTPSConnectionPool("red.example")
CONNECTION = urllib3.connection.HTTPSConnection("red.example")


@pytest.mark.parametrize(
    ("error", "writing"),
    [
        (wrapped(urllib3.exceptions.NewConnectionError(CONNECTION, "refused")), Unavailable),
        (wrapped(urllib3.exceptions.NameResolutionError("red.example", CONNECTION, socket.gaierror())), Unavailable),
        (requests.ConnectTimeout("slow"), Unavailable),
        (wrapped(TlsError(ssl.SSLCertVerificationError("expired")), requests.exceptions.SSLError), Unavailable),
        (requests.exceptions.InvalidURL("?"), Unavailable),
        (ConnectionRefusedError(), Unavailable),
        (requests.ReadTimeout("slow"), OutcomeUnknown),
        (wrapped(urllib3.exceptions.ReadTimeoutError(POOL, "/api", "slow")), OutcomeUnknown),
        (requests.ConnectionError(urllib3.exceptions.ProtocolError("aborted", ConnectionResetError())), OutcomeUnknown),
        (wrapped(TlsError("EOF occurred"), requests.exceptions.SSLError), OutcomeUnknown),
        (BrokenPipeError(), OutcomeUnknown),
        (TimeoutError(), OutcomeUnknown),
        (Exception("anything"), OutcomeUnknown),
    ],
)  # fmt: skip
def test_what_a_lost_connection_means(error: Exception, writing: type[NetworkError]) -> None:
    assert type(faults.of_failure(error, where="red.example", writing=False)) is Unavailable
    assert type(faults.of_failure(error, where="red.example", writing=True)) is writing


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (wrapped(urllib3.exceptions.NewConnectionError(CONNECTION, "no route")), "it cannot be reached"),
        (ConnectionRefusedError(), "nothing listens there, or it refuses"),
        (wrapped(urllib3.exceptions.ConnectTimeoutError(CONNECTION, "slow")), "it did not answer in time"),
        (wrapped(urllib3.exceptions.NameResolutionError("red.example", CONNECTION, socket.gaierror())),
         "its name cannot be found"),
    ],
)  # fmt: skip
def test_a_lost_connection_is_told_as_what_it_is(error: Exception, told: str) -> None:
    assert str(faults.of_failure(error, where="red.example", writing=False)) == f"No answer from red.example: {told}"


def test_a_port_where_nothing_listens_is_told_as_that() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(requests.ConnectionError) as refused:
        requests.get(f"http://127.0.0.1:{port}/", timeout=5)
    assert "nothing listens there" in str(faults.of_failure(refused.value, where="here", writing=False))


def test_what_else_was_being_handled_does_not_make_a_lost_write_look_unsent() -> None:
    try:
        try:
            raise ConnectionRefusedError("another network")
        except ConnectionRefusedError:
            raise requests.ReadTimeout("this one")  # noqa: B904 - the context is the point
    except requests.ReadTimeout as error:
        lost = error
    assert isinstance(lost.__context__, ConnectionRefusedError)
    assert isinstance(faults.of_failure(lost, where="red.example", writing=True), OutcomeUnknown)


def test_errors_that_hold_each_other_end() -> None:
    one, two = Exception(), Exception()
    one.args, two.args = (two,), (one,)
    assert not faults.never_sent(one)


def test_a_failure_never_quotes_the_original() -> None:
    error = requests.ConnectionError("https://user:hunter2@red.example/?access_token=abc123")
    assert "hunter2" not in str(faults.of_failure(error, where="red.example", writing=False))


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer s3cr3t-value-1",
        "authorization=Basic s3cr3t-value-1",
        "bearer s3cr3t-value-1 was refused",
        "https://red.example/?access_token=s3cr3t-value-1&x=1",
        '{"client_secret": "s3cr3t-value-1"}',
        "password=s3cr3t-value-1",
        "api_key: s3cr3t-value-1",
        "X-Api-Key: s3cr3t-value-1",
        "imap://ana:s3cr3t-value-1@red.example/inbox",
        "refresh_token='s3cr3t-value-1'",
    ],
)
def test_secrets_are_hidden_by_how_they_look(text: str) -> None:
    assert "s3cr3t" not in faults.redact(text)
    assert "hidden" in faults.redact(text)


@settings(deadline=None)
@given(before=st.text(), secret=st.text(min_size=4), after=st.text())
def test_a_known_secret_never_gets_through(before: str, secret: str, after: str) -> None:
    if secret not in "[hidden]":
        assert secret not in faults.redact(before + secret + after, [secret]).replace("[hidden]", "")


@settings(deadline=None)
@given(st.text())
def test_one_line_is_one_printable_line(text: str) -> None:
    line = faults.one_line(text, limit=80)
    assert len(line) <= 80
    assert line.isprintable()


@pytest.mark.parametrize("text", ["Ábaco y ñandú: 100 % “bien” — 日本語", "a sentence about tokens and passwords"])
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert faults.one_line(text) == text


def test_nothing_is_said_where_nothing_is_known() -> None:
    headers: dict[str, Any] = {"X-RateLimit-Reset": None, "Retry-After": 7}
    assert faults.seconds_to_wait(headers, now=NOW) == 7


@pytest.mark.timeout(60)  # what takes hours where time grows with the square of the length
@pytest.mark.parametrize("piece", ["a", "token", "token ", "token-", "a://", "a:", "'token", "bearer ", " ", '"'])
def test_a_hostile_text_takes_no_time_to_speak_of(piece: str) -> None:
    for _ in range(3):
        faults.redact(piece * (100_000 // len(piece)))


def test_a_503_says_when_to_come_again_where_it_does() -> None:
    told = faults.of_status(503, {"Retry-After": "90"}, where="red.example", writing=False, now=NOW)
    assert isinstance(told, Unavailable)
    assert told.retry_after == 90
    assert faults.of_status(503, {}, where="red.example", writing=False, now=NOW).retry_after is None
    windows = {"X-RateLimit-Reset": "600", "X-RateLimit-Remaining": "0"}
    assert faults.of_status(503, windows, where="red.example", writing=False, now=NOW).retry_after is None
    assert isinstance(
        faults.of_status(503, {"Retry-After": "90"}, where="red.example", writing=True, now=NOW), OutcomeUnknown
    )
