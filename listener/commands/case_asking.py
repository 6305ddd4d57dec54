"""`escucha case ask-for-information` and `inform`: what another team owes."""

from __future__ import annotations

import click

from listener.commands.app import App, pass_app
from listener.commands.case_typed import LONGEST_NOTE, done, known_team, typed
from listener.commands.output import json_option


@click.command("ask-for-information")
@click.argument("ref")
@click.argument("text")
@click.option("--from", "team", metavar="TEAM", required=True, help="The team that should know.")
@json_option
@pass_app
def ask_for_information(app: App, *, ref: str, text: str, team: str, as_json: bool) -> None:
    """Ask another team for what you need to go on; the policy's steps begin until they answer.

    The case stays where it is, and its own clocks run on. `escucha case inform` answers.
    """
    from listener.desk import cases as desk
    from listener.desk import clocks

    words = typed(text, "question", LONGEST_NOTE)
    asked = known_team(app, team) or team
    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.pattern)
        calendar = next((str(each["calendar"]) for each in found.promise.values()), "")
        chain = app.policy.promises.question(asked, calendar=calendar, now=app.now())
        found = clocks.ask(tx, found, team=asked, text=words, chain=chain, by=app.actor, now=app.now())
    done(app, found, f"{found.reference} waits for {asked}; `escucha case inform {found.reference}` answers.", as_json)


@click.command("inform")
@click.argument("ref")
@click.argument("text")
@json_option
@pass_app
def inform(app: App, *, ref: str, text: str, as_json: bool) -> None:
    """Answer what the case was asking your team for, which ends the steps."""
    from listener.desk import cases as desk
    from listener.desk import clocks

    words = typed(text, "answer", LONGEST_NOTE)
    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.pattern)
        asker = found.asked_by
        found = clocks.inform(tx, found, text=words, by=app.actor, now=app.now())
    done(app, found, f"{found.reference} has its answer; {asker} can go on.", as_json)
