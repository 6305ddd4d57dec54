"""`escucha customer code`: a one-time code by which a customer says which account is theirs."""

from __future__ import annotations

import click

from listener.commands.app import App, pass_app
from listener.commands.customer_plain import find, known_network
from listener.commands.output import counted, json_option, print_json, say
from listener.errors import Mistake


@click.command("code")
@click.argument("ref")
@click.option(
    "--channel", metavar="NETWORK", help="The only network where it counts; mail is one. Otherwise everywhere."
)
@click.option("--valid", default="3d", metavar="SPAN", show_default=True, help="For how long it counts; 30d at most.")
@click.option("--withdraw", is_flag=True, help="Take back the customer's codes that count, instead.")
@json_option
@pass_app
def code(app: App, *, ref: str, channel: str | None, valid: str, withdraw: bool, as_json: bool) -> None:
    """Make a code for the customer to write to us from their account.

    Give it only to somebody you know to be the customer. Whoever writes it first, in a post, a direct message or a
    mail, is linked (self_declared). It is shown once and kept nowhere.
    """
    from listener.config.shape import duration
    from listener.desk import codes as desk
    from listener.store import codes, links

    if withdraw:
        with app.store.write() as tx:
            links.alone(tx)
            found = find(tx, ref)
            gone = codes.withdraw(tx, found, by=app.actor, now=app.now())
        if as_json:
            print_json({"customer": found.reference, "withdrawn": gone})
        else:
            say(f"{counted(gone, 'code')} of {found.reference} taken back.")
        return
    network = known_network(app, channel) if channel else ""
    try:
        span = duration(valid)
    except ValueError as error:
        raise Mistake(f"--valid {valid!r} {error}.") from None
    made = desk.new_code()
    with app.store.write() as tx:
        links.alone(tx)
        found = find(tx, ref)
        until = desk.issue(tx, found, made, network=network, valid=span, by=app.actor, now=app.now())
    if as_json:
        print_json({"customer": found.reference, "code": made, "network": network or None, "expires_at": until})
        return
    where = f"on {network}" if network else "on any network, or by mail"
    say(made)
    say(f"For {found.reference} ({found.name}),")
    say(f"to be written to us {where}, until {until:%Y-%m-%d %H:%M} UTC.")
    say("A direct message or a mail is best: in public anybody may copy it, and the")
    say("first to write it is linked.")
