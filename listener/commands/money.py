"""What the accounts have cost and may still cost, for `status`, `doctor` and whoever approves."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from listener import budget
from listener.budget import Use
from listener.commands import output
from listener.desk.purse import Level, Purse, Standing
from listener.errors import EscuchaError
from listener.store import Transaction, spending

if TYPE_CHECKING:
    from listener.commands.app import App

STOPPED = (Level.NO_READING, Level.NO_SENDING, Level.GONE)


def standings(app: App, tx: Transaction) -> list[Standing]:
    """How each account stands that has a budget or ever cost something, by name."""
    allowances = app.allowances
    limited = {name for name, allowance in allowances.items() if allowance.limited}
    names = sorted(limited | {name for name in spending.accounts(tx) if name in allowances})
    return [Purse(app.store, name, allowances[name], app.now).standing(tx) for name in names]


def why_broke(app: App, account: str) -> str | None:
    """Why nothing can be sent on that account for want of money; None where there is enough."""
    if account not in app.config.accounts or not app.allowances[account].limited:
        return None
    with app.store.read() as tx:
        return app.purse(account).standing(tx).refusal(Use.SENDING)


def spent(standing: Standing) -> str:
    """`1.20 of 5.00 USD today (2.40 by its end), 20.10 of 100.00 this month (31.00 by its end)`."""
    by_day, by_month = budget.projected(standing.spent, standing.at)
    today = _of(standing.spent.today, standing.allowance.day, "USD today", by_day)
    return f"{today}, {_of(standing.spent.month, standing.allowance.month, 'this month', by_month)}"


def _of(usd: float, limit: float | None, when: str, by_its_end: float) -> str:
    of_limit = "" if limit is None else f" of {limit:.2f}"
    return f"{usd:.2f}{of_limit} {when} ({by_its_end:.2f} by its end at this pace)"


def effect(standing: Standing) -> str:
    """What the money has slowed or stopped; empty where it has not."""
    match standing.level:
        case Level.ENOUGH:
            return ""
        case Level.SLOWED:
            return f"polled {standing.slower:.1f} times less often, so that it lasts"
        case Level.NO_READING:
            return "reading has stopped; answers still go out"
        case Level.NO_SENDING:
            return "reading and sending have stopped; what is approved waits"
        case Level.GONE:
            return "everything has stopped; what is approved waits"


def row(standing: Standing, now: datetime) -> str:
    """One line about one account."""
    what = effect(standing)
    since = f", since {output.ago(standing.since, now)}" if what and standing.since else ""
    return spent(standing) + (f"; {what}{since}" if what else "")


def trouble(app: App, standing: Standing) -> str | None:
    """What a person should know and do about an account without money; None where nothing has stopped."""
    if standing.level not in STOPPED:
        return None
    reason = _most(standing)
    found = (
        f"{reason[:1].upper()}{reason[1:]}. So {effect(standing)}. Raise accounts.{standing.account}.budget to go on."
    )
    network = app.config.accounts[standing.account].network
    if standing.level is Level.GONE and demands_looks(app, network):
        found = (
            f"What is deleted on {network} is NOT followed here any more, which its rules demand within a day. {found}"
        )
    return found


def _most(standing: Standing) -> str:
    """Why the most important of what has stopped has stopped."""
    refusals = (standing.refusal(use) for use in (Use.FOLLOWING, Use.SENDING, Use.READING))
    return next(refusal for refusal in refusals if refusal)


def demands_looks(app: App, network: str) -> bool:
    """Whether the network's rules demand that its posts be looked up again."""
    try:
        return bool(app.facts(network).rechecks)
    except EscuchaError:  # a network that is no longer there
        return False


def as_json(standing: Standing) -> dict[str, Any]:
    """The same for machines; the keys are listed in docs/operations.md."""
    by_day, by_month = budget.projected(standing.spent, standing.at)
    return {
        "account": standing.account,
        "spent_today": round(standing.spent.today, 6),
        "spent_this_month": round(standing.spent.month, 6),
        "projected_today": round(by_day, 6),
        "projected_this_month": round(by_month, 6),
        "budget_day": standing.allowance.day,
        "budget_month": standing.allowance.month,
        "reading_share": standing.allowance.reading,
        "level": standing.level.value,
        "since": standing.since,
        "slower": None if math.isinf(standing.slower) else round(standing.slower, 3),
    }
