"""`escucha incident attach` and `detach`: which mentions are of an incident, by a person's word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from listener.commands.app import App, pass_app
from listener.commands.case_open import mention_number
from listener.commands.case_typed import typed
from listener.commands.incident_plain import as_plain
from listener.commands.output import SomeFailed, complain, json_option, print_json, say
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.store import Transaction
    from listener.store.incidents import Incident


@click.command("attach")
@click.argument("number", metavar="I3")
@click.argument("mentions", nargs=-1, required=True, metavar="M12 [M15 …]")
@click.option("--why", default="", metavar="TEXT", help="Why it is of it, for whoever asks.")
@click.option("--move", is_flag=True, help="Take it off the other incident that it is of.")
@json_option
@pass_app
def attach(app: App, *, number: str, mentions: tuple[str, ...], why: str, move: bool, as_json: bool) -> None:
    """Count mentions to an incident by hand; their cases become parts of its own.

    Whatever else means the same as what you attached is attached by itself from then on. `detach` takes it back.
    """
    from listener.desk import incident_life as life
    from listener.store import mentions as heard

    words = typed(why, "reason", 500) if why else ""

    def one(tx: Transaction, incident: Incident, mention: int) -> str:
        found = heard.get(tx, mention)
        _check_open(tx, mention)
        before = life.attach(tx, incident, found, why=words, by=app.actor, now=app.now(), move=move)
        return f"M{mention} is of {incident.reference} now{f', not of {before.reference}' if before else ''}."

    _each(app, number, mentions, one, kind="attached", as_json=as_json)


@click.command("detach")
@click.argument("number", metavar="I3")
@click.argument("mentions", nargs=-1, required=True, metavar="M12 [M15 …]")
@json_option
@pass_app
def detach(app: App, *, number: str, mentions: tuple[str, ...], as_json: bool) -> None:
    """Take mentions off an incident: no rule brings them back, `attach` does."""
    from listener.desk import incident_life as life

    def one(tx: Transaction, incident: Incident, mention: int) -> str:
        _check_open(tx, mention)
        life.detach(tx, incident, mention, by=app.actor, now=app.now())
        return f"M{mention} is of {incident.reference} no longer."

    _each(app, number, mentions, one, kind="detached", as_json=as_json)


def _check_open(tx: Transaction, mention: int) -> None:
    """Raises Mistake where whoever acts may not read it: its case is not theirs to make a part of anything."""
    from listener.store import attached
    from listener.store import mentions as heard

    heard.get(tx, mention)
    if not attached.open_to_read(tx, [mention]):
        raise Mistake(f"M{mention} was written in private, in a case that you do not see; ask a supervisor.")


def _each(
    app: App,
    number: str,
    mentions: Sequence[str],
    one: Callable[[Transaction, Incident, int], str],
    *,
    kind: str,
    as_json: bool,
) -> None:
    """Does it with each mention in a transaction of its own; names those with which it cannot be done."""
    from listener.desk import incidents as desk
    from listener.store import incidents

    wanted = desk.number(number)
    with app.store.read() as tx:
        incidents.get(tx, wanted)
    did, failed = [], []
    for typed_one in dict.fromkeys(mentions):
        try:
            mention = mention_number(typed_one)
            with app.store.write() as tx:
                incident = incidents.hold(tx, wanted)
                sentence = one(tx, incident, mention)
                incidents.record(tx, incident, kind, by=app.actor, now=app.now(), mentions=[f"M{mention}"])
        except Mistake as mistake:
            if len(mentions) == 1:
                raise
            complain(str(mistake))
            failed.append(typed_one[:20])
            continue
        did.append(f"M{mention}")
        if not as_json:
            say(sentence)
    if as_json:
        with app.store.read() as tx:
            print_json({**as_plain(incidents.get(tx, wanted)), kind: did, "failed": failed})
    if failed:
        raise SomeFailed(f"{len(failed)} of {len(mentions)} not done: {', '.join(failed)}.")
