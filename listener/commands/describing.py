"""`escucha model info`: what reads mentions here, where it learned, how good it was found, what was added to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from listener.commands.app import App, pass_app
from listener.commands.output import clip, counted, fields, heading, json_option, print_json, say, table
from listener.types import Intent, Sentiment, Signal

if TYPE_CHECKING:
    from listener.model.card import Card
    from listener.model.imported_card import ImportedCard
    from listener.model.onnx import Profile

LANGUAGES = {"en": "English", "es": "Spanish", "pt": "Portuguese", "fr": "French", "de": "German", "it": "Italian"}
READABLE = "CARD.md"
NO_TESTS = ("calibration", "without")  # what was fitted, and what other weights would have given
HEADS: Mapping[str, type[Sentiment | Intent | Signal]] = {"sentiment": Sentiment, "intents": Intent, "signals": Signal}


@dataclass(frozen=True, kw_only=True)
class LearnedAreas:
    """The company's own areas; `serves`: they were learned with the model in use. `trouble` says why they cannot be
    read, "" where they can."""

    path: Path
    names: tuple[str, ...] = ()
    serves: bool = False
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class Beside:
    """An imported model; `used`: the settings name it. `card` is None where it is named and not there."""

    name: str
    used: bool
    card: ImportedCard | None


@dataclass(frozen=True, kw_only=True)
class Headline:
    """What was measured on one body of texts, 0..1; None where it was not."""

    test: str
    texts: int
    sentiment: Mapping[str, Any]
    intents_f1: float | None
    signals_f1: float | None


@dataclass(frozen=True, kw_only=True)
class Description:
    """Everything there is to know without loading the model."""

    folder: Path
    models: Path
    profile: str
    card: Card
    areas: LearnedAreas | None
    beside: tuple[Beside, ...]

    @property
    def size(self) -> int:
        """Bytes of the bundled model's files."""
        return sum(file.size for file in self.card.files)


@click.command()
@click.option("--full", is_flag=True, help="Every threshold, every source, every file.")
@json_option
@pass_app
def info(app: App, *, full: bool, as_json: bool) -> None:
    """Describe what reads mentions: version, labels, how good it is, what it learned from, what was added."""
    from listener.model.reading import BUNDLED

    settings = app.config_or_default
    found = describe(BUNDLED, settings.models, profile=settings.model.profile, also=settings.model.also)
    if as_json:
        print_json(told(found))
        return
    _show(found)
    if full:
        _show_rest(found)


def describe(folder: Path, models: Path, *, profile: Profile, also: Sequence[str]) -> Description:
    """The model in `folder`, with what lies in `models` beside it. Raises Mistake where its card cannot be read."""
    from listener.model import card as cards
    from listener.model import imported
    from listener.model.imported_card import read_card
    from listener.model.reading import reader_version

    card = cards.read(folder)
    there = {name: read_card(models / name) for name in imported.known(models)}
    named = [Beside(name=name, used=True, card=there.get(name)) for name in also]
    others = [Beside(name=name, used=False, card=own) for name, own in there.items() if name not in also]
    return Description(
        folder=folder,
        models=models,
        profile=profile,
        card=card,
        areas=_areas(models, reader_version(card, profile)),
        beside=(*named, *others),
    )


def _areas(models: Path, reader: str) -> LearnedAreas | None:
    from listener.errors import Mistake
    from listener.model import areas_file, fewshot

    path = models / areas_file.FILE
    try:
        learned = fewshot.learned_from(path)
        if learned is None:
            return None
        areas = fewshot.Areas.load(path, reader=learned[1])
    except Mistake as mistake:
        return LearnedAreas(path=path, trouble=str(mistake))
    return LearnedAreas(path=path, names=areas.names, serves=learned[1] == reader)


def headlines(metrics: Mapping[str, Any], profile: str) -> list[Headline]:
    """The figures that a person asks for first, of the profile in use, where the card tells profiles apart."""
    return list(_headlines(metrics.get(profile, metrics), ()))


