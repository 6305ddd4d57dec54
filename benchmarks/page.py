"""docs/benchmarks.md and its pictures in docs/plots/, made of nothing but the results in benchmarks/results/.

A section for each result: what was measured (the first line of the benchmark's own docstring), on what, the tables, the
pictures, what must be known with them. The aims of all of them come first, reached or not.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import ROOT, Result, kept

PAGE = ROOT / "docs" / "benchmarks.md"
PLOTS = ROOT / "docs" / "plots"
ORDER = ("kills", "faults", "latency", "throughput", "growth", "soak", "scale_out", "peer")
WIDTH = 124
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8a8a8a")  # of Okabe and Ito: told apart by everybody

INTRODUCTION = """\
What Escucha was measured to do, and what it did not reach. `make bench` runs all of it again, one after the other, and
writes this page and its pictures from the results; `make bench ONLY=growth,latency` runs some. Every figure is in
`benchmarks/results/` with what it was measured on. Times by the clock hold for that machine in that hour; where two
things are compared, both ran in the same run. Older measurements: `benchmarks/README.md`."""


def write(results: Sequence[Result] | None = None, *, page: Path = PAGE, plots: Path = PLOTS) -> None:
    """Writes the page and draws every picture; pictures of results that are no more go."""
    found = ordered(kept() if results is None else results)
    page.write_text(text(found), encoding="utf-8")
    plots.mkdir(parents=True, exist_ok=True)
    charts = [chart for result in found for chart in result.charts]
    for old in {*plots.glob("*.svg")} - {plots / f"{chart['file']}.svg" for chart in charts}:
        old.unlink()
    for chart in charts:
        draw(chart, plots / f"{chart['file']}.svg")


def ordered(results: Iterable[Result]) -> list[Result]:
    """What people ask first comes first."""
    place = {name: number for number, name in enumerate(ORDER)}
    return sorted(results, key=lambda each: (place.get(each.name, len(place)), each.name))


def text(results: Sequence[Result]) -> str:
    """The page."""
    parts = ["# Benchmarks", INTRODUCTION]
    aims = [(result.name, aim) for result in results for aim in result.aims]
    if aims:
        rows = [
            (f"[{name}](#{name})", aim["what"], aim["aim"], aim["reached"], "yes" if aim["met"] else "**no**")
            for name, aim in aims
        ]
        parts += ["## What was aimed at, and what was reached", table(("", "what", "aim", "reached", "met"), rows)]
    for result in results:
        parts += section(result)
    return "\n\n".join(parts) + "\n"


def section(result: Result) -> Iterator[str]:
    """What the page says of one result, paragraph by paragraph."""
    yield f"## {result.name}"
    if said := about(result.name):
        yield wrapped(said)
    yield wrapped(_on_what(result))
    for each in result.tables:
        yield f"**{each['title']}**"
        yield table(each["columns"], each["rows"])
    if not result.tables:
        yield table(("figure", "value"), list(flat(result.figures)))
    for chart in result.charts:
        yield f"![{chart['title']}](plots/{chart['file']}.svg)"
    for note in result.notes:
        yield wrapped(note)


def about(name: str) -> str:
    """The first line of the benchmark's docstring; "" where there is no such file."""
    file = Path(__file__).parent / f"{name}.py"
    if not file.exists():
        return ""
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(said.partition("\n\n")[0].split())


def _on_what(result: Result) -> str:
    machine = result.machine
    changed = " and changes not yet committed" if result.changed else ""
    words = [
        f"{result.at[:16].replace('T', ' ')} UTC, commit {result.commit}{changed}",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Python {machine['python']}, "
        f"SQLite {machine['sqlite']}",
        f"load {machine['load_before']} before, {machine['load_after']} after",
        ", ".join(f"{_spoken(name)} {_shown(value)}" for name, value in result.parameters.items()),
    ]
    return f"*{'; '.join(filter(None, words))}.*"


def flat(figures: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, object]]:
    """Figures of any depth, one by one, each with the way to it."""
    for name, value in figures.items():
        way = f"{before}{_spoken(str(name))}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{way}: ")
        elif isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
            for number, each in enumerate(value, 1):
                yield from flat(each, f"{way} {number}: ")
        else:
            yield way, _shown(value)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; a column that holds only numbers stands to the right."""
    right = [bool(rows) and all(_is_number(row[place]) for row in rows) for place in range(len(columns))]
    lines = ["| " + " | ".join(columns) + " |", "|" + "|".join("--:" if each else "---" for each in right) + "|"]
    lines += ["| " + " | ".join(_shown(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def wrapped(words: str) -> str:
    """A paragraph in lines."""
    return textwrap.fill(words, WIDTH, break_long_words=False, break_on_hyphens=False)


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def _shown(cell: object) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.4g}"
    if isinstance(cell, list | tuple):
        return ", ".join(_shown(each) for each in cell)
    return " ".join(str(cell).split())


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def draw(chart: Mapping[str, Any], file: Path) -> None:
    """Draws one picture; the same points give the same file."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": chart["file"], "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=(7.2, 3.8), layout="constrained", facecolor="white")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        _points(axes, chart)
        axes.set_title(chart["title"].replace("$", r"\$"), loc="left", fontsize=12, fontweight="bold")
        axes.set_xlabel(chart["x"])
        axes.set_ylabel(chart["y"])
        if chart["log_x"]:
            axes.set_xscale("log")
        if chart["log_y"]:
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)
        if chart["limit"] is not None:
            axes.axhline(chart["limit"], color="#8a8a8a", linestyle="--", linewidth=1.2, label="aim")
        axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        if len(axes.get_legend_handles_labels()[1]) > 1:
            axes.legend(frameon=False, fontsize=9)
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    # Its writer leaves spaces at the ends of lines, which no file here has.
    file.write_text("\n".join(line.rstrip() for line in file.read_text().splitlines()) + "\n")


def _points(axes: Any, chart: Mapping[str, Any]) -> None:
    """The lines, or groups of bars side by side."""
    lines = chart["lines"]
    if chart["kind"] == "line":
        for (name, points), colour in zip(lines.items(), COLOURS, strict=False):
            axes.plot([x for x, _ in points], [y for _, y in points], "o-", color=colour, markersize=4, label=name)
        return
    words = list(dict.fromkeys(str(x) for points in lines.values() for x, _ in points))
    wide = 0.8 / len(lines)
    for place, ((name, points), colour) in enumerate(zip(lines.items(), COLOURS, strict=False)):
        at = [words.index(str(x)) + wide * (place - (len(lines) - 1) / 2) for x, _ in points]
        axes.bar(at, [y for _, y in points], width=wide * 0.92, color=colour, label=name)
    axes.set_xticks(range(len(words)), words)
