"""`escucha customer add|edit|note|field`: a record by hand."""

from __future__ import annotations

import click

from listener.commands import looking
from listener.commands.app import App, pass_app
from listener.commands.customer_plain import as_plain, find
from listener.commands.output import json_option, print_json, say, table
from listener.errors import AlreadyDone, Mistake

TYPES = ("text", "number", "money", "date", "yes_no", "choice")


@click.command("add")
@click.argument("ref")
@click.option("--name", required=True, help="The person's or company's name.")
@click.option("--email", default="", help="An address.")
@click.option("--phone", default="", help="A number, as it is dialled.")
@click.option("--language", default="", help="Two letters, such as es.")
@click.option("--tier", default="", help="How the company ranks them.")
@click.option("--tags", default="", help="Words between commas.")
@click.option("--since", default="", metavar="DAY", help="When they became a customer, such as 2019-05-31.")
@click.option("--again", is_flag=True, help="They were erased, and are a customer again.")
@json_option
@pass_app
def add(app: App, /, *, ref: str, again: bool, as_json: bool, **columns: str) -> None:
    """Add one customer."""
    from listener.desk import columns as shapes
    from listener.desk import people
    from listener.store import customers, erasures

    layout = shapes.Layout(columns=(("reference", ""), *((column, "") for column in columns)))
    person = people.read(layout, [ref, *columns.values()])
    if isinstance(person, str):
        raise Mistake(f"Not added: {person}.")
    with app.store.write() as tx:
        if customers.known(tx, [person.reference]):
            raise AlreadyDone(
                f"There is a customer {person.reference!r} already; see `escucha customer show {person.reference}`."
            )
        edit = people.merged(person, None)
        known_by = erasures.names_of(person.reference, edit.values.get("email"))
        if again:
            erasures.readmit(tx, known_by)
        elif erased := erasures.suppressed(tx, known_by):
            raise Mistake(f"Not added: {people.erased(min(erased.values()))}, say so with --again.")
        customers.write(tx, added=[edit], changed=[], by=app.actor, now=app.now(), source="command line")
        added = customers.get(tx, person.reference)
    if as_json:
        print_json(as_plain(added))
    else:
        say(f"{added.reference} is {added.name}. Their accounts: `escucha customer link {added.reference} NETWORK @…`")


@click.command("edit")
@click.argument("ref")
@click.option("--name", help="The person's or company's name.")
@click.option("--email", help='An address; "" takes it away.')
@click.option("--phone", help="A number, as it is dialled.")
@click.option("--language", help="Two letters, such as es.")
@click.option("--tier", help="How the company ranks them.")
@click.option("--tags", help="Words between commas: all of them, from now on.")
@click.option("--since", metavar="DAY", help="When they became a customer, such as 2019-05-31.")
@click.option("--set", "fields", metavar="FIELD=VALUE", multiple=True, help="A further field, by its type; repeatable.")
@json_option
@pass_app
def edit(app: App, /, *, ref: str, fields: tuple[str, ...], as_json: bool, **columns: str | None) -> None:
    """Change a record: what is named here, and nothing else. An empty value takes away."""
    from listener.desk import records
    from listener.store import customers

    wanted = {name: value for name, value in columns.items() if value is not None}
    pairs = dict(_pair(each) for each in fields)
    if not wanted and not pairs:
        raise Mistake("Nothing is named that should change; see `escucha customer edit --help`.")
    with app.store.write() as tx:
        found = find(tx, ref)
        changed = records.edit(tx, found, columns=wanted, fields=pairs, by=app.actor, now=app.now())
        after = customers.get(tx, found.reference)
    if as_json:
        looking.at(app, [f"customer {after.reference}"], reason="an edit")
        print_json(as_plain(after) | {"changed": changed})
    elif changed:
        say(f"{after.reference} ({after.name}): changed {', '.join(changed)}.")
    else:
        say(f"{after.reference} ({after.name}) is like that already.")


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise Mistake(f"{text[:60]!r} names no field; write it like --set 'balance=12.50 EUR'.")
    return name.strip(), value


@click.command("note")
@click.argument("ref")
@click.argument("text")
@json_option
@pass_app
def note(app: App, *, ref: str, text: str, as_json: bool) -> None:
    """Write a note on the record, for whoever talks to them next."""
    from listener.desk import records
    from listener.store import customer_notes

    with app.store.write() as tx:
        found = find(tx, ref)
        records.note(tx, found, text, by=app.actor, now=app.now())
        notes = customer_notes.of(tx, found.id)
    if as_json:
        looking.at(app, [f"customer {found.reference}"], reason="a note")
        print_json({"customer": found.reference, "notes": notes})
    else:
        say(f"Noted on {found.reference} ({found.name}).")


@click.command("field")
@click.argument("name", required=False)
@click.argument("kind", required=False, type=click.Choice(TYPES), metavar="[TYPE]")
@click.option("--currency", default="", metavar="EUR", help="Of money that names none.")
@click.option("--choice", "choices", multiple=True, metavar="WORD", help="What a choice can be; repeatable.")
@json_option
@pass_app
def field(
    app: App, *, name: str | None, kind: str | None, currency: str, choices: tuple[str, ...], as_json: bool
) -> None:
    """Say what a further field holds: text, number, money, date, yes_no or choice. Without NAME: those declared.

    Imports and edits read it by that type from then on, and policies compare it by that type.
    """
    from listener.desk import field_values
    from listener.store import field_types

    if name is not None and kind is None:
        raise Mistake(f"Say what {name[:60]!r} holds: {', '.join(TYPES)}.")
    if name is not None and kind is not None:
        declared = field_values.declared(name, kind, currency=currency, choices=choices)
        with app.store.write() as tx:
            field_types.declare(tx, [declared], by=app.actor, now=app.now())
    with app.store.read() as tx:
        known = list(field_types.all_of_them(tx).values())
    if as_json:
        print_json({"fields": known})
        return
    table(
        ("field", "holds", "currency", "choices"),
        [(each.name, each.kind, each.currency, each.choices) for each in known],
        empty="No field has a type yet; `escucha customer field NAME TYPE` declares one.",
        wide="choices",
    )
