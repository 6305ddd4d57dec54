"""How right the bundled model's sentiment is on public posts, beside always saying what is most frequent.

    python -m benchmarks.sentiment FOLDER [--rounds 2000] [--profile full]
    python -m benchmarks.sentiment --texts test_text.txt --labels test_labels.txt

FOLDER holds a folder for each language (or is one itself) with `…_text.txt` and `…_labels.txt`, as TweetEval and XLM-T
are published: one text or label a line, 0 negative, 1 neutral, 2 positive. Nothing of them may have been trained on.

The likeliest sentiment counts, whether the model is sure of it or not. Macro-recall is TweetEval's measure for
sentiment (Barbieri et al., 2020), macro-F1 XLM-T's (2022). In brackets: 95 % intervals by the bootstrap, from texts
drawn again as often as `--rounds` says; with a fixed seed, so the same texts give the same figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from listener.model import reading
from listener.types import Sentiment

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

SENTIMENTS = list(Sentiment)
BATCH = 256


def found_in(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    """Name, texts and labels of each set in `folder` and the folders in it, by the alphabet."""
    for texts in sorted([*folder.glob("*_text.txt"), *folder.glob("*/*_text.txt")]):
        labels = texts.with_name(texts.name.replace("_text.txt", "_labels.txt"))
        if labels.exists():
            yield f"{texts.parent.name}/{texts.stem.removesuffix('_text')}", texts, labels


def read(texts: Path, labels: Path) -> tuple[list[str], Counts]:
    """The texts with their labels, 0 to 2. Ends the program where they do not fit."""
    said = texts.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    meant = np.array([int(line) for line in labels.read_text(encoding="utf-8").split()], np.int64)
    if len(said) != len(meant) or not set(meant.tolist()) <= {0, 1, 2}:
        raise SystemExit(f"{texts} has {len(said)} texts and {labels} {len(meant)} labels; both must fit, with 0 to 2.")
    return said, meant


def choose(model: reading.Model, texts: list[str]) -> Counts:
    """The likeliest sentiment of each text, 0 to 2."""
    found = []
    for start in range(0, len(texts), BATCH):
        for understanding in model.classify(texts[start : start + BATCH]):
            found.append(int(np.argmax([understanding.sentiment_scores[label] for label in SENTIMENTS])))
    return np.array(found, np.int64)


def measures(meant: Counts, said: Counts) -> tuple[float, float]:
    """Macro-recall and macro-F1 over the labels that are meant."""
    matrix = np.bincount(3 * meant + said, minlength=9).reshape(3, 3)
    hits, texts, calls = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
    there = texts > 0
    return float((hits[there] / texts[there]).mean()), float((2 * hits[there] / (texts + calls)[there]).mean())


def intervals(meant: Counts, said: Counts, rounds: int) -> Counts:
    """The 2.5th and 97.5th percentile of both measures over `rounds` draws, shape (2, 2)."""
    chance = np.random.default_rng(7)
    draws = (chance.integers(len(meant), size=len(meant)) for _ in range(rounds))
    return np.percentile([measures(meant[rows], said[rows]) for rows in draws], [2.5, 97.5], axis=0)


def main() -> None:
    """Prints two lines for each set: the model, and always the most frequent label."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sentiment")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--profile", choices=("full", "fast"), default="full")
    asked = parser.parse_args()
    sets = list(found_in(asked.folder)) if asked.folder else []
    if asked.texts and asked.labels:
        sets.append((asked.texts.parent.name, asked.texts, asked.labels))
    if not sets:
        parser.error("name a folder with …_text.txt and …_labels.txt, or both --texts and --labels")
    model = reading.load(profile=asked.profile)
    print(f"{model.version}; 95 % intervals from {asked.rounds:,} draws")
    print(f"{'set':<24} {'texts':>6}  {'macro-recall':<20} macro-F1")
    for name, texts, labels in sets:
        said, meant = read(texts, labels)
        chosen = choose(model, said)
        low, high = intervals(meant, chosen, asked.rounds)
        shown = [f"{value:.3f} [{low[at]:.3f}, {high[at]:.3f}]" for at, value in enumerate(measures(meant, chosen))]
        print(f"{name:<24} {len(meant):>6}  {shown[0]:<20} {shown[1]}")
        most = np.full_like(meant, np.bincount(meant).argmax())
        recall, f1 = measures(meant, most)
        print(f"{'  most frequent':<24} {'':>6}  {recall:<20.3f} {f1:.3f}")


if __name__ == "__main__":
    main()
