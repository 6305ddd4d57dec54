"""A case as a part of another: an incident, and the cases of those whom it hits."""

from __future__ import annotations

from datetime import datetime

from listener.errors import AlreadyDone, Mistake
from listener.store import Transaction
from listener.store import cases as store
from listener.store.cases import Case


def set_parent(tx: Transaction, case: Case, parent: Case, *, by: str, now: datetime) -> Case:
    """Makes the case a part of the other. Raises AlreadyDone where it is, Mistake where it cannot be.

    There is one level only: a part has no parts.
    """
    held = {each: store.hold(tx, each) for each in sorted({case.id, parent.id})}
    case, parent = held[case.id], held[parent.id]
    if case.id == parent.id:
        raise Mistake(f"{case.reference} cannot be a part of itself.")
    if case.parent_id == parent.id:
        raise AlreadyDone(f"{case.reference} is a part of {parent.reference} already.")
    if case.merged_into is not None:
        raise Mistake(f"{case.reference} is merged into {case.merged_reference}.")
    if parent.state not in store.LIVE:
        raise Mistake(f"{parent.reference} is {parent.state}; `escucha case reopen {parent.reference}` first.")
    if parent.parent_id is not None:
        raise Mistake(f"{parent.reference} is itself a part of {parent.parent_reference}; name that one.")
    if store.with_parts(tx, [case.id]):
        raise Mistake(f"{case.reference} has parts of its own, and so cannot be a part.")
    if case.parent_reference:
        store.event(tx, store.by_id(tx, case.parent_id or 0), "part_left", by, now, part=case.reference)
    store.event(tx, parent, "part", by, now, part=case.reference)
    return store.record(tx, case, "part_of", by=by, now=now, became={"parent_id": parent.id}, parent=parent.reference)


def leave_parent(tx: Transaction, case: Case, *, by: str, now: datetime) -> Case:
    """Makes it a case for itself. Raises AlreadyDone where it is."""
    case = store.hold(tx, case.id)
    if case.parent_id is None:
        raise AlreadyDone(f"{case.reference} is a part of nothing.")
    store.event(tx, store.by_id(tx, case.parent_id), "part_left", by, now, part=case.reference)
    told = {"parent": case.parent_reference}
    return store.record(tx, case, "part_no_more", by=by, now=now, became={"parent_id": None}, **told)


def tell(tx: Transaction, parent: Case, *, by: str, now: datetime, note: str = "") -> list[Case]:
    """Tells the live parts of a case how it stands now, which changes nothing in them; gives those."""
    live = [part for part in store.parts(tx, parent) if part.state in store.LIVE]
    told = {"parent": parent.reference, "state": parent.state.value, **({"note": note} if note else {})}
    store.events(tx, live, "parent_moved", by, now, **told)
    return live
