"""What is asked of an import of customers, what it says, and what becomes of the lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from listener.types import LinkBasis


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something to say about one line; `rejected`: it needs repair."""

    line: int
    text: str
    rejected: bool = True


@dataclass(kw_only=True)
class Tally:
    """What became of the lines: each that was read is counted in exactly one of the five below it.

    `columns` counts what was changed, `changes` names the first customers that were.
    """

    read: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    repeated: int = 0  # a later line of the file, or this one over an earlier, gave the same reference
    rejected: int = 0
    linked: int = 0
    expected: int = 0  # links that wait for the account to be heard
    not_linked: int = 0
    columns: Counter[str] = field(default_factory=Counter)
    changes: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Task:
    """How a file is to be imported. `linkable` asks a network's facts; without `write` nothing is stored."""

    basis: LinkBasis
    evidence: str
    linkable: Callable[[str], bool]
    by: str
    now: datetime
    write: bool = True
