"""`escucha run --role`: what one process does of the work that several share, and what `status` tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from listener.commands import output
from listener.commands.app import App
from listener.errors import Mistake
from listener.types import Duty

if TYPE_CHECKING:
    from listener.cluster import Cluster
    from listener.store.daemons import Running

ALL = "all"
CHOICES = (*(duty.value for duty in Duty), ALL)
NEEDED = {
    Duty.POLL: "Nobody listens",
    Duty.WORK: "Nobody reads and decides what was heard",
    Duty.SEND: "Nobody sends what is approved",
}
MOURNED = timedelta(hours=1)  # for which a process that fell silent is named, while others do its work


def duties(app: App, named: Sequence[str]) -> frozenset[Duty]:
    """What was asked for by `--role`; nothing: this process does everything by itself. Raises Mistake."""
    if not named:
        return frozenset()
    if app.config.database.url.startswith("sqlite"):
        raise Mistake(
            "--role shares the work with other processes, which takes PostgreSQL: set database.url to one, or leave "
            "--role out."
        )
    return frozenset(Duty) if ALL in named else frozenset(map(Duty, named))


def cluster(app: App, shared: frozenset[Duty]) -> Cluster | None:
    """This process's part in the work, its queue made; None where it does everything by itself. Raises Mistake."""
    if not shared:
        return None
    demand_engine()
    from listener import cluster

    cluster.prepare(app.store)
    return cluster.Cluster(app.pipeline, shared, tick=app.config.daemon.tick)


def demand_engine() -> None:
    """Raises Mistake where the engine of the queue is not installed."""
    from importlib.util import find_spec

    if find_spec("procrastinate") is None:
        raise Mistake("--role needs the queue's engine: in Escucha's folder, pip install '.[postgres]'.")


def named(shared: frozenset[Duty]) -> str:
    """As metrics and traces name it."""
    return ",".join(sorted(shared)) or ALL


def troubles(alive: Sequence[Running], silent: Sequence[Running], now: datetime) -> list[str]:
    """What nobody does of the work that is shared, and who of several died; nothing where nobody shares any."""
    if not any(each.roles for each in alive):
        return []
    done = {role for each in alive for role in each.roles or CHOICES}
    found = [f"{NEEDED[duty]}: `escucha run --role {duty}`." for duty in Duty if duty not in done]
    for each in silent:
        if each.roles and now - each.seen_at < MOURNED:
            goes_on = ", and others have its work" if done.issuperset(each.roles) else ""
            found.append(
                f"The process {each.name} ({_roles(each)}) was last heard {output.ago(each.seen_at, now)}: it died or "
                f"hangs{goes_on}. See its log."
            )
    return found


def table(running: Sequence[Running], alive: Sequence[Running], now: datetime, *, step: str) -> None:
    """Who does what, and of which version; nothing where nobody shares the work and all are of the tables' `step`."""
    if not any(each.roles for each in running) and all(each.step == step for each in alive):
        return
    output.table(
        ["process", "role", "version (step)", "started", "last heard", "has in hand"],
        [
            [
                each.name,
                _roles(each),
                f"{each.version} ({each.step})",
                output.ago(each.started_at, now),
                output.ago(each.seen_at, now),
                (each.doing or "nothing") if each in alive else "silent",
            ]
            for each in sorted(running, key=lambda each: (each not in alive, each.name))
        ],
        empty="",
        wide="has in hand",
    )
    output.say()


def _roles(each: Running) -> str:
    return ", ".join(each.roles) or ALL
