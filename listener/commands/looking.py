"""Looks at customers: each is written into the audit log, and whoever need not see what is personal does not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from listener.commands import permitted
from listener.commands.app import App
from listener.commands.output import MASK

if TYPE_CHECKING:
    from listener.desk.standing import Standing
    from listener.store.customers import Customer
    from listener.store.links import Link
    from listener.store.suggestions import Suggestion
    from listener.types import Offer

OWED = ("arrears", "arrears_days", "contracts", "fields")  # of what a policy knows of a customer
_ASKED = tuple(f"customer.{name}" for name in OWED)
_REACHED = re.compile(r"\S+@\S+\.\w+|https?://\S+|\+?\d[\d ().-]{5,}\d")  # an address or a number, in a sentence


def at(app: App, subjects: Iterable[str], *, reason: str = "") -> None:
    """Writes down that a person looked at those (`customer C-1`), before they do; `reason`: on what occasion.

    Raises Outage where it cannot be written down: then there is nothing to look at either.
    """
    from listener.store import audit

    why = {"reason": reason} if reason else {}
    entries = [
        audit.Entry(at=app.now(), by=app.actor, action="looked", subject=subject, detail=dict(why))
        for subject in dict.fromkeys(subjects)
    ]
    if entries:
        with app.store.write() as tx:
            audit.record_all(tx, entries)


def masks(app: App) -> bool:
    """Whether whoever acts sees customers without what is personal in their records."""
    user = app.acting.user
    return user is not None and not permitted.may(user, permitted.SEES_PERSONS)


def masked(app: App, customer: Customer) -> Customer:
    """The customer as whoever acts may see them: without address, number and imported fields, where that is so."""
    if not masks(app):
        return customer
    return replace(
        customer,
        email=customer.email and MASK,
        phone=customer.phone and MASK,
        fields=dict.fromkeys(customer.fields, MASK),
    )


def masked_standing(app: App, stands: Standing) -> Standing:
    """How a customer stands, as whoever acts may see it: without what they owe, have and are reached by, or so."""
    if not masks(app):
        return stands
    hidden = [replace(way, point=replace(way.point, value=MASK, written=MASK)) for way in stands.contacts]
    return replace(
        stands,
        customer=masked(app, stands.customer),
        payments=None,
        contracts=(),
        open_contracts=(),
        contacts=tuple(hidden),
        notes=(),
    )


def masked_offers(app: App, offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """What may be offered, without what they owe or have where it is the reason."""
    hidden = masks(app)
    return tuple(replace(each, because=MASK) if hidden and _tells(each.because) else each for each in offers)


def masked_suggestions(app: App, found: Iterable[Suggestion]) -> list[Suggestion]:
    """Who may be whom, without the addresses and numbers that speak for it, for whoever need not see them."""
    if not masks(app):
        return list(found)
    return [
        replace(each, reasons=tuple(replace(one, text=_REACHED.sub(MASK, one.text)) for one in each.reasons))
        for each in found
    ]


def masked_links(app: App, links: Iterable[Link]) -> list[Link]:
    """Whose accounts they are, without the addresses and numbers in the evidence, for whoever need not see them."""
    hidden = masks(app)
    return [replace(each, evidence=_REACHED.sub(MASK, each.evidence)) if hidden else each for each in links]


def masked_trace(app: App, trace: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a decision, without what its rules saw of what the customer owes and has."""
    if not masks(app):
        return trace
    saw = dict(trace.get("saw") or {})
    if isinstance(saw.get("customer"), Mapping):
        saw["customer"] = {name: MASK if name in OWED and each else each for name, each in saw["customer"].items()}
    return {**trace, "saw": saw, "rules": [_masked_rule(rule) for rule in trace.get("rules", ())]}


def _masked_rule(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**rule, "saw": MASK} if _tells(f"{rule.get('condition')} {rule.get('saw')}") else rule


def masked_values(app: App, values: Sequence[str]) -> tuple[str, ...]:
    """`name value` of each condition that held, without the value where it tells what the customer owes or has."""
    hidden = masks(app)
    return tuple(f"{each.split(' ', 1)[0]} {MASK}" if hidden and _tells(each) else each for each in values)


def _tells(words: str) -> bool:
    return any(name in words for name in _ASKED)
