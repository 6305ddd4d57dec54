"""`escucha model eval`: how right the model is on texts of which somebody said what they are."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from listener.commands.app import App, pass_app
from listener.commands.output import SomeFailed, clip, complain, counted, json_option, print_json
from listener.errors import Mistake

if TYPE_CHECKING:
    from listener.contract import Classifier
    from listener.model.evaluate import Judged
    from listener.model.labelled import Plan
    from listener.types import Understanding

BATCH = 256  # texts handed to the model at once
NAMED = 5  # rows named one by one for people
KEPT = 50  # for programs
BUNDLED = "bundled"


@dataclass(kw_only=True)
class Outcome:
    """What became of the rows of a file: `left_out` could not be used, `passed` are of none of our labels."""

    measured: int = 0
    passed: int = 0
    left_out: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)  # lines and why
    reasons: Counter[str] = field(default_factory=Counter)
    partial: bool = False

    def leave_out(self, line: int, why: str) -> None:
        """Counts a row that cannot be used."""
        self.left_out += 1
        if len(self.first) < KEPT:
            self.first.append((line, why))
        if why in self.reasons or len(self.reasons) < KEPT:
            self.reasons[why] += 1


@click.command("eval")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--text", metavar="COLUMN", help="The column that holds the texts. Default: one with a usual name.")
@click.option("--label", metavar="COLUMN", help="The column that holds the labels. Default: likewise.")
@click.option("--language", metavar="COLUMN", help="The column that holds languages. Default: likewise, or as read.")
@click.option(
    "--head",
    type=click.Choice(["sentiment", "intents", "signals", "areas", "auto"]),
    default="auto",
    show_default=True,
    help="What the labels are about; auto tells it from the column and the labels.",
)
@click.option("--model", metavar="NAME", help="`bundled` alone, or with one imported model. Default: what is in use.")
@click.option(
    "--map", "said", metavar="THEIRS=OURS", multiple=True, help="What a label of the file means in ours; repeatable."
)
@click.option("--worst", default=10, show_default=True, type=click.IntRange(0, 1000), help="How many mistakes to show.")
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE.png|FOLDER", help="Draw what was measured as pictures."
)
@json_option
@pass_app
def eval_(
    app: App,
    *,
    file: Path,
    text: str | None,
    label: str | None,
    language: str | None,
    head: str,
    model: str | None,
    said: tuple[str, ...],
    worst: int,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure the model on FILE: texts with labels.

    FILE is CSV with any delimiter, TSV, JSON lines or a JSON array. Labels are known by their usual names, in English
    and Spanish; several labels of one text stand between commas or bars, and `none` where nothing holds. Rows that
    cannot be used are named and left out; exit code 3 tells that there were.

    Ctrl-C ends with the figures of what was read so far.
    """
    from listener.commands import measuring_screen as screen
    from listener.model import labelled
    from listener.model.evaluate import Judged

    pictures = picture_files(plot) if plot else None
    plan = labelled.plan(file, head=head, text=text, label=label, language=language, said=said)
    classifier = chosen(app, model)
    judged = Judged(labels=plan.labels, head=plan.head, worst=worst)
    if not as_json:
        screen.begin(plan, classifier.version)
    outcome = Outcome()
    with progress(plan.rows, shown=not as_json) as move_on:
        measure(plan, classifier, judged, outcome, move_on)
    if not outcome.measured:
        _demand_some(outcome, plan)
    drawn = draw(judged, pictures, title=f"{plan.head} in {file.name}") if pictures else ()
    if as_json:
        print_json(screen.told(plan, judged, outcome, model_version=classifier.version, pictures=drawn))
    else:
        screen.show(plan, judged, outcome, pictures=drawn)
    if outcome.partial:
        raise KeyboardInterrupt
    _say_what_is_missing(plan, outcome, quiet=as_json)


def chosen(app: App, name: str | None) -> Classifier:
    """The classifier in use; `bundled` alone; or that with one imported model. Raises Mistake where there is none."""
    if name is None:
        return app.classifier
    from listener.model import imported

    if name == BUNDLED:
        return app.reader()
    folder = app.config_or_default.models
    if name not in (there := imported.known(folder)):
        raise Mistake(
            f"There is no imported model {name!r} in {folder}; there is: {', '.join((BUNDLED, *there))}. "
            "Import it with `escucha model import`, or name one of these with --model."
        )
    return imported.join(app.reader(), folder, (name,))


