"""Which words moved a label: each is left out, and the label's score read again. Works with any `Classifier`.

    text | units (words, emoji, handles, links; far into a long text, runs of words)
         | the text without each unit, each pair, each three, each clause, all read in one batch
         | per label: how far its score fell, those that only count together as one

The weight of a span is the score of the whole text less the score without the span: above 0 where it spoke for the
label, below 0 where it spoke against it. Weights need not add up to the score: words that repeat each other hide each
other. That is why clauses are weighed too and, where a text says the same in every sentence, each sentence by itself.
(Leaving out is "occlusion", Zeiler and Fergus 2014; how far a pair is from the sum of its parts is its interaction.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

import regex

from listener.contract import Classifier
from listener.types import Understanding

READ = 5_000  # characters of a text; what a model of a few hundred tokens reads lies well within
ONE_BY_ONE = 60  # so many words are weighed each for itself
RUNS = 20  # so many runs at most hold the words after them
TOGETHER = 3  # words that may count as one; longer ones are whole clauses
MOST = 180  # readings of one text at most: what is longest is left out first
WEAK = 0.1  # where no words weigh as much, the text says it more than once
NOTICED = 0.05  # a smaller interaction than this is noise
HALF = 0.5  # how much of the effect must come from standing together

_ALONE = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"  # written without spaces
_LETTERS = rf"[[\p{{L}}\p{{N}}_]--[{_ALONE}]][[\p{{L}}\p{{N}}\p{{M}}\p{{Cf}}_]--[{_ALONE}]]*+"
_WORD = rf"{_LETTERS}(?:(?:['’·\-‐‑](?=\p{{L}})|(?<=\p{{N}})[.,:/](?=\p{{N}})){_LETTERS})*+"
_UNIT = regex.compile(
    r"(?V1i)"
    r"(?:https?://|www\.)\S++"
    r"|[\w.+-]{1,64}+@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}"
    r"|(?<![\w@/.+-])(?:@[\w.-]{0,63}\w(?:@[\w.-]{0,127}\w)?|/?u/[\w-]{3,32})"
    r"|((?=[\p{Extended_Pictographic}\p{Regional_Indicator}])\X)\1*+"  # as often as it is repeated
    r"|(?<![\w:;=])(?:[:;=]-?[()D]|:'-?\(|<3)(?!\w)"
    r"|[?!¿¡]++|\.{2,}+|…++"
    rf"|(?P<word>[#＃]\w++|[+\p{{Sc}}]?{_WORD}(?:(?<=\p{{N}})\s?[\p{{Sc}}%])?+|[{_ALONE}]\p{{M}}*+)"
)
_SENTENCE_ENDS = regex.compile(r"[.!?…;]++[\"”»)]*+\s++|\n++")
_CLAUSE_ENDS = regex.compile(r"[.,:!?…;—–]++[\"”»)]*+\s++|\n++")
_SIGNS = regex.compile(r"[.,;:…!?¡¿\n()\[\]\"“”«»—–|]")

# What never ends a group, since it leans on the word after it, and what neither begins nor ends one. For the two
# languages that the bundled model reads; in others, groups are merely cut less well.
_LEANING = regex.compile(
    "a|al|ante|bajo|con|de|del|desde|e|el|en|entre|es|está|ha|han|has|he|la|las|le|les|lo|los|me|mi|mis|muy|ni|no|nos|o"
    "|os|para|pero|por|que|se|sin|su|sus|tan|te|tu|tus|u|un|una|unas|unos|y"
    "|an|and|are|as|at|but|by|can't|don't|for|from|had|have|i|in|is|isn't|it|its|my|not|of|on|or|our|so|than|that|the"
    "|their|this|to|too|very|was|were|with|without|won't|your"
)
_JOINING = regex.compile("y|e|o|u|pero|que|and|or|but|that")


class Kind(StrEnum):
    """Which of an understanding's scores a label stands in."""

    SENTIMENT = "sentiment"
    INTENT = "intent"
    SIGNAL = "signal"
    AREA = "area"


@dataclass(frozen=True, kw_only=True)
class Label:
    """One thing that a classifier may say of a text."""

    kind: Kind
    name: str


@dataclass(frozen=True, kw_only=True)
class Span:
    """Characters `start` to `end` of the text; `weight`, -1..1, is how far the label's score fell without them."""

    start: int
    end: int
    weight: float


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """A label with its score for the whole text; the spans stand in the text's order and never overlap.

    `by_parts`: the text says it so often that leaving anything out changes nothing, so the weights are falls of the
    score of each word's own sentence, read alone.
    """

    label: Label
    score: float
    spans: tuple[Span, ...]
    by_parts: bool = False


