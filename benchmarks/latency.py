"""How long it takes from the moment a server accepts a post until its draft lies in the inbox.

    python -m benchmarks.latency [--posts 200] [--burst 1500] [--seconds 60]

A real daemon (`escucha run`, with the bundled model) listens to the local Mastodon server, as a stream or by polling
every second. People post; a reader beside them looks every few milliseconds which drafts any other process sees in the
database, as `escucha inbox` would. First as fast as can be, which says how much the daemon does in a second; then

    idle   one post every second and a half, at odd moments
    80 %   posts at odd moments, so many that the daemon has 80 % of that to do

Server, people and daemon share the machine's cores, and the server is Python: it costs a part of what is measured.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import results
from benchmarks.results import Aim, Chart, Table
from tests.servers.mastodon import TOKEN, MastodonServer

ROOT = Path(__file__).parent.parent
LOOK = 0.004  # seconds between two looks for drafts
PATIENCE = 120.0  # seconds after which a draft that never came is missed
POLICY = """
name: Latency
cases: every
language: es
default_team: care
teams: {care: {what: everything}}
templates:
  answer: {es: ["Lo vemos en {{ case.reference }}."], en: ["We look into {{ case.reference }}."]}
rules:
  - name: everything
    when: {network: mastodon}
    then: {reply: {template: answer, mode: manual}, case: {}}
"""
SETTINGS = """
[policy]
file = "policy.yaml"
[accounts.care]
network = "mastodon"
instance = "%s"
[[sources]]
name = "mentions"
account = "care"
query = "mentions"
every = "%s"
[daemon]
tick = "1s"
"""
_SAID = """la fibra va lenta desde ayer nadie contesta factura doble cobro router roto señal mala tienda técnico promesa
baja precio contrato línea corte otra vez hoy mañana semana llamo espero quiero saber dónde cuándo cuánto cuesta"""
WORDS = _SAID.split()


@dataclass
class Posted:
    """When each post was accepted and when its draft was seen; seconds of one clock, by the post's id."""

    accepted: dict[str, float] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)

    def delays(self) -> list[float]:
        """Seconds, of those that came."""
        return sorted(self.seen[post] - at for post, at in self.accepted.items() if post in self.seen)


class Company:
    """The server, the daemon, and the reader of its database."""

    def __init__(self, folder: Path, server: MastodonServer, *, streaming: bool) -> None:
        self.folder, self.server = folder, server
        (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
        # A stream is what the daemon takes where there is one; the poll beside it is the net under it.
        (folder / "escucha.toml").write_text(SETTINGS % (server.url, "1m" if streaming else "1s"), encoding="utf-8")
        self.people, self.dice = 0, random.Random(7)
        self.seen: dict[str, float] = {}
        self.ends = threading.Event()

    def start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {"ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "cli", "run"], cwd=self.folder, env=environment, stdout=log, stderr=log
            )

    def read(self) -> None:
        """Notes when each draft is first seen, until told to end."""
        database = self.folder / "escucha.db"
        while not database.exists() and not self.ends.wait(0.1):
            pass
        link = sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None, timeout=30)
        last, query = (
            0,
            (
                "SELECT drafts.id, mentions.external_id FROM drafts JOIN mentions ON mentions.id = drafts.mention_id "
                "WHERE drafts.id > ? ORDER BY drafts.id"
            ),
        )
        while not self.ends.wait(LOOK):
            try:
                rows = link.execute(query, (last,)).fetchall()
            except sqlite3.OperationalError:
                continue  # its tables are being made
            now = time.monotonic()
            for draft, post in rows:
                self.seen[post.rpartition("/")[2]] = now
                last = draft
        link.close()

    def post(self, posted: Posted) -> None:
        """Somebody new says something."""
        self.people += 1
        person = self.server.person(f"p{self.people}")
        number = person.post(f"@marca {' '.join(self.dice.choices(WORDS, k=9))} {self.people}")
        posted.accepted[number] = time.monotonic()

    def wait_for(self, posted: Posted) -> Posted:
        """Until every draft is there, or none came for too long."""
        until = time.monotonic() + PATIENCE
        while not posted.accepted.keys() <= self.seen.keys() and time.monotonic() < until:
            time.sleep(0.05)
        posted.seen = {post: self.seen[post] for post in posted.accepted if post in self.seen}
        return posted


