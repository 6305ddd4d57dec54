"""What a mention costs, and how long a person waits for a list, with 10,000 mentions in the database and with millions.

    python -m benchmarks.growth [--sizes 10000,100000,1000000] [--new 640] [--rounds 7] [--add]

For each size a database is made (history.py), and in it are measured

    ingest, decide   microseconds of this process's CPU for a mention, of further ones; read by a stub in no time
    inbox, show, …   the command in this process, from its words to what it prints: milliseconds of CPU, which it takes
                     by the clock too where nothing else runs; median, not for the first time, so that settings,
                     database and the text of its questions are at hand
    inbox, typed     the same as a process of its own, by the clock, as who types it waits

A million takes 2 GB of disk and some minutes. Ten million are asked for alone, and stand beside the others:

    python -m benchmarks.growth --sizes 10000000 --add
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import structlog

import cli
from benchmarks import history, results
from benchmarks.results import Aim, Chart, Table
from listener import references
from listener.commands.app import App
from listener.flow.ingest import ingest
from listener.flow.understand import understand
from listener.store import sources
from listener.types import Author, Intent, Page, Post, PostKind, Sentiment, Understanding

PAGE = 40
COMMANDS = {
    "inbox": "inbox",
    "inbox --all": "inbox --all --limit 20",
    "case list": "case list",
    "customer list": "customer list --limit 20",
    "audit show": "audit show --limit 20",
    "show": "show M{mention}",
    "explain": "explain --no-words M{mention}",
    "case show": "case show {case}",
    "spikes": "incident spikes",
    "report": "incident report I1",
    "status": "status",
}
_SAID = """sigo sin fibra desde ayer nadie contesta factura doble cobro router roto señal mala tienda técnico promesa
baja precio contrato línea corte lento otra vez hoy mañana semana llamo espero gracias quiero saber dónde cuándo"""
WORDS = _SAID.split()
TYPED = "inbox, typed"
LISTINGS = ("inbox", "inbox --all", "case list", "customer list", "audit show", "spikes")


class Stub:
    """Reads in no time."""

    version = "stub-1"

    def classify(self, texts: Sequence[str]) -> list[Understanding]:
        found = Understanding(
            model_version=self.version,
            language="es",
            language_score=0.99,
            sentiment=Sentiment.NEGATIVE,
            sentiment_scores={"negative": 0.9},
            intents=(Intent.COMPLAINT,),
            intent_scores={"complaint": 0.95},
        )
        return [found] * len(texts)


def texts(count: int) -> list[str]:
    """Different texts, of nine words each."""
    dice = random.Random(3)
    return [f"{' '.join(dice.choices(WORDS, k=9))} {number}" for number in range(count)]


def posts(first: int, count: int, app: App, *, total: int) -> list[Post]:
    """Further mentions: a third by people who wrote lately, an eighth in threads of that time."""
    dice, known = random.Random(first), 20 + total // 5
    return [
        Post(
            external_id=f"new{number}",
            author=Author(
                external_id=f"p{known - number % 997}" if number % 3 == 0 else f"n{number}", handle=f"person{number}"
            ),
            text=f"@marca {' '.join(dice.choices(WORDS, k=9))}",
            posted_at=app.now(),
            kind=PostKind.MENTION,
            thread_id=f"x{total - number % 5000}" if number % 8 == 0 else None,
        )
        for number in range(first, first + count)
    ]


def cost(app: App, count: int, *, total: int) -> tuple[float, float]:
    """Microseconds of CPU for a mention: stored, decided; without what the log costs, which commands have opened."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with app.store.read() as tx:
        source = sources.get(tx, "mentions")
    app.pipeline.poll(["mentions"])  # connected, as in a daemon
    took = [0.0, 0.0]
    for turn in range(2):  # the first one warms up
        new = posts(turn * count, count, app, total=total)
        began = time.process_time()
        for start in range(0, count, PAGE):
            page = Page(posts=tuple(new[start : start + PAGE]), cursor={"change": 0})
            ingest(app.store, source, page, me=None, now=app.now())
        took[0] = time.process_time() - began
        while understand(app.store, Stub(), limit=64, now=app.now()):
            pass
        began, done = time.process_time(), 0
        while decided := app.pipeline.decide():
            done += decided
        took[1] = time.process_time() - began
        if done != count:
            raise SystemExit(f"{done} of {count} mentions were decided; the figures would be wrong.")
    return took[0] / count * 1e6, took[1] / count * 1e6


def waits(app: App, words: str, rounds: int) -> float:
    """Milliseconds of CPU until the command has printed all, median, in a process that did so before."""
    taken = []
    for _ in range(rounds + 1):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            began = time.process_time()
            code = cli.escucha.main(words.split(), obj=app, standalone_mode=False)
            taken.append(1000 * (time.process_time() - began))
        if code:
            raise SystemExit(f"escucha {words} failed: {said.getvalue()}")
    return statistics.median(taken[1:])


