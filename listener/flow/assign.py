"""assign: give open cases that nobody has to agents, and take back what those have who are not there. Sends nothing.

Each tick looks at the head of the queue and, from where the tick before ended, at as many further cases, so that what
nobody can have keeps nobody else waiting. Teams in which nobody is free are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from listener.desk import handing
from listener.desk.assigning import Candidate, Need, hindrance
from listener.desk.clocks import Moved
from listener.errors import Outage, Stale
from listener.log import logger
from listener.store import Store, assigned, users
from listener.store.assigned import Place
from listener.store.cases import Case

log = logger(__name__)

MOST = 100  # cases at the queue's head, and as many behind


def assign(
    store: Store,
    *,
    now: datetime,
    moved: Moved,
    after: Place | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> tuple[int, Place | None]:
    """How many cases changed hands, each in a transaction of its own, and where the next tick goes on."""
    with store.read() as tx:
        if not users.there_are(tx):
            return 0, None
        leaving = handing.leaving(tx, now)
    handed = 0
    for user, why, only_open in leaving:
        with store.write() as tx:
            there = users.by_id(tx, user.id, lock=True)
            handed += len(handing.leave(tx, there, why=why, now=now, only_open=only_open, by=handing.DAEMON))
    with store.read() as tx:
        pool = handing.pool(tx, now, moved)
        teams = handing.ready(pool)
        head = assigned.unassigned(tx, teams=teams, now=now, limit=MOST) if teams else []
        behind = []
        if len(head) == MOST:
            ends = head[-1].queue_at, head[-1].id
            start = max(ends, after) if after else ends
            behind = assigned.unassigned(tx, teams=teams, now=now, limit=MOST, after=start)
    for row in (*head, *behind):
        if stopping():
            break
        if _somebody(pool.get(row.team, ()), row.team, row.skills):
            handed += _give(store, row.id, now, moved)
    if handed:
        log.info("Gave cases to agents.", action="assigned", cases=handed)
    return handed, (behind[-1].queue_at, behind[-1].id) if len(behind) == MOST else None


def _somebody(agents: Sequence[Candidate], team: str, skills: Sequence[str]) -> bool:
    """Whether anybody could have it, by what needs no look at the case."""
    need = Need(team=team, skills=tuple(skill.casefold() for skill in skills))
    return any(not hindrance(need, agent) for agent in agents)


def _give(store: Store, case_id: int, now: datetime, moved: Moved) -> bool:
    try:
        with store.write() as tx:
            return isinstance(handing.give(tx, case_id, by=handing.DAEMON, now=now, moved=moved), Case)
    except Stale:
        return False  # somebody was at it in this very moment
    except Outage:
        raise
    except Exception:
        log.exception("A case could not be given to anybody.", action="assign_bug", case=case_id)
        return False
