"""Who may be whom: accounts and records that share something, put before a person with what speaks for it.

Nothing is joined here but one thing that is proven: a mail whose sender is proven, from an address that somebody
verified on one single record. Where a network forbids matching its people to records (`Facts.linkable`), nobody is
compared.

A step compares so many accounts and so many records, in a round that never ends: accounts never compared, or whose
profile says something new, come first, and each comes again a day later, for records change too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from listener import reach
from listener.desk import customers as rules
from listener.desk import merging
from listener.errors import AlreadyDone
from listener.store import Transaction, cases, codes, customers, handles, links, suggestions
from listener.store.customers import Customer
from listener.store.suggestions import Reason, Standing, Stranger, Strength, Suggestion
from listener.types import Contact, ContactKind, LinkBasis, LinkCode

ACCOUNTS, RECORDS = 200, 500  # compared in one step
AGAIN = timedelta(days=1)
CROWD = 3  # an address that more records share is an office's, or a family's, and tells nothing

_KINDS = {ContactKind.MAIL: reach.MAIL, ContactKind.PHONE: reach.PHONE, ContactKind.SITE: reach.SITE}
_NAMES = {ContactKind.MAIL: "address", ContactKind.PHONE: "number", ContactKind.SITE: "site"}


def step(tx: Transaction, *, networks: Iterable[str], linkable: Callable[[str], bool], now: datetime) -> int:
    """Compares the next accounts and records; gives how many suggestions are new. `networks`: whose facts are known."""
    links.alone(tx)
    allowed = [network for network in networks if linkable(network)]
    numbers = suggestions.next_accounts(tx, before=now - AGAIN, now=now, limit=ACCOUNTS)
    accounts = suggestions.strangers(tx, numbers, allowed) if numbers else []
    new = sum(_compare(tx, accounts, now)) if accounts else 0
    return new + _compare_records(tx, suggestions.next_records(tx, limit=RECORDS), now)


def _compare(tx: Transaction, accounts: Sequence[Stranger], now: datetime) -> Iterable[bool]:
    points = {account.id: list(_points(account)) for account in accounts}
    wanted: dict[str, set[str]] = {}
    for theirs in points.values():
        for kind, value, _ in theirs:
            wanted.setdefault(kind, set()).add(value)
    reached = {kind: suggestions.reached_at(tx, kind, values) for kind, values in wanted.items()}
    namesakes = suggestions.same_handle(tx, {account.handle for account in accounts})
    for account in accounts:
        found: dict[int, list[Reason]] = {}
        verified: list[int] = []
        for kind, value, contact in points[account.id]:
            records = reached[kind].get(value, [])
            for customer_id, is_verified in records if len(records) <= CROWD else ():
                found.setdefault(customer_id, []).append(_reason(tx, account, contact))
                if contact is None and kind == reach.MAIL and is_verified and len(records) == 1:
                    verified.append(customer_id)
        for customer_id, network, handle in namesakes.get(account.handle, ()):
            if network != account.network:
                text = f"their account on {network} has the same handle, @{handle}; anybody may take that"
                found.setdefault(customer_id, []).append(Reason(strength=Strength.WEAK, text=text))
        if len(verified) == 1 and _is_proven(tx, account, verified[0], now):
            continue
        for customer_id, reasons in found.items():
            if links.was_taken_back(tx, account_id=account.id, customer_id=customer_id):
                continue  # a person said that it is not theirs
            yield suggestions.suggest(tx, customer_id=customer_id, account_id=account.id, reasons=reasons, now=now)


def _points(account: Stranger) -> Iterable[tuple[str, str, Contact | None]]:
    """What a record may hold of the account: (kind, as it is compared, what the profile says; None: the account)."""
    if account.network == reach.MAIL:
        yield reach.MAIL, reach.compared(reach.MAIL, account.handle), None
    yield reach.ACCOUNT, reach.compared(reach.ACCOUNT, f"{account.network}:{handles.fold(account.handle)}"), None
    for contact in account.contacts:
        kind = _KINDS[contact.kind]
        yield kind, reach.compared(kind, contact.value), contact


def _reason(tx: Transaction, account: Stranger, contact: Contact | None) -> Reason:
    if contact is not None:
        named = f"the profile names the {_NAMES[contact.kind]} on file, {contact.value}"
        if contact.proven:
            text = f"{named}, and {account.network} has checked that it is theirs"
            return Reason(strength=Strength.STRONG, text=text)
        return Reason(strength=Strength.FAIR, text=f"{named}; anybody may write that there")
    if account.network != reach.MAIL:
        return Reason(strength=Strength.FAIR, text="the record names this account as a way to reach them")
    number = suggestions.proven_mail(tx, account.id)
    if number is None:
        text = "it writes from the address on file; nothing proves who sent that mail"
        return Reason(strength=Strength.FAIR, text=text)
    text = f"it writes from the address on file, and the mail server has proven the sender of M{number}"
    return Reason(strength=Strength.STRONG, text=text)


def _is_proven(tx: Transaction, account: Stranger, customer_id: int, now: datetime) -> bool:
    """Links an address that somebody verified on that one record, once a mail of it was proven; whether it was."""
    number = suggestions.proven_mail(tx, account.id)
    if number is None or links.was_taken_back(tx, account_id=account.id, customer_id=customer_id):
        return False
    customer = customers.by_id(tx, customer_id)
    evidence = f"the verified address on file; our mail server proved the sender of M{number}"
    if not links.add_unless(
        tx,
        account_id=account.id,
        customer=customer,
        basis=LinkBasis.VERIFIED,
        evidence=evidence,
        by=links.DAEMON,
        now=now,
    ):
        return False
    cases.give_customer(tx, account_id=account.id, customer_id=customer_id, by=links.DAEMON, now=now)
    return True


def _compare_records(tx: Transaction, records: Sequence[int], now: datetime) -> int:
    found: dict[tuple[int, int], list[Reason]] = {}
    shared: dict[tuple[int, str, str], set[int]] = {}
    rows = suggestions.shared_points(tx, records, [reach.MAIL, reach.PHONE]) if records else []
    for one, other, kind, written in rows:
        shared.setdefault((one, kind, written), set()).add(other)
    for one, other, kind, written in rows:
        if len(shared[one, kind, written]) < CROWD:
            what = "address" if kind == reach.MAIL else "number"
            text = f"both records have the {what} {written}; families share those too"
            found.setdefault((min(one, other), max(one, other)), []).append(Reason(strength=Strength.FAIR, text=text))
    return sum(
        suggestions.suggest(tx, customer_id=one, other_id=other, reasons=list(dict.fromkeys(reasons)), now=now)
        for (one, other), reasons in found.items()
    )


def copied_code(tx: Transaction, account_id: int, tried: codes.Tried, now: datetime) -> None:
    """Puts an account that wrote a code after somebody else had before a person."""
    if tried.outcome is not LinkCode.USED or tried.code_id is None:
        return
    issued = codes.by_id(tx, tried.code_id)
    customer = customers.ruling(tx, customers.by_id(tx, issued.customer_id))
    text = f"M{tried.mention_id} has the code that was used in M{issued.mention_id} before; who copied it?"
    reasons = [Reason(strength=Strength.WEAK, text=text)]
    suggestions.suggest(tx, customer_id=customer.id, account_id=account_id, reasons=reasons, now=now)


# --- what a person says ----------------------------------------------------------------------------------------------


def accept(
    tx: Transaction, number: int, *, linkable: Callable[[str], bool], by: str, now: datetime
) -> tuple[Suggestion, Customer]:
    """Links the account, or merges the records, with the reasons as evidence. Raises AlreadyDone, Mistake, NotFound."""
    links.alone(tx)
    suggestion = _take(tx, number, Standing.ACCEPTED, by=by, now=now)
    customer = customers.ruling(tx, customers.get(tx, suggestion.customer))
    if suggestion.network is None or suggestion.handle is None or suggestion.account_id is None:
        other = customers.get(tx, suggestion.other or "")
        merging.merge(tx, customer, other, by=by, now=now)
        return suggestion, customer
    evidence = "; ".join(reason.text for reason in suggestion.reasons)[:1000]
    rules.link_heard(
        tx,
        customer,
        account_id=suggestion.account_id,
        network=suggestion.network,
        handle=suggestion.handle,
        basis=LinkBasis.PUBLIC_EVIDENCE,
        evidence=evidence,
        linkable=linkable(suggestion.network),
        by=by,
        now=now,
    )
    return suggestion, customer


def refuse(tx: Transaction, number: int, *, by: str, now: datetime) -> Suggestion:
    """Says that they are not one person's: the two are not suggested again. Raises AlreadyDone, NotFound."""
    links.alone(tx)
    return _take(tx, number, Standing.REFUSED, by=by, now=now)


def _take(tx: Transaction, number: int, standing: Standing, *, by: str, now: datetime) -> Suggestion:
    suggestion = suggestions.get(tx, number)
    if not suggestions.decide(tx, suggestion, standing, by=by, now=now):
        again = suggestions.get(tx, number)
        raise AlreadyDone(f"Suggestion {number} was {again.state} by {again.decided_by} already.")
    return suggestion
