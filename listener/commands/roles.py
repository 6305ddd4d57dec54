"""`escucha run --role`: what one process does of the work that several share, and what `status` tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from listener.commands import output
from listener.commands.app import App
from listener.errors import Mistake
from listener.types import Duty

if TYPE_CHECKING:
    from listener.cluster import Cluster
    from listener.store import Transaction
    from listener.store.daemons import Running

ALL = "all"
CHOICES = (*(duty.value for duty in Duty), ALL)
NEEDED = {
    Duty.POLL: "Nobody listens",
    Duty.WORK: "Nobody reads and decides what was heard",
    Duty.SEND: "Nobody sends what is approved",
}
MOURNED = timedelta(hours=1)  # for which a process that fell silent is told of
TOGETHER = timedelta(minutes=1)  # of whoever was last heard, who fell silent for the same reason
NAMED = 5  # of them, at most
SIGN_OF_LIFE = timedelta(seconds=10)  # within which a process that lives says so


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


@dataclass(frozen=True, kw_only=True)
class Hung:
    """An account kept by a process that fell silent in a send, and who that may be: what it sends may yet go out."""

    account: str
    processes: Sequence[Running]


def hung(tx: Transaction, accounts: Sequence[str], running: Sequence[Running], now: datetime) -> list[Hung]:
    """The accounts on which nothing goes out until somebody ends the process that hangs there."""
    from listener.store import daemons, underway

    silent = [each for each in running if Duty.SEND in each.roles and now - each.seen_at >= daemons.SILENT]
    found = []
    for account, since in underway.held(tx, accounts).items() if silent else ():
        # Whoever hangs asked for nothing since it was last heard; who asked later lives, and is only slow.
        those = [each for each in silent if since <= each.seen_at + SIGN_OF_LIFE]
        if those := [each for each in those if f"sends on {account}" in each.doing] or those:
            found.append(Hung(account=account, processes=those))
    return found


def troubles(
    alive: Sequence[Running], silent: Sequence[Running], now: datetime, hung: Sequence[Hung] = ()
) -> list[str]:
    """What nobody does of the work that is shared, and who of several died or hangs; nothing where nobody shares any.

    Who died and whose work others have is told of by `mourned`.
    """
    if not any(each.roles for each in alive):
        return []
    done = _done(alive)
    found = [f"{NEEDED[duty]}: `escucha run --role {duty}`." for duty in Duty if duty not in done]
    for each in hung:
        who = ", ".join(f"{one.name}, last heard {output.ago(one.seen_at, now)}" for one in each.processes)
        found.append(
            f"Nothing goes out on {each.account}: a process hangs in a send there, and what it sends may yet go out. "
            f"End it (`kill -9`), and others go on: {who}."
        )
    found += [
        f"The process {each.name} ({_roles(each)}) was last heard {output.ago(each.seen_at, now)}: it died or hangs. "
        "See its log."
        for each in silent
        if each.roles and now - each.seen_at < MOURNED and not done.issuperset(each.roles)
    ]
    return found


def nobody_left(silent: Sequence[Running], now: datetime) -> str:
    """That no process lives, of which these did, last heard first: what nobody does, who did it, and what starts it."""
    last = silent[0]
    if not any(each.roles for each in silent):
        return (
            f"The daemon {last.name} was last heard {output.ago(last.seen_at, now)}: it died, hangs, or cannot write "
            "its database. See its log, and `escucha doctor`."
        )
    fell = [each for each in silent if last.seen_at - each.seen_at < TOGETHER]
    who = ", ".join(f"{each.name} ({_roles(each)})" for each in fell[:NAMED])
    more = f" and {len(fell) - NAMED} more" if len(fell) > NAMED else ""
    again = ", ".join(f"`escucha run --role {duty}`" for duty in Duty)
    return (
        f"No process lives: nobody listens, reads and decides, or sends. Last heard {output.ago(last.seen_at, now)}: "
        f"{who}{more}; they died, hang, or cannot write the database. See their logs and `escucha doctor`, then "
        f"{again}."
    )


def mourned(alive: Sequence[Running], silent: Sequence[Running], now: datetime, hung: Sequence[Hung] = ()) -> list[str]:
    """How many fell silent lately whose work others have, in one sentence; nothing where there are none."""
    if not any(each.roles for each in alive):
        return []
    done, named = _done(alive), {one.name for each in hung for one in each.processes}
    lately = [each for each in silent if each.roles and now - each.seen_at < MOURNED and each.name not in named]
    gone = sum(done.issuperset(each.roles) for each in lately)
    if not gone:
        return []
    if gone == 1:
        return ["1 process fell silent within the hour; others have its work."]
    return [f"{gone} processes fell silent within the hour; others have their work."]


def _done(alive: Sequence[Running]) -> set[str]:
    return {role for each in alive for role in each.roles or CHOICES}


def table(
    running: Sequence[Running], alive: Sequence[Running], now: datetime, *, step: str, hung: Sequence[Hung] = ()
) -> None:
    """Who does what, and of which version; nothing where nobody shares the work and all are of the tables' `step`.

    Who fell silent and whose work others have is counted by `mourned`, and takes no line here.
    """
    if not any(each.roles for each in running) and all(each.step == step for each in alive):
        return
    done, named = _done(alive), {one.name for each in hung for one in each.processes}
    listed = [
        each
        for each in running
        if each in alive or each.name in named or not each.roles or not done.issuperset(each.roles)
    ]
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
            for each in sorted(listed, key=lambda each: (each not in alive, each.name))
        ],
        empty="",
        wide="has in hand",
    )
    output.say()


def _roles(each: Running) -> str:
    return ", ".join(each.roles) or ALL
