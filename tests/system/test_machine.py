"""The real `escucha run` on a machine that fails it: no room, no writing, no memory, a wrong clock, nobody to log to.

It lives on, says once what stands in its way, and everybody is answered once when the machine is well again.
"""

from __future__ import annotations

import os
import resource
import shutil
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
from tests.system.company import ANOTHER, Company, answered, eventually

pytestmark = pytest.mark.slow

DAY = 86_400


@pytest.fixture
def server() -> Iterator[MastodonServer]:
    with MastodonServer() as made:
        made.forget_keys = True
        yield made


class Housed(Company):
    """A company that is told more settings, and what it says."""

    def add(self, settings: str) -> None:
        with (self.folder / "escucha.toml").open("a") as file:
            file.write(settings)

    def said(self, action: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if line["action"] == action]

    def check(self) -> None:
        """Nothing is half done: what the database says of itself, by the command."""
        self("db", "check")


@pytest.fixture
def company(tmp_path: Path, server: MastodonServer) -> Iterator[Housed]:
    made = Housed(tmp_path, server)
    yield made
    made.end()


def everybody(server: MastodonServer, first: int, count: int) -> list[str]:
    """So many people ask something; gives their posts."""
    return [server.person(f"p{number}").post(ANOTHER.format(100 + number)) for number in range(first, first + count)]


def once(server: MastodonServer, posts: list[str], *, within: float = 60) -> None:
    """Everybody is answered in the end, and nobody twice."""
    eventually(lambda: set(posts) <= set(answered(server)), within=within)
    assert set(answered(server).values()) == {1}


class SmallDisk:
    """A file system of a few megabytes that only what runs behind `inside` can see."""

    def __init__(self, place: Path) -> None:
        self.place = place
        script = f"mount -t tmpfs -o size=12m tmpfs {place} && echo ready && exec sleep 100000"
        command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
        self._keeper = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self._keeper.stdout
        if self._keeper.stdout.readline().strip() != "ready":
            self.close()
            pytest.skip("this machine lets nobody mount a file system of their own")
        there = f"--target={self._keeper.pid}"
        go = f'cd {place.parent} && exec "$@"'  # whoever comes in stands at the root
        self.inside = ("nsenter", there, "--user", "--mount", "--preserve-credentials", "sh", "-c", go, "sh")

    def run(self, command: str) -> None:
        subprocess.run([*self.inside, "sh", "-c", command], capture_output=True, check=False)

    def fill(self) -> None:
        self.run(f"cat /dev/zero > {self.place}/ballast")

    def make_room(self) -> None:
        self.run(f"rm {self.place}/ballast")

    def allow_writing(self, yes: bool) -> None:
        self.run(f"mount -o remount,{'rw' if yes else 'ro'} {self.place}")

    def close(self) -> None:
        self._keeper.kill()
        self._keeper.communicate()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if not shutil.which("unshare") or not shutil.which("nsenter"):
        pytest.skip("unshare and nsenter are not here")
    place = tmp_path / "small"
    place.mkdir()
    made = SmallDisk(place)
    yield made
    made.close()


def test_a_full_disk_and_then_one_that_can_only_be_read(
    company: Housed, server: MastodonServer, disk: SmallDisk
) -> None:
    company.before = disk.inside
    company.environment.pop("ESCUCHA_DATABASE__URL", None)
    company.add(f'[database]\nurl = "sqlite:///{disk.place}/escucha.db"\n')
    daemon = company.start()
    first = everybody(server, 0, 2)
    once(server, first)

    disk.fill()
    meanwhile = everybody(server, 2, 4)
    eventually(lambda: company.said("stage_down"))
    time.sleep(6)
    assert daemon.poll() is None
    full = company.said("stage_down")
    assert len({line["reason"] for line in full}) == len(full), "each cause once, however many stages it stops"
    disk.make_room()
    once(server, first + meanwhile)
    eventually(lambda: len(company.said("stage_up")) == len(full))

    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(30) == 0
    assert not company.said("stage_bug")

    disk.allow_writing(False)
    later = everybody(server, 6, 2)
    daemon = company.start()
    assert daemon.wait(60) == 1, "an outage, after which systemd tries again"
    said = (company.folder / "log").read_text().splitlines()[-1]
    assert "on a disk that can be written" in said, said
    assert "Traceback" not in (company.folder / "log").read_text()
    disk.allow_writing(True)
    company.start()
    once(server, first + meanwhile + later)
    (only,) = (line for line in company("db", "check", code=2).splitlines() if line.startswith("•"))
    assert "Less than 200 MB are free" in only, "nothing else is wrong with it"


