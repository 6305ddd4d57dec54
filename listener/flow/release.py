"""release: notices whose time has come go out from here on. Says nothing itself: `act` does.

    due | follow its links | enough money, links that lead somewhere | publishing — or held, with the reason

The links are followed outside of any transaction. Whatever becomes of a notice is decided in one, by a conditional
update, so that of several daemons one lets it go out. What is held is looked at again each tick until its time is past.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from listener.desk import clearance
from listener.desk.clearance import Price
from listener.log import logger
from listener.store import Store, Transaction, notice_links, notices, scheduled
from listener.store.notices import Notice
from listener.types import LinkCheck

log = logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Means:
    """What there is to judge by: who follows links (None: nobody), each account's prices, and what it may still spend.

    `left` leaves out the accounts that may spend what it takes.
    """

    check_links: Callable[[Sequence[str]], Sequence[LinkCheck]] | None = None
    prices: Callable[[Notice], Mapping[str, Price]] = lambda _notice: {}
    left: Callable[[Transaction, Notice], Mapping[str, float]] = field(default=lambda _tx, _notice: {})


def release(
    store: Store, means: Means, *, clock: Callable[[], datetime], stopping: Callable[[], bool] = lambda: False
) -> int:
    """Lets what is due go out; gives how many notices began to."""
    with store.read() as tx:
        due = scheduled.due(tx, clock())
    begun = 0
    for notice in due:
        if stopping():
            break
        begun += _release(store, notice, means, clock)
    return begun


def _release(store: Store, notice: Notice, means: Means, clock: Callable[[], datetime]) -> bool:
    follows = means.check_links is not None
    urls = clearance.to_check(notice, clock()) if means.check_links else []
    checks = means.check_links(urls) if means.check_links and urls else ()
    prices = means.prices(notice)
    with store.write() as tx:
        now = clock()
        notice_links.record(tx, notice.id, checks, now)
        fresh = notices.get(tx, notice.id)
        why = "; ".join(clearance.obstacles(fresh, prices, means.left(tx, fresh), follows_links=follows))
        if why:
            scheduled.hold(tx, fresh, why, now)
            begun = False
        else:
            begun = scheduled.begin(tx, fresh, now)
    if begun:
        log.info("A notice goes out, as scheduled.", action="released", notice=notice.id)
    elif why and why != notice.held:
        log.warning("A notice is held although it is due.", action="held", notice=notice.id, reason=why)
    return begun
