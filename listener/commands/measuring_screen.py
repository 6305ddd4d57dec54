"""What `escucha model eval` prints: first what will be read, then the figures, then the worst mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from listener.commands.output import block, clip, complain, counted, heading, say, table

if TYPE_CHECKING:
    from listener.commands.measuring import Outcome
    from listener.model.evaluate import Figures, Judged, Wrong
    from listener.model.labelled import Plan
    from listener.model.reliability import Share

WIDE = 5  # columns of a confusion matrix that fit a terminal
CONFUSED = 10  # pairs named where it does not fit
LINES = 3  # of a text that was taken wrongly
SHOWN = 12  # labels of the file named at the beginning


def words_for(head: str) -> dict[str, str]:
    """How `none` is called: nothing said."""
    return {"none": "unsure" if head == "sentiment" else "nothing"}


# --- for people ---


def begin(plan: Plan, version: str) -> None:
    """What will be read, and as what."""
    columns = f"texts from the column {plan.text}, labels from {plan.label}"
    language = f", languages from {plan.language}" if plan.language else ", languages as the model reads them"
    rows = "1 row" if plan.rows == 1 else f"{plan.rows:,} rows"
    block(f"{plan.file.path}: {rows} of {plan.file.form}; {_one_line(columns + language)}.", indent=0)
    for note in plan.file.notes:
        complain(note)
    if plan.assumed:
        complain(_one_line(plan.assumed))
    renamed = [f"{name} = {ours}" for name in plan.seen if (ours := plan.meaning.get(name)) and ours != name.casefold()]
    if renamed and not plan.assumed:
        more = f" and {len(renamed) - SHOWN} more" if len(renamed) > SHOWN else ""
        block(f"Labels: {_one_line(', '.join(renamed[:SHOWN]))}{more}.", indent=0)
    say(f"Measuring {plan.head} with {version}.")


def show(plan: Plan, judged: Judged, outcome: Outcome, *, pictures: Sequence[Path]) -> None:
    """The figures, for all and by language; each label; what was taken for what; the worst mistakes."""
    figures = judged.all.figures()
    if outcome.partial:
        say()
        heading(f"STOPPED EARLY: these are the figures of {figures.texts:,} texts; the file has {plan.rows:,} rows.")
    say()
    languages = sorted(judged.languages.items(), key=lambda pair: -pair[1].texts)
    rows = [_line(clip(name, 8), tally.figures()) for name, tally in languages]
    rows = [_line("all", figures), *rows] if len(rows) > 1 else rows
    names = ("lang", "texts", "right", "95 %", "F1", "recall", "answered", "then right", "ECE")
    table(names, rows, empty="")
    say()
    table(
        ("label", "texts", "precision", "95 %", "recall", "95 %", "F1"),
        [
            (
                clip(one.label, 24),
                f"{one.texts:,}",
                *_measured(one.precision),
                *_measured(one.recall),
                f"{one.f1:.2f}",
            )
            for one in figures.each
        ],
        empty="",
    )
    _matrix(figures, judged.head)
    _worst(judged.worst())
    say()
    block(_explained(plan, outcome), indent=0)
    for path in pictures:
        say(f"Drawn: {path}")


def _line(name: str, figures: Figures) -> tuple[str, ...]:
    low, high = figures.accuracy.interval
    return (
        name,
        f"{figures.texts:,}",
        _percent(figures.accuracy),
        f"{100 * low:.0f}–{100 * high:.0f}",
        f"{figures.macro_f1:.2f}",
        f"{figures.macro_recall:.2f}",
        _percent(figures.answered),
        _percent(figures.right_when_answered),
        f"{figures.calibration_error:.3f}",
    )


def _measured(share: Share) -> tuple[str, str]:
    if share.value is None:
        return "–", ""
    low, high = share.interval
    return f"{share.value:.2f}", f"{low:.2f}–{high:.2f}"


def _percent(share: Share) -> str:
    return "–" if share.value is None else f"{100 * share.value:.0f}%"


def _matrix(figures: Figures, head: str) -> None:
    words = words_for(head)
    columns = list(dict.fromkeys(column for row in figures.matrix.values() for column in row))
    say()
    if len(columns) <= WIDE:
        names = [clip(words.get(name, name), 12) for name in columns]
        rows = [
            (clip(words.get(meant, meant), 24), *(f"{row[name]:,}" for name in columns))
            for meant, row in figures.matrix.items()
        ]
        table(("meant / said", *names), rows, empty="")
        return
    pairs = sorted(
        ((count, meant, said) for meant, row in figures.matrix.items() for said, count in row.items() if meant != said),
        key=lambda pair: -pair[0],
    )
    rows = [
        (f"{count:,}", clip(words.get(meant, meant), 24), clip(words.get(said, said), 24))
        for count, meant, said in pairs[:CONFUSED]
        if count
    ]
    table(("times", "meant", "said"), rows, empty="Nothing was taken for anything else.")


def _worst(worst: Sequence[Wrong]) -> None:
    if not worst:
        return
    say()
    heading("Surest mistakes")
    for wrong in worst:
        instead = f"taken for {wrong.said}" if wrong.said != "none" else "not noticed"
        where = f"line {wrong.line} ({clip(wrong.language, 12)})"
        say(clip(f"{where}: {wrong.meant}, {instead}, score {wrong.score:.2f}", 79))
        block(clip(wrong.text, 76 * LINES), indent=4)


def _explained(plan: Plan, outcome: Outcome) -> str:
    right = (
        "Right: the likeliest sentiment is the one meant. Answered: it was sure enough to say it."
        if plan.head == "sentiment"
        else "Right: exactly what is meant was named. Answered: it named any; then right: its strongest was."
    )
    right += (
        " 95 %: where the true share lies, 95 times in 100. F1, recall: means over the labels. ECE: how far its scores "
        "lie from the truth, 0 to 1."
    )
    passed = f" {counted(outcome.passed, 'row')} without any of our labels passed over." if outcome.passed else ""
    return f"{right}{passed}"


def _one_line(text: str) -> str:
    return clip(text, 10_000)


# --- for programs ---


def told(
    plan: Plan, judged: Judged, outcome: Outcome, *, model_version: str, pictures: Sequence[Path]
) -> dict[str, Any]:
    """Everything as JSON knows it; shares and means are 0..1."""
    return {
        "file": plan.file.path,
        "form": plan.file.form,
        "delimiter": plan.file.delimiter or None,
        "notes": plan.file.notes,
        "columns": {"text": plan.text, "label": plan.label, "language": plan.language},
        "head": plan.head,
        "labels": plan.meaning,
        "assumed": plan.assumed or None,
        "unknown_labels": plan.unknown,
        "model_version": model_version,
        "rows": plan.rows,
        "measured": outcome.measured,
        "passed_over": outcome.passed,
        "left_out": outcome.left_out,
        "left_out_rows": [{"line": line, "reason": reason} for line, reason in outcome.first],
        "left_out_reasons": outcome.reasons,
        "partial": outcome.partial,
        "all": figures_told(judged.all.figures()),
        "languages": {name: figures_told(tally.figures()) for name, tally in judged.languages.items()},
        "worst": [asdict(wrong) for wrong in judged.worst()],
        "pictures": pictures,
    }


def figures_told(figures: Figures) -> dict[str, Any]:
    """One set of figures."""
    return {
        "texts": figures.texts,
        "accuracy": _share_told(figures.accuracy),
        "macro_f1": round(figures.macro_f1, 4),
        "macro_recall": round(figures.macro_recall, 4),
        "answered": _share_told(figures.answered),
        "right_when_answered": _share_told(figures.right_when_answered),
        "calibration_error": round(figures.calibration_error, 4),
        "each": {
            one.label: {
                "texts": one.texts,
                "precision": _share_told(one.precision),
                "recall": _share_told(one.recall),
                "f1": round(one.f1, 4),
            }
            for one in figures.each
        },
        "bins": [
            {"low": one.low, "high": one.high, "score": round(one.score, 4), "right": _share_told(one.right)}
            for one in figures.bins
        ],
        "confusion": figures.matrix,
    }


def _share_told(share: Share) -> Mapping[str, Any]:
    low, high = share.interval
    value = None if share.value is None else round(share.value, 4)
    return {"value": value, "low": round(low, 4), "high": round(high, 4), "part": share.part, "whole": share.whole}
