"""Runs the benchmarks of docs/benchmarks.md one after the other, then writes the page: `make bench`.

    python -m benchmarks [--only growth,latency] [--page]

Each runs in a process of its own and keeps its result (results.py). One that fails is named at the end, exit code 3,
and its former result stays; the others run all the same. `--page` runs none and only writes the page.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks import page
from benchmarks.results import ROOT

RUNS: dict[str, tuple[str, ...]] = {  # what each is called with
    "faults": (),
    "kills": (),
    "throughput": (),
    "latency": (),
    "soak": ("--every", "8"),
    "scale_out": (),
    "peer": (),
    "growth": (),
}


def chosen(only: str) -> list[str]:
    """The names that were asked for, in their order; ends the program where one does not exist."""
    names = [name.strip() for name in only.split(",") if name.strip()] or list(RUNS)
    if unknown := [name for name in names if name not in RUNS]:
        print(f"There is no benchmark called {', '.join(unknown)}; there are: {', '.join(RUNS)}.", file=sys.stderr)
        raise SystemExit(2)
    return names


def run(names: Sequence[str]) -> list[str]:
    """Runs them; gives those that failed."""
    failed = []
    for name in names:
        print(f"== {name} {' '.join(RUNS[name])}".rstrip(), flush=True)
        began = time.monotonic()
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        ended = subprocess.run((sys.executable, "-m", f"benchmarks.{name}", *RUNS[name]), env=environment, check=False)
        print(
            f"== {name}: {'done' if not ended.returncode else 'failed'} in {time.monotonic() - began:.0f} s", flush=True
        )
        if ended.returncode:
            failed.append(name)
    return failed


def main() -> None:
    """Runs what was asked for and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", metavar="NAMES", help=f"some of: {', '.join(RUNS)}")
    parser.add_argument("--page", action="store_true", help="run none, only write docs/benchmarks.md and its pictures")
    asked = parser.parse_args()
    failed = [] if asked.page else run(chosen(asked.only))
    page.write()
    print(f"Written: {page.PAGE.relative_to(ROOT)} and {page.PLOTS.relative_to(ROOT)}/")
    if failed:
        print(f"These failed, and stand on the page as they were before: {', '.join(failed)}.", file=sys.stderr)
        raise SystemExit(3)


if __name__ == "__main__":
    main()
