"""How a customer stands with us, by record, contracts and payments: for a decision, and for a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from listener.desk import records
from listener.desk.records import Way
from listener.store import Transaction, cases, consents, contacts, customer_notes, holdings
from listener.store.consents import Consent
from listener.store.customer_notes import Note
from listener.store.customers import Customer
from listener.store.holdings import Contract, Payments

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
        open_cases=cases.open_count(tx, customer.id),
        payments=holdings.payments(tx, customer.id),
        contracts=contracts,
        open_contracts=tuple(contract for contract in contracts if contract.is_open(today)),
        products=holdings.products(tx, customer.id),
        contacts=tuple(records.ways(contacts.of(tx, customer.id), said)),
        consents=said,
        notes=tuple(customer_notes.of(tx, customer.id, limit=LAST_NOTES)),
    )


def tenure(customer: Customer, contracts: tuple[Contract, ...], today: date) -> int | None:
    """For how many days they are a customer: since the day on record, else since their first contract. Pure."""
    days = [customer.since] if customer.since else [each.begins_on for each in contracts if each.begins_on]
    return max(0, (today - min(days)).days) if days else None