def measure(
    plan: Plan, classifier: Classifier, judged: Judged, outcome: Outcome, move_on: Callable[[int], None]
) -> None:
    """Reads every row of the file and judges what the classifier says, a batch at a time; Ctrl-C ends it early."""
    from listener.model import labelled
    from listener.model.labelled import Example, Passed

    rows = labelled.examples(plan)
    seen = 0
    while batch := list(itertools.islice(rows, BATCH)):
        examples = [row for row in batch if isinstance(row, Example)]
        try:
            read = classifier.classify([example.text for example in examples]) if examples else []
        except KeyboardInterrupt:
            outcome.partial = True
            return
        _demand_answers(plan, classifier, judged, read)
        for example, understanding in zip(examples, read, strict=True):
            judged.add(example, understanding)
        for row in batch:
            if isinstance(row, Passed):
                outcome.passed += 1
            elif not isinstance(row, Example):
                outcome.leave_out(row.line, row.trouble)
        outcome.measured += len(examples)
        seen += len(batch)
        move_on(seen)


def _demand_answers(plan: Plan, classifier: Classifier, judged: Judged, read: Sequence[Understanding]) -> None:
    """Raises Mistake, after the first texts, where the model has no such labels at all."""
    from listener.model.evaluate import heard

    if not read or judged.all.texts:
        return
    if any(said.scores or said.answers for said in (heard(one, plan.head, plan.labels) for one in read)):
        return
    step = (
        "teach it with `escucha model train`" if plan.head == "areas" else "use another --model, or name another --head"
    )
    labels = clip(", ".join(plan.labels), 60)
    raise Mistake(f"The model {classifier.version} knows none of these {plan.head}: {labels}; {step}.")


def _demand_some(outcome: Outcome, plan: Plan) -> None:
    if outcome.partial:
        complain("Nothing was measured yet.")
        raise KeyboardInterrupt
    why = "; ".join(f"line {line}: {reason}" for line, reason in outcome.first[:3]) or "none has a label of ours"
    raise Mistake(
        f"No row of {plan.file.path} can be used ({why}). Its columns are {', '.join(plan.file.columns)}; say with "
        "--text and --label which ones hold texts and labels."
    )


def _say_what_is_missing(plan: Plan, outcome: Outcome, *, quiet: bool) -> None:
    """Raises SomeFailed where rows were left out, once the first of them are named."""
    if not outcome.left_out:
        return
    if not quiet:
        for line, why in outcome.first[:NAMED]:
            complain(f"line {line}: {why}")
        if outcome.left_out > NAMED:
            complain(f"… and {counted(outcome.left_out - NAMED, 'more row')}; --json names the first {KEPT}.")
    step = ""
    if plan.unknown:
        from listener.model.labelled import quoted

        one = next(iter(plan.unknown))
        named = ", ".join(f"{clip(name, 40)} ({count:,})" for name, count in list(plan.unknown.items())[:NAMED])
        example = quoted(f"{clip(one, 40)}={plan.labels[0]}")
        step = f" Labels nobody knows: {named}; say what they mean, such as --map {example}."
    rows = counted(outcome.left_out, "row")
    raise SomeFailed(f"{rows} of {plan.rows:,} in {plan.file.path.name} could not be used; the others were.{step}")


# --- pictures ---


def picture_files(plot: Path) -> tuple[Path, Path]:
    """Where the confusion matrix and the reliability diagram go. Raises Mistake where they cannot be drawn there."""
    from listener.model import plots

    plots.check_extra()
    if plot.suffix.lower() == ".png" and not plot.is_dir():
        if not plot.parent.is_dir():
            raise Mistake(f"There is no folder {plot.parent}; make it, or name another with --plot.")
        return plot, plot.with_name(f"{plot.stem}-reliability{plot.suffix}")
    if plot.exists() and not plot.is_dir():
        raise Mistake(f"{plot} is no folder and does not end in .png; name either with --plot.")
    if not plot.exists() and plot.suffix:
        raise Mistake(f"Pictures are written as PNG; name a folder or a file ending in .png instead of {plot}.")
    try:
        plot.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Mistake(f"{plot} cannot be made ({error.strerror or error}); name another with --plot.") from error
    return plot / "confusion.png", plot / "reliability.png"


def draw(judged: Judged, files: tuple[Path, Path], *, title: str) -> tuple[Path, Path]:
    """Draws both pictures; gives where they are."""
    from listener.commands.measuring_screen import words_for
    from listener.model import plots

    figures = judged.all.figures()
    title = title[:1].upper() + title[1:]
    plots.confusion(figures, files[0], title=title, said=words_for(judged.head))
    plots.reliability(figures, files[1], title=title)
    return files


@contextmanager
def progress(total: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal."""
    if not shown or not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)
