"""Whether scores mean what they say: of the answers with a score of 0.8, are four in five right?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

BINS = 10
Z = 1.959963984540054  # standard normal, 95 % between -Z and Z


@dataclass(frozen=True, kw_only=True)
class Share:
    """`part` of `whole`, with its 95 % interval; `value` is None of nothing."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """The share itself, 0..1."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> tuple[float, float]:
        """Between what and what the true share lies, 95 times in 100 (Wilson, 1927)."""
        return wilson(self.part, self.whole)


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Scores between `low` and `high`: how many, their mean, and how many of them were right."""

    low: float
    high: float
    score: float
    right: Share


@dataclass(kw_only=True)
class Reliability:
    """Scores and how often they were right, counted in ten equal bins."""

    _texts: list[int] = field(default_factory=lambda: [0] * BINS)
    _right: list[int] = field(default_factory=lambda: [0] * BINS)
    _score: list[float] = field(default_factory=lambda: [0.0] * BINS)

    @classmethod
    def of(cls, scores: Iterable[float], right: Iterable[bool]) -> Reliability:
        """Those of many answers, a score (0..1) and whether it was right for each."""
        found = cls()
        for score, was in zip(scores, right, strict=True):
            found.add(score, right=was)
        return found

    def add(self, score: float, *, right: bool) -> None:
        """Counts one answer."""
        place = min(int(score * BINS), BINS - 1)
        self._texts[place] += 1
        self._right[place] += right
        self._score[place] += score

    @property
    def error(self) -> float:
        """The expected calibration error (Guo et al., 2017): how far scores lie from the truth on average; 0..1."""
        texts = sum(self._texts)
        gap = sum(abs(score - right) for score, right in zip(self._score, self._right, strict=True))
        return gap / texts if texts else 0.0

    @property
    def bins(self) -> tuple[Bin, ...]:
        """All ten, in order."""
        return tuple(self._bin(place) for place in range(BINS))

    def _bin(self, place: int) -> Bin:
        count = self._texts[place]
        return Bin(
            low=place / BINS,
            high=(place + 1) / BINS,
            score=self._score[place] / count if count else 0.0,
            right=Share(part=self._right[place], whole=count),
        )


def wilson(part: int, whole: int) -> tuple[float, float]:
    """The 95 % interval of a share, 0..1; all of it where nothing was counted."""
    if not whole:
        return 0.0, 1.0
    share, room = part / whole, Z * Z / whole
    middle = (share + room / 2) / (1 + room)
    reach = Z * math.sqrt(share * (1 - share) / whole + room / (4 * whole)) / (1 + room)
    return max(0.0, min(share, middle - reach)), min(1.0, max(share, middle + reach))  # rounding could pass the share
