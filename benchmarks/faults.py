"""Every network, every stage of it, every trouble of its server: what the daemon makes of it.

    python -m benchmarks.faults [--only mastodon,x] [--stage reply] [--processes 6]

Plays the whole matrix of `tests/system/fault_matrix.py` against the local servers, prints a line for each cell and
keeps the table. Exit code 1 where a cell is not as it must be.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import results
from tests.servers.line import Papers, Trouble, papers
from tests.system.fault_matrix import FOR_A_PERSON, Outcome, play
from tests.system.fault_networks import SITES, Networks, cells
from tests.system.fault_sites import Stage

Cell = tuple[str, Stage, Trouble]


def played(part: list[Cell]) -> list[Outcome]:
    """What came of these cells, one after the other."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))

        @cache
        def made() -> Papers:
            return papers(folder, "*.my.salesforce.com")

        networks = Networks(stack, folder, made)
        return list(_each(networks, folder, part))


def _each(networks: Networks, folder: Path, part: list[Cell]) -> Iterator[Outcome]:
    for number, (name, stage, trouble) in enumerate(part):
        here = folder / f"cell{number}"
        here.mkdir()
        with networks.site(name, trouble) as site:
            came = play(site, stage, trouble, here)
        after = "" if came.after_s is None else f"after {came.after_s:.0f} s"
        wrong = "" if fine(came) else f"  <- {came}"
        print(f"{name:9} {stage:8} {trouble:29} {came.came} {after}{wrong}", flush=True)
        yield came


def fine(came: Outcome) -> bool:
    """Whether it is as it must be: nobody was needed but where nobody else can help, and the trouble was real."""
    alone = came.trouble in FOR_A_PERSON or came.network == "mail" or came.came == "by itself"
    return came.fine and alone and bool(came.met or came.trouble == Trouble.REFUSED)


def main() -> None:
    """Plays what was asked for and keeps the table, where it was all of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default=",".join(SITES), metavar="NETWORKS")
    parser.add_argument("--stage", default=",".join(Stage), metavar="STAGES")
    parser.add_argument("--processes", type=int, default=6, help="most cells wait more than they reckon")
    asked = parser.parse_args()
    names, stages = asked.only.split(","), asked.stage.split(",")
    part = [cell for cell in cells() if cell[0] in names and cell[1] in stages]
    began = time.monotonic()
    # By networks and stages; those whose servers take their time to start come first.
    first = [*(name for name in ("bluesky", "mail", "mastodon") if name in SITES), *SITES]
    shares = [[cell for cell in part if cell[:2] == (name, stage)] for name in dict.fromkeys(first) for stage in Stage]
    shares = [share for share in shares if share]
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        outcomes = [each for share in pool.imap_unordered(played, shares, chunksize=1) for each in share]
    outcomes.sort(
        key=lambda each: (
            each.network,
            list(Stage).index(Stage(each.stage)),
            list(Trouble).index(Trouble(each.trouble)),
        )
    )
    bad = [each for each in outcomes if not fine(each)]
    print(f"{len(outcomes)} cells in {time.monotonic() - began:.0f} s, {len(bad)} not as they must be")
    if len(part) == len(cells()):
        keep(outcomes, len(bad))
    raise SystemExit(1 if bad else 0)


def keep(outcomes: list[Outcome], bad: int) -> None:
    """Writes the table for docs/benchmarks.md."""
    came = Counter(each.came for each in outcomes)
    figures = {
        "cells": len(outcomes),
        "not_as_they_must_be": bad,
        "lost": sum(each.lost for each in outcomes),
        "doubled": sum(each.doubled for each in outcomes),
        "in_the_wrong_thread": sum(each.misplaced for each in outcomes),
        "came": dict(came),
        "longest_until_well_again_s": max(
            (each.after_s or 0 for each in outcomes if each.stage != "recheck"), default=0
        ),
        "outcomes": [asdict(each) for each in outcomes],
    }
    columns = ["trouble", *(f"{name} {stage}" for name, stage in sorted({(e.network, e.stage) for e in outcomes}))]
    by_cell = {(each.trouble, f"{each.network} {each.stage}"): each for each in outcomes}
    tables = []
    for stage in Stage:
        there = [name for name in columns[1:] if name.endswith(f" {stage}")]
        rows = []
        for trouble in Trouble:
            found = [by_cell.get((trouble, name)) for name in there]
            rows.append([trouble.value, *(_shown(each) for each in found)])
        heads = ["trouble", *(name.partition(" ")[0] for name in there)]
        tables.append(results.Table(title=f"{stage}: until all is well again", columns=heads, rows=rows))
    results.keep(
        "faults",
        figures,
        tables=tables,
        aims=[
            results.Aim(
                what="lost, doubled, in the wrong thread",
                aim="0",
                reached=str(_wrong(outcomes)),
                met=not _wrong(outcomes),
            ),
            results.Aim(what="cells not as they must be", aim="0", reached=f"{bad} of {len(outcomes)}", met=not bad),
        ],
        notes=[
            "A trouble lasts ten minutes, “500 for an hour” an hour, by a clock that the play moves; a cell says how "
            "long after its end all was well again. A wait grows with each failure, up to an hour.",
            "“refused”: the network said no to that very message, which a person sees. “a person”: a token or a query "
            "that only a person can mend, after which it went on at once; in mail also what nobody can look up.",
        ],
    )


def _wrong(outcomes: list[Outcome]) -> int:
    return sum(each.lost + each.doubled + each.misplaced for each in outcomes)


def _shown(each: Outcome | None) -> str:
    if each is None:
        return "–"
    if not fine(each):
        return f"NOT: {each.came}"
    after = f"{(each.after_s or 0) / 60:.0f} min"
    return after if each.came == "by itself" else each.came


if __name__ == "__main__":
    main()
