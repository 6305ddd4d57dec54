"""`escucha customer contact|consent`: where they can be reached, and what they allowed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from listener.commands import looking
from listener.commands.app import App, pass_app
from listener.commands.customer_plain import find
from listener.commands.output import json_option, plain, print_json, say, table
from listener.errors import Mistake
from listener.reach import KINDS

if TYPE_CHECKING:
    from listener.desk.records import Way
    from listener.store import Transaction
    from listener.store.customers import Customer


@click.command()
@click.argument("ref")
@click.argument("kind", required=False, type=click.Choice(KINDS), metavar="[KIND]")
@click.argument("value", required=False)
@click.option("--preferred/--not-preferred", default=None, help="Whether they would rather be reached there.")
@click.option("--verified/--not-verified", default=None, help="Whether we made sure that it is theirs.")
@click.option("--do-not-use/--may-use", default=None, help="Whether nobody may reach them there.")
@click.option("--remove", is_flag=True, help="Take it away.")
@click.option("--purpose", default="care", show_default=True, help="What for; marketing needs their consent.")
@json_option
@pass_app
def contact(
    app: App,
    *,
    ref: str,
    kind: str | None,
    value: str | None,
    preferred: bool | None,
    verified: bool | None,
    do_not_use: bool | None,
    remove: bool,
    purpose: str,
    as_json: bool,
) -> None:
    """Where a customer is reached. With KIND and VALUE: add that contact point, or say what holds of it.

    KIND is mail, phone, chat, post or account (network:handle). The record's own e-mail and phone are changed with
    `customer edit`.
    """
    from listener.desk import records

    marks = {"preferred": preferred, "verified": verified, "do_not_use": do_not_use}
    said = {name: mark for name, mark in marks.items() if mark is not None}
    if (kind is None) is not (value is None) or (kind is None and (said or remove)):
        raise Mistake("Name the contact point: `customer contact REF mail ana@example.org`.")
    if preferred and do_not_use:
        raise Mistake("What must not be used cannot be preferred; say one of the two.")
    if remove and said:
        raise Mistake("What is taken away needs nothing said of it; leave --remove or the others out.")
    what_for = records.check_word("purpose", purpose)
    if kind is None or value is None:
        with app.store.read() as tx:
            found = find(tx, ref)
            ways = _ways(tx, found, what_for)
    else:
        with app.store.write() as tx:
            found = find(tx, ref)
            if remove:
                records.remove_contact(tx, found, kind=kind, written=value, by=app.actor, now=app.now())
            else:
                records.put_contact(tx, found, kind=kind, written=value, said=said, by=app.actor, now=app.now())
            ways = _ways(tx, found, what_for)
    looking.at(app, [f"customer {found.reference}"], reason="contact points")
    if as_json:
        print_json({"customer": found.reference, "contacts": [way_plain(way) for way in ways]})
        return
    say(f"{found.reference} ({found.name})")
    print_ways(ways)


def _ways(tx: Transaction, customer: Customer, purpose: str) -> list[Way]:
    from listener.desk import records
    from listener.store import consents, contacts

    return records.ways(contacts.of(tx, customer.id), consents.current(tx, customer.id), purpose)


def way_plain(way: Way) -> dict[str, Any]:
    """A contact point for programs; these keys stay."""
    values = {name: value for name, value in plain(way.point).items() if name not in ("id", "added_at")}
    return {**values, "usable": not way.why_not, "why_not": way.why_not}


def print_ways(ways: list[Way]) -> None:
    """Contact points for people."""
    rows = [
        (
            way.point.kind,
            way.point.written,
            ", ".join(
                filter(None, ("preferred" * way.point.preferred, "verified" * (way.point.verified_at is not None)))
            ),
            way.why_not or "yes",
        )
        for way in ways
    ]
    table(("by", "contact", "known as", "may be used"), rows, empty="No contact point.", wide="contact")


@click.command("consent")
@click.argument("ref")
@click.argument("purpose", required=False)
@click.option("--given/--withdrawn", default=None, help="What they said.")
@click.option("--channel", default="any", show_default=True, help="mail, phone, chat, post, or any.")
@click.option("--source", default="", metavar="TEXT", help="Where it can be checked.")
@click.option("--on", "said_on", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="When they said it; today.")
@json_option
@pass_app
def consent(
    app: App,
    *,
    ref: str,
    purpose: str | None,
    given: bool | None,
    channel: str,
    source: str,
    said_on: datetime | None,
    as_json: bool,
) -> None:
    """Note what a customer allowed or took back, such as marketing by mail. Without PURPOSE: all that was said."""
    from listener.desk import records
    from listener.store import consents

    if (purpose is None) is not (given is None):
        raise Mistake("Name the purpose and what they said: `customer consent REF marketing --withdrawn`.")
    if purpose is not None and given is not None:
        with app.store.write() as tx:
            found = find(tx, ref)
            records.consent(
                tx,
                found,
                channel=channel,
                purpose=purpose,
                given=given,
                source=source,
                by=app.actor,
                now=app.now(),
                said_on=said_on.date() if said_on else None,
            )
    with app.store.read() as tx:
        found = find(tx, ref)
        said = consents.history(tx, found.id)
    looking.at(app, [f"customer {found.reference}"], reason="consents")
    if as_json:
        print_json({"customer": found.reference, "consents": said})
        return
    say(f"{found.reference} ({found.name})")
    table(
        ("on", "purpose", "channel", "said", "source"),
        [
            (
                each.at.date().isoformat(),
                each.purpose,
                each.channel,
                _word(each.given),
                _source(each.source, each.noted_by),
            )
            for each in said
        ],
        empty="Nobody asked them yet.",
        wide="source",
    )


def _word(given: bool) -> str:
    return "given" if given else "withdrawn"


def _source(source: str, noted_by: str) -> str:
    return f"{noted_by}: {source}" if source else noted_by
