"""What watches the daemon asks it: whether it lives, whether it can work, what is measured."""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from listener import metrics, store
from listener.desk.doors import METRICS
from listener.errors import Mistake
from listener.store import Store, access, daemons, mentions, sources, spending, streams
from listener.store.sources import Wanted
from listener.types import Author, Charge, Post, PostKind
from listener.watching import Health, Watch, look
from tests import databases

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Store]:
    made = store.open(databases.at(tmp_path))
    yield made
    made.close()


def watch(opened: Store, health: Health, *, listen: str = "127.0.0.1:0", **more: Any) -> Watch:
    return Watch(listen, store=opened, health=lambda: health, clock=lambda: NOW, version="1", **more)


def ask(watched: Watch, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, str]:
    host, _, port = watched.url.removeprefix("http://").rpartition(":")
    link = http.client.HTTPConnection(host.strip("[]").replace("0.0.0.0", "127.0.0.1"), int(port), timeout=10)
    with contextlib.closing(link):
        link.request(method, path, headers=headers)
        answer = link.getresponse()
        return answer.status, answer.read(), answer.headers["Content-Type"]


def post(number: int, *, kind: PostKind = PostKind.MENTION) -> Post:
    author = Author(external_id="a", handle="ana")
    return Post(external_id=str(number), author=author, text="secreto", posted_at=NOW, kind=kind, raw={})


def test_what_is_measured_is_answered_as_prometheus_reads_it(opened: Store) -> None:
    with watch(opened, Health(), roles="poll") as watched:
        metrics.error("poll", KeyError())
        status, body, kind = ask(watched, "/metrics")
        assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        families = {family.name: family for family in text_string_to_metric_families(body.decode())}
        assert families["escucha_build_info"].samples[0].labels == {"version": "1", "roles": "poll"}
        assert families["escucha_database_up"].samples[0].value == 1
        assert families["process_resident_memory_bytes"].samples[0].value > 1e6
        assert ask(watched, "/metrics?name=x")[0] == 200
        assert ask(watched, "/metrics", "HEAD")[:2] == (200, b"")
    assert not metrics.on()


@pytest.mark.parametrize(
    ("health", "healthz", "readyz"),
    [
        (Health(), (200, {"alive": True}), (200, {"ready": True})),
        (Health(hurts=["no model"]), (200, {"alive": True}), (200, {"ready": True, "without": ["no model"]})),
        (Health(waits="it starts"), (200, {"alive": True}), (503, {"ready": False, "why": "it starts"})),
        (Health(hangs="hung"), (503, {"alive": False, "why": "hung"}), (503, {"ready": False, "why": "hung"})),
    ],
    ids=["well", "without something", "waits", "hangs"],
)
def test_life_and_readiness_are_told_apart(
    opened: Store, health: Health, healthz: tuple[int, object], readyz: tuple[int, object]
) -> None:
    with watch(opened, health) as watched:
        for path, expected in (("/healthz", healthz), ("/readyz", readyz)):
            status, body, kind = ask(watched, path)
            assert (status, json.loads(body), kind) == (*expected, "application/json")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/metrics", 405), ("GET", "/", 404), ("GET", "/metrics/", 404)]
)
def test_anything_else_is_refused_in_json(opened: Store, method: str, path: str, status: int) -> None:
    with watch(opened, Health()) as watched:
        found, body, kind = ask(watched, path, method)
        assert (found, kind) == (status, "application/json")
        assert "/metrics" in json.loads(body)["error"]


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/healthz"])
@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9425", 200),
        ("127.0.0.1", 200),
        ("localhost:9425", 200),
        ("LOCALHOST", 200),
        ("[::1]:9425", 200),
        ("10.0.0.5:9425", 200),  # as a tunnel names it; no web page can have an address stand for another
        ("", 200),
        ("attacker.example:9425", 421),
        ("attacker.example", 421),
        ("localhost.attacker.example", 421),
        ("127.0.0.1.attacker.example:9425", 421),
        ("attacker.example:9425:1", 421),
        ("[attacker.example]", 421),
        ("user@localhost", 421),
    ],
)
def test_on_this_machine_no_name_is_answered_that_a_web_page_could_have_stand_for_it(
    opened: Store, host: str, status: int, path: str
) -> None:
    health = Health(hurts=["no model"])
    with watch(opened, health) as watched:
        found, body, _ = ask(watched, path, Host=host)
        assert found == status
        if status == 421:
            sentence = "Ask by the address of this machine or as localhost; no other name is answered here."
            assert json.loads(body) == {"error": sentence}