@dataclass(frozen=True, kw_only=True)
class Weighing:
    """What one classifier's words weigh in one text.

    `labels` are those asked for that the classifier knows, in the order asked. The first `one_by_one` of `words` words
    were weighed each for itself, the others in runs. Words beyond the first `READ` characters are neither read
    nor weighed.
    """

    model_version: str
    words: int
    one_by_one: int
    labels: tuple[Weighed, ...]


def labels_of(found: Understanding) -> tuple[Label, ...]:
    """What an understanding says: its sentiment, then its intents, signals and areas, strongest first."""
    given = [(Kind.SENTIMENT, found.sentiment)] if found.sentiment else []
    labels = [Label(kind=kind, name=name.value) for kind, name in given]
    labels += [Label(kind=Kind.INTENT, name=intent.value) for intent in found.intents]
    labels += [Label(kind=Kind.SIGNAL, name=signal.value) for signal in found.signals]
    return (*labels, *(Label(kind=Kind.AREA, name=area) for area in found.areas))


def weigh(classifier: Classifier, text: str, labels: Sequence[Label]) -> Weighing:
    """How much each word of `text`, as people see words, did for each of the labels. Deterministic.

    Reads at most `MOST` variants of the text in one batch; in a second one as many of its sentences, where a label is
    given so often that no words alone are missed.
    """
    text = text[:READ]
    words = list(_units(text))
    plan = _plan(text, words[:ONE_BY_ONE] + _runs(words[ONE_BY_ONE:]), most=MOST if labels else 1)
    read = _read(classifier, plan)
    known = [label for label in labels if label.name in scores(read[text], label.kind)]
    weighed = [
        Weighed(label=label, score=scores(read[text], label.kind)[label.name], spans=_spans(plan, read, label))
        for label in known
    ]
    saturated = [each.label for each in weighed if not _felt(each.spans)]
    parts = _parts(text[: words[:ONE_BY_ONE][-1].end]) if saturated and words else []
    if len(parts) > 1:
        plans = {at: _plan(part, list(_units(part)), most=MOST) for at, part in parts}
        read = _read(classifier, *plans.values())
        weighed = [_by_parts(each, plans, read) if each.label in saturated else each for each in weighed]
    return Weighing(
        model_version=classifier.version,
        words=len(words),
        one_by_one=min(len(words), ONE_BY_ONE),
        labels=tuple(weighed),
    )


def _by_parts(weighed: Weighed, plans: Mapping[int, _Plan], read: Mapping[str, Understanding]) -> Weighed:
    """Each word within its own part of the text, where that tells more."""
    spans = [
        Span(start=at + span.start, end=at + span.end, weight=span.weight)
        for at, plan in plans.items()
        for span in _spans(plan, read, weighed.label)
    ]
    if not _felt(spans):
        return weighed
    spans += [span for span in weighed.spans if span.start >= spans[-1].end]
    return replace(weighed, spans=tuple(spans), by_parts=True)


def _felt(spans: Sequence[Span]) -> bool:
    return any(abs(span.weight) >= WEAK for span in spans)


def _parts(text: str) -> list[tuple[int, str]]:
    """Where its sentences begin, and what they say; its clauses where it is a single one."""
    for ends in (_SENTENCE_ENDS, _CLAUSE_ENDS):
        cuts = [0, *(found.end() for found in ends.finditer(text)), len(text)]
        parts = [(start, text[start:end]) for start, end in pairwise(cuts) if _UNIT.search(text[start:end])]
        if len(parts) > 1:
            return parts
    return []


def scores(found: Understanding, kind: Kind) -> Mapping[str, float]:
    """The scores of that kind by the labels' names."""
    match kind:
        case Kind.SENTIMENT:
            return found.sentiment_scores
        case Kind.INTENT:
            return found.intent_scores
        case Kind.SIGNAL:
            return found.signal_scores
    return found.area_scores


def without(text: str, start: int, end: int) -> str:
    """The text without those characters, its words as far apart as they were."""
    before, after = text[:start], text[end:]
    if not before or not after:
        return before.rstrip() + after.lstrip()
    if before[-1].isspace():
        return before + (after[1:] if after[0] == before[-1] else after)
    return before + after if not (before[-1].isalnum() and after[0].isalnum()) else f"{before} {after}"


# --- what is left out ---


class _Unit(NamedTuple):
    """What is left out at once; `binds` where it may count together with the word beside it."""

    start: int
    end: int
    binds: bool


def _units(text: str) -> Iterator[_Unit]:
    """Each word with its place: also emoji, handles, hashtags, links, and signs that say something (`?!`, `…`)."""
    return (_Unit(*found.span(), binds=found["word"] is not None) for found in _UNIT.finditer(text))


