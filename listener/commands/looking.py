"""Looks at customers: each is written into the audit log, and whoever need not see what is personal does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from listener.commands import permitted
from listener.commands.app import App
from listener.commands.output import MASK

if TYPE_CHECKING:
    from listener.desk.standing import Standing
    from listener.store.customers import Customer


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
