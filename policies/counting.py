"""Counting by name, in memory that stays small however many names there are. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

KEYS = 1_000  # different names that are counted one by one
OTHERS = "(others)"


def count(counter: Counter[str], key: str, by: int = 1) -> None:
    """Adds to that name, or to all others where there are too many names."""
    counter[key if key in counter or len(counter) < KEYS else OTHERS] += by


def merge(one: Counter[str], other: Mapping[str, int]) -> None:
    """Adds what was counted elsewhere."""
    for key, number in other.items():
        count(one, key, number)


def in_order(counter: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first; of the same number, by name."""
    return dict(sorted(counter.items(), key=lambda pair: (-pair[1], pair[0])))
