"""The real `escucha run`, in processes of its own, against the local Mastodon server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from listener.daemon import notify
from tests.servers.mastodon import MastodonServer
from tests.servers.webhook import Receiver
from tests.system.company import ANOTHER, POLICY, QUESTION, ROOT, Brood, Company, answered, brood, eventually

pytestmark = pytest.mark.slow

UNIT = ROOT / "docs" / "escucha.service"


@pytest.fixture
def server() -> Iterator[MastodonServer]:
    with MastodonServer() as made:
        made.forget_keys = True
        yield made


@pytest.fixture
def company(tmp_path: Path, server: MastodonServer) -> Iterator[Company]:
    """Its processes load all they need by themselves, the model too."""
    made = Company(tmp_path, server)
    yield made
    made.end()


@pytest.fixture(scope="module")
def born() -> Iterator[Brood]:
    with brood() as made:
        yield made


@pytest.fixture
def forked(tmp_path: Path, server: MastodonServer, born: Brood) -> Iterator[Company]:
    made = Company(tmp_path, server, born)
    yield made
    made.end()


def test_two_daemons_by_mistake_killed_and_stopped(company: Company, server: MastodonServer) -> None:
    ana = server.person("ana")
    first, second = company.start(), company.start()
    post = ana.post(QUESTION)
    eventually(lambda: answered(server)[post])
    first.kill()
    posts = [server.person(f"p{n}").post(ANOTHER.format(100 + n)) for n in range(5)]
    eventually(lambda: len(answered(server)) >= 3, within=150)  # the dead one may have held the source for a minute
    second.kill()
    before = company.started()
    third = company.start()
    eventually(lambda: company.started() > before)  # the second may have left it nothing to answer
    eventually(lambda: set(posts) <= set(answered(server)), within=150)
    # What the second was sending when it died is known to be sent only once the third has looked.
    eventually(lambda: company.status()["counts"]["drafts"]["sent"] == 6, within=150)
    third.send_signal(signal.SIGTERM)
    assert third.wait(30) == 0
    assert set(answered(server).values()) == {1}
    assert company.log()[-1]["action"] == "stopped"
    status = company.status()
    assert status["counts"]["drafts"]["sent"] == 6
    assert status["counts"]["drafts"]["sending"] == 0


def test_when_pause_returns_nothing_goes_out_any_more(forked: Company, server: MastodonServer) -> None:
    server.fail("POST /api/v1/statuses", "slow", times=1000, pause=0.0005)
    forked.start()
    for n in range(100):
        server.person(f"p{n}").post(ANOTHER.format(100 + n))
    eventually(lambda: len(answered(server)) >= 3)
    forked("pause", "--reason", "incident")
    said = len(server.posts_by("marca"))
    time.sleep(3)
    assert len(server.posts_by("marca")) == said
    assert said < 100, "everything was out before the pause: nothing was tested"
    assert any("paused" in trouble for trouble in forked.status()["troubles"])
    forked("resume")
    eventually(lambda: len(forked.status()["pauses"]) == 0)


def test_one_dead_source_disturbs_no_other(forked: Company, server: MastodonServer) -> None:
    with (forked.folder / "escucha.toml").open("a") as file:
        file.write('[[sources]]\nname = "tag"\naccount = "care"\nquery = "#telecom"\nevery = "1s"\n')
    server.fail("GET /api/v1/timelines/tag", "html", times=1000)
    forked.start()
    post = server.person("ana").post(QUESTION)
    eventually(lambda: answered(server)[post])
    eventually(lambda: any(source["failures"] > 1 for source in forked.status()["sources"]))
    failing = [source["name"] for source in forked.status()["sources"] if source["failing_since"]]
    assert failing == ["tag"]
    assert [entry["source"] for entry in forked.log() if entry["action"] == "source_down"] == ["tag"], "said once"
    server.heal()
    forked("source", "poll", "tag")
    eventually(lambda: not any(source["failing_since"] for source in forked.status()["sources"]))


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, forked: Company) -> Company:
    """A company on each of the two databases."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        with (forked.folder / "escucha.toml").open("a") as file:
            file.write(f'[database]\nurl = "{url}"\n')
    return forked


def test_running_daemons_take_a_new_policy_between_two_batches(shared: Company, server: MastodonServer) -> None:
    def said_to(post: str) -> list[str]:
        return [row["text"] for row in server.posts_by("marca") if row["in_reply_to_id"] == post]

    def activate(text: str) -> None:
        (shared.folder / "policy.yaml").write_text(text, encoding="utf-8")
        shared("policy", "activate", "policy.yaml", "--because", "another greeting", "--yes")

    shared.start(), shared.start()
    first = server.person("ana").post(QUESTION)
    eventually(lambda: said_to(first))
    activate(POLICY.replace("Lo vemos", "Lo miramos"))
    second = server.person("beto").post(QUESTION)
    eventually(lambda: said_to(second))
    shared("policy", "back", "--because", "the old one was better", "--yes")
    third = server.person("carla").post(QUESTION)
    eventually(lambda: said_to(third))
    assert ["Lo miramos" in text for post in (first, second, third) for text in said_to(post)] == [False, True, False]
    newest, middle, oldest = json.loads(shared("policy", "history", "--json"))
    assert newest["version"] == oldest["version"] != middle["version"]
    assert any(line["action"] == "policy" and line["version"] == middle["version"] for line in shared.log())
    told = shared.status()
    assert {daemon["policy"] for daemon in told["daemons"]} <= {newest["version"], middle["version"]}
    assert middle["version"] in told["policy"]["differs"], "the file says what does not rule"
    assert shared.started() == 2, "nobody was started again"


def test_systemd_hears_that_it_is_ready_alive_and_stopping(company: Company, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        daemon = company.start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        heard = {systemd.recv(100), systemd.recv(100)}
        assert heard == {b"WATCHDOG=1", b"READY=1"}
        daemon.send_signal(signal.SIGINT)
        while (said := systemd.recv(100)) != b"STOPPING=1":
            assert said == b"WATCHDOG=1"
        assert daemon.wait(30) == 0


def test_nobody_to_notify_is_no_trouble(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        assert not os.environ.get("CI"), "CI must have systemd-analyze"
        pytest.skip("systemd-analyze is not here")
    unit = tmp_path / "escucha.service"
    text = UNIT.read_text(encoding="utf-8")
    assert "ExecStart=/opt/escucha/bin/escucha" in text
    unit.write_text(text.replace("/opt/escucha/bin/escucha", shutil.which("true") or ""), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_our_own_people_are_told_while_everything_is_paused(forked: Company, server: MastodonServer) -> None:
    with Receiver((500, {})) as receiver:
        with (forked.folder / "escucha.toml").open("a") as file:
            file.write(f'[alerts.ops]\nwebhook = "{receiver.url}"\n')
        (forked.folder / "policy.yaml").write_text(POLICY.replace("case: {}", "case: {}, alert: ops"))
        forked("pause")
        forked.start()
        forked.start()
        server.person("ana").post(QUESTION)
        eventually(lambda: len(receiver.came) == 2)  # the first time, the receiver was not well
        time.sleep(3)
    assert len(set(receiver.keys)) == 1
    assert len(receiver.keys) == 2
    assert json.loads(forked("alert", "list", "--json"))["alerts"][0]["state"] == "sent"
    assert not answered(server)
