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
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from listener import store as stores
from listener.store import mentions, underway
from tests import postgres
from tests.servers.mastodon import MastodonServer
from tests.system.company import QUESTION, Brood, Company, Process, answered, brood, eventually
from tests.system.test_canary import free_port
from tests.system.test_degrading import asked
from tests.system.test_machine import wrong_clock

pytestmark = pytest.mark.slow

REAL = ("-m", "cli")  # the program as it is started in life
TOKEN = "ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN"
# A process as it is, but that a certain text kills it, and that less time passes before others notice.
MORTAL = """
import os, signal
from datetime import timedelta
from listener import cluster
from listener.flow import understand
from listener.store import suspects
cluster.DEAD, cluster.HEARTBEAT = 4.0, 1.0
suspects.APART, suspects.HELD = timedelta(seconds=1), timedelta(seconds=20)
classify = understand._classify
def dies(model, batch):
    if any("esto mata" in mention.text for mention in batch):
        os.kill(os.getpid(), signal.SIGKILL)
    return classify(model, batch)
understand._classify = dies
import cli
cli.main()
"""


class Cluster(Company):
    """A company whose processes share the work. The sweep finds at least what a killed one never made a job of."""

    def __init__(self, folder: Path, server: MastodonServer, url: str, born: Brood) -> None:
        super().__init__(folder, server, born)
        self.server = server
        self.environment["ESCUCHA_DATABASE__URL"] = url

    def play(self, *roles: str, program: Sequence[str] = (), **more: str) -> Process:
        """A process of these roles: forked, or one that loads by itself that `program` of Python's."""
        named = [word for role in roles for word in ("--role", role)]
        if not program:
            return self.start(*named, **more)
        with (self.folder / "log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, *program, "run", *named],
                cwd=self.folder,
                env=self.environment | more,
                stdout=log,
                stderr=log,
                text=True,
            )
        self.daemons.append(process)
        return process

    @contextmanager
    def database(self) -> Iterator[stores.Store]:
        """The database that its processes share."""
        opened = stores.open(self.environment["ESCUCHA_DATABASE__URL"])
        try:
            yield opened
        finally:
            opened.close()

    def said(self, action: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if line["action"] == action]


@pytest.fixture
def url() -> Iterator[str]:
    with postgres.server() as found:
        yield found


@pytest.fixture(scope="module")
def born() -> Iterator[Brood]:
    with brood(hurry=2) as made:
        yield made


@pytest.fixture
def cluster(tmp_path: Path, url: str, born: Brood) -> Iterator[Cluster]:
    with MastodonServer() as server:
        server.forget_keys = True
        made = Cluster(tmp_path, server, url, born)
        yield made
        made.end()


# Different enough that they are no campaign, which people would look at first.
ABOUT = (
    "la fibra", "el móvil", "la tele", "el fútbol", "la línea fija", "un segundo router", "el alta", "la mudanza",
    "la roaming en Chile", "el plan familiar", "una eSIM", "la factura en papel",
)  # fmt: skip


def ask(cluster: Cluster, number: int) -> str:
    return str(cluster.server.person(f"p{number}").post(f"@marca ¿cuánto cuesta {ABOUT[number]}?"))


def drafts(cluster: Cluster) -> Counter[str]:
    """How many of the answers are in which state."""
    with cluster.database() as store, store.read() as tx:
        return Counter(tx.exec_driver_sql("SELECT state FROM drafts").scalars())


def stops_idle(cluster: Cluster, process: Process) -> bool:
    """Stops the only process there is in its tracks, unless it sends or asks the database for something just then."""
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend' AND state <> 'idle'"
    )
    os.kill(process.pid, signal.SIGSTOP)
    with cluster.database() as store, store.read() as tx:
        idle = not underway.held(tx, ["care"]) and not tx.exec_driver_sql(busy).scalar()
    if not idle:
        os.kill(process.pid, signal.SIGCONT)
    return idle


