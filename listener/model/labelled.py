"""Labelled texts, and what their labels mean: columns by their usual names, labels by theirs, or as a person says.

plan = labelled.plan(path, head="auto")          # looks through the file once
for example in labelled.examples(plan): ...      # an Example, or a Row whose `trouble` says why it is none
labelled.whole(path, limit=5000)                 # every head's labels at once, and every row must be good
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from listener.errors import Mistake
from listener.model import columns, mapping
from listener.model.columns import AREAS, AUTO, INTENTS, SENTIMENT, SIGNALS
from listener.model.mapping import Ours, plain
from listener.model.rows import Row, RowFile, open_file
from listener.types import Intent, Sentiment, Signal

NONE = mapping.NOTHING
MANY = 500  # different labels; a column with more holds no labels

_NEUTRALISED = re.compile(r"'+(?:[\s\x00-\x1f]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
_CODES = {"english": "en", "ingles": "en", "spanish": "es", "espanol": "es", "castellano": "es", "portuguese": "pt"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be read from a file, and as what.

    `meaning`: what each of the file's labels says in ours, `none` for nothing (sentiment: such rows are passed over).
    `unknown`: labels whose meaning nobody knows, with how many rows have them. `labels`: those of ours to be judged, in
    their usual order. `assumed` is one sentence where a meaning was taken for granted, "" else. `rows` counts all rows
    of the file.
    """

    file: RowFile
    text: str
    label: str
    language: str | None
    head: str
    meaning: Mapping[str, str]
    seen: Mapping[str, int]
    unknown: Mapping[str, int]
    labels: tuple[str, ...]
    rows: int
    assumed: str = ""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One text with its labels in our words; `language` as the file says it, None where it does not."""

    line: int
    text: str
    labels: frozenset[str]
    language: str | None


@dataclass(frozen=True, kw_only=True)
class Passed:
    """A row that says on purpose that none of our labels is meant."""

    line: int


def plan(
    path: Path,
    *,
    head: str = AUTO,
    text: str | None = None,
    label: str | None = None,
    language: str | None = None,
    said: Sequence[str] = (),
) -> Plan:
    """How the file at `path` will be read. `said` holds `THEIRS=OURS`, which goes before what names suggest.

    Raises Mistake where a column is missing or no label can be understood, with what there is and the next step.
    """
    asked = {plain(name) for name in (text, label, language) if name}
    file = open_file(path, knows=lambda name: plain(name) in asked or columns.known(name))
    text = columns.find(file, text, columns.TEXT, what="text", step="say which with --text")
    label = columns.find(file, label, columns.of_labels(head), what="label", step="say which with --label")
    if language or columns.there(file, columns.LANGUAGE):
        language = columns.find(file, language, columns.LANGUAGE, what="language", step="say which with --language")
    seen, rows = _count(file, label)
    if head == AUTO:
        own = columns.head_of(label)
        head = own if own != AUTO else _head_of(seen)
    meaning, assumed = _meanings(seen, head, said, path)
    unknown = {name: count for name, count in seen.items() if name not in meaning}
    if not any(ours != NONE for ours in meaning.values()):
        raise Mistake(_nothing_known(path, label, head, seen))
    used = {ours for theirs, ours in meaning.items() if ours != NONE and theirs in seen}
    return Plan(
        file=file,
        text=text,
        label=label,
        language=language,
        head=head,
        meaning=meaning,
        seen=seen,
        unknown=unknown,
        labels=_ordered(used, head),
        rows=rows,
        assumed=assumed,
    )


def examples(plan: Plan) -> Iterator[Example | Passed | Row]:
    """Every row of the file in order: an Example, one passed over on purpose, or a Row in trouble."""
    for row in plan.file.rows():
        yield row if row.trouble else _example(row, plan)


@dataclass(frozen=True, kw_only=True)
class Whole:
    """Texts with all that is said of them, of any head; `notes` says what a person should know of the file."""

    examples: tuple[tuple[str, tuple[Ours, ...]], ...]
    notes: tuple[str, ...]


def whole(path: Path, *, limit: int) -> Whole:
    """The first `limit` texts of the file with their labels, of sentiment, intents and signals side by side.

    Raises Mistake, naming file and line, for the first row that cannot be used and for a label nobody knows.
    """
    file = open_file(path, knows=columns.known)
    text = columns.find(file, None, columns.TEXT, what="text", step="call one of them text")
    label = columns.find(file, None, columns.of_labels(AUTO), what="label", step="call one of them label")
    found = []
    for row in itertools.islice(file.rows(), limit):
        words, theirs = row.cells.get(text), split(row.cells.get(label), whole=mapping.EVERY)
        trouble = row.trouble or _lacking(words, theirs)
        if trouble:
            raise Mistake(f"{path}, line {row.line}: {trouble}.")
        try:
            found.append((_restored(str(words)), tuple(map(mapping.understood, theirs))))
        except Mistake as mistake:
            raise Mistake(f"{path}, line {row.line}: {mistake}") from mistake
    return Whole(examples=tuple(found), notes=file.notes)


def _lacking(text: Any, theirs: Sequence[str]) -> str:
    """What an example needs and this one lacks, "" where it lacks nothing."""
    if not isinstance(text, str) or not text.strip():
        return "it has no text"
    return "" if theirs else f"it has no label; write {NONE} where nothing is meant"


def _example(row: Row, plan: Plan) -> Example | Passed | Row:
    text, theirs = row.cells.get(plan.text), split(row.cells.get(plan.label), whole=plan.meaning)
    if trouble := _lacking(text, theirs):
        return Row(line=row.line, cells={}, trouble=trouble)
    strange = next((name for name in theirs if name not in plan.meaning), None)
    if strange is not None:
        return Row(line=row.line, cells={}, trouble=f"nobody said what the label {strange[:40]!r} means")
    labels = frozenset(plan.meaning[name] for name in theirs) - {NONE}
    if plan.head == SENTIMENT and len(labels) != 1:
        return Row(line=row.line, cells={}, trouble="it has two sentiments") if labels else Passed(line=row.line)
    language = _code(row.cells.get(plan.language)) if plan.language else None
    return Example(line=row.line, text=_restored(str(text)), labels=labels, language=language)


def _restored(text: str) -> str:
    """Without the apostrophe that keeps spreadsheet programs from running a text (`listener/desk/spreadsheet.py`)."""
    return text[1:] if _NEUTRALISED.match(text) else text


def split(cell: Any, *, whole: Mapping[str, Any]) -> list[str]:
    """The labels in a cell: a list, or words between commas, semicolons or bars; what is in `whole` stays in one."""
    if isinstance(cell, list):
        return [name for inner in cell if not isinstance(inner, list) for name in split(inner, whole=whole)]
    if cell is None or isinstance(cell, dict):
        return []
    if isinstance(cell, bool | int | float):
        cell = f"{cell:g}" if isinstance(cell, float) else str(cell)
    name = " ".join(str(cell).split())
    if name in whole:
        return [name]
    return [part for piece in re.split(r"[,;|]", name) if (part := piece.strip())]


def _code(cell: Any) -> str | None:
    """`es` for `es`, `es-MX`, `Spanish`, `español`; None for an empty cell."""
    word = plain(str(cell or ""))
    if not word:
        return None
    return _CODES.get(word) or word.partition(" ")[0][:20]


# --- labels ---


def _count(file: RowFile, label: str) -> tuple[dict[str, int], int]:
    """How many rows have each label, and how many rows there are. Raises Mistake where the column holds no labels."""
    seen: Counter[str] = Counter()
    rows = 0
    for row in file.rows():
        rows += 1
        if not row.trouble:
            seen.update(set(split(row.cells.get(label), whole=mapping.EVERY)))
            if len(seen) > MANY:
                raise Mistake(
                    f"The column {label!r} of {file.path} holds more than {MANY} different labels; "
                    "say with --label which column holds the labels."
                )
    if not seen:
        raise Mistake(f"{file.path} has no row with a label in its column {label!r}; nothing can be measured.")
    return dict(seen.most_common()), rows


def _head_of(seen: Mapping[str, int]) -> str:
    """The head that most rows' labels speak of; sentiment where they are numbers."""
    votes: Counter[str] = Counter()
    for name, count in seen.items():
        ours = _ours(name)
        head = SENTIMENT if isinstance(ours, Sentiment) or _number(name) is not None else None
        head = INTENTS if isinstance(ours, Intent) else SIGNALS if isinstance(ours, Signal) else head
        if head:
            votes[head] += count
    return votes.most_common(1)[0][0] if votes else SENTIMENT


