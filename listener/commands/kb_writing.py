"""`escucha kb add|edit|import|export`: how articles come in, by hand or from files."""

from __future__ import annotations

import os
import sys
from datetime import date, datetime
from pathlib import Path

import click

from listener.commands import case_typed, kb_plain, line_editor, reading_as
from listener.commands.app import App, pass_app
from listener.commands.output import SomeFailed, clip, complain, counted, json_option, print_json, say
from listener.desk import article_pages, knowledge
from listener.errors import Mistake, NotFound
from listener.store import articles
from listener.store.articles import ArticleText, Version, Written
from listener.types import Audience, Role

MAX_BYTES = 1024 * 1024  # of a page
ROLES = [role.value for role in Role]

a_language = click.option("--language", metavar="CODE", help="Of --title, --answer and --body; the first you speak.")
a_title = click.option("--title", metavar="TEXT", help="The question that it answers, as people ask it.")
an_answer = click.option("--answer", metavar="TEXT", help="What a reply made from it says.")
a_body = click.option("--body", metavar="TEXT", help="All that is known; - reads it from standard input.")
a_file = click.option(
    "--file", "path", type=click.Path(path_type=Path), help="A page in YAML, as `kb export` makes it."
)
an_audience = click.option("--audience", type=click.Choice([each.value for each in Audience]), help="Whom it is for.")
teams_option = click.option(
    "--team", "teams", multiple=True, metavar="TEAM", help="Whose people may read it; may be repeated."
)
roles_option = click.option(
    "--role", "roles", multiple=True, type=click.Choice(ROLES), help="Who may read it; may be repeated."
)
a_product = click.option(
    "--product", metavar="NAME", help="What it is about, so that it is looked at when that changes."
)
a_date = click.option("--review-by", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="Look at it again by then.")


@click.command()
@a_language
@a_title
@an_answer
@a_body
@an_audience
@teams_option
@roles_option
@a_product
@a_date
@a_file
@json_option
@pass_app
def add(
    app: App,
    *,
    language: str | None,
    title: str | None,
    answer: str | None,
    body: str | None,
    audience: str | None,
    teams: tuple[str, ...],
    roles: tuple[str, ...],
    product: str | None,
    review_by: datetime | None,
    path: Path | None,
    as_json: bool,
) -> None:
    """Write a new article, as a draft; with --title and --body, from a page, or in $EDITOR."""
    given = _given(app, language=language, title=title, answer=answer, body=body, old=ArticleText(title=""))
    if path is not None:
        written, _ = _page(path)
    elif given:
        written = Written(texts={})
    else:
        written = _in_editor(article_pages.sheet(kb_plain.languages(app)))
    written = _with(
        app, written, given, audience=audience, teams=teams, roles=roles, product=product, review_by=review_by
    )
    with app.store.write() as tx:
        version = knowledge.write(tx, written, why="", by=app.actor, now=app.now())
    _told(version, as_json, said=f"{version.name} is written.")


