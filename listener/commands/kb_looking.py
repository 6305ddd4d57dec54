"""`escucha kb list|show|history|search`: what is known, and how each article stands."""

from __future__ import annotations

import click

from listener.commands import card as cards
from listener.commands import encoding, kb_plain, reading_as, suggested
from listener.commands.app import App, pass_app
from listener.commands.kb_plain import article_keys, version_keys
from listener.commands.output import ago, block, clip, counted, fields, heading, json_option, print_json, say, table
from listener.desk import knowledge
from listener.errors import Mistake
from listener.store import articles, made_from, ratings, shelf
from listener.types import VersionState

LIMIT = 50
STATES = ("draft", "accepted", "returned", "published", "retired")


@click.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these; may be repeated.")
@click.option("--product", metavar="NAME", help="Only what is about this product.")
@click.option("--needs-review", is_flag=True, help="Only what somebody should look at again, with the reason.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=LIMIT, show_default=True, help="How many at most.")
@json_option
@pass_app
def list_(
    app: App, *, states: tuple[str, ...], product: str | None, needs_review: bool, limit: int, as_json: bool
) -> None:
    """Articles, the newest first, each as its published version has it, or its newest where none is."""
    now, reader = app.now(), reading_as.reader(app)
    language = kb_plain.languages(app)[0]
    with app.store.read() as tx:
        found = articles.listing(tx, states=[VersionState(state) for state in states])
        out, rated = articles.published(tx), ratings.of_published(tx)
    listed = []
    for article, newest in found:
        version = out.get(article.id, newest)
        about = product is None or version.written.product.casefold() == product.strip().casefold()
        if not about or (reader is not None and not reader.may_read(version.written)):
            continue
        own = rated.get(article.id, ratings.NONE)
        concerned = knowledge.concerns(
            article, version, own, newest=newest, stale_after=app.config.knowledge.stale_after, now=now
        )
        if concerned or not needs_review:
            listed.append((article, version, newest, own, concerned))
    if needs_review:
        listed.sort(key=lambda row: row[0].looked_at)
    if as_json:
        plain = [
            {**article_keys(article, own, concerned), **version_keys(version, words=False)}
            for article, version, _, own, concerned in listed[:limit]
        ]
        print_json({"articles": plain, "more": len(listed) > limit})
        return
    rows = [
        (
            version.name,
            version.state if newest.number == version.number else f"{version.state}, @{newest.number} {newest.state}",
            version.written.audience,
            ",".join(version.written.texts),
            f"{own.useful}/{own.many}" if own.many else "",
            knowledge.names(concerned),
            kb_plain.title(version, language),
        )
        for article, version, newest, own, concerned in listed[:limit]
    ]
    empty = (
        "Nobody has to look at an article." if needs_review else "There is no article yet; write one: escucha kb add"
    )
    table(("article", "state", "for", "in", "useful", "look", "title"), rows, empty=empty, wide="title")
    if len(listed) > limit:
        say(f"There are more; see them with --limit {limit * 4}.")


@click.command()
@click.argument("article", metavar="K12[@3]")
@click.option("--language", metavar="CODE", help="Only its text in this language.")
@json_option
@pass_app
def show(app: App, article: str, language: str | None, as_json: bool) -> None:
    """One article in full: its published version, else its newest; or the one that is named."""
    now, reader = app.now(), reading_as.reader(app)
    with app.store.read() as tx:
        found, number = knowledge.find(tx, article, reader)
        version = knowledge.read(tx, found, number or found.published or found.newest, reader)
        newest = articles.version(tx, found, found.newest)
        rated = ratings.of_published(tx, [found.id]).get(found.id, ratings.NONE)
        given = ratings.all_of(tx, found.id)
        used, waiting = made_from.used(tx, found.id), made_from.waiting(tx, found.id)
    texts = version.written.texts
    if language is not None and language not in texts:
        raise Mistake(f"{version.name} has no text in {clip(language, 20)}; it has: {', '.join(texts)}.")
    concerned = knowledge.concerns(
        found, version, rated, newest=newest, stale_after=app.config.knowledge.stale_after, now=now
    )
    if as_json:
        told = {**article_keys(found, rated, concerned), **version_keys(version)}
        reasons = [
            {"version": each.number, "by": each.by, "useful": each.useful, "reason": each.reason, "at": each.at}
            for each in given
        ]
        print_json({**told, "ratings_given": reasons, "replies_sent": used, "drafts_waiting": waiting})
        return
    written = version.written
    heading(f"{version.name}  {version.state} · {written.audience}")
    fields(
        [
            ("written", f"by {version.written_by} {ago(version.written_at, now)}"),
            ("why", version.why),
            ("drafted from", version.case_reference),
            ("reviewed", f"by {version.reviewed_by} {ago(version.reviewed_at, now)}" if version.reviewed_by else ""),
            ("note", version.note),
            (
                "published",
                f"by {version.published_by} {ago(version.published_at, now)}" if version.published_by else "",
            ),
            (
                "last looked at",
                f"by {found.looked_by} {ago(found.looked_at, now)}" if version.number == found.published else "",
            ),
            (str(version.state), f"by {version.ended_by} {ago(version.ended_at, now)}" if version.ended_by else ""),
            ("newer", f"{newest.name}, {newest.state}" if newest.number > version.number else ""),
            ("for teams", written.teams),
            ("for roles", written.roles),
            ("product", written.product),
            ("look again by", str(written.review_by or "")),
            ("useful", f"to {rated.useful} of {rated.many}" if rated.many else ""),
            ("used in", counted(used, "reply") if used == 1 else f"{used} replies" if used else ""),
            ("drafts made from it", ", ".join(f"D{number}" for number in waiting)),
            ("look at it", "; ".join(each.words for each in concerned)),
        ]
    )
    for code, text in texts.items():
        if language in (None, code):
            say()
            heading(f"{code}  {text.title}")
            if text.answer:
                say("  answer")
                block(text.answer, indent=4)
            if text.body:
                say()
                block(text.body)
    bad = [each for each in given if not each.useful and each.number == version.number]
    if bad:
        say()
        heading("Not useful")
        for each in bad[:10]:
            block(f"{each.by}, {ago(each.at, now)}: {clip(each.reason, 300)}")


@click.command()
@click.argument("article", metavar="K12")
@json_option
@pass_app
def history(app: App, article: str, as_json: bool) -> None:
    """Every version of an article: who wrote, read, published and ended it, and why."""
    reader = reading_as.reader(app)
    with app.store.read() as tx:
        found, _ = knowledge.find(tx, article, reader)
        versions = articles.versions(tx, found)
    readable = [each for each in versions if reader is None or reader.may_read(each.written)]
    if as_json:
        print_json({"article": found.name, "versions": [version_keys(each, words=False) for each in readable]})
        return
    for each in reversed(readable):
        heading(f"{each.name}  {each.state} · {each.written.audience} · {', '.join(each.written.texts)}")
        steps = [
            (each.written_at, each.written_by, f"wrote it{f': {each.why}' if each.why else ''}"),
            (
                each.reviewed_at,
                each.reviewed_by,
                "sent it back" if each.state is VersionState.RETURNED else "accepted it",
            ),
            (each.published_at, each.published_by, "published it"),
            (each.ended_at, each.ended_by, "retired it" if each.state is VersionState.RETIRED else "replaced it"),
        ]
        for at, by, what in steps:
            if at is not None:
                say(f"  {at:%Y-%m-%d %H:%M}  {clip(by or '', 20)} {clip(what, 200)}")
        if each.note:
            block(each.note, indent=20)


@click.command()
@click.argument("question", nargs=-1, required=True)
@click.option("--language", metavar="CODE", help="Show titles in this language where there is one.")
@click.option("--words-only", is_flag=True, help="Do not look for the meaning; saves about a second.")
@click.option("--limit", type=click.IntRange(1, 50), default=10, show_default=True, help="How many at most.")
@json_option
@pass_app
def search(
    app: App, question: tuple[str, ...], *, language: str | None, words_only: bool, limit: int, as_json: bool
) -> None:
    """Find published articles by what a question means and by its words, in Spanish and English alike."""
    from listener.desk import searching

    asked = " ".join(question).strip()
    if not asked:
        raise Mistake("Say what to look for.")
    with app.store.read() as tx:
        none = shelf.is_empty(tx)
    encoder = encoding.Encoder(model="", embed=None) if words_only or none else encoding.of(app)
    vector = encoder.vector(asked[:2000])
    with app.store.read() as tx:
        hits = searching.search(
            tx, asked, vector=vector, model=encoder.model, reader=reading_as.reader(app), limit=limit
        )
        out = articles.published(tx, [hit.article_id for hit in hits])
        behind = shelf.of_other_models(tx, encoder.model) if encoder.embed else []
    found = [(hit, out[hit.article_id]) for hit in hits if hit.article_id in out]
    if as_json:
        plain = [
            {
                "article": f"K{hit.article_id}",
                "version": version.name,
                "language": (chosen := kb_plain.text(version, language or hit.language))[0],
                "title": chosen[1].title,
                "audience": version.written.audience,
                "likeness": hit.likeness,
                "words": round(hit.words, 3),
            }
            for hit, version in found
        ]
        print_json({"question": asked, "articles": plain})
        return
    rows = [
        (
            version.name,
            version.written.audience,
            f"{hit.likeness:.0%}" if hit.likeness is not None else "",
            "yes" if hit.words else "",
            kb_plain.title(version, language or hit.language),
        )
        for hit, version in found
    ]
    table(("article", "for", "alike", "words", "title"), rows, empty="No article was found.", wide="title")
    if encoder.trouble:
        say(f"Only words were looked for: {encoder.trouble}")
    elif behind:
        say(f"{counted(len(behind), 'article')} can only be found by words; to change that: escucha kb index")


@click.command()
@click.argument("what", metavar="M12|D7|CASE")
@click.option("--limit", type=click.IntRange(1, 20), default=3, show_default=True, help="How many at most.")
@json_option
@pass_app
def suggest(app: App, what: str, limit: int, as_json: bool) -> None:
    """The articles that may help with a mention, the nearest first; none where none is near."""
    with app.store.read() as tx:
        card = cards.find(tx, what, pattern=app.config.cases.pattern, actor=app.actor, now=app.now())
    mention = card.mention
    if card.gone:
        raise Mistake(f"M{mention.id} was deleted by its author; nothing is left to find articles for.")
    language = card.understanding.language if card.understanding else ""
    found = suggested.beside(app, mention.text, language=language, limit=limit)
    if as_json:
        print_json({"mention": f"M{mention.id}", "articles": suggested.keys(found)})
        return
    rows = [(each.name, each.audience, f"{each.score:.2f}", each.title) for each in found]
    table(("article", "for", "near", "title"), rows, empty=f"No article is near M{mention.id}.", wide="title")
    draft = card.draft
    if draft is not None and card.waits and any(each.answers for each in found):
        first = next(each for each in found if each.answers)
        say(f"\nescucha edit D{draft.id} --from-article K{first.article_id}")
