"""`escucha case merge`, `unmerge`, `split`, `undo`, `parent` and `children`: how cases hang together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from listener.commands.app import App, pass_app
from listener.commands.case_open import mention_number, planned
from listener.commands.case_plain import as_plain, who
from listener.commands.case_typed import done
from listener.commands.output import clip, json_option, print_json, say
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.desk.case_merging import Plan
    from listener.store import Transaction


@click.command("merge")
@click.argument("ref")
@click.argument("other")
@click.option("--one-person", is_flag=True, help="Their two accounts are one person's, though no link says so.")
@json_option
@pass_app
def merge(app: App, *, ref: str, other: str, one_person: bool, as_json: bool) -> None:
    """Make OTHER a part of REF: its mentions and answers go there, and its reference finds REF from then on.

    REF takes the greater urgency and the sooner promise. Cases of two customers are never merged. `unmerge OTHER` takes
    it back.
    """
    from listener.desk import case_merging as merging
    from listener.desk import cases as desk

    pattern = app.config.cases.pattern
    with app.store.write() as tx:
        whole, part = desk.find(tx, ref, pattern), desk.find(tx, other, pattern, merged=True)
        whole = merging.merge(tx, whole, part, by=app.actor, now=app.now(), one_person=one_person)
    done(app, whole, f"{part.reference} is a part of {whole.reference} now.", as_json)


@click.command("unmerge")
@click.argument("ref")
@json_option
@pass_app
def unmerge(app: App, *, ref: str, as_json: bool) -> None:
    """Make a merged case one of its own again, with the mentions that came from it."""
    from listener.desk import case_merging as merging
    from listener.desk import cases as desk

    moved = app.policy.promises.moved
    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.pattern, merged=True)
        found = merging.unmerge(tx, found, by=app.actor, now=app.now(), moved=moved)
    done(app, found, f"{found.reference} is a case of its own again, {found.state}.", as_json)


@click.command("split")
@click.argument("ref")
@click.argument("mentions", nargs=-1, required=True, metavar="M12 [M15 …]")
@json_option
@pass_app
def split(app: App, *, ref: str, mentions: tuple[str, ...], as_json: bool) -> None:
    """Open a new case for some mentions of a case, as the policy would have opened it for the first of them."""
    from listener.desk import case_merging as merging
    from listener.desk import cases as desk

    numbers = [mention_number(each) for each in mentions]
    pattern = app.config.cases.pattern
    with app.store.write() as tx:
        found = desk.find(tx, ref, pattern)
        new = merging.split(tx, found, numbers, plan=_plan(app, tx), pattern=pattern, by=app.actor, now=app.now())
    moved = ", ".join(f"M{number}" for number in dict.fromkeys(numbers))
    done(app, new, f"{new.reference} is open for {new.team} with {moved} of {found.reference}.", as_json)


@click.command("undo")
@click.argument("ref")
@json_option
@pass_app
def undo(app: App, *, ref: str, as_json: bool) -> None:
    """Take back the last mention that joined a case, the last merge or the last split, whichever came last.

    A mention that joined goes into a case of its own; a case that it had reopened is over again.
    """
    from listener.desk import case_merging as merging
    from listener.desk import cases as desk

    pattern, moved = app.config.cases.pattern, app.policy.promises.moved
    with app.store.write() as tx:
        found = desk.find(tx, ref, pattern)
        undone = merging.undo(tx, found, plan=_plan(app, tx), pattern=pattern, by=app.actor, now=app.now(), moved=moved)
    if as_json:
        print_json({"undone": undone.words, "cases": [as_plain(each, app.now()) for each in undone.cases]})
        return
    for sentence in undone.words:
        say(sentence)


def _plan(app: App, tx: Transaction) -> Plan:
    return lambda mention: planned(app, tx, mention, team=None, urgency=None, title=None)


@click.command("parent")
@click.argument("ref")
@click.argument("parent", required=False, metavar="[PARENT]")
@click.option("--none", "alone", is_flag=True, help="A part of nothing.")
@json_option
@pass_app
def parent(app: App, *, ref: str, parent: str | None, alone: bool, as_json: bool) -> None:
    """Make a case a part of another, such as that of an incident.

    When PARENT is resolved its parts are told so in their time lines, and stay open unless `resolve --with-children`.
    """
    from listener.desk import cases as desk
    from listener.desk import parts

    if (parent is None) is not alone:
        raise Mistake("Give the case that it is a part of, or --none.")
    pattern = app.config.cases.pattern
    with app.store.write() as tx:
        found = desk.find(tx, ref, pattern)
        if parent is None:
            found = parts.leave_parent(tx, found, by=app.actor, now=app.now())
        else:
            found = parts.set_parent(tx, found, desk.find(tx, parent, pattern), by=app.actor, now=app.now())
    done(app, found, f"{found.reference} is a part of {found.parent_reference or 'nothing'} now.", as_json)


@click.command("children")
@click.argument("ref")
@json_option
@pass_app
def children(app: App, *, ref: str, as_json: bool) -> None:
    """The cases that are parts of a case, oldest first; of those that you may see."""
    from listener.desk import cases as desk
    from listener.store import cases, sight

    with app.store.read() as tx:
        found = desk.find(tx, ref, app.config.cases.pattern)
        inside = [each for each in cases.parts(tx, found) if sight.sees(tx, each)]
    if as_json:
        print_json({"case": found.reference, "children": [as_plain(each, app.now()) for each in inside]})
        return
    if not inside:
        say(f"{found.reference} has no parts; `escucha case parent REF {found.reference}` makes REF one.")
    for each in inside:
        say(f"{each.reference}  {each.state:<8}  {clip(who(each), 20)}  {clip(each.title, 30)}")
