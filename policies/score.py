"""How urgent something is, as one number whose parts are listed, and what that makes of its place in a queue.

    +60   urgency high
    +30   outage
    −10   praise
    ────
     80

The first part is the urgency (`Urgency.points`), so that a queue has one order and not two. All contributions of the
policy together count 100 points at most, up or down; where that cuts something off, a part of its own says so.

Queues age evenly: a point is worth `minutes_per_point` of waiting. So the order of two waiting things never changes
with time, and what orders a queue can be written down once, as a moment, and indexed:

    queue_at = waiting since − score × minutes_per_point            the earliest comes first

That nothing starves follows: the best score there is lies 740 points above the worst, so nothing is overtaken by what
begins to wait more than 740 × `minutes_per_point` after it (at the usual 10 minutes: 5 days and 3 hours; mostly less,
see `longest_overtaking`). What is critical lies at least 240 points above all else: nothing less urgent comes before it
that has not waited 240 × `minutes_per_point` longer (40 hours; at the least 4), whatever its contributions are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from listener.types import Contribution, Urgency
from policies.calendars import NO_HOURS, Hours
from policies.conditions import Seen, compile_when
from policies.document import Location
from policies.remembered import FirstLooks, Verdicts
from policies.schema import PolicyFile, Score
from policies.schema_routing import MOST_POINTS
from policies.words import shown

BOUND = f"no more than {MOST_POINTS} together"


class Scoring:
    """The policy's contributions, compiled once."""

    def __init__(self, score: Score, hours: Hours = NO_HOURS) -> None:
        self.minutes_per_point = score.minutes_per_point
        self._parts = tuple(Contribution(name=each.name, points=each.points) for each in score.contributions)
        self._verdicts = [Verdicts(each.name, "", compile_when(each.when, hours)) for each in score.contributions]
        self._first_looks = FirstLooks(self._verdicts)
        self._levels = {level: Contribution(name=f"urgency {level}", points=level.points) for level in Urgency}

    def of(self, seen: Seen, urgency: Urgency) -> tuple[Contribution, ...]:
        """What the score is made of: the urgency, then all contributions that hold, in the order of the file."""
        level = self._levels[urgency]
        if not self._parts:
            return (level,)
        _, still_open = self._first_looks.take(seen)
        held = [self._parts[place] for place in still_open if self._verdicts[place].failed(seen) is None]
        together = total(held)
        if abs(together) > MOST_POINTS:
            most = MOST_POINTS if together > 0 else -MOST_POINTS
            held.append(Contribution(name=BOUND, points=most - together))
        return (level, *held)

    def at_level(self, parts: Sequence[Contribution], urgency: Urgency) -> tuple[Contribution, ...]:
        """The same with another urgency."""
        return (self._levels[urgency], *parts[1:])


def total(parts: Sequence[Contribution]) -> int:
    """The score."""
    return sum(part.points for part in parts)


def longest_overtaking(score: Score) -> timedelta:
    """What begins to wait so much later than something never comes before it, whatever the two are."""
    points = [each.points for each in score.contributions]
    most = min(MOST_POINTS, sum(each for each in points if each > 0))
    least = max(-MOST_POINTS, sum(each for each in points if each < 0))
    spread = Urgency.CRITICAL.points + most - (Urgency.LOW.points + least)
    return timedelta(minutes=spread * score.minutes_per_point)


def problems(file: PolicyFile) -> Iterator[tuple[Location, str]]:
    """What is well-formed in `score:` and yet cannot be meant."""
    names: set[str] = set()
    for index, each in enumerate(file.score.contributions):
        if each.name in names:
            yield (
                ("score", "contributions", index, "name"),
                f"there are two contributions `{shown(each.name)}`; rename one, so that scores can be read",
            )
        names.add(each.name)