def _runs(words: list[_Unit]) -> list[_Unit]:
    """Many words as at most `RUNS` runs of about as many words each."""
    size = -(-len(words) // RUNS) or 1
    runs = [words[at : at + size] for at in range(0, len(words), size)]
    return [_Unit(run[0].start, run[-1].end, binds=False) for run in runs]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """How one text is weighed: `variants` are what stays of it without each of `groups`, which are ranges of units."""

    text: str
    units: list[_Unit]
    groups: list[tuple[int, int]]
    sensible: frozenset[tuple[int, int]]
    variants: list[str]


def _plan(text: str, units: list[_Unit], *, most: int) -> _Plan:
    groups = _groups(text, units)[: most - 1]
    return _Plan(
        text=text,
        units=units,
        groups=groups,
        sensible=frozenset(group for group in groups if _reads_well(text, units, group)),
        variants=[without(text, units[first].start, units[last - 1].end) for first, last in groups],
    )


def _read(classifier: Classifier, *plans: _Plan) -> dict[str, Understanding]:
    distinct = list(dict.fromkeys(text for plan in plans for text in (plan.text, *plan.variants)))
    return dict(zip(distinct, classifier.classify(distinct), strict=True))


def _spans(plan: _Plan, read: Mapping[str, Understanding], label: Label) -> tuple[Span, ...]:
    """What each group did for the label, those that tell it best; places are those in the plan's text."""
    had = scores(read[plan.text], label.kind).get(label.name, 0.0)
    falls = {
        group: max(-1.0, min(1.0, had - scores(read[variant], label.kind).get(label.name, 0.0)))
        for group, variant in zip(plan.groups, plan.variants, strict=True)
    }
    return tuple(
        Span(start=plan.units[first].start, end=plan.units[last - 1].end, weight=falls[first, last])
        for first, last in _chosen(falls, plan.sensible)
    )


def _groups(text: str, units: list[_Unit]) -> list[tuple[int, int]]:
    """What is left out, as (first unit, unit after the last): each unit, then neighbours in one clause: pairs, whole
    clauses, threes."""
    clauses = list(_clauses(text, units))
    groups = [(at, at + 1) for at in range(len(units))]
    groups += [(at, at + 2) for first, last in clauses for at in range(first, last - 1)]
    groups += [(first, last) for first, last in clauses if TOGETHER < last - first < len(units)]
    groups += [(at, at + 3) for first, last in clauses for at in range(first, last - 2)]
    return groups


def _reads_well(text: str, units: list[_Unit], group: tuple[int, int]) -> bool:
    """Whether somebody would say these words in one breath: `no funciona`, but not `internet no`."""
    words = [text[unit.start : unit.end].lower() for unit in units[slice(*group)]]
    if len(words) == 1:
        return True
    after = text[units[group[1] - 1].end : units[group[1]].start] if group[1] < len(units) else "."
    ends = _SIGNS.search(after) is not None
    return not _JOINING.fullmatch(words[0]) and (ends or not _LEANING.fullmatch(words[-1]))


def _clauses(text: str, units: list[_Unit]) -> Iterator[tuple[int, int]]:
    """Units that bind and that no sign parts."""
    first = 0
    for at, (one, other) in enumerate(pairwise(units), 1):
        if not (one.binds and other.binds) or _SIGNS.search(text, one.end, other.start):
            yield first, at
            first = at
    if units:
        yield first, len(units)


# --- what counts together ---


def _chosen(falls: Mapping[tuple[int, int], float], sensible: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
    """The groups that tell it best, covering every unit once: neighbours that count mostly together as one group."""
    bound = []
    for group, fall in falls.items():
        if 1 < group[1] - group[0] <= TOGETHER and group in sensible and abs(fall) >= NOTICED:
            partings = _partings(group, sensible)
            surplus = min(abs(fall - sum(falls[part] for part in parts)) for parts in partings)
            if surplus >= max(NOTICED, HALF * max(abs(falls[part]) for part in [group, *partings[0]])):
                bound.append((-surplus, group[1] - group[0], group))
    taken = {group[0]: group for group in falls if group[1] - group[0] == 1}
    grouped = set[int]()
    for _, _, group in sorted(bound):
        if grouped.isdisjoint(range(*group)):
            grouped |= set(range(*group))
            taken |= dict.fromkeys(range(*group), group)
    for group, fall in falls.items():  # clauses whose words hardly count where the others stay
        if group[1] - group[0] > TOGETHER:
            parts = [abs(falls[part]) for part in {taken[unit] for unit in range(*group)}]
            if abs(fall) >= max(2 * NOTICED, sum(parts) / HALF) or abs(fall) >= 2 * WEAK > 2 * max(parts):
                taken |= dict.fromkeys(range(*group), group)
    return sorted(set(taken.values()))


def _partings(group: tuple[int, int], sensible: Collection[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Every way to part a pair or three into neighbours, single words first."""
    first, last = group
    partings = [[(at, at + 1) for at in range(first, last)]]
    for pair in [(first, first + 2), (first + 1, first + 3)] if last - first == TOGETHER else []:
        if pair in sensible:
            partings.append([pair, *(part for part in partings[0] if part[0] not in range(*pair))])
    return partings
