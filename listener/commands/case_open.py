"""`escucha case open`: mentions are routed by hand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import click

from listener.commands.app import App, pass_app
from listener.commands.case_plain import as_plain, who
from listener.commands.case_typed import known_team, typed
from listener.commands.output import SomeFailed, clip, complain, json_option, print_json, say
from listener.errors import Mistake
from listener.types import CasePlan, Urgency

if TYPE_CHECKING:
    from listener.store import Transaction
    from listener.store.cases import Case
    from listener.store.mentions import Mention


@click.command("open")
@click.argument("mentions", nargs=-1, required=True, metavar="M12 [M15 …]")
@click.option("--team", metavar="TEAM", help="Who is to work on it; its area's team or the default team otherwise.")
@click.option(
    "--urgency", type=click.Choice([level.value for level in Urgency]), help="The policy's own judgement otherwise."
)
@click.option("--title", metavar="TEXT", help="What it is about, in a few words of ours.")
@click.option("--new", "another", is_flag=True, help="A case of its own, though they have one for the matter.")
@click.option("--in", "ref", metavar="REF", help="Into this case, whatever it is about.")
@json_option
@pass_app
def open_(
    app: App,
    *,
    mentions: tuple[str, ...],
    team: str | None,
    urgency: str | None,
    title: str | None,
    another: bool,
    ref: str | None,
    as_json: bool,
) -> None:
    """Route mentions by hand: each into the case that its author has for the matter, or a new one.

    Where some of several cannot be routed, each is named, the rest are done, and the exit code is 3.
    """
    from listener.store import sight

    team = known_team(app, team)
    if ref and another:
        raise Mistake("Give --new or --in, not both.")

    def one(mention: str) -> dict[str, Any]:
        number = mention_number(mention)
        found, opened = _route(app, number, team=team, urgency=urgency, title=title, another=another, ref=ref)
        with app.store.read() as tx:
            seen = sight.sees(tx, found)
        if not as_json:
            say(_routed(number, found, opened, seen))
        told = as_plain(found, app.now()) if seen else {"reference": found.reference, "team": found.team}
        return {**told, "opened": opened}

    names = list(dict.fromkeys(name.strip().upper() for name in mentions))
    if len(names) == 1:
        routed = one(names[0])
        if as_json:
            print_json(routed)
        return
    done, failed = [], []
    for name in names:
        try:
            done.append({"mention": name, **one(name)})
        except Mistake as error:
            complain(str(error))
            failed.append(clip(name, 20))
    if as_json:
        print_json({"cases": done, "failed": failed})
    if failed:
        raise SomeFailed(f"{len(failed)} of {len(names)} not done: {', '.join(failed)}.")


def _routed(number: int, case: Case, opened: bool, seen: bool) -> str:
    if not seen:
        return f"M{number} joins {case.reference}, which is {case.team}'s and has an agent (--new opens another)."
    if opened:
        return f"{case.reference} is open for {case.team}, urgency {case.urgency}: {clip(case.title, 60)}"
    return f"M{number} joins {case.reference}, which {who(case)} has open with {case.team} (--new opens another)."


def _route(
    app: App, number: int, *, team: str | None, urgency: str | None, title: str | None, another: bool, ref: str | None
) -> tuple[Case, bool]:
    """Puts one mention into a case; gives it, and whether it was opened now."""
    from listener.desk import cases as desk
    from listener.store import decisions, mentions

    with app.store.write() as tx:
        heard = mentions.get(tx, number)
        return desk.route(
            tx,
            heard,
            pattern=app.config.cases.pattern,
            plan=planned(app, tx, heard, team=team, urgency=urgency, title=title),
            another=another,
            by=app.actor,
            now=app.now(),
            moved=app.policy.promises.moved,
            reopen=app.config.cases.reopen,
            into=desk.find(tx, ref, app.config.cases.pattern) if ref else None,
            understanding=decisions.understanding_of(tx, heard.id),
        )


def mention_number(typed: str) -> int:
    """`M12`, `m12` or `12`. Raises Mistake for anything else."""
    found = re.fullmatch(r"\s*M?0*([0-9]{1,18})\s*", typed, re.IGNORECASE)
    if not found:
        raise Mistake(f"{typed[:40]!r} is no mention; they look like M12, see `escucha inbox`.")
    return int(found[1])


def planned(
    app: App, tx: Transaction, mention: Mention, *, team: str | None, urgency: str | None, title: str | None
) -> CasePlan:
    """A case as the policy would open it, but for what the person says."""
    from listener.desk import customers
    from listener.store import decisions

    decided = next(iter(decisions.decisions_of(tx, mention.id)), None)
    understanding = decisions.understanding_of(tx, mention.id)
    level = Urgency(urgency or (decided.urgency if decided else Urgency.NORMAL))
    customer = customers.behind(tx, mention.account_id, mention.network, mention.author.handle, app.now())
    score = level.points + (decided.score - Urgency(decided.urgency).points if decided else 0)
    areas = understanding.areas if understanding else ()
    routes = cast("Any", app.policy)
    matter = understanding.intents[0].replace("_", " ") if understanding and understanding.intents else "mention"
    team = team or routes.team_for(areas)
    promise = app.policy.promises.promise(
        team=team, urgency=level, network=mention.network, tier=customer.tier if customer else "", now=app.now()
    )
    return CasePlan(
        team=team,
        urgency=level,
        title=typed(title, "title", 200) if title else f"{matter.capitalize()} on {mention.network}",
        tags=decided.tags if decided else (),
        promise=promise,
        skills=routes.skills_for(areas),
        checklist=routes.checklist_of(team),
        score=score,
        minutes_per_point=routes.minutes_per_point,
    )
