"""`escucha customer merge|unmerge`: two records of one person."""

from __future__ import annotations

from collections.abc import Mapping

import click

from listener.commands.app import App, pass_app
from listener.commands.customer_links import left_plain, parted_plain, say_left, say_parted
from listener.commands.customer_plain import find_as_it_is
from listener.commands.output import counted, json_option, print_json, say

THINGS = {  # what people call a row of each table
    "links": "account",
    "expected_links": "account not heard yet",
    "link_codes": "code",
    "link_suggestions": "suggestion",
    "cases": "case",
    "contact_points": "contact point",
    "consents": "consent",
    "customer_notes": "note",
    "contracts": "contract",
    "payments": "payment record",
    "products": "product",
}


@click.command("merge")
@click.argument("ref")
@click.argument("other")
@json_option
@pass_app
def merge(app: App, *, ref: str, other: str, as_json: bool) -> None:
    """Say that OTHER is a second record of the same person.

    REF rules from then on; accounts, cases and what else hung on OTHER go to it, and what REF's record lacks is filled
    from it. OTHER keeps its row: `escucha customer unmerge OTHER` gives back what was its.
    """
    from listener.desk import merging
    from listener.store import links

    with app.store.write() as tx:
        links.alone(tx)
        one, two = find_as_it_is(tx, ref), find_as_it_is(tx, other)
        done = merging.merge(tx, one, two, by=app.actor, now=app.now())
    if as_json:
        print_json(
            {
                "customer": one.reference,
                "merged": two.reference,
                "moved": dict(done.moved),
                "kept_there": dict(done.kept),
                "filled": list(done.filled),
            }
        )
        return
    say(f"{two.reference} ({two.name}) is {one.reference} ({one.name}) from now on.")
    if done.moved:
        say(f"Moved: {_counted(done.moved)}.")
    if done.kept:
        say(f"Left with {two.reference}, for {one.reference} has the same: {_counted(done.kept)}.")
    if done.filled:
        say(f"Filled in {one.reference}'s record: {', '.join(done.filled)}.")
    say(f"To take it back: escucha customer unmerge {two.reference}")


@click.command("unmerge")
@click.argument("ref")
@json_option
@pass_app
def unmerge(app: App, *, ref: str, as_json: bool) -> None:
    """Make a record that was merged into another one a record of its own again.

    What it brought goes back to it, and what its accounts brought since; what nobody can tell apart stays with the
    other one, and is named.
    """
    from listener.desk import merging
    from listener.store import links

    with app.store.write() as tx:
        links.alone(tx)
        done = merging.unmerge(
            tx, find_as_it_is(tx, ref), pattern=app.config.cases.pattern, by=app.actor, now=app.now()
        )
    returned = [case.reference for case in done.returned]
    if as_json:
        print_json(
            {
                "customer": done.other.reference,
                "was_merged_into": done.customer.reference,
                "cases_returned": returned,
                "mentions_moved": parted_plain(done.parted),
                "not_put_back": left_plain(done.left),
                "stays_there": dict(done.stays),
            }
        )
        return
    say(f"{done.other.reference} ({done.other.name}) is a record of its own again.")
    if returned:
        say(f"Theirs again: {', '.join(returned)}.")
    say_parted(done.parted)
    say_left(done.left)
    if done.stays:
        came = _counted(done.stays)
        say(f"Came since and stays with {done.customer.reference}: {came}. Whose it is, nobody can tell but you.")


def _counted(rows: Mapping[str, int]) -> str:
    return ", ".join(counted(count, THINGS.get(name, name)) for name, count in rows.items())
