"""follow: the clocks of cases go by the rule of the incident that they are a part of, and by their own afterwards.

Each case in a transaction of its own; what cannot be done is logged, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from listener.contract import Policy
from listener.desk import incident_clocks
from listener.errors import Outage
from listener.log import logger
from listener.store import Store, timed

log = logger(__name__)

MOST = 200  # cases that one look finds


def follow(store: Store, policy: Policy, *, now: datetime, stopping: Callable[[], bool] = lambda: False) -> int:
    """Sets the clocks of those cases that go by another rule than they should; gives of how many."""
    rules = policy.incident_rules
    with store.read() as tx:
        found = timed.to_follow(tx, with_rule=bool(rules.first_response or rules.resolution), limit=MOST)
    done = 0
    for case_id in found:
        if stopping():
            break
        try:
            with store.write() as tx:
                done += incident_clocks.follow(tx, case_id, promises=policy.promises, now=now)
        except Outage:
            raise
        except Exception:
            log.exception("The clocks of a case could not be set.", action="follow_bug", case=case_id)
    if done:
        log.info("Set the clocks of an incident's cases.", action="followed", cases=done)
    return done
