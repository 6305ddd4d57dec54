"""Whether a notice may go out as it stands: where its links lead, and what it costs. Pure.

Nothing here is of what it says: that is what an approval is of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from listener.desk.notices import links
from listener.store.notices import Delivery, Notice
from listener.types import DeliveryState, LinkState

FRESH = timedelta(minutes=1)  # for so long what came of a link is taken for what would come of it now
READABLE = timedelta(minutes=10)  # the same, for who only looks

Price = Callable[[str, int], float]  # of a text with so many pictures, in USD


def links_of(notice: Notice) -> list[str]:
    """Every link in it, in order, each once."""
    return list(dict.fromkeys(link for each in notice.deliveries for link in links(each.text)))


def to_check(notice: Notice, now: datetime, *, within: timedelta = FRESH) -> list[str]:
    """Its links of which nobody knows lately what comes of following them. A time to come counts as none."""
    known = {each.url for each in notice.links if timedelta(0) <= now - each.checked_at <= within}
    return [link for link in links_of(notice) if link not in known]


def broken(notice: Notice) -> list[str]:
    """A sentence's beginning for each link that leads nowhere."""
    mine = links_of(notice)
    return [
        f"the link {each.url} {each.detail}"
        for each in notice.links
        if each.state is LinkState.BROKEN and each.url in mine
    ]


def cost(delivery: Delivery, notice: Notice, prices: Mapping[str, Price]) -> float:
    """What it costs to send that, in USD."""
    price = prices.get(delivery.account)
    return price(delivery.text, len(notice.images) if delivery.images else 0) if price else 0.0


def costs(notice: Notice, prices: Mapping[str, Price]) -> dict[str, float]:
    """What sending what is not out costs on each account that asks for money."""
    found: dict[str, float] = {}
    for each in notice.deliveries:
        if each.state is not DeliveryState.SENT and (usd := cost(each, notice, prices)):
            found[each.account] = found.get(each.account, 0.0) + usd
    return found


def dollars(usd: float) -> str:
    """`0.015 USD`, `0.20 USD`: as exact as prices are."""
    exact = f"{usd:.3f}"
    return f"{exact.removesuffix('0')} USD"


def short(costs: Mapping[str, float], left: Mapping[str, float]) -> list[str]:
    """A sentence's beginning for each account that has less money left than it takes."""
    return [
        f"it costs {dollars(usd)} on {account}, which may spend {max(0.0, left[account]):.2f} USD now"
        for account, usd in costs.items()
        if usd > left.get(account, math.inf) + 1e-9
    ]


def obstacles(
    notice: Notice, prices: Mapping[str, Price], left: Mapping[str, float], *, follows_links: bool = True
) -> list[str]:
    """Why it should not go out just now, each the beginning of a sentence; empty when nothing is in the way.

    `follows_links`: whether anybody does; what came of them long ago says nothing.
    """
    return [*(broken(notice) if follows_links else ()), *short(costs(notice, prices), left)]
