"""`escucha case take`, `give-back` and `assign --auto`, and why an agent has a case, or nobody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from listener.commands.app import App, pass_app
from listener.commands.case_typed import LONGEST_NOTE, done, typed
from listener.commands.output import json_option
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.store.cases import Case


@click.command("take")
@click.argument("ref")
@json_option
@pass_app
def take(app: App, ref: str, as_json: bool) -> None:
    """It is yours from now on. Of two who take it at once, one gets it."""
    from listener.desk import cases as desk
    from listener.desk import handing

    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.pattern)
        found = handing.take(tx, found, by=app.actor, now=app.now())
    done(app, found, f"{found.reference} is yours now.", as_json)


@click.command("give-back")
@click.argument("ref")
@click.option("--note", "text", metavar="TEXT", help="Why, for whoever gets it next.")
@json_option
@pass_app
def give_back(app: App, ref: str, text: str | None, as_json: bool) -> None:
    """It is its team's again; you are not given it by itself a second time. Its clocks run on."""
    from listener.desk import cases as desk
    from listener.desk import handing

    words = typed(text, "note", LONGEST_NOTE) if text else ""
    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.pattern)
        found = handing.give_back(tx, found, by=app.actor, now=app.now(), note=words)
    done(app, found, f"{found.reference} is {found.team}'s again.", as_json)


def by_itself(app: App, ref: str, as_json: bool) -> None:
    """Gives the case to whoever should have it. Raises Mistake with the reason where nobody can."""
    from listener.desk import cases as desk
    from listener.desk import handing
    from listener.desk.assigning import Choice

    with app.store.write() as tx:
        found = desk.find(tx, ref, app.config.cases.pattern)
        if not handing.waits(found):
            whose = f"{found.agent} has" if found.agent else f"{found.state} is"
            raise Mistake(f"{whose} {found.reference}; only an open case that nobody has is given by itself.")
        given = handing.give(tx, found.id, by=app.actor, now=app.now(), moved=app.policy.promises.moved)
        if isinstance(given, Choice):
            raise Mistake(f"{found.reference} stays with {found.team}: {given.why}.")
    told = of(app, given)
    done(app, given, f"{given.reference} is {given.agent}'s now: {told['why']}.", as_json)


def of(app: App, case: Case) -> dict[str, Any]:
    """Who has the case since when and why, or why nobody has it; for programs, these keys stay."""
    from listener.desk import handing
    from listener.store import assigned, users

    with app.store.read() as tx:
        last = assigned.newest(tx, [case.id]).get(case.id, {})
        if case.agent is None and handing.waits(case) and users.there_are(tx):
            choice = handing.considered(tx, case, app.now(), app.policy.promises.moved)
            nobody = f"{choice.agent.name} is next: {choice.why}" if choice.agent else choice.why
            return {"agent": None, "by": None, "at": None, "why": nobody, "passed": dict(choice.passed)}
    if last.get("agent") != case.agent or case.agent is None:
        last = {}
    keys = {name: last.get(name) for name in ("by", "at")}
    return {"agent": case.agent, **keys, "why": last.get("why", ""), "passed": last.get("passed", {})}


def in_words(assignment: Mapping[str, Any]) -> str:
    """Why somebody has it, or nobody; "" where there is nothing to say."""
    if not assignment["why"]:
        return ""
    at = assignment["at"]
    since = f" since {at:%Y-%m-%d %H:%M} UTC" if isinstance(at, datetime) else ""
    return f"{assignment['agent'] or 'nobody yet'}{since}: {assignment['why']}"


def sentence(by: str, detail: Mapping[str, Any]) -> str:
    """What happened, in a case's time line."""
    why = f": {detail['why']}" if detail.get("why") else ""
    if detail.get("gave_back"):
        return f"given back to {detail.get('team')} by {by}"
    if detail.get("from_agent") and not detail.get("agent"):
        return f"{detail.get('team')}'s again, by {by}{why}"
    if detail.get("agent") == by:
        return f"taken by {by}"
    return f"given to {detail.get('agent') or detail.get('team')} by {by}{why}"
