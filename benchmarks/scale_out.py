"""What further workers bring when reading is slow: 1, 2 and 4 real processes on one PostgreSQL; a simulation of 100.

    python -m benchmarks.scale_out [--each 1500] [--takes 0.02]

One `escucha run --role poll` stores what a sandbox network says; then so many `--role work` processes read and decide
it. Their model only waits: `--takes` seconds for a text, as one over a network does, and no processor is needed for it.
So one worker reads 1 / `--takes` texts a second at most, and what is missing from N times that is what deciding and
coordinating cost on these cores. Counted is what the database holds as decided, between the first and the last tenth.

The simulation is one, and is called so: workers that wait for the model as long, decide and write with the processor
time that was measured here (their own, and PostgreSQL's), each on a machine of its own, and one database with 2, 8 or
32 processors on which all meet. It knows nothing of networks, locks and disks: real numbers will be lower.
"""

from __future__ import annotations

import argparse
import heapq
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
import structlog

import cli
import connectors
import policies
from benchmarks import growth, results
from benchmarks.results import ROOT, Aim, Chart, Table
from connectors import sandbox
from listener.commands.app import App
from listener.types import Understanding
from tests import postgres

WORKERS = (1, 2, 4)
MANY = (1, 2, 4, 8, 16, 32, 64, 100)
CORES = (2, 8, 32)  # of the database's machine, simulated
BATCH = 64  # mentions that a worker reads together, as the pipeline does
PATIENCE = 300.0
SETTINGS = """
[database]
url = "{url}"
[accounts.care]
network = "sandbox"
world = "{folder}/world.db"
[[sources]]
name = "mentions"
account = "care"
query = "mentions"
every = "1s"
"""


class Waits(growth.Stub):
    """A model somewhere else: it takes its time, and none of ours."""

    def __init__(self, takes: float) -> None:
        self._takes = takes

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        time.sleep(self._takes * len(texts))
        return super().classify(texts)


def work(folder: Path, role: str, takes: float) -> None:
    """One process of the cluster, as the command starts it, but for its model."""
    app = App(connectors=cast(Any, connectors), policies=cast(Any, policies), config_path=folder / "escucha.toml")
    app.__dict__["classifier"] = Waits(takes)
    cli.escucha.main(["run", "--role", role], obj=app, standalone_mode=False)


def start(folder: Path, role: str, takes: float) -> subprocess.Popen[bytes]:
    command = (sys.executable, "-m", "benchmarks.scale_out", "--work", role, "--folder", folder, "--takes", str(takes))
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=log, stderr=log)


def cpu(processes: Sequence[subprocess.Popen[bytes]]) -> float:
    """Seconds of processor time that these have taken."""
    return sum(_seconds(process.pid) for process in processes)


def of_postgres(link: psycopg.Connection[Any]) -> float:
    """The same of the server's processes that are there; those that ended are in their parent's account."""
    rows = link.execute("SELECT pid FROM pg_stat_activity").fetchall()
    parent = _stat(rows[0][0])[1]
    return sum(_seconds(pid) for (pid,) in rows) + _seconds(int(parent), children=True)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()


def _seconds(pid: int, *, children: bool = False) -> float:
    try:
        found = _stat(pid)
    except OSError:
        return 0.0
    ticks = int(found[11]) + int(found[12]) + (int(found[13]) + int(found[14]) if children else 0)
    return ticks / os.sysconf("SC_CLK_TCK")


def play(workers: int, count: int, takes: float) -> dict[str, float]:
    """Mentions decided in a second by so many workers; and milliseconds of processor time for a mention."""
    with tempfile.TemporaryDirectory(prefix="escucha-scale-") as name, postgres.server() as url:
        folder, started = Path(name), []
        (folder / "escucha.toml").write_text(SETTINGS.format(url=url, folder=folder), encoding="utf-8")
        world, now = sandbox.World(folder / "world.db"), datetime.now(UTC)
        with world.writing():
            for number, post in enumerate(growth.texts(count)):
                world.person(f"user{number}", f"User {number}")
                world.post(f"user{number}", f"@marca {post}", at=now - timedelta(seconds=count - number))
        try:
            started.append(start(folder, "poll", takes))
            link = _once_there(url)
            _until(link, "SELECT count(*) FROM mentions", count)
            own = [start(folder, "work", takes) for _ in range(workers)]
            started += own
            times: list[tuple[float, int]] = []
            before = 0.0, 0.0, 0
            while not times or times[-1][1] < count:
                done = _number(link, "SELECT count(*) FROM decisions")
                if done and not times:
                    before = cpu(own), of_postgres(link), done
                times.append((time.monotonic(), done))
                if times[-1][0] - times[0][0] > PATIENCE:
                    raise SystemExit(f"{done} of {count} were decided: {(folder / 'log').read_text()[-3000:]}")
                time.sleep(0.1)
            spent = [now - then for now, then in zip((cpu(own), of_postgres(link)), before, strict=False)]
            rest = count - before[2]
            link.close()
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait()
    within = [(at, done) for at, done in times if 0.1 * count <= done <= 0.9 * count]
    rate = (within[-1][1] - within[0][1]) / (within[-1][0] - within[0][0])
    return {
        "a_second": round(rate, 1),
        "worker_ms": round(1000 * spent[0] / rest, 2),
        "database_ms": round(1000 * spent[1] / rest, 2),
    }


