"""`leave-alone`: never answer somebody again, or take that back."""

from __future__ import annotations

from collections.abc import Sequence

import click

from listener.commands import card as cards
from listener.commands.app import App, pass_app
from listener.commands.lines import name_of
from listener.commands.output import counted, say
from listener.errors import Mistake
from listener.store import optouts, waiting
from listener.store.mentions import Mention

NAMED = 20  # drafts in one sentence


@click.command("leave-alone")
@click.argument("what", metavar="M12|D7|CASE")
@click.option("--lift", is_flag=True, help="They may be answered again, from their next post on.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@pass_app
def leave_alone(app: App, what: str, lift: bool, yes: bool) -> None:
    """Never answer the author of that mention again on that network; what waits to be said to them is withdrawn.

    Names them and what is withdrawn, and asks.
    """
    now = app.now()
    with app.store.read() as tx:
        mention = cards.find(tx, what, pattern=app.config.cases.pattern, actor=app.actor, now=now, before=0).mention
        drafts = waiting.withdrawable(tx, mention.account_id)
    who = f"{name_of(mention.author.handle, mention.network)} on {mention.network}"
    if lift:
        with app.store.write() as tx:
            changed = optouts.answer_again(tx, mention, by=app.actor, now=now)
        say(f"{who} may be answered again, from the next post on." if changed else f"{who} was not left alone.")
        return
    if not yes and (drafts or mention.left_alone_at is None):
        _ask(who, mention, drafts)
    with app.store.write() as tx:
        drafts = waiting.withdrawable(tx, mention.account_id)
        changed = optouts.leave_alone(tx, mention, by=app.actor, now=now)
    say(f"{who} is left alone{'' if changed else ' already'}. To take it back: escucha leave-alone {what} --lift")
    if drafts:
        say(f"Withdrawn: {_names(drafts)}.")


def _ask(who: str, mention: Mention, drafts: Sequence[int]) -> None:
    """Raises Mistake unless the person says yes."""
    named = f"{mention.author.display_name.strip()}, " if mention.author.display_name.strip() else ""
    withdrawn = f"{counted(len(drafts), 'draft')} will be withdrawn: {_names(drafts)}" if drafts else "No draft waits"
    say(f"{named}{who}, will not be answered any more. {withdrawn}.")
    try:
        sure = click.confirm("Leave them alone?", default=False)
    except click.Abort:  # nobody there, or Ctrl-C
        click.echo()
        sure = False
    if not sure:
        raise Mistake("Nothing was changed; --yes does not ask.")


def _names(drafts: Sequence[int]) -> str:
    names = ", ".join(f"D{number}" for number in drafts[:NAMED])
    return f"{names} and {len(drafts) - NAMED} more" if len(drafts) > NAMED else names
