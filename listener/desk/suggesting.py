"""Which articles may help with a mention: those that the desk would find for its words, if they are near enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from listener.store import Transaction, articles, shelf
from listener.types import Audience

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from listener.desk.readers import Reader

NEAR = 0.35  # below it nothing is suggested: `benchmarks/knowledge.py` tells what that lets through
MOST = 3


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """An article beside a mention. `score`: `NEAR` or more, the higher the nearer; `language`: of `title`, the
    mention's where it has that."""

    article_id: int
    number: int
    language: str
    title: str
    audience: Audience
    answers: bool  # whether a reply can be made from it, in that language
    score: float

    @property
    def name(self) -> str:
        """`K12@3`."""
        return f"K{self.article_id}@{self.number}"


def beside(
    tx: Transaction,
    text: str,
    *,
    vector: NDArray[Any] | None,
    model: str,
    reader: Reader | None,
    language: str = "",
    limit: int = MOST,
) -> tuple[Suggestion, ...]:
    """The articles for what a mention says, the nearest first; none where none is near, or nothing is published.

    `vector`: of the text, by `model`; None: by its words alone. `reader` None: whoever may read everything.
    """
    if not text.strip() or shelf.is_empty(tx):
        return ()
    from listener.desk import searching

    hits = searching.search(tx, text, vector=vector, model=model, reader=reader, limit=limit)
    near = [hit for hit in hits if hit.score >= NEAR]
    out = articles.published(tx, [hit.article_id for hit in near])
    return tuple(
        _suggestion(out[hit.article_id], (language, hit.language), hit.score) for hit in near if hit.article_id in out
    )


def _suggestion(version: articles.Version, languages: Sequence[str], score: float) -> Suggestion:
    texts = version.written.texts
    code = next(code for code in (*languages, *texts) if code in texts)
    public = version.written.audience is Audience.PUBLIC
    return Suggestion(
        article_id=version.article_id,
        number=version.number,
        language=code,
        title=texts[code].title,
        audience=version.written.audience,
        answers=public and bool(texts[code].answer),
        score=round(score, 4),
    )
