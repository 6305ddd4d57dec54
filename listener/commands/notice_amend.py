"""`escucha notice pin`, `unpin` and `delete`: what is done to a notice that is out without changing its words."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from listener.commands import amend_screen, output
from listener.commands import notice_screen as screen
from listener.commands.app import App, pass_app
from listener.commands.notice_found import found_notice
from listener.errors import EscuchaError, Mistake
from listener.types import AmendmentKind, DeliveryState, Facts, NoticeState

if TYPE_CHECKING:
    from listener.store.notices import Delivery, Notice


@click.command()
@click.argument("number")
@click.argument("where", metavar="[ACCOUNT[/LANGUAGE]]", required=False)
@output.json_option
@pass_app
def pin(app: App, number: str, where: str | None, as_json: bool) -> None:
    """Set a notice that is out above the account's other posts.

    Of a thread its first part is pinned. Bluesky and others have few places: the newest pin takes the oldest one's.
    """
    found, there, lost = _there(app, number, where)
    firsts = [each for each in there if each.part == 1]
    able, refused = _able(app, firsts, lambda facts: facts.pins > 0, "has no way to pin a post")
    chosen: list[Delivery] = []
    for each in able:
        places = app.unasked(each.account).facts.pins
        if sum(other.account == each.account for other in chosen) < places:
            chosen.append(each)
        else:
            refused.append(
                f"{screen.where(each)}: {each.network} pins {places} at most; to have this one instead: "
                f"`escucha notice pin N{found.id} {each.account}/{each.language}`"
            )
    _order(app, found, AmendmentKind.PIN, chosen=chosen, refused=[*lost, *refused], as_json=as_json)


@click.command()
@click.argument("number")
@click.argument("where", metavar="[ACCOUNT[/LANGUAGE]]", required=False)
@output.json_option
@pass_app
def unpin(app: App, number: str, where: str | None, as_json: bool) -> None:
    """Let a pinned notice stand among the account's other posts again."""
    found, there, lost = _there(app, number, where)
    firsts = [each for each in there if each.part == 1]
    able, refused = _able(app, firsts, lambda facts: facts.pins > 0, "has no way to pin a post")
    _order(app, found, AmendmentKind.UNPIN, chosen=able, refused=[*lost, *refused], as_json=as_json)


@click.command()
@click.argument("number")
@click.argument("where", metavar="[ACCOUNT[/LANGUAGE]]", required=False)
@click.option("--yes", is_flag=True, help="Ask nothing.")
@output.json_option
@pass_app
def delete(app: App, number: str, where: str | None, yes: bool, as_json: bool) -> None:
    """Take back what of a notice is out, for good; what has not gone out yet is stopped.

    A thread goes from its last part to its first. What others answered stays where it is.
    """
    from listener.store import notices

    found, there, lost = _there(app, number, where)
    places = {(each.account, each.language) for each in there}
    _stop_if_half_out(found, [each for each in found.deliveries if (each.account, each.language) in places], where)
    able, refused = _able(app, there, lambda facts: facts.deletes, "has no way to take a post back")
    price = sum(app.unasked(each.account).facts.costs.get("delete", 0.0) for each in able)
    if able and not yes:
        if as_json or not sys.stdin.isatty():
            raise Mistake(f"This takes {output.counted(len(able), 'message')} of N{found.id} back for good; say --yes.")
        for each in able:
            output.say(f"{screen.where(each)}: {each.posted_url or each.posted_id}")
        cost = f" It costs about {price:.2f} USD." if price else ""
        if not click.confirm(f"Delete {output.counted(len(able), 'message')} of N{found.id} for good?{cost}"):
            output.say(f"N{found.id} stays as it is.")
            return
    if able and found.state is NoticeState.PUBLISHING and where is None:
        with app.store.write() as tx:
            found = notices.withdraw(tx, found, by=app.actor, now=app.now())
    _order(app, found, AmendmentKind.DELETE, chosen=able, refused=[*lost, *refused], as_json=as_json)


def _there(app: App, number: str, where: str | None) -> tuple[Notice, list[Delivery], list[str]]:
    """The notice, what of it is out there, and a sentence for whatever is out nobody knows where."""
    from listener.desk import amending
    from listener.store import amendments

    found = found_notice(app, number)
    with app.store.read() as tx:
        there = amending.out(found, amendments.of_notice(tx, found.id))
    lost = [amend_screen.lost(each) for each in amending.unaddressed(found, where)]
    if lost and not there:
        raise Mistake("\n".join(f"{sentence}." for sentence in lost))
    return found, amending.meant(there, where, found), lost


def _stop_if_half_out(found: Notice, concerned: Sequence[Delivery], where: str | None) -> None:
    """Raises Mistake where something would still go out, or nobody knows whether it is."""
    unsure = [each for each in concerned if each.state in (DeliveryState.SENDING, DeliveryState.UNKNOWN)]
    if unsure:
        raise Mistake(
            f"Nobody knows yet whether {screen.where(unsure[0])} is out; `escucha notice publish N{found.id}` looks "
            "for it, then delete it."
        )
    waiting = [each for each in concerned if each.state is DeliveryState.WAITING]
    if where and waiting and found.state is NoticeState.PUBLISHING:
        raise Mistake(
            f"{screen.where(waiting[0])} is still to go out; `escucha notice withdraw N{found.id}` stops that first."
        )


def _able(
    app: App, there: Sequence[Delivery], can: Callable[[Facts], bool], why_not: str
) -> tuple[list[Delivery], list[str]]:
    """Those whose network can do it, and a sentence for each other one."""
    able: list[Delivery] = []
    refused: list[str] = []
    for each in there:
        try:
            facts = app.unasked(each.account).facts
        except EscuchaError as error:
            refused.append(f"{screen.where(each)}: {str(error).rstrip('.')}")
            continue
        if can(facts):
            able.append(each)
        else:
            link = f": {each.posted_url}" if each.posted_url else ""
            refused.append(f"{screen.where(each)}: {each.network} {why_not} through Escucha; do it there by hand{link}")
    return able, refused


def _order(
    app: App,
    found: Notice,
    kind: AmendmentKind,
    *,
    chosen: Sequence[Delivery],
    refused: Sequence[str],
    as_json: bool,
) -> None:
    """Writes it down, does it, and says what came of it."""
    from listener.store import amendments
    from listener.store.amendments import Change

    if not chosen:
        raise Mistake("\n".join(f"{sentence}." for sentence in refused))
    changes = [Change(delivery=each, kind=kind) for each in chosen]
    with app.store.write() as tx:
        amendments.order(tx, found.id, changes, by=app.actor, now=app.now())
    every, left = amend_screen.do(app, found.id, quiet=as_json)
    wanted = {each.id for each in chosen}
    newest = {each.delivery_id: each for each in every if each.kind is kind and each.delivery_id in wanted}
    mine = list(newest.values())
    if as_json:
        output.print_json(
            {
                "notice": f"N{found.id}",
                "amendments": [amend_screen.as_json(each, left) for each in mine],
                "refused": list(refused),
            }
        )
    missing = amend_screen.undone(mine, left, quiet=as_json)
    for sentence in refused if not as_json else ():
        output.say(f"✗ {sentence}.")
    if missing or refused:
        raise output.SomeFailed(
            f"{missing + len(refused)} of {len(chosen) + len(refused)} of N{found.id} not "
            f"{amend_screen.DONE[kind]}; the same command again goes on with what is missing."
        )
