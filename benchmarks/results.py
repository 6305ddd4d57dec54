"""What a benchmark found, kept as benchmarks/results/NAME.json: the figures, and when and on what they were found.

    results.keep("growth", {"us_per_mention": {...}}, parameters={"sizes": [...]})

That is enough to appear in docs/benchmarks.md (`python -m benchmarks --page`): where there are no tables, the figures
are shown as they are. Whoever wants it shown better hands in tables, charts, aims and notes. The newest result counts.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FOLDER = Path(__file__).parent / "results"
MADE_HERE = ("benchmarks/results", "docs/benchmarks.md", "docs/plots")  # what a run itself changes


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows for people to read. Numbers are shown as they are given: round them first."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A picture, docs/plots/FILE.svg: points of lines, or bars where `kind` is so; x may be words for bars only."""

    file: str
    title: str
    x: str  # what is along the bottom, with its unit
    y: str
    lines: Mapping[str, Sequence[Sequence[Any]]]  # points (x, y) by what the legend calls them
    kind: str = "line"  # or "bar"
    log_x: bool = False
    log_y: bool = False
    limit: float | None = None  # a level that was aimed at, drawn across


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What was to be reached, and what was. `met` is the benchmark's own verdict."""

    what: str
    aim: str
    reached: str
    met: bool


@dataclass(frozen=True, kw_only=True)
class Result:
    """One run of one benchmark, as its file holds it."""

    name: str
    at: str  # UTC, ISO 8601
    commit: str
    changed: bool  # whether the tree differed from that commit
    machine: Mapping[str, Any]
    parameters: Mapping[str, Any]
    figures: Mapping[str, Any]
    aims: Sequence[Mapping[str, Any]] = field(default_factory=list)
    tables: Sequence[Mapping[str, Any]] = field(default_factory=list)
    charts: Sequence[Mapping[str, Any]] = field(default_factory=list)
    notes: Sequence[str] = field(default_factory=list)


def keep(
    name: str,
    figures: Mapping[str, Any],
    *,
    parameters: Mapping[str, Any] | None = None,
    aims: Sequence[Aim] = (),
    tables: Sequence[Table] = (),
    charts: Sequence[Chart] = (),
    notes: Sequence[str] = (),
    folder: Path = FOLDER,
) -> Path:
    """Writes the result and gives its file. `figures` and `parameters` are JSON; `name` is the benchmark's module."""
    commit, changed = COMMIT
    result = Result(
        name=name,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit,
        changed=changed,
        machine=machine(),
        parameters=dict(parameters or {}),
        figures=dict(figures),
        aims=[asdict(each) for each in aims],
        tables=[asdict(each) for each in tables],
        charts=[asdict(each) for each in charts],
        notes=list(notes),
    )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    beside = file.with_suffix(".new")
    beside.write_text(json.dumps(asdict(result), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    beside.replace(file)
    return file


def kept(folder: Path = FOLDER) -> list[Result]:
    """Every result there is, by name."""
    return [Result(**json.loads(file.read_text(encoding="utf-8"))) for file in sorted(folder.glob("*.json"))]


def machine() -> dict[str, Any]:
    """What the figures depend on beside the program; no name of a machine or a person."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load_before": round(LOAD_BEFORE, 1),
        "load_after": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> tuple[str, bool]:
    """The commit that ran, and whether something else than its own results was changed beside it."""

    def git(*words: str) -> str:
        return subprocess.run(("git", *words), cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD"), bool(
            git("status", "--porcelain", "--", ".", *(f":!{path}" for path in MADE_HERE))
        )
    except (OSError, subprocess.CalledProcessError):
        return "", True


COMMIT = _commit()  # as the program was when it began, whatever is committed while it runs
LOAD_BEFORE = os.getloadavg()[0]  # processes that wanted to run in the minute before
