"""Hundreds of deaths of real daemons while thousands of posts, edits and deletions arrive: what the networks count.

    python -m benchmarks.kills [--kills 200] [--posts 400] [--setups sqlite,postgresql,roles] [--networks mastodon,x]

Plays `tests/system/kill_matrix.py` once for each setup and keeps the table. Exit code 1 where anything was lost,
doubled or said in the wrong place.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import results
from tests.system.kill_matrix import SEED, Outcome, Plan, matrix

SETUPS = {
    "sqlite": (Plan(), "two daemons on SQLite"),
    "postgresql": (Plan(database="postgresql"), "two daemons on PostgreSQL, which is killed too"),
    "roles": (
        Plan(database="postgresql", processes=(("poll",), ("work",), ("send",), ("send",))),
        "a poller, a worker and two senders on PostgreSQL, which is killed too",
    ),
}
COLUMNS = ("setup", "posts", "edits", "deletions", "kills", "in mid-send", "lost", "doubled", "wrong thread", "unknown")
BESIDE = ("setup", "told", "came again under its id", "lost", "doubled")


def play(name: str, asked: argparse.Namespace) -> Outcome:
    """One setup, from its first post until nothing more is to be done."""
    setup, _ = SETUPS[name]
    more = {"restarts": asked.kills // 20} if setup.database == "postgresql" else {}
    plan = Plan(
        **asdict(setup)
        | {"seed": asked.seed, "posts": asked.posts, "kills": asked.kills, "patience": 120.0, "pause": asked.pause}
        | {"networks": tuple(asked.networks.split(",")), "pace": 1.6 * asked.kills * asked.pause / asked.posts / 2}
        | more
    )
    with TemporaryDirectory() as folder, matrix(Path(folder), plan) as played:
        return played.run()


def row(name: str, found: Outcome) -> tuple[object, ...]:
    """As the table shows it."""
    counted = (found.posts, found.edits, found.deletions, found.kills, found.in_mid_send)
    return SETUPS[name][1], *counted, len(found.lost), len(found.doubled), len(found.wrong_thread), found.unsure


def told(name: str, found: Outcome) -> tuple[object, ...]:
    """The same of our own people and the CRM."""
    return SETUPS[name][1], found.heard.told, found.heard.again, len(found.heard.lost), len(found.heard.doubled)


def main() -> None:
    """Plays what was asked for, prints it and keeps it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kills", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--posts", type=int, default=400, help="of each network")
    parser.add_argument("--networks", default="mastodon,x,reddit")
    parser.add_argument("--setups", default=",".join(SETUPS))
    parser.add_argument("--pause", type=float, default=0.6, help="seconds between two deaths, on average")
    parser.add_argument("--seed", type=int, default=SEED)
    asked = parser.parse_args()
    found = {}
    for name in asked.setups.split(","):
        found[name] = play(name, asked)
        print(dict(zip(COLUMNS, row(name, found[name]), strict=True)), flush=True)
        print(dict(zip(BESIDE, told(name, found[name]), strict=True)), flush=True)
        print(f"  {found[name].seconds:.0f} s, seed {asked.seed}; {found[name].ended} ended by themselves", flush=True)
        for what in ("lost", "doubled", "wrong_thread"):
            if those := getattr(found[name], what):
                print(f"  {what}: {', '.join(those[:20])}", flush=True)
        for what in ("lost", "doubled"):
            if those := getattr(found[name].heard, what):
                print(f"  {what} beside the networks: {', '.join(those[:20])}", flush=True)
    wrong = sum(len(each.lost) + len(each.doubled) + len(each.wrong_thread) for each in found.values())
    beside = sum(len(each.heard.lost) + len(each.heard.doubled) for each in found.values())
    kills = sum(each.kills for each in found.values())
    results.keep(
        "kills",
        {name: asdict(each) for name, each in found.items()},
        parameters=vars(asked),
        aims=[
            results.Aim(
                what="lost, doubled or misplaced answers, counted on the networks' side",
                aim="0",
                reached=f"{wrong} in {kills} kills",
                met=not wrong,
            ),
            results.Aim(
                what="alerts and news for a CRM, lost or under two ids, counted where they came",
                aim="0",
                reached=f"{beside} in {kills} kills",
                met=not beside,
            ),
        ],
        tables=[
            results.Table(
                title="kill -9 at random instants while people write, edit and delete",
                columns=COLUMNS,
                rows=[row(name, each) for name, each in found.items()],
            ),
            results.Table(
                title="What our own people (of each post) and a CRM (of each change of a case) were told meanwhile",
                columns=BESIDE,
                rows=[told(name, each) for name, each in found.items()],
            ),
        ],
        notes=[
            "Real `escucha run` processes; the local servers take the same answer as often as it comes.",
            "Texts are read by single words, and what waits for minutes after a death waits for two seconds here.",
            "“in mid-send”: deaths after which the database said that something was being sent.",
            "Whoever dies between a receiver's answer and the commit that keeps it says the same again, under the id "
            "that it had, by which the receiver drops it.",
        ],
    )
    raise SystemExit(1 if wrong or beside else 0)


if __name__ == "__main__":
    main()
