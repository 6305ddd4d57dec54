"""`escucha notice schedule` and `unschedule`: when a notice goes out by itself."""

from __future__ import annotations

import click

from listener.commands import notice_screen as screen
from listener.commands import output
from listener.commands.app import App, pass_app
from listener.commands.notice_found import notice_in, notice_rules
from listener.types import NoticeState


@click.command()
@click.argument("number")
@click.option("--at", "text", required=True, metavar="DAY TIME", help='As a clock there shows it: "2026-12-01 09:00".')
@click.option("--zone", help="Whose clocks, such as Europe/Madrid; else those of the policy.")
@click.option("--first", "which", flag_value="first", help="The first, where clocks show that time twice.")
@click.option("--second", "which", flag_value="second", help="The second.")
@output.json_option
@pass_app
def schedule(app: App, number: str, *, text: str, zone: str | None, which: str | None, as_json: bool) -> None:
    """Let a notice go out by itself at a time, once it is approved; or give it another time.

    A running daemon publishes it then. Should none run, or sending be paused, it still goes out for as long as the
    setting notices.late says; after that nothing happens before somebody publishes it or gives it another time.
    """
    from listener.desk import scheduling
    from listener.store import scheduled

    where = scheduling.zone(zone or app.policy.notice_rules.time_zone)
    now = app.now()
    due_at = scheduling.due(text, where, which=which or "", now=now)
    with app.store.write() as tx:
        found = scheduled.schedule(
            tx,
            notice_in(tx, number),
            due_at=due_at,
            zone=where.key,
            late_after=due_at + app.config.notices.late,
            by=app.actor,
            now=now,
        )
    if as_json:
        output.print_json(screen.as_json(found))
        return
    when = screen.when(found, notice_rules(app).time_zone)
    output.say(f"N{found.id} goes out on {when}, {output.ago(due_at, now)}.")
    if found.state is NoticeState.DRAFT:
        output.say(f"It must be approved by then: `escucha notice approve N{found.id}`.")


@click.command()
@click.argument("number")
@output.json_option
@pass_app
def unschedule(app: App, number: str, as_json: bool) -> None:
    """Take its time back: a notice then goes out when somebody publishes it."""
    from listener.store import scheduled

    with app.store.write() as tx:
        before = notice_in(tx, number)
        found = scheduled.unschedule(tx, before, by=app.actor, now=app.now())
    if as_json:
        output.print_json(screen.as_json(found))
    elif before.due_at is None:
        output.say(f"N{found.id} had no time; it goes out with `escucha notice publish N{found.id}`.")
    else:
        output.say(f"N{found.id} has no time any more; it goes out with `escucha notice publish N{found.id}`.")
