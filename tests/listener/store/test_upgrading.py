"""Which versions may work on the tables, and how steps are taken while others work on them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import pytest
from alembic import op
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, func, insert, inspect, select, text
from sqlalchemy.exc import OperationalError

from listener import store
from listener.errors import LeftBehind, Mistake, Outage
from listener.store import Store, daemons, upgrading
from listener.store import tables as t
from tests import databases

MIGRATIONS = Path(store.__file__).parent / "migrations"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    found = databases.at(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    opened = store.open(found)
    yield opened
    opened.close()


def later(database: Store, step: str, *, works_with: str) -> None:
    """The tables take a step that this version does not know."""
    with database.write() as tx:
        tx.execute(insert(t.table_steps).values(step=step, works_with=works_with, taken_at=datetime.now(UTC)))
        tx.execute(text("UPDATE alembic_version SET version_num = :step"), {"step": step})


def test_every_step_says_with_whom_it_works() -> None:
    """Steps are compared as words, so they are all as long; and none works with a later program only."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    for script in ScriptDirectory.from_config(config).walk_revisions():
        assert len(script.revision) == len(store.SCHEMA)
        assert script.module.works_with <= script.revision, script.path
        assert script.down_revision is None or script.module.works_with >= "0001", script.path


def test_what_every_version_reads_of_another_stays(database: Store) -> None:
    """The columns by which versions know of each other: no step may change them."""
    with database.read() as tx:
        look = inspect(tx)
        daemon, step = ({each["name"] for each in look.get_columns(name)} for name in ("daemons", "table_steps"))
    assert {"name", "version", "step", "seen_at"} <= daemon
    assert step == {"step", "works_with", "taken_at"}


def test_tables_of_a_later_step_that_works_with_this_version_are_used(database: Store) -> None:
    with database.read() as tx:
        assert upgrading.standing(tx) == upgrading.Standing(step=store.SCHEMA, works_with=store.SCHEMA)
        assert tx.scalar(select(t.table_steps.c.step)) == store.SCHEMA, "who made the tables wrote that down"
    later(database, "0002", works_with=store.SCHEMA)
    assert database.fits()
    assert database.problems() == []
    url = database.url.render_as_string(hide_password=False)
    store.open(url).close()
    later(database, "0003", works_with="0002")
    assert not database.fits()
    with pytest.raises(Mistake, match=r"newer .0003. than this version needs"):
        store.open(url)
    assert database.problems() == [
        "The database's tables are newer (0003) than this version needs (0001): use the version of Escucha that "
        "upgraded it."
    ]


def test_a_step_that_nobody_wrote_down_is_its_own_programs_only(database: Store) -> None:
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '0002'"))
    assert not database.fits()


