"""The numbers that cases get, and the patterns by which their references were written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, select

from listener.store import Transaction, upsert
from listener.store import tables as t
from listener.store.numbers import Pocket

_LAST = select(t.case_numbers.c.last).where(t.case_numbers.c.year == bindparam("year")).with_for_update()
_PATTERNS = select(t.case_patterns.c.pattern).order_by(
    t.case_patterns.c.first_used_at.desc(), t.case_patterns.c.pattern
)


def next_number(tx: Transaction, year: int) -> int:
    """The number that `take_number` would give in this writing transaction; nobody else gets it before its end."""
    if pocket := _pocket(tx):
        return pocket.next(year)
    last = tx.scalar(_LAST, {"year": year})
    if last is None:
        tx.execute(upsert(tx, t.case_numbers).values(year=year, last=0).on_conflict_do_nothing())  # a row to lock
        last = tx.execute(_LAST, {"year": year}).scalar_one()
    return int(last) + 1


def take_number(tx: Transaction, year: int) -> int:
    """The year's next number, counted."""
    if pocket := _pocket(tx):
        return pocket.take(year)
    return draw(tx, year, 1)[0]


def draw(tx: Transaction, year: int, how_many: int) -> range:
    """So many of the year's numbers, counted, that nobody else will get."""
    first = upsert(tx, t.case_numbers).values(year=year, last=how_many)
    counted = first.on_conflict_do_update(index_elements=["year"], set_={"last": t.case_numbers.c.last + how_many})
    last = int(tx.execute(counted.returning(t.case_numbers.c.last)).scalar_one())
    return range(last - how_many + 1, last + 1)


def _pocket(tx: Transaction) -> Pocket | None:
    found: Pocket | None = tx.get_execution_options().get("escucha_numbers")
    return found


def keep_pattern(tx: Transaction, pattern: str, now: datetime) -> None:
    """Remembers that references were written so."""
    tx.execute(upsert(tx, t.case_patterns).values(pattern=pattern, first_used_at=now).on_conflict_do_nothing())


def patterns(tx: Transaction) -> list[str]:
    """Every pattern by which a reference was ever written, the newest first."""
    return list(tx.scalars(_PATTERNS).all())


def existing(tx: Transaction, references: Sequence[str]) -> list[str]:
    """Those of them that a case bears."""
    query = select(t.cases.c.reference).where(t.cases.c.reference.in_(references)).order_by(t.cases.c.reference)
    return list(tx.scalars(query).all())


class Run:
    """Numbers of one year for many cases that are opened in one transaction, counted when that is settled."""

    def __init__(self, tx: Transaction, year: int) -> None:
        self._tx, self._year = tx, year
        self._next: int | None = None
        self._taken = 0

    def next(self) -> int:
        """The number that `take` will give."""
        if pocket := _pocket(self._tx):
            return pocket.next(self._year)
        if self._next is None:
            self._next = next_number(self._tx, self._year)
        return self._next

    def take(self) -> int:
        """The next number, used from now on."""
        if pocket := _pocket(self._tx):
            return pocket.take(self._year)
        number = self.next()
        self._next, self._taken = number + 1, self._taken + 1
        return number

    def settle(self) -> None:
        """Counts those that were taken; to be called before anything else takes one."""
        if self._taken:
            draw(self._tx, self._year, self._taken)
        self._next, self._taken = None, 0
