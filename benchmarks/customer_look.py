"""How long an agent and a decision wait for what is known of a customer, in a database of many.

    python -m benchmarks.customer_look [--customers 100000] [--mentions 100000] [--looks 200]

A database is filled with made-up customers (contact points, payments, contracts, consent), accounts, one mention each,
a case for every tenth, of which one in ten is open. Half of the accounts are linked, a quarter is expected to be
somebody's, of the rest nobody knows anything. Then each thing is asked `--looks` times, about another one each time, as
the program asks it:

    linked     the customer behind an account that is linked                    (every decision)
    nobody     the same for an account of which nothing is known                (every decision of a stranger)
    view       the customer as a policy sees them, all of it                    (a decision, an offer)
    standing   the record on one screen
    queue      the first 50 cases that wait, of everybody and of one team
    reached    who is reached at an e-mail address
    records    the first 50 records

Milliseconds by the clock: median, and the 95th of a hundred.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from listener import store as stores
from listener.desk import customers as desk
from listener.desk import standing
from listener.store import Store, bulk, cases, contacts, customers
from listener.store import tables as t

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
STEP = 20_000
TEAMS = ("care", "billing", "network", "sales")


def ranges(count: int) -> Iterator[range]:
    """The numbers from 1 to `count`, so many at a time as one transaction takes."""
    for first in range(1, count + 1, STEP):
        yield range(first, min(first + STEP, count + 1))


def put(store: Store, name: str, numbers: range, row: Callable[[int], dict[str, Any]]) -> None:
    """A row for each number."""
    table = t.metadata.tables[name]
    made = [row(number) for number in numbers]
    if made:
        columns = tuple(made[0])
        with store.write() as tx:
            bulk.put(
                tx, insert(table).values(dict.fromkeys(columns)), table, columns, [tuple(r.values()) for r in made]
            )


def fill(store: Store, people: int, mentions: int) -> None:
    """The made-up company."""
    with store.write() as tx:
        tx.execute(
            insert(t.sources).values(
                name="tag", account="care", network="mastodon", query="#m", every_seconds=60, next_poll_at=NOW
            )
        )
    for numbers in ranges(people):
        put(store, "customers", numbers, _customer)
        put(store, "contact_points", numbers, _point)
        put(store, "payments", numbers, lambda n: {"customer_id": n, "arrears": f"{n % 90}.50", **_paid(n)})
        put(store, "contracts", numbers, _contract)
        put(store, "consents", numbers, _consent)
    for numbers in ranges(mentions):
        put(store, "accounts", numbers, _account)
        put(store, "mentions", numbers, _mention)
        half = range(numbers.start, min(numbers.stop, mentions // 2 + 1))
        put(store, "links", half, lambda n: {"account_id": n, "customer_id": (n - 1) % people + 1, **_said()})
        told = range(max(numbers.start, mentions // 2 + 1), min(numbers.stop, mentions * 3 // 4))
        put(store, "expected_links", told, lambda n: _expected(n, people))
        tenth = range((numbers.start - 1) // 10 + 1, (numbers.stop - 1) // 10 + 1)
        put(store, "cases", tenth, lambda n: _case(n, people))


def _customer(n: int) -> dict[str, Any]:
    return {
        "reference": f"C-{n:08}",
        "name": f"Ana Núñez {n}",
        "email": f"c{n}@mail.example",
        "language": "es",
        "tier": ("gold", "")[n % 2],
        "tags": [],
        "fields": {"balance": f"{n % 900}.50 EUR", "city": f"Town {n % 997}"},
        "imported": "",
        "added_at": NOW,
        "changed_at": NOW,
    }


def _point(n: int) -> dict[str, Any]:
    value = f"c{n}@mail.example"
    flags = {"of_record": True, "preferred": False, "do_not_use": False}
    return {"customer_id": n, "kind": "mail", "value": value, "written": value, **flags, "added_at": NOW}


def _paid(n: int) -> dict[str, Any]:
    return {"last_on": date(2026, 10, n % 28 + 1), "last_amount": "12.00", "currency": "EUR", "changed_at": NOW}


def _contract(n: int) -> dict[str, Any]:
    return {"customer_id": n, "reference": f"K{n}", "product": "", "begins_on": date(2020, 1, 1), "changed_at": NOW}


def _consent(n: int) -> dict[str, Any]:
    said = {"channel": "any", "purpose": "marketing", "given": n % 3 > 0, "at": NOW, "source": "form"}
    return {"customer_id": n, **said, "noted_by": "benchmark", "noted_at": NOW}


def _account(n: int) -> dict[str, Any]:
    who = {
        "network": "mastodon",
        "external_id": f"id{n}",
        "handle": f"c{n}@social.example",
        "folded": f"c{n}@social.example",
        "display_name": "Ana",
    }
    return {**who, "bot": False, "opted_out": False, "first_seen_at": NOW, "contacts": []}


def _mention(n: int) -> dict[str, Any]:
    at = NOW - timedelta(seconds=n)
    return {
        "network": "mastodon",
        "external_id": f"p{n}",
        "source_id": 1,
        "account_id": n,
        "state": "decided",
        "revision": 1,
        "kind": "mention",
        "visibility": "public",
        "text": f"Sigo sin internet desde el lunes, caso {n}. ¿Hasta cuándo?",
        "content_warning": "",
        "quoted": "",
        "unanswerable": "",
        "media": [],
        "raw": {},
        "posted_at": at,
        "heard_at": at,
        "checked_at": at,
        "terms": [],
        "copy_key": "",
    }


def _said() -> dict[str, Any]:
    return {"basis": "verified", "evidence": "", "linked_by": "benchmark", "linked_at": NOW}


def _expected(n: int, people: int) -> dict[str, Any]:
    return {"network": "mastodon", "handle": f"c{n}@social.example", "customer_id": (n - 1) % people + 1, **_said()}


def _case(n: int, people: int) -> dict[str, Any]:
    at = NOW - timedelta(minutes=n % 50_000)
    return {
        "reference": f"ES-26-{n:07}",
        "customer_id": (n - 1) % people + 1,
        "account_id": n * 10,
        "state": "closed" if n % 10 else "open",
        "title": "Outage",
        "team": TEAMS[n // 10 % len(TEAMS)],
        "urgency_rank": n % 4,
        "completeness": 0,
        "tags": [],
        "opened_at": at,
        "opened_by": "policy",
        "changed_at": at,
        "promise": {},
        "skills": [],
        "revision": 1,
        "watchers": [],
        "checklist": [],
        "score": n % 100,
        "minutes_per_point": 30,
        "queue_at": at,
    }


def looks(store: Store, people: int, mentions: int, count: int) -> dict[str, list[float]]:
    """Milliseconds of each look."""
    dice = random.Random(7)
    found: dict[str, list[float]] = {}

    def timed(name: str, look: Callable[..., object], *about: Any, **more: Any) -> None:
        began = time.perf_counter()
        look(*about, **more)
        found.setdefault(name, []).append((time.perf_counter() - began) * 1000)

    for _ in range(count):
        linked, stranger = dice.randint(1, mentions // 2), dice.randint(mentions * 3 // 4, mentions)
        who = f"C-{dice.randint(1, people):08}"
        with store.write() as tx:
            timed("linked", desk.behind, tx, linked, "mastodon", f"c{linked}@social.example", NOW)
            timed("nobody", desk.behind, tx, stranger, "mastodon", f"c{stranger}@social.example", NOW)
        with store.read() as tx:
            ana = customers.get(tx, who)
            timed("view", standing.view, tx, ana, NOW, fields=None)
            timed("standing", standing.of, tx, ana, NOW)
            timed("queue", cases.listing, tx, limit=50)
            timed("queue of a team", cases.listing, tx, team=dice.choice(TEAMS), limit=50)
            timed("reached", contacts.whose, tx, "mail", ana.email)
            timed("records", customers.listing, tx, after=who, limit=50)
    return found


def main() -> None:
    """Measures and prints one JSON document."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--mentions", type=int, default=100_000)
    parser.add_argument("--looks", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = stores.open(f"sqlite:///{Path(folder) / 'many.db'}")
        began = time.perf_counter()
        fill(store, options.customers, options.mentions)
        filled = time.perf_counter() - began
        took = looks(store, options.customers, options.mentions, options.looks)
        store.close()
    told = {
        name: {"median": round(statistics.median(each), 2), "p95": round(statistics.quantiles(each, n=20)[-1], 2)}
        for name, each in took.items()
    }
    print(json.dumps({**vars(options), "filled_in_s": round(filled), "milliseconds": told}, indent=2))


if __name__ == "__main__":
    main()
