"""Making an imported model: converted, measured against the original, calibrated, and put in its place in one step.

    original = Original(folder, outline, where)
    made = convert(original, outline, labels, name=name, origin=origin, folder=work)
    metrics = compare(original, made, texts)
    store(work, models, made.card, replace=False)

What is stored (`listener/model/imported.py` runs it): `model.onnx`, `tokenizer.json` and `card.json`.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from listener.errors import Mistake, Outage
from listener.model import imported, mapping
from listener.model.card import CARD, CardFile, sha256
from listener.model.choosing import INDEX, needed, shards
from listener.model.converting import Original, Outline, quantize
from listener.model.imported import Imported, gathered, probabilities
from listener.model.imported_card import WEIGHTS, ImportedCard
from listener.model.mapping import Ours
from listener.model.onnx import TOKENIZER
from listener.model.trial_texts import TRIAL_TEXTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FETCHING = ".fetching"  # in the folder of models: what has come of those that are not whole yet
SHARED = ".huggingface-shared-blobs"  # marks the folder in which a cache keeps what several models share
FEWEST = 20  # labelled texts; a temperature from fewer would be chance
COLDEST, HOTTEST = 0.05, 20.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What the conversion cost, over `texts` texts: the share whose likeliest label stayed the same, by how much
    probabilities changed on average, and how many texts a second the original and the imported model read."""

    texts: int
    same_top: float
    mean_difference: float
    original_speed: float
    speed: float


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A temperature and how well it fits: the mean negative log likelihood per text before and after."""

    temperature: float
    texts: int
    before: float
    after: float


def name_for(source: str, chosen: str | None) -> str:
    """The name the model is stored under: as chosen, else the last part of where it came from.

    Raises Mistake for what cannot be a folder's name.
    """
    name = chosen if chosen is not None else re.sub(r"[^A-Za-z0-9._-]+", "-", source.rstrip("/").rpartition("/")[2])
    if not _NAME.fullmatch(name):
        raise Mistake(f"{name!r} cannot be a model's name; choose one of letters, digits, - _ and . with --name.")
    return name


def check_place(models: Path, name: str, *, replace: bool) -> None:
    """Raises Mistake where something stands in the model's place that must not be overwritten."""
    place = models / name
    if not place.exists():
        return
    if not replace:
        raise Mistake(f"There is a model {name} already; say --replace, or choose another name with --name.")
    if not (place / CARD).is_file() or name not in imported.known(models):
        raise Mistake(f"{place} is no imported model, so it is not replaced; choose another name with --name.")


def files_of(folder: Path, where: str) -> tuple[str, ...]:
    """The names of the files in `folder` that make up its model. Raises Mistake where something is missing, or is a
    link that leads out of the folder."""
    try:
        names = needed([path.name for path in folder.iterdir() if path.is_file()], where)
        check_links(folder, names, where)
        if INDEX in names:
            names = (*names, *shards((folder / INDEX).read_text(encoding="utf-8"), where))
    except UnicodeDecodeError as error:
        raise Mistake(f"{INDEX} in {where} is no text; choose another model.") from error
    except OSError as error:
        raise Mistake(f"{folder} cannot be read ({error.strerror}); check the folder.") from error
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise Mistake(f"{where} lacks {missing[0]}, which its list of weights names; copy that file there too.")
    check_links(folder, names, where)
    return names


def check_links(folder: Path, names: Collection[str], where: str) -> None:
    """Raises Mistake where one of those files is a link that leads out of the folder: whoever made the folder may have
    meant it to show any file of this machine.

    A snapshot in a cache of huggingface_hub consists of such links: `models--A--B/snapshots/COMMIT/FILE` leads to
    `models--A--B/blobs/HASH`, and that one, for large files, may lead to `blobs/XX/HASH` beside the models.
    """
    real = folder.resolve()
    homes = [real]
    repository = real.parent.parent
    if real.parent.name == "snapshots" and repository.name.startswith("models--"):
        homes.append(repository / "blobs")
        if (repository.parent / "blobs" / SHARED).is_file():
            homes.append(repository.parent / "blobs")
    for name in names:
        if not any((folder / name).resolve().is_relative_to(home) for home in homes):
            raise Mistake(f"{name} in {where} is a link that leads out of that folder; copy the file itself there.")


def described(folder: Path, names: Collection[str]) -> list[CardFile]:
    """Those files as a card keeps them."""
    return [
        CardFile(name=name, sha256=sha256(folder / name), size=(folder / name).stat().st_size) for name in sorted(names)
    ]