def test_beyond_this_machine_a_name_is_as_good_as_an_address(opened: Store) -> None:
    """The token keeps web pages out there, and the others say yes or no."""
    with watch(opened, Health(), listen="0.0.0.0:0") as watched:
        assert ask(watched, "/readyz", Host="escucha.example:9425")[0] == 200
        assert ask(watched, "/metrics", Host="escucha.example:9425")[0] == 401


def test_beyond_this_machine_what_is_measured_wants_a_token_and_no_reasons_are_told(opened: Store) -> None:
    with opened.write() as tx:
        made, words = access.issue(tx, "prometheus", [METRICS], expires_at=None, by="boss", now=NOW)
        _, other = access.issue(tx, "erp", ["crm:erp"], expires_at=None, by="boss", now=NOW)
    health = Health(waits="/var/lib/escucha is away", hurts=["x"])
    with watch(opened, health, listen="0.0.0.0:0") as watched:
        assert ask(watched, "/metrics")[0] == 401
        assert ask(watched, "/metrics", Authorization=f"Bearer {other}")[0] == 401
        assert ask(watched, "/metrics", Authorization=f"Bearer {words}")[0] == 200
        assert json.loads(ask(watched, "/readyz")[1]) == {"ready": False}
        with opened.write() as tx:
            access.revoke(tx, made.id, by="boss", now=NOW)
        assert ask(watched, "/metrics", Authorization=f"Bearer {words}")[0] == 401


def silent(watched: Watch, many: int) -> list[socket.socket]:
    """So many who are let in and say nothing."""
    host, _, port = watched.url.removeprefix("http://").rpartition(":")
    return [socket.create_connection((host, int(port)), timeout=8) for _ in range(many)]


def test_who_says_nothing_is_not_in_the_way_of_a_probe(opened: Store) -> None:
    with watch(opened, Health()) as watched, contextlib.ExitStack() as links:
        quiet = [links.enter_context(link) for link in silent(watched, 63)]
        assert ask(watched, "/healthz")[0] == 200
        quiet += [links.enter_context(link) for link in silent(watched, 63)]
        assert [link.recv(1) for link in quiet] == [b""] * len(quiet), "each was shown out"


def test_who_speaks_without_end_is_shown_out(opened: Store) -> None:
    said = 0
    with watch(opened, Health()) as watched, contextlib.closing(silent(watched, 1)[0]) as link:
        link.settimeout(0.1)
        while said < 80:  # a letter in each tenth of a second
            said += 1
            try:
                link.sendall(b"x")
                link.recv(1)
                break
            except TimeoutError:
                continue
            except OSError:
                break
    assert said < 80


