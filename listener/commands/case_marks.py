"""`escucha case tag`, `watch`, `due`, `snooze` and their opposites; `step`: how complete it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from listener.commands import when
from listener.commands.app import App, pass_app
from listener.commands.case_plain import as_plain
from listener.commands.case_typed import done, steps_of, typed
from listener.commands.output import json_option, print_json, say
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.store import Transaction
    from listener.store.cases import Case

LONGEST_TAG = 40


def _change(app: App, ref: str, change: Callable[[Transaction, Case], Case]) -> Case:
    from listener.desk import cases as desk

    with app.store.write() as tx:
        return change(tx, desk.find(tx, ref, app.config.cases.pattern))


def _tags(words: tuple[str, ...]) -> list[str]:
    return [typed(word, "tag", LONGEST_TAG) for word in words]


@click.command("tag")
@click.argument("ref")
@click.argument("tags", nargs=-1, required=True, metavar="TAG [TAG …]")
@json_option
@pass_app
def tag(app: App, *, ref: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Put tags on a case; `escucha case list --tag TAG` finds them."""
    from listener.desk import marks

    words = _tags(tags)
    found = _change(app, ref, lambda tx, case: marks.tag(tx, case, words, by=app.actor, now=app.now()))
    done(app, found, f"{found.reference} has the tags {', '.join(found.tags)}.", as_json)


@click.command("untag")
@click.argument("ref")
@click.argument("tags", nargs=-1, required=True, metavar="TAG [TAG …]")
@json_option
@pass_app
def untag(app: App, *, ref: str, tags: tuple[str, ...], as_json: bool) -> None:
    """Take tags off a case."""
    from listener.desk import marks

    words = _tags(tags)
    found = _change(app, ref, lambda tx, case: marks.untag(tx, case, words, by=app.actor, now=app.now()))
    done(app, found, f"{found.reference} has the tags {', '.join(found.tags) or 'none'}.", as_json)


@click.command("watch")
@click.argument("ref")
@json_option
@pass_app
def watch(app: App, *, ref: str, as_json: bool) -> None:
    """Watch a case: `escucha case list --watched` shows it to you, whoever works on it."""
    from listener.desk import marks

    found = _change(app, ref, lambda tx, case: marks.watch(tx, case, app.actor, by=app.actor, now=app.now()))
    done(app, found, f"{app.actor} watches {found.reference}.", as_json)


@click.command("unwatch")
@click.argument("ref")
@json_option
@pass_app
def unwatch(app: App, *, ref: str, as_json: bool) -> None:
    """Watch a case no longer."""
    from listener.desk import marks

    found = _change(app, ref, lambda tx, case: marks.unwatch(tx, case, app.actor, by=app.actor, now=app.now()))
    done(app, found, f"{app.actor} watches {found.reference} no longer.", as_json)


@click.command("due")
@click.argument("ref")
@click.argument("at", required=False, metavar="[WHEN]")
@click.option("--none", "never", is_flag=True, help="It is due at no time.")
@json_option
@pass_app
def due(app: App, *, ref: str, at: str | None, never: bool, as_json: bool) -> None:
    """Say when a case is due, beside what the policy promised.

    WHEN is 2026-11-01, 2026-11-01T09:30 (both UTC) or 2d (in two days).
    """
    from listener.desk import marks

    if (at is None) is not never:
        raise Mistake("Say when it is due, such as 2d or 2026-11-01, or --none.")
    moment = when.to_come(at, app.now()) if at is not None else None
    if moment is not None and moment <= app.now():
        raise Mistake(f"{moment:%Y-%m-%d %H:%M} UTC is past; say when it is to be done.")
    found = _change(app, ref, lambda tx, case: marks.due(tx, case, moment, by=app.actor, now=app.now()))
    said = f"due {found.due_at:%Y-%m-%d %H:%M} UTC" if found.due_at else "due at no time"
    done(app, found, f"{found.reference} is {said}.", as_json)


@click.command("snooze")
@click.argument("ref")
@click.option("--until", metavar="WHEN", required=True, help="2026-11-01, 2026-11-01T09:30 (UTC) or 2d.")
@json_option
@pass_app
def snooze(app: App, *, ref: str, until: str, as_json: bool) -> None:
    """Keep a case out of the queue until then.

    It comes back before that when its person writes again, and when something it was promised is close or overdue.
    """
    from listener.desk import marks

    moment = when.to_come(until, app.now())
    found = _change(app, ref, lambda tx, case: marks.snooze(tx, case, moment, by=app.actor, now=app.now()))
    done(app, found, f"{found.reference} comes back {moment:%Y-%m-%d %H:%M} UTC.", as_json)


@click.command("wake")
@click.argument("ref")
@json_option
@pass_app
def wake(app: App, *, ref: str, as_json: bool) -> None:
    """Bring a snoozed case back now."""
    from listener.desk import marks

    why = f"{app.actor} brought it back"
    found = _change(app, ref, lambda tx, case: marks.wake(tx, case, why, by=app.actor, now=app.now()))
    done(app, found, f"{found.reference} is back in the queue.", as_json)


@click.command("step")
@click.argument("ref")
@click.argument("name", required=False, metavar="[STEP]")
@click.option("--done/--undone", "is_done", default=True, help="Whether it is done; it is, if you do not say.")
@json_option
@pass_app
def step(app: App, *, ref: str, name: str | None, is_done: bool, as_json: bool) -> None:
    """Say that a step of a case is done, by its name, the beginning of it, or its number; without one, list them.

    The steps are those that the policy gives the case's team (`teams: {care: {steps: …}}`); their weights make up how
    complete the case is.
    """
    from listener.desk import cases as desk
    from listener.desk import checklists

    if name is None:
        with app.store.read() as tx:
            found = desk.find(tx, ref, app.config.cases.pattern)
        if not found.checklist:
            found = replace(found, checklist=steps_of(app, found.team))
        if as_json:
            print_json(as_plain(found, app.now()))
        else:
            _print_steps(found)
        return

    def mark(tx: Transaction, case: Case) -> Case:
        wanted = steps_of(app, case.team)
        return checklists.mark(tx, case, name, done=is_done, wanted=wanted, by=app.actor, now=app.now())

    found = _change(app, ref, mark)
    left = checklists.missing(found.checklist)
    rest = f"missing: {', '.join(left)}" if left else "nothing is missing"
    done(app, found, f"{found.reference} is {found.completeness} % complete; {rest}.", as_json)


def _print_steps(case: Case) -> None:
    say(f"{case.reference} is {case.completeness} % complete.")
    if not case.checklist:
        say(f"The policy gives team {case.team} no steps; docs/cases.md says how.")
    for number, item in enumerate(case.checklist, 1):
        say(f"  {'✓' if item.done else '·'} {number} {item.name} ({item.weight})")
