"""How good a classifier is on labelled texts. Pure, and in bounded memory: counts, never texts but the worst mistakes.

    judged = Judged(labels=plan.labels, head=plan.head, worst=10)
    judged.add(example, understanding)
    judged.all.figures(), judged.languages["es"].figures(), judged.worst()

One sentiment holds of a text: there the strongest score is what the model chose. Of intents, signals and areas any
number holds: there what the model named at its thresholds is what it said.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from listener.model.columns import SENTIMENT
from listener.model.labelled import NONE, Example
from listener.model.reliability import Bin, Reliability, Share
from listener.types import Sentiment, Understanding

LANGUAGES = 60  # counted apart; what comes after them is counted together
OTHERS = "others"
EXCERPT = 400  # characters kept of a text


@dataclass(frozen=True, kw_only=True)
class LabelFigures:
    """One label: how many texts have it, which share of what was called so is (precision), which share of what is was
    called so (recall), and their harmonic mean, 0 where nothing was found."""

    label: str
    texts: int
    precision: Share
    recall: Share

    @property
    def f1(self) -> float:
        """2·hits / (said + meant), 0..1."""
        both = self.precision.whole + self.recall.whole
        return 2 * self.recall.part / both if both else 0.0


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was measured. All of it is of `texts` texts.

    `accuracy`: sentiment: the strongest is the right one; else: exactly the right labels were named. `macro_f1` and
    `macro_recall`: means over `each`, the labels that any text has. `answered`: texts of which the model said something
    at its thresholds; `right_when_answered`: its strongest answer was right. `calibration_error`: how far scores lie
    from the truth, on average, over ten equal bins (Guo et al., 2017). `matrix[meant][said]` counts texts: a label that
    was found, or missed and what was said instead; `none` is nothing. A text of several labels may count several times.
    """

    texts: int
    accuracy: Share
    macro_f1: float
    macro_recall: float
    each: tuple[LabelFigures, ...]
    answered: Share
    right_when_answered: Share
    calibration_error: float
    bins: tuple[Bin, ...]
    matrix: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """One mistake: what the text is, what it was taken for and with which score. `said` and `meant` hold one label, or
    `none`; with `said` none, `score` is that of the label that was missed, and low."""

    line: int
    text: str
    language: str
    meant: str
    said: str
    score: float


