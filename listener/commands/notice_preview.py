"""`escucha notice preview` and `approve`: what will go out, before it does."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from listener.commands import notice_check, notice_drawing, output
from listener.commands import notice_screen as screen
from listener.commands.app import App, pass_app
from listener.commands.notice_check import no_link_check
from listener.commands.notice_found import found_notice, notice_rules
from listener.desk import clearance
from listener.errors import Mistake
from listener.types import NoticeState


@click.command()
@click.argument("number")
@click.option(
    "--html", "page", type=click.Path(path_type=Path, dir_okay=False), help="Draw it as a page, in that file."
)
@click.option("--open", "opens", is_flag=True, help="Draw it as a page and open that in the browser.")
@no_link_check
@output.json_option
@pass_app
def preview(app: App, number: str, *, page: Path | None, opens: bool, no_link_check: bool, as_json: bool) -> None:
    """Show a notice as it will look on each account, where its links lead, and what it costs."""
    found = notice_check.with_links(app, found_notice(app, number), check=not no_link_check, within=clearance.READABLE)
    if page or opens:
        drawn = notice_drawing.write(app, found, page)
        if opens:
            click.launch(str(drawn))
        output.complain(f"N{found.id} is drawn in {drawn}.")
    if as_json:
        output.print_json(screen.as_json(found))
    elif not (page or opens):
        screen.show(app, found)
        screen.say_next(found)


@click.command()
@click.argument("number")
@click.option("--yes", is_flag=True, help="Ask nothing: it was read with `preview`.")
@no_link_check
@output.json_option
@pass_app
def approve(app: App, number: str, yes: bool, no_link_check: bool, as_json: bool) -> None:
    """Let somebody else's notice go out, once it is published or its time comes.

    Shows exactly what will go out, and binds to that: should anything of it change, it must be approved again.
    """
    from listener.store import notice_digest, notices, users

    found, two = found_notice(app, number), notice_rules(app).two_people
    mine = two and users.same_person(found.written_by, app.actor)
    with app.store.read() as tx:
        seen = notice_digest.of(tx, found.id)
    changed = found.state is NoticeState.APPROVED and found.digest != seen
    if (found.state is NoticeState.DRAFT or changed) and not mine:
        if not yes and (as_json or not sys.stdin.isatty()):
            raise Mistake(f"Read it with `escucha notice preview N{found.id}`, then say --yes.")
        found = notice_check.with_links(app, found, check=not no_link_check)
        if yes:
            notice_check.warn_of_links(found)
        else:
            screen.show(app, found)
            if not click.confirm(f"Let N{found.id} go out like this?"):
                output.say(f"N{found.id} stays {'approved for what it was' if changed else 'a draft'}.")
                return
    with app.store.write() as tx:
        approved = notices.approve(tx, found, by=app.actor, now=app.now(), two_people=two, seen=seen)
    if as_json:
        output.print_json(screen.as_json(approved))
        return
    if approved.due_at is None:
        output.say(f"N{approved.id} is approved. It goes out with `escucha notice publish N{approved.id}`, not before.")
    else:
        output.say(f"N{approved.id} is approved. It goes out by itself:")
        output.say(screen.goes_out(app, approved))