@click.command()
@click.argument("article", metavar="K12")
@a_language
@a_title
@an_answer
@a_body
@click.option("--without", multiple=True, metavar="CODE", help="Take the text in this language out; may be repeated.")
@an_audience
@teams_option
@roles_option
@click.option("--for-all", is_flag=True, help="Every team and role may read it.")
@a_product
@a_date
@a_file
@click.option("--why", metavar="TEXT", default="", help="What was changed and why, for whoever reviews it.")
@json_option
@pass_app
def edit(
    app: App,
    article: str,
    *,
    language: str | None,
    title: str | None,
    answer: str | None,
    body: str | None,
    without: tuple[str, ...],
    audience: str | None,
    teams: tuple[str, ...],
    roles: tuple[str, ...],
    for_all: bool,
    product: str | None,
    review_by: datetime | None,
    path: Path | None,
    why: str,
    as_json: bool,
) -> None:
    """Write the next version of an article, as a draft; what is published stays as it is until that one is.

    Without options $EDITOR opens with its newest version.
    """
    with app.store.read() as tx:
        found, _ = knowledge.find(tx, article, reading_as.reader(app))
        newest = knowledge.read(tx, found, found.newest, reading_as.reader(app))
    code = language or kb_plain.text(newest, kb_plain.languages(app)[0])[0]
    given = _given(
        app,
        language=code,
        title=title,
        answer=answer,
        body=body,
        old=newest.written.texts.get(code, ArticleText(title="")),
    )
    options = (audience, teams, roles, product, review_by, without, for_all)
    if path is not None:
        written, named = _page(path)
        if named and named.upper() != found.name:
            raise Mistake(f"{path} is a page of {clip(named, 20)}, not of {found.name}.")
    elif given or any(option not in (None, (), False) for option in options):
        written = newest.written
    else:
        written = _in_editor(article_pages.page(newest.written, found.name))
    if for_all:
        written = knowledge.changed(written, {}, teams=(), roles=())
    written = _with(
        app,
        written,
        given,
        audience=audience,
        teams=teams,
        roles=roles,
        product=product,
        review_by=review_by,
        without=without,
    )
    with app.store.write() as tx:
        version = knowledge.rewrite(
            tx, found, written, based_on=newest.number, why=clip(why, 500), by=app.actor, now=app.now()
        )
    _told(version, as_json, said=f"{version.name} is written; {_still(found.published, found.name)}.")


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True), metavar="FILE|FOLDER …")
@json_option
@pass_app
def import_(app: App, paths: tuple[Path, ...], as_json: bool) -> None:
    """Bring in pages as `kb export` writes them: a new draft for each, or the next version of the article it names.

    What says the same already is left as it is. Where some cannot be brought in, each is named and the rest are done.
    """
    files = [file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    if not files:
        raise Mistake("There is no page in that folder; their names end in .yaml.")
    done: list[dict[str, str]] = []
    failed: list[str] = []
    for file in files:
        try:
            name, what = _bring_in(app, file)
        except Mistake as mistake:
            complain(f"{file}: {mistake}" if str(file) not in str(mistake) else str(mistake))
            failed.append(str(file))
            continue
        done.append({"file": str(file), "version": name, "what": what})
        if not as_json and what != "unchanged":
            say(f"{name}  {what}  {clip(str(file), 60)}")
    if as_json:
        print_json({"pages": done, "failed": failed})
    else:
        say(f"{counted(len([each for each in done if each['what'] != 'unchanged']), 'draft')} written.")
    if failed:
        raise SomeFailed(f"{len(failed)} of {len(files)} not brought in: {', '.join(failed[:5])}.")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--all", "everything", is_flag=True, help="Also what is not published, as its newest version is.")
@pass_app
def export(app: App, folder: Path, everything: bool) -> None:
    """Write every published article as a page of its own, K12.yaml, into a folder; what stands there is replaced."""
    reader = reading_as.reader(app)
    with app.store.read() as tx:
        out = articles.published(tx)
        versions = [out.get(article.id, newest) for article, newest in articles.listing(tx)]
    chosen = [each for each in versions if everything or each.article_id in out]
    written = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in chosen:
            if reader is None or reader.may_read(each.written):
                name = f"K{each.article_id}"
                half = folder / f".{name}.yaml.part"
                half.unlink(missing_ok=True)
                with half.open("x", encoding="utf-8") as file:  # never through a link that somebody put there
                    file.write(article_pages.page(each.written, name))
                os.replace(half, folder / f"{name}.yaml")
                written += 1
    except OSError as error:
        raise Mistake(
            f"{error.filename or folder} cannot be written ({error.strerror}); choose another folder."
        ) from error
    say(f"{counted(written, 'article')} written to {folder}.")


# --- what the commands share ---


def _bring_in(app: App, file: Path) -> tuple[str, str]:
    """The version that a page became, and whether that is `new`, `edited` or `unchanged`."""
    written, named = _page(file)
    for team in written.teams:
        case_typed.known_team(app, team)
    with app.store.write() as tx:
        if named:
            try:
                found, _ = knowledge.find(tx, named, reading_as.reader(app))
            except NotFound:
                named = ""  # of another desk: here it is a new one
        if not named:
            version = knowledge.write(tx, written, why=f"from {file.name}", by=app.actor, now=app.now())
            return version.name, "new"
        newest = knowledge.read(tx, found, found.newest, reading_as.reader(app))
        known = [newest, *articles.published(tx, [found.id]).values()]
        if same := next((each for each in known if each.written == knowledge.checked(written)), None):
            return same.name, "unchanged"
        version = knowledge.rewrite(
            tx, found, written, based_on=newest.number, why=f"from {file.name}", by=app.actor, now=app.now()
        )
        return version.name, "edited"


def _given(
    app: App, *, language: str | None, title: str | None, answer: str | None, body: str | None, old: ArticleText
) -> dict[str, ArticleText]:
    """The text that stands on the command line, over the old one; none where nothing does."""
    if title is None and answer is None and body is None:
        return {}
    said = sys.stdin.read(MAX_BYTES) if body == "-" else body
    text = ArticleText(
        title=old.title if title is None else title,
        answer=old.answer if answer is None else answer,
        body=old.body if said is None else said,
    )
    return {language or kb_plain.languages(app)[0]: text}


def _with(
    app: App,
    written: Written,
    texts: dict[str, ArticleText],
    *,
    audience: str | None,
    teams: tuple[str, ...],
    roles: tuple[str, ...],
    product: str | None,
    review_by: datetime | None,
    without: tuple[str, ...] = (),
) -> Written:
    day: date | None = review_by.date() if review_by else None
    for team in (*teams, *written.teams):
        case_typed.known_team(app, team)
    return knowledge.changed(
        written,
        texts,
        without=without,
        audience=Audience(audience) if audience else None,
        teams=teams or None,
        roles=roles or None,
        product=product,
        review_by=day,
    )


def _page(path: Path) -> tuple[Written, str]:
    try:
        if not path.is_file():  # a pipe would keep us waiting
            raise Mistake(f"{path} is no file; name a page.")
        if path.stat().st_size > MAX_BYTES:
            raise Mistake(f"{path} is larger than an article can be; name another file.")
        return article_pages.read(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake(f"{path} cannot be read ({error}); make it a readable UTF-8 text file.") from error


def _in_editor(page: str) -> Written:
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise Mistake("An editor needs a terminal; without one, give --title and --body, or --file.")
    try:
        text = click.edit(page, extension=".yaml", require_save=True, editor=line_editor.program())
    except click.ClickException as error:
        raise Mistake(f"The editor could not be used ({error.message}); set EDITOR, or use --file.") from error
    if text is None:
        raise Mistake("Nothing was written, so nothing was changed.")
    return article_pages.read(text, "the page")[0]


def _still(published: int | None, name: str) -> str:
    return f"{name}@{published} stays published until it is" if published else "it is not published yet"


def _told(version: Version, as_json: bool, *, said: str) -> None:
    if as_json:
        print_json(kb_plain.version_keys(version))
        return
    say(f"{said} Somebody else must read it: escucha kb review {version.name}")
