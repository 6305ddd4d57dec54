"""A wrong link taken back, with what it brought: cases, mentions in them, what was decided with the record in view."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from listener.desk import customers as rules
from listener.desk import parting
from listener.desk.parting import Parted
from listener.errors import AlreadyDone, Mistake, NotFound
from listener.store import Transaction, cases, customers, erasing, handles, links, mentions, merges, moves
from listener.store.cases import Case
from listener.store.customers import Customer
from listener.store.links import Claim
from listener.store.moves import MoveKind, Put
from listener.types import LinkBasis


@dataclass(frozen=True, kw_only=True)
class Unlinked:
    """What came of it: cases that are the account's own again, mentions that left a case, cases left as they were.

    `again`: mentions whose drafts were withdrawn, for they were written with the customer's record in view.
    """

    returned: tuple[Case, ...] = ()
    parted: tuple[Parted, ...] = ()
    again: tuple[int, ...] = ()
    still_theirs: tuple[Case, ...] = ()


def unlink(
    tx: Transaction,
    customer: Customer,
    *,
    network: str,
    handle: str,
    pattern: str,
    by: str,
    now: datetime,
    keep_cases: bool = False,
) -> Unlinked:
    """Takes a link or an expectation back, and lets what the link brought into the customer's cases go back too.

    `keep_cases`: the link was right until now (the account changed hands); what was done under it stays as it is.
    Raises NotFound where there is no such link.
    """
    links.alone(tx)
    claim = _claim(tx, customer, network=network, handle=handle)
    if not links.remove(tx, claim=claim, network=network, customer=customer, by=by, now=now):
        bare = handles.fold(handle)
        raise NotFound(
            f"@{bare} on {network} is not linked to {customer.reference}; "
            f"see `escucha customer show {customer.reference}`."
        )
    if claim.account_id is None:
        return Unlinked()
    if keep_cases:
        theirs = [each for each in cases.listing(tx, customer_id=customer.id) if each.account_id == claim.account_id]
        return Unlinked(still_theirs=tuple(theirs))
    account_id = claim.account_id
    why = f"the account is not {customer.reference}'s"
    move_id = moves.begin(tx, MoveKind.UNLINK, customer_id=customer.id, account_id=account_id, by=by, now=now)
    touched = cases.of_account_and_customer(tx, account_id=account_id, customer_id=customer.id)
    returned = []
    for case in touched:
        if case.account_id == account_id:
            moves.keep(
                tx, move_id, "cases", {"id": case.id}, was={"customer_id": customer.id}, becomes={"customer_id": None}
            )
            returned.append(cases.set_customer(tx, case, None, by=by, now=now, why=why))
    parted = parting.part(tx, [case.id for case in touched], pattern=pattern, move_id=move_id, why=why, by=by, now=now)
    return Unlinked(returned=tuple(returned), parted=parted, again=forget(tx, account_id, customer, now))


def forget(
    tx: Transaction, account_id: int, customer: Customer, now: datetime, *, since: datetime | None = None
) -> tuple[int, ...]:
    """Empties what decisions about the account saw of the customer; gives the mentions that are decided once more."""
    references = [each.reference for each in merges.family(tx, customer)]
    again = erasing.unsee(tx, account_id=account_id, references=references, since=since, now=now)
    for number in again:
        mentions.decide_again(tx, number)
    return again


@dataclass(frozen=True, kw_only=True)
class Relinked:
    """What came of it: the cases that are the customer's again, and what could not be put back."""

    basis: LinkBasis
    cases: tuple[Case, ...] = ()
    left: tuple[Put, ...] = ()


def relink(
    tx: Transaction, customer: Customer, *, network: str, handle: str, pattern: str, by: str, now: datetime
) -> Relinked:
    """Puts back a link that was taken back, as it was, with its cases, where they are still as they were left then.

    Raises NotFound where nobody took such a link back, AlreadyDone where the account is somebody's.
    """
    links.alone(tx)
    claim = _claim(tx, customer, network=network, handle=handle)
    bare = handles.fold(handle)
    if claim.owner:
        raise AlreadyDone(f"@{bare} on {network} is customer {claim.owner}'s.")
    link = None if claim.account_id is None else links.taken_back(tx, customer, claim.account_id)
    if claim.account_id is None or link is None:
        raise NotFound(
            f"@{bare} on {network} was not linked to {customer.reference} before; `escucha customer link` does that."
        )
    why = f"the account is {customer.reference}'s after all"
    links.put_back(tx, link, customer=customer, by=by, now=now)
    left: list[Put] = []
    touched: list[int] = []
    family = [each.id for each in merges.family(tx, customer)]
    move = moves.last(tx, MoveKind.UNLINK, customer_ids=family, account_id=claim.account_id)
    undone = moves.undo(tx, move, by=by, now=now, but=["cases", "case_mentions"]) if move else moves.Undone()
    for put in sorted(undone.back, key=lambda put: put.table != "cases"):  # whose they are, before who is in them
        if put.table == "cases":
            case = cases.by_id(tx, put.key["id"])
            touched.append(cases.set_customer(tx, case, customer.id, by=by, now=now, why=why).id)
            continue
        came_from, now_in = cases.by_id(tx, put.was), cases.by_id(tx, put.becomes)
        if came_from.customer_id == customer.id:
            cases.move_mention(tx, put.key["mention_id"], now_in, came_from, why=why, by=by, now=now)
            touched.append(came_from.id)
            parting.close_empty(tx, now_in, why=why, by=by, now=now)
        else:
            left.append(put)
    given = cases.give_customer(tx, account_id=claim.account_id, customer_id=customer.id, by=by, now=now)
    parting.part(tx, touched, pattern=pattern, move_id=None, why=why, by=by, now=now)
    numbers = sorted({*touched, *(case.id for case in given)})
    theirs = [case for number in numbers if (case := cases.by_id(tx, number)).customer_id == customer.id]
    return Relinked(basis=link.basis, cases=tuple(theirs), left=(*undone.left, *left))


def _claim(tx: Transaction, customer: Customer, *, network: str, handle: str) -> Claim:
    if customers.merged_into(tx, customer) is not None:
        ruling = customers.ruling(tx, customer)
        raise Mistake(f"{customer.reference} was merged into {ruling.reference}; name that one.")
    bare = rules.check_handle(handle)
    return links.claims(tx, network, [bare])[handles.fold(bare)]
