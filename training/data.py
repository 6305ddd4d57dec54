"""Every text the model learns from, in one shape: what is known about it, and what is not.

Readers are pure: the same files give the same examples in the same order. Nothing is copied into the project.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from listener.model.text import clean
from listener.types import Intent, Sentiment, Signal

SENTIMENTS = list(Sentiment)
INTENTS = list(Intent)
SIGNALS = list(Signal)
COLUMNS = ["intents", "sentiment", "signals", "trade", "variety", "text"]


@dataclass(frozen=True, kw_only=True)
class Example:
    """One text. `sentiment`: a probability per class, None when unknown. `intents`, `signals`: 1 or 0 for what is
    known. `english`: the same in English, "" when unknown; its meaning is what the text's should become."""

    source: str
    language: str
    text: str
    sentiment: tuple[float, float, float] | None = None
    intents: dict[Intent, float] = field(default_factory=dict)
    signals: dict[Signal, float] = field(default_factory=dict)
    english: str = ""
    variety: str = ""
    trade: str = ""


def one_hot(sentiment: Sentiment) -> tuple[float, float, float]:
    """All of the probability on one class."""
    a, b, c = (1.0 if sentiment is each else 0.0 for each in SENTIMENTS)
    return a, b, c


# --- the hand-written corpus ----------------------------------------------------------------------------------------


def corpus(folder: Path) -> list[Example]:
    """Every line of `folder`/{en,es}/*.tsv, once. Raises ValueError naming the first line that is malformed."""
    examples: dict[tuple[str, str], Example] = {}
    for path in sorted([*folder.glob("en/*.tsv"), *folder.glob("es/*.tsv")]):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if number == 1 or not line.strip():
                continue
            try:
                intents, sentiment, signals, trade, variety, text = line.split("\t")
                wanted = set() if intents == "none" else {Intent(name) for name in intents.split(",")}
                marked = set() if signals == "none" else {Signal(name) for name in signals.split(",")}
                example = Example(
                    source="corpus",
                    language=path.parent.name,
                    text=clean(text),
                    sentiment=one_hot(Sentiment(sentiment)),
                    intents={intent: float(intent in wanted) for intent in Intent},
                    signals={signal: float(signal in marked) for signal in Signal},
                    english=clean(text) if path.parent.name == "en" else "",
                    variety=variety,
                    trade=trade,
                )
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from error
            examples.setdefault((example.language, example.text.casefold()), example)
    return list(examples.values())


