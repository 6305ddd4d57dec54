"""Two records of one person become one, and two again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from listener.desk import parting, unlinking
from listener.desk.parting import Parted
from listener.errors import AlreadyDone, Mistake
from listener.store import Transaction, cases, customers, links, merges
from listener.store.cases import Case
from listener.store.customers import Customer
from listener.store.merges import Merged
from listener.store.moves import Put


def merge(tx: Transaction, customer: Customer, other: Customer, *, by: str, now: datetime) -> Merged:
    """Says that both records are one person's: `customer` rules, and all that hung on `other` goes to it.

    Cases stay cases of their own. Raises Mistake for a record and itself, AlreadyDone where one is merged already.
    """
    links.alone(tx)
    if customer.id == other.id:
        raise Mistake(f"{customer.reference} cannot be merged with itself.")
    for each in (customer, other):
        into = customers.merged_into(tx, each)
        if into is not None:
            raise AlreadyDone(f"{each.reference} was merged into {into.reference} already; name that one.")
    return merges.merge(tx, customer, other, by=by, now=now)


@dataclass(frozen=True, kw_only=True)
class Unmerged:
    """What came of it. `left`: what was changed since; `stays`: by table, what came to the ruling one since."""

    customer: Customer
    other: Customer
    returned: tuple[Case, ...]
    parted: tuple[Parted, ...]
    left: tuple[Put, ...]
    stays: Mapping[str, int]


def unmerge(tx: Transaction, other: Customer, *, pattern: str, by: str, now: datetime) -> Unmerged:
    """Makes `other` a record of its own again, with all that it brought and what its accounts brought since.

    Raises Mistake where it was not merged, or where the record it was merged into was itself merged into a third.
    """
    links.alone(tx)
    customer = customers.merged_into(tx, other)
    if customer is None:
        raise Mistake(f"{other.reference} is merged into no other record.")
    further = customers.merged_into(tx, customer)
    if further is not None:
        raise Mistake(
            f"{customer.reference} was merged into {further.reference} since: `escucha customer unmerge "
            f"{customer.reference}` first."
        )
    why = f"{other.reference} is not {customer.reference}"
    merged_at = merges.merged_at(tx, customer, other)
    undone = merges.part(tx, customer, other, by=by, now=now)
    back = {put.key["id"] for put in undone.back if put.table == "cases"}
    for case in cases.of_linked_accounts(tx, customer_id=customer.id, linked_to=other.id, since=merged_at):
        back.add(cases.set_customer(tx, case, other.id, by=by, now=now, why=why).id)
    both = cases.ids_of(tx, [customer.id, other.id])
    parted = parting.part(tx, both, pattern=pattern, move_id=None, why=why, by=by, now=now)
    for link in links.of(tx, other):
        if link.account_id is not None:
            unlinking.forget(tx, link.account_id, customer, now)
    if any(put.table == "customers" for put in undone.back):  # the ruling record told of the other one
        for link in links.of(tx, customer):
            if link.account_id is not None:
                unlinking.forget(tx, link.account_id, customer, now, since=merged_at)
    returned = tuple(case for number in sorted(back) if (case := cases.by_id(tx, number)).customer_id == other.id)
    stays = merges.since(tx, customer, merged_at)
    return Unmerged(customer=customer, other=other, returned=returned, parted=parted, left=undone.left, stays=stays)
