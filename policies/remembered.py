"""A rule's verdicts, remembered where they depend on one value of few: a policy of hundreds of rules stays quick.

Most conditions read one value that takes few forms (a network, a kind, a list of intents), and so do blocks of them.
What such a condition said of that value before, it says again. Those that are not in `READS` are asked each time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

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
    "incident.active": lambda s: bool(s.incidents),
    "incident.here": lambda s: s.incident is not None and s.incident.state.active,
    "incident.state": lambda s: s.incident.state if s.incident else None,
}
_MOST = 1_000  # values remembered for one condition, and traces for one rule
_UNKNOWN = RuleTrace(rule="", outcome=RuleOutcome.NOT_REACHED)

_Reader = Callable[[Situation], Hashable]
_Step = tuple[Condition, _Reader | None, dict[Hashable, RuleTrace | None]]


class Verdicts:
    """One rule's traces: `failed` gives the one of the first condition that does not hold."""

    def __init__(self, name: str, because: str, when: Conditions) -> None:
        self.matched = RuleTrace(rule=name, outcome=RuleOutcome.MATCHED, wanted=because)
        self.not_reached = RuleTrace(rule=name, outcome=RuleOutcome.NOT_REACHED)
        self._name = name
        self._traces: dict[tuple[str, str], RuleTrace] = {}
        steps: list[_Step] = [(condition, _reader(condition), {}) for condition in when.conditions]
        self.first = steps[0] if steps and steps[0][1] else None
        self._steps = steps[1:] if self.first else steps

    def failed(self, seen: Seen) -> RuleTrace | None:
        """The trace of the rule where a condition after the `first` does not hold, None where all do."""
        for condition, read, known in self._steps:
            if read is None:
                trace = self.ask(condition, seen)
            else:
                value = read(seen.situation)
                trace = known.get(value, _UNKNOWN)
                if trace is _UNKNOWN:
                    if len(known) >= _MOST:
                        known.clear()
                    trace = known[value] = self.ask(condition, seen)
            if trace is not None:
                return trace
        return None

    def ask(self, condition: Condition, seen: Seen) -> RuleTrace | None:
        """The trace of the rule where that condition does not hold."""
        holds, saw = condition.test(seen)
        if holds:
            return None
        key = (condition.name, saw)
        trace = self._traces.get(key)
        if trace is None:
            if len(self._traces) >= _MOST:
                self._traces.clear()
            trace = self._traces[key] = RuleTrace(
                rule=self._name,
                outcome=RuleOutcome.FAILED,
                condition=condition.name,
                wanted=condition.wanted,
                saw=saw,
            )
        return trace


def _reader(condition: Condition) -> _Reader | None:
    """What gives the values that a condition reads, or all those of a block; None where it reads others too."""
    names = dict.fromkeys(_names(condition))
    if not names or any(name not in READS for name in names):
        return None
    first, *others = (READS[name] for name in names)
    return (lambda s: (first(s), *(read(s) for read in others))) if others else first


def _names(condition: Condition) -> Iterator[str]:
    if not condition.of:
        yield condition.name
    for inner in condition.of:
        yield from _names(inner)


@dataclass(frozen=True, slots=True)
class _Look:
    """What the first conditions of some rules make of one value: which rules they end, and which are still open."""

    failed: tuple[tuple[int, RuleTrace], ...]
    row: tuple[RuleTrace, ...]  # `failed` among all the rules, where no other is reached
    open: tuple[int, ...]


class FirstLooks:
    """The first conditions of all rules at once. Rules whose first conditions read the same are looked up together."""

    def __init__(self, rules: Sequence[Verdicts]) -> None:
        self._rules = rules
        self._not_reached = tuple(each.not_reached for each in rules)
        self._asked_always = [number for number, each in enumerate(rules) if each.first is None]
        alike: dict[_Reader, list[int]] = {}
        for number, each in enumerate(rules):
            if each.first and each.first[1]:
                alike.setdefault(each.first[1], []).append(number)
        largest_first = sorted(alike.items(), key=lambda pair: -len(pair[1]))
        self._groups = [(read, numbers, dict[Hashable, _Look]()) for read, numbers in largest_first]

    def take(self, seen: Seen) -> tuple[list[RuleTrace], list[int]]:
        """A trace for each rule, and which rules are still open, in order; the trace of those is `not_reached`."""
        traces: list[RuleTrace] = []
        still_open = list(self._asked_always)
        for read, numbers, known in self._groups:
            value = read(seen.situation)
            look = known.get(value)
            if look is None:
                if len(known) >= _MOST:
                    known.clear()
                look = known[value] = self._look(numbers, seen)
            if traces:
                for number, trace in look.failed:
                    traces[number] = trace
            else:
                traces += look.row
            still_open += look.open
        still_open.sort()
        return traces or list(self._not_reached), still_open

    def end(self, traces: list[RuleTrace], number: int) -> None:
        """Leaves the rules after that one unreached."""
        traces[number + 1 :] = self._not_reached[number + 1 :]

    def _look(self, numbers: Sequence[int], seen: Seen) -> _Look:
        failed, still_open, row = [], [], list(self._not_reached)
        for number in numbers:
            rule = self._rules[number]
            trace = rule.ask(rule.first[0], seen) if rule.first else None
            if trace is None:
                still_open.append(number)
            else:
                failed.append((number, trace))
                row[number] = trace
        return _Look(tuple(failed), tuple(row), tuple(still_open))
