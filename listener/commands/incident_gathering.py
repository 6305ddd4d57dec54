"""Going through what was said already, for a command that waits for it: a bar, what was found, what is left."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from listener.commands.app import App
from listener.commands.output import counted, say

if TYPE_CHECKING:
    from listener.flow.incidents import Gathered
    from listener.store.incidents import Incident

WAITED = 20.0  # seconds that a command goes on by itself; then the daemon does, or the command again


def gather(app: App, incident: Incident, *, quiet: bool) -> Gathered:
    """Goes on with what is to be gone through for the incident, as long as a person waits; gives what was done."""
    from time import monotonic

    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from listener.flow import incidents as flow

    ends = monotonic() + WAITED
    with ExitStack() as stack:
        console = Console(stderr=True)
        bar = None
        if not quiet and console.is_terminal:
            progress = Progress(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True)
            bar = stack.enter_context(progress).add_task("Going through what was said…")

        def step(done: Gathered) -> None:
            if bar is not None:
                progress.update(bar, description=f"Looked at {done.looked:,}, {done.attached:,} attached…")

        return flow.gather(
            app.store,
            places=app.policy.places,
            embed=app.embed,
            is_ours=app.company.is_ours,
            now=app.now,
            only=incident.id,
            stopping=lambda: monotonic() > ends,
            step=step,
        )


def tell(app: App, incident: Incident, done: Gathered, mentions: int) -> None:
    """Says what was found, and what goes on."""
    from listener.desk import incidents as desk

    looked = counted(done.looked, "earlier mention")
    if done.looked or mentions:
        say(f"{looked} looked at, {done.attached:,} attached, {done.detached:,} let go; it has {mentions:,} now.")
    if _unfinished(app, incident):
        say("There is more to go through: a running daemon does, or")
        say(f"`escucha incident gather {incident.reference}`.")
    if incident.lasts and incident.meaning and app.embed() is None:
        say("The model cannot be used here, so its meaning finds nothing; its rules work.")
    if incident.lasts and not desk.tells(incident):
        say("Nothing says whom it hits, so only what you attach is of it; say more with")
        say(f"`escucha incident describe {incident.reference}`.")


def _unfinished(app: App, incident: Incident) -> bool:
    """Whether something is left: earlier mentions, or cases that are to become a part of its own."""
    from listener.store import incident_sweeps

    with app.store.read() as tx:
        return incident.id in incident_sweeps.unfinished(tx)
