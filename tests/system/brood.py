"""Real `escucha run` processes by the hundred: `python -m tests.system.brood` forks one for each line that it reads.

A daemon takes seconds to load what it needs; this program loads it once, and each fork goes on as a process of its own
from there, through the command line, with settings and environment of its own. Reads JSON lines: `folder` (where it
runs), `arguments` (of `escucha`), `environment`, `log` (the file that it writes to); answers each with its number.
`ended`: a file for the exit code, put there at its end; `errors`: another one for the error output.

Two things are not as in a real installation. Texts are read by single words instead of the model, which would take
more time than all the rest. And where `hurry` is given, a claim runs out, a silent stream is given up, a digest is made
and a look becomes conclusive after some such seconds instead of minutes: the local servers show at once what they took.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import cli
import connectors
import policies
from connectors.mastodon_streaming import Patience
from listener import budget, cluster
from listener.commands import running
from listener.commands.app import App
from listener.flow import stream
from listener.store import alerts_out, crm_out, loans, migrations, suspects
from tests.listener.flow.world import Keywords

LOADED = (running, migrations)  # what a daemon would load by itself


def hurry(seconds: float) -> None:
    """Shortens what a daemon waits for after somebody died."""
    after = timedelta(seconds=seconds)
    suspects.APART, suspects.HELD = after / 2, 3 * after
    budget.HASTE, stream.STEADY = after / 2, 2 * after
    connectors.load("mastodon").Patience = partial(Patience, beat=seconds / 4, silence=2 * seconds)
    budget.POLL_LEASE = alerts_out.LEASE = alerts_out.DIGEST_EVERY = crm_out.LEASE = after
    cluster.HEARTBEAT, cluster.DEAD = seconds / 4, 2 * seconds
    cluster.RENEW_EVERY, loans.LASTS = after, 3 * after
    for name in connectors.available():
        module = connectors.load(name)
        if module.FACTS.settle_after is not None:
            module.FACTS = replace(module.FACTS, settle_after=after)


def live(asked: dict[str, Any]) -> None:
    """This process becomes that daemon."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.chdir(asked["folder"])
    with (
        open(asked["log"], "ab") as log,
        open(asked.get("errors", asked["log"]), "ab") as errors,
        open(os.devnull, "rb") as nothing,
    ):
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(errors.fileno(), 2)
    os.environ.update(asked["environment"])
    app = App(connectors=connectors, policies=policies, config_path=Path("escucha.toml"))
    app.__dict__["classifier"] = Keywords()
    code = 1
    try:
        cli.escucha(asked["arguments"], obj=app)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if "ended" in asked:
            half = Path(f"{asked['ended']}.half")
            half.write_text(str(code), encoding="ascii")
            half.rename(asked["ended"])
        os._exit(code)


def main() -> None:
    """Forks until its input ends; then ends whoever lives."""
    if len(sys.argv) > 1:
        hurry(float(sys.argv[1]))
    for name in connectors.available():
        connectors.load(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever dies is gone at once
    children = []
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            live(json.loads(line))
        children.append(child)
        print(child, flush=True)
    for child in children:
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
