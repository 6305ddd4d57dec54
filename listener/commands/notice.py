"""`escucha notice`: marketing's messages to everybody, from the first draft until the last network has them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from listener.commands import notice_screen as screen
from listener.commands import output
from listener.commands.app import App, pass_app
from listener.errors import AlreadyDone, Mistake
from listener.types import DeliveryState, NoticeState

if TYPE_CHECKING:
    from listener.store import Transaction
    from listener.store.notices import Notice


@click.group()
def notice() -> None:
    """Messages to everybody: draft, preview, approve, publish.

    One person writes, another approves, and nothing goes out before somebody says `publish`. From then on a running
    daemon goes on with it too, should the command be stopped half-way.
    """


@notice.command()
@click.option("--title", default="", help="For yourselves, to find it by.")
@click.option("--text", "texts", multiple=True, metavar="LANGUAGE=TEXT", help="The text in one language; repeat it.")
@click.option("--variant", "variants", multiple=True, metavar="WHERE:LANGUAGE=TEXT", help="Another for a network.")
@click.option("--image", "images", multiple=True, metavar="FILE", help="A picture to go with it; repeat it.")
@click.option("--alt", "alts", multiple=True, metavar="LANGUAGE=TEXT", help="What it shows, for who cannot see it.")
@click.option("--no-image-on", "without_images", multiple=True, metavar="ACCOUNT", help="Leave the picture out there.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="A .yaml or .md file that holds it all.")
@click.option("--on", "accounts", multiple=True, metavar="ACCOUNT", help="Where; else wherever we can speak.")
@click.option("--languages", multiple=True, metavar="[ACCOUNT=]es,en", help="Only these, there; else every one.")
@output.json_option
@pass_app
def draft(
    app: App,
    *,
    title: str,
    texts: tuple[str, ...],
    variants: tuple[str, ...],
    images: tuple[str, ...],
    alts: tuple[str, ...],
    without_images: tuple[str, ...],
    file: Path | None,
    accounts: tuple[str, ...],
    languages: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write a notice down; nothing goes out.

    Without any text it opens your editor. Every account gets every language, unless --languages says which.

    A line --- in a text begins the next part of a thread. A picture needs an --alt in every language that goes out;
    where and when it was taken, and with what, is taken out of it.
    """
    from listener.commands import attaching, drafting
    from listener.desk import notice_pages
    from listener.desk import notices as desk
    from listener.store import notices

    options = notice_pages.from_options(
        title, texts, variants, languages, images=images, alts=alts, without_images=without_images
    )
    page, by_hand = drafting.read_file(file) if file else None, False
    if page is None and not texts and not variants:
        page, by_hand = drafting.write_in_editor(app, title, accounts), True
    written = drafting.joined(options, page)
    outlets, problems, left_out = drafting.outlets(app, tuple(dict.fromkeys(accounts or written.accounts)))
    pictures, unreadable = drafting.pictures(written)
    try:
        planned = desk.plan(written, outlets, [*problems, *unreadable], pictures)
    except Mistake as mistake:
        if not by_hand:
            raise
        kept = drafting.keep(written)
        raise Mistake(f"{mistake}\nYour text is in {kept}; mend it there, then: notice draft --file {kept}") from None
    goes = {each.language for each in planned if each.images}
    kept_images = [
        attaching.new_image(picture, {code: alt.strip() for code, alt in named.alt.items() if code in goes})
        for picture, named in zip(pictures, written.images, strict=True)
        if goes
    ]
    with app.store.write() as tx:
        made = notices.draft(
            tx, title=written.title.strip(), variants=planned, images=kept_images, by=app.actor, now=app.now()
        )
    if as_json:
        output.print_json(screen.as_json(made))
        return
    for sentence in left_out:
        output.complain(f"Left out: {sentence}.")
    output.say(f"N{made.id} is written down: {screen.messages(made)}. Nothing goes out yet.")
    output.say(f"Look at it with `escucha notice preview N{made.id}`; somebody else approves it with `notice approve`.")


@notice.command()
@click.argument("number")
@output.json_option
@pass_app
def preview(app: App, number: str, as_json: bool) -> None:
    """Show a notice as it will look on each account."""
    found = _get(app, number)
    if as_json:
        output.print_json(screen.as_json(found))
    else:
        screen.show(found)
        screen.say_next(found)


@notice.command()
@click.argument("number")
@click.option("--yes", is_flag=True, help="Ask nothing: it was read with `preview`.")
@output.json_option
@pass_app
def approve(app: App, number: str, yes: bool, as_json: bool) -> None:
    """Let somebody else's notice go out, once it is published."""
    from listener.store import notices, users

    found = _get(app, number)
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