def _ours(name: str) -> Ours | str:
    """What a label's name suggests; "" for nothing at all."""
    return mapping.propose([name]).get(name, "")


def _meanings(seen: Mapping[str, int], head: str, said: Sequence[str], path: Path) -> tuple[dict[str, str], str]:
    """What each label means in ours, and what was assumed."""
    meaning = _said(said, seen, head, path)
    rest = [name for name in seen if name not in meaning]
    for name in rest:
        if head == AREAS:
            meaning[name] = NONE if plain(name) in ("none", "ninguna", "ninguno") else name
        elif (ours := _ours(name)) is None or isinstance(ours, _KIND[head]):
            meaning[name] = NONE if ours is None else str(ours)
    assumed = _numbers(seen, meaning) if head == SENTIMENT else {}
    meaning |= assumed
    if not assumed:
        return meaning, ""
    words = ", ".join(f"{theirs} as {ours}" for theirs, ours in assumed.items())
    return meaning, f"The file does not say what its labels mean; read {words}. If that is wrong, say it with --map."


_KIND: Mapping[str, type[Sentiment | Intent | Signal]] = {SENTIMENT: Sentiment, INTENTS: Intent, SIGNALS: Signal}


def _said(said: Sequence[str], seen: Mapping[str, int], head: str, path: Path) -> dict[str, str]:
    """What `THEIRS=OURS` says. Raises Mistake for what the file or we do not have."""
    found: dict[str, str] = {}
    folded = {name.casefold(): name for name in reversed(list(seen))}
    for option in said:
        theirs, equals, ours = option.rpartition("=")
        if not equals:
            raise Mistake(f"--map {option!r} lacks a =; write --map THEIRS=OURS, such as --map 0=negative.")
        name = folded.get(" ".join(theirs.split()).casefold())
        if name is None:
            raise Mistake(f"{path} has no label {theirs!r}; it has: {columns.listed(list(seen))}.")
        found[name] = ours.strip() if head == AREAS else _read(ours, head)
    return found


