"""`escucha run --role` in real processes on PostgreSQL: each does its part, and others do what one that died had.

Counted on the network's own side: everybody is answered, and once.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import postgres
from tests.servers.mastodon import MastodonServer
from tests.system.test_daemon import QUESTION, Company, answered, eventually

pytestmark = pytest.mark.slow

TOKEN = "ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN"


class Cluster(Company):
    """A company whose processes share the work. The sweep finds at least what a killed one never made a job of."""

    def __init__(self, folder: Path, server: MastodonServer, url: str) -> None:
        super().__init__(folder, server)
        self.environment["ESCUCHA_DATABASE__URL"] = url

    def play(self, *roles: str, **more: str) -> subprocess.Popen[str]:
        named = [word for role in roles for word in ("--role", role)]
        with (self.folder / "log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli", "run", *named],
                cwd=self.folder,
                env=self.environment | more,
                stdout=log,
                stderr=log,
                text=True,
            )
        self.daemons.append(process)
        return process

    def said(self, action: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if line["action"] == action]


@pytest.fixture
def url() -> Iterator[str]:
    with postgres.server() as found:
        yield found


@pytest.fixture
def cluster(tmp_path: Path, url: str) -> Iterator[Cluster]:
    with MastodonServer() as server:
        server.forget_keys = True
        made = Cluster(tmp_path, server, url)
        made.server = server
        yield made
        for process in made.daemons:
            process.kill()
            process.wait()


# Different enough that they are no campaign, which people would look at first.
ABOUT = (
    "la fibra", "el móvil", "la tele", "el fútbol", "la línea fija", "un segundo router", "el alta", "la mudanza",
    "la roaming en Chile", "el plan familiar", "una eSIM", "la factura en papel",
)  # fmt: skip


def ask(cluster: Cluster, number: int) -> str:
    return str(cluster.server.person(f"p{number}").post(f"@marca ¿cuánto cuesta {ABOUT[number]}?"))


def test_three_processes_share_the_work(cluster: Cluster) -> None:
    """One hears, one reads and decides and needs no secret for it, one says it; `status` names them, and who is not."""
    post = cluster.server.person("ana").post(QUESTION)
    poll, work = cluster.play("poll"), cluster.play("work", **{TOKEN: ""})
    eventually(lambda: any(line["mention"] for line in cluster.said("decided")))
    seen = cluster.status()
    assert sorted(each["roles"] for each in seen["daemons"]) == [["poll"], ["work"]]
    assert [trouble for trouble in seen["troubles"] if "Nobody sends" in trouble]
    assert not answered(cluster.server)
    send = cluster.play("send")
    eventually(lambda: answered(cluster.server)[post])
    told = " ".join(cluster("status").split())
    assert "ROLE" in told
    assert "HAS IN HAND" in told
    for process in (poll, work, send):
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert [line["level"] for line in cluster.log() if line["level"] in ("error", "critical")] == []
    assert cluster.status()["daemons"] == []
    cluster("db", "check")
    assert answered(cluster.server) == {post: 1}


def test_what_a_killed_process_had_in_hand_is_done_by_another(cluster: Cluster) -> None:
    """kill -9 of one after the other, two of each role, while people write: nobody waits for ever or hears twice."""
    chance = random.Random(8)
    living = {role: [cluster.play(role), cluster.play(role)] for role in ("poll", "work", "send")}
    eventually(lambda: cluster.started() == 6)
    posts = []
    for number in range(4):
        posts += [ask(cluster, 2 * number), ask(cluster, 2 * number + 1)]
        role = chance.choice(sorted(living))
        time.sleep(chance.uniform(0.1, 3.0))
        victim = living[role].pop(0)
        victim.kill()
        victim.wait()
        living[role].append(cluster.play(role))
    eventually(lambda: len(answered(cluster.server)) == len(posts), within=120)
    time.sleep(2)
    assert dict(answered(cluster.server)) == dict.fromkeys(posts, 1)
    cluster("db", "check")


def test_postgresql_is_restarted_under_them(cluster: Cluster, url: str) -> None:
    """They go on by themselves, and say once each time that no jobs were taken."""
    for role in ("poll", "work", "send"):
        cluster.play(role)
    first = ask(cluster, 1)
    eventually(lambda: answered(cluster.server)[first])
    postgres.restart(url)
    later = [ask(cluster, number) for number in range(2, 6)]
    eventually(lambda: all(answered(cluster.server)[post] for post in later), within=120)
    assert dict(answered(cluster.server)) == dict.fromkeys([first, *later], 1)
    assert all(process.poll() is None for process in cluster.daemons)


def test_who_hangs_loses_its_work_to_another(cluster: Cluster) -> None:
    """A process that is stopped in its tracks holds nothing for ever, and wakes up harmlessly."""
    hangs = cluster.play("all")
    first = ask(cluster, 1)
    eventually(lambda: answered(cluster.server)[first])
    os.kill(hangs.pid, signal.SIGSTOP)
    cluster.play("all")
    later = [ask(cluster, number) for number in range(2, 6)]
    eventually(lambda: all(answered(cluster.server)[post] for post in later), within=120)
    os.kill(hangs.pid, signal.SIGCONT)
    last = ask(cluster, 7)
    eventually(lambda: answered(cluster.server)[last])
    time.sleep(3)
    assert set(answered(cluster.server).values()) == {1}
