"""The stop, counted by the network: with two daemons in the middle of replies and notices, no write begins
after a pause returned, at whichever instant it came.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from connectors.mastodon_posts import full_id
from listener import store as stores
from listener.desk import stopping
from listener.desk.stopping import Scope, Stopped
from listener.store import Store, inbox, mentions, notices, policies, sources, switch
from listener.store.notices import Variant
from listener.types import Author, Mode, Post, PostKind, ReplyPlan, SendKind
from tests import databases
from tests.servers.mastodon import BRAND, TOKEN, Fault, MastodonServer
from tests.system.company import Brood, Company, brood, eventually

pytestmark = pytest.mark.slow

ACCOUNTS = REPLIES, NOTICES = "care", "brand"  # what each of them says
OF_EACH = 100  # more than go out between the pauses
PAUSES = 5  # on each database
QUIET = 1.2  # seconds that nothing may begin in; the daemons look every second


class Watched(MastodonServer):
    """Remembers when each write began to arrive."""

    def __enter__(self) -> Watched:
        self.begun: list[float] = []
        super().__enter__()
        return self

    def fault_for(self, method: str, path: str) -> Fault | None:
        if (method, path) == ("POST", "/api/v1/statuses"):
            self.begun.append(time.monotonic())
        return super().fault_for(method, path)


@pytest.fixture(scope="module")
def born() -> Iterator[Brood]:
    with brood() as made:
        yield made


@contextmanager
def company_of(folder: Path, server: Watched, born: Brood, url: str = "") -> Iterator[tuple[Company, Store]]:
    """Two daemons on one database, with two accounts, and everything that there is to say."""
    company = Company(folder, server, born)
    settings = folder / "escucha.toml"
    written = settings.read_text(encoding="utf-8")
    written += f'[accounts.brand]\nnetwork = "mastodon"\ninstance = "{server.url}"\n'
    settings.write_text(written + (f'[database]\nurl = "{url}"\n' if url else ""), encoding="utf-8")
    company.environment["ESCUCHA_ACCOUNTS__BRAND__ACCESS_TOKEN"] = TOKEN
    company("pause")
    company.start(), company.start()
    eventually(lambda: company.started() == 2)
    store = stores.open(url or databases.at(folder))
    fill(store, server)
    try:
        yield company, store
    finally:
        company.end()
        store.close()


def fill(store: Store, server: Watched) -> None:
    """Replies on one account that a rule let go, and notices that are going out on the other."""
    now = datetime.now(UTC)
    with store.write() as tx:
        source_id, policy = sources.get(tx, "mentions").id, policies.active(tx) or ""
        for number in range(OF_EACH):
            person, asked = server.person(f"p{number}"), f"¿Qué pasa con el plan {number}?"
            author = Author(external_id=full_id(server.host, person.id), handle=person.acct, display_name="")
            parent = full_id(server.host, person.post(asked))
            post = Post(external_id=parent, author=author, text=asked, posted_at=now, kind=PostKind.MENTION)
            (mention_id,) = mentions.save(tx, source_id=source_id, network="mastodon", posts=[post], now=now).new
            tx.execute(text("UPDATE mentions SET state = 'decided' WHERE id = :id"), {"id": mention_id})
            said = f"@p{number} lo vemos en el caso {number}."
            plan = ReplyPlan(template="a", text=said, language="es", mode=Mode.AUTO, length=len(said), limit=500)
            draft_id = inbox.propose(
                tx,
                mention_id=mention_id,
                revision=1,
                account=REPLIES,
                decision_id=None,
                case_id=None,
                plan=plan,
                urgency_rank=1,
                score=0,
                queue_at=now,
                policy_version=policy,
                now=now,
            )
            inbox.approve(tx, inbox.get(tx, draft_id), by="rule test", now=now, automatic=True)
            said = f"Aviso {number}: lo estamos viendo."
            variant = Variant(
                account=NOTICES, network="mastodon", language="es", text=said, length=len(said), limit=500
            )
            made = notices.draft(tx, title=said, variants=[variant], by="ana", now=now)
            notices.publish(tx, notices.approve(tx, made, by="eva", now=now), by="eva", now=now)


def pause(store: Store, *, wait: float = 20) -> tuple[Stopped, float]:
    """As the command does it, from a process of its own; and when it returned."""
    done = stopping.stop(store, [Scope()], by="test", reason="", now=datetime.now(UTC), wait=wait)
    return done, time.monotonic()


def resume(store: Store) -> None:
    with store.write() as tx:
        for each in switch.pauses(tx):
            kind = SendKind(each.kind) if each.kind else None
            switch.resume(tx, network=each.network or None, kind=kind, by="test", now=datetime.now(UTC))


def suspended(company: Company, store: Store) -> bool:
    """Stops the daemons in their tracks; not where one of them was just then writing into an SQLite file."""
    for daemon in company.daemons:
        daemon.send_signal(signal.SIGSTOP)
    if store.path is None:
        return True
    with closing(sqlite3.connect(store.path, timeout=0.2)) as link:
        try:
            link.execute("BEGIN IMMEDIATE")
            return True
        except sqlite3.OperationalError:
            for daemon in company.daemons:
                daemon.send_signal(signal.SIGCONT)
            return False


def after(server: Watched, moment: float) -> list[float]:
    return [round(began - moment, 4) for began in server.begun if began > moment]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_after_a_pause_no_write_begins(
    tmp_path: Path, born: Brood, database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres_url") if database == "postgresql" else ""
    chance = random.Random(20261123)
    waited = between = 0
    with Watched() as server, company_of(tmp_path, server, born, url) as (company, store):
        server.fail("POST /api/v1/statuses", "slow", times=100_000, pause=0.00002)
        assert server.begun == [], "it was paused before there was anything to say"
        for _ in range(PAUSES):
            before = len(server.begun)
            resume(store)
            until = time.monotonic() + 90
            while len(server.begun) == before and time.monotonic() < until:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.3))
            done, moment = pause(store)
            assert done.is_complete
            time.sleep(QUIET)
            assert after(server, moment) == []
            waited += bool(done.waited)
            between += len(server.begun) > before
        assert between == PAUSES, "nothing was being said when the pause came"
        assert waited > PAUSES / 3, "no pause came while something was being said"
        company.start()
        eventually(lambda: company.started() == 3)
        time.sleep(2 * QUIET)
        assert after(server, moment) == [], "a daemon that started later"
        resume(store)
        eventually(lambda: after(server, moment))
        company("pause", "--kind", "automatic", "--kind", "notice")
        moment = time.monotonic()
        time.sleep(QUIET)
        assert after(server, moment) == [], "the command itself"
        assert {bool(row["in_reply_to_id"]) for row in server.posts_by(BRAND)} == {True, False}, "replies and notices"


def test_a_lost_database_is_no_way_around_it(tmp_path: Path, born: Brood, postgres_url: str) -> None:
    """Every connection is cut in mid-send, again and again: after a pause nothing begins but what the pause named."""
    chance = random.Random(7)
    with Watched() as server, company_of(tmp_path, server, born, postgres_url) as (_, store):
        for _ in range(3):
            before = len(server.begun)
            resume(store)
            until = time.monotonic() + 30  # accounts rest after the database was away
            while len(server.begun) == before and time.monotonic() < until:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.1))
            with store.read() as tx:
                others = "datname = current_database() AND pid <> pg_backend_pid()"
                tx.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
            done, moment = pause(store, wait=1)
            time.sleep(QUIET)
            assert len(after(server, moment)) <= len(done.left)


def test_a_suspended_sender_is_told_and_its_end_is_waited_for(tmp_path: Path, born: Brood) -> None:
    with Watched() as server, company_of(tmp_path, server, born) as (company, store):
        server.fail("POST /api/v1/statuses", "timeout_before", times=2, seconds=4)
        resume(store)
        eventually(lambda: len(server.begun) == len(ACCOUNTS))  # both wait for their answer, and hold no database
        eventually(lambda: suspended(company, store))
        company("pause", "--wait", "1", code=3)
        threading.Timer(0.5, lambda: [daemon.send_signal(signal.SIGCONT) for daemon in company.daemons]).start()
        said: Any = company("pause")
        moment = time.monotonic()
        assert "Already paused: everything" in said
        assert "Nothing is being sent." in said
        time.sleep(QUIET)
        assert after(server, moment) == []


def test_killed_senders_hold_no_pause_up_on_postgresql_either(tmp_path: Path, born: Brood, postgres_url: str) -> None:
    """The server cannot tell who died from who lost it, but on this machine a dead process is plain to see."""
    with Watched() as server, company_of(tmp_path, server, born, postgres_url) as (company, store):
        server.fail("POST /api/v1/statuses", "timeout_before", times=2, seconds=8)
        resume(store)
        eventually(lambda: len(server.begun) == len(ACCOUNTS))
        for daemon in company.daemons:
            daemon.kill()
            daemon.wait()
        began = time.monotonic()
        said = company("pause")
        assert time.monotonic() - began < 15
        assert "Nothing is being sent." in said
