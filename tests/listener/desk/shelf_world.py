"""A desk's knowledge in a real database, written with the desk's own functions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from listener.desk import knowledge, searching
from listener.desk.readers import Reader
from listener.desk.searching import Hit
from listener.store import Store, articles
from listener.store.articles import Article, ArticleText, Version, Written
from listener.types import Audience
from tests.listener.model.by_vectors import ByVectors

NOW = datetime(2026, 3, 4, 17, 30, tzinfo=UTC)
MODEL = "by-vectors"
ROUTER = ArticleText(
    title="¿Por qué parpadea la luz roja del router?",
    answer="Reinicie el router y espere dos minutos.",
    body="La luz roja dice que no llega señal de fibra. Si sigue, abra una avería.",
)
BILL = ArticleText(
    title="¿Cuándo se cobra la factura?", answer="El día cinco de cada mes.", body="Se cobra el día cinco."
)


def embed(texts: Sequence[str]) -> Any:
    return ByVectors().embed(texts)


class Shelf:
    """What ana writes, luis reads and publishes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOW

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    def writes(self, text: ArticleText = ROUTER, *, language: str = "es", by: str = "ana", **columns: Any) -> Version:
        written = Written(texts={language: text}, **{"audience": Audience.PUBLIC, **columns})
        with self.store.write() as tx:
            return knowledge.write(tx, written, why="", by=by, now=self.now)

    def rewrites(self, version: Version, text: ArticleText, *, language: str = "es", by: str = "ana") -> Version:
        with self.store.write() as tx:
            article = articles.get(tx, version.article_id)
            written = knowledge.changed(version.written, {language: text})
            return knowledge.rewrite(tx, article, written, based_on=version.number, why="", by=by, now=self.now)

    def accepts(self, version: Version, *, by: str = "luis") -> Version:
        with self.store.write() as tx:
            article = articles.get(tx, version.article_id)
            return knowledge.accept(tx, article, version.number, note="", by=by, now=self.now)

    def publishes(self, version: Version, *, by: str = "luis", reads: bool = True) -> Version:
        """Accepted and put out; without `reads` by a desk whose model cannot be used."""
        self.accepts(version)
        with self.store.write() as tx:
            article = articles.get(tx, version.article_id)
            return knowledge.publish(tx, article, model=MODEL, embed=embed if reads else None, by=by, now=self.now)

    def retires(self, version: Version) -> None:
        with self.store.write() as tx:
            knowledge.retire(tx, articles.get(tx, version.article_id), why="it ended", by="luis", now=self.now)

    def article(self, version: Version) -> Article:
        with self.store.read() as tx:
            return articles.get(tx, version.article_id)

    def now_is(self, version: Version) -> Version:
        with self.store.read() as tx:
            return articles.version(tx, articles.get(tx, version.article_id), version.number)

    def finds(self, question: str, *, meaning: bool = True, reader: Reader | None = None, limit: int = 10) -> list[Hit]:
        vector = embed([question])[0] if meaning else None
        with self.store.read() as tx:
            return searching.search(tx, question, vector=vector, model=MODEL, reader=reader, limit=limit)