def test_who_has_no_memory_ends_and_is_started_again(company: Housed, server: MastodonServer) -> None:
    """As systemd does it, after whatever it ended of."""
    daemon = company.start()
    posts = everybody(server, 0, 2)
    once(server, posts)
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    size = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmSize:"))) * 1024
    _, hard = resource.prlimit(daemon.pid, resource.RLIMIT_AS)
    resource.prlimit(daemon.pid, resource.RLIMIT_AS, (size, hard))
    posts += everybody(server, 2, 12)
    ends = time.monotonic() + 25
    while daemon.poll() is None and time.monotonic() < ends:
        time.sleep(0.1)
    if daemon.poll() is None:  # it did with what it had
        resource.prlimit(daemon.pid, resource.RLIMIT_AS, (hard, hard))
    else:
        assert daemon.poll() != 2, "that would keep systemd from starting it"
        daemon = company.start()
    once(server, posts, within=150)  # the dead one may have held the source for a minute
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(30) == 0
    company.check()


def test_a_log_that_cannot_be_written_keeps_nobody_waiting(company: Housed, server: MastodonServer) -> None:
    with Path("/dev/full").open("w") as full:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "cli", "run"], cwd=company.folder, env=company.environment, stderr=full, stdout=full
        )
    company.daemons.append(daemon)  # type: ignore[arg-type]
    once(server, everybody(server, 0, 3))
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(30) == 0


def wrong_clock(folder: Path) -> Path:
    """The library that makes a process's clock wrong, built; skips where nothing can build it."""
    compiler = next((found for name in ("cc", "gcc", "g++") if (found := shutil.which(name))), None)
    if compiler is None:
        assert not os.environ.get("CI"), "CI must have a compiler"
        pytest.skip("no C compiler is here")
    library, source = folder / "wrong_clock.so", Path(__file__).with_name("wrong_clock.c")
    subprocess.run([compiler, "-xc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def test_a_clock_that_jumps_a_day_there_and_back(company: Housed, server: MastodonServer, tmp_path: Path) -> None:
    library, wrong = wrong_clock(tmp_path), tmp_path / "wrong"
    wrong.write_text("0")
    daemon = company.start(LD_PRELOAD=str(library), WRONG_CLOCK=str(wrong))
    posts: list[str] = []
    for number, seconds in enumerate((0, DAY, 0, -DAY, 0)):
        wrong.write_text(str(seconds))
        posts += everybody(server, 3 * number, 3)
        once(server, posts)
        assert daemon.poll() is None
    assert len(company.said("clock_jump")) == 4
    assert not company.said("stage_bug")
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(30) == 0
    company.check()


def test_postgresql_is_restarted_while_they_ask(company: Housed, server: MastodonServer) -> None:
    with postgres.server() as url:
        company.add(f'[database]\nurl = "{url}"\n')
        company.environment["ESCUCHA_DATABASE__URL"] = url
        daemon = company.start()
        posts = everybody(server, 0, 3)
        once(server, posts)
        for number in range(2):
            posts += everybody(server, 3 + 8 * number, 4)
            postgres.restart(url)
            posts += everybody(server, 7 + 8 * number, 4)
            once(server, posts)
        assert daemon.poll() is None
        down = company.said("stage_down")
        assert len(down) <= 8, "what stops many stages is said once for all"
        eventually(lambda: company.status()["counts"]["drafts"]["sent"] == len(posts))
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0
        assert not company.said("stage_bug")
