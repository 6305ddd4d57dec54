"""`escucha notice status`: every notice, or one with what became of it."""

from __future__ import annotations

import click

from listener.commands import notice_screen as screen
from listener.commands import output
from listener.commands.app import App, pass_app
from listener.commands.notice_found import found_notice


@click.command()
@click.argument("number", required=False)
@output.json_option
@pass_app
def status(app: App, number: str | None, as_json: bool) -> None:
    """Every notice, or one with what became of it on each account."""
    from listener.store import notices

    if number is None:
        with app.store.read() as tx:
            listed = notices.listing(tx)
        if as_json:
            output.print_json([screen.as_json(each) for each in listed])
            return
        now = app.now()
        output.table(
            ["notice", "state", "out", "title", "by", "written"],
            [
                [
                    f"N{each.id}",
                    each.state,
                    screen.out(each),
                    each.title,
                    each.written_by,
                    output.ago(each.written_at, now),
                ]
                for each in listed
            ],
            empty="No notices yet: `escucha notice draft` writes one.",
            wide="title",
        )
        return
    found = found_notice(app, number)
    if as_json:
        output.print_json(screen.as_json(found))
        return
    now = app.now()
    output.fields(
        [
            ("notice", f"N{found.id} {found.title}"),
            ("state", f"{found.state}, {screen.out(found)} out"),
            ("written", f"by {found.written_by}, {output.ago(found.written_at, now)}"),
            ("approved", f"by {found.approved_by}, {output.ago(found.approved_at, now)}" if found.approved_by else ""),
            (
                "published",
                f"by {found.published_by}, {output.ago(found.publishing_since, now)}" if found.published_by else "",
            ),
        ]
    )
    output.say()
    output.table(
        ["account", "language", "state", "when", "where or why"],
        [
            [each.account, screen.tongue(each), each.state, output.ago(each.sent_at, now), screen.place(each)]
            for each in found.deliveries
        ],
        empty="It goes nowhere.",
        wide="where or why",
    )
    screen.say_next(found)
