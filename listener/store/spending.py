"""What the networks' calls have cost, by account, UTC day and kind of call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select

from listener.store import Transaction, upsert
from listener.store import tables as t
from listener.types import Charge, utc


def record(tx: Transaction, account: str, charges: Sequence[Charge], now: datetime) -> None:
    """Adds charges to the account's UTC day."""
    columns = t.spending.c
    for charge in charges:
        statement = upsert(tx, t.spending).values(
            account=account, day=utc(now).date(), call=charge.call, units=charge.units, usd=charge.usd
        )
        more = {"units": columns.units + charge.units, "usd": columns.usd + charge.usd}
        tx.execute(statement.on_conflict_do_update(index_elements=["account", "day", "call"], set_=more))


def by_day(tx: Transaction, account: str, now: datetime) -> tuple[float, float, float]:
    """USD spent by the account on this UTC day, on the day before, and in this UTC month.

    After a clock was set back, what later days of the month have cost still counts for the month.
    """
    columns = t.spending.c
    today = utc(now).date()
    first = today.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)

    def between(start: object, end: object) -> float:
        where = (columns.account == account, columns.day >= start, columns.day < end)
        return float(tx.scalar(select(func.sum(columns.usd)).where(*where)) or 0.0)

    day = timedelta(days=1)
    return between(today, today + day), between(today - day, today), between(first, following)


def calls(tx: Transaction, account: str, now: datetime) -> list[Charge]:
    """What this UTC month's calls of the account have cost, dearest first."""
    columns = t.spending.c
    first = utc(now).date().replace(day=1)
    usd = func.sum(columns.usd)
    query = (
        select(columns.call, func.sum(columns.units), usd)
        .where(columns.account == account, columns.day >= first)
        .group_by(columns.call)
        .order_by(usd.desc(), columns.call)
    )
    return [Charge(call=call, units=int(units), usd=float(cost)) for call, units, cost in tx.execute(query)]


def accounts(tx: Transaction) -> list[str]:
    """The accounts that ever cost something, by name."""
    return list(tx.scalars(select(t.spending.c.account).distinct().order_by(t.spending.c.account)))
