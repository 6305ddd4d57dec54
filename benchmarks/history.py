"""A made-up company with a history of any length, written straight into its SQLite file; for growth.py and others.

One mention comes every three seconds (28,800 a day), so that whatever looks at the last hour or day finds as much in
a long history as in a short one, and ten million are a year. Of three mentions one was answered, of ten one opened a
case, and a person writes five times. What waits for people is of one size however long the history is: the last
drafts, the last cases, a few that nobody could handle; and so is the one incident that there was. Rows are smaller than
real ones: a decision's trace has some 300 bytes, not five thousand.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import connectors
import policies
from listener import references
from listener.commands.app import App

BEGAN = datetime(2025, 10, 1, tzinfo=UTC)  # when the first mention was posted
APART = timedelta(seconds=3)  # between two mentions
NETWORK = "sandbox"
WAITING = 5_000  # drafts that wait for a person, at most
OPEN = 3_000  # cases that are open, at most
STRUCK = 2_000  # mentions of an incident that is over, the last ones but some, at most
ODD = 50  # of each: set aside, to route, refused, unknown
DAYS = 56  # for which volumes are kept
AREAS = ("billing", "network", "shop", "app", "roaming", "tv", "router", "contract")
INTENTS = ("complaint", "question", "request", "outage_report", "praise")
WITHOUT, SINCE = ("fibra", "señal", "router", "factura", "línea"), ("lunes", "martes", "jueves")
TEAMS = ("care", "billing", "technical", "sales")

SETTINGS = """
[brand]
name = "Telefonía Ejemplo"
handles = ["@marca"]
languages = ["es", "en"]
[database]
url = "sqlite:///{folder}/escucha.db"
[accounts.care]
network = "sandbox"
world = "{folder}/sandbox.db"
handle = "@marca"
[[sources]]
name = "mentions"
account = "care"
query = "mentions"
every = "1s"
"""

_EMPTY = {
    "INTEGER": "0",
    "BIGINT": "0",
    "BOOLEAN": "0",
    "FLOAT": "0.0",
    "JSON": "'[]'",
    "DATETIME": "'2026-01-01 00:00:00'",
}
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :total) "
_RULE = '{"rule": "complaint", "outcome": "failed", "condition": "intents", "wanted": "complaint", "saw": ["question"]}'
_TRACE = f"""'{{"rules": [{_RULE}, {_RULE}], "guards": [{{"guard": "confidence", "forbids": false, "reason": ""}}]}}'"""


def _chance(salt: int, of: int) -> str:
    """One of so many, as good as by chance, for mention i; the same each time."""
    return f"((i * 2654435761 + {salt} * 40503) % 4294967291 % {of})"


def _named(names: Sequence[str], salt: int) -> str:
    choices = " ".join(f"WHEN {number} THEN '{name}'" for number, name in enumerate(names))
    return f"CASE {_chance(salt, len(names))} {choices} END"


def _at(*, later: float = 0) -> str:
    """When the mention of that number was posted, so many seconds later, in the database's own words."""
    since = f"{BEGAN.timestamp():.0f} + i * {APART.total_seconds():.0f} + {later}"
    return f"strftime('%Y-%m-%d %H:%M:%f000', {since}, 'unixepoch')"


# Who wrote mention i: one of fifty by one of 20 who write all the time, the others by whoever was there by then.
_AUTHOR = f"CASE WHEN i % 50 = 0 THEN 1 + i / 50 % 20 ELSE 1 + {_chance(3, 1_000_003)} % (20 + i / 5) END"
_THREAD = "'x' || (i - CASE WHEN i % 3 = 1 AND i > 9 THEN 1 + i % 7 ELSE 0 END)"


