"""The door: what it lets in, whom it sends away, and that nobody can keep the others out."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from listener.errors import Mistake
from listener.flow.receive import Reply
from listener.reception import LARGEST, Reception

Came = list[tuple[str, Mapping[str, str], bytes]]


@pytest.fixture
def came() -> Came:
    return []


@pytest.fixture
def door(came: Came) -> Iterator[Reception]:
    def answer(name: str, headers: Mapping[str, str], body: bytes) -> Reply:
        came.append((name, headers, body))
        if body == b"bug":
            raise RuntimeError("secret words")
        if body == b"late":
            return Reply(status=503, fields={"error": "Later."}, retry_after=30)
        return Reply(status=200, fields={"ok": True})

    with Reception("127.0.0.1:0", answer, patience=0.5, deadline=1.2, threads=2) as opened:
        yield opened


def address(door: Reception) -> tuple[str, int]:
    host, _, port = door.url.removeprefix("http://").rpartition(":")
    return host, int(port)


def ask(door: Reception, method: str = "POST", path: str = "/crm/erp", **how: Any) -> tuple[int, dict[str, Any]]:
    link = http.client.HTTPConnection(*address(door), timeout=10)
    with contextlib.closing(link):
        link.request(method, path, **how)
        answer = link.getresponse()
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Connection"] == "close"
        assert "Python" not in str(answer.headers)
        said = answer.read()
        return answer.status, json.loads(said) if said else {}


def raw(door: Reception, *pieces: bytes, pause: float = 0.0) -> bytes:
    """What is answered to those bytes."""
    with socket.create_connection(address(door), timeout=10) as link:
        with contextlib.suppress(OSError):
            for piece in pieces:
                link.sendall(piece)
                time.sleep(pause)
        answer = b""
        with contextlib.suppress(OSError):
            while piece := link.recv(65536):
                answer += piece
        return answer


def test_a_post_is_handed_in_whole(door: Reception, came: Came) -> None:
    assert ask(door, body=b"{}", headers={"Webhook-Id": "e1"}) == (200, {"ok": True})
    ((name, headers, body),) = came
    assert (name, headers["webhook-id"], body) == ("erp", "e1", b"{}")


@pytest.mark.parametrize(
    ("method", "path", "how", "status"),
    [
        ("GET", "/crm/erp", {}, 405),
        ("DELETE", "/crm/erp", {}, 405),
        ("POST", "/", {"body": b"{}"}, 404),
        ("POST", "/crm/../etc", {"body": b"{}"}, 404),
        ("POST", "/crm/erp?x=1", {"body": b"{}"}, 404),
        ("POST", "/crm/erp", {"body": b"", "headers": {"Content-Length": ""}}, 411),
        ("POST", "/crm/erp", {"headers": {"Content-Length": "-1"}}, 400),
        ("POST", "/crm/erp", {"headers": {"Content-Length": "9" * 30}}, 400),
        ("POST", "/crm/erp", {"headers": {"Content-Length": str(LARGEST + 1)}}, 413),
        ("POST", "/crm/erp", {"headers": {"Content-Length": "1e3"}}, 400),
        ("POST", "/crm/erp", {"body": iter([b"{}"])}, 411),  # in chunks
    ],
)
def test_what_is_refused_is_refused_in_one_sentence(
    door: Reception, came: Came, method: str, path: str, how: dict[str, Any], status: int
) -> None:
    found, said = ask(door, method, path, **how)
    assert found == status
    assert said["error"].endswith(".")
    assert came == []


def test_no_words_of_a_bug_or_of_the_caller_come_back(door: Reception) -> None:
    assert ask(door, body=b"bug") == (500, {"error": "This is a fault of ours; send it again later."})
    answer = raw(door, b"<script>alert(1)</script>\r\n\r\n")
    assert b"script" not in answer
    assert b'"error"' in answer


def test_a_wait_is_named(door: Reception) -> None:
    body = b"POST /crm/erp HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nlate"
    assert b"Retry-After: 30" in raw(door, body)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x00\xff" * 50,
        b"POST /crm/erp HTTP/1.1\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"POST /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /crm/erp HTTP/9.9\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /crm/erp HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}",
        b"POST /crm/erp\r\n\r\n",
    ],
)
def test_no_words_break_it(door: Reception, said: bytes) -> None:
    raw(door, said)
    assert ask(door, body=b"{}")[0] == 200


def test_one_request_for_each_connection(door: Reception, came: Came) -> None:
    one = b"POST /crm/erp HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    assert raw(door, one + one).count(b"HTTP/1.1 200") == 1
    assert len(came) == 1


def test_whoever_says_nothing_or_drips_is_let_go_in_time(door: Reception, came: Came) -> None:
    began = time.monotonic()
    assert b" 408 " in raw(door, b"POST /crm/erp HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{}")
    assert time.monotonic() - began < 3
    began = time.monotonic()
    head = b"POST /crm/erp HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n"
    raw(door, head, *[b"x"] * 20, pause=0.2)  # never silent for long, and never done
    assert time.monotonic() - began < 6
    assert came == []


def test_slow_callers_keep_nobody_out_for_long(door: Reception) -> None:
    slow = [socket.create_connection(address(door), timeout=10) for _ in range(6)]
    for link in slow:
        link.sendall(b"POST /crm/erp HTTP/1.1\r\n")
    began = time.monotonic()
    assert ask(door, body=b"{}")[0] == 200
    assert time.monotonic() - began < 5
    for link in slow:
        link.close()


def test_beyond_those_who_wait_callers_are_sent_away() -> None:
    hold = threading.Event()

    def answer(_name: str, _headers: Mapping[str, str], _body: bytes) -> Reply:
        hold.wait(20)
        return Reply(status=200, fields={})

    request = b"POST /crm/erp HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    with Reception("127.0.0.1:0", answer, threads=2) as door:
        links = [socket.create_connection(address(door), timeout=10) for _ in range(2 + 64 + 1)]
        try:
            for link in links:
                link.sendall(request)
            assert links[-1].recv(65536).startswith(b"HTTP/1.1 503")
        finally:
            hold.set()
        assert links[0].recv(65536).startswith(b"HTTP/1.1 200")
        for link in links:
            link.close()


def test_what_was_said_is_answered_before_it_closes(came: Came) -> None:
    begun, go = threading.Event(), threading.Event()

    def answer(name: str, headers: Mapping[str, str], body: bytes) -> Reply:
        begun.set()
        go.wait(10)
        came.append((name, headers, body))
        return Reply(status=200, fields={"ok": True})

    found: list[Any] = []
    door = Reception("127.0.0.1:0", answer)
    with door:
        asking = threading.Thread(target=lambda: found.append(ask(door, body=b"{}")))
        asking.start()
        assert begun.wait(10)
        threading.Timer(0.3, go.set).start()
    asking.join(10)
    assert found == [(200, {"ok": True})]
    with pytest.raises(OSError):
        socket.create_connection(address(door), timeout=1)


@pytest.mark.parametrize("listen", ["127.0.0.1:99999", "no.such.host.invalid:80", "TAKEN"])
def test_an_address_that_cannot_be_had(door: Reception, listen: str) -> None:
    listen = listen.replace("TAKEN", "{}:{}".format(*address(door)))
    with pytest.raises(Mistake, match=r"daemon\.listen"), Reception(listen, _nobody):
        pass


def _nobody(_name: str, _headers: Mapping[str, str], _body: bytes) -> Reply:
    raise AssertionError


def test_it_listens_on_ipv6_too() -> None:
    made: Callable[[], Reception] = lambda: Reception("[::1]:0", lambda *_: Reply(status=200, fields={}))  # noqa: E731
    try:
        with made() as door:
            assert door.url.startswith("http://[::1]:")
    except Mistake:
        pytest.skip("there is no IPv6 here")
