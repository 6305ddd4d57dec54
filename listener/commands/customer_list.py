"""`escucha customer list`: who is on record."""

from __future__ import annotations

import click

from listener.commands import looking
from listener.commands.app import App, pass_app
from listener.commands.customer_plain import as_plain
from listener.commands.output import json_option, print_json, say, table

LIMIT = 50


@click.command("list")
@click.option("--search", default="", metavar="WORDS", help="In reference, name, e-mail, phone and tier.")
@click.option("--limit", type=click.IntRange(1, 10_000_000), metavar="N", help=f"How many at most; {LIMIT} on screen.")
@json_option
@pass_app
def list_(app: App, *, search: str, limit: int | None, as_json: bool) -> None:
    """Every customer, or those that the words are found in."""
    from listener.store import customers

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


@click.command("csv")
@click.option("--search", default="", metavar="WORDS", help="In reference, name, e-mail, phone and tier.")
@pass_app
def csv_(app: App, *, search: str) -> None:
    """Write every record as CSV, as `customer import` reads it again.

    No cell of it is run as a formula by a spreadsheet program. Every record in it counts as looked at.
    """
    from listener.desk import exporting

    with app.store.read() as tx:
        fields = exporting.fields(tx, search=search)
        click.echo(exporting.header(fields), nl=False)
        for page in exporting.pages(tx, search=search):
            looking.at(app, [f"customer {each.reference}" for each in page], reason="csv")
            for each in page:
                click.echo(exporting.line(looking.masked(app, each), fields), nl=False)