@notice.command()
@click.argument("number")
@output.json_option
@pass_app
def publish(app: App, number: str, as_json: bool) -> None:
    """Send an approved notice to every account, and go on with what is missing.

    Safe to stop and to run again: each message goes out once. Short waits that a network asks for are waited out.
    """
    from listener.commands.publishing import Publication
    from listener.store import notices

    found = _get(app, number)
    if found.state is NoticeState.DRAFT:
        raise Mistake(
            f"N{found.id} is not approved yet; somebody else does that: `escucha notice approve N{found.id}`."
        )
    if found.state is NoticeState.WITHDRAWN:
        raise Mistake(f"N{found.id} was withdrawn; write a new one with `escucha notice draft`.")
    _stop_if_paused(app, found)
    if found.state is NoticeState.APPROVED:
        try:
            with app.store.write() as tx:
                found = notices.publish(tx, found, by=app.actor, now=app.now())
        except AlreadyDone:
            found = _get(app, number)
            if found.state is NoticeState.WITHDRAWN:
                raise
    _log_only_warnings(app)
    watcher = screen.Watcher(found, quiet=as_json)
    try:
        with watcher:
            left = Publication(app, found, settled=watcher.settled, waits=watcher.waits).run()
    except KeyboardInterrupt:
        output.complain(f"N{found.id} is half out; `escucha notice publish N{found.id}` goes on, and so does a daemon.")
        raise
    with app.store.read() as tx:
        found = notices.get(tx, found.id)
    missing = [each for each in found.deliveries if each.state is not DeliveryState.SENT]
    if as_json:
        output.print_json(screen.as_json(found, left))
    else:
        for each in missing:
            output.say(f"✗ {screen.where(each)}: {screen.why(each, left)}")
        if not missing:
            output.say(f"N{found.id} is out: {screen.messages(found)}.")
    if missing:
        raise output.SomeFailed(
            f"{len(missing)} of {len(found.deliveries)} messages of N{found.id} are not out; "
            f"`escucha notice publish N{found.id}` goes on with what is missing."
        )


@notice.command()
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
    found = _get(app, number)
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


@notice.command()
@click.argument("number")
@output.json_option
@pass_app
def withdraw(app: App, number: str, as_json: bool) -> None:
    """Stop whatever of a notice has not gone out yet."""
    from listener.store import notices

    with app.store.write() as tx:
        found = notices.withdraw(tx, _get_in(tx, number), by=app.actor, now=app.now())
    if as_json:
        output.print_json(screen.as_json(found))
        return
    output.say(f"N{found.id} is withdrawn.")
    for each in found.deliveries:
        if each.state is not DeliveryState.WAITING and each.state is not DeliveryState.FAILED:
            place = each.posted_url or each.reason or each.state
            output.say(f"Out, or on its way, all the same: {screen.where(each)}: {place}; delete it there by hand.")


@notice.command()
@click.argument("number")
@output.json_option
@pass_app
def retry(app: App, number: str, as_json: bool) -> None:
    """Put what a network refused in line again."""
    from listener.store import notices

    with app.store.write() as tx:
        found = _get_in(tx, number)
        count = notices.retry(tx, found, by=app.actor, now=app.now())
        found = notices.get(tx, found.id)
    if as_json:
        output.print_json(screen.as_json(found))
    elif count:
        output.say(f"{count} of N{found.id} in line again: `escucha notice publish N{found.id}` sends now.")
    else:
        output.say(f"Nothing of N{found.id} was refused while going out; it is {found.state}.")


@notice.command()
@click.argument("number")
@click.argument("where", metavar="ACCOUNT[/LANGUAGE]")
@click.option("--there/--not-there", "was_sent", required=True, default=None, help="What you saw on the network.")
@output.json_option
@pass_app
def settle(app: App, number: str, where: str, was_sent: bool, as_json: bool) -> None:
    """Say whether a message of unknown outcome is on the network, having looked there yourself."""
    from listener.store import notices

    account, _, language = where.partition("/")
    with app.store.write() as tx:
        found = _get_in(tx, number)
        meant = [each for each in found.deliveries if each.account == account and language in ("", each.language)]
        unknown = [each for each in meant if each.state is DeliveryState.UNKNOWN]
        if not meant:
            places = ", ".join(f"{each.account}/{each.language}" for each in found.deliveries)
            raise Mistake(f"N{found.id} does not go to {where}; it goes to {places}.")
        if len(unknown) > 1:
            raise Mistake(f"{len(unknown)} messages on {account} are unknown; name the language, as in {account}/es.")
        notices.settle_by_hand(tx, (unknown or meant)[0], was_sent=was_sent, by=app.actor, now=app.now())
        found = notices.get(tx, found.id)
    if as_json:
        output.print_json(screen.as_json(found))
    elif was_sent:
        output.say(f"Noted: it is there. {screen.out(found)} of N{found.id} out.")
    else:
        output.say(f"Noted: it is not there. `escucha notice retry N{found.id}` puts it in line again.")


def _get(app: App, number: str) -> Notice:
    with app.store.read() as tx:
        return _get_in(tx, number)


def _get_in(tx: Transaction, number: str) -> Notice:
    from listener.desk import notices as desk
    from listener.store import notices

    return notices.get(tx, desk.number(number))


def _stop_if_paused(app: App, found: Notice) -> None:
    """Raises Mistake when nothing of what is missing may go out now; the notice stays as it is."""
    from listener.store import switch

    missing = [each for each in found.deliveries if each.state is DeliveryState.WAITING]
    with app.store.read() as tx:
        if missing and all(switch.is_paused(tx, each.network, *each.kinds) for each in missing):
            holds = "; ".join(
                f"{each.scope}, by {each.by}{f': {each.reason}' if each.reason else ''}" for each in switch.pauses(tx)
            )
            raise Mistake(
                f"Sending is paused ({holds}), so N{found.id} stays {found.state}; `escucha resume` lifts that."
            )


def _log_only_warnings(app: App) -> None:
    """Each message has a line of its own here; the log need not say the same."""
    from listener import log

    wanted = app.config.daemon
    log.start(form=wanted.log_format, level="warning" if wanted.log_level == "info" else wanted.log_level)
