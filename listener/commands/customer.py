"""`escucha customer`: the company's records of people, and the accounts that are theirs."""

from __future__ import annotations

import click

from listener.commands import (
    customer_contact,
    customer_import,
    customer_list,
    customer_privacy,
    customer_record,
    customer_show,
)
from listener.commands.app import App, pass_app
from listener.commands.customer_plain import BASES, basis_help, find
from listener.commands.output import json_option, print_json, say
from listener.errors import Mistake
from listener.types import LinkBasis


@click.group()
def customer() -> None:
    """Customers: their records, how they are reached, what they allowed, and the accounts that are theirs.

    REF is the reference by which the company knows the customer.
    """


for command in (
    customer_import.import_,
    customer_record.add,
    customer_record.edit,
    customer_record.note,
    customer_record.field,
    customer_contact.contact,
    customer_contact.consent,
    customer_list.list_,
    customer_show.show,
    customer_privacy.erase,
    customer_privacy.hold,
    customer_privacy.release,
):
    customer.add_command(command)


# --- whose an account is ---


@customer.command("link")
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

    network = _known_network(app, network)
    with app.store.write() as tx:
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
    bare = handle.strip().removeprefix("@")
    when = "now" if linked.heard else "as soon as it is heard"
    say(f"@{bare} on {network} is {found.reference}'s ({found.name}), {when}.")
    if given:
        say(f"Theirs now: {', '.join(given)}.")


@customer.command("unlink")
@click.argument("ref")
@click.argument("network")
@click.argument("handle")
@json_option
@pass_app
def unlink(app: App, *, ref: str, network: str, handle: str, as_json: bool) -> None:
    """Take a link back. Cases that name the customer go on naming them."""
    from listener.desk import customers as desk

    network = _known_network(app, network)
    with app.store.write() as tx:
        found = find(tx, ref)
        kept = desk.unlink(tx, found, network=network, handle=handle, by=app.actor, now=app.now())
    still = [case.reference for case in kept]
    if as_json:
        print_json({"customer": found.reference, "network": network, "cases_still_theirs": still})
        return
    say(f"@{handle.strip().removeprefix('@')} on {network} is no longer {found.reference}'s.")
    if still:
        say(f"Still open in their name: {', '.join(still)}.")


def _known_network(app: App, name: str) -> str:
    known = list(app.connectors.available())
    if name.casefold() not in known:
        raise Mistake(f"There is no network {name!r}; there are: {', '.join(known)}.")
    return name.casefold()
