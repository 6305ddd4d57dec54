"""How fast a file of customers gets into SQLite, beside sqlite3's bare bulk insert of the very rows it makes.

    python -m benchmarks.customer_import [--rows 100000] [--links]

A file of that many customers (reference, name, e-mail, phone, tier, two further fields; with `--links` an account each)
is imported into a new database as `escucha customer import` does it: read, checked, compared, written, contact points
made, every change in the chained audit log, 5,000 lines a transaction. Then the rows that this made, of all tables, are
put into another new database with `executemany` on the same connection settings (WAL, synchronous=FULL, secure_delete,
foreign keys) and the same 5,000 customers a transaction: that is "bare". "plain" is the same with the customers' rows
alone. The share is bare time by import time, within this run. At last the same file is imported again: nothing changes.
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from listener import store as stores
from listener.desk import import_task, importing
from listener.types import LinkBasis

TABLES = ("customers", "contact_points", "expected_links", "audit")
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")


def write_file(path: Path, rows: int, *, links: bool) -> None:
    """A file of made-up customers; every third name has an accent."""
    with path.open("w", encoding="utf-8") as file:
        file.write("reference,name,email,phone,tier,city,balance" + ",mastodon" * links + "\n")
        for number in range(rows):
            name = f"Ana Núñez {number}" if number % 3 == 0 else f"Luis Prado {number}"
            account = f",@c{number}@social.example" if links else ""
            file.write(
                f"C-{number:08},{name},c{number}@mail.example,+34 6{number % 10**8:08},"
                f"{('gold', 'silver', '')[number % 3]},Town {number % 997},{number % 5000}.50{account}\n"
            )


class Watch:
    """Seconds of this process's CPU time, and of the clock, while it runs."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0

    def __enter__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.cpu += time.process_time() - self._cpu
        self.wall += time.perf_counter() - self._wall


def bring(path: Path, database: Path) -> tuple[Watch, import_task.Tally]:
    """Imports the file; what it took, and what became of the lines."""
    store = stores.open(f"sqlite:///{database}")
    task = import_task.Task(
        basis=LinkBasis.VERIFIED, evidence="benchmark", linkable=lambda _: True, by="benchmark", now=datetime.now(UTC)
    )
    took = Watch()
    with took:
        running = importing.begin(path, networks=("mastodon",), task=task, report=print)
        running.run(store, lambda _done: None)
    store.close()
    return took, running.tally


def bare(made: Path, target: Path, tables: Sequence[str]) -> Watch:
    """Puts the rows of those tables into a new database; what sqlite3 took for inserting them."""
    stores.open(f"sqlite:///{target}").close()
    source, sink = sqlite3.connect(made), sqlite3.connect(target, isolation_level=None)
    for pragma in PRAGMAS:
        sink.execute(f"PRAGMA {pragma}")
    customers = source.execute("SELECT count(*) FROM customers").fetchone()[0]
    steps = max(1, -(-customers // importing.BATCH))
    took = Watch()
    cursors = []
    for table in tables:
        width = len(source.execute(f"PRAGMA table_info({table})").fetchall())
        count = source.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        insert = f"INSERT INTO {table} VALUES ({','.join('?' * width)})"
        cursors.append((insert, source.execute(f"SELECT * FROM {table} ORDER BY rowid"), -(-count // steps)))
    for _ in range(steps):
        batch = [(insert, cursor.fetchmany(size)) for insert, cursor, size in cursors if size]
        with took:
            sink.execute("BEGIN IMMEDIATE")
            for insert, rows in batch:
                sink.executemany(insert, rows)
            sink.execute("COMMIT")
    sink.close()
    source.close()
    return took


def main() -> None:
    """Measures and prints one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--links", action="store_true", help="an account for each customer, not heard yet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_file(home / "people.csv", options.rows, links=options.links)
        took, tally = bring(home / "people.csv", home / "ours.db")
        assert tally.added == options.rows, tally
        whole = bare(home / "ours.db", home / "bare.db", TABLES)
        plain = bare(home / "ours.db", home / "plain.db", TABLES[:1])
        again, second = bring(home / "people.csv", home / "ours.db")
        assert second.unchanged == options.rows, second
    print(
        json.dumps(
            {
                "rows": options.rows,
                "links": tally.expected,
                "import_rows_per_second": round(options.rows / took.wall),
                "bare_rows_per_second": round(options.rows / whole.wall),
                "plain_rows_per_second": round(options.rows / plain.wall),
                "again_rows_per_second": round(options.rows / again.wall),
                "share_of_bare": round(whole.wall / took.wall, 3),
                "share_of_bare_by_cpu": round(whole.cpu / took.cpu, 3),
                "share_of_plain": round(plain.wall / took.wall, 3),
                "share_of_plain_by_cpu": round(plain.cpu / took.cpu, 3),
                "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
