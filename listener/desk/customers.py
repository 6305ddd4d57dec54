"""Whose an account is: who may be linked, on what grounds, and what a link changes."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from listener.errors import AlreadyDone, Mistake
from listener.escapes import visible
from listener.store import Transaction, cases, customers, handles, links
from listener.store.cases import Case
from listener.store.customers import Customer
from listener.store.links import Claim
from listener.types import LinkBasis

MAX_HANDLE = 300


def behind(tx: Transaction, account_id: int, network: str, handle: str, now: datetime) -> Customer | None:
    """The customer whose account this is, None when nobody knows.

    An account that a customer was expected to have becomes a link at this moment, and its live cases become theirs.
    """
    links.steady(tx)
    customer = customers.behind(tx, account_id)
    if customer is None:
        customer = links.come_true(tx, account_id, network, handle, now)
        if customer is not None:
            cases.give_customer(tx, account_id=account_id, customer_id=customer.id, by=links.DAEMON, now=now)
    return customer


@dataclass(frozen=True, kw_only=True)
class Linked:
    """What came of a link: whether the account was heard already, and the live cases that are the customer's now."""

    heard: bool
    cases: tuple[Case, ...] = ()


def check_handle(handle: str) -> str:
    """The handle without its @. Raises Mistake where it cannot be one."""
    bare = unicodedata.normalize("NFC", handle).strip().removeprefix("@")
    if not bare:
        raise Mistake("The handle is empty.")
    if len(bare) > MAX_HANDLE or any(character.isspace() for character in bare) or visible(bare) != bare:
        raise Mistake(f"{visible(handle)[:60]!r} is no handle: it has spaces or hidden characters, or is too long.")
    return bare


def refusal(claim: Claim, *, network: str, linkable: bool, basis: LinkBasis, reference: str) -> str:
    """Why this account must not be linked to the customer of that reference, "" when it may.

    Where the network forbids matching people (`Facts.linkable`), only their own word counts.
    """
    if basis is LinkBasis.FORBIDDEN:
        return "`forbidden` is no ground for a link"
    if not linkable and basis is not LinkBasis.SELF_DECLARED:
        return (
            f"forbidden: {network} does not allow matching its people to records, "
            "unless they told us themselves (self_declared)"
        )
    if claim.owner not in ("", reference):
        is_theirs = "is expected to be" if claim.expected else "is"
        return f"it {is_theirs} customer {claim.owner}'s; unlink it there first"
    return ""


def link(
    tx: Transaction,
    customer: Customer,
    *,
    network: str,
    handle: str,
    basis: LinkBasis,
    evidence: str,
    linkable: bool,
    by: str,
    now: datetime,
) -> Linked:
    """Says that the account is the customer's: at once if it was heard, else as soon as it is.

    Its live cases that are nobody's become theirs; later decisions see the customer.
    Raises Mistake where that is forbidden, AlreadyDone where the account is somebody's.
    """
    links.alone(tx)
    customer = customers.ruling(tx, customer)
    bare = check_handle(handle)
    claim = links.claims(tx, network, [bare])[handles.fold(bare)]
    why_not = refusal(claim, network=network, linkable=linkable, basis=basis, reference=customer.reference)
    if why_not:
        kind = AlreadyDone if claim.owner not in ("", customer.reference) else Mistake
        raise kind(f"@{bare} on {network} cannot be linked: {why_not}.")
    if claim.owner == customer.reference:
        raise AlreadyDone(f"@{bare} on {network} is {customer.reference}'s already.")
    return tie(tx, customer, claim, network=network, basis=basis, evidence=evidence, by=by, now=now)


def link_heard(
    tx: Transaction,
    customer: Customer,
    *,
    account_id: int,
    network: str,
    handle: str,
    basis: LinkBasis,
    evidence: str,
    linkable: bool,
    by: str,
    now: datetime,
) -> Linked:
    """As `link`, for that very account, whatever others bear its handle by now."""
    owner = customers.behind(tx, account_id)
    claim = Claim(handle=handle, account_id=account_id, owner=owner.reference if owner else "")
    why_not = refusal(claim, network=network, linkable=linkable, basis=basis, reference=customer.reference)
    if why_not:
        raise Mistake(f"@{handle} on {network} cannot be linked: {why_not}.")
    return tie(tx, customer, claim, network=network, basis=basis, evidence=evidence, by=by, now=now)


def tie(
    tx: Transaction,
    customer: Customer,
    claim: Claim,
    *,
    network: str,
    basis: LinkBasis,
    evidence: str,
    by: str,
    now: datetime,
) -> Linked:
    """Links or expects, without asking again whether it may (`refusal` says); for whoever rules for the record."""
    customer = customers.ruling(tx, customer)
    if claim.account_id is None:
        told = [(network, claim.handle, customer)]
        links.expect(tx, told, basis=basis, evidence=evidence, by=by, now=now)
        return Linked(heard=False)
    links.add(tx, account_id=claim.account_id, customer=customer, basis=basis, evidence=evidence, by=by, now=now)
    given = cases.give_customer(tx, account_id=claim.account_id, customer_id=customer.id, by=by, now=now)
    return Linked(heard=True, cases=tuple(given))
