"""Which versions run on the database and which its tables work with, as `db check` and `status` tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from listener.store import Store
    from listener.store.daemons import Running


@dataclass(frozen=True, kw_only=True)
class Known:
    """`step`, of the tables; `works_with`, the oldest step whose program may use them; who is `running`, by name.

    Both steps are "" for tables that are no version's, or not there.
    """

    step: str
    works_with: str
    running: Sequence[Running]


def known(database: Store, now: datetime) -> Known:
    """What the tables, in whatever state they are, tell of themselves. Raises Outage."""
    from listener.store import daemons, upgrading

    if not database.fits():  # daemons of other versions are written down in other columns
        return Known(step="", works_with="", running=())
    with database.read() as tx:
        tables, running = upgrading.standing(tx), daemons.running(tx)
    alive = [each for each in running if abs(now - each.seen_at) < daemons.SILENT]
    return Known(step=tables.step, works_with=tables.works_with, running=sorted(alive, key=lambda each: each.name))


def lines(found: Known) -> list[str]:
    """For people; nothing for tables that are not known."""
    if not found.step:
        return []
    works = [f"They work with versions of step {found.works_with} and later."]
    return works + [f"{each.name} runs version {each.version}, of step {each.step}." for each in found.running]


def brief(daemon: Running) -> dict[str, Any]:
    """For programs."""
    return {"name": daemon.name, "version": daemon.version, "step": daemon.step}


def troubles(step: str, alive: Sequence[Running]) -> list[str]:
    """Whom an upgrade of the tables to that step has not reached yet."""
    return [
        f"The process {each.name} is of an older version ({each.version}, step {each.step}) than the tables (step "
        f"{step}): it works on; restart it with the new one to end the upgrade."
        for each in alive
        if each.step < step
    ]