def tables() -> list[tuple[str, str, dict[str, str]]]:
    """What is written for mentions 1 to :total: table, which numbers i get a row, expressions by column."""
    old, live = "i <= :total - 3 * :waiting", "i > :total - 10 * :open"
    return [
        (
            "accounts",
            "i % 5 = 0 OR i <= 25",
            {
                "id": "CASE WHEN i <= 25 THEN i ELSE 20 + i / 5 END",
                "network": f"'{NETWORK}'",
                "external_id": "'p' || (CASE WHEN i <= 25 THEN i ELSE 20 + i / 5 END)",
                "handle": "'person' || (CASE WHEN i <= 25 THEN i ELSE 20 + i / 5 END)",
                "folded": "'person' || (CASE WHEN i <= 25 THEN i ELSE 20 + i / 5 END)",
                "display_name": "'Ana ' || i",
                "first_seen_at": _at(),
                "compared_at": _at(),
            },
        ),
        (
            "mentions",
            "1",
            {
                "id": "i",
                "network": f"'{NETWORK}'",
                "external_id": "'x' || i",
                "source_id": "1",
                "account_id": _AUTHOR,
                "state": f"CASE WHEN {_chance(5, 200)} = 0 THEN 'gone' ELSE 'decided' END",
                "gone_at": f"CASE WHEN {_chance(5, 200)} = 0 THEN {_at()} END",
                "trouble": "CASE WHEN i > :total - :odd AND i % 2 THEN 'the model cannot read it' END",
                "revision": "1",
                "kind": "'mention'",
                "visibility": "'public'",
                "text": f"'@marca sigo sin ' || {_named(WITHOUT, 7)} || ' desde el ' || {_named(SINCE, 11)} "
                "|| ', caso ' || i || '. ¿Hasta cuándo?'",
                "url": "'https://sandbox.example/x' || i",
                "thread_id": _THREAD,
                "parent_id": f"nullif({_THREAD}, 'x' || i)",
                "media": "'[]'",
                "raw": "'{}'",
                "terms": "'[]'",
                "copy_key": "printf('%016x', i * 2654435761)",
                "posted_at": _at(),
                "heard_at": _at(later=1),
                "checked_at": _at(later=1),
            },
        ),
        (
            "understandings",
            "1",
            {
                "mention_id": "i",
                "revision": "1",
                "model_version": "'model-1'",
                "language": "'es'",
                "language_score": "0.99",
                "sentiment": f"{_named(('negative', 'neutral', 'positive'), 13)}",
                "sentiment_scores": """'{"negative": 0.7, "neutral": 0.2, "positive": 0.1}'""",
                "intents": f"""'["' || {_named(INTENTS, 17)} || '"]'""",
                "intent_scores": """'{"complaint": 0.6, "question": 0.8}'""",
                "areas": f"""'["' || {_named(AREAS, 19)} || '"]'""",
                "area_scores": "'{}'",
                "signal_scores": "'{}'",
                "at": _at(later=2),
            },
        ),
        (
            "decisions",
            "1",
            {
                "id": "i",
                "mention_id": "i",
                "revision": "1",
                "policy_version": ":policy",
                "model_version": "'model-1'",
                "urgency": _named(("low", "normal", "high"), 23),
                "needs_routing": "i % 40 = 7",
                "routed": "i % 40 = 7 AND i <= :total - 40 * :odd",
                "trace": _TRACE,
                "at": _at(later=2),
                "queue_at": _at(),
            },
        ),
        (
            "cases",
            "i % 10 = 0",
            {
                "id": "i / 10",
                "reference": "'ES-26-' || printf('%08d', i / 10)",
                "account_id": _AUTHOR,
                "state": f"CASE WHEN {live} THEN {_named(('open', 'open', 'pending'), 29)} ELSE 'closed' END",
                "title": "'Complaint on sandbox'",
                "team": _named(TEAMS, 31),
                "urgency_rank": "1",
                "completeness": "50",
                "opened_at": _at(later=2),
                "opened_by": "'policy'",
                "changed_at": _at(later=2),
                "resolved_at": f"CASE WHEN NOT {live} THEN {_at(later=3600)} END",
                "first_response_due": _at(later=4 * 3600),
                "first_response_at": f"CASE WHEN NOT {live} THEN {_at(later=1800)} END",
                "resolution_due": _at(later=72 * 3600),
                "promise": "'{}'",
                "minutes_per_point": "10",
                "queue_at": _at(),
            },
        ),
        (
            "case_mentions",
            "i % 10 IN (0, 1, 7) AND i >= 10 AND (i % 40 <> 7 OR i <= :total - 40 * :odd)",
            {"case_id": "i / 10", "mention_id": "i", "why": "'it opened the case'", "at": _at(later=2)},
        ),
        (
            "case_events",
            "i % 10 IN (0, 1, 2) AND i >= 10",
            {
                "case_id": "i / 10",
                "kind": "CASE i % 10 WHEN 0 THEN 'opened' WHEN 1 THEN 'mention' ELSE 'note' END",
                "by": "'policy'",
                "at": _at(later=2),
                "detail": "'{}'",
            },
        ),
        (
            "drafts",
            "i % 3 = 0",
            {
                "id": "i / 3",
                "mention_id": "i",
                "decision_id": "i",
                "case_id": "CASE WHEN i % 10 = 0 THEN i / 10 END",
                "send_key": "printf('%032x', i)",
                "state": f"CASE WHEN i > :total - 3 * :odd THEN {_named(('failed', 'unknown'), 37)} WHEN {old} THEN "
                f"{_named(('sent', 'sent', 'sent', 'rejected', 'expired'), 41)} ELSE 'proposed' END",
                "account": "'care'",
                "text": "'Hola, lo vemos y te decimos algo hoy mismo. Gracias por avisar.'",
                "language": "'es'",
                "template": "'answer'",
                "length": "64",
                "length_limit": "500",
                "urgency_rank": "1",
                "revision": "1",
                "policy_version": ":policy",
                "edit": "1",
                "proposed_at": _at(later=2),
                "sent_at": f"CASE WHEN {old} THEN {_at(later=60)} END",
                "said_at": f"CASE WHEN {old} THEN {_at(later=60)} END",
                "posted_id": f"CASE WHEN {old} THEN 'r' || i END",
                "queue_at": _at(),
            },
        ),
        (
            "audit",
            "1",
            {
                "id": "i + :audited",
                "at": _at(later=2),
                "by": "'policy'",
                "action": "CASE i % 3 WHEN 0 THEN 'draft.proposed' ELSE 'case.changed' END",
                "subject": "CASE i % 3 WHEN 0 THEN 'draft ' || (i / 3) ELSE 'mention ' || i END",
                "detail": "'{}'",
                "salt": "printf('%032x', i)",
                "key": "''",
                "hash": "printf('%064x', i)",
            },
        ),
        (
            "customers",
            "i % 50 = 0",
            {
                "id": "i / 50",
                "reference": "'C-' || printf('%08d', i / 50)",
                "name": "'Ana Núñez ' || i",
                "tier": _named(("gold", "", ""), 43),
                "fields": "'{}'",
                "added_at": _at(),
                "changed_at": _at(),
            },
        ),
        (
            "incidents",
            "i = 1",
            {
                "id": "1",
                "title": "'Corte de fibra'",
                "state": "'closed'",
                "opened_by": "'ana'",
                "opened_at": f"(SELECT {_at()} FROM (SELECT :total - :struck - :odd AS i))",
                "began_at": f"(SELECT {_at()} FROM (SELECT :total - :struck - :odd AS i))",
                "ended_at": f"(SELECT {_at()} FROM (SELECT :total - :odd AS i))",
                "affected": "'{}'",
                "changed_at": f"(SELECT {_at()} FROM (SELECT :total - :odd AS i))",
            },
        ),
        (
            "incident_mentions",
            "i > :total - :struck - :odd AND i <= :total - :odd",
            {"incident_id": "1", "mention_id": "i", "how": "'rule'", "why": "'it names the place'", "at": _at(later=2)},
        ),
        (
            "links",
            "i % 50 = 0",
            {
                "account_id": "20 + i / 5",
                "customer_id": "i / 50",
                "basis": "'verified'",
                "linked_by": "'import'",
                "linked_at": _at(),
            },
        ),
    ]


