"""Where the links of a notice lead and what it costs, asked now and told in lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from listener.budget import Use
from listener.commands import output
from listener.commands.app import App
from listener.desk import clearance
from listener.errors import EscuchaError
from listener.types import LinkState

if TYPE_CHECKING:
    from listener.desk.clearance import Price
    from listener.store.notices import Notice

no_link_check = click.option("--no-link-check", "no_link_check", is_flag=True, help="Do not follow its links now.")
MARKS = {LinkState.FINE: "✓", LinkState.DOUBTFUL: "!", LinkState.BROKEN: "✗"}


def with_links(app: App, notice: Notice, *, check: bool, within: timedelta = clearance.FRESH) -> Notice:
    """The notice with what comes of its links now, or came of them within that time; as it was where not to `check`."""
    from listener.store import notice_links, notices

    if not check or not app.config.notices.check_links:
        return notice
    if urls := clearance.to_check(notice, app.now(), within=within):
        checks = app.connectors.check_links(urls)
        with app.store.write() as tx:
            notice_links.record(tx, notice.id, checks, app.now())
            return notices.get(tx, notice.id)
    return notice


def links(notice: Notice, of: Iterable[str]) -> str:
    """Each of those links in a line, with what came of it."""
    known = {each.url: each for each in notice.links}
    lines = []
    for url in of:
        found = known.get(url)
        detail = "" if found is None or found.state is LinkState.FINE else f": {found.detail}"
        lines.append(f"{MARKS[found.state] if found else '?'} {url}{detail}")
    return "\n".join(lines)


def prices(app: App, notice: Notice) -> dict[str, Price]:
    """What posts cost on each account of it that asks for money."""
    found: dict[str, Price] = {}
    for account, network in {each.account: each.network for each in notice.deliveries}.items():
        try:
            price = app.facts(network).publish_price
        except EscuchaError:  # a network that is no longer there
            continue
        if price:
            found[account] = price
    return found


def money(app: App, costs: Mapping[str, float]) -> dict[str, float]:
    """What each of those accounts may still spend on sending, in USD; those without a budget are left out."""
    limited = [name for name in costs if name in app.allowances and app.allowances[name].limited]
    if not limited:
        return {}
    with app.store.read() as tx:
        return {name: app.purse(name).left(tx, Use.SENDING) for name in limited}


def cost_lines(costs: Mapping[str, float], left: Mapping[str, float]) -> str:
    """`brand: 0.43 USD, of 2.10 that it may spend now`, a line for each account that asks for money."""
    lines = []
    for account, usd in costs.items():
        may = f", of {max(0.0, left[account]):.2f} that it may spend now" if account in left else ""
        lines.append(f"{account}: {clearance.dollars(usd)}{may}")
    return "\n".join(lines)


def warn_of_links(notice: Notice) -> None:
    """Says on standard error which links do not lead where they should."""
    mine = set(clearance.links_of(notice))
    for each in notice.links:
        if each.url in mine and each.state is not LinkState.FINE:
            output.complain(f"{MARKS[each.state]} The link {each.url} {each.detail}.")
