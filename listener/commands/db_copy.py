"""`escucha db copy`: an SQLite database moves to PostgreSQL while it is in use, and is switched over in a moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from listener.commands import identity, output, permitted
from listener.commands.app import App, pass_app
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.store import Store, Transaction
    from listener.store.transfer import Copied, Report, Transfer

PAUSE = 5  # seconds between two lines about how far it is
ROUNDS = 20  # of following, before somebody writes more than can be followed
FEW = 200  # changes that the switch-over may still bring over


@click.command(name="copy")
@click.argument("target", required=False)
@click.option("--finish", is_flag=True, help="Switch over: bring the last changes, then take none here.")
@click.option("--give-up", is_flag=True, help="Forget a copy that was begun, or take the switch-over back.")
@output.json_option
@pass_app
def copy(app: App, *, target: str | None, finish: bool, give_up: bool, as_json: bool) -> None:
    """Copy the SQLite database into TARGET, an empty PostgreSQL one, while everything runs.

    TARGET is a url: postgresql://user@host/name. Leave its password out; PostgreSQL's client takes it from ~/.pgpass or
    PGPASSWORD. Every row is compared with its original. Whatever stops it, the same command goes on where it
    stopped, and brings what changed since. When it says so, stop Escucha and switch over with --finish.
    """
    with _settings_database(app) as old:
        if give_up:
            if target or finish:
                raise Mistake("--give-up takes no target, and not --finish.")
            _give_up(app, old, as_json)
            return
        if not target:
            raise Mistake("Say where to copy to: escucha db copy postgresql://user@host/name")
        began = time.monotonic()
        moved, where = _copied(app, old, target, finish=finish, quiet=as_json)
        seconds = round(time.monotonic() - began, 1)
    if as_json:
        told = {
            "state": "moved" if finish else "following",
            "target": where,
            "rows": moved.rows,
            "copied": moved.copied,
        }
        output.print_json({**told, "compared": moved.compared, "changes": moved.changes, "seconds": seconds})
        return
    if not finish:
        output.say(f"Copied {moved.copied:,} rows, compared {moved.compared:,}, followed {moved.changes:,} changes.")
        output.say()
        output.say(
            f"The copy in {where} is as the database is. Run it again at any time: it brings what changed since."
        )
        output.say("To switch over, stop Escucha, then: escucha db copy TARGET --finish")
        return
    rows = f"{sum(moved.rows.values()):,} rows"
    output.say(f"Moved to {where}: {rows} in {len(moved.rows)} tables, each compared with its original.")
    output.say("Nobody can write into the SQLite file any more. Keep it until you trust the new database.")
    output.say()
    output.say(
        f"Next: set database.url in {app.config_path} (or ESCUCHA_DATABASE__URL) to it, then escucha doctor, and start."
    )


def underway(tx: Transaction) -> str:
    """That a copy of this database was begun, how it goes on and how it is taken back; empty where none was."""
    from listener.store import transfer_source

    begun = transfer_source.order(tx) if tx.dialect.name == "sqlite" else None
    if begun is None:
        return ""
    return (
        f"A move to {begun.target} was begun, and every change is written down for it: `escucha db copy TARGET` goes "
        "on with it, with `--finish` it is switched over; `escucha db copy --give-up` takes it back."
    )


def _give_up(app: App, old: Store, as_json: bool) -> None:
    from listener import store
    from listener.store import transfer

    moved = old.schema() == store.MOVED
    if moved:  # before any command only tables of this step are asked who acts
        with old.read() as tx:
            acting = identity.of(tx, app.now())
        permitted.demand_of_keeper(acting, "db copy")
    old.audit_key = app.config.audit.sealing
    done = transfer.give_up(old, by=acting.name if moved else app.actor, now=app.now())
    if as_json:
        output.print_json({"state": "given up" if done else "none"})
    elif done:
        output.say("The copy is given up; this database is in use as before. Drop the other one by hand.")
        if moved:
            output.say("What the other one said is unknown here: it is looked for on its network first.")
            output.say("Everything is paused: stop Escucha on the other one, then `escucha resume`.")
    else:
        output.say("No copy was begun; nothing to do.")


def _copied(app: App, old: Store, target: str, *, finish: bool, quiet: bool) -> tuple[Copied, str]:
    """What was done, and where to, without a password."""
    from listener import store
    from listener.store import audit, chain, transfer

    moved_before = old.schema() == store.MOVED
    actor = "" if moved_before else app.actor
    if finish and not moved_before:
        demand_that_nothing_runs(app, old, then="switch over")
    new = store.connect(target)
    try:
        if new.is_sqlite:
            raise Mistake("`db copy` copies to PostgreSQL; to copy into another SQLite file: escucha db backup FILE")
        if not (new.url.database or {"dbname", "service"} & new.url.query.keys()):  # the client would take the user's
            raise Mistake(f"{store.named(new.url)} names no database: write postgresql://user@host/name.")
        going = transfer.Transfer(old, new, report=(lambda *_: None) if quiet else _progress())
        try:
            going.begin()
            if not moved_before:
                _bring(going)
            if finish:
                key = app.config.audit.sealing
                going.finish(keys={chain.key_name(key): key} if key else {})
                new.audit_key = key
                with new.write() as tx:
                    audit.record(tx, at=app.now(), by=actor or "escucha", action="database.moved", subject="database")
        finally:
            going.close()
        return going.done, store.named(new.url)
    finally:
        new.close()


def _bring(going: Transfer) -> None:
    """Everything up to a moment ago."""
    going.fill()
    going.follow()
    going.bind()
    going.compare()
    for _ in range(ROUNDS):
        if going.follow() <= FEW:
            break


def demand_that_nothing_runs(app: App, database: Store, *, then: str) -> None:
    """Raises Mistake where a process lives on that database; `then`: what is to be done when it has stopped."""
    from listener.store import daemons

    with database.read() as tx:
        alive = [each.name for each in daemons.running(tx) if app.now() - each.seen_at < daemons.SILENT]
    if alive:
        raise Mistake(f"Escucha is running ({', '.join(alive)}): stop it first, then {then}.")


def _progress() -> Report:
    """Says every few seconds how far it is; most tables take less, and the end tells of all of them."""
    said = time.monotonic()

    def report(what: str, table: str, done: int, of: int) -> None:
        nonlocal said
        now = time.monotonic()
        if done and now - said > PAUSE:
            said = now
            output.say(f"{_DOING[what]} {table}: {done:,} of {max(done, of):,}")

    return report


_DOING = {"copy": "copied", "compare": "compared", "follow": "followed"}


@contextmanager
def _settings_database(app: App) -> Iterator[Store]:
    from listener import store

    if not app.has_database:
        raise Mistake("There is no database yet, so nothing to copy: set database.url to PostgreSQL and start there.")
    database = store.connect(app.config.database.url)
    try:
        yield database
    finally:
        database.close()