def test_too_many_at_once_are_no_reason_to_start_it_anew(opened: Store) -> None:
    hold = threading.Event()

    def held() -> Health:
        hold.wait(30)
        return Health()

    made = Watch("127.0.0.1:0", store=opened, health=held, clock=lambda: NOW, version="1")
    with made as watched, contextlib.ExitStack() as links:
        asking = []
        for _ in range(64 + 64 + 1):
            asking += [links.enter_context(link) for link in silent(watched, 1)]
            asking[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            answered, _, _ = select.select(asking, [], [], 20)
            assert len(answered) == 1, "all the others wait"
            answer = answered[0].recv(65536)
        finally:
            hold.set()
    assert answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n")
    assert answer.endswith(b'{"error": "Too many callers at once; send it again."}\n')


@pytest.mark.parametrize(("away", "up"), [(60.0, 1), (0.0, 0)], ids=["asked just now", "asked long ago"])
def test_one_asks_the_database_and_the_others_get_what_it_said_last(
    opened: Store, monkeypatch: pytest.MonkeyPatch, away: float, up: int
) -> None:
    monkeypatch.setattr("listener.watching.FRESH", 0.0)
    monkeypatch.setattr("listener.watching.AWAY", away)
    asked, slow, go = [0], threading.Event(), threading.Event()

    def clock() -> datetime:
        """Read once for each time that the database is asked; the second time it takes until `go`."""
        asked[0] += 1
        if asked[0] == 2:
            slow.set()
            go.wait(30)
        return NOW

    with Watch("127.0.0.1:0", store=opened, health=Health, clock=clock, version="1") as watched:
        assert ask(watched, "/metrics")[0] == 200
        first = threading.Thread(target=ask, args=(watched, "/metrics"))
        first.start()
        try:
            assert slow.wait(20)
            for _ in range(5):
                assert f"escucha_database_up {up}.0" in ask(watched, "/metrics")[1].decode()
            assert asked == [2]
        finally:
            go.set()
            first.join(20)
        assert "escucha_database_up 1.0" in ask(watched, "/metrics")[1].decode()
        assert asked == [3]


def test_an_address_that_is_taken_is_said_in_a_sentence(opened: Store) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Mistake, match="each process on one machine needs its own"):
            watch(opened, Health(), listen=listen).__enter__()
    assert not metrics.on()


def test_what_the_database_knows(opened: Store) -> None:
    def minutes(number: float) -> datetime:
        return NOW - timedelta(minutes=number)

    with opened.write() as tx:
        every = timedelta(minutes=1)
        names = ("polled", "streamed", "broken", "refused", "new")
        wanted = [Wanted(name=name, account="care", network="sandbox", query=name, every=every) for name in names]
        sources.sync(tx, wanted, minutes(9))
        known = {source.name: source for source in sources.list_all(tx)}
        for name in names[:4]:
            sources.succeeded(tx, known[name], cursor=None, next_poll_at=NOW, new_mentions=0, now=minutes(3))
        streams.up(tx, known["streamed"], minutes(2))
        streams.down(tx, known["broken"], error="away", now=minutes(1))
        sources.failed(tx, known["broken"], error="away", next_poll_at=NOW, now=minutes(1))
        sources.failed(tx, known["refused"], error="no", next_poll_at=NOW, now=minutes(1), pause=True)
        posts = [post(1), post(2), post(3, kind=PostKind.FOUND), post(4)]
        mentions.save(tx, source_id=known["polled"].id, network="sandbox", posts=posts, now=minutes(5))
        broken = mentions.by_external_id(tx, "sandbox", "4")
        assert broken is not None
        mentions.trouble(tx, broken, stage="understand", reason="x", now=NOW)
        spending.record(tx, "care", [Charge(call="search", units=1, usd=0.25)], NOW)
        daemons.alive(tx, name="here:1", version="1", started_at=minutes(9), now=NOW)
        daemons.alive(tx, name="dead:1", version="1", started_at=minutes(9), now=minutes(5))
    with opened.read() as tx:
        seen = look(tx, NOW, {("care", "day"): 5.0})
    waiting = {("new", True): 2, ("new", False): 1, ("understood", True): 0, ("understood", False): 0}
    assert seen.waiting == waiting
    assert seen.oldest == {"new": 300}
    assert seen.set_aside == 1
    assert {each.name: (each.lag, each.failing, each.paused, each.stream) for each in seen.sources} == {
        "polled": (180, False, False, None),
        "streamed": (0, False, False, True),
        "broken": (180, True, False, False),
        "refused": (None, True, True, None),
        "new": (None, False, False, None),
    }
    assert (seen.spent, seen.budgets) == ({("care", "day"): 0.25, ("care", "month"): 0.25}, {("care", "day"): 5.0})
    assert seen.daemons == {"all": 1}
    assert seen.drafts == {"proposed": 0, "approved": 0, "sending": 0, "unknown": 0, "failed": 0}
