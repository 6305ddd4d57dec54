"""The real `escucha run` on streams, with polls an hour apart: what is said comes at once, and what a stream loses
comes all the same."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from listener import store as stores
from listener.contract import BEAT
from listener.store import tables as t
from tests import databases
from tests.servers.mastodon import MastodonServer
from tests.system.company import Brood, Company, brood, eventually

pytestmark = pytest.mark.slow

HURRY = 2.0  # seconds: a stream is silent after twice that, not after 40


@pytest.fixture
def server() -> Iterator[MastodonServer]:
    with MastodonServer() as made:
        yield made


@pytest.fixture(scope="module")
def born() -> Iterator[Brood]:
    with brood(hurry=HURRY) as made:
        yield made


@pytest.fixture
def company(tmp_path: Path, server: MastodonServer, born: Brood) -> Iterator[Company]:
    """It looks once an hour; a hashtag is listened to besides its mentions."""
    made = Company(tmp_path, server, born)
    settings = tmp_path / "escucha.toml"
    text = settings.read_text(encoding="utf-8").replace('every = "1s"', 'every = "1h"')
    tag = '\n[[sources]]\nname = "tag"\naccount = "care"\nquery = "#telecom"\nevery = "1h"\n'
    settings.write_text(text + tag, encoding="utf-8")
    yield made
    made.end()


def polls(server: MastodonServer) -> Counter[str]:
    """How often each list was asked for."""
    lists = ("/api/v1/notifications", "/api/v1/timelines/tag/telecom")
    return Counter(seen.path for seen in list(server.requests) if seen.path in lists)


def heard(company: Company) -> Counter[str]:
    """The texts that are stored, and how often each is."""
    store = stores.open(databases.at(company.folder))
    try:
        with store.read() as tx:
            return Counter(row.text.removeprefix("@marca ") for row in tx.execute(t.mentions.select()))
    finally:
        store.close()


def source(company: Company, name: str) -> dict[str, Any]:
    (found,) = [each for each in company.status()["sources"] if each["name"] == name]
    return dict(found)


def told(company: Company, action: str) -> int:
    """How often the log says that of the stream of mentions."""
    return [line["action"] for line in company.log() if line.get("source") == "mentions"].count(action)


def listening(company: Company, server: MastodonServer, *, opened: int = 2) -> None:
    """Waits until both streams are open and the polls that belong to their opening are over."""
    eventually(lambda: server.streams.opened >= opened and len(server.streams.open) >= 2, within=90)
    quiet(server)


def quiet(server: MastodonServer) -> None:
    """Waits until nothing was polled for a while."""
    while True:
        before = polls(server)
        time.sleep(2 * HURRY)  # a stream asks for a poll after half of that, and the daemon looks every second
        if polls(server) == before:
            return


def test_what_is_said_comes_at_once_and_what_falls_into_a_hole_by_the_poll(
    company: Company, server: MastodonServer
) -> None:
    daemon = company.start()
    listening(company, server)
    asked = polls(server)
    server.person("ana").post("@marca hola")
    server.person("berta").post("sin señal #telecom")
    eventually(lambda: len(heard(company)) == 2, within=20)
    assert polls(server) == asked, "nobody had to ask"
    assert source(company, "mentions")["streaming_since"]

    server.streams.disturb("silent")
    server.person("ana").post("@marca ¿hola?")
    server.person("berta").post("sigo sin señal #telecom")
    eventually(lambda: len(heard(company)) == 4, within=120)
    assert set(heard(company).values()) == {1}
    eventually(lambda: source(company, "mentions")["streaming_since"], within=60)
    eventually(lambda: told(company, "stream_up") == 2, within=120)
    assert told(company, "stream_down") == 1

    began = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(60) == 0
    assert time.monotonic() - began < 4 * BEAT
    eventually(lambda: server.streams.open == [], within=20)


def test_kill_nine_while_streaming_loses_nothing_and_doubles_nothing(company: Company, server: MastodonServer) -> None:
    said = 0
    for life in range(3):
        daemon = company.start()
        eventually(lambda life=life: server.streams.opened >= 2 * (life + 1), within=90)  # type: ignore[misc]
        for n in range(20):
            server.person(f"p{n}").post(f"@marca vida {life} mensaje {n} #telecom")
            said += 1
            if n == 12:
                daemon.kill()
                daemon.wait()
    company.start()
    eventually(lambda: len(heard(company)) == said, within=90)
    assert set(heard(company).values()) == {1}


def test_a_paused_source_is_left_and_a_resumed_one_heard_again(company: Company, server: MastodonServer) -> None:
    company.start()
    listening(company, server)
    company("source", "pause", "tag")
    eventually(lambda: len(server.streams.open) == 1, within=30)
    server.person("ana").post("en la pausa #telecom")
    assert source(company, "tag")["streaming_since"] is None
    company("source", "resume", "tag")
    eventually(lambda: len(server.streams.open) == 2, within=30)
    eventually(lambda: heard(company)["en la pausa #telecom"] == 1, within=30)


def test_a_server_without_streams_is_polled_and_asked_for_them_hardly_again(
    company: Company, server: MastodonServer
) -> None:
    server.fail("GET /api/v1/streaming", "404", times=1000)
    settings = company.folder / "escucha.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace('"1h"', '"1s"'), encoding="utf-8")
    company.start()
    server.person("ana").post("@marca hola")
    eventually(lambda: heard(company)["hola"] == 1, within=90)
    asked = polls(server)["/api/v1/notifications"]
    eventually(lambda: polls(server)["/api/v1/notifications"] >= asked + 6)
    assert sum(seen.path.startswith("/api/v1/streaming") for seen in list(server.requests)) == 2
    down = source(company, "mentions")
    assert "refuses this (404)" in down["stream_error"]
    assert (down["failures"], down["paused"]) == (0, None)
