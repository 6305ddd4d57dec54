"""How well areas are learned from a few sentences: Banking77 and CLINC150, by the bundled model's vectors.

    python -m benchmarks.few_shot FOLDER [--profile full] [--without-clinc]

FOLDER holds `banking77_fewshot/{train_5,train_10,test}/{seq.in,label}` (the usual draws) and `clinc150/data_full.json`;
none of it comes with Escucha. What teaches is what `escucha model train` runs, with the same settings.

    banking77   of the test questions, how many have their intent as the likeliest area; the same of those questions
                that stand in `benchmarks/data/banking77_es.tsv`, in English and in Spanish, by heads taught in English
    clinc150    taught with all of `train`, without one out-of-scope sentence of the set: of `test`, how many are read
                as their intent and not as none (in scope), how many of `oos_test` as none (out of scope); and the same
                with other thresholds
    a few       the same with 5 of the intents and 8 sentences each, drawn ten times; the other intents' test questions
                are out of scope too: this is what a company with a few areas meets
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from listener.model import reading, teaching
from listener.model.fewshot import Areas
from listener.model.teaching import Lesson

SPANISH = Path(__file__).parent / "data" / "banking77_es.tsv"
DRAWS = 10
FEW_AREAS, FEW_EXAMPLES = 5, 8
THRESHOLDS = (0.3, 0.4, 0.5, 0.6)

Pairs = list[tuple[str, str]]  # text, label
Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]


def pairs(folder: Path) -> Pairs:
    """The texts of one draw with their labels."""
    texts, labels = ((folder / name).read_text("utf-8").splitlines() for name in ("seq.in", "label"))
    return list(zip(texts, labels, strict=True))


def spanish() -> Pairs:
    """The translated questions, in the order of the test questions of their intent."""
    rows = [line.split("\t") for line in SPANISH.read_text("utf-8").splitlines() if not line.startswith("#")]
    return [(text, label) for label, text in rows[1:]]


def same_rows(test: Pairs, translated: Pairs) -> Pairs:
    """The English of the translated questions: of each intent the first ones."""
    taken: dict[str, int] = {}
    wanted: dict[str, int] = {}
    for _, label in translated:
        wanted[_plain(label)] = wanted.get(_plain(label), 0) + 1
    kept = []
    for text, label in test:
        taken[_plain(label)] = taken.get(_plain(label), 0) + 1
        if taken[_plain(label)] <= wanted.get(_plain(label), 0):
            kept.append((text, label))
    return kept


def _plain(label: str) -> str:
    return label.casefold().rstrip("?")


def by_label(rows: Pairs) -> dict[str, list[str]]:
    """The texts by label."""
    found: dict[str, list[str]] = {}
    for text, label in rows:
        found.setdefault(label, []).append(text)
    return found


def learn(examples: Mapping[str, Sequence[str]], embed: Embed) -> tuple[Lesson, float]:
    """What `escucha model train` would learn, and in how many seconds."""
    began = time.perf_counter()
    lesson = teaching.teach(examples, embed, reader="benchmark")
    return lesson, time.perf_counter() - began


def likeliest(areas: Areas, rows: Pairs, embed: Embed) -> float:
    """Of the rows, the share whose likeliest area is theirs, in percent."""
    odds, _ = areas.evidence(embed([text for text, _ in rows]))
    return 100 * float(
        np.mean(
            [_plain(areas.names[best]) == _plain(label) for best, (_, label) in zip(odds.argmax(1), rows, strict=True)]
        )
    )


def scope(areas: Areas, inside: Pairs, outside: Sequence[Vectors], embed: Embed) -> dict[float, list[float]]:
    """By threshold, the head's own first: the share of `inside` read as theirs, of each `outside` as none; percent."""
    vectors = embed([text for text, _ in inside])
    scores, best = areas.scores(vectors), areas.evidence(vectors)[0].argmax(1)
    right = np.array([areas.names[place] == label for place, (_, label) in zip(best, inside, strict=True)])
    sure, others = scores.max(axis=1), [areas.scores(each).max(axis=1) for each in outside]
    return {
        threshold: [100 * float((right & (sure >= threshold)).mean())]
        + [100 * float((each < threshold).mean()) for each in others]
        for threshold in (float(areas.threshold), *THRESHOLDS)
    }


