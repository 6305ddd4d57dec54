"""What a rule remembers of one mention it never says of another: each condition beside what it says asked anew."""

from __future__ import annotations

import random
from typing import Any

import pytest

from listener.types import Mode, RuleOutcome, Situation
from policies.conditions import Seen, compile_when
from policies.evaluate import Rules
from policies.schema import PolicyFile
from tests.policies.test_reach import BASE, HOURS, VALUES, many

SEEN = many(150, seed=7)
RULES: list[dict[str, Any]] = [
    {"name": f"{key} {number}", "when": {key: value}, "then": {"tags": "x"}, "continue": True}
    for key, values in VALUES.items()
    for number, value in enumerate(values)
]


@pytest.mark.parametrize("seed", range(2))
def test_every_condition_says_what_it_would_say_of_that_mention_alone(seed: int) -> None:
    file = PolicyFile.model_validate(BASE | {"rules": RULES})
    policy = Rules(file, text="", version="v", modes={"": Mode.MANUAL})
    fresh = [compile_when(rule.when, HOURS) for rule in file.rules]
    order: list[Situation] = [*SEEN, *SEEN[:50]]
    random.Random(seed).shuffle(order)
    both: dict[str, set[bool]] = {key: set() for key in VALUES}
    for one in order:
        seen = Seen.of(one)
        for trace, rule, when in zip(policy.decide(one).rules, RULES, fresh, strict=True):
            failure = when.failure(seen)
            assert (trace.outcome is RuleOutcome.FAILED) == (failure is not None), trace
            if failure is not None:
                assert (trace.condition, trace.wanted, trace.saw) == (failure.condition, failure.wanted, failure.saw)
            both[next(iter(rule["when"]))].add(failure is None)
    assert {key for key, sides in both.items() if len(sides) < 2} <= {"time.holiday"}
