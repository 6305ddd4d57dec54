"""How a customer stands with us, by record, contracts and payments: for a decision, and for a person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from listener.desk import records
from listener.desk.records import Way
from listener.reach import KINDS
from listener.store import Transaction, case_counts, consents, contacts, customer_notes, field_types, holdings
from listener.store.consents import Consent
from listener.store.customer_notes import Note
from listener.store.customers import Customer
from listener.store.holdings import Contract, Payments
from listener.types import CustomerView

LAST_NOTES = 5


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One customer at one moment. `tenure_days` is None where nobody knows since when; `notes`: the newest first."""

    customer: Customer
    tenure_days: int | None
    open_cases: int
    payments: Payments | None
    contracts: tuple[Contract, ...]
    open_contracts: tuple[Contract, ...]
    products: tuple[str, ...]
    contacts: tuple[Way, ...]
    consents: tuple[Consent, ...]
    notes: tuple[Note, ...]


def of(tx: Transaction, customer: Customer, now: datetime) -> Standing:
    """Everything on record about the customer that an agent should have in front of them."""
    contracts = tuple(holdings.contracts(tx, customer.id))
    said = tuple(consents.current(tx, customer.id))
    today = now.date()
    return Standing(
        customer=customer,
        tenure_days=tenure(customer, contracts, today),
        open_cases=case_counts.open_count(tx, customer.id),
        payments=holdings.payments(tx, customer.id),
        contracts=contracts,
        open_contracts=tuple(contract for contract in contracts if contract.is_open(today)),
        products=holdings.products(tx, customer.id),
        contacts=tuple(records.ways(contacts.of(tx, customer.id), said)),
        consents=said,
        notes=tuple(customer_notes.of(tx, customer.id, limit=LAST_NOTES)),
    )


def view(
    tx: Transaction,
    customer: Customer,
    now: datetime,
    *,
    fields: Collection[str] | None,
    open_cases: int | None = None,
) -> CustomerView:
    """The customer as a policy sees them.

    `fields`: which further fields, in small letters, and what of their standing (`customer.arrears`); None: all of it.
    `open_cases`: how many they have, where that is known.
    """

    def asks(*names: str) -> bool:
        return fields is None or any(f"customer.{name}" in fields for name in names)

    contracts = tuple(holdings.contracts(tx, customer.id)) if asks("contracts", "tenure_days") else ()
    paid = holdings.payments(tx, customer.id) if asks("arrears", "arrears_days") else None
    said = consents.current(tx, customer.id) if asks("consent", "refused") else []
    today = now.date()
    seen = {name: value for name, value in customer.fields.items() if fields is None or name.casefold() in fields}
    types = field_types.all_of_them(tx) if seen else {}
    return CustomerView(
        reference=customer.reference,
        name=customer.name,
        tier=customer.tier,
        language=customer.language,
        tags=customer.tags,
        open_cases=case_counts.open_count(tx, customer.id) if open_cases is None else open_cases,
        fields=seen,
        types={name: types[name].kind.value for each in seen if (name := each.casefold()) in types},
        consent=words(said, given=True),
        refused=words(said, given=False),
        arrears=float(paid.arrears) if paid and paid.arrears is not None else None,
        arrears_days=_days_owed(paid, today),
        tenure_days=tenure(customer, contracts, today) if asks("tenure_days") else None,
        contracts=sum(contract.is_open(today) for contract in contracts),
        products=holdings.products(tx, customer.id) if asks("products") else (),
    )


def _days_owed(paid: Payments | None, today: date) -> int | None:
    if paid is None or not paid.arrears or paid.arrears_since is None:
        return None
    return max(0, (today - paid.arrears_since).days)


def words(said: Sequence[Consent], *, given: bool) -> tuple[str, ...]:
    """What is allowed, or refused: `mail:marketing` for each channel, and `marketing` where it is so on any. Pure."""
    found: dict[str, None] = {}
    for purpose in sorted({each.purpose for each in said}):
        channels = sorted({*KINDS, *(each.channel for each in said if each.purpose == purpose)} - {consents.ANY})
        so = [channel for channel in channels if consents.allows(said, channel=channel, purpose=purpose) is given]
        found |= dict.fromkeys([purpose] if so else [])
        found |= dict.fromkeys(f"{channel}:{purpose}" for channel in so)
    return tuple(found)


def tenure(customer: Customer, contracts: tuple[Contract, ...], today: date) -> int | None:
    """For how many days they are a customer: since the day on record, else since their first contract. Pure."""
    days = [customer.since] if customer.since else [each.begins_on for each in contracts if each.begins_on]
    return max(0, (today - min(days)).days) if days else None