@contextlib.contextmanager
def workshop(models: Path, name: str) -> Iterator[Path]:
    """An empty folder beside the models, gone when the `with` block ends; raises Outage where none can be made or the
    disk is full."""
    work = models / f".new-{name}-{os.getpid()}"
    try:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        yield work
    except BrokenPipeError:
        raise  # whoever read us had enough; the disk is well
    except OSError as error:
        raise Outage(
            f"The model cannot be written to {models} ({error.strerror or error}); make room or change its rights, "
            "then start again."
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def convert(
    original: Original,
    outline: Outline,
    labels: Mapping[str, Ours],
    *,
    name: str,
    origin: Mapping[str, Any],
    folder: Path,
    made: date,
) -> Imported:
    """The model as it will run, its files in `folder`, without a card yet. Takes about a minute for a model of 100 MB.

    Raises Mistake where it cannot be converted, or where its tokenizer is another one once stored.
    """
    whole = folder / "whole.onnx"
    original.save_tokenizer(folder / TOKENIZER)
    original.export(whole)
    quantize(whole, folder / WEIGHTS)
    whole.unlink()
    card = ImportedCard(
        name=name,
        made=made.isoformat(),
        architecture=outline.architecture,
        inputs=original.inputs,
        max_tokens=original.max_tokens,
        multi_label=outline.multi_label,
        labels=tuple((theirs, labels[theirs]) for theirs in outline.labels),
        files=tuple(described(folder, (WEIGHTS, TOKENIZER))),
        origin=origin,
        metrics={},
    )
    model = imported.opened(card, folder)
    for text in (*TRIAL_TEXTS, "palabra " * 1000, "a\tb\n\n  c 👩‍👩‍👧 ñandú"):
        ready = imported.prepared(text)
        if model.tokens(ready) != original.tokens(ready):
            raise Mistake(
                f"Once stored, the tokenizer of {name} reads some texts differently, so it is not used; "
                "choose another model."
            )
    return model


def compare(original: Original, model: Imported, texts: Sequence[str]) -> Comparison:
    """How the imported model differs from the original on those texts."""
    multi_label = model.card.multi_label
    original.outputs(texts[:1])
    model.outputs(texts[:1])
    begun = time.perf_counter()
    wanted = probabilities(original.outputs(texts), 1.0, multi_label=multi_label)
    between = time.perf_counter()
    found = probabilities(model.outputs(texts), 1.0, multi_label=multi_label)
    ended = time.perf_counter()
    return Comparison(
        texts=len(texts),
        same_top=round(float((wanted.argmax(1) == found.argmax(1)).mean()), 4),
        mean_difference=round(float(np.abs(wanted - found).mean()), 4),
        original_speed=round(len(texts) / max(between - begun, 1e-9), 1),
        speed=round(len(texts) / max(ended - between, 1e-9), 1),
    )


def fit_temperature(model: Imported, examples: Sequence[tuple[str, Collection[Ours]]]) -> Fit:
    """The temperature that makes labelled texts likeliest (Guo et al., 2017); `examples` in labels of ours.

    Raises Mistake for too few of them, or for a label that the model does not know.
    """
    if len(examples) < FEWEST:
        raise Mistake(f"{len(examples)} labelled texts are too few to calibrate on; give at least {FEWEST}.")
    ours = [label for _, label in model.card.labels]
    for _, wanted in examples:
        for label in wanted:
            if label not in ours:
                has = ", ".join(dict.fromkeys(map(mapping.spell, ours)))
                raise Mistake(f"The model has nothing that means {mapping.spell(label)}; label texts with: {has}.")
    outputs = model.outputs([text for text, _ in examples])
    labelled = [frozenset(wanted) for _, wanted in examples]

    def cost(heat: float) -> float:
        found = probabilities(outputs, math.exp(heat), multi_label=model.card.multi_label)
        return _surprise(found, labelled, ours, multi_label=model.card.multi_label)

    best = _lowest(cost, math.log(COLDEST), math.log(HOTTEST))
    return Fit(
        temperature=round(math.exp(best), 4),
        texts=len(examples),
        before=round(cost(0.0), 4),
        after=round(cost(best), 4),
    )


def _surprise(found: Floats, labelled: Sequence[Collection[Ours]], ours: Sequence[Ours], *, multi_label: bool) -> float:
    """The mean negative log likelihood of the labels, per text."""
    total = 0.0
    for row, wanted in zip(found, labelled, strict=True):
        if not multi_label:
            likely = sum(score for score, label in zip(row.tolist(), ours, strict=True) if label in wanted)
            total -= math.log(max(likely, 1e-12))
            continue
        for label, score in gathered(row, ours, multi_label=True).items():
            total -= math.log(max(score if label in wanted else 1 - score, 1e-12))
    return total / len(labelled)


def _lowest(cost: Any, low: float, high: float) -> float:
    """Where a function with one valley is lowest, by golden-section search."""
    golden = (math.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = cost(left), cost(right)
    while high - low > 1e-4:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = cost(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = cost(right)
    return (low + high) / 2


def finished(card: ImportedCard, comparison: Comparison, fit: Fit | None) -> ImportedCard:
    """The card with what was measured and fitted."""
    metrics: dict[str, Any] = {"int8 against the original": asdict(comparison)}
    if fit is None:
        return replace(card, metrics=metrics)
    metrics["calibration"] = asdict(fit)
    return replace(card, metrics=metrics, temperature=fit.temperature, calibrated_on=fit.texts)


def store(work: Path, models: Path, card: ImportedCard, *, replace: bool) -> Path:
    """Puts the model made in `work` into its place, whole or not at all; gives the place.

    Raises Mistake where something stands there that must not be overwritten, Outage where it cannot be written.
    """
    check_place(models, card.name, replace=replace)
    place, old = models / card.name, models / f".old-{card.name}-{os.getpid()}"
    try:
        text = json.dumps(card.as_json(), indent=2, ensure_ascii=False) + "\n"
        (work / CARD).write_text(text, encoding="utf-8", errors="backslashreplace")  # a folder's name may be no text
        for path in work.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        if place.exists():
            place.rename(old)
        try:
            work.rename(place)
        except OSError:
            if old.exists():
                old.rename(place)
            raise
    except OSError as error:
        raise Outage(f"The model cannot be put into {place} ({error.strerror or error}); check its rights.") from error
    shutil.rmtree(old, ignore_errors=True)
    return place


def fetching_folder(models: Path, repository: str, commit: str) -> Path:
    """Where the files of that commit are gathered."""
    return models / FETCHING / repository.replace("/", "--") / commit


def forget_fetched(models: Path, folder: Path) -> None:
    """Takes away what was fetched, and the folders that are empty without it."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()
        (models / FETCHING).rmdir()
