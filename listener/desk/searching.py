"""Articles found by meaning and by words.

    question | its vector: how like each passage is  | of each text the nearest |
             | its stems: BM25 of each text          | as a share of the most   | added | who may read | the best

Both are worked out over one copy of the shelf that a process keeps in memory until the shelf changes. BM25 is Robertson
and Zaragoza, "The Probabilistic Relevance Framework" (2009). The two are added and not fused by their ranks: a long
question shares some word with a wrong article nearly always, and ranks do not tell how little that is (Bruch, Gai and
Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", 2023; `benchmarks/knowledge.py` shows both).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from listener.desk import stems
from listener.desk.readers import Reader
from listener.store import Transaction, shelf

if TYPE_CHECKING:
    from numpy.typing import NDArray

LONGEST = 2_000  # characters of a question that are read
K1, B = 1.2, 0.75  # BM25: how soon a word repeated counts no more; how much long texts pay for their length
WORDS = 0.6  # what having every word of the question counts for, beside a likeness of 1
ALIKE = 0.2  # below this likeness, and without a word of the question, nothing is shown


@dataclass(frozen=True, kw_only=True)
class Hit:
    """An article that was found. `likeness`: -1 to 1, of its nearest passage, None where only words were looked for;
    `words`: 0 to 1, how much of the question stands in it; `language`: of its text that was found."""

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
    spoken: tuple[str, ...]  # those languages, each once
    readers: tuple[str, ...]  # as desk/readers.py writes them, each once
    readers_of: NDArray[np.int64]  # which of them, of each text
    model: str  # whose vectors these are
    vectors: NDArray[np.float32]  # of each passage
    text_of: NDArray[np.int64]  # of each passage
    stems: NDArray[np.uint32]
    counts: NDArray[np.float32]  # of each stem of each text
    stem_of: NDArray[np.int64]  # whose stem it is
    lengths: NDArray[np.float32]  # of each text, in stems


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
    words = by_words(kept, question)
    likeness = np.full(len(kept.articles), -np.inf, np.float32)
    if vector is not None and len(kept.vectors):
        likeness = by_meaning(kept, vector)
    shown = _open_to(kept, reader) & ((words > 0) | (likeness >= ALIKE))
    scores = np.where(shown, np.maximum(likeness, 0) + WORDS * words, -np.inf)
    found: dict[int, Hit] = {}
    for text in np.argsort(-scores, kind="stable"):
        if scores[text] == -np.inf or len(found) == limit:
            break
        article = int(kept.articles[text])
        if article not in found:
            near = float(likeness[text])
            found[article] = Hit(
                article_id=article,
                language=kept.languages[text],
                score=float(scores[text]),
                likeness=None if near == -np.inf else near,
                words=float(words[text]),
            )
    return list(found.values())


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
    """The BM25 of each text as a share, 0 to 1, of what the question could have at most in the text's language."""
    scores = np.zeros(len(kept.articles), np.float64)
    many = len(kept.articles)
    mean = float(kept.lengths.mean()) or 1.0
    for language in kept.spoken:
        most, found = 0.0, np.zeros(many, np.float64)
        for stem in stems.stems(question[:LONGEST], language):
            at = np.flatnonzero(kept.stems == np.uint32(stems.number(stem, language)))
            rare = float(np.log1p((many - len(at) + 0.5) / (len(at) + 0.5)))
            most += rare * (K1 + 1)
            often, texts = kept.counts[at], kept.stem_of[at]
            found[texts] += rare * often * (K1 + 1) / (often + K1 * (1 - B + B * kept.lengths[texts] / mean))
        scores += found / (most or 1.0)
    return scores


def _open_to(kept: Shelf, reader: Reader | None) -> NDArray[np.bool_]:
    """Which texts the reader may read."""
    if reader is None:
        return np.ones(len(kept.articles), bool)
    return np.array([reader.may_read_kept(each) for each in kept.readers], bool)[kept.readers_of]


def _read(rows: shelf.Columns, number: int, model: str) -> Shelf:
    many = len(rows.article_id)
    groups = {each: at for at, each in enumerate(dict.fromkeys(rows.readers))}
    counts = np.frombuffer(b"".join(rows.counts), np.uint8).astype(np.float32)
    stem_of = np.repeat(np.arange(many), np.fromiter(map(len, rows.counts), np.int64, many))
    kinds = zip(rows.model, rows.vectors, strict=True)
    ours = np.fromiter((of == model and bool(vectors) for of, vectors in kinds), bool, many)
    read = np.flatnonzero(ours)
    passages = np.fromiter(rows.passages, np.int64, many)[read]
    vectors = rows.vectors if len(read) == many else [rows.vectors[at] for at in read.tolist()]
    flat = np.frombuffer(b"".join(vectors), np.float16)
    return Shelf(
        number=number,
        articles=np.fromiter(rows.article_id, np.int64, many),
        languages=tuple(rows.language),
        spoken=tuple(dict.fromkeys(rows.language)),
        readers=tuple(groups),
        readers_of=np.fromiter(map(groups.__getitem__, rows.readers), np.int64, many),
        model=model,
        vectors=flat.astype(np.float32).reshape(int(passages.sum()), -1 if len(read) else 0),
        text_of=np.repeat(read, passages),
        stems=np.frombuffer(b"".join(rows.stems), np.uint32),
        counts=counts,
        stem_of=stem_of,
        lengths=np.bincount(stem_of, weights=counts, minlength=many).astype(np.float32),
    )
