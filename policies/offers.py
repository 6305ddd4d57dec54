"""What an agent may offer a customer: the offers of a policy whose `when` holds for the record."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import cast

from listener.types import CustomerView, Offer, Situation
from policies.calendars import Hours, local_time
from policies.conditions import Seen, compile_when
from policies.schema import PolicyFile


class Offers:
    """The offers of a policy file, compiled once."""

    def __init__(self, file: PolicyFile, hours: Hours) -> None:
        self._made = [(name, offer, compile_when(offer.when, hours)) for name, offer in file.offers.items()]
        self._language = file.language
        self._zone = hours.zone

    def to(self, customer: CustomerView, now: datetime) -> tuple[Offer, ...]:
        """Those that fit the customer now, in the order of the file; `because` names what made each fit."""
        # The file's check lets an offer ask for nothing but the customer and the time.
        seen = Seen(situation=cast("Situation", SimpleNamespace(customer=customer, now=now)), words="")
        today = local_time(now, self._zone).date()
        return tuple(
            Offer(
                name=name,
                text=self._said(dict(offer.text), customer.language),
                because=offer.because or "; ".join(f"{each.name} {each.wanted}" for each in when.conditions),
            )
            for name, offer, when in self._made
            if (offer.until is None or today <= offer.until) and when.failure(seen) is None
        )

    def _said(self, texts: dict[str, str], language: str) -> str:
        return texts.get(language) or texts.get(self._language) or next(iter(texts.values()))