def _read(written: str, head: str) -> str:
    ours = mapping.read(written)
    if ours is not None and not isinstance(ours, _KIND[head]):
        raise Mistake(
            f"--map: {written.strip()!r} is no label of {head}; write one of "
            f"{', '.join(each.value for each in _KIND[head])}, {NONE}; or name another --head."
        )
    return NONE if ours is None else str(ours.value)


def _numbers(seen: Mapping[str, int], meaning: Mapping[str, str]) -> dict[str, str]:
    """The sentiments of numbers and single letters that are used everywhere in one way, where nobody said another."""
    rest = {name: number for name in seen if name not in meaning and (number := _number(name)) is not None}
    values = set(rest.values())
    if values and values <= {-1, 0, 1} and -1 in values:
        order = {-1: Sentiment.NEGATIVE, 0: Sentiment.NEUTRAL, 1: Sentiment.POSITIVE}
    elif values <= {0, 1, 2} and 2 in values and len(values) > 1:
        order = {0: Sentiment.NEGATIVE, 1: Sentiment.NEUTRAL, 2: Sentiment.POSITIVE}
    else:
        order = {}
    letters = {"p": Sentiment.POSITIVE, "p+": Sentiment.POSITIVE, "n": Sentiment.NEGATIVE, "n+": Sentiment.NEGATIVE}
    single = {name: name.casefold() for name in seen if name not in meaning and name.casefold() in letters}
    found = {name: order[number].value for name, number in rest.items() if number in order}
    if {"p", "n"} <= set(single.values()):
        found |= {name: letters[letter].value for name, letter in single.items()}
    return found


def _number(name: str) -> int | None:
    try:
        number = float(name.replace("\u2212", "-"))
    except ValueError:
        return None
    return int(number) if number.is_integer() else None


def _ordered(used: set[str], head: str) -> tuple[str, ...]:
    if head == AREAS:
        return tuple(sorted(used))
    return tuple(label.value for label in _KIND[head] if label.value in used)


def _nothing_known(path: Path, label: str, head: str, seen: Mapping[str, int]) -> str:
    one = next(iter(seen))
    ours = "billing" if head == AREAS else next(iter(_KIND[head])).value
    return (
        f"The labels in the column {label!r} of {path} mean nothing to us as {head}: {columns.listed(list(seen))}. "
        f"Say what each means, such as --map {quoted(f'{one[:40]}={ours}')}, or name another --label or --head."
    )


def quoted(words: str) -> str:
    """The words between single quotes as a shell takes them: who copies them runs nothing that a file says.

    Always between quotes, unlike `shlex.quote`: the hint should look the same whatever the label is.
    """
    return "'" + words.replace("'", "'\\''") + "'"
