"""What it costs to count mentions and to look for spikes, in a database with a long history.

    python -m benchmarks.spotting [--mentions 200000] [--days 56]

The mentions are written straight into an SQLite file, spread over the days, 13 x 7 x 11 keys on two networks. Counting
all of it is what a database that was there before costs once; a look is what every minute costs while there is a spike.
Times are CPU time of this process.
"""

from __future__ import annotations

import argparse
import logging
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import text

import policies
from listener import store as stores
from listener.flow.spot import Lookout
from listener.store import Store, sources
from listener.store.sources import Wanted
from listener.types import Author

AREAS, PLACES = 12, 10
INTENTS = ("complaint", "question", "request", "outage_report", "cancellation_threat", "praise")
POLICY = f"""
name: Bench
cases: every
language: en
default_team: care
teams: {{care: {{what: everything}}}}
places: {{{", ".join(f"Town{n}: [town{n}]" for n in range(PLACES))}}}
incidents: {{propose: true}}
rules: []
"""
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :last) "
AT = "strftime('%Y-%m-%d %H:%M:%f000', :begins + (i * 1.0 / :all) * :seconds, 'unixepoch')"
AMONG = "((i * 2654435761 >> {}) % {})"  # one of so many, as good as by chance
ROWS = (
    "INSERT INTO accounts (id, network, external_id, handle, folded, display_name, bot, opted_out, first_seen_at) "
    "SELECT i, CASE i % 2 WHEN 0 THEN 'one' ELSE 'two' END, 'a' || i, 'h' || i, 'h' || i, '', 0, 0, '2020-01-01' "
    "FROM n",
    "INSERT INTO mentions (id, network, external_id, source_id, account_id, state, revision, kind, visibility, text, "
    "content_warning, quoted, unanswerable, media, raw, posted_at, heard_at, checked_at, terms, copy_key) "
    "SELECT i, CASE i % 2 WHEN 0 THEN 'one' ELSE 'two' END, 'p' || i, 1 + i % 2, i, 'decided', 1, 'mention', "
    f"'public', 'the line in town' || {AMONG.format(9, 2 * PLACES)} || ' is down again and nobody answers ' || i, "
    f"'', '', '', '[]', '{{}}', {AT}, {AT}, {AT}, '[]', '' FROM n",
    "INSERT INTO understandings (mention_id, revision, model_version, language, language_score, sentiment, "
    "sentiment_scores, intents, intent_scores, signals, signal_scores, areas, area_scores, at) "
    "SELECT i, 1, 'm', 'en', 1.0, 'neutral', '{}', '[\"' || CASE "
    + AMONG.format(11, len(INTENTS))
    + " "
    + " ".join(f"WHEN {n} THEN '{name}'" for n, name in enumerate(INTENTS))
    + f" END || '\"]', '{{}}', '[]', '{{}}', '[\"area' || {AMONG.format(13, AREAS)} || '\"]', '{{}}', {AT} FROM n",
    "INSERT INTO decisions (id, mention_id, revision, policy_version, model_version, urgency, needs_routing, routed, "
    "escalate_to, ignored, tags, alerts, trace, at, score, queue_at) "
    f"SELECT i, i, 1, 'p', 'm', 'normal', 0, 0, '', '', '[]', '[]', '{{}}', {AT}, 0, {AT} FROM n",
)


COUNTED = (
    "SELECT count(DISTINCT area || '/' || intent || '/' || place || '/' || network), count(*), sum(length(people)) "
    "FROM volumes"
)


def main() -> None:
    """Prints what each step took."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    options = argparse.ArgumentParser(description="What counting and looking for spikes costs.")
    options.add_argument("--mentions", type=int, default=200_000)
    options.add_argument("--days", type=int, default=56)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "escucha.db"
        store = stores.open(f"sqlite:///{path}")
        now = datetime.now(UTC).replace(microsecond=0)
        begins = now - timedelta(days=given.days)
        with store.write() as tx:
            wanted = [
                Wanted(name=name, account=name, network=name, query="q", every=timedelta(minutes=1))
                for name in ("one", "two")
            ]
            sources.sync(tx, wanted, begins)
            tx.execute(
                text("UPDATE sources SET succeeded_at = :now"), {"now": now.strftime("%Y-%m-%d %H:%M:%S.000000")}
            )
        _fill(store, 1, given.mentions, begins=begins, ends=now)
        policy = policies.load_text(POLICY)
        lookout = Lookout(store, is_ours=_nobody, pattern="ES")
        began = time.process_time()
        counted = 0
        while new := lookout.look(policy, now=now).counted:
            counted += new
        took = time.process_time() - began
        print(f"counted {counted:,} mentions: {took:.1f} s, {took / max(counted, 1) * 1e6:.0f} us each, learning in it")
        with store.read() as tx:
            keys, rows, size = tx.execute(text(COUNTED)).one()
        whole = path.stat().st_size / 1e6
        print(f"{keys:,} keys, {rows:,} rows of counts, {size / 1e6:.1f} MB in them; the database has {whole:,.0f} MB")
        print(f"memory at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
        fresh = Lookout(store, is_ours=_nobody, pattern="ES")
        print(f"first look of a new process: {_time(fresh, policy, now):.2f} s (it learns what is normal)")
        print(f"a look, with nothing new: {_time(fresh, policy, now):.3f} s")
        last = given.mentions + 1
        for minute in range(1, 4):
            at = now + timedelta(minutes=minute)
            _fill(store, last, last + 100, begins=at - timedelta(minutes=1), ends=at)
            last += 100
            print(f"a look, with 100 new mentions: {_time(fresh, policy, at):.3f} s; spikes: {_live(store)}")
        print(f"memory at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
        store.close()


def _live(store: Store) -> int:
    """How many spikes go on."""
    with store.read() as tx:
        return int(tx.scalar(text("SELECT count(*) FROM spikes WHERE ended_at IS NULL")) or 0)


def _time(lookout: Lookout, policy: policies.Guarded, now: datetime) -> float:
    began = time.process_time()
    lookout.look(policy, now=now)
    return time.process_time() - began


def _fill(store: Store, first: int, last: int, *, begins: datetime, ends: datetime) -> None:
    """Mentions of those numbers, spread evenly over the time."""
    spread = last - first
    with store.write() as tx:
        for statement in ROWS:
            insert, _, rest = statement.partition("SELECT")
            values = {"first": first, "last": last, "all": spread, "seconds": (ends - begins).total_seconds()}
            shifted = rest.replace("(i * 1.0", "((i - :first) * 1.0")
            query = text(insert + NUMBERS + "SELECT" + shifted)
            names = ("first", "last", "all", "seconds", "begins")
            known = values | {"begins": begins.timestamp()}
            tx.execute(query, {name: known[name] for name in names if f":{name}" in str(query)})


def _nobody(_author: Author) -> bool:
    return False


if __name__ == "__main__":
    main()
