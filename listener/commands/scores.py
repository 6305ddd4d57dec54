"""What the model's scores of a mention were, each beside the score from which on its label is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from listener.commands import lessons
from listener.commands.app import App
from listener.commands.output import clip
from listener.errors import EscuchaError
from listener.types import Intent, Sentiment, Signal, Understanding

BAR = 20  # columns of a full bar
SHARE = 0.1  # of what its label needed: a lower score is left out
LEAST = 0.05  # the same, where nobody knows what it needed


@dataclass(frozen=True, kw_only=True)
class Needed:
    """From which score on a label is given, 0..1, by its name; no area stands there where that is not known.

    Of sentiments only the likeliest is held against its own; of areas a second one must also lie close to the first.
    `languages` are those that the bundled model was taught; `imported` the labels for which another one speaks.
    """

    sentiment: Mapping[str, float]
    intents: Mapping[str, float]
    signals: Mapping[str, float]
    areas: Mapping[str, float]
    languages: tuple[str, ...]
    imported: frozenset[str]

    @property
    def thresholds(self) -> dict[str, Mapping[str, float]]:
        """The scores by head, as programs get them."""
        return {"sentiment": self.sentiment, "intents": self.intents, "signals": self.signals, "areas": self.areas}


@dataclass(frozen=True, kw_only=True)
class Score:
    """One label's. `needed` is None where nobody knows; `kept` tells that the label was kept back at such a score."""

    label: str
    score: float
    needed: float | None
    given: bool
    kept: bool

    @property
    def counts(self) -> bool:
        """Whether it is worth a word."""
        return self.given or self.score >= (LEAST if self.needed is None else SHARE * self.needed)

    @property
    def words(self) -> str:
        """`0.62 of 0.40`, or the score alone."""
        return f"{self.score:.2f}" if self.needed is None else f"{self.score:.2f} of {self.needed:.2f}"


def needed(app: App, found: Understanding) -> Needed | None:
    """What the labels of that understanding needed; None where what read it is not there any more. Loads no model."""
    with suppress(EscuchaError):
        return _needed(app, found)
    return None


def _needed(app: App, found: Understanding) -> Needed | None:
    """Raises Mistake where a card, or what was learned, cannot be read."""
    from listener.model import card as cards
    from listener.model import imported
    from listener.model.areas_file import there
    from listener.model.fewshot import Areas
    from listener.model.imported_card import read_card
    from listener.model.reading import BUNDLED, reader_version

    own, *others = found.model_version.split("+")
    card = cards.read(BUNDLED)
    scales = [
        card.profiles[profile].of(found.language)
        for profile in ("full", "fast")
        if reader_version(card, profile) == own
    ]
    if not scales:
        return None
    sentiment = dict(scales[0].sentiment.thresholds)
    intents = {name: scale.threshold for name, scale in scales[0].intents.items()}
    signals = {name: scale.threshold for name, scale in scales[0].signals.items()}
    areas: dict[str, float] = {}
    imported_labels: set[str] = set()
    models = app.config_or_default.models
    beside = {each.version: each for each in (read_card(models / name) for name in imported.known(models))}
    for version in others:
        if version in beside:  # it speaks for the labels it knows, whatever stood there before
            labels, threshold = [ours for _, ours in beside[version].labels], beside[version].threshold
            if any(isinstance(ours, Sentiment) for ours in labels):
                sentiment = {each.value: threshold for each in Sentiment}
            intents |= {ours.value: threshold for ours in labels if isinstance(ours, Intent)}
            signals |= {ours.value: threshold for ours in labels if isinstance(ours, Signal)}
            imported_labels |= {ours.value for ours in labels if ours is not None}
        elif "@" in version:  # imported then, and gone now: it may have spoken for any label
            return None
        elif there(path := lessons.areas_file(app)):
            with suppress(EscuchaError):  # learned for another model meanwhile
                learned = Areas.load(path, reader=own)
                if learned.version == version:
                    areas = {name: float(learned.threshold) for name in learned.names}
    return Needed(
        sentiment=sentiment,
        intents=intents,
        signals=signals,
        areas=areas,
        languages=card.languages,
        imported=frozenset(imported_labels),
    )


