"""`escucha kb review|publish|retire|look|doubt|rate|index`: who says that an article is true, and who doubts it."""

from __future__ import annotations

from typing import Any, cast

import click
from rich.text import Text

from listener.commands import drawing, encoding, kb_plain, reading_as
from listener.commands.answers import tidy_reason
from listener.commands.app import App, pass_app
from listener.commands.output import counted, fields, heading, json_option, print_json, say, show
from listener.desk import knowledge
from listener.errors import AlreadyDone, Mistake
from listener.store import articles, made_from, shelf
from listener.store.articles import Article, ArticleText, Version
from listener.types import Audience, VersionState

NOTHING = ArticleText(title="")


@click.command()
@click.argument("article", metavar="K12[@3]")
@click.option("--accept", is_flag=True, help="It is true and may be published.")
@click.option("--return", "why", metavar="REASON", help="Its author should change it; say what.")
@click.option("--note", metavar="TEXT", default="", help="Something to remember about an acceptance.")
@json_option
@pass_app
def review(app: App, article: str, *, accept: bool, why: str | None, note: str, as_json: bool) -> None:
    """Read what is to be published, beside what is published now; then accept it or send it back.

    Only somebody who wrote none of it can accept it, and only by naming the version that they read: K12@3.
    """
    if accept and why is not None:
        raise Mistake("Give --accept or --return, not both.")
    if why is not None and not why.strip():
        raise Mistake("Say in a few words what should be changed, such as --return 'the fee is wrong'.")
    reader = reading_as.reader(app)
    with app.store.read() as tx:
        found, number = knowledge.find(tx, article, reader)
        newest = knowledge.read(tx, found, number or found.newest, reader)
        old = articles.version(tx, found, found.published) if found.published else None
        authors = knowledge.authors(tx, found, up_to=newest.number)
    if (accept or why is not None) and number is None:
        raise Mistake(f"Say which version you read: escucha kb review {newest.name}")
    if not accept and why is None:
        _shown(app, newest, old, authors, as_json=as_json)
        return
    with app.store.write() as tx:
        if accept:
            version = knowledge.accept(tx, found, newest.number, note=tidy_reason(note), by=app.actor, now=app.now())
        else:
            version = knowledge.send_back(
                tx, found, newest.number, note=tidy_reason(why or ""), by=app.actor, now=app.now()
            )
    if as_json:
        print_json(kb_plain.version_keys(version))
    elif accept:
        say(f"{version.name} is accepted. To put it out: escucha kb publish {found.name}")
    else:
        say(f"{version.name} goes back to {version.written_by}.")


def _shown(app: App, newest: Version, old: Version | None, authors: frozenset[str], *, as_json: bool) -> None:
    warnings = _warnings(app, newest)
    if as_json:
        told = kb_plain.version_keys(newest)
        print_json({**told, "published": old.name if old else None, "authors": authors, "warnings": warnings})
        return
    heading(f"{newest.name}  {newest.state} · {newest.written.audience}")
    was = old.written if old else None
    written = newest.written
    fields(
        [
            ("written by", ", ".join(sorted(authors)) or newest.written_by),
            ("why", newest.why),
            ("drafted from", newest.case_reference),
            ("audience", f"{was.audience} → {written.audience}" if was and was.audience != written.audience else ""),
            ("for teams", written.teams),
            ("for roles", written.roles),
            ("product", written.product),
            ("sent back", newest.note if newest.state is VersionState.RETURNED else ""),
            ("beside", f"{old.name}, which is published; what changed is marked" if old else ""),
        ]
    )
    texts = written.texts if was is None else {**was.texts, **written.texts}
    for code in texts:
        new, before = written.texts.get(code, NOTHING), was.texts.get(code, NOTHING) if was else None
        say()
        say(code if code in written.texts else f"{code}, taken out")
        for part in ("title", "answer", "body"):
            value = getattr(new, part)
            parted = [Text(part, "dim")] if value or (before and getattr(before, part)) else []
            show_all = drawing.words(value) if before is None else [drawing.changes(getattr(before, part), value)]
            for line in [*parted, *(show_all if parted else [])]:
                show(line)
    for warning in warnings:
        say(f"• {warning}")
    if newest.state is VersionState.DRAFT:
        say(f"\nescucha kb review {newest.name} --accept · --return 'what should change'")


def _warnings(app: App, version: Version) -> list[str]:
    """What a reviewer should look at twice."""
    policies = cast(Any, app.policies)
    contacts = cast(Any, app.policy).file.brand.contacts
    found = []
    for code, text in version.written.texts.items():
        kinds = policies.personal_data(f"{text.title}\n{text.answer}\n{text.body}", contacts)
        found += [f"In {code} there is {kind} that the policy does not name as ours." for kind in kinds]
        if version.written.audience is Audience.PUBLIC and not text.answer:
            found.append(f"In {code} there is no answer, so no reply can be made from it.")
    return found


