"""`escucha pause`, `resume`: the stop, and what is asked before things go on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import click

from listener.commands import output
from listener.commands.app import App, pass_app
from listener.errors import Mistake, Outage
from listener.types import SendKind

if TYPE_CHECKING:
    from datetime import datetime

    from listener.desk.resuming import Fate, Resumed, Stale
    from listener.desk.stopping import Scope, Stopped
    from listener.store.switch import Pause
    from listener.store.underway import Underway

WORDS = {
    SendKind.AUTOMATIC: "automatic replies",
    SendKind.MASS: "mass replies",
    SendKind.REPLY: "replies that people approved",
    SendKind.MESSAGE: "messages to one person alone",
    SendKind.NOTICE: "notices",
    SendKind.SCHEDULED: "scheduled notices",
    SendKind.AMENDMENT: "corrections of notices",
}
LONGEST_REASON = 300  # a longer one is cut: nothing that is typed may keep a stop from being one
LISTED = 40  # stale things shown before it is asked what becomes of them
ASKED = "[s]end, [d]rop, back to a [p]erson, [o]ne by one, [q]uit and stay paused"
ONE = "[s]end, [d]rop, back to a [p]erson"

_networks = click.option("--network", "networks", multiple=True, metavar="NAME", help="Only this one. Repeat for more.")
_kinds = click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in SendKind]),
    help="Only this kind of what goes out. Repeat for more.",
)


@click.command()
@_networks
@_kinds
@click.option("--reason", default="", help="Why, for whoever looks at status.")
@click.option("--wait", default=60.0, show_default=True, help="Seconds to wait for a send that is under way.")
@output.json_option
@pass_app
def pause(
    app: App, *, networks: tuple[str, ...], kinds: tuple[str, ...], reason: str, wait: float, as_json: bool
) -> None:
    """Stop sending, at once and in every process.

    When this returns with 0, nothing more goes out: a send that was under way has ended. Exit code 3: it is paused, but
    a send that had begun was not over when the wait was.
    """
    from listener.desk import stopping

    scopes = _scopes(networks, kinds)
    known = {account.network for account in app.config.accounts.values()}
    for network in networks:
        if network not in known:
            raise Mistake(f"No account of {app.config_path} is on {network!r}.")
    try:
        done = stopping.stop(
            app.store,
            scopes,
            by=app.actor,
            reason=output.clip(reason, LONGEST_REASON),
            now=app.now(),
            wait=wait,
            tell=lambda left: _tell(left) if left else None,
        )
    except Outage as error:
        raise Outage(
            f"It may be that nothing is paused. {error} Until the database can be written, end every `escucha run` and "
            "`notice publish` instead: then nothing goes out."
        ) from error
    if as_json:
        output.print_json(_stopped_as_json(done, scopes))
    for scope in scopes if not as_json else ():
        _say_paused(scope, done, app.now())
    if not done.is_complete:
        raise output.SomeFailed(_still_going(done, wait))


def _tell(left: Sequence[Underway]) -> None:
    output.complain(f"{_counted(left)}; waiting for {'its' if len(left) == 1 else 'their'} end …")


def _counted(left: Sequence[Underway]) -> str:
    """`1 reply is being sent on care`, `2 replies and 1 notice are being sent on care, brand`."""
    plural = {"reply": "replies"}
    whats = [
        f"{number} {what if number == 1 else plural.get(what, f'{what}s')}"
        for what in dict.fromkeys(each.what for each in left)
        if (number := sum(each.what == what for each in left))
    ]
    accounts = ", ".join(dict.fromkeys(each.account for each in left))
    return f"{' and '.join(whats)} {'is' if len(left) == 1 else 'are'} being sent on {accounts}"


def _still_going(done: Stopped, wait: float) -> str:
    if done.claiming:
        what = "A sender was about to begin, in a transaction that does not end"
    else:
        what = f"{_counted(done.left)} still"
    return (
        f"Nothing new is sent any more, but after {wait:g} s: {what}. It may yet appear on the network. Its process "
        "may hang, be suspended or have lost the database: end it, then run `escucha pause` again to be sure."
    )


def _say_paused(scope: Scope, done: Stopped, now: datetime) -> None:
    before = done.known.get(scope.name)
    if before:
        why = f": {before.reason}" if before.reason else ""
        since = output.ago(before.at, now)
        output.say(f"Already paused: {_what(scope)} (by {before.by}, {since}{why}).")
    else:
        output.say(f"Paused: {_what(scope)}.")
    if done.is_complete:
        if scope.kind:
            output.say(f"None of them is being sent. Go on with `{_go_on(scope)}`.")
        else:
            output.say(f"Nothing is being sent. Go on with `{_go_on(scope)}`.")


def _stopped_as_json(done: Stopped, scopes: Sequence[Scope]) -> dict[str, Any]:
    return {
        "paused": [_scope_as_json(scope) | {"already": scope.name in done.known} for scope in scopes],
        "waited_for": done.waited,
        "still_sending": done.left,
        "claims_under_way": done.claiming,
        "complete": done.is_complete,
    }


@click.command()
@_networks
@_kinds
@click.option("--all", "everything", is_flag=True, help="Lift every pause there is.")
@click.option(
    "--stale",
    type=click.Choice(["send", "drop", "review"]),
    help="What becomes of all that is stale, without being asked. review: a person sees it again.",
)
@output.json_option
@pass_app
def resume(
    app: App, *, networks: tuple[str, ...], kinds: tuple[str, ...], everything: bool, stale: str | None, as_json: bool
) -> None:
    """Send again. What became stale meanwhile is listed, and you say what becomes of it.

    Without --network and --kind, what paused everything is lifted; narrower pauses stay.
    """
    from listener.desk import resuming
    from listener.desk.resuming import Fate
    from listener.desk.stopping import Scope
    from listener.store import switch

    if everything and (networks or kinds):
        raise Mistake("--all lifts every pause; leave --network and --kind out.")
    scopes = _scopes(networks, kinds)
    now = app.now()
    with app.store.read() as tx:
        if everything:
            scopes = [
                Scope(network=each.network or None, kind=SendKind(each.kind) if each.kind else None)
                for each in switch.pauses(tx)
            ]
        found = resuming.stale(tx, scopes, now=now)
        stops = switch.pauses(tx)
    if found and as_json and not stale:
        output.print_json(_resumed_as_json((), stops, [(each, None) for each in found], 0))
    elif found and not as_json:
        _list_stale(found, now)
    if stale:
        fates: dict[str, Fate] | None = resuming.all_at_once(found, Fate(stale))
    else:
        fates = _ask(found, may_ask=not as_json) if found else {}
    if fates is None:
        output.say("Still paused; nothing was changed.")
        return
    with app.store.write() as tx:
        done = resuming.resume(tx, scopes, fates=fates, by=app.actor, now=app.now())
    if as_json:
        output.print_json(_resumed_as_json(done.lifted, done.still, done.done, done.free))
        return
    _say_resumed(done, scopes)


def _list_stale(found: Sequence[Stale], now: datetime) -> None:
    became = "became" if len(found) > 1 else "has become"
    output.say(f"{output.counted(len(found), 'thing')} {became} stale while sending was paused:")
    shown = found[:LISTED]
    output.table(
        ["what", "account", "held", "why"],
        [[each.number, ", ".join(each.accounts), output.spell(now - each.since), each.why] for each in shown],
        empty="",
        wide="why",
    )
    if len(found) > len(shown):
        output.say(f"… and {len(found) - len(shown)} more; --json lists them all.")


def _ask(found: Sequence[Stale], *, may_ask: bool) -> dict[str, Fate] | None:
    """What becomes of each; None where all stays paused. Raises Mistake where nobody answers."""
    from listener.desk.resuming import Fate, all_at_once

    letters = {"s": Fate.SEND, "d": Fate.DROP, "p": Fate.REVIEW}
    try:
        if not may_ask:
            raise click.Abort
        answer = _letter(f"All of it: {ASKED}?", (*letters, "o", "q"))
        if answer == "q":
            return None
        if answer != "o":
            return all_at_once(found, letters[answer])
        return {each.number: letters[_letter(f"{each.number}: {ONE}?", tuple(letters))] for each in found}
    except click.Abort as nobody:
        numbers = output.clip(", ".join(each.number for each in found), 60)
        raise Mistake(
            f"Still paused, for this became stale: {numbers}. Say what becomes of it with --stale send, --stale drop "
            "or --stale review (a person sees it again)."
        ) from nobody


def _letter(question: str, letters: tuple[str, ...]) -> str:
    return str(click.prompt(question, type=click.Choice(letters), show_choices=False, prompt_suffix=" "))


def _say_resumed(done: Resumed, scopes: Sequence[Scope]) -> None:
    became = {"send": "to be sent", "drop": "dropped", "review": "back with a person"}
    if not scopes:
        output.say("Nothing was paused.")
    for scope in scopes:
        if scope not in done.lifted:
            words = _what(scope).capitalize() if scope.kind else scope.network or "Everything as a whole"
            output.say(f"{words} {'were' if scope.kind else 'was'} not paused.")
    for hold in done.still:
        output.say(f"Still paused: {hold.scope} (by {hold.by}).")
    for fate, words in became.items():
        numbers = [each.number for each, one in done.done if one.value == fate]
        if numbers:
            output.say(f"{words.capitalize()}: {', '.join(numbers)}.")
    if done.lifted and not any(hold.scope == "all" for hold in done.still):
        go, their = ("goes", "its") if done.free == 1 else ("go", "their")
        output.say(f"Sending again. {output.counted(done.free, 'approved draft')} {go} out when {their} turn comes.")


def _resumed_as_json(
    lifted: Sequence[Scope], still: Sequence[Pause], stale: Sequence[tuple[Stale, Fate | None]], free: int
) -> dict[str, Any]:
    return {
        "lifted": [_scope_as_json(scope) for scope in lifted],
        "still_paused": still,
        "stale": [output.plain(each) | {"became": fate} for each, fate in stale],
        "approved_drafts": free,
    }


def _scope_as_json(scope: Scope) -> dict[str, Any]:
    return {"scope": scope.name, "network": scope.network or "", "kind": scope.kind or ""}


def _scopes(networks: tuple[str, ...], kinds: tuple[str, ...]) -> list[Scope]:
    from listener.desk.stopping import Scope

    return [
        Scope(network=network, kind=SendKind(kind) if kind else None)
        for network, kind in dict.fromkeys(product(networks or (None,), kinds or (None,)))
    ]


def _what(scope: Scope) -> str:
    if scope.kind is None:
        return scope.network or "everything"
    return WORDS[scope.kind] + (f" on {scope.network}" if scope.network else "")


def _go_on(scope: Scope) -> str:
    network = f" --network {scope.network}" if scope.network else ""
    return f"escucha resume{network}{f' --kind {scope.kind}' if scope.kind else ''}"


def lifting(pause: Pause) -> str:
    """The command that lifts it."""
    from listener.desk.stopping import Scope

    return _go_on(Scope(network=pause.network or None, kind=SendKind(pause.kind) if pause.kind else None))
