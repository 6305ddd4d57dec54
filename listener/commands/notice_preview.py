"""`escucha notice preview` and `approve`: what will go out, before it does."""

from __future__ import annotations

import sys

import click

from listener.commands import notice_screen as screen
from listener.commands import output
from listener.commands.app import App, pass_app
from listener.commands.notice_found import found_notice
from listener.errors import Mistake
from listener.types import NoticeState


@click.command()
@click.argument("number")
@output.json_option
@pass_app
def preview(app: App, number: str, as_json: bool) -> None:
    """Show a notice as it will look on each account."""
    found = found_notice(app, number)
    if as_json:
        output.print_json(screen.as_json(found))
    else:
        screen.show(found)
        screen.say_next(found)


@click.command()
@click.argument("number")
@click.option("--yes", is_flag=True, help="Ask nothing: it was read with `preview`.")
@output.json_option
@pass_app
def approve(app: App, number: str, yes: bool, as_json: bool) -> None:
    """Let somebody else's notice go out, once it is published."""
    from listener.store import notices, users

    found = found_notice(app, number)
    if found.state is NoticeState.DRAFT and not users.same_person(found.written_by, app.actor) and not yes:
        if as_json or not sys.stdin.isatty():
            raise Mistake(f"Read it with `escucha notice preview N{found.id}`, then say --yes.")
        screen.show(found)
        if not click.confirm(f"Let N{found.id} go out like this?"):
            output.say(f"N{found.id} stays a draft.")
            return
    with app.store.write() as tx:
        approved = notices.approve(tx, found, by=app.actor, now=app.now())
    if as_json:
        output.print_json(screen.as_json(approved))
    else:
        output.say(f"N{approved.id} is approved. It goes out with `escucha notice publish N{approved.id}`, not before.")
