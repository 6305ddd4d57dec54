"""`escucha incident resolve`, `reopen`, `close` and `dismiss`: how an incident ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from listener.commands import when
from listener.commands.app import App, pass_app
from listener.commands.case_typed import LONGEST_NOTE, typed
from listener.commands.incident_plain import as_plain, done
from listener.commands.incident_work import PUBLIC, changed, public_texts
from listener.commands.output import SomeFailed, clip, counted, json_option, print_json, say
from listener.errors import Mistake
from listener.types import IncidentState

if TYPE_CHECKING:
    from listener.flow.incident_ending import Ending
    from listener.store import Transaction
    from listener.store.incident_children import Child
    from listener.store.incidents import Incident

SAID_AT_MOST = 12  # cases named; --json names all


@click.command("resolve")
@click.argument("number", metavar="I3")
@click.argument("text", required=False)
@PUBLIC
@click.option(
    "--ended", metavar="WHEN", help="When it stopped hitting people: 2026-11-01T09:30 (UTC), or 2h for two hours ago."
)
@click.option("--owed-too", is_flag=True, help="Also the cases of those whom nobody has answered yet.")
@click.option(
    "--notice", is_flag=True, help="Write down, too, what says so below its notices, for somebody to approve."
)
@click.option("--dry-run", is_flag=True, help="Say what would become of its cases; change nothing.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@json_option
@pass_app
def resolve(
    app: App,
    *,
    number: str,
    text: str | None,
    publics: tuple[str, ...],
    ended: str | None,
    owed_too: bool,
    notice: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """It is over: its cases in which there is nothing else to do are resolved with it, and all hear of it.

    Cases with more to them (another matter, a colleague who was asked, a date) stay open and are named; so are those
    whose person waits for an answer, unless you say --owed-too. TEXT says what solved it. The words below its notices
    are those of --public; in es and en there are usual ones.

    Safe to stop and to run again: it goes on with what is left.
    """
    from listener.commands import following
    from listener.desk import incidents as desk
    from listener.flow import incident_ending as ending
    from listener.store import incidents

    words, public, now = typed(text, "update", LONGEST_NOTE) if text else "", public_texts(publics), app.now()
    ended_at = when.past(ended, now) or now
    if ended_at > now:
        raise Mistake("It cannot end in the future; leave --ended out for now.")
    with app.store.read() as tx:
        found = incidents.get(tx, desk.number(number))
    if found.state is not IncidentState.RESOLVED:
        desk.check_move(found, IncidentState.RESOLVED)
    planned = ending.preview(app.store, found, owed_too=owed_too)
    if dry_run:
        _print(found, planned, as_json, dry_run=True)
        return
    again = found.state is IncidentState.RESOLVED
    if again and not planned.together:
        desk.check_move(found, IncidentState.RESOLVED)
    asked = bool(planned.together) and not yes
    if asked:
        _ask(found, planned, as_json)
    if not again:
        found = changed(app, number, _resolving(app, words, public, ended_at), quiet=as_json)
    result = ending.resolve(
        app.store,
        found,
        owed_too=owed_too,
        note=words or f"with {found.reference}",
        by=app.actor,
        now=app.now,
    )
    with app.store.read() as tx:
        found = incidents.get(tx, found.id)
    seen = planned if asked else None
    if not notice:
        _print(found, result, as_json, seen=seen)
        return
    follows, problems = following.resolved(app, found.id, public)
    told = {"follow_ups": [f"N{each.id}" for each in follows], "not_followed": problems}
    _print(found, result, as_json, seen=seen, more=told)
    for each in follows if not as_json else ():
        go = f"`escucha notice approve N{each.id}`"
        say(f"N{each.id} says so below N{each.follows_id}, once somebody else lets it: {go}.")
    if problems:
        raise SomeFailed("\n".join(problems))
    if not follows and not as_json:
        say("No notice of it is out that could be followed.")


def _resolving(app: App, words: str, public: dict[str, str], ended_at: datetime) -> Any:
    from listener.desk import incident_moves as moves

    def move(tx: Transaction, incident: Incident) -> Incident:
        return moves.resolve(
            tx,
            incident,
            ended_at=ended_at,
            text=words,
            public=public,
            moved=app.policy.promises.moved,
            by=app.actor,
            now=app.now(),
        )

    return move


def _ask(incident: Incident, planned: Ending, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise Mistake(
            f"{counted(planned.together, 'case')} would be resolved with {incident.reference}; look with --dry-run, "
            "then say --yes."
        )
    _say(incident, planned)
    question = f"Resolve {incident.reference}, and {counted(planned.together, 'case')} with it?"
    if not click.confirm(question):
        raise click.Abort


def _print(
    incident: Incident,
    ending: Ending,
    as_json: bool,
    *,
    dry_run: bool = False,
    seen: Ending | None = None,
    more: Mapping[str, Any] | None = None,
) -> None:
    """What became of it, or would. `seen`: what whoever agreed was shown, which is not said twice."""
    if as_json:
        plain = {"together": ending.together, "owed": [_plain(each) for each in ending.owed]}
        print_json(
            {
                **as_plain(incident),
                "dry_run": dry_run,
                **plain,
                "more": [_plain(each) for each in ending.more],
                **(more or {}),
            }
        )
        return
    are = "would be" if dry_run else "are"
    with_it = f"{counted(ending.together, 'case')} {are} resolved with it"
    say(f"{incident.reference} {'would be' if dry_run else 'is'} resolved; {with_it}.")
    if seen is None or (seen.owed, seen.more) != (ending.owed, ending.more):
        _say(incident, ending)
    if ending.owed and not dry_run:
        say("Answer them one by one with `escucha review`, or resolve them too:")
        say(f"`escucha incident resolve {incident.reference} --owed-too`.")


def _say(incident: Incident, ending: Ending) -> None:
    """The cases that are asked about."""
    if ending.owed:
        one = len(ending.owed) == 1
        wait = "1 person waits" if one else f"{len(ending.owed):,} people wait"
        say(f"{wait} for an answer; {'that case stays' if one else 'their cases stay'} open:")
        _name(ending.owed, [each.owed for each in ending.owed])
        if incident.lasts:
            say(f"`escucha notice answer {incident.reference}` answers them together, while it lasts.")
    if ending.more:
        say(f"{counted(len(ending.more), 'case')} with something else to do; left as they are:")
        _name(ending.more, [", ".join(each.more) for each in ending.more])


def _name(children: list[Child], whys: list[str]) -> None:
    for child, why in zip(children[:SAID_AT_MOST], whys, strict=False):
        say("  " + clip(f"{child.reference} {child.agent or child.team}: {why}", 78))
    if len(children) > SAID_AT_MOST:
        say(f"  … and {len(children) - SAID_AT_MOST:,} more; --json names them all.")


def _plain(child: Child) -> dict[str, Any]:
    return {
        "case": child.reference,
        "title": child.title,
        "team": child.team,
        "agent": child.agent,
        "owed": child.owed,
        "more": child.more,
        "mentions": [f"M{number}" for number in child.others],
    }


def _moved(app: App, number: str, move: Callable[..., Incident], text: str | None, *, quiet: bool) -> Incident:
    """The incident after that step of its life, with what was typed of it."""
    words = typed(text, "update", LONGEST_NOTE) if text else ""

    def step(tx: Transaction, incident: Incident) -> Incident:
        return move(tx, incident, text=words, moved=app.policy.promises.moved, by=app.actor, now=app.now())

    return changed(app, number, step, quiet=quiet)


@click.command("reopen")
@click.argument("number", metavar="I3")
@click.argument("text", required=False)
@json_option
@pass_app
def reopen(app: App, number: str, text: str | None, as_json: bool) -> None:
    """It came back: what is said from its end on is gone through, and attached as before.

    Cases that were resolved with it stay so; who writes again opens theirs.
    """
    from listener.desk import incident_moves as moves

    found = _moved(app, number, moves.reopen, text, quiet=as_json)
    done(found, f"{found.reference} is {found.state} again.", as_json)


@click.command("close")
@click.argument("number", metavar="I3")
@click.argument("text", required=False)
@json_option
@pass_app
def close(app: App, number: str, text: str | None, as_json: bool) -> None:
    """Nothing is left to do for an incident that is resolved."""
    from listener.desk import incident_moves as moves

    found = _moved(app, number, moves.close, text, quiet=as_json)
    done(found, f"{found.reference} is closed.", as_json)


@click.command("dismiss")
@click.argument("number", metavar="I3")
@click.argument("text", required=False)
@json_option
@pass_app
def dismiss(app: App, number: str, text: str | None, as_json: bool) -> None:
    """It was no incident: nothing is of it any more, and its cases are for themselves again. TEXT says why."""
    from listener.desk import incident_moves as moves

    found = _moved(app, number, moves.dismiss, text, quiet=as_json)
    done(found, f"{found.reference} is dismissed; what was attached to it is let go.", as_json)