def typed(folder: Path, words: str, rounds: int) -> float:
    """Milliseconds by the clock of a process of its own, from its start to its end, as who types it waits."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        command = (sys.executable, "-m", "cli", *words.split())
        environment = os.environ | {"PYTHONPATH": str(results.ROOT)}
        subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def measure(total: int, *, new: int, rounds: int) -> dict[str, float]:
    """Everything for one size; the database is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="escucha-growth-"))
    try:
        began = time.monotonic()
        make = history.company(folder, total)
        os.sync()  # or the first who asks for a little to be kept pays for all of this
        size = (folder / "escucha.db").stat().st_size / 1e6
        print(f"{total:,}: made in {time.monotonic() - began:.0f} s, {size:,.0f} MB", flush=True)
        found = {"megabytes": round(size)}
        places = {"mention": total - 500, "case": references.reference("ES", history.BEGAN.year, total // 10 - 20)}
        app = make()
        close, app.close = app.close, lambda: None  # type: ignore[method-assign]
        for name, words in COMMANDS.items():
            found[name] = round(waits(app, words.format(**places), rounds), 2)
        found[TYPED] = round(typed(folder, "inbox", rounds))
        found["ingest"], found["decide"] = (round(each, 1) for each in cost(app, new, total=total))
        close()
    finally:
        shutil.rmtree(folder)
    print("   " + ", ".join(f"{name} {value:g}" for name, value in found.items()), flush=True)
    return found


def main() -> None:
    """Measures each size and keeps the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth")
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--new", type=int, default=640, help="further mentions, stored and decided")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--add", action="store_true", help="beside the sizes of the result that is there")
    asked = parser.parse_args()
    sizes = sorted(int(size) for size in asked.sizes.split(","))
    found = {size: measure(size, new=asked.new, rounds=asked.rounds) for size in sizes}
    if asked.add:
        before = {each.name: each.figures for each in results.kept()}.get("growth", {})
        found = dict(sorted(({int(size): figures for size, figures in before.items()} | found).items()))
    results.keep(
        "growth",
        {str(size): figures for size, figures in found.items()},
        parameters={"sizes": list(found), "new": asked.new, "rounds": asked.rounds},
        aims=aims(found),
        tables=[table(found)],
        charts=charts(found),
        notes=[
            "Rows are smaller than real ones (benchmarks/history.py): a decision's trace has some 300 bytes, not five "
            "thousand. One mention comes every three seconds, so that a day holds as many at every size; the smallest "
            "history is shorter than a day.",
            "`status` and `inbox --all` count up to 10,000 of a state. `report` is of an incident of 2,000 mentions "
            "and reads all that was said on the day before it, of which the smallest history holds a part.",
        ],
    )


def aims(found: dict[int, dict[str, float]]) -> list[Aim]:
    """Flat within 20 % for a mention, and lists within 20 ms at a million (or the largest size below it)."""
    first, last = min(found), max(found)
    made = []
    for stage in ("ingest", "decide"):
        change = found[last][stage] / found[first][stage] - 1
        reached = f"{change:+.0%} from {first:,} to {last:,}"
        made.append(Aim(what=f"{stage}, CPU a mention", aim="flat within 20 %", reached=reached, met=change <= 0.2))
    at = max((size for size in found if size <= 1_000_000), default=last)
    for name in LISTINGS:
        took = found[at][name]
        made.append(Aim(what=f"{name} at {at:,}", aim="< 20 ms", reached=f"{took:.1f} ms of CPU", met=took < 20))
    return made


def table(found: dict[int, dict[str, float]]) -> Table:
    """A row for each thing, a column for each size."""
    units = {
        "ingest": "µs CPU a mention",
        "decide": "µs CPU a mention",
        "megabytes": "MB of database",
        TYPED: "ms by the clock",
    }
    names = ["ingest", "decide", *COMMANDS, TYPED, "megabytes"]
    rows = [(name, units.get(name, "ms CPU"), *(found[size][name] for size in found)) for name in names]
    return Table(title="By the size of the history", columns=("", "", *(f"{size:,}" for size in found)), rows=rows)


def charts(found: dict[int, dict[str, float]]) -> list[Chart]:
    """What a mention costs, and how long lists take."""

    def line(name: str) -> list[tuple[int, float]]:
        return [(size, figures[name]) for size, figures in found.items()]

    return [
        Chart(
            file="growth-cost",
            title="What a mention costs",
            x="mentions in the database",
            y="µs of CPU",
            lines={name: line(name) for name in ("ingest", "decide")},
            log_x=True,
        ),
        Chart(
            file="growth-lists",
            title="How long a list takes",
            x="mentions in the database",
            y="ms of CPU",
            lines={name: line(name) for name in ("inbox", "case list", "show", "explain", "status")},
            log_x=True,
            log_y=True,
            limit=20,
        ),
    ]


if __name__ == "__main__":
    main()
