"""`escucha model import`: a model of somebody else's, fetched, understood, converted, measured and put beside ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from listener.commands.app import App, pass_app
from listener.commands.meanings import Wishes, mapped
from listener.commands.output import clip, complain, counted, fields, json_option, print_json, say, table
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.model.converting import Outline
    from listener.model.fetching import Hub, Listing
    from listener.model.imported_card import ImportedCard
    from listener.model.imports import Comparison, Fit
    from listener.model.mapping import Ours

MAX_TEXTS = 5000


@dataclass(frozen=True, kw_only=True)
class Found:
    """A model's files on this machine: those named in `names`, in `folder`; `fetched`: they were brought for this."""

    where: str
    folder: Path
    names: tuple[str, ...]
    origin: Mapping[str, Any]
    outline: Outline
    labels: Mapping[str, Ours]
    fetched: bool


@click.command("import")
@click.argument("model", metavar="MODEL")
@click.option(
    "--revision", metavar="REV", help="A commit of 40 digits, a branch or a tag. Default: the newest of main."
)
@click.option("--name", metavar="NAME", help="What to call it here. Default: the last part of MODEL.")
@click.option(
    "--label", "labels", metavar="THEIRS=OURS", multiple=True, help="What a label of theirs means in ours; repeatable."
)
@click.option("--multi-label", is_flag=True, help="Several of its labels may hold at once, whatever its settings say.")
@click.option(
    "--texts",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Texts to measure on: .txt, .csv, .tsv, .tab, .jsonl or .json.",
)
@click.option(
    "--calibrate",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Texts with labels to fit its probabilities to, in a file as `escucha model eval` reads it.",
)
@click.option(
    "--agree",
    type=click.FloatRange(0, 1),
    default=0.9,
    show_default=True,
    help="The share of texts that must keep their likeliest label.",
)
@click.option("--force", is_flag=True, help="Store it even where fewer do.")
@click.option("--replace", "overwrite", is_flag=True, help="Overwrite an imported model of that name.")
@click.option("--yes", is_flag=True, help="Ask nothing: take the newest commit and the labels as they are guessed.")
@json_option
@pass_app
def import_(
    app: App,
    *,
    model: str,
    revision: str | None,
    name: str | None,
    labels: tuple[str, ...],
    multi_label: bool,
    texts: Path | None,
    calibrate: Path | None,
    agree: float,
    force: bool,
    overwrite: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Import a text classifier: OWNER/NAME on the Hugging Face hub, or a folder that holds one.

    Fetches settings, tokenizer and safetensors of exactly one commit, asks what its labels mean in ours, converts it to
    ONNX with int8 weights, measures what that cost, and stores it beside the bundled model. No code that comes with it
    is run. Needs pip install '.[train]' in Escucha's folder; running the model afterwards does not. Interrupted, it
    goes on where it stopped. Its licence is for you to read.
    """
    from listener.model import imports
    from listener.model.converting import check_extra

    check_extra()
    models = app.config_or_default.models
    called = imports.name_for(model, name)
    imports.check_place(models, called, replace=overwrite)
    trial = _texts(app, texts)
    examples = _labelled(calibrate) if calibrate else None
    wishes = Wishes(labels=labels, multi_label=multi_label, yes=yes, as_json=as_json)
    if is_folder(model):
        if revision:
            raise Mistake(f"{model} is a folder here, and a folder has no revisions; leave --revision out.")
        found = _from_folder(Path(model), wishes)
    else:
        found = _from_hub(models, model, revision, wishes)
    with imports.workshop(models, called) as work:
        card, comparison, fit = _made(found, work, name=called, made=app.now().date(), texts=trial, examples=examples)
        if comparison.same_top < agree and not force:
            raise Mistake(
                f"Only {comparison.same_top:.0%} of {comparison.texts} texts keep their likeliest label, and "
                f"{agree:.0%} must; it is not stored. Try it on texts of your own with --texts, or store it all the "
                "same with --force."
            )
        place = imports.store(work, models, card, replace=overwrite)
    if found.fetched:
        imports.forget_fetched(models, found.folder)
    if as_json:
        print_json({"place": place, **card.as_json()})
        return
    _tell(card, comparison, fit, place)


def is_folder(model: str) -> bool:
    """Whether MODEL means a folder here. Raises Mistake for a path that leads to none."""
    if Path(model).is_dir():
        return True
    if model.startswith(("/", "./", "../", "~")) or Path(model).exists():
        raise Mistake(f"There is no folder {model}; name a folder that holds a model, or OWNER/NAME on the hub.")
    return False


# --- where it comes from ---


def _from_folder(folder: Path, wishes: Wishes) -> Found:
    from listener.model import imports
    from listener.model.converting import check_tokenizer

    where = str(folder)
    names = imports.files_of(folder, where)
    check_tokenizer(names, where)
    outline, labels = _understood(folder, where, wishes)
    origin = {"folder": folder.resolve().name, "files": [asdict(file) for file in imports.described(folder, names)]}
    return Found(where=where, folder=folder, names=names, origin=origin, outline=outline, labels=labels, fetched=False)


def _from_hub(models: Path, model: str, revision: str | None, wishes: Wishes) -> Found:
    from listener.model import choosing, imports
    from listener.model.converting import check_tokenizer
    from listener.model.fetching import COMMIT, Hub

    hub = Hub()
    listing = hub.look(model, revision or "main")
    names = choosing.needed(listing.names, model)
    check_tokenizer(names, model)
    if not (revision and COMMIT.fullmatch(revision)):
        _confirm_commit(model, revision or "main", listing, wishes)
    folder = imports.fetching_folder(models, model, listing.commit)
    hub.fetch(listing, [choosing.CONFIG], folder)  # first, for what its labels mean is asked before anybody waits
    outline, labels = _understood(folder, model, wishes)
    if choosing.INDEX in names:
        hub.fetch(listing, [choosing.INDEX], folder)
        names = (*names, *choosing.shards((folder / choosing.INDEX).read_text("utf-8", "replace"), model))
    _fetch(hub, listing, names, folder)
    origin = {
        "repository": model,
        "hub": hub.host,
        "commit": listing.commit,
        "licence": listing.licence,
        "files": [asdict(file) for file in imports.described(folder, names)],
    }
    return Found(where=model, folder=folder, names=names, origin=origin, outline=outline, labels=labels, fetched=True)


def _confirm_commit(model: str, revision: str, listing: Listing, wishes: Wishes) -> None:
    complain(f"{model} at {revision} is commit {listing.commit}.")
    if wishes.yes:
        return
    if not wishes.may_ask:
        raise Mistake(f"Pin the commit with --revision {listing.commit}, or take the newest one with --yes.")
    if not click.confirm("Import this commit?", default=True):
        raise Mistake("Nothing was imported; name another commit with --revision.")


def _fetch(hub: Hub, listing: Listing, names: Sequence[str], folder: Path) -> None:
    from listener.model.converting import LARGEST

    size = listing.size(names)
    if size > LARGEST * 1.1:
        raise Mistake(f"{listing.repository} has {size / 1e9:.1f} GB, and 2 GB is the most; choose a smaller model.")
    licence = listing.licence or "not stated"
    complain(f"Fetching {megabytes(size)} from {hub.host}; licence: {clip(licence, 40)}.")
    with _progress(size) as move_on:
        hub.fetch(listing, names, folder, move_on)
    complain(f"All {counted(len(names), 'file')} are what commit {listing.commit[:12]} holds.")


@contextmanager
def _progress(size: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _done: None
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=size)
        yield lambda done: progress.update(bar, completed=done)


# --- what its labels mean ---


def _understood(folder: Path, where: str, wishes: Wishes) -> tuple[Outline, dict[str, Ours]]:
    from listener.model import mapping
    from listener.model.converting import read_outline

    outline = read_outline(folder, where)
    if wishes.multi_label:
        outline = replace(outline, multi_label=True)
    labels = mapped(outline.labels, wishes)
    mapping.check(labels)
    return outline, labels


# --- making it ---


def _made(
    found: Found,
    work: Path,
    *,
    name: str,
    made: date,
    texts: Sequence[str],
    examples: Sequence[tuple[str, tuple[Ours, ...]]] | None,
) -> tuple[ImportedCard, Comparison, Fit | None]:
    """The model in `work`, with its card."""
    from listener.model import imports
    from listener.model.converting import Original, only

    with only(found.folder, found.names, work.with_name(f"{work.name}.seen")) as clean:
        complain(f"Converting {found.outline.architecture} with {counted(len(found.labels), 'label')}…")
        original = Original(clean, found.outline, found.where)
        converted = imports.convert(
            original, found.outline, found.labels, name=name, origin=found.origin, folder=work, made=made
        )
        complain(f"Comparing it with the original on {counted(len(texts), 'text')}…")
        comparison = imports.compare(original, converted, texts)
    fit = imports.fit_temperature(converted, examples) if examples is not None else None
    return imports.finished(converted.card, comparison, fit), comparison, fit


def _texts(app: App, path: Path | None) -> Sequence[str]:
    """The texts of that file, or those that come with Escucha."""
    from listener.commands import texts_file
    from listener.model.trial_texts import TRIAL_TEXTS

    if path is None:
        return TRIAL_TEXTS
    texts = [post.text for post in texts_file.read(path, limit=MAX_TEXTS, now=app.now())]
    if not texts:
        raise Mistake(f"{path} holds no texts; write one a line.")
    return texts


def _labelled(path: Path) -> Sequence[tuple[str, tuple[Ours, ...]]]:
    """The texts of that file with their labels; says what is odd about it."""
    from listener.model import labelled

    found = labelled.whole(path, limit=MAX_TEXTS)
    for note in found.notes:
        complain(note)
    return found.examples


# --- telling ---


def _tell(card: ImportedCard, comparison: Comparison, fit: Fit | None, place: Path) -> None:
    from listener.model import mapping

    say()
    table(("theirs", "ours"), [(theirs, mapping.spell(ours)) for theirs, ours in card.labels], empty="")
    say()
    size = sum(file.size for file in card.files)
    was = sum(file["size"] for file in card.origin["files"])
    kept = f"{comparison.same_top:.1%} of {comparison.texts} texts keep their likeliest label"
    fields(
        [
            ("int8", f"{kept}; probabilities move by {comparison.mean_difference:.3f} on average"),
            ("speed", f"{comparison.speed:.0f} texts a second; the original: {comparison.original_speed:.0f}"),
            ("size", f"{megabytes(size)}; the original: {megabytes(was)}"),
            ("calibration", _calibration(fit)),
            ("version", card.version),
            ("stored in", str(place)),
        ]
    )
    say()
    say(f'To use it, put into the settings file:\n\n[model]\nalso = ["{card.name}"]')


def _calibration(fit: Fit | None) -> str:
    if fit is None:
        return "none: its probabilities are as it gives them (--calibrate FILE fits them to labelled texts)"
    return (
        f"temperature {fit.temperature} from {counted(fit.texts, 'text')}; "
        f"surprise per text {fit.before:.3f} before, {fit.after:.3f} after"
    )


def megabytes(size: int) -> str:
    """`438 MB`, `0.4 MB`."""
    return f"{size / 1e6:.0f} MB" if size >= 10_000_000 else f"{size / 1e6:.1f} MB"
