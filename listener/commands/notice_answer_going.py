"""A run of answers on its way, as somebody watches it; what goes out meanwhile is sent from here or by a daemon."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from listener.commands import notice_answer_screen as screen
from listener.commands import output
from listener.errors import EscuchaError
from listener.types import DraftState, RunState, SendKind

if TYPE_CHECKING:
    from listener.commands.app import App
    from listener.store.answer_runs import Run
    from listener.store.incidents import Incident

LOOK = 1.0  # seconds between two looks
PATIENCE = 30.0  # seconds for what was begun to end
ENDED = (DraftState.SENT, DraftState.FAILED, DraftState.EXPIRED, DraftState.REJECTED, DraftState.PROPOSED)


def follow(app: App, incident: Incident, run: Run) -> Run:
    """Sends, with a bar that says how far it is, until the run has ended; Ctrl-C leaves it to the daemon."""
    from collections import Counter

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from listener.commands.notice_publish import log_only_warnings
    from listener.store import answer_runs, switch

    log_only_warnings(app)
    with app.store.read() as tx:
        mine = [each for each in answer_runs.answers_of(tx, run.id) if each.left_out is None]
    accounts = sorted({each.account for each in mine})
    networks = Counter(each.network for each in mine)
    slowest = max(networks.values(), default=0) / max(len(mine), 1)  # the share of the network with most of them
    columns = (BarColumn(bar_width=20), MofNCompleteColumn(), TextColumn("{task.description}"))
    try:
        with Progress(*columns, console=output.console(), transient=True) as progress:
            bar = progress.add_task("")
            while True:
                with app.store.read() as tx:
                    run, counts = answer_runs.get(tx, run.id), answer_runs.counts(tx, run.id)
                    paused = [each for each in networks if switch.is_paused(tx, each, SendKind.MASS)]
                counts.pop("left out", None)
                done = sum(counts.get(state.value, 0) for state in ENDED)
                left = timedelta(hours=(sum(counts.values()) - done) * slowest / run.per_hour)
                told = f"{screen.in_words(counts)}; {output.spell(left)} left"
                if paused:
                    told = f"{', '.join(paused)} paused; `escucha resume` lets it go on"
                progress.update(bar, completed=done, total=sum(counts.values()), description=told)
                if run.state is not RunState.RUNNING:
                    return run
                problems = [problem for account in accounts if (problem := _send(app, account))]
                if problems:
                    progress.update(bar, description=output.clip(problems[0], 50))
                time.sleep(LOOK)
    except KeyboardInterrupt:
        output.complain(
            f"It goes on as long as a daemon runs; `escucha notice answer {incident.reference} --stop` stops it."
        )
        raise


def _send(app: App, account: str) -> str:
    """One round on that account, unless a daemon is at it; why nothing more goes out now, empty where it may."""
    from listener.flow.act import act

    try:
        connector = app.connector(account)
        acted = act(app.store, connector, account, clock=app.now, kinds=("answer",), purse=app.purse(account))
    except EscuchaError as error:
        return str(error)
    return acted.broke or (acted.errors[-1] if acted.hold_until and acted.errors else "")


def wait_for_what_was_begun(app: App, run: Run) -> bool:
    """Waits until nothing of the run is being sent; False where something hangs."""
    from listener.store import answer_runs

    ends = time.monotonic() + PATIENCE
    while True:
        with app.store.read() as tx:
            if not answer_runs.on_its_way(tx, run.id):
                return True
        if time.monotonic() > ends:
            return False
        time.sleep(LOOK / 10)
