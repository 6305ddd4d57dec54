"""`escucha customer link|unlink|relink`: whose an account is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from listener.commands.app import App, pass_app
from listener.commands.customer_plain import BASES, basis_help, find, known_network
from listener.commands.output import complain, counted, json_option, print_json, say
from listener.types import LinkBasis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from listener.desk.parting import Parted
    from listener.store.moves import Put

MOST_SAID = 20  # things named one by one


@click.command("link")
@click.argument("ref")
@click.argument("network")
@click.argument("handle")
@click.option("--basis", type=click.Choice(BASES), required=True, help=basis_help)
@click.option("--evidence", default="", metavar="TEXT", help="Where it can be checked.")
@json_option
@pass_app
def link(app: App, *, ref: str, network: str, handle: str, basis: str, evidence: str, as_json: bool) -> None:
    """Say that an account is this customer's.

    Later decisions see the customer, and the account's open cases become theirs. An account that was not heard yet is
    linked when it is.
    """
    from listener.desk import customers as desk
    from listener.store import links

    network = known_network(app, network)
    with app.store.write() as tx:
        links.alone(tx)
        found = find(tx, ref)
        linked = desk.link(
            tx,
            found,
            network=network,
            handle=handle,
            basis=LinkBasis(basis),
            evidence=evidence.strip()[:1000],
            linkable=app.facts(network).linkable,
            by=app.actor,
            now=app.now(),
        )
    given = [case.reference for case in linked.cases]
    if as_json:
        print_json({"customer": found.reference, "network": network, "heard": linked.heard, "cases": given})
        return
    when = "now" if linked.heard else "as soon as it is heard"
    say(f"@{_bare(handle)} on {network} is {found.reference}'s ({found.name}), {when}.")
    if given:
        say(f"Theirs now: {', '.join(given)}.")


@click.command("unlink")
@click.argument("ref")
@click.argument("network")
@click.argument("handle")
@click.option("--keep-cases", is_flag=True, help="The link was right until now: what was done under it stays.")
@json_option
@pass_app
def unlink(app: App, *, ref: str, network: str, handle: str, keep_cases: bool, as_json: bool) -> None:
    """Take a wrong link back, with what it brought.

    The account's cases and mentions leave the customer, what decisions saw of the customer's record is emptied, and
    drafts written with it in view are withdrawn and made anew. `escucha customer relink` puts it all back.
    """
    from listener.desk import unlinking
    from listener.store import links

    network = known_network(app, network)
    with app.store.write() as tx:
        links.alone(tx)
        found = find(tx, ref)
        done = unlinking.unlink(
            tx,
            found,
            network=network,
            handle=handle,
            pattern=app.config.cases.pattern,
            by=app.actor,
            now=app.now(),
            keep_cases=keep_cases,
        )
    returned = [case.reference for case in done.returned]
    still = [case.reference for case in done.still_theirs]
    if as_json:
        print_json(
            {
                "customer": found.reference,
                "network": network,
                "cases_returned": returned,
                "mentions_moved": parted_plain(done.parted),
                "decided_again": list(done.again),
                "cases_still_theirs": still,
            }
        )
        return
    say(f"@{_bare(handle)} on {network} is no longer {found.reference}'s.")
    if returned:
        say(f"Theirs no more, but the account's own: {', '.join(returned)}.")
    say_parted(done.parted)
    if done.again:
        say(f"{counted(len(done.again), 'draft')} withdrawn, and made anew: {_mentions(done.again)}.")
    if still:
        say(f"Still open in their name: {', '.join(still)}.")


@click.command("relink")
@click.argument("ref")
@click.argument("network")
@click.argument("handle")
@json_option
@pass_app
def relink(app: App, *, ref: str, network: str, handle: str, as_json: bool) -> None:
    """Put back a link that was taken back, with the cases that went with it."""
    from listener.desk import unlinking
    from listener.store import links

    network = known_network(app, network)
    with app.store.write() as tx:
        links.alone(tx)
        found = find(tx, ref)
        done = unlinking.relink(
            tx,
            found,
            network=network,
            handle=handle,
            pattern=app.config.cases.pattern,
            by=app.actor,
            now=app.now(),
        )
    theirs = [case.reference for case in done.cases]
    if as_json:
        print_json(
            {
                "customer": found.reference,
                "network": network,
                "basis": done.basis,
                "cases": theirs,
                "not_put_back": left_plain(done.left),
            }
        )
        return
    say(f"@{_bare(handle)} on {network} is {found.reference}'s again ({done.basis}).")
    if theirs:
        say(f"Theirs again: {', '.join(theirs)}.")
    say_left(done.left)


def say_parted(parted: Sequence[Parted]) -> None:
    """Which mentions left which case, and where a person should look."""
    for each in parted[:MOST_SAID]:
        say(f"{_mentions(each.mentions)} left {each.came_from.reference} for {each.now_in.reference}.")
    for each in parted[:MOST_SAID]:
        if each.worked_on:
            complain(f"{each.came_from.reference} has notes that may tell of both people: read them.")


def parted_plain(parted: Sequence[Parted]) -> list[dict[str, Any]]:
    """The same for programs; these keys stay."""
    return [
        {
            "mentions": list(each.mentions),
            "from": each.came_from.reference,
            "to": each.now_in.reference,
            "has_notes": each.worked_on,
        }
        for each in parted
    ]


def say_left(left: Sequence[Put]) -> None:
    """What could not be put back, for it was changed since."""
    for put in left_plain(left)[:MOST_SAID]:
        complain(f"Not put back, for it was changed since: {put['column']} of {put['table']} {put['row']}.")


def left_plain(left: Sequence[Put]) -> list[dict[str, Any]]:
    """The same for programs; these keys stay."""
    return [
        {
            "table": put.table,
            "row": ", ".join(str(value) for value in put.key.values()),
            "column": put.column,
        }
        for put in left
    ]


def _mentions(numbers: Sequence[int]) -> str:
    shown = ", ".join(f"M{number}" for number in numbers[:MOST_SAID])
    return shown + (f" and {len(numbers) - MOST_SAID} more" if len(numbers) > MOST_SAID else "")


def _bare(handle: str) -> str:
    return handle.strip().removeprefix("@")
