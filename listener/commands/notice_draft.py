"""`escucha notice draft`: a notice, written down."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from listener.commands import notice_check, output
from listener.commands import notice_screen as screen
from listener.commands.app import App, pass_app
from listener.commands.notice_check import no_link_check
from listener.commands.notice_found import notice_rules
from listener.errors import Mistake
from listener.types import NoticeKind

if TYPE_CHECKING:
    from listener.desk.notice_pages import Written
    from listener.desk.notices import Outlet
    from listener.desk.pictures import Picture
    from listener.store import Transaction
    from listener.store.incidents import Incident
    from listener.store.notices import Notice, Variant


@click.command()
@click.option("--title", default="", help="For yourselves, to find it by.")
@click.option("--text", "texts", multiple=True, metavar="LANGUAGE=TEXT", help="The text in one language; repeat it.")
@click.option("--variant", "variants", multiple=True, metavar="WHERE:LANGUAGE=TEXT", help="Another for a network.")
@click.option("--image", "images", multiple=True, metavar="FILE", help="A picture to go with it; repeat it.")
@click.option("--alt", "alts", multiple=True, metavar="LANGUAGE=TEXT", help="What it shows, for who cannot see it.")
@click.option("--no-image-on", "without_images", multiple=True, metavar="ACCOUNT", help="Leave the picture out there.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="A .yaml or .md file that holds it all.")
@click.option("--on", "accounts", multiple=True, metavar="ACCOUNT", help="Where; else wherever we can speak.")
@click.option("--languages", multiple=True, metavar="[ACCOUNT=]es,en", help="Only these, there; else every one.")
@click.option("--thread", "threads", is_flag=True, help="Let a text that is too long go on in further posts.")
@click.option("--numbered", is_flag=True, help="The same, with (1/3) behind each.")
@click.option("--incident", metavar="I3", help="The incident that it is about.")
@click.option("--cheer", is_flag=True, help="It only pleases or sells: held back while an incident says so.")
@no_link_check
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
    threads: bool,
    numbered: bool,
    incident: str | None,
    cheer: bool,
    no_link_check: bool,
    as_json: bool,
) -> None:
    """Write a notice down; nothing goes out.

    Without any text it opens your editor. Every account gets every language, unless --languages says which.

    A line --- in a text begins the next part of a thread; with --thread one is made of what is too long, cut where a
    sentence ends if that can be, never inside a link, a number or a word.

    A picture needs an --alt in every language that goes out; where and when it was taken, and with what, is taken out
    of it.
    """
    from listener.commands import attaching, drafting
    from listener.desk import notice_pages
    from listener.store import notices

    about = _about(app, incident, cheer=cheer)
    options = notice_pages.from_options(
        title,
        texts,
        variants,
        languages,
        images=images,
        alts=alts,
        without_images=without_images,
        threads=threads or numbered,
        numbered=numbered,
    )
    page, by_hand = drafting.read_file(file) if file else None, False
    if page is None and not texts and not variants:
        page, by_hand = drafting.write_in_editor(app, title, accounts), True
    written = drafting.joined(options, page)
    outlets, problems, left_out = drafting.outlets(app, tuple(dict.fromkeys(accounts or written.accounts)))
    pictures, unreadable = drafting.pictures(written)
    try:
        planned = _planned(written, outlets, [*problems, *unreadable], pictures, asks=not as_json)
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
            tx,
            title=written.title.strip(),
            variants=planned,
            images=kept_images,
            kind=NoticeKind.CHEER if cheer else NoticeKind.NOTICE,
            incident_id=about.id if about else None,
            by=app.actor,
            now=app.now(),
        )
        if about:
            _tell(tx, about, made, app)
    made = notice_check.with_links(app, made, check=not no_link_check)
    if as_json:
        output.print_json(screen.as_json(made))
        return
    notice_check.warn_of_links(made)
    for sentence in left_out:
        output.complain(f"Left out: {sentence}.")
    output.say(f"N{made.id} is written down: {screen.messages(made)}. Nothing goes out yet.")
    who = "somebody else approves it" if notice_rules(app).two_people else "approve it"
    output.say(f"Look at it with `escucha notice preview N{made.id}`; {who} with `notice approve`.")


def _planned(
    written: Written, outlets: Sequence[Outlet], problems: Sequence[str], pictures: Sequence[Picture], *, asks: bool
) -> list[Variant]:
    """What goes where; somebody at a terminal is asked whether what is too long may become a thread."""
    from listener.desk import notices as desk

    try:
        return desk.plan(written, outlets, problems, pictures)
    except Mistake as mistake:
        if written.threads or not asks or not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise
        try:
            threaded = desk.plan(replace(written, threads=True), outlets, problems, pictures)
        except Mistake:
            raise mistake from None
        output.complain(str(mistake))
        output.say()
        long = {(each.account, each.network, each.language) for each in threaded if each.part > 1}
        for account, network, language in sorted(long):
            parts = [each.text for each in threaded if (each.account, each.language) == (account, language)]
            output.heading(f"{account} ({network}, {language}) as {len(parts)} posts")
            for number, text in enumerate(parts, 1):
                output.block(f"{number}  {text}")
        if click.confirm("Let it go on like this?", default=True):
            return threaded
        raise


def _about(app: App, incident: str | None, *, cheer: bool) -> Incident | None:
    """The incident that was named. Raises Mistake or NotFound."""
    from listener.desk import incidents as desk
    from listener.store import incidents

    if incident is None:
        return None
    if cheer:
        raise Mistake("Nothing about an incident is cheer; leave --cheer or --incident out.")
    with app.store.read() as tx:
        return incidents.get(tx, desk.number(incident))


def _tell(tx: Transaction, incident: Incident, made: Notice, app: App) -> None:
    """The incident's time line says that there is something to tell everybody."""
    from listener.store import incidents

    text = f"N{made.id} is written: {made.title}"
    fresh = incidents.get(tx, incident.id)
    incidents.record(tx, fresh, "notice", by=app.actor, now=app.now(), text=text, notice=made.id)
