"""Whom an incident hits, as people type it: the options of `incident open` and `describe`, and what they mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from listener.commands import when
from listener.commands.app import App
from listener.commands.case_typed import policy_file, typed
from listener.commands.output import counted
from listener.desk.incidents import Affected, check_words
from listener.errors import EscuchaError, Mistake
from listener.types import CasePlan, Intent, Urgency

if TYPE_CHECKING:
    from listener.desk.incident_list import Listed
    from listener.store import Transaction

F = TypeVar("F", bound=Callable[..., Any])

LONGEST_TITLE, LONGEST_SENTENCE, MOST_SENTENCES = 200, 500, 20


def options(command: F) -> F:
    """Adds what says whom it hits."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option("--area", "areas", multiple=True, metavar="AREA", help="It is about this; may be repeated."),
    click.option(
        "--intent",
        "intents",
        multiple=True,
        type=click.Choice([intent.value for intent in Intent]),
        help="Who writes wants this; may be repeated.",
    ),
    click.option("--word", "words", multiple=True, metavar="TERMS", help="The text says this; see docs/terms.md."),
    click.option("--network", "networks", multiple=True, metavar="NETWORK", help="Only there; may be repeated."),
    click.option("--place", "places", multiple=True, metavar="PLACE", help="The text names this place (policy)."),
    click.option("--plan", "tiers", multiple=True, metavar="PLAN", help="Customers on this plan (their tier)."),
    click.option("--meaning", "meanings", multiple=True, metavar="TEXT", help="What people say who are hit; repeat."),
)


CUSTOMERS = click.option(
    "--customers",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A list of customers whom it hits: CSV or .xlsx with reference, email or phone.",
)


def listed(app: App, file: Path) -> Listed:
    """The customers on that list. Raises Mistake where it is no list, or nobody on it is known."""
    from listener.commands import looking
    from listener.desk import incident_list

    networks, by_contact = list(app.connectors.available()), not looking.masks(app)
    found = incident_list.read(app.store, file, networks=networks, by_contact=by_contact)
    if not found.customers:
        raise Mistake(f"None of the {found.lines} lines of {file.name} is a customer here; import them first.")
    return found


def said_of_list(found: Listed) -> str:
    """How much of the list is known, in a sentence."""
    said = f"On its list: {counted(len(found.customers), 'customer')}."
    if found.unknown:
        lines = ", ".join(map(str, found.unknown[:10])) + (", …" if len(found.unknown) > 10 else "")
        said += f" {len(found.unknown):,} of {found.lines:,} lines are no customer's here, or several's: {lines}."
    return said


def span(app: App, since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """When it began and ended, as typed; None for what was not. Raises Mistake."""
    now = app.now()
    began, ended = when.past(since, now), when.past(until, now)
    if began is not None and began > now:
        raise Mistake("An incident cannot begin in the future; leave --since out for now.")
    return began, ended


def affected(
    app: App,
    *,
    areas: Sequence[str],
    intents: Sequence[str],
    words: Sequence[str],
    networks: Sequence[str],
    places: Sequence[str],
    tiers: Sequence[str],
    listed: bool,
) -> Affected:
    """Whom it hits. Raises Mistake for what the policy does not know, and for terms that cannot be read."""
    check_words(words)
    return Affected(
        areas=_known(areas, list(policy_file(app).areas), "area"),
        intents=tuple(dict.fromkeys(intents)),
        words=tuple(dict.fromkeys(word.strip() for word in words)),
        networks=_known(networks, list(app.connectors.available()), "network", "here"),
        places=_known(places, list(app.policy.places), "place"),
        tiers=tuple(dict.fromkeys(typed(tier, "plan", 100) for tier in tiers)),
        listed=listed,
    )


def meaning(sentences: Sequence[str]) -> str:
    """What people say who are hit, a sentence a line. Raises Mistake."""
    if len(sentences) > MOST_SENTENCES:
        raise Mistake(f"{MOST_SENTENCES} sentences of --meaning are enough; attach mentions that say it otherwise.")
    return "\n".join(" ".join(typed(each, "meaning", LONGEST_SENTENCE).split()) for each in sentences)


def _known(values: Sequence[str], there: Sequence[str], what: str, where: str = "in the policy") -> tuple[str, ...]:
    from difflib import get_close_matches

    folded = {each.casefold(): each for each in there}
    found = []
    for value in values:
        if value.strip().casefold() not in folded:
            near = get_close_matches(value.casefold(), folded, 1)
            meant = f"did you mean {folded[near[0]]}?" if near else f"there is: {', '.join(there[:20]) or 'none'}."
            without = "" if there else " Leave it out: --word or --meaning say what it is about."
            raise Mistake(f"There is no {what} {value[:40]!r} {where}; {meant}{without}")
        found.append(folded[value.strip().casefold()])
    return tuple(dict.fromkeys(found))


def owner(app: App, name: str) -> str:
    """Whoever is to see to it; once there are users, one of them. Raises NotFound, Mistake."""
    from listener.store import users

    written = typed(name, "owner's name", 100)
    with app.store.read() as tx:
        if not users.there_are(tx):
            return written
        user = users.get(tx, written)
    if not user.enabled:
        raise Mistake(f"{user.name} is disabled; give it to another.")
    return user.name


def planned(app: App, *, title: str, team: str | None, areas: Sequence[str], urgency: Urgency) -> CasePlan:
    """The incident's own case, as the policy would have it."""
    routes = cast("Any", app.policy)
    team = team or routes.team_for(tuple(areas))
    promise = app.policy.promises.promise(team=team, urgency=urgency, network="", tier="", now=app.now())
    return CasePlan(
        team=team,
        urgency=urgency,
        title=title,
        tags=("incident",),
        promise=promise,
        score=urgency.points,
        minutes_per_point=routes.minutes_per_point,
    )


def known_places(app: App) -> frozenset[str] | None:
    """The places of the policy that rules; None where it cannot be read, which `status` says anyway."""
    try:
        return frozenset(app.policy.places)
    except EscuchaError:
        return None


def lost_lines(tx: Transaction, known: frozenset[str] | None) -> list[str]:
    """What `status` says of incidents that look for places which the policy names no more, a line each."""
    from listener.desk import incidents as desk
    from listener.store import incidents

    lines = []
    for each in incidents.active(tx) if known is not None else ():
        lost = [place for place in desk.affected_of(each).places if place not in (known or ())]
        if lost:
            lines.append(
                f"{each.reference} finds nobody by {', '.join(lost)}: the policy has no such place any more. "
                f"`escucha incident describe {each.reference} --place …` says another one."
            )
    return lines
