"""How long one screen takes among a million mentions, beside a look at the mention alone.

    python -m benchmarks.show [--mentions 1000000]

Made-up people (five mentions each, and one who wrote 10,000 times), each with a case, every second of them solved, are
put into an SQLite file. Then what `escucha show` and `escucha case show` read around a person is read for people drawn
at random, and for the one who wrote so much; "bare" is the mention's own row with its author, read in the same turn.
Times are this process's CPU time, medians.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from listener import store as stores
from listener.desk import context
from listener.store import Transaction, cases, mentions

EACH = 5  # mentions of a person
BUSY = 10_000  # mentions of the one who wrote so much
ROUNDS = 60
NOW = datetime(2026, 11, 1, tzinfo=UTC)
_SAID = "señal fibra factura router Sevilla corte lento nadie contesta cobro doble baja precio promesa técnico"
WORDS = _SAID.split()


def put(link: sqlite3.Connection, table: str, rows: Iterable[Sequence[Any]], names: Sequence[str]) -> None:
    """Rows with these columns; whatever else must not be null is empty."""
    empty = {
        "INTEGER": 0,
        "BIGINT": 0,
        "BOOLEAN": 0,
        "FLOAT": 0.0,
        "JSON": "[]",
        "DATETIME": "2026-01-01 00:00:00.000000",
    }
    info = link.execute(f"PRAGMA table_info({table})").fetchall()
    further = [(row[1], empty.get(row[2].split("(")[0], "")) for row in info if row[3] and not row[5]]
    further = [(name, value) for name, value in further if name not in names]
    columns = [*names, *(name for name, _ in further)]
    fixed = tuple(value for _, value in further)
    holes = ", ".join("?" * len(columns))
    link.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({holes})", ((*row, *fixed) for row in rows))


def fill(path: Path, total: int) -> int:
    """The people and what they wrote; gives how many people there are. The last one is the one who wrote so much."""
    people = (total - BUSY) // EACH + 1
    draw = random.Random(7)

    def at(number: int) -> str:
        return (NOW - timedelta(seconds=60 * (total - number))).strftime("%Y-%m-%d %H:%M:%S.%f")

    def author(number: int) -> int:
        return min(number // EACH, people - 1) + 1

    def text() -> str:
        return " ".join(draw.choices(WORDS, k=8))

    link = sqlite3.connect(path)
    link.executescript("PRAGMA synchronous=OFF; PRAGMA foreign_keys=OFF;")
    put(link, "sources", [(1, "s", "care", "sandbox", "q")], ("id", "name", "account", "network", "query"))
    put(
        link,
        "accounts",
        ((n + 1, "sandbox", f"id{n}", f"p{n}", f"p{n}") for n in range(people)),
        ("id", "network", "external_id", "handle", "folded"),
    )
    put(
        link,
        "mentions",
        (
            (n + 1, "sandbox", f"x{n}", 1, author(n), "decided", 1, "mention", "public", text(), at(n), at(n))
            for n in range(total)
        ),
        (
            *("id", "network", "external_id", "source_id", "account_id", "state", "revision"),
            *("kind", "visibility", "text", "posted_at", "heard_at"),
        ),
    )
    scores = '{"negative": 0.7, "neutral": 0.2, "positive": 0.1}'
    put(
        link,
        "understandings",
        ((n + 1, 1, "m", "es", "negative", scores, '["complaint"]', '["billing"]') for n in range(total)),
        ("mention_id", "revision", "model_version", "language", "sentiment", "sentiment_scores", "intents", "areas"),
    )
    solved = ("resolved", at(total // 2))
    put(
        link,
        "cases",
        (
            (n + 1, f"ES-26-{n:06}-0", n + 1, *(solved if n % 2 else ("open", None)), "Queja", f"team{n % 5}", 1, "{}")
            for n in range(people)
        ),
        ("id", "reference", "account_id", "state", "resolved_at", "title", "team", "urgency_rank", "promise"),
    )
    put(
        link,
        "case_mentions",
        ((n + 1, min(n * EACH, total - 1) + 1) for n in range(people)),
        ("case_id", "mention_id"),
    )
    put(
        link,
        "case_events",
        ((n + 1, "opened", "policy", "{}") for n in range(people)),
        ("case_id", "kind", "by", "detail"),
    )
    link.commit()
    link.execute("ANALYZE")
    link.close()
    return people


def timed(do: Callable[[], object]) -> float:
    """Milliseconds of CPU time."""
    began = time.process_time()
    do()
    return 1000 * (time.process_time() - began)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--mentions", type=int, default=1_000_000)
    total = max(asked.parse_args().mentions, 2 * BUSY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "escucha.db"
        stores.open(f"sqlite:///{path}").close()
        people = fill(path, total)
        store = stores.open(f"sqlite:///{path}")
        draw = random.Random(11)
        took: dict[str, list[float]] = {}

        def read(tx: Transaction, number: int, name: str) -> None:
            mention = mentions.get(tx, number)
            case = cases.of_mention(tx, number)
            around = timed(lambda: context.of_mention(tx, mention, case=case, now=NOW))
            took.setdefault(f"show, {name}", []).append(around)
            if case:
                took.setdefault(f"case show, {name}", []).append(timed(lambda: context.of_case(tx, case, now=NOW)))
            took.setdefault("bare", []).append(timed(lambda: mentions.get(tx, number)))

        with store.read() as tx:
            for _ in range(ROUNDS):
                read(tx, EACH * draw.randrange(people - 2) + 1, "somebody")
                read(tx, (people - 1) * EACH + 1, "who wrote 10,000 times")
        store.close()
    for name, times in took.items():
        ordered = sorted(times)
        print(f"{name:<40} {statistics.median(times):8.2f} ms  (95 %: {ordered[int(0.95 * len(ordered))]:.2f} ms)")


if __name__ == "__main__":
    main()
