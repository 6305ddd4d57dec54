"""`escucha notice held`: what was to go out by itself and does not, with why."""

from __future__ import annotations

import click

from listener.commands import notice_screen as screen
from listener.commands import output
from listener.commands.app import App, pass_app
from listener.commands.notice_found import notice_rules


@click.command("held")
@output.json_option
@pass_app
def held_(app: App, as_json: bool) -> None:
    """What was given a time and does not go out then: why, and what will be held should an incident last until then.

    Cheer goes out by itself once the incident is over, if that is soon enough after its time (notices.late in the
    settings). Until then, or after, marketing gives it another time, publishes it, or withdraws it.
    """
    from listener.store import held_notices

    now = app.now()
    with app.store.read() as tx:
        found = held_notices.held(tx, now)
    if as_json:
        output.print_json(
            {"held": [{**screen.as_json(each.notice), "why": each.why, "ahead": each.ahead} for each in found]}
        )
        return
    zone = notice_rules(app).time_zone
    rows = [
        (
            f"N{each.notice.id}",
            screen.when(each.notice, zone) or "",
            each.notice.title,
            f"if it lasts until then: {each.why}" if each.ahead else each.why,
        )
        for each in found
    ]
    output.table(("notice", "due", "title", "why"), rows, empty="Nothing that was given a time is held.", wide="why")
