"""Why a rule matched one mention, and what it does: for `explain`. Pure; beside deciding, which must be quick."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from listener.types import Situation
from policies.acts import in_words
from policies.calendars import Hours
from policies.colleagues import recognised
from policies.conditions import Seen, compile_when
from policies.guard import Guarded
from policies.schema import When


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One rule: the conditions that held with the values they saw, `name value` each, and what it does, in words.

    `values` is None where the situation is not known any more.
    """

    rule: str
    values: tuple[str, ...] | None
    does: str


def reasons(policy: Guarded, situation: Situation | None, names: Iterable[str]) -> tuple[Reason, ...]:
    """Of those of the named rules that the policy has, in its order."""
    wanted = set(names)
    hours = Hours.of(policy.file.calendars, time_zone=policy.file.time_zone)
    seen = Seen.of(recognised(situation, policy.file.guard.colleagues)) if situation else None
    return tuple(
        Reason(
            rule=rule.name,
            values=tuple(_held(rule.when, hours, seen)) if seen else None,
            does=in_words(rule),
        )
        for rule in policy.file.rules
        if rule.name in wanted
    )


def _held(when: When, hours: Hours, seen: Seen) -> Iterator[str]:
    """Each line that held, with what it saw; of alternatives the first that held. What had to be absent is left out."""
    own = when.model_copy(update={"all": (), "any": (), "none": ()})
    for condition in compile_when(own, hours).conditions:
        _, saw = condition.test(seen)
        yield f"{condition.name} {saw or condition.wanted}"
    for block in when.all:
        yield from _held(block, hours, seen)
    for block in when.any:
        if compile_when(block, hours).failure(seen) is None:
            yield from _held(block, hours, seen)
            break
