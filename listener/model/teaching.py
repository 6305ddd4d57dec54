"""Teaches the areas from their examples, in seconds, and says how well that went.

    examples, lines from elsewhere | five folds: taught on four, asked about the fifth | how sure | the head

Whoever asks about an area that nobody taught is no stranger to these people either: so each area is also left out once
and its examples asked about, beside the lines that come with Escucha (`elsewhere.txt`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from listener.errors import Mistake
from listener.model.fewshot import Areas, digest_of, sure
from listener.model.regression import binary, multinomial

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Labels = NDArray[np.intp]
    Evidence = tuple[Numbers, Numbers]
    Embed = Callable[[Sequence[str]], NDArray[np.float32]]

LEAST = 5  # examples that an area needs
FOLDS = 5
# Measured with benchmarks/few_shot.py: twice or half of any of them changes nothing by a point.
STRENGTH = 30.0  # of the examples, against the pull to the areas' middles
PULL = 10.0  # how far the middles pull
NAME_COUNTS = 0.5  # an area's name, as an example
ELSEWHERE_COUNTS = 0.3  # a line from elsewhere; a stray counts in full
SAMPLE = 20  # examples of an area that the folds use; of many more, those tell the same
LIKELY = 0.5  # a score from here on counts,
KEPT = 0.95  # but of the examples that are read rightly, this share must count
DOUBTFUL = 0.3  # and no score below this one ever does
GOOD = 0.6  # F1 and shares below are worth a question


@dataclass(frozen=True, kw_only=True)
class AreaQuality:
    """How the examples of one area were read by a head that had not seen them; 0 to 1."""

    area: str
    examples: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Examples of `area` that were taken for `taken_for`; "" where they were taken for none."""

    area: str
    taken_for: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How well the areas can be told apart, by examples that were left out; shares from 0 to 1.

    `right`: examples read as their area. `elsewhere`: lines from elsewhere that were recognised as such.
    `untaught`: examples of areas left out that were recognised as no area; None where there is only one area.
    """

    right: float
    elsewhere: float
    untaught: float | None
    areas: tuple[AreaQuality, ...]
    confusions: tuple[Confusion, ...]

    @property
    def poor(self) -> tuple[str, ...]:
        """What is not good enough to be relied on, a sentence each."""
        found = [
            f"{each.area}: of 10 examples that were left out, {each.recall * 10:.0f} were found again, and "
            f"{each.precision * 10:.0f} of 10 taken for it belonged there."
            for each in self.areas
            if each.f1 < GOOD
        ]
        if self.elsewhere < GOOD:
            found.append(f"Of 10 lines about other things, only {self.elsewhere * 10:.0f} were recognised as such.")
        return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What was learned, and how well."""

    areas: Areas
    quality: Quality


def teach(
    examples: Mapping[str, Sequence[str]],
    embed: Embed,
    *,
    reader: str,
    strays: Sequence[str] = (),
) -> Lesson:
    """The head for those examples by area. `embed` gives a vector of length 1 per text; `reader` names its model.

    `strays`: texts of which somebody said that they belong to none. The same examples always give the same head.
    Raises Mistake where an area has too few.
    """
    if not examples:
        raise Mistake("There is no area to learn; write some into the policy under `areas:`, see docs/areas.md.")
    names = tuple(sorted(examples))
    for name in names:
        if len(examples[name]) < LEAST:
            raise Mistake(f"The area {name!r} has {len(examples[name])} examples; it needs at least {LEAST}.")
    material = _Material.of(names, examples, embed, strays)
    asked = _asked(material)
    sureness = _sureness(material, asked)
    threshold = _threshold(material, asked, sureness)
    slopes, offsets, middles = _head(material)
    areas = Areas(
        names=names,
        reader=reader,
        digest=digest_of(examples, strays),
        slopes=slopes,
        offsets=offsets,
        middles=middles,
        sureness=sureness,
        threshold=np.array(threshold),
    )
    return Lesson(areas=areas, quality=_quality(material, asked, sureness, threshold))


