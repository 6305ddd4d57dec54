"""`escucha incident open`: something hits many at once."""

from __future__ import annotations

from pathlib import Path

import click

from listener.commands import incident_gathering, incident_whom
from listener.commands.app import App, pass_app
from listener.commands.case_open import mention_number
from listener.commands.case_typed import known_team, typed
from listener.commands.incident_plain import done
from listener.commands.output import json_option, say
from listener.errors import Mistake
from listener.types import Urgency


@click.command("open")
@click.argument("title", required=False)
@click.option(
    "--from", "spike", metavar="S4", help="Of what this spike shows, with its mentions; TITLE may be left out."
)
@incident_whom.options
@incident_whom.CUSTOMERS
@click.option("--mention", "mentions", multiple=True, metavar="M12", help="It is of this one; may be repeated.")
@click.option(
    "--since", metavar="WHEN", help="When it began: 2026-11-01T09:30 (UTC), or 2h for two hours ago; else now."
)
@click.option("--until", metavar="WHEN", help="When it was over, where it is.")
@click.option("--owner", metavar="NAME", help="Who sees to it; else you.")
@click.option("--team", metavar="TEAM", help="Whose its own case is; its area's team otherwise.")
@click.option(
    "--urgency",
    type=click.Choice([level.value for level in Urgency]),
    default=Urgency.HIGH.value,
    show_default=True,
    help="Of its own case.",
)
@json_option
@pass_app
def open_(
    app: App,
    *,
    title: str | None,
    spike: str | None,
    areas: tuple[str, ...],
    intents: tuple[str, ...],
    words: tuple[str, ...],
    networks: tuple[str, ...],
    places: tuple[str, ...],
    tiers: tuple[str, ...],
    meanings: tuple[str, ...],
    file: Path | None,
    mentions: tuple[str, ...],
    since: str | None,
    until: str | None,
    owner: str | None,
    team: str | None,
    urgency: str,
    as_json: bool,
) -> None:
    """Open an incident: say what happens in TITLE, and whom it hits by the options.

    All kinds of options that are given must hold; of several areas, places, words and so on one is enough. What a
    mention is about is told by area, intent and words, or else by its meaning. With --from, what is not given is as
    the spike shows it, and what was proposed for it is agreed to.
    """
    from listener.desk import incident_life as life
    from listener.desk import spiking
    from listener.store import attached, incidents, spikes
    from listener.store import mentions as heard

    if title is None and spike is None:
        raise Mistake("Say in a few words what happens: escucha incident open TITLE, or --from a spike such as S4.")
    now = app.now()
    since_then, ended = incident_whom.span(app, since, until)
    shown = None
    if spike is not None:
        with app.store.read() as tx:
            seen = spikes.get(tx, spiking.number(spike))
        shown = spiking.describe(seen, app.policy.incident_rules)
    began = since_then or (shown.began_at if shown else now)
    if ended is not None and ended <= began:
        raise Mistake("It cannot be over before it began; look at --since and --until.")
    on_list = incident_whom.listed(app, file) if file else None
    whom = incident_whom.affected(
        app,
        areas=areas,
        intents=intents,
        words=words,
        networks=networks,
        places=places,
        tiers=tiers,
        listed=on_list is not None,
    )
    if shown is not None:
        whom = spiking.filled(whom, shown.affected)
        title = shown.title if title is None else title
    written = typed(title or "", "title", incident_whom.LONGEST_TITLE)
    plan = incident_whom.planned(
        app, title=written, team=known_team(app, team), areas=whom.areas, urgency=Urgency(urgency)
    )
    description = life.Description(
        title=written,
        affected=whom,
        began_at=began,
        ended_at=ended,
        meaning=incident_whom.meaning(meanings),
        customers=on_list.customers if on_list else (),
        owner=incident_whom.owner(app, owner) if owner else app.actor,
        holds_replies=app.policy.incident_rules.hold_replies,
        holds_cheer=app.policy.incident_rules.hold_cheer,
    )
    pattern = app.config.cases.pattern
    numbers = [mention_number(each) for each in dict.fromkeys(mentions)]
    with app.store.write() as tx:
        if spike is None:
            made = life.open_incident(tx, description, plan=plan, pattern=pattern, by=app.actor, now=now)
        else:
            held = spikes.hold(tx, spiking.number(spike))
            made = spiking.open_from(tx, held, description, plan=plan, pattern=pattern, by=app.actor, now=now)
            incidents.list_customers(tx, made, description.customers, now)
        for number in numbers:
            life.attach(tx, made, heard.get(tx, number), why=f"{app.actor} opened it with this", by=app.actor, now=now)
    gathered = incident_gathering.gather(app, made, quiet=as_json)
    with app.store.read() as tx:
        made = incidents.get(tx, made.id)
        count = attached.count(tx, made.id)
    done(made, f"{made.reference} is open, {made.state}, {made.owner}'s; its case is {made.case_reference}.", as_json)
    if as_json:
        return
    if on_list is not None:
        say(incident_whom.said_of_list(on_list))
    incident_gathering.tell(app, made, gathered, count)
    say(f"Next: what agents say, `escucha incident say {made.reference} --line TEXT`;")
    say(f"what everybody hears, `escucha notice draft --incident {made.reference}`.")
