"""pull: ask the CRMs which customers changed.

    claim the CRM and its cursor | ask it for a page | write its records and where to go on, together | the next page

Nothing lost: the cursor moves in the transaction that keeps its page. What of a page cannot be used is left out, lest
one record keep all others, and told until it comes again and can be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from listener import budget
from listener.contract import Pulls
from listener.desk import crm_records, handing_over
from listener.desk.crm_records import Taken
from listener.desk.crm_systems import System
from listener.errors import AuthFailed, EscuchaError, Mistake, NetworkError, Outage
from listener.log import logger
from listener.store import Store, crm_ways
from listener.store.crm_ways import IN, Claimed

log = logger(__name__)

KEPT = 1000  # records that cannot be used are told until they can, as many as these
LEASE = timedelta(minutes=5)  # one that pulls and has not come back by then is taken for dead; two do no harm
FIRST_REST = timedelta(seconds=15)  # of a CRM that failed, doubled for the first and again for each further failure


@dataclass(kw_only=True)
class Pulled:
    """What one round brought. `why` it failed, empty where it did not; `busy`: somebody else is at it."""

    system: str
    pages: int = 0
    taken: Taken = field(default_factory=Taken)
    why: str = ""
    busy: bool = False


def pull(
    store: Store,
    name: str,
    system: System,
    *,
    by: str,
    clock: Callable[[], datetime],
    stopping: Callable[[], bool] = lambda: False,
    at_once: bool = False,
) -> Pulled:
    """Reads page after page until nothing is left or `stopping()`; `at_once`: also where it is not due."""
    done = Pulled(system=name)
    more = at_once or _due(store, name, clock())
    while more and not stopping():
        with store.write() as tx:
            claimed = crm_ways.claim(tx, name, IN, lease=LEASE, now=clock(), at_once=at_once or done.pages > 0)
        if claimed is None:
            done.busy = True
            return done
        try:
            more = _page(store, name, system, claimed, done, by=by, clock=clock)
        except Outage:
            raise
        except Exception as error:
            if not isinstance(error, EscuchaError):
                log.exception("Reading a CRM broke.", action="crm_bug", crm=name)
            _failed(store, name, system, error, quiet=at_once, now=clock())
            done.why = handing_over.told(error)
            return done
    return done


def _due(store: Store, name: str, now: datetime) -> bool:
    with store.read() as tx:
        return not crm_ways.rests(tx, name, IN, now=now)


def _page(
    store: Store,
    name: str,
    system: System,
    claimed: Claimed,
    done: Pulled,
    *,
    by: str,
    clock: Callable[[], datetime],
) -> bool:
    """Takes one page in; whether there is another."""
    crm = system.reach(IN)
    if not isinstance(crm, Pulls):
        raise Mistake(f"{name} cannot be asked for its customers; it posts them, or gives none.")
    page = crm.pull(claimed.cursor)
    with store.write() as tx:
        taken = crm_records.take(tx, name, crm.naming, page.records, by=by, now=clock())
        at = clock() if page.more else clock() + system.every
        came = {record.id for record in page.records}
        problems = {record: why for record, why in claimed.problems.items() if record not in came}
        problems.update(taken.problems)
        columns = {"cursor": dict(page.cursor), "allowance": crm.allowance}
        columns["problems"] = dict(islice(problems.items(), KEPT))
        if crm_ways.worked(tx, name, IN, now=clock(), next_at=at, **columns):
            log.info("The CRM can be read again.", action="crm_up", crm=name)
    done.pages += 1
    done.taken = done.taken.plus(taken)
    return page.more


def _failed(store: Store, name: str, system: System, error: Exception, *, quiet: bool, now: datetime) -> None:
    if isinstance(error, AuthFailed):
        system.leave(IN)
    wait = error.retry_after if isinstance(error, NetworkError) else None
    reason = handing_over.told(error)
    with store.write() as tx:
        failures, _ = crm_ways.failed(tx, name, IN, error=reason, now=now)
        crm_ways.rest(tx, name, IN, until=budget.back_off(now, failures=failures, every=FIRST_REST, retry_after=wait))
    if failures == 1 and not quiet:
        log.warning("A CRM cannot be read.", action="crm_down", crm=name, reason=reason)
