"""`escucha incident describe`, `update`, `owner`, `identify`, `fix`, `accept` and `gather`: while it lasts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from listener.commands import incident_gathering, incident_whom
from listener.commands.app import App, pass_app
from listener.commands.case_typed import LONGEST_NOTE, known_team, typed
from listener.commands.incident_plain import done
from listener.commands.output import counted, json_option, say
from listener.errors import Mistake
from listener.types import IncidentState, Urgency

if TYPE_CHECKING:
    from listener.store import Transaction
    from listener.store.incidents import Incident

PUBLIC = click.option(
    "--public",
    "publics",
    multiple=True,
    metavar="LANGUAGE=TEXT",
    help="What may be said of it in one language; repeat it.",
)


@click.command("describe")
@click.argument("number", metavar="I3")
@incident_whom.options
@incident_whom.CUSTOMERS
@click.option("--title", metavar="TEXT", help="What happens.")
@click.option("--since", metavar="WHEN", help="When it began: 2026-11-01T09:30 (UTC), or 2h for two hours ago.")
@click.option("--until", metavar="WHEN", help="When it was over; `none`: it is not.")
@click.option("--clear", is_flag=True, help="Forget first whom it was said to hit.")
@json_option
@pass_app
def describe(
    app: App,
    *,
    number: str,
    areas: tuple[str, ...],
    intents: tuple[str, ...],
    words: tuple[str, ...],
    networks: tuple[str, ...],
    places: tuple[str, ...],
    tiers: tuple[str, ...],
    meanings: tuple[str, ...],
    file: Path | None,
    title: str | None,
    since: str | None,
    until: str | None,
    clear: bool,
    as_json: bool,
) -> None:
    """Say anew whom an incident hits; what is given takes the place of what was said of the same.

    What was said already is gone through again: what matches is attached, what rules attached and fits no more is let
    go. What a person attached or took off stays as they said.
    """
    from listener.desk import incident_life as life
    from listener.desk import incidents as desk
    from listener.store import attached, incidents

    never = until is not None and until.strip().casefold() == "none"
    began, ended = incident_whom.span(app, since, None if never else until)
    on_list = incident_whom.listed(app, file) if file else None
    said = incident_whom.affected(
        app,
        areas=areas,
        intents=intents,
        words=words,
        networks=networks,
        places=places,
        tiers=tiers,
        listed=on_list is not None,
    )
    with app.store.write() as tx:
        found = incidents.hold(tx, desk.number(number))
        changed: dict[str, Any] = {"affected": {**({} if clear else found.affected), **desk.written(said)}}
        if clear or meanings:
            changed["meaning"] = incident_whom.meaning(meanings)
        if title is not None:
            changed["title"] = typed(title, "title", incident_whom.LONGEST_TITLE)
        changed |= {"began_at": began} if began is not None else {}
        changed |= {"ended_at": None if never else ended} if until is not None else {}
        began, ended = changed.get("began_at", found.began_at), changed.get("ended_at", found.ended_at)
        if ended is not None and ended <= began:
            raise Mistake("It cannot be over before it began; look at --since and --until.")
        if on_list is not None or clear:
            incidents.unlist_customers(tx, found)
        if on_list is not None:
            incidents.list_customers(tx, found, on_list.customers, app.now())
        found = life.describe(tx, found, changed, by=app.actor, now=app.now(), anew=on_list is not None)
    gathered = incident_gathering.gather(app, found, quiet=as_json)
    with app.store.read() as tx:
        found = incidents.get(tx, found.id)
        count = attached.count(tx, found.id)
    done(found, f"{found.reference} is described anew.", as_json)
    if as_json:
        return
    if on_list is not None:
        say(incident_whom.said_of_list(on_list))
    incident_gathering.tell(app, found, gathered, count)


@click.command("update")
@click.argument("number", metavar="I3")
@click.argument("text")
@PUBLIC
@json_option
@pass_app
def update(app: App, *, number: str, text: str, publics: tuple[str, ...], as_json: bool) -> None:
    """Add to the time line of an incident; all of its cases hear of it.

    TEXT is for ourselves; --public says what may be said to those who ask.
    """
    from listener.desk import incident_life as life

    words, public = typed(text, "update", LONGEST_NOTE), public_texts(publics)
    found = changed(
        app, number, lambda tx, it: life.update(tx, it, words, public, by=app.actor, now=app.now()), quiet=as_json
    )
    done(found, f"Noted in {found.reference}{_heard(app, found)}.", as_json)


@click.command("owner")
@click.argument("number", metavar="I3")
@click.argument("name")
@json_option
@pass_app
def owner(app: App, number: str, name: str, as_json: bool) -> None:
    """Say who sees to an incident."""
    from listener.desk import incident_life as life

    who = incident_whom.owner(app, name)
    found = changed(app, number, lambda tx, it: life.give(tx, it, who, by=app.actor, now=app.now()), quiet=True)
    done(found, f"{found.reference} is {found.owner}'s now.", as_json)


def _step(app: App, number: str, to: IncidentState, *, text: str | None, publics: Sequence[str], as_json: bool) -> None:
    from listener.desk import incident_moves as moves

    words, public = typed(text, "update", LONGEST_NOTE) if text else "", public_texts(publics)

    def step(tx: Transaction, incident: Incident) -> Incident:
        return moves.step(tx, incident, to, text=words, public=public, by=app.actor, now=app.now())

    found = changed(app, number, step, quiet=as_json)
    done(found, f"{found.reference} is {found.state}{_heard(app, found)}.", as_json)


@click.command("identify")
@click.argument("number", metavar="I3")
@click.argument("text", required=False)
@PUBLIC
@json_option
@pass_app
def identify(app: App, *, number: str, text: str | None, publics: tuple[str, ...], as_json: bool) -> None:
    """We know why it happens; TEXT says why. All of its cases hear of it."""
    _step(app, number, IncidentState.IDENTIFIED, text=text, publics=publics, as_json=as_json)


@click.command("fix")
@click.argument("number", metavar="I3")
@click.argument("text", required=False)
@PUBLIC
@json_option
@pass_app
def fix(app: App, *, number: str, text: str | None, publics: tuple[str, ...], as_json: bool) -> None:
    """It is being mended; TEXT says how. All of its cases hear of it."""
    _step(app, number, IncidentState.FIXING, text=text, publics=publics, as_json=as_json)


@click.command("accept")
@click.argument("number", metavar="I3")
@click.argument("text", required=False)
@click.option("--team", metavar="TEAM", help="Whose its own case is; its area's team otherwise.")
@json_option
@pass_app
def accept(app: App, *, number: str, text: str | None, team: str | None, as_json: bool) -> None:
    """What was proposed is an incident: it gets its own case, and all that was said is gone through."""
    from listener.desk import incident_moves as moves
    from listener.desk import incidents as desk
    from listener.store import attached, incidents

    words, team = typed(text, "update", LONGEST_NOTE) if text else "", known_team(app, team)

    def agree(tx: Transaction, incident: Incident) -> Incident:
        areas = desk.affected_of(incident).areas
        plan = incident_whom.planned(app, title=incident.title, team=team, areas=areas, urgency=Urgency.HIGH)
        pattern = app.config.cases.pattern
        return moves.accept(tx, incident, plan, pattern=pattern, text=words, by=app.actor, now=app.now())

    found = changed(app, number, agree, quiet=as_json)
    with app.store.read() as tx:
        count = attached.count(tx, found.id)
        found = incidents.get(tx, found.id)
    mentions = counted(count, "mention")
    done(found, f"{found.reference} is {found.state}, with {mentions}; its case is {found.case_reference}.", as_json)


@click.command("gather")
@click.argument("number", metavar="I3")
@json_option
@pass_app
def gather(app: App, number: str, as_json: bool) -> None:
    """Go on with what a running daemon does by itself: earlier mentions, cases, and what those are told."""
    from listener.desk import incidents as desk
    from listener.store import attached, incidents

    with app.store.read() as tx:
        found = incidents.get(tx, desk.number(number))
    gathered = incident_gathering.gather(app, found, quiet=as_json)
    with app.store.read() as tx:
        found = incidents.get(tx, found.id)
        count = attached.count(tx, found.id)
    if as_json:
        done(found, "", as_json, gathered=gathered, mentions=count)
    elif not gathered and found.swept_to is None:
        say(f"Nothing is left to do for {found.reference}; it has {counted(count, 'mention')}.")
    else:
        incident_gathering.tell(app, found, gathered, count)


def changed(app: App, number: str, change: Any, *, quiet: bool) -> Incident:
    """Does that with the incident, then what follows from it, as far as a person waits; gives it as it is then."""
    from listener.desk import incidents as desk
    from listener.store import incidents

    with app.store.write() as tx:
        found = incidents.hold(tx, desk.number(number))
        found = change(tx, found)
    incident_gathering.gather(app, found, quiet=quiet)
    with app.store.read() as tx:
        return incidents.get(tx, found.id)


def public_texts(given: Sequence[str]) -> dict[str, str]:
    """What may be said, by language. Raises Mistake."""
    found = {}
    for each in given:
        language, sign, text = each.partition("=")
        code = language.strip().lower()
        if not sign or not 2 <= len(code) <= 10 or not code.replace("-", "").isalpha():
            raise Mistake(f"{each[:40]!r} is no LANGUAGE=TEXT; write es=Lo estamos arreglando.")
        found[code] = typed(text, f"text in {code}", LONGEST_NOTE)
    return found


def _heard(app: App, incident: Incident) -> str:
    """How many of its cases hear of it, for the end of a sentence."""
    from listener.store import incident_children

    with app.store.read() as tx:
        many = incident_children.count(tx, incident)
    return f"; {counted(many, 'case')} heard of it" if many else ""