def test_who_has_the_tables_open_writes_no_more_when_they_are_too_new(
    database: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LOOK_AGAIN", 0.0)
    later(database, "0002", works_with=store.SCHEMA)
    with database.write():
        pass
    later(database, "0003", works_with="0002")
    for _ in range(2):
        with (
            pytest.raises(LeftBehind, match=r"to step 0003, which works with versions of step 0002 and later"),
            database.write() as tx,
        ):
            daemons.gone(tx, "never", datetime.now(UTC))
    with database.write(leaving=True) as tx:
        daemons.gone(tx, "me", datetime.now(UTC))


def test_nobody_is_left_behind_by_an_upgrade(database: Store) -> None:
    now = datetime.now(UTC)
    with database.write() as tx:
        daemons.alive(tx, name="host:7", version="0.1", started_at=now, now=now)
        daemons.alive(tx, name="ahead:9", version="0.1", started_at=now, now=now + timedelta(hours=1))
        daemons.alive(tx, name="dead:8", version="0.1", started_at=now, now=now - timedelta(minutes=1))
        upgrading.demand_that_all_can_stay(tx, store.SCHEMA)
        named = r"running: ahead:9 \(version 0\.1, step 0001\), host:7 \(version 0\.1, step 0001\)\. Bring each"
        with pytest.raises(Mistake, match=named):
            upgrading.demand_that_all_can_stay(tx, "0002")


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [timedelta(minutes=1), timedelta(minutes=-1)], ids=["ahead", "behind"])
def test_who_runs_is_told_by_the_databases_clock_however_wrong_our_own_is(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, wrong: timedelta
) -> None:
    """A clock that is ahead takes those that run for dead, one that is behind those that died for running."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + wrong

    database = store.open(postgres_url)
    with database.write() as tx:
        now = tx.execute(select(func.clock_timestamp())).scalar_one()
        daemons.alive(tx, name="host:7", version="0.1", started_at=now, now=now)
        daemons.alive(tx, name="dead:8", version="0.1", started_at=now, now=now - 2 * daemons.SILENT)
        monkeypatch.setattr(upgrading, "datetime", Wrong)
        with pytest.raises(Mistake, match=r"running: host:7 \(version 0\.1, step 0001\)\. Bring"):
            upgrading.demand_that_all_can_stay(tx, "0002")
    database.close()


def test_a_process_that_starts_while_a_step_is_taken_is_not_left_behind_either(database: Store) -> None:
    now = datetime.now(UTC)
    step = SimpleNamespace(up_revision=SimpleNamespace(down_revision="0001"))
    step.up_revision.module = SimpleNamespace(revision="0002", works_with="0002")
    with database.write() as tx:
        daemons.alive(tx, name="host:7", version="0.1", started_at=now, now=now)
        with pytest.raises(Mistake, match="host:7"):
            upgrading.take(ctx=SimpleNamespace(connection=tx), step=step)


@pytest.mark.about_sqlite
def test_a_table_that_a_step_makes_anew_takes_no_row_with_it(tmp_path: Path) -> None:
    """SQLite drops the old one, and what its foreign keys would do then must not happen."""
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.begin() as link:
        link.exec_driver_sql("PRAGMA foreign_keys=ON")
        link.exec_driver_sql("CREATE TABLE one (id INTEGER PRIMARY KEY, old TEXT)")
        link.exec_driver_sql("CREATE TABLE many (one_id INTEGER REFERENCES one (id) ON DELETE CASCADE)")
        link.exec_driver_sql("INSERT INTO one VALUES (1, 'x')")
        link.exec_driver_sql("INSERT INTO many VALUES (1)")
    with (
        engine.connect() as link,
        upgrading.at_once(link),
        Operations.context(MigrationContext.configure(link)),
        op.batch_alter_table("one") as batch,
    ):
        batch.drop_column("old")
    with engine.connect() as link:
        assert link.exec_driver_sql("SELECT * FROM many").fetchall() == [(1,)]
        assert link.exec_driver_sql("SELECT * FROM one").fetchall() == [(1,)]
    with pytest.raises(Outage, match="nothing was changed"), engine.connect() as link, upgrading.at_once(link):
        link.exec_driver_sql("DELETE FROM one")
    with engine.connect() as link:
        assert link.exec_driver_sql("SELECT * FROM one").fetchall() == [(1,)]
    engine.dispose()


@pytest.mark.slow
def test_two_upgrades_at_a_time_wait_for_each_other(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrading, "TURN", 0.5)
    opened = store.open(postgres_url)
    with opened.alone(upgrading.ALONE), pytest.raises(Outage, match="Another `escucha db upgrade` is at work"):
        opened.upgrade()
    opened.upgrade()
    opened.close()


@pytest.mark.slow
def test_a_large_index_keeps_no_writer_waiting_and_is_made_again_after_a_break(postgres_url: str) -> None:
    """It ends when those who were writing have ended. Its connection is cut before; what that leaves is made anew."""
    engine = create_engine(store.connect(postgres_url).url)
    ends: list[object] = []

    def make() -> None:
        with engine.connect() as link:
            context = MigrationContext.configure(link, opts={"transaction_per_migration": True})
            try:
                with context.begin_transaction(_per_migration=True), Operations.context(context):
                    upgrading.add_index("ix_pauses_by", "pauses", ["by"])
                ends.append("made")
            except Exception as error:
                ends.append(error)

    def pause(link: Connection, network: str) -> None:
        values = {"network": network, "kind": "", "by": "ana", "at": datetime.now(UTC), "reason": ""}
        link.execute(insert(t.pauses).values(values))

    def ask(question: str) -> object:
        with engine.connect() as link:
            return link.scalar(text(question))

    def eventually(question: str) -> object:
        for _ in range(600):
            if found := ask(question):
                return found
            time.sleep(0.1)
        raise AssertionError(f"it never happened; {ends}")

    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_pauses_by')"
    making = threading.Thread(target=make)
    with engine.connect() as lasting:
        pause(lasting, "one")
        making.start()
        waits = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONC%' AND wait_event_type = 'Lock'"
        who = eventually(waits)
        with engine.begin() as beside:
            pause(beside, "two")
        assert not ends
        ask(f"SELECT pg_terminate_backend({who})")
        making.join()
        assert [type(each) for each in ends] == [OperationalError], ends
        lasting.commit()
    assert ask(valid) is False, "it left something that is no index"
    make()
    assert ends[1:] == ["made"]
    assert ask(valid) is True
    engine.dispose()


@pytest.mark.slow
def test_a_large_index_has_a_step_of_its_own(postgres_url: str) -> None:
    """What else such a step did would be done, and the step not taken, after a break."""
    engine = create_engine(store.connect(postgres_url).url)
    with engine.connect() as link:
        context = MigrationContext.configure(link, opts={"transaction_per_migration": True})
        with context.begin_transaction(_per_migration=True), Operations.context(context):
            op.drop_table("gaps")
            with pytest.raises(AssertionError, match="must do nothing else"):
                upgrading.add_index("ix_pauses_by", "pauses", ["by"])
            link.rollback()
    engine.dispose()