def _headlines(figures: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[Headline]:
    if "texts" in figures and isinstance(figures.get("sentiment"), Mapping):
        yield Headline(
            test=" ".join(names),
            texts=int(figures["texts"]),
            sentiment=figures["sentiment"],
            intents_f1=_macro(figures.get("intents")),
            signals_f1=_macro(figures.get("signals")),
        )
        return
    for name, inner in figures.items():
        if isinstance(inner, Mapping) and not name.startswith(NO_TESTS):
            yield from _headlines(inner, (*names, name))


def _macro(figures: Any) -> float | None:
    return figures.get("macro_f1") if isinstance(figures, Mapping) else None


# --- for people ---


def _show(found: Description) -> None:
    card = found.card
    heading(f"{card.version}, made {card.made} from {card.base}; profile {found.profile}")
    rows: list[tuple[str, Any]] = [
        ("reads", ", ".join(f"{LANGUAGES.get(code, code)} ({code})" for code in card.languages)),
        *((name, ", ".join(label.value for label in labels)) for name, labels in HEADS.items()),
        ("areas", _areas_said(found)),
        ("imported", "; ".join(map(_beside_said, found.beside)) or "none (add one: escucha model import)"),
        ("sure from", _sure_from(found)),
        ("learned from", _sources_said(card)),
        ("on disk", f"{found.size / 1e6:.0f} MB in {_short(found.folder)}"),
        ("card", _short(_card_path(found.folder))),
    ]
    fields(rows)
    tests = headlines(card.metrics, found.profile)
    if tests:
        say()
        heading("How good it was found: sentiment, and the F1 of intents and signals")
        names = ("test", "texts", "right", "F1", "answered", "ECE", "intents", "signals")
        table(names, [_test_line(test) for test in tests], empty="")
    say()
    say("On your own texts: escucha model eval FILE. More: escucha model info --full.")


def _areas_said(found: Description) -> str:
    areas = found.areas
    if areas is None:
        return "none learned (teach some: escucha model train)"
    if areas.trouble:
        return areas.trouble
    names = ", ".join(areas.names)
    if areas.serves:
        return names
    return f"{names}; learned with another model, so nothing is read until they are taught again: escucha model train"


def _beside_said(beside: Beside) -> str:
    if beside.card is None:
        return f"{beside.name}: named in the settings, but not there (escucha model import)"
    heads = [name for name, labels in HEADS.items() if any(isinstance(ours, labels) for _, ours in beside.card.labels)]
    use = "in use" if beside.used else "not in use"
    return f"{beside.name}: {', '.join(heads)}, {use}"


def _sure_from(found: Description) -> str:
    """The lowest and highest threshold of each head, over labels and languages."""
    said = []
    for head, thresholds in _thresholds(found).items():
        values = [value for own in thresholds.values() for value in own.values()]
        said.append(f"{head} {_range(values)}")
    return f"{', '.join(said)}; below, it says that it does not know"


def _thresholds(found: Description) -> dict[str, dict[str, dict[str, float]]]:
    """By head and language, from which score on each label is given."""
    scales = found.card.profiles[found.profile].scales
    return {
        "sentiment": {language: dict(scale.sentiment.thresholds) for language, scale in scales.items()},
        "intents": {
            language: {label: one.threshold for label, one in scale.intents.items()}
            for language, scale in scales.items()
        },
        "signals": {
            language: {label: one.threshold for label, one in scale.signals.items()}
            for language, scale in scales.items()
        },
    }


def _range(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low}–{high}"


def _sources_said(card: Card) -> str:
    licences = Counter(source.licence for source in card.sources if source.examples and not _only_measured(source.use))
    texts = sum(source.examples for source in card.sources if not _only_measured(source.use))
    named = ", ".join(f"{licence} ({count})" for licence, count in licences.most_common())
    return f"{texts:,} texts of {counted(sum(licences.values()), 'source')}; licences: {named}"


def _only_measured(use: str) -> bool:
    return use.startswith("measure only")


def _card_path(folder: Path) -> Path:
    from listener.model.card import CARD

    return folder / READABLE if (folder / READABLE).exists() else folder / CARD


def _short(path: Path) -> str:
    """The path from here where it lies below, else as it is."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _test_line(test: Headline) -> tuple[str, ...]:
    sentiment = test.sentiment
    return (
        clip(test.test, 24),
        f"{test.texts:,}",
        _percent(sentiment.get("accuracy")),
        _decimal(sentiment.get("macro_f1")),
        _percent(sentiment.get("answered")),
        _decimal(sentiment.get("ece")),
        _decimal(test.intents_f1),
        _decimal(test.signals_f1),
    )


def _decimal(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f}%"


def _show_rest(found: Description) -> None:
    for head, by_language in _thresholds(found).items():
        say()
        heading(f"{head.capitalize()}: given from this score on")
        labels = [label.value for label in HEADS[head]]
        rows = [(label, *(f"{own[label]:.2f}" for own in by_language.values())) for label in labels]
        table(("label", *by_language), rows, empty="")
    say()
    heading("Learned from, and measured on")
    fields((source.name, f"{_texts(source.examples)}{source.licence}; {source.use}") for source in found.card.sources)
    say()
    heading("Files")
    files = [(file.name, f"{file.size / 1e6:.1f} MB", file.sha256[:16]) for file in found.card.files]
    table(("file", "size", "SHA-256 begins"), files, empty="")
    for beside in found.beside:
        if beside.card is not None:
            _show_imported(found.models / beside.name, beside.card)


def _texts(number: int) -> str:
    """`3,177 texts, `; nothing where there are none."""
    return f"{number:,} texts, " if number else ""


def _show_imported(folder: Path, card: ImportedCard) -> None:
    from listener.model import mapping

    say()
    heading(f"Imported: {card.name}")
    origin = card.origin
    fields(
        [
            ("version", card.version),
            ("made", card.made),
            ("from", origin.get("repository") or origin.get("folder")),
            ("commit", origin.get("commit")),
            ("licence", origin.get("licence") or "not stated"),
            ("labels", ", ".join(f"{theirs} = {mapping.spell(ours)}" for theirs, ours in card.labels)),
            ("calibrated", f"on {card.calibrated_on:,} texts" if card.calibrated_on else "never"),
            ("sure from", f"{card.threshold:.2f}"),
            ("on disk", f"{sum(file.size for file in card.files) / 1e6:.0f} MB in {_short(folder)}"),
        ]
    )


# --- for programs ---


def told(found: Description) -> dict[str, Any]:
    """Everything as JSON knows it."""
    card = found.card
    return {
        "version": card.version,
        "made": str(card.made),
        "base": card.base,
        "profile": found.profile,
        "folder": found.folder,
        "card": _card_path(found.folder),
        "size": found.size,
        "max_tokens": card.max_tokens,
        "languages": card.languages,
        "labels": {head: [label.value for label in labels] for head, labels in HEADS.items()},
        "thresholds": _thresholds(found),
        "areas": found.areas,
        "imported": [
            {
                "name": beside.name,
                "used": beside.used,
                "there": beside.card is not None,
                "card": beside.card.as_json() if beside.card else None,
            }
            for beside in found.beside
        ],
        "sources": card.sources,
        "files": card.files,
        "metrics": card.metrics,
    }
