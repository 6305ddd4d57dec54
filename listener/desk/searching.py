"""Articles found by meaning and by words.

    question | vector  × every passage         | the nearest 50  \
             | stems   BM25 over what is shelved | the best 50    / reciprocal rank fusion | who may read | the best

Both lists come from one copy of the shelf that a process keeps in memory until the shelf changes. BM25 is Robertson and
Zaragoza, "The Probabilistic Relevance Framework" (2009); the fusion is Cormack, Clarke and Büttcher, "Reciprocal Rank
Fusion outperforms Condorcet" (2009), with their k of 60.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from listener.desk import stems
from listener.desk.readers import Reader
from listener.store import Transaction, shelf

if TYPE_CHECKING:
    from numpy.typing import NDArray

K1, B = 1.2, 0.75  # BM25: how soon a word repeated counts no more; how much long texts pay for their length
DEEP = 50  # articles of each list that are fused
FLATTENS = 60  # the k of reciprocal rank fusion


@dataclass(frozen=True, kw_only=True)
class Hit:
    """An article that was found, best first. `likeness`: -1 to 1, of its nearest passage; `words`: its BM25.

    `language`: of its text that was found, by meaning where that found it.
    """

    article_id: int
    language: str
    score: float
    likeness: float | None
    words: float


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The whole shelf in memory, as it was at that `number`."""

    number: int
    articles: NDArray[np.int64]  # of each text
    languages: tuple[str, ...]  # of each text
    readers: tuple[str, ...]  # as desk/readers.py writes them, each once
    readers_of: NDArray[np.int64]  # which of them, of each text
    model: str  # whose vectors these are
    vectors: NDArray[np.float32]  # of each passage
    text_of: NDArray[np.int64]  # of each passage
    stems: NDArray[np.uint32]
    counts: NDArray[np.float32]  # of each stem of each text
    stem_of: NDArray[np.int64]  # whose stem it is
    lengths: NDArray[np.float32]  # of each text, in stems

    @property
    def spoken(self) -> tuple[str, ...]:
        """The languages that stand there."""
        return tuple(dict.fromkeys(self.languages))


_kept: WeakKeyDictionary[Any, dict[str, Shelf]] = WeakKeyDictionary()  # by database, then by model
_lock = threading.Lock()


def search(
    tx: Transaction, question: str, *, vector: NDArray[Any] | None, model: str, reader: Reader | None, limit: int = 10
) -> list[Hit]:
    """The articles that answer the question, best first. `vector`: of the question, of `model`; None: words alone.

    `reader` None: whoever may read everything. An article is found once, whatever its languages.
    """
    kept = taken(tx, model)
    if not len(kept.articles):
        return []
    likeness = by_meaning(kept, vector) if vector is not None and len(kept.vectors) else None
    words = by_words(kept, question)
    open_to = _open_to(kept, reader)
    near = _ranked(kept.articles, np.where(open_to, likeness, -np.inf)) if likeness is not None else {}
    said = _ranked(kept.articles, np.where(open_to & (words > 0), words, -np.inf))
    scores: dict[int, float] = {}
    for ranked in (near, said):
        for rank, article in enumerate(ranked, start=1):
            scores[article] = scores.get(article, 0.0) + 1 / (FLATTENS + rank)
    best = sorted(scores, key=lambda article: (-scores[article], article))[:limit]
    return [
        Hit(
            article_id=article,
            language=kept.languages[near.get(article, said.get(article, 0))],
            score=scores[article],
            likeness=float(likeness[near[article]]) if likeness is not None and article in near else None,
            words=float(words[said[article]]) if article in said else 0.0,
        )
        for article in best
    ]


def taken(tx: Transaction, model: str) -> Shelf:
    """The shelf as it is now, with the vectors of that model; read only where it changed since it was last read."""
    number = shelf.number(tx)
    with _lock:
        by_model = _kept.setdefault(tx.engine, {})
        kept = by_model.get(model)
    if kept is None or kept.number != number:
        kept = _read(shelf.everything(tx), number, model)
        with _lock:
            by_model[model] = kept
    return kept


def by_meaning(kept: Shelf, vector: NDArray[Any]) -> NDArray[np.float32]:
    """How near each text's nearest passage is; -inf for a text that this model has not read."""
    near = kept.vectors @ np.asarray(vector, np.float32).reshape(-1)
    best = np.full(len(kept.articles), -np.inf, np.float32)
    starts = np.flatnonzero(np.diff(kept.text_of, prepend=-1))
    best[kept.text_of[starts]] = np.maximum.reduceat(near, starts)
    return best


def by_words(kept: Shelf, question: str) -> NDArray[np.float64]:
    """The BM25 of each text; 0 where it has no word of the question, read in each of the shelf's languages."""
    scores = np.zeros(len(kept.articles), np.float64)
    wanted = {stems.number(stem, code) for code in kept.spoken for stem in stems.stems(question[:2000], code)}
    many = len(kept.articles)
    mean = float(kept.lengths.mean()) or 1.0
    for number in wanted:
        at = np.flatnonzero(kept.stems == np.uint32(number))
        if not len(at):
            continue
        often, texts = kept.counts[at], kept.stem_of[at]
        rare = np.log1p((many - len(at) + 0.5) / (len(at) + 0.5))
        scores[texts] += rare * often * (K1 + 1) / (often + K1 * (1 - B + B * kept.lengths[texts] / mean))
    return scores


def _ranked(of: NDArray[np.int64], scores: NDArray[Any]) -> dict[int, int]:
    """The best articles in order, each with its text that scored best."""
    deep = min(len(scores), DEEP * 4)  # texts: an article may stand there in several languages
    top = np.argpartition(-scores, deep - 1)[:deep]
    found: dict[int, int] = {}
    for text in top[np.lexsort((top, -scores[top]))]:
        if scores[text] == -np.inf or len(found) == DEEP:
            break
        found.setdefault(int(of[text]), int(text))
    return found


def _open_to(kept: Shelf, reader: Reader | None) -> NDArray[np.bool_]:
    """Which texts the reader may read."""
    if reader is None:
        return np.ones(len(kept.articles), bool)
    return np.array([reader.may_read_kept(each) for each in kept.readers], bool)[kept.readers_of]


def _read(rows: Sequence[shelf.Shelved], number: int, model: str) -> Shelf:
    groups = {each: at for at, each in enumerate(dict.fromkeys(row.readers for row in rows))}
    counts = np.frombuffer(b"".join(row.counts for row in rows), np.uint8).astype(np.float32)
    sizes = np.array([len(row.counts) for row in rows], np.int64)
    stem_of = np.repeat(np.arange(len(rows)), sizes)
    read = [at for at, row in enumerate(rows) if row.model == model and row.passages and row.vectors]
    passages = np.array([rows[at].passages for at in read], np.int64)
    flat = np.frombuffer(b"".join(rows[at].vectors for at in read), np.float16)
    return Shelf(
        number=number,
        articles=np.array([row.article_id for row in rows], np.int64),
        languages=tuple(row.language for row in rows),
        readers=tuple(groups),
        readers_of=np.array([groups[row.readers] for row in rows], np.int64),
        model=model,
        vectors=flat.astype(np.float32).reshape(int(passages.sum()) if read else 0, -1 if read else 0),
        text_of=np.repeat(np.array(read, np.int64), passages),
        stems=np.frombuffer(b"".join(row.stems for row in rows), np.uint32),
        counts=counts,
        stem_of=stem_of,
        lengths=np.bincount(stem_of, weights=counts, minlength=len(rows)).astype(np.float32),
    )