def _once_there(url: str) -> psycopg.Connection[Any]:
    link = psycopg.connect(url, autocommit=True)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if link.execute("SELECT to_regclass('mentions')").fetchone() != (None,):
            return link
        time.sleep(0.2)
    raise SystemExit("The tables were never made.")


def _number(link: psycopg.Connection[Any], query: str) -> int:
    found = link.execute(query).fetchone()
    return int(found[0]) if found else 0


def _until(link: psycopg.Connection[Any], query: str, count: int) -> None:
    until = time.monotonic() + PATIENCE
    while _number(link, query) < count:
        if time.monotonic() > until:
            raise SystemExit(f"{query}: {_number(link, query)} of {count}")
        time.sleep(0.2)


def simulated(workers: int, cores: int, *, takes: float, own: float, shared: float, seconds: float = 120.0) -> float:
    """Mentions a second of so many workers; `own` and `shared` are seconds of processor time for a mention."""
    free = [0.0] * cores  # when each processor of the database is free
    ready = [takes * BATCH * number / workers for number in range(workers)]  # when each worker has read a batch
    heapq.heapify(ready)
    done = 0
    while (at := heapq.heappop(ready)) < seconds:
        written = max(at + own * BATCH, heapq.heappop(free)) + shared * BATCH
        heapq.heappush(free, written)
        done += BATCH * (written <= seconds)
        # While a batch is decided and written, the next one is read.
        heapq.heappush(ready, max(at + takes * BATCH, written))
    return done / seconds


def main() -> None:
    """Plays 1, 2 and 4 workers, simulates more, and keeps both."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_out")
    parser.add_argument("--each", type=int, default=1500, help="mentions for each worker")
    parser.add_argument("--takes", type=float, default=0.02, help="seconds that the model takes for a text")
    parser.add_argument("--work", choices=("poll", "work"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(asked.folder, asked.work, asked.takes)
        return
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    found = {}
    for workers in WORKERS:
        found[workers] = play(workers, asked.each * workers, asked.takes)
        print(f"{workers}: {found[workers]}", flush=True)
    keep(asked, found)


def keep(asked: argparse.Namespace, found: dict[int, dict[str, float]]) -> None:
    """Puts down what was measured, and what follows from it by simulation."""
    last = max(found)
    costs = {"own": found[last]["worker_ms"] / 1000, "shared": found[last]["database_ms"] / 1000}
    models = {
        cores: [(many, round(simulated(many, cores, takes=asked.takes, **costs))) for many in MANY] for cores in CORES
    }
    efficiency = found[last]["a_second"] / last / found[1]["a_second"]
    rows = [
        (n, each["a_second"], round(each["a_second"] * asked.takes / n, 2), each["worker_ms"], each["database_ms"])
        for n, each in found.items()
    ]
    results.keep(
        "scale_out",
        {"measured": {str(n): each for n, each in found.items()}, "simulated": {str(c): m for c, m in models.items()}},
        parameters={"mentions_each": asked.each, "model_seconds_a_text": asked.takes},
        aims=[
            Aim(
                what=f"{last} workers, of {last} times one",
                aim=">= 80 %",
                reached=f"{efficiency:.0%}",
                met=efficiency >= 0.8,
            )
        ],
        tables=[
            Table(
                title="Measured: real processes on these cores",
                columns=(
                    "workers",
                    "decided a second",
                    "of what their models give",
                    "worker CPU, ms",
                    "PostgreSQL CPU, ms",
                ),
                rows=rows,
            ),
            Table(
                title="Simulated, not measured: decided a second, by the processors of the database's machine",
                columns=("workers", *(f"{cores} processors" for cores in CORES)),
                rows=[(many, *(dict(models[cores])[many] for cores in CORES)) for many in MANY],
            ),
        ],
        charts=[
            Chart(
                file="scale-out",
                title="Workers: measured up to 4, the lines simulated",
                x="workers",
                y="decided a second",
                lines={
                    "measured": [(n, each["a_second"]) for n, each in found.items()],
                    **{f"simulated, database with {cores} processors": models[cores] for cores in CORES},
                },
                log_x=True,
                log_y=True,
            )
        ],
        notes=[
            "Milliseconds of CPU are for one mention. All processes, PostgreSQL and the poller shared the cores of "
            "this machine; the simulation gives each worker a machine of its own.",
        ],
    )


if __name__ == "__main__":
    main()