def company(folder: Path, total: int) -> Callable[[], App]:
    """A folder with settings and a database of that many mentions; gives what makes an App of it, in its own time."""
    settings, now = folder / "escucha.toml", BEGAN

    def app() -> App:
        return App(
            connectors=cast(Any, connectors), policies=cast(Any, policies), config_path=settings, now=lambda: now
        )

    settings.write_text(SETTINGS.format(folder=folder), encoding="utf-8")
    first = app()
    first.pipeline.start(first.wanted, by="benchmark")
    ruling = cast(Any, first.policy).version
    first.close()
    now = fill(folder / "escucha.db", total, policy=ruling)
    return app


def fill(path: Path, total: int, *, policy: str) -> datetime:
    """Writes that many mentions and all that came of them; gives the moment after the last, which is "now" there.

    The file has its tables, and the source with id 1, and nothing else.
    """
    link = sqlite3.connect(path, isolation_level=None)
    link.executescript(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA foreign_keys=OFF; PRAGMA cache_size=-500000; "
        "PRAGMA threads=2;"
    )
    values: dict[str, Any] = {"total": total, "policy": policy}
    values |= {"waiting": min(WAITING, total // 6), "open": min(OPEN, total // 40), "odd": min(ODD, total // 200)}
    values["struck"] = min(STRUCK, total // 5)
    indices = _without_indices(link)
    link.execute("BEGIN")
    (values["audited"],) = link.execute("SELECT coalesce(max(id), 0) FROM audit").fetchone()
    for table, which, columns in tables():
        _write(link, table, which, columns, values)
    newest = "SELECT id, hash, key FROM audit ORDER BY id DESC LIMIT 1"
    link.execute(f"UPDATE audit_head SET (last, hash, key) = ({newest})")
    link.create_function("reference", 1, lambda number: references.reference("ES", BEGAN.year, number))
    link.execute("UPDATE cases SET reference = reference(id) WHERE id > :last - 100", {"last": total // 10})
    link.execute("INSERT INTO case_numbers (year, last) VALUES (2025, :last), (2026, :last)", {"last": total // 10})
    now = BEGAN + (total + 1) * APART
    _volumes(link, now, days=min(DAYS, int(total * APART / timedelta(days=1)) + 1))
    link.execute("COMMIT")
    for statement in indices:
        link.execute(statement)
    link.close()
    return now


def _write(
    link: sqlite3.Connection, table: str, which: str, columns: Mapping[str, str], values: Mapping[str, Any]
) -> None:
    info = link.execute(f"PRAGMA table_info({table})").fetchall()
    known = {row[1] for row in info}
    if missing := columns.keys() - known:
        raise SystemExit(f"{table} has no column {', '.join(missing)} any more")
    further = {
        row[1]: _EMPTY.get(row[2].split("(")[0], "''")
        for row in info
        if row[3] and not row[5] and row[1] not in columns
    }
    every = {**columns, **further}
    names = ", ".join(f'"{name}"' for name in every)
    query = f"INSERT INTO {table} ({names}) {_NUMBERS} SELECT {', '.join(every.values())} FROM n WHERE {which}"
    link.execute(query, {name: value for name, value in values.items() if f":{name}" in query})


def _without_indices(link: sqlite3.Connection) -> list[str]:
    """Takes out every index but those that hold a table together; gives what makes them again."""
    found = link.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    filled = {table for table, _, _ in tables()}
    kept = []
    for name, sql in found:
        if any(f" ON {table} " in sql or f' ON "{table}" ' in sql for table in filled):
            link.execute(f'DROP INDEX "{name}"')
            kept.append(sql)
    return kept


def _volumes(link: sqlite3.Connection, now: datetime, *, days: int) -> None:
    """What was counted for spikes on the last days, and that everything is counted."""
    pair = struct.Struct("<HH")
    people = b"".join(pair.pack(bucket, 1 + bucket % 7) for bucket in range(0, 288, 2))
    labels = [(area, intent, "", NETWORK) for area in ("", *AREAS) for intent in ("", *INTENTS)]
    rows: Iterable[Sequence[Any]] = (
        ((now - timedelta(days=day)).astimezone(UTC).date().isoformat(), *label, people)
        for day in range(1, days)
        for label in labels
    )
    link.executemany("INSERT INTO volumes (day, area, intent, place, network, people) VALUES (?, ?, ?, ?, ?, ?)", rows)
    link.execute("INSERT INTO sweeps (name, last_id) SELECT 'volumes', max(id) FROM decisions")
