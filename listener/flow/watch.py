"""watch: look at the clocks of the cases, and do what is due: warn, tell, hand on, wake. Sends nothing itself.

What was missed while nothing ran is done once, in order, and says that it comes late. A clock that is set back makes it
wait, and nothing is done twice. What cannot be done is tried again at the next look, behind all that waits already, so
that no number of cases that fail keeps the others from their turn.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from listener.desk import clocks, marks
from listener.errors import Outage
from listener.log import logger
from listener.store import Store, cases, steps

log = logger(__name__)

MOST = 200  # cases that one look finds


def watch(store: Store, *, now: datetime, stopping: Callable[[], bool] = lambda: False) -> int:
    """Does what is due, each case in a transaction of its own; gives how many were done, cases that woke counted in."""
    with store.read() as tx:
        waiting = steps.waiting(tx, now, MOST)
    done = 0
    for case_id in waiting:
        if stopping():
            break
        try:
            with store.write() as tx:
                done += clocks.do_due(tx, case_id, now)
        except Outage:
            raise
        except Exception:
            log.exception("What is due about a case could not be done.", action="watch_bug", case=case_id)
            with store.write() as tx:
                steps.put_back(tx, case_id, now)
    if done:
        log.info("Looked after late cases.", action="watched", steps=done)
    return done + _wake(store, now, stopping)


def _wake(store: Store, now: datetime, stopping: Callable[[], bool]) -> int:
    """Brings back what was snoozed until now; gives how many cases."""
    with store.read() as tx:
        waiting = cases.snoozed(tx, now, MOST)
    woken = 0
    for case_id in waiting:
        if stopping():
            break
        with store.write() as tx:
            woken += marks.wake_due(tx, case_id, now)
    return woken
