"""Which words moved what the model said of a mention: weighed, marked in the text, given to programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from listener.commands.app import App
from listener.commands.card import Card
from listener.commands.output import clip, counted
from listener.errors import EscuchaError
from listener.escapes import visible
from listener.types import Understanding

if TYPE_CHECKING:
    from listener.model.weighing import Label, Span, Weighed, Weighing

STEPS = (0.1, 0.2, 0.4)  # from which weight on a word is marked, marked more, marked most
LEAST = 0.05  # what is named below the text
RAISED = ("green", "bold green", "bold black on green")
LOWERED = ("dim red strike", "red strike", "bold white on red strike")
LISTED = 8  # spans named below the text
NEAR = 15  # characters between two pieces of a text that are shown, not left out
WORDS = 40  # columns of one span in the list


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much of a text is shown: all of one of up to `full` characters; of a longer one the `most` words that count
    most, with `around` characters on either side."""

    full: int
    most: int
    around: int


IN_FULL = Extent(full=400, most=LISTED, around=40)
IN_SHORT = Extent(full=90, most=4, around=10)


@dataclass(frozen=True, kw_only=True)
class Words:
    """What the words of a mention weigh. `weighing` is None where `note` says why nothing was weighed.

    `text` is what the model read, the content warning first; `stored` the version that gave the labels; `lacking` what
    it gave and the present model does not know.
    """

    text: str = ""
    stored: str = ""
    weighing: Weighing | None = None
    lacking: tuple[Label, ...] = ()
    note: str = ""

    @property
    def same_model(self) -> bool:
        """Whether the words were weighed by the model whose labels are on record."""
        return self.weighing is not None and self.weighing.model_version == self.stored


def weigh(app: App, card: Card) -> Words:
    """What each word did for the labels on record; loads the model and reads the text many times, about a second."""
    if card.gone:
        return Words(note="Its words are erased, so none is weighed.")
    if card.understanding is None:
        return Words(note="The model has not read it yet, so no word is weighed.")
    return _weigh(app, card, card.understanding)


def _weigh(app: App, card: Card, found: Understanding) -> Words:
    from listener.flow.understand import what_to_read
    from listener.model import weighing as model

    labels, stored = model.labels_of(found), found.model_version
    text = what_to_read(card.mention.text, card.mention.content_warning)
    if not labels:
        return Words(text=text, stored=stored, note="The model was sure of nothing, so no word is weighed.")
    try:
        weighed = model.weigh(app.classifier, text, labels)
    except EscuchaError as error:
        return Words(text=text, stored=stored, note=f"The words cannot be weighed: {error}")
    known = {each.label for each in weighed.labels}
    lacking = tuple(label for label in labels if label not in known)
    return Words(text=text, stored=stored, weighing=weighed, lacking=lacking)


# --- for people ------------------------------------------------------------------------------------------------------


def draw(words: Words, *, width: int, marks: bool, everything: bool = True) -> Group:
    """For each label the text with the words that moved it marked, and their weights, at most `width` columns wide;
    `marks`: without any colour. Without `everything`, of the weights what one line holds.
    """
    if words.weighing is None:
        return Group(_line(clip(words.note[:2000], 1000), "dim"))
    lines: list[RenderableType] = [_line(sentence, "yellow") for sentence in _provisos(words)]
    for weighed in words.weighing.labels:
        extent = IN_FULL if everything else IN_SHORT
        marked = _set_in(_marked(words.text, weighed.spans, extent, marks=marks), 4)
        title, weights = _title(weighed), _weights(words, weighed)
        if not everything:
            title.append(f"  {_as_many_as_fit(weights, width - 4 - title.cell_len)}", "not dim cyan")
        told = everything or any(_step(span.weight) >= 0 for span in weighed.spans)
        lines += [_set_in(title, 2), *([marked] if told else [])]
        if weighed.by_parts:
            lines.append(_line("said more than once, so each word is weighed within its own sentence", "dim", 4))
        lines += [_line(line, "cyan", 4) for line in _wrapped(weights, width - 4)] if everything else []
    if words.weighing.labels:
        lines.append(_line(_legend(words.weighing, marks=marks), "dim"))
    return Group(*lines)


