"""A real daemon on PostgreSQL servers that are recovered to an earlier point, or taken over from; the network counts.

Its own record says who was answered, and how often. It forgets idempotency keys and takes the same answer twice.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from listener import store as stores
from listener.store import daemons, lives, switch
from tests.postgres import Machine
from tests.servers.mastodon import TOKEN, MastodonServer
from tests.system.company import Brood, Forked, account, answered, brood, eventually, policy, settle

pytestmark = pytest.mark.slow

HURRY = 2.0  # seconds instead of a minute for what a look needs to be certain
ABOUT = ("la fibra", "el móvil", "la tele", "el fútbol", "un router", "el alta", "la mudanza", "una eSIM", "el roaming")


class Company:
    """A folder with settings, a network, and daemons that are forked ready to go."""

    def __init__(self, folder: Path, server: MastodonServer, born: Brood) -> None:
        self.folder, self.server, self._born = folder, server, born
        care = account("care", "mastodon", source="mentions", instance=server.url)
        settle(folder, policy(when="{intents: [question]}"), care)
        self.posts: list[str] = []

    def escucha(self, url: str, *arguments: str) -> Forked:
        """Runs that command on that database, and gives its process; it writes to the file `log`."""
        secrets = {"ESCUCHA_DATABASE__URL": url, "ESCUCHA_ACCOUNTS__CARE__ACCESS_TOKEN": TOKEN}
        return self._born.escucha(self.folder, *arguments, environment=secrets)

    def ask(self) -> str:
        """Somebody asks something that the daemon answers by itself."""
        about, number = ABOUT[len(self.posts) % len(ABOUT)], len(self.posts)
        self.posts.append(self.server.person(f"p{number}").post(f"@marca ¿cuánto cuesta {about}, opción {number}?"))
        return self.posts[-1]

    def all_answered(self) -> bool:
        return set(self.posts) <= set(answered(self.server))

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def stays_single(self) -> None:
        """Everybody is answered, and nobody twice, also a while later."""
        eventually(self.all_answered, within=120)
        time.sleep(3)
        assert dict(answered(self.server)) == dict.fromkeys(self.posts, 1)


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    with MastodonServer() as server, brood(hurry=HURRY) as born:
        server.forget_keys = True
        yield Company(tmp_path, server, born)


@pytest.fixture
def held() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_recovered_to_an_earlier_point_it_says_nothing_twice(company: Company, held: ExitStack) -> None:
    """What it answered after that point it hears and drafts again, finds on the network, and does not say again."""
    first = Machine()
    held.callback(first.close)
    archive = first.folder / "archive"
    archive.mkdir(mode=0o777)
    archive.chmod(0o777)
    first.make(archive_mode="on", archive_command=f"cp %p {archive}/%f")
    daemon = company.escucha(first.url, "run")
    company.ask()
    eventually(company.all_answered)
    second = first.copy()
    held.callback(second.close)
    company.ask()
    eventually(company.all_answered)
    point = first.sql("SELECT now()::text")
    for _ in range(3):
        company.ask()
    eventually(company.all_answered)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait() == 0
    first.sql("SELECT pg_switch_wal()")
    eventually(lambda: first.sql("SELECT last_archived_wal >= '0' FROM pg_stat_archiver"))
    first.kill()

    (second.data / "recovery.signal").touch()
    (second.data / "recovery.signal").chmod(0o644)
    second.start(
        restore_command=f"cp {archive}/%f %p",
        recovery_target_time=point,
        recovery_target_action="promote",
        archive_mode="off",
    )
    eventually(lambda: not second.sql("SELECT pg_is_in_recovery()"))
    known = second.sql("SELECT count(*) FROM mentions", database="escucha")
    assert known < len(company.posts), "it must have lost something"
    company.ask()
    company.escucha(second.url, "run")
    company.stays_single()
    sent = "SELECT count(*) FROM drafts WHERE state = 'sent'"
    eventually(lambda: second.sql(sent, database="escucha") == len(company.posts))
    assert second.sql("SELECT count(*) FROM lives WHERE began_at IS NOT NULL", database="escucha") == 1
    assert company.log().count('"action": "settled"') + company.log().count("action=settled") >= 3


def test_the_way_back_to_a_point_in_time_is_as_printed(held: ExitStack) -> None:
    """The blocks of docs/operations.md, typed by whoever owns the server; but for where things lie."""
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    part = page.partition("### Back to a point in time")[2].partition("###")[0]
    blocks = part.split("```")[1::2]
    assert len(blocks) == 3
    server = Machine()
    held.callback(server.close)
    server.make(port=str(server.port), unix_socket_directories=str(server.folder))
    backup = server.folder / "backup"

    def typed(block: str, *more: tuple[str, str]) -> None:
        for printed, here in (*more, ("/var/lib/postgresql", str(server.folder)), ("/backup", str(backup))):
            block = block.replace(printed, here)
        server.typed(f"PGHOST={server.folder}", f"PGPORT={server.port}", "PGUSER=postgres", "bash", "-euc", block)

    def said(what: str) -> None:
        server.sql(f"CREATE TABLE {what} (a int)", database="escucha")

    typed(blocks[0])
    said("before")
    typed(blocks[1])
    said("after")
    point = server.sql("SELECT now()::text")
    said("wrong")
    (base,) = backup.glob("base-*")
    typed(blocks[2], ("base-2026-11-22", base.name), ("2026-11-22 14:05:00+00", point))
    there = "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'"
    assert server.sql(there, database="escucha") == "after before"
    said("later")


@pytest.mark.parametrize(("synchronous", "role"), [(True, ("--role", "all")), (False, ())], ids=["roles", "one"])
def test_a_standby_takes_over_while_it_works(
    company: Company, held: ExitStack, synchronous: bool, role: tuple[str, ...]
) -> None:
    """The first server is killed in the middle of it all, the second promoted: nobody is lost, nobody hears twice."""
    first = Machine()
    held.callback(first.close)
    first.make()
    second = first.copy("-R")
    held.callback(second.close)
    second.start(primary_conninfo=f"host=127.0.0.1 port={first.port} user=postgres application_name=second")
    eventually(lambda: first.sql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"))
    if synchronous:
        first.sql("ALTER SYSTEM SET synchronous_standby_names = 'second'")
        first.sql("SELECT pg_reload_conf()")
    both = f"postgresql://app@/escucha?host={first.host}&host={second.host}&target_session_attrs=read-write"
    company.escucha(both, "run", *role)
    company.ask()
    eventually(company.all_answered)
    company.server.fail("POST /api/v1/statuses", "slow", times=20, pause=0.001)
    for _ in range(5):
        company.ask()
    eventually(lambda: len(answered(company.server)) >= 3)
    first.kill()
    company.ask()
    second.promote()
    company.ask()
    company.stays_single()
    assert second.sql("SELECT count(*) FROM mentions", database="escucha") == len(company.posts)
    assert second.sql("SELECT count(*) FROM pauses", database="escucha") == 0, "it goes on by itself"


def test_a_standby_that_was_behind_knows_when_it_learned_last(held: ExitStack) -> None:
    """Whatever was written there first, before anybody noticed: it is no proof of what was known."""
    first = Machine()
    held.callback(first.close)
    first.make()
    before = stores.open(first.url)
    held.callback(before.close)
    with before.write() as tx:
        began = tx.scalar(text("SELECT clock_timestamp()"))
    assert lives.recognise(before, began) is None, "the first place that it knows"
    second = first.copy("-R")
    held.callback(second.close)
    second.start(primary_conninfo=f"host=127.0.0.1 port={first.port} user=postgres")
    with before.write() as tx:
        daemons.alive(tx, name="host:7", version="1", started_at=began, now=tx.scalar(text("SELECT clock_timestamp()")))
    heard = "SELECT max(seen_at) FROM daemons"
    last = first.sql(heard, database="escucha")
    eventually(lambda: second.sql(heard, database="escucha") == last)
    second.sql("ALTER SYSTEM SET primary_conninfo = ''")
    second.sql("SELECT pg_reload_conf()")
    eventually(lambda: not second.sql("SELECT count(*) FROM pg_stat_wal_receiver"))
    after = first.sql("SELECT clock_timestamp()")
    with before.write() as tx:  # which the second one never learns
        daemons.alive(tx, name="host:7", version="1", started_at=began, now=after + timedelta(seconds=1))
    first.kill()
    second.promote()

    later = after + timedelta(minutes=20)
    taken_over = stores.open(second.url)
    held.callback(taken_over.close)
    with taken_over.write() as tx:
        daemons.alive(tx, name="host:7", version="1", started_at=began, now=later)
    life = lives.recognise(taken_over, later)
    assert life is not None
    assert last <= life.known_until <= after
    with taken_over.read() as tx:
        (pause,) = switch.pauses(tx)
    assert f"{life.known_until:%Y-%m-%d %H:%M:%S} UTC" in (pause.reason or "")
    assert lives.recognise(taken_over, later) is None
