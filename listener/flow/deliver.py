"""deliver: tell the CRMs how cases and customers stand here.

For each CRM, by whoever claims the delivery first:

    claim one, put together what it says | hand it over | write down what came of it

At least once: a delivery whose fate nobody knows is handed over again, with the same words under the same key, for up
to a week; what is refused for good waits for a person. Pauses hold nothing of it: nobody is answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from listener.contract import Delivers
from listener.desk import crm_news, handing_over
from listener.desk.crm_systems import System
from listener.errors import AuthFailed, EscuchaError, Outage, Rejected
from listener.log import logger
from listener.store import Store, crm_out, crm_ways
from listener.store.crm_out import PATIENCE, Delivery
from listener.store.crm_ways import OUT
from listener.types import CrmDelivery

log = logger(__name__)

SUSPICIOUS = 3  # refusals in a row after which the CRM rests: it may be more than these that is wrong


@dataclass(kw_only=True)
class Delivered:
    """What one round for one CRM did. `why` is the last failure's reason."""

    system: str
    sent: int = 0
    failed: int = 0
    why: str = ""


def deliver(
    store: Store,
    name: str,
    system: System,
    *,
    clock: Callable[[], datetime],
    stopping: Callable[[], bool] = lambda: False,
    at_once: bool = False,
) -> Delivered:
    """Tells the CRM what waits for it, until nothing is due, it must rest, or `stopping()`.

    `at_once`: also while it rests.
    """
    done = Delivered(system=name)
    while not stopping() and (delivery := _claim(store, name, system, clock(), at_once=at_once)):
        try:
            crm = system.reach(OUT)
            if not isinstance(crm, Delivers):
                raise Rejected(f"{name} takes nothing by its settings")
            remark = crm.deliver(CrmDelivery(key=delivery.send_key, fields=delivery.fields or {}))
        except Outage:
            raise
        except Exception as error:
            if not isinstance(error, EscuchaError):
                log.exception("Telling a CRM broke.", action="crm_bug", crm=name)
            if isinstance(error, AuthFailed):
                system.leave(OUT)
            done.failed += 1
            done.why = handing_over.told(error)
            if _failed(store, delivery, error, quiet=at_once, now=clock()):
                break
        else:
            with store.write() as tx:
                if crm_out.sent(tx, delivery, remark=remark, now=clock()):
                    log.info("The CRM takes news again.", action="crm_up", crm=name)
            done.sent += 1
    return done


def _claim(store: Store, name: str, system: System, now: datetime, *, at_once: bool) -> Delivery | None:
    with store.read() as tx:
        if not at_once and not crm_out.due(tx, name, now=now):
            return None
    with store.write() as tx:
        claimed = crm_out.claim(tx, name, now=now, at_once=at_once)
        if claimed is None or claimed.fields is not None:
            return claimed
        fields = crm_news.put_together(tx, claimed, crm_out.happened(tx, claimed), texts=system.texts)
        crm_out.put_together(tx, claimed, fields)
        return crm_out.get(tx, claimed.id)


def _failed(store: Store, delivery: Delivery, error: Exception, *, quiet: bool, now: datetime) -> bool:
    """Writes down what came of it; whether the CRM rests now. A single refusal says nothing against the others."""
    with store.write() as tx:
        failures, _ = crm_ways.failed(tx, delivery.system, OUT, error=handing_over.told(error), now=now)
        then = handing_over.after(
            error,
            failures=failures,
            attempts=delivery.attempts,
            first_tried_at=delivery.first_tried_at,
            patience=PATIENCE,
            for_so_long="a week",
            now=now,
        )
        rests = not isinstance(error, Rejected) or failures >= SUSPICIOUS
        if rests:
            crm_ways.rest(tx, delivery.system, OUT, until=then.rests_until)
        crm_out.not_sent(tx, delivery, reason=then.reason, again=then.again, now=now)
    if failures == 1 and not quiet:
        log.warning("A CRM was not told.", action="crm_down", crm=delivery.system, reason=then.reason)
    return rests
