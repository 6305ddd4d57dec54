"""What one account has spent and may still spend. The arithmetic is in `listener.budget`."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from listener import budget
from listener.budget import Allowance, Spent, Use
from listener.contract import Connector, Metered
from listener.errors import Outage
from listener.log import logger
from listener.store import Store, Transaction, audit, sources, spending
from listener.store.sources import Source
from listener.types import Charge

WORTH_SAYING = 1.25  # slowed down by less than this is no news


class Level(StrEnum):
    """How far the money reaches, best first. The audit log has an entry `money.…` of the account for each change."""

    ENOUGH = "enough"
    SLOWED = "slowed"
    NO_READING = "no reading"
    NO_SENDING = "no sending"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one account stands with its money at one moment. `slower`: see `listener.budget`.

    `since` is when the level became what it is; None: it never changed.
    """

    account: str
    at: datetime
    allowance: Allowance
    spent: Spent
    slower: float
    level: Level
    since: datetime | None = None

    def refusal(self, use: Use) -> str | None:
        """Why nothing may be spent on that now, as the start of a sentence; None when it may."""
        again_at = budget.money_again_at(self.allowance, self.spent, use, self.at)
        if again_at is None:
            return None
        share = self.allowance.share(use)
        if again_at == budget.month_turns(self.at) and budget.month_is_gone(self.allowance, self.spent, use):
            spent, limit, when = self.spent.month, self.allowance.month, "this month"
        else:
            spent, limit, when = self.spent.today, self.allowance.day, "today"
        of_it = "" if share >= 1 else f", of which {use} may use {share:.0%}"
        return (
            f"the money of the account {self.account} is spent: {spent:.2f} of {limit or 0:.2f} USD {when}{of_it}; "
            f"more from {again_at:%d %B, %H:%M} UTC"
        )


class Purse:
    """One account's money. Safe to share between threads; an account that costs nothing costs no transaction either."""

    def __init__(self, store: Store, account: str, allowance: Allowance, clock: Callable[[], datetime]) -> None:
        self.account = account
        self.allowance = allowance
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._owed: list[Charge] = []
        self._level: Level | None = None

    def pay(self, connector: Connector, source: Source | None = None) -> None:
        """Writes down what the connector's calls have cost since the last time, and what a poll of `source` costs.

        To be called after every call, also one that failed: a crash in between loses that one call's cost. What the
        database does not take now is kept for the next time.
        """
        if not isinstance(connector, Metered):
            return
        charges = connector.charges()
        cost = sum(charge.usd for charge in charges)
        before = source.poll_usd if source else 0.0
        with self._lock:
            self._owed += charges
            owed = tuple(self._owed)
            if not owed and not before:
                return
            try:
                with self._store.write() as tx:
                    spending.record(tx, self.account, owed, self._clock())
                    if source:
                        sources.costs(tx, source, budget.smoothed(before, cost))
            except Outage as error:
                logger(__name__).debug(
                    "The cost is written down later.", action="pay_later", account=self.account, reason=str(error)
                )
                return
            self._owed.clear()
        self._notice_level()

    def refusal(self, use: Use) -> str | None:
        """Why nothing may be spent on that now; None when it may."""
        if not self.allowance.limited:
            return None
        return self._notice_level().refusal(use)

    def left(self, tx: Transaction, use: Use) -> float:
        """What may still be spent on that now, in USD; infinite without a limit."""
        return budget.left(self.allowance, self.standing(tx).spent, use)

    def slower(self) -> float:
        """By how much the account's sources are to be polled less often, 1 to infinity."""
        return self._notice_level().slower if self.allowance.limited else 1.0

    def due_at(self, source: Source) -> datetime:
        """When the money allows that source's next poll at the earliest; in the past: now."""
        heard, now = source.succeeded_at, self._clock()
        slower = self.slower()
        if heard is None or heard > now or slower <= 1:  # heard in the future: the clock was set back
            return now
        return budget.next_poll(heard, every=source.every, more=False, retry_after=None, slower=slower)

    def standing(self, tx: Transaction) -> Standing:
        """How the account stands now."""
        now = self._clock()
        today, yesterday, month = spending.by_day(tx, self.account, now)
        spent = Spent(today=today, yesterday=yesterday, month=month)
        slower = budget.slower(self.allowance, spent, demand=sources.demand(tx, self.account), now=now)
        before, since = self._last_level(tx)
        level = self._judge(spent, slower, before)
        return Standing(
            account=self.account,
            at=now,
            allowance=self.allowance,
            spent=spent,
            slower=slower,
            level=level,
            since=since if level is before else now,
        )

    def _judge(self, spent: Spent, slower: float, before: Level) -> Level:
        for use, level in (
            (Use.FOLLOWING, Level.GONE),
            (Use.SENDING, Level.NO_SENDING),
            (Use.READING, Level.NO_READING),
        ):
            if budget.left(self.allowance, spent, use) <= 0:
                return level
        slow = slower > (1.0 if before is Level.SLOWED else WORTH_SAYING)
        return Level.SLOWED if slow else Level.ENOUGH

    def _last_level(self, tx: Transaction) -> tuple[Level, datetime | None]:
        entry = audit.last(tx, f"account {self.account}", "money.")
        return (Level(entry.action.removeprefix("money.")), entry.at) if entry else (Level.ENOUGH, None)

    def _notice_level(self) -> Standing:
        """How the account stands; a change of level is written down and said, once."""
        with self._store.read() as tx:
            standing = self.standing(tx)
        if standing.level is self._level or not self.allowance.limited:
            return standing
        with self._store.write() as tx:
            before, _since = self._last_level(tx)
            if standing.level is not before:
                audit.record(
                    tx,
                    at=standing.at,
                    by="daemon",
                    action=f"money.{standing.level}",
                    subject=f"account {self.account}",
                    spent_today=round(standing.spent.today, 6),
                    spent_month=round(standing.spent.month, 6),
                )
                log = logger(__name__)
                say = log.info if standing.level is Level.ENOUGH else log.warning
                say(
                    "The money reaches for more or for less than before.",
                    action="money",
                    account=self.account,
                    reaches=standing.level.value,
                    slower=None if math.isinf(standing.slower) else round(standing.slower, 1),
                    spent_today=round(standing.spent.today, 2),
                    spent_month=round(standing.spent.month, 2),
                )
        self._level = standing.level
        return standing
