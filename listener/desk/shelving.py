"""What search keeps of a published version: each text in passages that the encoder can read, and its stems."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from listener.desk import readers, stems
from listener.store import Transaction, articles, shelf
from listener.store.articles import ArticleText, Version
from listener.store.shelf import Shelved

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Embed = Callable[[Sequence[str]], NDArray[Any]]

WORDS = 80  # of a passage; the encoder reads 128 pieces of words
PASSAGES = 12  # of a text, at most: what stands further down is found by its words
TITLE = 3  # how often a title's words count, against once in the body
BATCH = 200  # versions that are read by the encoder together


def shelve(tx: Transaction, versions: Sequence[Version], *, model: str, embed: Embed | None) -> None:
    """Makes those published versions found; without `embed` by their words only. `model`: whose vectors it gives."""
    for first in range(0, len(versions), BATCH):
        some = versions[first : first + BATCH]
        pieces = {
            (each.id, language): list(passages(text)) for each in some for language, text in each.written.texts.items()
        }
        flat = [passage for of_text in pieces.values() for passage in of_text]
        vectors = np.asarray(embed(flat), np.float16) if embed else np.zeros((len(flat), 0), np.float16)
        found: dict[int, list[Shelved]] = {each.id: [] for each in some}
        at = 0
        for each in some:
            for language, text in each.written.texts.items():
                many = len(pieces[each.id, language])
                numbers, counts = _stems(text, language)
                found[each.id].append(
                    Shelved(
                        article_id=each.article_id,
                        language=language,
                        readers=readers.kept(each.written),
                        model=model if embed else "",
                        passages=many,
                        vectors=np.ascontiguousarray(vectors[at : at + many]).tobytes(),
                        stems=numbers,
                        counts=counts,
                    )
                )
                at += many
        shelf.put_all(tx, list(found.items()))


def again(tx: Transaction, *, model: str, embed: Embed | None) -> int:
    """Reads anew all that another model has read, and what was away; gives how many articles that were."""
    others = shelf.of_other_models(tx, model) if embed else []
    waiting = sorted({*others, *shelf.undoubted_and_away(tx)})
    shelve(tx, list(articles.published(tx, waiting).values()), model=model, embed=embed)
    return len(waiting)


def passages(text: ArticleText) -> Iterator[str]:
    """What the encoder reads of a text: its title alone, its title with the short answer, then the body in pieces."""
    yield text.title
    if text.answer:
        yield f"{text.title}. {text.answer}"
    words = text.body.split()
    room = PASSAGES - 1 - bool(text.answer)
    for first in range(0, min(len(words), room * WORDS), WORDS):
        yield " ".join(words[first : first + WORDS])


def _stems(text: ArticleText, language: str) -> tuple[bytes, bytes]:
    counted = stems.stems(f"{text.answer}\n{text.body}", language)
    for stem, often in stems.stems(text.title, language).items():
        counted[stem] += TITLE * often
    numbers = np.array([stems.number(stem, language) for stem in counted], np.uint32)
    counts = np.minimum(np.fromiter(counted.values(), np.int64, len(counted)), 255).astype(np.uint8)
    return numbers.tobytes(), counts.tobytes()
