"""The tables are brought up to a new version while others work on them, and remember which versions still may.

Each migration says the oldest step whose program works on the tables after it (`works_with`), and that is written down
beside them, for a program cannot know the migrations that come after it. A step that only adds what older programs do
not ask for lets them go on; what they need is taken away by a later one, when none of them runs any more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zlib import crc32

from sqlalchemy import Connection, func, insert, inspect, select, text
from sqlalchemy.exc import PendingRollbackError

from listener import store
from listener.errors import LeftBehind, Mistake, Outage
from listener.store import Transaction, daemons
from listener.store import tables as t

ALONE = crc32(b"escucha upgrade")  # the advisory lock of whoever upgrades (PostgreSQL)
TURN = 120.0  # seconds to wait for another one that does
TABLE_WAIT = "2s"  # for a table in use: who waits for one keeps everybody behind them waiting (PostgreSQL)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How new the tables are: their `step`, and `works_with`, the oldest step whose program may work on them."""

    step: str
    works_with: str


def standing(tx: Transaction) -> Standing:
    """How new the tables are. Those of a step that nobody wrote down are for its own program only."""
    step = tx.scalar(text(store.STEP)) or ""
    taken = {row.step: row.works_with for row in tx.execute(select(t.table_steps.c.step, t.table_steps.c.works_with))}
    return Standing(step=step, works_with=max(taken.values()) if step in taken else step)


def demand_that_we_fit(tx: Transaction) -> None:
    """Raises LeftBehind where the tables are too new for this version by now."""
    now = standing(tx)
    if now.works_with > store.SCHEMA and now.step not in store.ELSEWHERE:
        raise LeftBehind(
            f"The database's tables were upgraded to step {now.step}, which works with versions of step "
            f"{now.works_with} and later, and this one is of {store.SCHEMA}: start the version that upgraded them."
        )


def demand_that_all_can_stay(tx: Transaction, works_with: str) -> None:
    """Raises Mistake where a process is running that could not go on after steps that need at least that one."""
    columns = t.daemons.c  # only those that every version has: this one's tables are not made yet
    now: datetime = datetime.now(UTC)
    if tx.dialect.name == "postgresql":  # by whose clock signs of life are written, however wrong this machine's own
        now = tx.execute(select(func.clock_timestamp())).scalar_one()
    query = select(columns.name, columns.version, columns.step).where(
        columns.seen_at > now - daemons.SILENT, columns.step < works_with
    )
    left = [f"{row.name} (version {row.version}, step {row.step})" for row in tx.execute(query.order_by(columns.name))]
    if left:
        raise Mistake(
            f"The new tables work only with versions of step {works_with} and later, and older ones are running: "
            f"{', '.join(left)}. Bring each up to such a version, or stop it, then run `escucha db upgrade` again; "
            "nothing was changed."
        )


def upgrade(link: Connection) -> None:
    """Takes the steps that are missing on that connection, which has done nothing yet and is of no use afterwards.

    On PostgreSQL each step is a transaction, on SQLite all are one. Raises Mistake, Outage, and what the database does.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = link
    with _alone(link) if link.dialect.name == "postgresql" else at_once(link):
        try:
            _demand_no_one_is_left(link, ScriptDirectory.from_config(config))
            command.upgrade(config, "head")
        except CommandError as error:
            raise Mistake(
                f"The tables are of no version that can be upgraded ({error}): restore a backup, or use the version of "
                "Escucha that made them."
            ) from error


def _demand_no_one_is_left(link: Connection, scripts: Any) -> None:
    """Before the first step: one that must not be taken shall not leave the tables in between."""
    if inspect(link).has_table("alembic_version") and (now := link.scalar(text(store.STEP))):
        coming = [each.module.works_with for each in scripts.iterate_revisions("head", now)]
        if coming:
            demand_that_all_can_stay(link, max(coming))
    if link.dialect.name == "postgresql":
        link.commit()  # each step begins its own


def take(ctx: Any, step: Any, *_: Any, **__: Any) -> None:
    """Writes down that the tables took a step, in the transaction that takes it; what Alembic calls after each."""
    module = step.up_revision.module
    if step.up_revision.down_revision:  # who was started meanwhile counts too
        demand_that_all_can_stay(ctx.connection, module.works_with)
    values = {"step": module.revision, "works_with": module.works_with, "taken_at": datetime.now(UTC)}
    ctx.connection.execute(insert(t.table_steps).values(values))


@contextmanager
def _alone(link: Connection) -> Iterator[None]:
    """Nobody else upgrades meanwhile (PostgreSQL). The server ends what it does as soon as this process is gone."""
    until = time.monotonic() + TURN
    try:
        # Asked again and again: an index that is made beside others waits for whoever waits inside the server.
        while not link.scalar(text("SELECT pg_try_advisory_lock(:n)"), {"n": ALONE}):
            link.rollback()
            if time.monotonic() > until:
                raise Outage("Another `escucha db upgrade` is at work on this database: wait until it has ended.")
            time.sleep(0.2)
        watched = "SELECT set_config(name, '1000', false) FROM pg_settings WHERE name = :name"  # ms; from 14 on
        link.execute(text(watched), {"name": "client_connection_check_interval"})
        link.execute(text(f"SET lock_timeout = '{TABLE_WAIT}'"))
        link.commit()
        yield
    finally:
        link.invalidate()  # all this ends with the connection


@contextmanager
def at_once(link: Connection) -> Iterator[None]:
    """All steps or none, nobody else writing (SQLite). A table that is made anew takes no row of others with it."""
    driver = link.connection.driver_connection
    assert driver
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        with link.begin():
            yield
            if broken := link.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
                raise Outage(f"{len(broken)} rows would point at rows that are gone; nothing was changed.")
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def add_index(name: str, table: str, columns: Sequence[str], *, unique: bool = False) -> None:
    """Makes an index on a table that may be large; for a migration that does nothing else.

    On PostgreSQL others go on writing meanwhile. What a broken-off one left behind is made anew.
    """
    from alembic import op

    context = op.get_context()
    assert context.connection
    if context.connection.dialect.name != "postgresql":
        op.create_index(name, table, columns, unique=unique)
        return
    if context.connection.scalar(select(func.txid_current_if_assigned())) is not None:
        raise AssertionError(f"the migration that makes {name} must do nothing else: it is no transaction")
    try:
        with context.autocommit_block():
            op.execute("SET lock_timeout = 0")  # nobody waits behind this one
            op.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')
            op.create_index(name, table, columns, unique=unique, postgresql_concurrently=True)
            op.execute(f"SET lock_timeout = '{TABLE_WAIT}'")
    except PendingRollbackError as after:  # the block tidies up on a connection that broke
        raise after.__context__ or after from None