def _provisos(words: Words) -> Iterator[str]:
    """What must be known before one believes the weights."""
    assert words.weighing is not None
    if not words.same_model:
        yield (
            f"The labels on record are of model {clip(words.stored[:400], 60)}. Scores and words here are of the "
            f"present model, {clip(words.weighing.model_version[:400], 60)}."
        )
    for label in words.lacking:
        yield f"The present model knows no {label.kind} {_named(label.name)}."


def _title(weighed: Weighed) -> Text:
    title = Text(f"{weighed.label.kind} ", style="dim", overflow="fold")
    title.append(_named(weighed.label.name), "not dim bold").append(f" {weighed.score:.2f}", "not dim")
    return title


def _marked(text: str, spans: tuple[Span, ...], extent: Extent, *, marks: bool) -> Text:
    """The text, what moved the label marked; of a long one the pieces around that, between `…`.

    Made visible piece by piece, so that an escape, which is longer than what it stands for, moves no mark.
    """
    told = [span for span in spans if _step(span.weight) >= 0]
    line = Text(overflow="fold")
    last = 0
    for start, end in _pieces(text, told, extent):
        line.append(" … " if start > last > 0 else "… " if start > last else "")
        at = start
        for span in told:
            if start <= span.start < end:
                line.append(_shown(text[at : span.start], marks=marks))
                _append(line, text, span, marks=marks)
                at = span.end
        line.append(_shown(text[at:end], marks=marks))
        last = end
    return line.append(" …" if last < len(text) else "")


def _append(line: Text, text: str, span: Span, *, marks: bool) -> None:
    words, step = text[span.start : span.end], _step(span.weight)
    if len(words) > IN_FULL.full:  # a run of many words
        words = f"{words[: IN_FULL.full // 2]} … {words[-IN_FULL.full // 2 :]}"
    shown = _shown(words, marks=marks)
    if marks:
        line.append(f"[[{shown}]]" if span.weight > 0 else f"(({shown}))")
    else:
        line.append(shown, (RAISED if span.weight > 0 else LOWERED)[step])


def _pieces(text: str, told: list[Span], extent: Extent) -> list[tuple[int, int]]:
    """Which characters are shown: all of a short text, else those around what is marked, at whole words."""
    if len(text) <= extent.full:
        return [(0, len(text))]
    around = extent.around
    pieces: list[tuple[int, int]] = []
    strongest = sorted(told, key=lambda span: (-abs(span.weight), span.start))[: extent.most]
    for span in sorted(strongest, key=lambda span: span.start):
        start = text.rfind(" ", 0, max(span.start - around, 0)) + 1 if span.start > around else 0
        start = max(start, span.start - 2 * around)
        end = text.find(" ", span.end + around, span.end + 2 * around)
        end = min(len(text), span.end + around) if end < 0 else end
        if pieces and start <= pieces[-1][1] + NEAR:
            pieces[-1] = (pieces[-1][0], max(end, pieces[-1][1]))
        else:
            pieces.append((start, end))
    return _whole(pieces, told) or [(0, extent.full)]


def _whole(pieces: list[tuple[int, int]], told: list[Span]) -> list[tuple[int, int]]:
    """The pieces, none of which cuts a marked word, and none of which meets the next."""
    found: list[tuple[int, int]] = []
    for start, end in pieces:
        for span in told:
            if span.start < start < span.end:
                start = span.start  # noqa: PLW2901
            if span.start < end < span.end:
                end = span.end  # noqa: PLW2901
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _weights(words: Words, weighed: Weighed) -> list[str]:
    """`+0.31 "no funciona"` for each span that counts, what counts most first; a sentence where none does."""
    told = [span for span in weighed.spans if abs(span.weight) >= LEAST]
    told.sort(key=lambda span: (-abs(span.weight), span.start))
    named = [f"{_signed(span.weight)} {_quoted(words.text[span.start : span.end])}" for span in told[:LISTED]]
    more = [f"and {len(told) - LISTED} more"] if len(told) > LISTED else []
    return [*named, *more] or [f"no words decide it alone: leaving any out changes less than {LEAST}"]