def banking(folder: Path, embed: Embed) -> None:
    """Prints a line for each draw."""
    test, translated = pairs(folder / "test"), spanish()
    english = same_rows(test, translated)
    print("banking77: the likeliest of 77 areas is the right one, %")
    print(f"{'examples':<9} {'test':>6} {'same rows, English':>19} {'Spanish':>8} {'seconds':>8}")
    for draw in ("train_5", "train_10"):
        lesson, took = learn(by_label(pairs(folder / draw)), embed)
        found = [likeliest(lesson.areas, rows, embed) for rows in (test, english, translated)]
        print(f"{draw[6:]:<9} {found[0]:>6.1f} {found[1]:>19.1f} {found[2]:>8.1f} {took:>8.1f}")


def clinc(data: Mapping[str, Any], embed: Embed) -> None:
    """Prints a line for each threshold."""
    rows = {name: [(text, label) for text, label in data[name]] for name in ("train", "test", "oos_test")}
    outside = embed([text for text, _ in rows["oos_test"]])
    lesson, took = learn(by_label(rows["train"]), embed)
    print(f"\nclinc150: 150 areas of 100 sentences, taught in {took:.0f} s")
    print(f"{'threshold':<12} {'in scope, right %':>18} {'out of scope, %':>16}")
    found = scope(lesson.areas, rows["test"], [outside], embed)
    for number, (threshold, (inside, recall)) in enumerate(found.items()):
        print(f"{threshold:<4.2f} {'' if number else '(own)':<7} {inside:>18.1f} {recall:>16.1f}")


def a_few(data: Mapping[str, Any], embed: Embed) -> None:
    """Prints means over the draws."""
    train, test = by_label([tuple(row) for row in data["train"]]), [(text, label) for text, label in data["test"]]
    nowhere = embed([text for text, _ in data["oos_test"]])
    found, took = [], []
    for draw in range(DRAWS):
        chance = random.Random(draw)
        names = chance.sample(sorted(train), FEW_AREAS)
        lesson, seconds = learn({name: chance.sample(train[name], FEW_EXAMPLES) for name in names}, embed)
        near = embed([text for text, label in test if label not in names])
        inside = [(text, label) for text, label in test if label in names]
        found.append(next(iter(scope(lesson.areas, inside, [near, nowhere], embed).values())))
        took.append(seconds)
    inside, near, nowhere_found = np.mean(found, axis=0)
    each = f"{DRAWS} draws, {np.median(took):.1f} s each"
    print(f"\na few: {FEW_AREAS} areas of {FEW_EXAMPLES} sentences, {each}, own threshold")
    print(
        f"in scope, right {inside:.1f} %; none of them: other intents {near:.1f} %, out of scope {nowhere_found:.1f} %"
    )


def remembering(embed: Embed) -> Embed:
    """The same, each text asked for once."""
    known: dict[str, Vectors] = {}

    def asked(texts: Sequence[str]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, embed(new), strict=True))
        return np.array([known[text] for text in texts], np.float32)

    return asked


def main() -> None:
    """Prints what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.few_shot")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--profile", choices=("full", "fast"), default="full")
    parser.add_argument(
        "--without-clinc", action="store_true", help="Banking77 alone: half a minute instead of minutes."
    )
    asked = parser.parse_args()
    model = reading.load(profile=asked.profile)
    embed = remembering(model.embed)
    print(f"model {model.reader_version}")
    banking(asked.folder / "banking77_fewshot", embed)
    if not asked.without_clinc:
        data = json.loads((asked.folder / "clinc150" / "data_full.json").read_text("utf-8"))
        a_few(data, embed)
        clinc(data, embed)


if __name__ == "__main__":
    main()