def pairs(folder: Path) -> Iterator[Example]:
    """Both sides of every line of `folder`/pairs/*.tsv: English, tab, the same in Spanish."""
    for path in sorted(folder.glob("pairs/*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            english, spanish = map(clean, line.split("\t"))
            yield Example(source="pairs", language="en", text=english, english=english)
            yield Example(source="pairs", language="es", text=spanish, english=english)


def split(examples: list[Example], groups: list[list[int]] | None = None) -> dict[str, list[Example]]:
    """train, calibration and test, about 70/15/15; texts that nearly repeat each other stay on one side.

    `groups` are those of `near_duplicates`, for who has them already.
    """
    parts: dict[str, list[Example]] = {"train": [], "calibration": [], "test": []}
    for group in near_duplicates(examples) if groups is None else groups:
        key = min(examples[row].language + examples[row].text.casefold() for row in group)
        draw = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
        part = "train" if draw < 0.70 else "calibration" if draw < 0.85 else "test"
        parts[part].extend(examples[row] for row in group)
    return parts


def meant(examples: Iterable[Example], path: Path) -> list[Example]:
    """Our own Spanish examples with what they mean in English, as `training.translate` wrote it to `path`."""
    english = {spanish: text for text, spanish in (line.split("\t") for line in _lines(path))}
    return [
        replace(example, english=english.get(example.text, "")) if example.language == "es" else example
        for example in examples
    ]


def near_duplicates(examples: list[Example], threshold: float = 0.5) -> list[list[int]]:
    """Rows grouped so that texts sharing half of their letter 4-grams (Jaccard) are together."""
    shingles = [_shingles(example.text) for example in examples]
    sizes = np.array([len(own) for own in shingles])
    holders: dict[str, list[int]] = {}
    for row, own in enumerate(shingles):
        for shingle in own:
            holders.setdefault(shingle, []).append(row)
    held = {shingle: np.array(rows) for shingle, rows in holders.items()}
    leader = list(range(len(examples)))

    def find(row: int) -> int:
        while leader[row] != row:
            leader[row] = leader[leader[row]]
            row = leader[row]
        return row

    for row, own in enumerate(shingles):
        shared = np.bincount(np.concatenate([held[shingle] for shingle in own]), minlength=len(examples))
        for other in np.flatnonzero(shared[:row] * (1 + threshold) >= threshold * (len(own) + sizes[:row])):
            leader[find(row)] = find(int(other))
    groups: dict[int, list[int]] = {}
    for row in range(len(examples)):
        groups.setdefault(find(row), []).append(row)
    return list(groups.values())


def _shingles(text: str) -> set[str]:
    letters = "".join(character for character in text.casefold() if character.isalnum() or character == " ")
    padded = f" {letters} "
    return {padded[start : start + 4] for start in range(max(1, len(padded) - 3))}


# --- public data ------------------------------------------------------------------------------------------------------


def public(folder: Path) -> list[Example]:
    """Everything in the data folder that may be trained on. Banking77 and CLINC150 are left to be measured on."""
    readers = (goemotions, xed, bitext, nlupp, tatoeba)
    return [
        replace(example, english=example.text) if example.language == "en" else example
        for reader in readers
        for example in reader(folder)
        if example.text
    ]


def translated(examples: Iterable[Example], path: Path) -> list[Example]:
    """The English examples again in Spanish, as `training.translate` wrote them to `path`; their labels stay."""
    spanish = dict(line.split("\t") for line in _lines(path))
    return [
        replace(example, language="es", text=spanish[example.text])
        for example in examples
        if example.language == "en" and example.text in spanish
    ]


def goemotions(folder: Path, part: str = "train") -> Iterator[Example]:
    """English comments. Their sentiment is the grouped label; what a company is asked or told hardly occurs in them."""
    names = (folder / "goemotions/original/labels.txt").read_text(encoding="utf-8").split()
    never = {Intent.OUTAGE_REPORT: 0.0, Intent.CANCELLATION_THREAT: 0.0, Intent.PURCHASE_INTEREST: 0.0}
    group = _rows(folder / f"goemotions/group/{part}.tsv")
    original = _rows(folder / f"goemotions/original/{part}.tsv")
    for (text, grouped, _), (_, emotions, _) in zip(group, original, strict=True):
        labels = {int(label) for label in grouped.split(",")}
        felt = {names[int(number)] if int(number) < len(names) else "neutral" for number in emotions.split(",")}
        intents = dict(never)
        if "gratitude" in felt or "admiration" in felt:
            intents[Intent.COMPLAINT] = 0.0
        if "curiosity" in felt and "?" in text:
            intents[Intent.QUESTION] = 1.0
        yield Example(
            source="goemotions",
            language="en",
            text=clean(text.replace("[NAME]", "Sam").replace("[RELIGION]", "faith")),
            sentiment=_blend(labels, {1: Sentiment.NEGATIVE, 2: Sentiment.NEUTRAL, 3: Sentiment.POSITIVE}),
            intents=intents,
        )


def xed(folder: Path) -> Iterator[Example]:
    """Film subtitles in English and Spanish with emotions; lines whose emotions disagree are left out."""
    feeling = {1: Sentiment.NEGATIVE, 3: Sentiment.NEGATIVE, 4: Sentiment.NEGATIVE, 6: Sentiment.NEGATIVE}
    feeling |= {5: Sentiment.POSITIVE, 8: Sentiment.POSITIVE}
    for name, language in (("en-annotated.tsv", "en"), ("es-projections.tsv", "es")):
        for text, *emotions in _rows(folder / "xed" / name):
            labels = {int(label) for label in emotions[0].split(",") if label.strip().isdigit()} if emotions else set()
            sentiment = _blend(labels, feeling)
            if sentiment is None or max(sentiment) < 1:
                continue
            words = text.replace("[PERSON]", "Sam").lstrip("-– ")
            softened = (0.85, 0.10, 0.05) if sentiment[0] == 1 else (0.05, 0.20, 0.75)
            yield Example(source="xed", language=language, text=clean(words), sentiment=softened)
    for _, text, *_ in _rows(folder / "xed/neu_en.txt"):
        yield Example(source="xed", language="en", text=clean(text), sentiment=(0.05, 0.9, 0.05))


def bitext(folder: Path) -> Iterator[Example]:
    """What customers write to a help desk. Its intents say what the matter is; the wording says question or request."""
    path = folder / "bitext_intents/Bitext_Sample_Customer_Service_Training_Dataset.csv"
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            text = clean(row["utterance"])
            intents = {Intent.OFF_TOPIC: 0.0, Intent.PRAISE: 0.0, Intent.OUTAGE_REPORT: 0.0}
            if row["intent"] == "complaint":
                intents |= {Intent.COMPLAINT: 1.0}
            elif row["intent"] in {"payment_issue", "registration_problems"}:
                intents |= {Intent.CANCELLATION_THREAT: 0.0}
            else:
                asks = is_question(text)
                intents |= {Intent.QUESTION: float(asks), Intent.CANCELLATION_THREAT: 0.0, Intent.COMPLAINT: 0.0}
                if not asks:
                    intents |= {Intent.REQUEST: 1.0}
            yield Example(source="bitext", language="en", text=text, intents=intents)


def nlupp(folder: Path) -> Iterator[Example]:
    """Things said to a bank and a hotel, several intents each."""
    questions = {"how", "why", "when", "how_much", "how_long", "what", "where", "request_info", "which"}
    requests = {"cancel_close_leave_freeze", "change", "make_open_apply_setup_get_activate", "handoff", "transfer"}
    for path in sorted((folder / "nlupp/data").glob("*/fold*.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            named = set(row.get("intents", ()))
            text = clean(row["text"])
            intents = {Intent.OFF_TOPIC: 0.0, Intent.PRAISE: 0.0}
            if named & questions:
                intents[Intent.QUESTION] = 1.0
            elif named & requests and not is_question(text):
                intents[Intent.REQUEST] = 1.0
            if "not_working" in named:
                intents[Intent.PRAISE] = 0.0
            else:
                intents[Intent.OUTAGE_REPORT] = 0.0
            yield Example(source="nlupp", language="en", text=text, intents=intents)


def tatoeba(folder: Path) -> Iterator[Example]:
    """Spanish sentences with their English."""
    spanish = (folder / "tatoeba/tatoeba.spa-eng.spa").read_text(encoding="utf-8").splitlines()
    english = (folder / "tatoeba/tatoeba.spa-eng.eng").read_text(encoding="utf-8").splitlines()
    for text, meaning in zip(spanish, english, strict=True):
        yield Example(source="tatoeba", language="es", text=clean(text), english=clean(meaning))


def xlm_t(folder: Path, language: str) -> list[Example]:
    """Posts with their sentiment. For measuring only: never trained on."""
    name = {"en": "english", "es": "spanish", "pt": "portuguese"}[language]
    texts = (folder / f"xlm_t_val/{name}/val_text.txt").read_text(encoding="utf-8").splitlines()
    labels = (folder / f"xlm_t_val/{name}/val_labels.txt").read_text(encoding="utf-8").split()
    return [
        Example(source="xlm_t", language=language, text=clean(text), sentiment=one_hot(SENTIMENTS[int(label)]))
        for text, label in zip(texts, labels, strict=True)
    ]


def is_question(text: str) -> bool:
    """Whether an English utterance is worded as a question."""
    asking = ("how", "what", "where", "when", "why", "who", "which", "can i", "could i", "do i", "do you", "is there")
    return text.rstrip().endswith("?") or text.casefold().startswith(asking)


def _blend(labels: set[int], meaning: dict[int, Sentiment]) -> tuple[float, float, float] | None:
    felt = {meaning[label] for label in labels if label in meaning}
    if not felt:
        return None
    a, b, c = (1 / len(felt) if each in felt else 0.0 for each in SENTIMENTS)
    return a, b, c


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1]


def _rows(path: Path) -> Iterable[list[str]]:
    with path.open(encoding="utf-8") as file:
        return [line.rstrip("\n").split("\t") for line in file if line.strip()]
