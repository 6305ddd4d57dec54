"""`escucha case assign`, `note`, `pending`, `resolve` and `reopen`: what people do with a case."""

from __future__ import annotations

from datetime import datetime

import click

from listener.commands import case_assignment
from listener.commands.app import App, pass_app
from listener.commands.case_typed import LONGEST_NOTE, done, known_team, steps_of, typed
from listener.commands.output import json_option
from listener.errors import Mistake
from listener.types import CaseState


@click.command("assign")
@click.argument("ref")
@click.option("--team", metavar="TEAM", help="The team that works on it from now on.")
@click.option("--agent", metavar="NAME", help="The person who does; without it, the team has it.")
@click.option("--auto", is_flag=True, help="Whoever of its team should have it now, by docs/routing.md.")
@click.option("--take-over", is_flag=True, help="Even if somebody else has it.")
@json_option
@pass_app
def assign(
    app: App, *, ref: str, team: str | None, agent: str | None, auto: bool, take_over: bool, as_json: bool
) -> None:
    """Give a case to a team, an agent, or both. Once there are users, the agent must be one."""
    from listener.desk import cases as desk
    from listener.desk import handing

    if auto and (team or agent or take_over):
        raise Mistake("--auto says to whom by itself; leave the others out.")
    if auto:
        case_assignment.by_itself(app, ref, as_json)
        return
    if not team and not agent:
        raise Mistake("Say to whom: --team, --agent, or both; or --auto.")
    team = known_team(app, team)
    agent = typed(agent, "agent's name", 100) if agent else None
    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.pattern)
        steps = steps_of(app, team) if team else None
        now = app.now()
        if agent:
            found = handing.assign(
                tx, found, team=team, agent=agent, by=app.actor, now=now, take_over=take_over, checklist=steps
            )
        else:
            found = desk.assign(
                tx, found, team=team, agent=None, by=app.actor, now=now, take_over=take_over, checklist=steps
            )
    done(app, found, f"{found.reference} is {found.agent or found.team}'s now.", as_json)


@click.command("note")
@click.argument("ref")
@click.argument("text")
@click.option("--complete", type=click.IntRange(0, 100), help="How complete it is now, in percent.")
@json_option
@pass_app
def note(app: App, *, ref: str, text: str, complete: int | None, as_json: bool) -> None:
    """Write something down for whoever works on the case next."""
    from listener.desk import cases as desk

    words = typed(text, "note", LONGEST_NOTE)
    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.pattern)
        desk.note(tx, found, words, by=app.actor, now=app.now(), completeness=complete)
        found = desk.find(tx, found.reference, app.config.cases.pattern)
    complete_now = "" if complete is None else f", {complete} % complete"
    done(app, found, f"Noted in {found.reference}{complete_now}.", as_json)


def _move(app: App, ref: str, to: CaseState, text: str | None, as_json: bool, *, with_children: bool = False) -> None:
    from listener.desk import cases as desk
    from listener.store import cases, sight

    def moved(moment: datetime, /, *, calendar: str, since: datetime, until: datetime) -> datetime:
        """Reads the policy only where a clock runs on by it."""
        return app.policy.promises.moved(moment, calendar=calendar, since=since, until=until)

    words = typed(text, "note", LONGEST_NOTE) if text else ""
    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.pattern)
        found = desk.move(tx, found, to, by=app.actor, now=app.now(), moved=moved, note=words)
        live = [part for part in cases.parts(tx, found) if part.state in cases.LIVE and sight.sees(tx, part)]
        for part in live if with_children else ():
            note = words or f"with {found.reference}"
            desk.move(tx, part, to, by=app.actor, now=app.now(), moved=moved, note=note)
    said = f"{found.reference} is {found.state}."
    if live and to is CaseState.RESOLVED:
        parts = "its part" if len(live) == 1 else f"its {len(live)} parts"
        also = f"and so {'is' if len(live) == 1 else 'are'} {parts}"
        said = (
            f"{found.reference} is {found.state}, {also if with_children else f'which {parts} heard; open as before'}."
        )
    done(app, found, said, as_json)


@click.command("pending")
@click.argument("ref")
@click.option("--note", "text", metavar="TEXT", help="What we wait for.")
@json_option
@pass_app
def pending(app: App, ref: str, text: str | None, as_json: bool) -> None:
    """We wait for the customer; it opens again by itself when they write."""
    _move(app, ref, CaseState.PENDING, text, as_json)


@click.command("resolve")
@click.argument("ref")
@click.option("--note", "text", metavar="TEXT", help="What solved it.")
@click.option("--with-children", is_flag=True, help="And so are all cases that are a part of it.")
@json_option
@pass_app
def resolve(app: App, *, ref: str, text: str | None, with_children: bool, as_json: bool) -> None:
    """It is solved. What is a part of it is told so, and stays open unless you say otherwise.

    Parts that you may not see stay open in any case.
    """
    _move(app, ref, CaseState.RESOLVED, text, as_json, with_children=with_children)


@click.command("reopen")
@click.argument("ref")
@click.option("--note", "text", metavar="TEXT", help="Why.")
@json_option
@pass_app
def reopen(app: App, ref: str, text: str | None, as_json: bool) -> None:
    """It is not solved after all, or we need not wait any longer."""
    _move(app, ref, CaseState.OPEN, text, as_json)
