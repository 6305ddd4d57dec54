"""`escucha notice draft`: a notice, written down."""

from __future__ import annotations

from pathlib import Path

import click

from listener.commands import notice_screen as screen
from listener.commands import output
from listener.commands.app import App, pass_app
from listener.errors import Mistake


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
