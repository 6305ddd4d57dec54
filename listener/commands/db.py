"""`escucha db`: bring the tables up to date, look for damage, copy the database, and go on after it was put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from listener.commands import db_copy, output, versions
from listener.commands.app import App, pass_app
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.store import Store


@click.group()
def db() -> None:
    """The database: upgrade, check, back up and go on from a backup, move to PostgreSQL."""


db.add_command(db_copy.copy)


@db.command()
@output.json_option
@pass_app
def upgrade(app: App, as_json: bool) -> None:
    """Bring the tables up to what this version needs; does nothing where they are."""
    from listener import store

    with _connected(app) as database:
        before = database.schema()
        if before in store.ELSEWHERE:
            raise Mistake(database.unfit())
        newer = before is not None and before > store.SCHEMA
        if newer and not database.fits():
            raise Mistake(database.unfit())
        if not newer:
            database.upgrade()
        after = database.schema()
        _queue(database)
    if as_json:
        output.print_json({"before": before, "after": after})
    elif newer:
        output.say(f"The tables are at step {after}, newer than this version ({store.SCHEMA}), and work with it.")
    elif before == after:
        output.say(f"The tables are at step {after} already; nothing to do.")
    else:
        output.say(f"The tables are at step {after} now (before: {before or 'none'}).")


def _queue(database: Store) -> None:
    """The tables of the queue that many processes share, where there can be one and its engine is here."""
    from importlib.util import find_spec

    if not database.is_sqlite and find_spec("procrastinate"):
        from listener import cluster

        cluster.prepare(database)


@db.command()
@output.json_option
@click.pass_context
@pass_app
def check(app: App, ctx: click.Context, as_json: bool) -> None:
    """Look for what is wrong; changes nothing. Ends with 2 where something is."""
    from listener import store

    _there(app)
    with _connected(app) as database:
        problems = database.problems()
        schema = database.schema()
        known = versions.known(database, app.now())
        with database.read() as tx:
            moving = db_copy.underway(tx)
    if as_json:
        told = {"works_with": known.works_with, "daemons": [versions.brief(each) for each in known.running]}
        output.print_json({"schema": schema, "needed": store.SCHEMA, "problems": problems, "move": moving} | told)
    else:
        for problem in problems:
            output.say(f"• {problem}")
        if not problems:
            well = "" if moving else "All is well: "
            output.say(f"{well}{'The' if moving else 'the'} tables are at step {schema} and whole.")
        if moving and schema != store.MOVED:
            output.say(moving)
        for line in versions.lines(known):
            output.say(line)
    if problems:
        ctx.exit(2)


@db.command()
@click.argument("target", type=click.Path(path_type=Path), required=False)
@output.json_option
@pass_app
def backup(app: App, target: Path | None, as_json: bool) -> None:
    """Copy the database into TARGET, a new file or a folder, while it is in use.

    Without TARGET the copy is put beside the database, with the time in its name. It holds people's data and whoever
    can read it can read all: keep it as you keep the database.
    """
    source = _there(app)
    with _connected(app) as database:
        name = f"{source.stem if source else 'escucha'}-{app.now():%Y%m%d-%H%M%S}.db"
        if target is None:
            target = source.parent / name if source else Path(name)
        elif target.is_dir():
            target /= name
        elif not target.resolve().parent.is_dir():
            raise Mistake(f"There is no folder {target.resolve().parent}; make it, or choose another place.")
        database.backup(target)
        _note(app, database, target)
    size = target.stat().st_size
    if as_json:
        output.print_json({"backup": target, "bytes": size})
    else:
        output.say(f"Copied to {target} ({size / 1024**2:.1f} MB). To go back to it:")
        output.say("stop the daemon, put it in place, remove the files beside it that end in -wal and -shm, start.")


@db.command()
@output.json_option
@pass_app
def restored(app: App, as_json: bool) -> None:
    """Say that the database was put back to an earlier state, where that is not noticed by itself; nothing may run.

    By itself it is noticed of a copy that `escucha db backup` made, and on PostgreSQL of a recovery to a point in time,
    of a dump, and of a server that took over. It is not of files that something else copied. Nothing goes out then
    before `escucha resume`, and what may have gone out since is looked for on its network before it is said.
    """
    from listener.store import lives

    _there(app)
    with _connected(app) as database:
        if not database.fits():
            raise Mistake(database.unfit())
        db_copy.demand_that_nothing_runs(app, database, then="`escucha db restored`")
        database.audit_key = app.config.audit.sealing
        life = lives.begin(database, by=app.actor, now=app.now())
    if as_json:
        output.print_json({"known_until": life.known_until, "began_at": life.began_at})
        return
    output.say(f"The database knows what came until {life.known_until:%Y-%m-%d %H:%M:%S} UTC.")
    output.say("What went out since is looked for on its network before anything is said there. Everything is paused:")
    output.say("see in docs/operations.md what else to look at after a restore, then `escucha resume`.")


def _note(app: App, database: Store, target: Path) -> None:
    """Writes down that there is a copy, so that whoever is erased later is known to stand in it."""
    from listener.desk.erasing import BACKUP
    from listener.store import audit

    if database.fits():
        database.audit_key = app.config.audit.sealing
        with database.write() as tx:
            audit.record(tx, at=app.now(), by=app.actor, action=BACKUP, subject="database", file=str(target.resolve()))


def _there(app: App) -> Path | None:
    """The database's file. Raises Mistake where there is none yet, for looking at it would make one."""
    with _connected(app) as database:
        path = database.path
    if path is not None and not path.exists():
        raise Mistake(f"There is no database {path} yet; `escucha run` makes it, and so does `escucha db upgrade`.")
    return path


@contextmanager
def _connected(app: App) -> Iterator[Store]:
    """The settings' database whatever state its tables are in."""
    from listener import store

    database = store.connect(app.config.database.url)
    try:
        yield database
    finally:
        database.close()
