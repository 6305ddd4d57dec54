"""receive: what a CRM posts to us of its customers.

    prove who sent it | an event that came before is answered as it was | write its records | answer

The answer follows the commit: whoever gets a 2xx need not send it again, and whoever got none may. An event is taken
whole or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from listener.contract import Receives
from listener.desk import crm_records, doors
from listener.desk.crm_records import Taken
from listener.desk.crm_systems import System
from listener.errors import AuthFailed, EscuchaError, Outage, Rejected
from listener.sparing import Sparing
from listener.store import Store, crm_in, crm_ways
from listener.store.crm_ways import IN
from listener.types import CrmEvent

SAID = 10  # problems that a reply tells
COME_BACK = 30  # seconds after which a sender may try again

_sparing = Sparing()


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the sender gets: a status of HTTP and an object of JSON. `retry_after`: seconds, 0 where it is not asked."""

    status: int
    fields: Mapping[str, Any]
    retry_after: int = 0


class _Unusable(Exception):
    """Nothing of the event is kept."""

    def __init__(self, taken: Taken) -> None:
        self.taken = taken


def refused(status: int, sentence: str, **more: Any) -> Reply:
    """A reply that says in one sentence why not."""
    return Reply(status=status, fields={"error": sentence, **more}, retry_after=COME_BACK if status == 503 else 0)


def receive(
    store: Store, name: str, system: System, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> Reply:
    """What is answered to that post, after what it brought is committed."""
    try:
        crm = system.reach(IN)
        if not isinstance(crm, Receives) or not system.receives:
            return refused(404, f"Nothing is taken from {name} here.")
        words = doors.shown(headers.get("authorization", ""))
        let_in = bool(words) and doors.find(store, words, f"{doors.CRM}{name}", now)
        event = crm.receive(headers, body, let_in=let_in)
        reply = _store(store, name, crm.naming, event, digest=hashlib.sha256(body).hexdigest(), now=now)
    except AuthFailed as error:
        _sparing.warn(
            "A post to a CRM's address was not believed.", action="crm_refused", crm=name, now=now, reason=str(error)
        )
        return refused(401, str(error))
    except Rejected as error:
        return refused(400, str(error))
    except Outage as error:
        _sparing.warn("What a CRM sent could not be kept.", action="crm_late", crm=name, now=now, reason=str(error))
        return refused(503, "We cannot keep anything just now; send it again.")
    except EscuchaError as error:
        _sparing.warn("What a CRM sent could not be taken.", action="crm_late", crm=name, now=now, reason=str(error))
        return refused(503, "Our settings for this CRM cannot be used; send it again later.")
    return reply


def _store(store: Store, name: str, naming: Mapping[str, str], event: CrmEvent, *, digest: str, now: datetime) -> Reply:
    try:
        with store.write() as tx:
            if not crm_in.begin_event(tx, name, event.id, digest=digest, now=now):
                return _again(crm_in.outcome(tx, name, event.id), digest)
            taken = crm_records.take(tx, name, naming, event.records, by="daemon", now=now)
            if taken.unusable:
                raise _Unusable(taken)
            crm_in.end_event(tx, name, event.id, taken.counts())
            crm_ways.lock(tx, name, IN)
            crm_ways.worked(tx, name, IN, now=now)
    except _Unusable as unusable:
        count = unusable.taken.unusable
        records = "1 record" if count == 1 else f"{count} records"
        return refused(
            422,
            f"{records} cannot be used, so nothing of this was taken.",
            problems=[f"{record}: {why}" for record, why in islice(unusable.taken.problems.items(), SAID)],
        )
    return Reply(status=200, fields={**taken.counts(), "repeated": False})


def _again(before: tuple[str, dict[str, Any]] | None, digest: str) -> Reply:
    if before is None or before[0] != digest:
        return refused(409, "Something else came under this webhook-id before; give each event its own.")
    return Reply(status=200, fields={**before[1], "repeated": True})
