"""Numbers of cases drawn ahead, for processes that open cases side by side (PostgreSQL).

Counted in the transaction that opens the case, the year's number would let one transaction at a time decide anything:
the next has to wait for the commit to know it. So a process draws some in a transaction of their own, and a transaction
takes of those. What it did not use goes back; what a process did not use at its end is given to nobody, so that numbers
may be missing and need not follow the order of time. No number is ever given twice.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence

BLOCK = 8  # drawn at once


class Stock:
    """What this process has drawn. Safe to share between threads. `draw(year, how_many)` gives that many new ones."""

    def __init__(self, draw: Callable[[int, int], Sequence[int]]) -> None:
        self._draw = draw
        self._there: dict[int, list[int]] = defaultdict(list)
        self._lock = threading.Lock()

    def take(self, year: int) -> int:
        """One that nobody else has, the lowest at hand."""
        with self._lock:
            if not self._there[year]:
                self._there[year] = list(self._draw(year, BLOCK))
            return self._there[year].pop(0)

    def put_back(self, year: int, number: int) -> None:
        """Takes it back: it was used for nothing."""
        with self._lock:
            self._there[year] = sorted([*self._there[year], number])


class Pocket:
    """What one transaction holds of it: the number it told somebody of is the one that it takes."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._held: dict[int, int] = {}

    def next(self, year: int) -> int:
        """The number that `take` will give."""
        if year not in self._held:
            self._held[year] = self._stock.take(year)
        return self._held[year]

    def take(self, year: int) -> int:
        """One that is used from now on, also where the transaction comes to nothing."""
        number = self.next(year)
        del self._held[year]
        return number

    def empty(self) -> None:
        """Gives back what was not used."""
        for year, number in self._held.items():
            self._stock.put_back(year, number)
        self._held.clear()
