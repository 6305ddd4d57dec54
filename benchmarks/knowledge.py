"""How well and how quickly articles are found.

    python -m benchmarks.knowledge [--articles 10000] [--rounds 200]

Quality: the hand-written questions of `knowledge_questions.yaml`, in the article's language and in the other, and what
agents type; the share of them whose article comes first, or among the first three, by meaning alone, by words alone, by
both as `desk/searching.py` adds them, and by both fused by their ranks (Cormack et al. 2009, k = 60), beside SQLite's
FTS5 over the same words (unicode61, any word, its own BM25). Then how many questions get their article suggested beside
them (`desk/suggesting.py`), and how many posts that need none get one.

Speed: so many articles with made words (Zipf) and made vectors, three passages each, in an SQLite file. Each round asks
in turn: the search without the encoder, the bare product of numpy over the same matrix, and a bare FTS5 query for the
same words in a database in memory; the ratios are those of the medians. The encoder's own time for a question stands
beside it, and the first search of a process, which reads the whole shelf.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sqlalchemy import insert

from listener import store as stores
from listener.desk import knowledge, searching, shelving, stems, suggesting
from listener.desk.searching import Shelf
from listener.model import reading
from listener.store import Store, Transaction, articles, tables
from listener.store.articles import ArticleText, Written
from listener.types import Audience

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUESTIONS = Path(__file__).parent / "knowledge_questions.yaml"
PASSAGES, BODY, TITLE, VOCABULARY = 3, 120, 8, 30_000
FUSION = 60


# --- quality ---------------------------------------------------------------------------------------------------------


def written(store: Store, data: dict[str, Any], model: reading.Model) -> dict[str, int]:
    """The articles of the file, published; their numbers by their names."""
    found = {}
    with store.write() as tx:
        for each in data["articles"]:
            text = ArticleText(title=each["title"], answer=each["body"][:100], body=each["body"])
            made = Written(texts={each["language"]: text}, audience=Audience.PUBLIC)
            version = knowledge.write(tx, made, why="", by="a", now=NOW)
            knowledge.accept(tx, articles.get(tx, version.article_id), 1, note="", by="b", now=NOW)
            article = articles.get(tx, version.article_id)
            knowledge.publish(tx, article, model="m", embed=model.embed, by="b", now=NOW)
            found[each["id"]] = version.article_id
    return found


def orders(tx: Transaction, question: str, model: reading.Model, fts: sqlite3.Connection) -> dict[str, list[int]]:
    """The articles for a question in each of the orders that are compared."""
    kept = searching.taken(tx, "m")
    vector = model.embed([question])[0]
    near, said = searching.by_meaning(kept, vector), searching.by_words(kept, question)
    by_meaning = [int(kept.articles[at]) for at in np.argsort(-near, kind="stable")]
    by_words = [int(kept.articles[at]) for at in np.argsort(-said, kind="stable") if said[at] > 0]
    fused: dict[int, float] = {}
    for ranked in (by_meaning, by_words):
        for rank, article in enumerate(ranked, start=1):
            fused[article] = fused.get(article, 0.0) + 1 / (FUSION + rank)
    both = searching.search(tx, question, vector=vector, model="m", reader=None, limit=50)
    return {
        "meaning": by_meaning,
        "words": by_words,
        "both, added": [hit.article_id for hit in both],
        "both, by ranks": sorted(fused, key=lambda article: -fused[article]),
        "FTS5 alone": asked(fts, question),
    }


def asked(fts: sqlite3.Connection, question: str) -> list[int]:
    """What FTS5 finds for any word of the question, by its own BM25."""
    words = "".join(sign if sign.isalnum() else " " for sign in question).split()
    if not words:
        return []
    query = " OR ".join(f'"{word}"' for word in words)
    return [
        row[0] for row in fts.execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT 50", [query])
    ]


def quality(folder: Path, model: reading.Model) -> None:
    """Prints how often the right article is found."""
    data = yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))
    store = stores.open(f"sqlite:///{folder / 'quality.db'}")
    ids = written(store, data, model)
    fts = sqlite3.connect(":memory:")
    fts.execute("CREATE VIRTUAL TABLE words USING fts5(title, body, tokenize='unicode61 remove_diacritics 2')")
    fts.executemany(
        "INSERT INTO words(rowid, title, body) VALUES (?, ?, ?)",
        [(ids[each["id"]], each["title"], each["body"]) for each in data["articles"]],
    )
    languages = {each["id"]: each["language"] for each in data["articles"]}
    kinds = {
        "same language": [q for q in data["questions"] if q["language"] == languages[q["article"]]],
        "other language": [q for q in data["questions"] if q["language"] != languages[q["article"]]],
        "keywords": data["keywords"],
    }
    print(f"{len(ids)} articles; right article first / among the first three")
    print(f"{'':<16}" + "".join(f"{f'{kind} ({len(listed)})':>22}" for kind, listed in kinds.items()))
    with store.read() as tx:
        found = {
            kind: [(ids[q["article"]], orders(tx, q["text"], model, fts)) for q in listed]
            for kind, listed in kinds.items()
        }
        for way in next(iter(found.values()))[0][1]:
            cells = []
            for listed in found.values():
                ranks = [order[way].index(want) if want in order[way] else 99 for want, order in listed]
                shares = [statistics.mean(rank < deep for rank in ranks) for deep in (1, 3)]
                cells.append(f"{shares[0]:.0%} / {shares[1]:.0%}")
            print(f"{way:<16}" + "".join(f"{cell:>22}" for cell in cells))

        def suggested(text: str) -> list[int]:
            vector = model.embed([text])[0]
            near = suggesting.beside(tx, text, vector=vector, model="m", reader=None)
            return [each.article_id for each in near]

        right = [ids[q["article"]] in suggested(q["text"]) for q in data["questions"]]
        strays = [bool(suggested(text)) for text in data["strays"]]
    print(f"suggested beside its question: {statistics.mean(right):.0%} of {len(right)}; ", end="")
    print(f"beside a post that needs none: {sum(strays)} of {len(strays)}")
    store.close()


# --- speed -----------------------------------------------------------------------------------------------------------


def fill(store: Store, many: int, seed: int = 7) -> list[tuple[int, str, str]]:
    """So many published articles of made words and vectors; their rows as (number, title, body)."""
    chance = np.random.default_rng(seed)
    weights = 1 / np.arange(1, VOCABULARY + 1)
    drawn = chance.choice(VOCABULARY, size=(many, TITLE + BODY), p=weights / weights.sum())
    numbers = np.array([stems.number(f"w{word}", "es") for word in range(VOCABULARY)], np.uint32)
    rows, versions, texts, shelved = [], [], [], []
    for at in range(many):
        words, counts = np.unique(drawn[at], return_counts=True)
        vectors = chance.normal(size=(PASSAGES, 384)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        title, body = (" ".join(f"w{word}" for word in part) for part in (drawn[at][:TITLE], drawn[at][TITLE:]))
        rows.append((at + 1, title, body))
        versions.append(
            {
                "id": at + 1, "article_id": at + 1, "number": 1, "state": "published", "audience": "public",
                "teams": [], "roles": [], "product": "", "written_by": "a", "written_at": NOW, "why": "", "note": "",
            }
        )  # fmt: skip
        texts.append(
            {"id": at + 1, "article_version_id": at + 1, "language": "es", "title": title, "answer": "", "body": body}
        )
        shelved.append(
            {
                "article_text_id": at + 1, "article_id": at + 1, "language": "es", "readers": "", "model": "m",
                "passages": PASSAGES, "vectors": vectors.astype(np.float16).tobytes(),
                "stems": numbers[words].tobytes(), "counts": counts.astype(np.uint8).tobytes(),
            }
        )  # fmt: skip
    with store.write() as tx:
        standing = {"newest": 1, "published": 1, "made_at": NOW, "looked_at": NOW, "looked_by": "a", "doubt": ""}
        tx.execute(insert(tables.articles), [{"id": at + 1, **standing} for at in range(many)])
        tx.execute(insert(tables.article_versions), versions)
        tx.execute(insert(tables.article_texts), texts)
        tx.execute(insert(tables.shelf), shelved)
        tx.execute(insert(tables.shelf_changes).values(name="shelf", number=1))
    return rows


def speed(folder: Path, many: int, rounds: int, model: reading.Model) -> None:
    """Prints how long a search takes."""
    url = f"sqlite:///{folder / 'speed.db'}"
    store = stores.open(url)
    rows = fill(store, many)
    fts = sqlite3.connect(":memory:")
    fts.execute("CREATE VIRTUAL TABLE words USING fts5(title, body)")
    fts.executemany("INSERT INTO words(rowid, title, body) VALUES (?, ?, ?)", rows)
    chance = np.random.default_rng(3)
    questions = [
        (" ".join(chance.choice(rows[int(chance.integers(many))][2].split(), 8)), chance.normal(size=384))
        for _ in range(rounds + 5)
    ]
    store.close()
    firsts = []
    for _ in range(5):
        store = stores.open(url)
        with store.read() as tx:
            firsts.append(timed(lambda: search(tx, *questions[0])))
        store.close()
    store = stores.open(url)
    with store.read() as tx:
        kept: Shelf = searching.taken(tx, "m")
        ways: dict[str, Callable[[str, Any], object]] = {
            "search": lambda text, vector: search(tx, text, vector),
            "bare product": lambda _, vector: kept.vectors @ vector.astype(np.float32),
            "bare FTS5": lambda text, _: asked(fts, text),
        }
        spent: dict[str, list[float]] = {name: [] for name in ways}
        for number, (text, vector) in enumerate(questions):
            for name, way in ways.items():
                took = timed(lambda way=way, text=text, vector=vector: way(text, vector))
                if number >= 5:
                    spent[name].append(took)
    encoder = [
        timed(lambda at=at: model.embed([f"mi router {at} parpadea en rojo y no tengo internet"])) for at in range(30)
    ]
    store.close()
    print(f"\n{many:,} articles, {PASSAGES} passages and {TITLE + BODY} words each; {rounds} rounds")
    own = statistics.median(spent["search"])
    for name, times in spent.items():
        slow = np.quantile(times, 0.99) * 1000
        ratio = f"{own / statistics.median(times):>8.1f} times" if name != "search" else ""
        print(f"{name:<14}{statistics.median(times) * 1000:>8.2f} ms  p99 {slow:>7.2f} ms{ratio}")
    print(f"{'encoder':<14}{statistics.median(encoder[5:]) * 1000:>8.2f} ms for one question")
    print(
        f"{'first search':<14}{statistics.median(firsts) * 1000:>8.2f} ms with reading the shelf, without the encoder"
    )


def search(tx: Transaction, text: str, vector: Any) -> Sequence[searching.Hit]:
    """One search as `kb search` makes it."""
    return searching.search(tx, text, vector=vector / np.linalg.norm(vector), model="m", reader=None)


def timed(do: Callable[[], object]) -> float:
    """Seconds that it took."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def main() -> None:
    """Prints both."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.knowledge")
    parser.add_argument("--articles", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args()
    assert shelving.PASSAGES >= PASSAGES
    model = reading.load()
    with tempfile.TemporaryDirectory() as folder:
        quality(Path(folder), model)
        speed(Path(folder), given.articles, given.rounds, model)


if __name__ == "__main__":
    main()
