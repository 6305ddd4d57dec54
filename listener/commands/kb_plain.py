"""Articles as they are told: names, titles, keys for programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from listener.store.articles import Article, ArticleText, Version

if TYPE_CHECKING:
    from listener.commands.app import App
    from listener.desk.knowledge import Concern
    from listener.store.ratings import Ratings


def title(version: Version, language: str = "") -> str:
    """Its title in that language, else in the first it has."""
    return text(version, language)[1].title


def text(version: Version, language: str = "") -> tuple[str, ArticleText]:
    """Its text in that language, else in the first it has, with the language."""
    texts = version.written.texts
    code = language if language in texts else next(iter(texts))
    return code, texts[code]


def languages(app: App) -> tuple[str, ...]:
    """In which languages the company speaks."""
    return tuple(app.config_or_default.brand.languages)


def version_keys(version: Version, *, words: bool = True) -> dict[str, Any]:
    """The keys of one version; `words`: its texts in full, else their titles."""
    written = version.written
    texts: Mapping[str, Any] = {
        code: {"title": each.title, "answer": each.answer, "body": each.body} if words else {"title": each.title}
        for code, each in written.texts.items()
    }
    return {
        "version": version.name,
        "number": version.number,
        "state": version.state,
        "audience": written.audience,
        "teams": written.teams,
        "roles": written.roles,
        "product": written.product,
        "review_by": written.review_by.isoformat() if written.review_by else None,
        "texts": texts,
        "written_by": version.written_by,
        "written_at": version.written_at,
        "why": version.why,
        "case": version.case_reference,
        "reviewed_by": version.reviewed_by,
        "reviewed_at": version.reviewed_at,
        "note": version.note,
        "published_by": version.published_by,
        "published_at": version.published_at,
        "ended_by": version.ended_by,
        "ended_at": version.ended_at,
    }


def article_keys(article: Article, rated: Ratings, concerned: list[Concern]) -> dict[str, Any]:
    """The keys of an article, without its versions."""
    return {
        "article": article.name,
        "newest": article.newest,
        "published": article.published,
        "looked_at": article.looked_at,
        "looked_by": article.looked_by,
        "ratings": rated.many,
        "useful": rated.useful,
        "concerns": [{"what": each.what, "words": each.words} for each in concerned],
    }
