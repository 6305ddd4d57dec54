"""`escucha notice status`: every notice, or one with what became of it."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from listener.commands import amend_screen, output
from listener.commands import notice_screen as screen
from listener.commands.app import App, pass_app
from listener.commands.notice_found import found_notice
from listener.types import NoticeKind, NoticeState

NAME = 10  # columns of a writer's name in a list: the title matters more


@click.command()
@click.argument("number", required=False)
@output.json_option
@pass_app
def status(app: App, number: str | None, as_json: bool) -> None:
    """Every notice, or one with what became of it on each account."""
    from listener.store import amendments, notices

    if number is None:
        _list(app, incident=None, scheduled=False, as_json=as_json)
        return
    found = found_notice(app, number)
    waits = found.state in (NoticeState.DRAFT, NoticeState.APPROVED)
    with app.store.read() as tx:
        changes, following = amendments.of_notice(tx, found.id), notices.following(tx, found.id)
    if as_json:
        output.print_json(screen.as_json(found) | amend_screen.keys(found, changes, following))
        return
    now, gone = app.now(), amend_screen.deleted(changes)
    output.fields(
        [
            ("notice", f"N{found.id} {found.title}"),
            ("state", f"{found.state}, {screen.out(found)} out{f', {len(gone)} deleted since' if gone else ''}"),
            ("kind", screen.CHEER if found.kind is NoticeKind.CHEER else ""),
            ("incident", f"I{found.incident_id}" if found.incident_id else ""),
            ("goes out" if waits else "was due", screen.goes_out(app, found)),
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
            [
                each.account,
                screen.tongue(each),
                "deleted" if each.id in gone else each.state,
                output.ago(each.sent_at, now),
                screen.place(each),
            ]
            for each in found.deliveries
        ],
        empty="It goes nowhere.",
        wide="where or why",
    )
    amend_screen.show_after(found, changes, following)
    screen.say_next(found)


@click.command("list")
@click.option("--incident", metavar="I3", help="Only those about it.")
@click.option("--scheduled", is_flag=True, help="Only those that go out by themselves, the next one first.")
@output.json_option
@pass_app
def list_(app: App, incident: str | None, scheduled: bool, as_json: bool) -> None:
    """Every notice, newest first: what it is about, when it goes out, how far it is."""
    _list(app, incident=incident, scheduled=scheduled, as_json=as_json)


def _list(app: App, *, incident: str | None, scheduled: bool, as_json: bool) -> None:
    from listener.desk import incidents as desk
    from listener.desk import scheduling
    from listener.desk.scheduling import Standing
    from listener.store import notices

    about = desk.number(incident) if incident else None
    now, far = app.now(), datetime.max.replace(tzinfo=UTC)
    with app.store.read() as tx:
        listed = [each for each in notices.listing(tx) if about in (None, each.incident_id)]
    stands = {each.id: scheduling.standing(each, now) for each in listed}
    if scheduled:
        waits = (Standing.AHEAD, Standing.DUE, Standing.STALE)
        listed = sorted((each for each in listed if stands[each.id] in waits), key=lambda each: each.due_at or far)
    if as_json:
        output.print_json([screen.as_json(each) for each in listed])
        return
    rows = []
    for each in listed:
        goes_out = output.ago(each.due_at, now) if stands[each.id] is Standing.AHEAD else ""
        if stands[each.id] in (Standing.DUE, Standing.STALE):
            goes_out = "held" if each.held and stands[each.id] is Standing.DUE else stands[each.id].value
        kind = f"I{each.incident_id}" if each.incident_id else "cheer" if each.kind is NoticeKind.CHEER else ""
        written = output.ago(each.written_at, now)
        rows.append(
            [
                f"N{each.id}",
                each.state,
                screen.out(each),
                kind,
                goes_out,
                each.title,
                output.clip(each.written_by, NAME),
                written,
            ]
        )
    headers = ["notice", "state", "out", "about", "goes out", "title", "by", "written"]
    told = [n for n, name in enumerate(headers) if name not in ("about", "goes out") or any(row[n] for row in rows)]
    output.table(
        [headers[n] for n in told],
        [[row[n] for n in told] for row in rows],
        empty="No notices yet: `escucha notice draft` writes one." if not (about or scheduled) else "None.",
        wide="title",
    )
    if any(stands[each.id] is Standing.STALE for each in listed):
        output.say("Stale: its time went by. Publish it, give it another time, or withdraw it.")
