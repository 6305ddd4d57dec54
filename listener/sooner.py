"""What the standard library has, but sooner: words of a closed set, and values that differ in little from others.

Every mention meets forty of the one and three of the other until it is decided, which took a tenth of that time.
"""

from __future__ import annotations

from enum import StrEnum
from operator import attrgetter
from typing import Any, TypeVar

Kind = TypeVar("Kind")


class Word(StrEnum):
    """One of a closed set of words that mentions meet while they are read and decided: those of `listener/types.py`.

    A set that only a command, a report or a connector asks for is a plain `StrEnum`; the two read and compare alike.
    """


# The standard library looks it up by two calls of functions in Python (3.11), this by none.
Word.value = property(attrgetter("_value_"))  # type: ignore[assignment, method-assign]


def altered(whole: Kind, **changes: Any) -> Kind:
    """As `dataclasses.replace` of a frozen one that checks and computes nothing when it is made.

    Raises TypeError, as that does, for a name that is none of its fields.
    """
    if not changes.keys() <= (fields := type(whole).__dataclass_fields__.keys()):  # type: ignore[attr-defined]
        raise TypeError(f"{type(whole).__name__} has no field {', '.join(sorted(changes.keys() - fields))}")
    made = object.__new__(type(whole))
    made.__dict__.update(whole.__dict__)
    made.__dict__.update(changes)
    return made