@click.command()
@click.argument("article", metavar="K12")
@json_option
@pass_app
def publish(app: App, article: str, as_json: bool) -> None:
    """Put the accepted version of an article out: from now on it is found, and replies are made from it.

    Replies that wait with the words of the version before are put before people again.
    """
    with app.store.read() as tx:
        found, _ = knowledge.find(tx, article, reading_as.reader(app))
    encoder = encoding.of(app)
    with app.store.write() as tx:
        version = knowledge.publish(tx, found, model=encoder.model, embed=encoder.embed, by=app.actor, now=app.now())
        waiting = _made_from_others(found, tx)
    if as_json:
        print_json({**kb_plain.version_keys(version), "drafts_waiting": waiting})
        return
    say(f"{version.name} is published.")
    if encoder.trouble:
        say(f"It is found by its words only: {encoder.trouble}")
    _tell(waiting)


@click.command()
@click.argument("article", metavar="K12")
@click.option("--reason", required=True, help="Why it is no longer true, in a few words; it is kept.")
@json_option
@pass_app
def retire(app: App, article: str, reason: str, as_json: bool) -> None:
    """Take a published article back: nobody finds it any more, and waiting replies made from it are named."""
    if not reason.strip():
        raise Mistake("Say in a few words why, such as --reason 'the offer has ended'.")
    with app.store.write() as tx:
        found, _ = knowledge.find(tx, article, reading_as.reader(app))
        version = knowledge.retire(tx, found, why=tidy_reason(reason), by=app.actor, now=app.now())
        waiting = _made_from_others(found, tx)
    if as_json:
        print_json({**kb_plain.version_keys(version), "drafts_waiting": waiting})
        return
    say(f"{version.name} is retired.")
    _tell(waiting)


def _made_from_others(article: Article, tx: Any) -> list[int]:
    """The drafts that wait with words of a version which is no longer out."""
    found = made_from.of_drafts(tx, made_from.waiting(tx, article.id))
    return [number for number, each in found.items() if each.outdated]


def _tell(waiting: list[int]) -> None:
    if waiting:
        names = ", ".join(f"D{number}" for number in waiting[:20])
        say(f"{counted(len(waiting), 'draft')} made from what it was, to be read again: {names}")


@click.command()
@click.argument("article", metavar="K12")
@pass_app
def look(app: App, article: str) -> None:
    """Say that you looked at a published article and that it is still true."""
    with app.store.write() as tx:
        found, _ = knowledge.find(tx, article, reading_as.reader(app))
        if found.published is None:
            raise AlreadyDone(f"{found.name} is not published; read it with escucha kb review {found.name}")
        articles.looked(tx, found, by=app.actor, now=app.now())
        missing = shelf.lacks(tx, found.id)
    if missing:
        _shelve_again(app)
    say(f"{found.name}@{found.published} stands.")


def _shelve_again(app: App) -> None:
    """What words were erased from is found again, once somebody has read what is left of it."""
    from listener.desk import shelving

    encoder = encoding.of(app)
    with app.store.write() as tx:
        shelving.again(tx, model=encoder.model, embed=encoder.embed)


@click.command()
@click.argument("names", nargs=-1, metavar="[K12 …]")
@click.option("--product", metavar="NAME", help="All that is about this product, because it changed.")
@click.option("--reason", required=True, help="What may no longer be true, in a few words.")
@pass_app
def doubt(app: App, names: tuple[str, ...], product: str | None, reason: str) -> None:
    """Say that articles may no longer be true, for example because their product changed; they are to be looked at."""
    if not names and product is None:
        raise Mistake("Name the articles, such as K12, or --product NAME.")
    if not reason.strip():
        raise Mistake("Say in a few words why, such as --reason 'new firmware'.")
    with app.store.write() as tx:
        found = [knowledge.find(tx, name, reading_as.reader(app))[0].id for name in names]
        if product is not None:
            about = articles.about_product(tx, product)
            if not about:
                known = ", ".join(articles.products(tx)[:10]) or "none"
                raise Mistake(f"No published article is about {product[:60]!r}; they are about: {known}.")
            found += about
        articles.doubt(tx, sorted(set(found)), why=tidy_reason(reason), by=app.actor, now=app.now())
    say(f"{counted(len(set(found)), 'article')} to be looked at: escucha kb list --needs-review")


@click.command()
@click.argument("article", metavar="K12")
@click.option("--useful/--not-useful", "useful", default=None, help="Whether it helped.")
@click.option("--reason", metavar="TEXT", default="", help="Why; needed where it did not.")
@pass_app
def rate(app: App, article: str, useful: bool | None, reason: str) -> None:
    """Say whether a published article helped you; your word about the same version takes the place of your last one."""
    if useful is None:
        raise Mistake("Say --useful or --not-useful.")
    with app.store.write() as tx:
        found, _ = knowledge.find(tx, article, reading_as.reader(app))
        version = knowledge.rate(tx, found, useful=useful, reason=tidy_reason(reason), by=app.actor, now=app.now())
    say(f"{version.name}: {'useful' if useful else 'not useful'}, says {app.actor}.")


@click.command()
@pass_app
def index(app: App) -> None:
    """Let the present model read the published articles that another one has read: then their meaning is found."""
    from listener.desk import shelving

    encoder = app.encoder
    with app.store.write() as tx:
        many = shelving.again(tx, model=encoder.reader_version, embed=encoder.embed)
    say(f"{counted(many, 'article')} read." if many else "Every article can be found by its meaning.")