def _wrapped(items: list[str], width: int) -> list[str]:
    """The items in lines, a weight always before its words."""
    lines = [""]
    for item in items:
        longer = f"{lines[-1]}  {item}" if lines[-1] else item
        if cell_len(longer) > width and lines[-1]:
            lines.append(item)
        else:
            lines[-1] = longer
    return lines


def _as_many_as_fit(items: list[str], width: int) -> str:
    """The first of the items in one line, `…` where there are more; one of them in any case."""
    line = items[0]
    for item in items[1:]:
        if cell_len(f"{line}  {item}") > width - 3:
            return f"{line}  …"
        line = f"{line}  {item}"
    return line


def _legend(weighing: Weighing, *, marks: bool) -> str:
    how = "[[raised]] ((lowered))" if marks else "green raised, red lowered"
    rest = weighing.words - weighing.one_by_one
    runs = f" The last {counted(rest, 'word')} were weighed in runs." if rest else ""
    return f"{how}; the numbers: how far the score falls without them.{runs}"


def _shown(text: str, *, marks: bool) -> str:
    """Safe to print, in one line; where marks stand for colours, whoever wrote it cannot set one."""
    line = visible(text.replace("\r\n", " ").replace("\n", " ").replace("\t", " "))
    if marks:
        for mark in "[]()":
            while mark * 2 in line:
                line = line.replace(mark * 2, f"{mark} {mark}")
    return line


def _quoted(words: str) -> str:
    return '"' + clip(words[: WORDS * 4], WORDS).replace('"', "'") + '"'


def _signed(weight: float) -> str:
    return f"{weight:+.2f}".replace("-", "−")


def _step(weight: float) -> int:
    """0, 1 or 2, the stronger the higher; -1 where nothing is marked."""
    return sum(round(abs(weight), 2) >= least for least in STEPS) - 1


def _named(name: str) -> str:
    return clip(name[:400].replace("_", " "), 40)


def _line(words: str, style: str, columns: int = 2) -> RenderableType:
    return _set_in(Text(words, style=style, overflow="fold"), columns)


def _set_in(text: Text, columns: int) -> RenderableType:
    return Padding(text, (0, 0, 0, columns), expand=False)


# --- for programs ----------------------------------------------------------------------------------------------------


def keys(words: Words | None) -> dict[str, Any] | None:
    """What `explain --json` says under `words`, as docs/moderators.md promises; None where nobody asked."""
    if words is None:
        return None
    weighing = words.weighing
    return {
        "model_version": weighing.model_version if weighing else None,
        "same_model": words.same_model if weighing else None,
        "text": words.text,
        "counted": weighing.words if weighing else 0,
        "one_by_one": weighing.one_by_one if weighing else 0,
        "labels": [_label_keys(words.text, each) for each in weighing.labels] if weighing else [],
        "unknown": [{"kind": label.kind, "label": label.name} for label in words.lacking],
        "note": words.note,
    }


def _label_keys(text: str, weighed: Weighed) -> dict[str, Any]:
    return {
        "kind": weighed.label.kind,
        "label": weighed.label.name,
        "score": round(weighed.score, 4),
        "by_parts": weighed.by_parts,
        "words": [
            {
                "start": span.start,
                "end": span.end,
                "text": text[span.start : span.end],
                "weight": round(span.weight, 4),
            }
            for span in weighed.spans
        ],
    }