@dataclass(kw_only=True)
class Tally:
    """Counts over some texts. `figures` makes of them what is shown."""

    labels: tuple[str, ...]
    single: bool
    texts: int = 0
    exact: int = 0
    answered: int = 0
    answered_right: int = 0
    meant: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    cells: Counter[tuple[str, str]] = field(default_factory=Counter)
    reliability: Reliability = field(default_factory=Reliability)

    def add(self, meant: frozenset[str], said: Said) -> None:
        """Counts one text."""
        chosen = frozenset(said.chosen)
        self.texts += 1
        self.exact += chosen == meant
        self.meant.update(meant)
        self.said.update(chosen)
        self.hits.update(meant & chosen)
        self.cells.update((label, label) for label in meant & chosen)
        self.cells.update(_taken_for(meant - chosen, chosen - meant, anything=bool(meant | chosen)))
        if said.answers:
            self.answered += 1
            self.answered_right += said.answers[0] in meant
        for label, score in said.scores.items():
            self.reliability.add(score, right=label in meant)

    def figures(self) -> Figures:
        """Everything measured so far; of no texts at all, all of it is 0."""
        each = tuple(self._label(label) for label in self.labels)
        judged = [one for one in each if one.texts]
        return Figures(
            texts=self.texts,
            accuracy=Share(part=self.exact, whole=self.texts),
            macro_f1=mean([one.f1 for one in judged]),
            macro_recall=mean([one.recall.value or 0.0 for one in judged]),
            each=each,
            answered=Share(part=self.answered, whole=self.texts),
            right_when_answered=Share(part=self.answered_right, whole=self.answered),
            calibration_error=self.reliability.error,
            bins=self.reliability.bins,
            matrix=self._matrix(),
        )

    def _label(self, label: str) -> LabelFigures:
        hits = self.hits[label]
        return LabelFigures(
            label=label,
            texts=self.meant[label],
            precision=Share(part=hits, whole=self.said[label]),
            recall=Share(part=hits, whole=self.meant[label]),
        )

    def _matrix(self) -> dict[str, dict[str, int]]:
        order = {name: place for place, name in enumerate((*Sentiment, *self.labels))} if self.single else {}
        order = order or {name: place for place, name in enumerate(self.labels)}
        last = len(order) + 1
        rows = sorted({meant for meant, _ in self.cells}, key=lambda name: order.get(name, last))
        columns = sorted({name for pair in self.cells for name in pair}, key=lambda name: order.get(name, last))
        return {row: {column: self.cells[row, column] for column in columns} for row in rows}


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the model made of one text, as far as it is judged.

    `chosen` is compared with what is meant; `answers` is what it said at its thresholds, strongest first; `scores` are
    weighed for calibration: of one sentiment the strongest, else every label's.
    """

    chosen: tuple[str, ...]
    answers: tuple[str, ...]
    scores: Mapping[str, float]


def heard(understanding: Understanding, head: str, labels: Sequence[str]) -> Said:
    """That part of an understanding which is judged: labels that no text of the file has are left aside, but for
    sentiments, one of which is always meant."""
    if head == SENTIMENT:
        scores = understanding.sentiment_scores
        strongest = max(scores, key=scores.__getitem__) if scores else understanding.sentiment
        return Said(
            chosen=(str(strongest),) if strongest else (),
            answers=(str(understanding.sentiment),) if understanding.sentiment else (),
            scores={str(strongest): scores[strongest]} if strongest and scores else {},
        )
    named = {"intents": understanding.intents, "signals": understanding.signals, "areas": understanding.areas}[head]
    scores = {
        "intents": understanding.intent_scores,
        "signals": understanding.signal_scores,
        "areas": understanding.area_scores,
    }[head]
    answers = tuple(str(name) for name in named if name in labels)
    return Said(chosen=answers, answers=answers, scores={label: scores[label] for label in labels if label in scores})


class Judged:
    """Everything counted over one file: all texts, each language, and the `worst` most confident mistakes."""

    def __init__(self, *, labels: Sequence[str], head: str, worst: int = 10) -> None:
        self.head = head
        self.labels = tuple(labels)
        self.all = self._tally()
        self.languages: dict[str, Tally] = {}
        self._worst: list[tuple[float, int, Wrong]] = []
        self._keep = worst

    def add(self, example: Example, understanding: Understanding) -> None:
        """Counts one text, under the language that its file names, or that the model read."""
        said = heard(understanding, self.head, self.labels)
        language = example.language or understanding.language
        if language not in self.languages and len(self.languages) >= LANGUAGES:
            language = OTHERS
        self.all.add(example.labels, said)
        self.languages.setdefault(language, self._tally()).add(example.labels, said)
        if self._keep:
            self._remember(example, said, language)

    def worst(self) -> list[Wrong]:
        """The mistakes it was surest of, the surest first."""
        return [wrong for _, _, wrong in sorted(self._worst, reverse=True)]

    def _tally(self) -> Tally:
        return Tally(labels=self.labels, single=self.head == SENTIMENT)

    def _remember(self, example: Example, said: Said, language: str) -> None:
        found = _mistake(example.labels, said)
        if found is None:
            return
        sureness, meant, called, score = found
        if len(self._worst) >= self._keep and sureness <= self._worst[0][0]:
            return
        wrong = Wrong(
            line=example.line,
            text=example.text[:EXCERPT],
            language=language,
            meant=meant,
            said=called,
            score=score,
        )
        heapq.heappush(self._worst, (sureness, -self.all.texts, wrong))
        if len(self._worst) > self._keep:
            heapq.heappop(self._worst)


def _mistake(meant: frozenset[str], said: Said) -> tuple[float, str, str, float] | None:
    """The surest mistake in one text: how sure, what is meant, what was said, with which score; None without any."""
    found: list[tuple[float, str, str, float]] = []
    missed = sorted(meant - set(said.chosen))
    for label in said.chosen:
        if label not in meant:
            score = said.scores.get(label, 1.0)
            instead = ", ".join(missed) or ", ".join(sorted(meant)) or NONE
            found.append((score, instead, label, score))
    if not found:
        for label in missed:
            score = said.scores.get(label, 0.0)
            found.append((1 - score, label, NONE, score))
    return max(found, default=None)


def _taken_for(missed: frozenset[str], wrong: frozenset[str], *, anything: bool) -> list[tuple[str, str]]:
    """What was meant and what was said instead, in every pair; `none` where one of both is nothing."""
    if missed or wrong:
        return [(label, name) for label in missed or (NONE,) for name in wrong or (NONE,)]
    return [] if anything else [(NONE, NONE)]


def mean(numbers: Sequence[float]) -> float:
    """The arithmetic mean; 0 of nothing."""
    return sum(numbers) / len(numbers) if numbers else 0.0
