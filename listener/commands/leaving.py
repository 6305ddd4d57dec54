"""`leave-alone`: never answer somebody again, or take that back."""

from __future__ import annotations

import click

from listener.commands import card as cards
from listener.commands.app import App, pass_app
from listener.commands.drawing import name_of
from listener.commands.output import say
from listener.store import optouts


@click.command("leave-alone")
@click.argument("what", metavar="M12|D7|CASE")
@click.option("--lift", is_flag=True, help="They may be answered again, from their next post on.")
@pass_app
def leave_alone(app: App, what: str, lift: bool) -> None:
    """Never answer the author of that mention again on that network; what waits to be said to them is withdrawn."""
    now = app.now()
    change = optouts.answer_again if lift else optouts.leave_alone
    with app.store.write() as tx:
        card = cards.find(tx, what, prefix=app.config.cases.prefix, actor=app.actor, now=now, before=0)
        mention = card.mention
        changed = change(tx, mention, by=app.actor, now=now)
    who = f"{name_of(mention.author.handle, mention.network)} on {mention.network}"
    if lift:
        say(f"{who} may be answered again, from the next post on." if changed else f"{who} was not left alone.")
    else:
        say(f"{who} is left alone{'' if changed else ' already'}. To take it back: escucha leave-alone {what} --lift")