def kept_back(found: Understanding, than: Needed | None, text: str) -> str:
    """Why labels of the text that was read are not given although their scores were enough; "": none was kept back."""
    from listener.model.language import UNCLEAR
    from listener.model.text import clean

    heads = list(_heads(found, than))
    kept = [score.label for scores in heads for score in scores if score.kept]
    if than is None or not kept:
        return ""
    label = "other label" if any(score.given for scores in heads for score in scores) else "label"
    if not than.imported.issuperset(kept):  # what follows holds for the labels of the bundled model alone
        if found.language not in (*than.languages, UNCLEAR):
            return f"It was not taught this language ({clip(found.language[:40], 20)}), so no {label} is given."
        if not any(map(str.isalpha, clean(text))):
            return f"There are no words in it, so no {label} is given."
    return "Something else than its score kept a label back."


# --- for people ------------------------------------------------------------------------------------------------------


def draw(found: Understanding, than: Needed | None, *, kept: str, everything: bool) -> Group:
    """Each label that was given with its score, the others in a few words, or a line each with `everything`; `kept`
    says why labels were `kept_back`."""
    heads = list(_heads(found, than))
    lines: list[RenderableType] = []
    if everything:
        for scores in heads:
            lines += [*map(_line, scores), Text()]
    else:
        lines += [_line(score) for scores in heads for score in scores if score.given]
        rest = [score for scores in heads for score in scores if not score.given]
        if rest:
            grid = Table.grid(padding=(0, 1, 0, 0))
            grid.add_row(Text("  ·", style="dim"), Text(_in_short(rest), style="dim", overflow="fold"))
            lines.append(grid)
    gone = "The model that read it is not here any more, nor what its labels needed." if than is None else ""
    if note := gone or kept:
        lines.append(Padding(Text(note, style="dim", overflow="fold"), (0, 0, 0, 2), expand=False))
    language = f"  language {clip(found.language[:40], 20)}, {_number(found.language_score):.2f} sure"
    return Group(*lines, Text(f"{language}; model {clip(found.model_version[:120], 60)}"))


def _heads(found: Understanding, than: Needed | None) -> Iterator[list[Score]]:
    """The scores of each head that has any, the highest first."""
    feeling = {str(found.sentiment)} if found.sentiment else set()
    given: list[tuple[Mapping[str, float], Mapping[str, float], set[str], bool]] = [
        (found.sentiment_scores, than.sentiment if than else {}, feeling, True),
        (found.intent_scores, than.intents if than else {}, set(map(str, found.intents)), False),
        (found.signal_scores, than.signals if than else {}, set(map(str, found.signals)), False),
        (found.area_scores, than.areas if than else {}, set(found.areas), True),
    ]
    for scores, thresholds, chosen, rivals in given:
        ordered = sorted(scores.items(), key=lambda pair: -_number(pair[1]))
        counting = (0 if chosen else 1) if rivals else len(ordered)  # of rivals only the likeliest, and only alone
        if ordered:
            yield [
                _score(str(name), score, thresholds.get(name), given=name in chosen, counts=place < counting)
                for place, (name, score) in enumerate(ordered)
            ]


def _score(label: str, score: object, needed: float | None, *, given: bool, counts: bool) -> Score:
    kept = counts and not given and needed is not None and _number(score) >= needed
    return Score(label=label, score=_number(score), needed=needed, given=given, kept=kept)


def _line(score: Score) -> Text:
    mark, style = ("✓", "") if score.given else ("·", "dim")
    line = Text(f"  {mark} {_label(score):<20} {score.words:<12}  ", style=style)
    return line.append(_bar(score.score), "cyan")


def _in_short(scores: list[Score]) -> str:
    """`question 0.07 of 0.25, irony 0.05 of 0.60, and 9 below a tenth of theirs`, the closest first."""
    close = sorted((score for score in scores if score.counts), key=lambda score: -score.score / (score.needed or 1.0))
    named = [f"{_label(score)} {score.words}" for score in close]
    low = [score for score in scores if not score.counts]
    for known, below in ((True, "a tenth of theirs"), (False, f"{LEAST}")):
        if number := sum((score.needed is not None) is known for score in low):
            named.append(f"{number} below {below}")
    *first, last = named
    return f"{', '.join(first)}, and {last}" if first and low else ", ".join(named)


def _label(score: Score) -> str:
    return clip(score.label[:400].replace("_", " "), 20)


def _bar(score: float) -> str:
    eighths = round(max(0.0, min(1.0, score)) * BAR * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def _number(score: object) -> float:
    """A score that can be drawn: what is no number counts as 0."""
    return float(score) if isinstance(score, (int, float)) and score == score else 0.0  # noqa: PLR0124