def test_three_processes_share_the_work(cluster: Cluster) -> None:
    """One hears, one reads and decides and needs no secret for it, one says it; `status` names them, and who is not."""
    post = cluster.server.person("ana").post(QUESTION)
    ports = {role: free_port() for role in ("poll", "work", "send")}
    watched = {role: {"ESCUCHA_DAEMON__WATCH": f"127.0.0.1:{port}"} for role, port in ports.items()}
    poll = cluster.play("poll", program=REAL, **watched["poll"])
    work = cluster.play("work", program=REAL, **{TOKEN: ""}, **watched["work"])
    eventually(lambda: any(line["mention"] for line in cluster.said("decided")), within=150)
    seen = cluster.status()
    assert sorted(each["roles"] for each in seen["daemons"]) == [["poll"], ["work"]]
    assert [trouble for trouble in seen["troubles"] if "Nobody sends" in trouble]
    assert not answered(cluster.server)
    send = cluster.play("send", program=REAL, **watched["send"])
    eventually(lambda: answered(cluster.server)[post], within=150)
    for role, port in ports.items():
        assert asked(port, "/healthz") == (200, '{"alive": true}\n')
        assert asked(port, "/readyz") == (200, '{"ready": true}\n')
        assert f'roles="{role}"' in asked(port, "/metrics")[1]
    everybody = [f'escucha_daemons{{role="{role}"}} 1.0' for role in ports]
    eventually(lambda: all(line in asked(ports["poll"], "/metrics")[1] for line in everybody))
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
    """They go on by themselves, and each says once that the database is away and once that it is back."""
    ports = {role: free_port() for role in ("poll", "work", "send")}
    for role, port in ports.items():
        cluster.play(role, ESCUCHA_DAEMON__WATCH=f"127.0.0.1:{port}")
    posts = [ask(cluster, 1)]

    def ready() -> set[int]:
        return {asked(port, "/readyz")[0] for port in ports.values()}

    def all_answered() -> bool:
        return all(answered(cluster.server)[post] for post in posts)

    eventually(all_answered)
    for how in ("fast", "immediate"):
        with ThreadPoolExecutor(1) as apart:
            restarting = apart.submit(postgres.restart, url, away=8.0, how=how)
            eventually(lambda: ready() == {503}, within=8)
            restarting.result()
        posts += [ask(cluster, len(posts) + number) for number in range(1, 5)]
        eventually(all_answered, within=120)
        eventually(lambda: ready() == {200})
    time.sleep(6)  # whatever would be said later
    assert dict(answered(cluster.server)) == dict.fromkeys(posts, 1)
    assert all(process.poll() is None for process in cluster.daemons)
    troubles = [line for line in cluster.log() if line["level"] in ("error", "critical")]
    assert [line["action"] for line in troubles] == 6 * ["stage_down"], troubles
    assert len(cluster.said("stage_up")) == 6
    assert "Traceback" not in (cluster.folder / "log").read_text()


def test_who_hangs_loses_its_work_to_another(cluster: Cluster) -> None:
    """A process that is stopped in its tracks, but not in a send, holds nothing for ever, and wakes up harmlessly."""
    hangs = cluster.play("all")
    first = ask(cluster, 1)
    eventually(lambda: answered(cluster.server)[first])
    eventually(lambda: drafts(cluster) == {"sent": 1} and stops_idle(cluster, hangs))
    cluster.play("all")
    later = [ask(cluster, number) for number in range(2, 6)]
    eventually(lambda: all(answered(cluster.server)[post] for post in later), within=120)
    os.kill(hangs.pid, signal.SIGCONT)
    last = ask(cluster, 7)
    eventually(lambda: answered(cluster.server)[last])
    eventually(lambda: drafts(cluster) == {"sent": 6})
    assert set(answered(cluster.server).values()) == {1}


def test_who_hangs_in_a_send_keeps_its_account_until_it_is_ended(cluster: Cluster) -> None:
    """Nobody can know whether what it sends still goes out: nothing is doubled, and all goes out once it is killed."""
    cluster.server.fail("POST /api/v1/statuses", "timeout_after", seconds=600)
    hangs = cluster.play("all")
    first = ask(cluster, 1)
    eventually(lambda: answered(cluster.server)[first])
    os.kill(hangs.pid, signal.SIGSTOP)
    cluster.play("all")
    later = [ask(cluster, number) for number in range(2, 6)]
    eventually(lambda: drafts(cluster) == {"sending": 1, "approved": 4}, within=120)
    eventually(lambda: any(line["task"] == "act" for line in cluster.said("taken_over")), within=120)
    said = "Nothing goes out on care: a process hangs in a send there"
    eventually(lambda: any(said in trouble for trouble in cluster.status()["troubles"]), within=120)
    (trouble,) = [trouble for trouble in cluster.status()["troubles"] if said in trouble]
    assert f":{hangs.pid}, last heard" in trouble
    assert drafts(cluster) == {"sending": 1, "approved": 4}
    assert dict(answered(cluster.server)) == {first: 1}
    hangs.kill()
    hangs.wait()
    eventually(lambda: drafts(cluster) == {"sent": 5}, within=120)
    assert dict(answered(cluster.server)) == dict.fromkeys([first, *later], 1)
    assert not [trouble for trouble in cluster.status()["troubles"] if "hangs" in trouble]
    cluster("db", "check")


