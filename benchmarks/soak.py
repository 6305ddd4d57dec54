"""Whether memory stays flat while a million mentions go through a daemon's stages, with the model loaded.

    python -m benchmarks.soak [--mentions 1000000] [--every 1] [--stub]

A network that hardly ends is polled as the daemon polls it, by a thread beside the stages that read with the bundled
model and decide by the default policy: every text is another, one in four by somebody who wrote before. Of this process
the resident memory is noted all the while. Flat is: the last third is on average no more than 5 % above the middle one.
`--every 8` lets the model read one batch in eight, and takes for the others what it last said: the model is in memory
and at work as ever, and a million need a third of the time. `--stub` reads without the model, which holds less.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

import policies
from benchmarks import growth, results
from benchmarks.results import Aim, Chart, Table
from connectors import sandbox
from listener import store as stores
from listener.contract import Classifier, Connector
from listener.flow.decide import Company
from listener.flow.pipeline import Pipeline
from listener.model import reading
from listener.store.sources import Wanted
from listener.types import Author, Cursor, Page, Post, PostKind, Understanding

PAGE = 200
LIMIT = 350  # MB with the model
POINTS = 400  # at which memory is noted
PATIENCE = 120.0  # seconds in which something must be decided


class Endless(Connector):
    """A network on which people hardly stop; `most` posts in all."""

    facts = sandbox.FACTS
    speaks = False

    def __init__(self, most: int) -> None:
        self._most = most
        self._dice = random.Random(5)

    def whoami(self) -> Author | None:
        return None

    def explain_query(self, query: str) -> str:
        return f"Everything for {query}."

    def poll(self, query: str, cursor: Cursor | None) -> Page:  # noqa: ARG002
        first = (cursor or {}).get("next", 0)
        last = min(first + PAGE, self._most)
        posts = tuple(self._post(number) for number in range(first, last))
        return Page(posts=posts, cursor={"next": last}, more=last < self._most)

    def _post(self, number: int) -> Post:
        who = self._dice.randrange(max(number, 1)) if number % 4 == 0 else number
        words = " ".join(self._dice.choices(growth.WORDS, k=12))
        return Post(
            external_id=f"e{number}",
            author=Author(external_id=f"p{who}", handle=f"person{who}"),
            text=f"@marca {words} {number}",
            posted_at=datetime.now(UTC),
            kind=PostKind.MENTION,
        )


class Seldom:
    """A model that reads one batch in so many; for the others it says again what it said last."""

    def __init__(self, model: Classifier, every: int) -> None:
        self.version = model.version
        self._model, self._every = model, every
        self._turns = 0
        self._said: list[Understanding] = []

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        if self._turns % self._every == 0:
            self._said = self._model.classify(texts)
            found = self._said
        else:
            found = [self._said[place % len(self._said)] for place in range(len(texts))]
        self._turns += 1
        return found


def resident() -> float:
    """Megabytes of this process in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def run(total: int, classifier: Classifier) -> tuple[list[tuple[int, float]], float, float]:
    """Points (mentions heard, MB), how many a second, and how large the database became in MB."""
    with tempfile.TemporaryDirectory(prefix="escucha-soak-") as name:
        store = stores.open(f"sqlite:///{name}/escucha.db")
        pipeline = Pipeline(
            store,
            accounts={"care": "sandbox"},
            connect=lambda _account: Endless(total),
            network_facts=lambda _network: sandbox.FACTS,
            classifier=lambda: classifier,
            policy=policies.load(policies.default_path()),
            company=Company(case_pattern="ES"),
        )
        wanted = Wanted(name="all", account="care", network="sandbox", query="all", every=timedelta(milliseconds=1))
        pipeline.start([wanted], by="benchmark")
        ends, step = threading.Event(), max(total // POINTS, 1)
        points, heard = [(0, resident())], [0]

        def listen() -> None:
            while not ends.is_set():
                heard[0] += sum(len(page.saved.new) for page in pipeline.poll())
                if heard[0] - points[-1][0] >= step:
                    points.append((heard[0], round(resident(), 1)))
                time.sleep(0.01)

        poller = threading.Thread(target=listen)
        poller.start()
        done, began, moved_at = 0, time.perf_counter(), time.monotonic()
        try:
            while done < total:
                if moved := pipeline.digest():
                    done, moved_at = done + moved, time.monotonic()
                elif time.monotonic() - moved_at > PATIENCE:
                    raise SystemExit(f"Nothing was decided for {PATIENCE:.0f} s, after {done} of {total}.")
                else:
                    time.sleep(0.005)
            took = time.perf_counter() - began
        finally:
            ends.set()
            poller.join()
            store.close()
        return points, done / took, Path(name, "escucha.db").stat().st_size / 1e6


def main() -> None:
    """Runs it, prints and keeps what memory did."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--mentions", type=int, default=1_000_000)
    parser.add_argument("--every", type=int, default=1, help="the model reads one batch in so many")
    parser.add_argument("--stub", action="store_true", help="read without the model")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    classifier: Classifier = growth.Stub() if asked.stub else Seldom(reading.load(), asked.every)
    points, rate, size = run(asked.mentions, classifier)
    third = asked.mentions / 3
    middle = statistics.mean(mb for heard, mb in points if third <= heard < 2 * third)
    last = statistics.mean(mb for heard, mb in points if heard >= 2 * third)
    most = max(mb for _, mb in points)
    figures = {"most_mb": most, "middle_third_mb": middle, "last_third_mb": last, "a_second": rate, "database_mb": size}
    figures = {name: round(value, 1) for name, value in figures.items()}
    print(figures)
    often = f", which read one batch in {asked.every}" if asked.every > 1 else ""
    what = "stub" if asked.stub else f"bundled model{often}"
    results.keep(
        "soak",
        figures | {"points": points},
        parameters={"mentions": asked.mentions, "read_by": what},
        aims=[
            Aim(what=f"memory at most, {what}", aim=f"< {LIMIT} MB", reached=f"{most:.0f} MB", met=most < LIMIT),
            Aim(
                what=f"memory over {asked.mentions:,} mentions, last third beside the middle one",
                aim="flat (5 %), over 1,000,000",
                reached=f"{last / middle - 1:+.1%}",
                met=last <= 1.05 * middle and asked.mentions >= 1_000_000,
            ),
        ],
        tables=[Table(title="A long run", columns=("figure", "value"), rows=list(figures.items()))],
        charts=[
            Chart(
                file="soak",
                title="Memory of the daemon's stages",
                x="mentions heard",
                y="MB resident",
                lines={what: points},
                limit=LIMIT,
            )
        ],
    )


if __name__ == "__main__":
    main()