@contextmanager
def company(*, streaming: bool) -> Iterator[Company]:
    """All of it running, and one post answered, so that everything is loaded."""
    with tempfile.TemporaryDirectory() as name, MastodonServer() as server:
        if not streaming:
            server.streaming = None
            server.fail("GET /api/v1/streaming", "404", times=1_000_000)
        made = Company(Path(name), server, streaming=streaming)
        daemon, reader = made.start(), threading.Thread(target=made.read)
        reader.start()
        try:
            first = Posted()
            made.post(first)
            if not made.wait_for(first).seen:
                raise SystemExit(f"The daemon answered nothing: {(made.folder / 'log').read_text()[-2000:]}")
            if streaming:
                until = time.monotonic() + PATIENCE
                while not server.streams.open and time.monotonic() < until:
                    time.sleep(0.1)
            yield made
        finally:
            made.ends.set()
            reader.join()
            daemon.terminate()
            daemon.wait()


def steadily(made: Company, *, apart: float, count: int) -> Posted:
    """So many posts at odd moments, `apart` seconds on average."""
    posted, due = Posted(), time.monotonic()
    for _ in range(count):
        due += made.dice.expovariate(1 / apart)
        time.sleep(max(0.0, due - time.monotonic()))
        made.post(posted)
    return made.wait_for(posted)


def at_once(made: Company, count: int) -> float:
    """How many a second the daemon brings from the server to the inbox when they all come at once."""
    posted, began = Posted(), time.monotonic()
    for _ in range(count):
        made.post(posted)
    made.wait_for(posted)
    if len(posted.seen) < count:
        raise SystemExit(f"{len(posted.seen)} of {count} posts were answered.")
    return count / (max(posted.seen.values()) - began)


def told(posted: Posted) -> dict[str, float]:
    """Milliseconds: median, 99th of a hundred, longest; and how many never came."""
    found = posted.delays()
    cuts = statistics.quantiles(found, n=100, method="inclusive")
    return {
        "posts": len(posted.accepted),
        "missed": len(posted.accepted) - len(found),
        "median_ms": round(1000 * statistics.median(found)),
        "p99_ms": round(1000 * cuts[98]),
        "longest_ms": round(1000 * found[-1]),
    }


def main() -> None:
    """Measures both ways, prints and keeps the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency")
    parser.add_argument("--posts", type=int, default=200, help="of which each is answered before the next, or nearly")
    parser.add_argument("--burst", type=int, default=1500, help="at once, to find out what a second holds")
    parser.add_argument("--seconds", type=float, default=60, help="of 80 % load")
    asked = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    rates: dict[str, float] = {}
    for way in ("streaming", "polling"):
        with company(streaming=way == "streaming") as made:
            found[f"{way}, idle"] = told(steadily(made, apart=1.5, count=asked.posts))
            rates[way] = round(at_once(made, asked.burst), 1)
            load = 0.8 * rates[way]
            found[f"{way}, 80 %"] = told(steadily(made, apart=1 / load, count=round(asked.seconds * load)))
        print(f"{way}: {rates[way]} a second at most")
        for name, figures in list(found.items())[-2:]:
            print(f"  {name}: {figures}", flush=True)
    keep(asked, found, rates)


def keep(asked: argparse.Namespace, found: dict[str, dict[str, float]], rates: dict[str, float]) -> None:
    """Puts it down for docs/benchmarks.md."""
    names = ("posts", "missed", "median_ms", "p99_ms", "longest_ms")
    rows: list[Sequence[object]] = [(name, *(figures[each] for each in names)) for name, figures in found.items()]
    missed = sum(figures["missed"] for figures in found.values())
    results.keep(
        "latency",
        {"delays": found, "a_second_at_most": rates},
        parameters={"idle_posts": asked.posts, "burst": asked.burst, "seconds_of_load": asked.seconds},
        aims=[Aim(what="posts without a draft", aim="0", reached=f"{missed:.0f}", met=not missed)],
        tables=[
            Table(
                title="From the server to the inbox",
                columns=("", "posts", "missed", "median, ms", "99 %, ms", "longest, ms"),
                rows=rows,
            ),
            Table(title="All at once", columns=("", "a second"), rows=list(rates.items())),
        ],
        charts=[
            Chart(
                file="latency",
                title="From the server to the inbox",
                x="",
                y="ms",
                kind="bar",
                lines={
                    "median": [(name, figures["median_ms"]) for name, figures in found.items()],
                    "99 of 100 within": [(name, figures["p99_ms"]) for name, figures in found.items()],
                },
            )
        ],
        notes=[
            "Polling is every second here, which no public server is asked for; with another interval, half of it is "
            "added on average. The server, written in Python, runs on the same two cores and takes its share of them.",
        ],
    )


if __name__ == "__main__":
    main()