@cache
def elsewhere() -> tuple[str, ...]:
    """The lines about everything that is no company's area."""
    text = (Path(__file__).parent / "elsewhere.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


@dataclass(frozen=True, kw_only=True)
class _Material:
    """Vectors (n, size) with their labels, one for each area's name, and those from elsewhere with what each counts."""

    names: tuple[str, ...]
    texts: tuple[str, ...]
    vectors: Numbers
    labels: Labels
    titles: Numbers
    others: Numbers
    counts: Numbers

    @classmethod
    def of(
        cls,
        names: tuple[str, ...],
        examples: Mapping[str, Sequence[str]],
        embed: Embed,
        strays: Sequence[str],
    ) -> _Material:
        """In an order that depends on the sentences alone, so that their place in the file changes nothing."""
        pairs = [(text, label) for label, name in enumerate(names) for text in sorted(examples[name], key=_mixed)]
        texts = tuple(text for text, _ in pairs)
        titles = [name.replace("_", " ").replace("-", " ") for name in names]
        vectors = np.asarray(embed([*texts, *titles, *elsewhere(), *sorted(strays, key=_mixed)]), np.float64)
        labels = np.array([label for _, label in pairs])
        own, named, lines, strayed = np.split(vectors, np.cumsum([len(texts), len(names), len(elsewhere())]))
        lines = lines[_strange(lines, own, labels)]
        return cls(
            names=names,
            texts=texts,
            vectors=own,
            labels=labels,
            titles=named,
            others=np.vstack([strayed, lines]),
            counts=np.repeat([1.0, ELSEWHERE_COUNTS], [len(strayed), len(lines)]),
        )

    def part(self, rows: NDArray[np.bool_], others: NDArray[np.bool_], areas: Sequence[int]) -> _Material:
        """Some examples, all of them of `areas`, and some lines from elsewhere."""
        place = {area: number for number, area in enumerate(areas)}
        return _Material(
            names=tuple(self.names[area] for area in areas),
            texts=tuple(np.array(self.texts, object)[rows]),
            vectors=self.vectors[rows],
            labels=np.array([place[label] for label in self.labels[rows].tolist()]),
            titles=self.titles[list(areas)],
            others=self.others[others],
            counts=self.counts[others],
        )


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What heads said of what they had not seen: examples (`rows` of the material), lines, areas left out."""

    rows: Labels
    examples: Evidence
    elsewhere: Evidence
    untaught: Evidence | None


def _mixed(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _strange(others: Numbers, own: Numbers, labels: Labels) -> NDArray[np.bool_]:
    """Which lines are no nearer to an area's middle than half of its own examples: a weather service's area may be
    what is small talk to everybody else."""
    middles = _middles(own, labels, int(labels.max()) + 1)
    usual = np.array([np.median(own[labels == area] @ middle) for area, middle in enumerate(middles)])
    return np.asarray((others @ middles.T < usual).all(axis=1))


def _middles(vectors: Numbers, labels: Labels, count: int) -> Numbers:
    sums = np.stack([vectors[labels == area].sum(axis=0) for area in range(count)])
    return np.asarray(sums / (np.linalg.norm(sums, axis=1, keepdims=True) + 1e-12))


def _head(material: _Material) -> tuple[Numbers, Numbers, Numbers]:
    """Slopes, offsets and middles, as `Areas` keeps them."""
    count, size = len(material.names), material.vectors.shape[1]
    means = [material.vectors[material.labels == area].mean(axis=0) for area in range(count)]
    means.append(material.others.mean(axis=0) if len(material.others) else np.zeros(size))
    towards = PULL * (np.stack(means) - np.mean(means, axis=0)).T
    slopes, offsets = multinomial(
        np.vstack([material.vectors, material.titles, material.others]),
        np.concatenate([material.labels, np.arange(count), np.full(len(material.others), count)]),
        np.concatenate([np.ones(len(material.vectors)), np.full(count, NAME_COUNTS), material.counts]),
        towards=towards,
        strength=STRENGTH,
    )
    return slopes, offsets, _middles(material.vectors, material.labels, count)


def _evidence(taught: _Material, vectors: Numbers) -> Evidence:
    slopes, offsets, middles = _head(taught)
    head = Areas(
        names=taught.names,
        reader="",
        digest="",
        slopes=slopes,
        offsets=offsets,
        middles=middles,
        sureness=np.zeros(3),
        threshold=np.zeros(()),
    )
    return head.evidence(vectors)


def _asked(material: _Material) -> _Asked:
    """Every example and line asked of a head that was taught without it; of areas with many examples, some."""
    count = len(material.names)
    within = np.concatenate([np.arange(np.count_nonzero(material.labels == area)) for area in range(count)])
    taken, fold = within < SAMPLE, within % FOLDS
    lines = np.arange(len(material.others)) % FOLDS
    rows, examples, others, untaught = [], [], [], []
    for number in range(FOLDS):
        left_out = taken & (fold == number)
        taught = material.part(taken & ~left_out, lines != number, range(count))
        found = _evidence(taught, np.vstack([material.vectors[left_out], material.others[lines == number]]))
        rows.append(np.flatnonzero(left_out))
        examples.append(_cut(found, slice(len(rows[-1]))))
        others.append(_cut(found, slice(len(rows[-1]), None)))
    for number in range(min(FOLDS, count) if count > 1 else 0):
        kept = [area for area in range(count) if area % FOLDS != number]
        inside = np.isin(material.labels, kept)
        taught = material.part(taken & inside, np.ones(len(lines), bool), kept)
        untaught.append(_best(_evidence(taught, material.vectors[taken & ~inside])))
    return _Asked(
        rows=np.concatenate(rows),
        examples=_joined(examples),
        elsewhere=_joined(others),
        untaught=_joined(untaught) if untaught else None,
    )


def _cut(evidence: Evidence, rows: slice) -> Evidence:
    return evidence[0][rows], evidence[1][rows]


def _joined(parts: Sequence[Evidence]) -> Evidence:
    return np.concatenate([odds for odds, _ in parts]), np.concatenate([likeness for _, likeness in parts])


def _best(evidence: Evidence) -> Evidence:
    """The evidence for each text's strongest area alone, shapes (texts, 1)."""
    strongest = evidence[0].argmax(axis=1)[:, None]
    return np.take_along_axis(evidence[0], strongest, 1), np.take_along_axis(evidence[1], strongest, 1)


def _sureness(material: _Material, asked: _Asked) -> Numbers:
    """How share and likeness count, so that what is said to be likely is right, with as many strangers as examples."""
    right = asked.examples[0].argmax(axis=1) == material.labels[asked.rows]
    parts = [_best(asked.examples), _best(asked.elsewhere)]
    if asked.untaught is not None:
        parts.append(asked.untaught)
    features = np.hstack(_joined(parts))
    strangers = len(features) - len(right)
    truth = np.concatenate([right.astype(float), np.zeros(strangers)])
    weights = np.repeat([1.0, len(right) / max(1, strangers)], [len(right), strangers])
    slopes, offset = binary(features, truth, weights)
    return np.array([*slopes, offset])


def _threshold(material: _Material, asked: _Asked, sureness: Numbers) -> float:
    """From which score on an area counts: more likely than not, or less where areas lie so close that little would."""
    right = asked.examples[0].argmax(axis=1) == material.labels[asked.rows]
    scores = sure(sureness, *_best(asked.examples))[right, 0]
    kept = float(np.quantile(scores, 1 - KEPT)) if len(scores) else LIKELY
    return min(LIKELY, max(DOUBTFUL, kept))


def _quality(material: _Material, asked: _Asked, sureness: Numbers, threshold: float) -> Quality:
    meant = material.labels[asked.rows]
    said = _said(asked.examples, sureness, threshold)
    areas = []
    for area, name in enumerate(material.names):
        hits = int(((said == area) & (meant == area)).sum())
        found, own = int((said == area).sum()), int((meant == area).sum())
        precision, recall = hits / found if found else 0.0, hits / own
        areas.append(
            AreaQuality(
                area=name,
                examples=int((material.labels == area).sum()),
                precision=precision,
                recall=recall,
                f1=2 * hits / (found + own),
            )
        )
    return Quality(
        right=float((said == meant).mean()),
        elsewhere=float((_said(asked.elsewhere, sureness, threshold) < 0).mean()) if len(asked.elsewhere[0]) else 1.0,
        untaught=None if asked.untaught is None else float((sure(sureness, *asked.untaught) < threshold).mean()),
        areas=tuple(areas),
        confusions=_confusions(material, asked.rows, said),
    )


def _said(evidence: Evidence, sureness: Numbers, threshold: float) -> Labels:
    """The strongest area of each text, -1 where it is not likely enough."""
    strongest = evidence[0].argmax(axis=1)
    return np.where(sure(sureness, *_best(evidence))[:, 0] >= threshold, strongest, -1)


def _confusions(material: _Material, rows: Labels, said: Labels) -> tuple[Confusion, ...]:
    """Which areas were taken for which, the most often confused first."""
    mixed: dict[tuple[str, str], list[str]] = {}
    for row, taken_for in zip(rows.tolist(), said.tolist(), strict=True):
        meant = int(material.labels[row])
        if taken_for != meant:
            pair = (material.names[meant], material.names[taken_for] if taken_for >= 0 else "")
            mixed.setdefault(pair, []).append(material.texts[row])
    found = [Confusion(area=area, taken_for=other, sentences=tuple(texts)) for (area, other), texts in mixed.items()]
    return tuple(sorted(found, key=lambda each: (not each.taken_for, -len(each.sentences), each.area, each.taken_for)))
