"""What a CRM is told of a case or a customer: how it stands, and what happened since it was last told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from listener.errors import NotFound
from listener.store import Transaction, cases, crm_in, customers, merges
from listener.store.cases import Case
from listener.store.crm_out import Delivery
from listener.store.customers import Customer

VERSION = 1  # of the fields; it changes where one of them goes or means something else


def put_together(
    tx: Transaction, delivery: Delivery, happened: Sequence[tuple[str, datetime]], *, texts: bool
) -> dict[str, Any]:
    """What it says, as docs/crm.md describes it. `case` or `customer` is null where there is none any more.

    What people wrote is in it only with `texts`.
    """
    kind, _, reference = delivery.subject.partition(" ")
    about: dict[str, Any] | None
    if kind == "case":
        about = _about_case(tx, delivery.system, reference, texts=texts)
    else:
        about = _about_customer(tx, delivery.system, reference)
    return {
        "version": VERSION,
        "key": delivery.send_key,
        "kind": kind,
        "reference": reference,
        "events": [{"kind": what, "at": _written(at)} for what, at in happened],
        kind: about,
    }


def _about_case(tx: Transaction, system: str, reference: str, *, texts: bool) -> dict[str, Any] | None:
    try:
        case = cases.get(tx, reference)
    except NotFound:
        return None
    told: dict[str, Any] = {
        "reference": case.reference,
        "state": case.state.value,
        "team": case.team,
        "urgency": case.urgency.value,
        "network": case.network,
        "customer": _whose(tx, system, case),
    }
    times = ("opened_at", "changed_at", "first_response_due", "first_response_at", "resolution_due", "resolved_at")
    told |= {name: _written(getattr(case, name)) for name in times}
    if texts:
        told |= {"title": case.title, "said": cases.last_words(tx, [case]).get(case.id, "")}
    return told


def _whose(tx: Transaction, system: str, case: Case) -> dict[str, Any] | None:
    if case.customer_id is None:
        return None
    return {"reference": case.customer_reference, "id": _their_id(tx, system, case.customer_id)}


def _about_customer(tx: Transaction, system: str, reference: str) -> dict[str, Any] | None:
    try:
        found: Customer = customers.get(tx, reference)
    except NotFound:
        return None
    same = ("reference", "name", "email", "phone", "language", "tier", "fields")
    return {
        **{name: getattr(found, name) for name in same},
        "tags": list(found.tags),
        "id": _their_id(tx, system, found.id),
        "since": found.since.isoformat() if found.since else None,
        "changed_at": _written(found.changed_at),
    }


def _their_id(tx: Transaction, system: str, customer_id: int) -> str | None:
    """The CRM's own id of them, or of a record merged into theirs; None where it never gave them or deleted them."""
    for each in merges.family(tx, customers.by_id(tx, customer_id)):
        for name, known in crm_in.of_customer(tx, each.id):
            if name == system and known.gone_at is None:
                return known.record
    return None


def _written(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None
