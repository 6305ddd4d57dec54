"""What was measured as pictures, for people who would rather look: PNG files, drawn by matplotlib without a screen.

matplotlib comes with the extra `plots`; it is imported when the first picture is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from listener.errors import Mistake
from listener.escapes import visible
from listener.model.evaluate import Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150
DARK, BLUE, ORANGE, GREY = "#1a1a1a", "#0072B2", "#D55E00", "#8a8a8a"  # of Okabe and Ito: told apart by everybody
WORDS = 60  # characters of a title
NAME = 24  # of a label


def check_extra() -> None:
    """Raises Mistake where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise Mistake(
            "Pictures need matplotlib, which is not installed: pip install '.[plots]' in Escucha's folder, "
            "or leave --plot out."
        ) from error


def confusion(figures: Figures, path: Path, *, title: str, said: Mapping[str, str] | None = None) -> None:
    """Writes the confusion matrix to `path`: a row for each label that was meant, a column for each that was said.

    Each cell has its number of texts and its share of the row; the darker, the larger the share. `said` gives other
    words for labels. Raises Mistake where it cannot be drawn or written.
    """
    check_extra()
    words = said or {}
    rows = list(figures.matrix)
    columns = list(dict.fromkeys(column for row in figures.matrix.values() for column in row))
    figure, axes = _canvas(2.6 + 1.1 * max(len(columns), 2), 2.1 + 0.72 * max(len(rows), 2))
    shares = [[_share(figures.matrix[row], column) for column in columns] for row in rows]
    axes.imshow(shares or [[0.0]], cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            _cell(axes, x, y, figures.matrix[row].get(column, 0), shares[y][x], right=row == column)
    axes.set_xticks(range(len(columns)), [_spoken(words.get(name, name)) for name in columns])
    axes.set_yticks(
        range(len(rows)),
        [f"{_spoken(words.get(name, name))}\n{sum(figures.matrix[name].values()):,}" for name in rows],
    )
    if len(columns) > 4:
        axes.tick_params(axis="x", rotation=35)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
    axes.set_xlabel("what the model said")
    axes.set_ylabel("what the file says")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _title(axes, title, f"{figures.texts:,} texts; in each cell: texts, and their share of the row")
    _write(figure, path)


def reliability(figures: Figures, path: Path, *, title: str) -> None:
    """Writes the reliability diagram to `path`: of the answers with a score, how many were right; below it, how many
    had such a score.

    On the diagonal a score means what it says. The lines on the points are 95 % intervals. Raises Mistake where it
    cannot be drawn or written.
    """
    check_extra()
    figure, (axes, counts) = _canvas(6.4, 6.4, rows=2, heights=(4, 1))
    used = [one for one in figures.bins if one.right.whole]
    xs = [one.score for one in used]
    ys = [one.right.value or 0.0 for one in used]
    low = [max(0.0, y - one.right.interval[0]) for y, one in zip(ys, used, strict=True)]
    high = [max(0.0, one.right.interval[1] - y) for y, one in zip(ys, used, strict=True)]
    along: dict[str, Any] = {"rotation": 45, "rotation_mode": "anchor", "transform_rotates_text": True}
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.2)
    axes.text(0.03, 0.05, "a score means what it says", color=GREY, fontsize=9, **along)
    for x, y in zip(xs, ys, strict=True):
        axes.plot([x, x], [x, y], color=ORANGE, linewidth=5, alpha=0.5, solid_capstyle="butt", zorder=1)
    axes.errorbar(
        xs,
        ys,
        yerr=[low, high],
        fmt="o-",
        color=BLUE,
        ecolor=BLUE,
        elinewidth=1,
        capsize=3,
        markersize=6,
        linewidth=1.6,
    )
    axes.set_ylabel("how many were right")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_yticks([tick / 5 for tick in range(6)], [f"{20 * tick} %" for tick in range(6)])
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.tick_params(labelbottom=False)
    counts.bar(
        [(one.low + one.high) / 2 for one in used],
        [one.right.whole for one in used],
        width=0.09,
        color=BLUE,
    )
    for one in used:
        counts.text(
            (one.low + one.high) / 2, one.right.whole, f"{one.right.whole:,}", ha="center", va="bottom", fontsize=8
        )
    counts.set_xlim(0, 1)
    counts.set_ylim(0, 1.3 * max((one.right.whole for one in used), default=1))
    counts.set_xticks([tick / 5 for tick in range(6)], [f"{tick / 5:.1f}" for tick in range(6)])
    counts.set_yticks([])
    counts.set_xlabel("score")
    counts.set_ylabel("answers")
    for one in (axes, counts):
        for side in ("top", "right"):
            one.spines[side].set_visible(False)
    _title(
        axes,
        title,
        f"{figures.texts:,} texts; expected calibration error {figures.calibration_error:.3f} (orange: the gap)",
    )
    _write(figure, path)


# --- drawing ---


def _canvas(width: float, height: float, *, rows: int = 1, heights: tuple[int, ...] = (1,)) -> tuple[Figure, Any]:
    """A figure of that size in inches with its axes; no screen and no state of the process is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(min(width, 16), min(height, 14)), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, 1, gridspec_kw={"height_ratios": heights})


def _cell(axes: Axes, x: int, y: int, count: int, share: float, *, right: bool) -> None:
    if not count:
        axes.text(x, y, "·", ha="center", va="center", color=GREY)
        return
    axes.text(
        x,
        y,
        f"{count:,}\n{100 * share:.0f} %",
        ha="center",
        va="center",
        color="white" if share > 0.55 else DARK,
        fontsize=11,
        fontweight="bold" if right else "normal",
        linespacing=1.25,
    )


def _share(row: Mapping[str, int], column: str) -> float:
    whole = sum(row.values())
    return row.get(column, 0) / whole if whole else 0.0


def _title(axes: Axes, title: str, below: str) -> None:
    """A title and a smaller line under it; nothing in it is read as mathematics."""
    axes.set_title(_short(title, WORDS), loc="left", pad=26, fontsize=13, fontweight="bold", color=DARK)
    under: dict[str, Any] = {"xycoords": "axes fraction", "xytext": (0, 8), "textcoords": "offset points"}
    axes.annotate(_short(below, 2 * WORDS), (0, 1), fontsize=9.5, color="#4d4d4d", va="bottom", **under)


def _spoken(label: str) -> str:
    """A label as one says it: `off topic`."""
    return _short(label.replace("_", " "), NAME)


def _short(words: str, most: int) -> str:
    """Words that fit; a dollar sign as itself, for between two of them matplotlib reads mathematics."""
    said = visible(words)
    return (said if len(said) <= most else f"{said[: most - 1]}…").replace("$", r"\$")


def _write(figure: Figure, path: Path) -> None:
    try:
        figure.savefig(path, format="png", metadata={"Software": None})
    except OSError as error:
        raise Mistake(f"{path} cannot be written ({error.strerror or error}); name another with --plot.") from error
