"""What a line says beside the record: payments, products, a contract, consent, further contact points."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from listener import reach
from listener.desk import field_values
from listener.desk.checks import check_contact
from listener.desk.field_values import Habits
from listener.errors import Mistake
from listener.escapes import visible
from listener.store import Transaction, consents, contacts, holdings
from listener.store.consents import Consent
from listener.store.holdings import Contract

MAX_PRODUCTS = 200
MAX_POINTS = 20


@dataclass(frozen=True, kw_only=True)
class More:
    """What the line says. `payment` holds the columns of the file alone; `products` is None where it has none.

    `consents` are (channel, purpose, given), `contacts` (kind, written).
    """

    payment: Mapping[str, object] = field(default_factory=dict)
    products: tuple[str, ...] | None = None
    contract: Contract | None = None
    consents: tuple[tuple[str, str, bool], ...] = ()
    contacts: tuple[tuple[str, str], ...] = ()


def read(told: Iterable[tuple[str, str, str]], habits: Habits) -> More | str:
    """What (kind, name, cell) say together, or everything that is wrong with them."""
    wrong: list[str] = []
    payment: dict[str, object] = {}
    contract: dict[str, str] = {}
    products: tuple[str, ...] | None = None
    consents: list[tuple[str, str, bool]] = []
    contacts: list[tuple[str, str]] = []
    listed = sorted(told, key=lambda each: each[:2] != ("payment", "currency"))  # the currency first
    for kind, name, cell in listed:
        try:
            if kind == "payment":
                _pay(payment, name, cell, habits)
            elif kind == "contract":
                contract[name] = cell
            elif kind == "products":
                products = _products(cell)
            elif kind == "consent" and cell:
                channel, _, purpose = name.partition(":")
                consents.append((channel, purpose, field_values.yes_or_no(cell)))
            elif kind == "contact":
                contacts += [(name, check_contact(name, each)) for each in re.split("[;|]", cell) if each.strip()]
        except Mistake as mistake:
            called = f"{kind}:{name}" if name else kind
            wrong.append(f"{called}: {str(mistake).rstrip('.')}")
    if len(contacts) > MAX_POINTS:
        wrong.append(f"it has {len(contacts)} contact points, more than {MAX_POINTS}")
    made: Contract | None = None
    try:
        made = _contract(contract, habits)
    except Mistake as mistake:
        wrong.append(f"contract: {str(mistake).rstrip('.')}")
    if wrong:
        return "; ".join(wrong)
    return More(
        payment=payment,
        products=products,
        contract=made,
        consents=tuple(consents),
        contacts=tuple(dict.fromkeys(contacts)),
    )


def differences(tx: Transaction, told: Mapping[int, More]) -> dict[int, tuple[str, ...]]:
    """What each line would change of what is stored, by customer id: `payments.arrears`, `products`, `contract`."""
    ids = list(told)
    payments, products = holdings.payments_among(tx, ids), holdings.products_among(tx, ids)
    contracts, said = holdings.contracts_among(tx, ids), consents.current_among(tx, ids)
    points = contacts.among(tx, ids) if any(more.contacts for more in told.values()) else set()
    where = contacts.country(tx)
    found: dict[int, tuple[str, ...]] = {}
    for number, more in told.items():
        before = payments.get(number, holdings.Payments())
        names = [f"payments.{name}" for name, value in more.payment.items() if getattr(before, name) != value]
        if more.products is not None and set(more.products) != products.get(number, set()):
            names.append("products")
        if more.contract and contracts.get((number, more.contract.reference)) != more.contract:
            names.append("contract")
        names += [
            f"consent {channel}:{purpose}"
            for channel, purpose, given in more.consents
            if said.get((number, channel, purpose)) is not given
        ]
        if any((number, kind, reach.compared(kind, each, country=where)) not in points for kind, each in more.contacts):
            names.append("contacts")
        found[number] = tuple(names)
    return found


def put(tx: Transaction, told: Mapping[int, tuple[str, More]], *, source: str, by: str, now: datetime) -> None:
    """Stores what lines say, by customer id with the reference. A consent that is on record already is not repeated."""
    holdings.put_payments(tx, [(number, more.payment) for number, (_, more) in told.items() if more.payment], now=now)
    had = {number: more.products for number, (_, more) in told.items() if more.products is not None}
    holdings.put_products(tx, had, now=now)
    holdings.put_contracts(
        tx, [(number, more.contract) for number, (_, more) in told.items() if more.contract], now=now
    )
    contacts.put_all(
        tx, [(number, kind, each) for number, (_, more) in told.items() for kind, each in more.contacts], now=now
    )
    said = [number for number, (_, more) in told.items() if more.consents]
    known = consents.current_among(tx, said) if said else {}
    fresh = [
        (number, reference, Consent(channel=channel, purpose=purpose, given=given, at=now, source=source, noted_by=by))
        for number, (reference, more) in told.items()
        for channel, purpose, given in more.consents
        if known.get((number, channel, purpose)) is not given
    ]
    consents.note(tx, fresh, now=now)


def _pay(payment: dict[str, object], name: str, cell: str, habits: Habits) -> None:
    if name == "currency":
        if cell and not re.fullmatch("[A-Za-z]{3}", cell):
            raise Mistake(f"{visible(cell)[:20]!r} is no currency; write three letters, such as EUR.")
        payment[name] = cell.upper()
    elif name in ("last_on", "arrears_since"):
        payment[name] = _day(cell, habits)
    else:
        payment[name] = _amount(payment, cell, habits)


def _amount(payment: dict[str, object], cell: str, habits: Habits) -> Decimal | None:
    if not cell:
        return None
    amount, currency = field_values.money(cell, habits, str(payment.get("currency", "")))
    if currency:
        payment["currency"] = currency
    return amount


def _products(cell: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(" ".join(name.split()) for name in re.split("[,;|]", cell) if name.strip()))
    if len(names) > MAX_PRODUCTS or any(len(name) > 200 or visible(name) != name for name in names):
        raise Mistake(f"There are more than {MAX_PRODUCTS}, or one is too long or has hidden characters.")
    return names


def _contract(said: Mapping[str, str], habits: Habits) -> Contract | None:
    if not any(said.values()):
        return None
    reference = " ".join(said.get("", "").split())
    if not reference or len(reference) > 100 or visible(reference) != reference:
        raise Mistake("Its reference is empty, has hidden characters, or more than 100 of them.")
    product = " ".join(said.get("product", "").split())
    if len(product) > 300 or visible(product) != product:
        raise Mistake("Its product is longer than 300 characters or has hidden ones.")
    begins, ends = (_day(said.get(name, ""), habits) for name in ("from", "until"))
    if begins and ends and ends < begins:
        raise Mistake(f"It ends on {ends}, before it begins on {begins}.")
    return Contract(reference=reference, product=product, begins_on=begins, ends_on=ends)


def _day(cell: str, habits: Habits) -> date | None:
    return field_values.day(cell, habits) if cell else None
