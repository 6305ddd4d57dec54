"""A rule's verdicts, remembered where they depend on one value of few: a policy of hundreds of rules stays quick.

Most conditions read one value that takes few forms (a network, a kind, a list of intents). What such a condition said
of that value before, it says again. Conditions that are not in `READS` are asked each time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from listener.types import RuleOutcome, RuleTrace, Situation
from policies.conditions import Condition, Conditions, Seen

# What these conditions look at, and nothing else.
READS: dict[str, Callable[[Situation], Hashable]] = {
    "intents": lambda s: s.understanding.intents,
    "main_intent": lambda s: s.understanding.intents,
    "sentiment": lambda s: s.understanding.sentiment,
    "signals": lambda s: s.understanding.signals,
    "areas": lambda s: s.understanding.areas,
    "language": lambda s: s.understanding.language,
    "network": lambda s: s.network,
    "source": lambda s: s.source,
    "kind": lambda s: s.kind,
    "visibility": lambda s: s.visibility,
    "has_media": lambda s: s.has_media,
    "author.bot": lambda s: s.author.bot,
    "author.mentions_last_7_days": lambda s: s.author.mentions_last_7_days,
    "customer.known": lambda s: s.customer is not None,
    "customer.tier": lambda s: s.customer.tier if s.customer else None,
    "customer.open_cases": lambda s: s.customer.open_cases if s.customer else None,
    "thread.is_reply_to_us": lambda s: s.thread.is_reply_to_us,
    "thread.our_replies": lambda s: s.thread.our_replies,
    "case.exists": lambda s: s.case.exists,
}
_PLACES = {name: place for place, name in enumerate(READS)}
_MOST = 2_000  # values remembered for one condition
_UNKNOWN = RuleTrace(rule="", outcome=RuleOutcome.NOT_REACHED)

_Step = tuple[Condition, int, dict[Hashable, RuleTrace | None]]


def values_of(situation: Situation) -> list[Hashable]:
    """What the conditions in `READS` look at, once for all rules."""
    return [read(situation) for read in READS.values()]


class Verdicts:
    """One rule's traces: `failed` gives the one of the first condition that does not hold."""

    def __init__(self, name: str, because: str, when: Conditions) -> None:
        self.matched = RuleTrace(rule=name, outcome=RuleOutcome.MATCHED, wanted=because)
        self.not_reached = RuleTrace(rule=name, outcome=RuleOutcome.NOT_REACHED)
        self._name = name
        self._steps: tuple[_Step, ...] = tuple(
            (condition, _PLACES.get(condition.name, -1), {}) for condition in when.conditions
        )

    def failed(self, seen: Seen, values: Sequence[Hashable]) -> RuleTrace | None:
        """The trace of the rule where a condition does not hold, None where all do. `values`: of `values_of`."""
        for condition, place, known in self._steps:
            if place < 0:
                trace = self._ask(condition, seen)
            else:
                trace = known.get(values[place], _UNKNOWN)
                if trace is _UNKNOWN:
                    if len(known) >= _MOST:
                        known.clear()
                    trace = known[values[place]] = self._ask(condition, seen)
            if trace is not None:
                return trace
        return None

    def _ask(self, condition: Condition, seen: Seen) -> RuleTrace | None:
        holds, saw = condition.test(seen)
        if holds:
            return None
        return RuleTrace(
            rule=self._name,
            outcome=RuleOutcome.FAILED,
            condition=condition.name,
            wanted=condition.wanted,
            saw=saw,
        )
