"""What an agent may offer a customer. The policy says; nothing of it is ever sent by itself."""

from __future__ import annotations

from datetime import datetime

from listener.contract import Policy
from listener.desk import standing
from listener.store import Transaction
from listener.store.customers import Customer
from listener.types import Offer

MARKETING = "marketing"


def for_customer(tx: Transaction, policy: Policy, customer: Customer, now: datetime) -> tuple[Offer, ...]:
    """The offers that fit the customer, in the order of the policy; none for who took their consent to marketing back.

    Who allows it on one channel and refused it on another is offered what fits: the agent sees which way is barred.
    """
    seen = standing.view(tx, customer, now, fields=None)
    if MARKETING in seen.refused and MARKETING not in seen.consent:
        return ()
    return policy.offers(seen, now)
