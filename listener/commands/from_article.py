"""A reply made from an article: its answer takes the place of a draft's words, and which version that was is kept."""

from __future__ import annotations

from dataclasses import dataclass

from listener.commands import deciding, reading_as
from listener.commands.app import App
from listener.desk import knowledge
from listener.errors import Mistake
from listener.store import articles, made_from
from listener.store.articles import Version
from listener.store.inbox import Draft
from listener.types import Audience, Visibility


@dataclass(frozen=True, kw_only=True)
class Source:
    """The answer of one published version, in one language."""

    version: Version
    language: str
    text: str


def source(app: App, draft: Draft, typed: str, *, visibility: Visibility, language: str = "") -> Source:
    """The answer of that article in the draft's language, or in the one that was asked for.

    Raises NotFound, and Mistake where no reply can be made from it: not published, internal, or without an answer.
    """
    with app.store.read() as tx:
        found, number = knowledge.find(tx, typed, reading_as.reader(app))
        if found.published is None:
            raise Mistake(f"{found.name} is not published, so no reply can be made from it.")
        if number not in (None, found.published):
            raise Mistake(f"{found.name}@{number} is not published; {found.name}@{found.published} is.")
        version = articles.version(tx, found, found.published)
    if version.written.audience is not Audience.PUBLIC and visibility is not Visibility.DIRECT:
        raise Mistake(f"{version.name} is internal; its words are not for everybody to read.")
    texts = version.written.texts
    code = language or draft.language.partition("-")[0]
    if code not in texts or not texts[code].answer:
        able = ", ".join(each for each, text in texts.items() if text.answer) or "none"
        raise Mistake(f"{version.name} has no answer in {code}; it has one in: {able} (--language takes another).")
    return Source(version=version, language=code, text=texts[code].answer)


def use(app: App, draft: Draft, chosen: Source) -> Draft:
    """The draft with that answer for its words, proposed again. Raises Mistake or Stale as `deciding.reword`."""
    version = chosen.version
    made = made_from.Source(article_id=version.article_id, number=version.number, language=chosen.language)
    return deciding.reword(app, draft, chosen.text, made=made)


def of(app: App, draft: Draft) -> made_from.MadeFrom | None:
    """What a draft was made from; None: from no article."""
    with app.store.read() as tx:
        return made_from.of_drafts(tx, [draft.id]).get(draft.id)