@pytest.mark.parametrize("machines", ["one", "each its own, and new each time"])
def test_a_mention_that_kills_whoever_reads_it_is_set_aside_and_the_rest_goes_on(
    cluster: Cluster, tmp_path: Path, machines: str
) -> None:
    """Workers are started anew as systemd would; where nothing of a machine is left, by what their jobs tell."""
    deaths = 0

    def worker() -> Process:
        folder = tmp_path / (f"machine {len(cluster.daemons)}" if machines != "one" else "machine")
        folder.mkdir(exist_ok=True)
        return cluster.play("work", program=("-c", MORTAL), TMPDIR=str(folder), **{TOKEN: ""})

    def rise_again() -> None:
        nonlocal deaths
        for number, each in enumerate(workers):
            if each.poll() is not None:
                assert each.poll() == -signal.SIGKILL
                deaths += 1
                workers[number] = worker()

    def aside() -> list[str]:
        with store.read() as tx:
            return [each.text for each in mentions.recent(tx, limit=100) if "3 times" in (each.trouble or "")]

    for role in ("poll", "send"):
        cluster.play(role)
    workers = [worker(), worker()]
    posts = [ask(cluster, number) for number in range(4)]
    cluster.server.person("mala").post("@marca esto mata")
    posts += [ask(cluster, number) for number in range(4, 6)]
    store = stores.open(cluster.environment["ESCUCHA_DATABASE__URL"])
    try:
        eventually(lambda: rise_again() or aside(), within=240)
        assert aside() == ["@marca esto mata"]
        rise_again()  # who was found dead by another before we looked
        assert 3 <= deaths <= 6
        posts += [ask(cluster, number) for number in range(6, 8)]
        eventually(lambda: rise_again() or all(answered(cluster.server)[post] for post in posts), within=120)
        with store.read() as tx:
            assert [each.text for each in mentions.recent(tx, limit=100) if each.trouble] == ["@marca esto mata"]
    finally:
        store.close()
    assert dict(answered(cluster.server)) == dict.fromkeys(posts, 1)
    assert [trouble for trouble in cluster.status()["troubles"] if trouble.startswith("1 mention set aside")]
    cluster("db", "check")


def test_machines_whose_clocks_differ_by_minutes_go_by_the_database_s(cluster: Cluster, tmp_path: Path) -> None:
    """One is 90 s behind, one 90 s ahead: neither takes the other for dead, and nothing is said twice."""
    library, pids = wrong_clock(tmp_path), {}
    for name, seconds in (("behind", -90), ("ahead of", 90)):
        (tmp_path / name).write_text(str(seconds))
        preloaded = {"LD_PRELOAD": str(library), "WRONG_CLOCK": str(tmp_path / name)}
        pids[cluster.play("all", program=REAL, **preloaded).pid] = name
    eventually(lambda: cluster.started() == 2, within=120)
    posts = [ask(cluster, number) for number in range(4)]
    eventually(lambda: all(answered(cluster.server)[post] for post in posts), within=120)
    seen = cluster.status()
    assert len(seen["daemons"]) == 2
    assert not [trouble for trouble in seen["troubles"] if "last heard" in trouble]
    for pid, name in pids.items():
        (trouble,) = [each for each in seen["troubles"] if f":{pid} goes on without something" in each]
        assert f"clock is 90 s {name} the database's" in trouble
    cluster.daemons[0].kill()
    cluster.daemons[0].wait()
    posts += [ask(cluster, number) for number in range(4, 7)]
    eventually(lambda: all(answered(cluster.server)[post] for post in posts), within=120)
    assert dict(answered(cluster.server)) == dict.fromkeys(posts, 1)
    cluster("db", "check")
