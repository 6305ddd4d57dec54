"""`escucha customer list`: who is on record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from listener.commands import looking
from listener.commands.app import App, pass_app
from listener.commands.customer_plain import as_plain
from listener.commands.output import json_option, print_json, say, table
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.store.customers import Customer

LIMIT = 50


@click.command("list")
@click.option("--search", default="", metavar="WORDS", help="In reference, name, e-mail, phone and tier.")
@click.option("--limit", type=click.IntRange(1, 10_000_000), metavar="N", help=f"How many at most; {LIMIT} on screen.")
@click.option("--csv", "as_csv", is_flag=True, help="All of them as CSV, as `customer import` reads it.")
@json_option
@pass_app
def list_(app: App, *, search: str, limit: int | None, as_csv: bool, as_json: bool) -> None:
    """Every customer, or those that the words are found in."""
    from listener.store import customers

    if as_csv:
        _write_csv(app, search, limit)
        return
    reached = not looking.masks(app)
    with app.store.read() as tx:
        found = customers.listing(tx, search=search, reached=reached, limit=limit or LIMIT)
        total = customers.count(tx, search=search, reached=reached)
    looking.at(app, [f"customer {each.reference}" for each in found], reason="a list")
    found = [looking.masked(app, each) for each in found]
    if as_json:
        print_json({"customers": [as_plain(each) for each in found], "total": total})
        return
    rows = [(each.reference, each.name, each.tier, each.language, each.email or each.phone) for each in found]
    empty = "Nobody is found." if search else "There is no customer yet; `escucha customer import` brings them in."
    table(("reference", "name", "tier", "language", "reached by"), rows, empty=empty, wide="name")
    if total > len(found):
        say(f"{total - len(found)} more; see them with --limit {total}.")


def _write_csv(app: App, search: str, limit: int | None) -> None:
    """The records as a spreadsheet program opens them: no cell is run as a formula, every field has its column."""
    from listener.desk import exporting

    if looking.masks(app):
        raise Mistake("The records in full are for who works with customers: agents, supervisors and admins.")

    def looked(page: Sequence[Customer]) -> None:
        looking.at(app, [f"customer {each.reference}" for each in page], reason="a list")

    with app.store.read() as tx:
        for line in exporting.as_csv(tx, search=search, limit=limit, looked=looked):
            click.echo(line, nl=False)
