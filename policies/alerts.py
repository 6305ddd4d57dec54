"""Whom of us a policy tells: the targets that it names. Where they are reached, the settings say (`[alerts.NAME]`)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, Field

from policies import document as documents
from policies.document import Location
from policies.fields import listed, sentences
from policies.words import shown, suggestion

if TYPE_CHECKING:
    from policies.guard import Guarded
    from policies.schema import PolicyFile

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")  # it can stand in a variable's name, like an account's


def _target(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value.strip()) or len(value) > 80 or value.strip() == "none":
        raise ValueError(
            f"`{shown(value)}` is no target of an alert; write a name of `[alerts.…]` in the settings, in small "
            "letters, digits and single underscores"
        )
    return value.strip()


Target = Annotated[str, BeforeValidator(sentences(_target), json_schema_input_type=str)]
Targets = Annotated[
    tuple[Target, ...],
    Field(min_length=1, max_length=10),
    BeforeValidator(listed, json_schema_input_type=str | list[str]),
]


@dataclass(frozen=True, kw_only=True)
class NamedTarget:
    """A target where the policy names it; `line` is the file's, from 1."""

    target: str
    line: int


def targets(policy: Guarded) -> tuple[NamedTarget, ...]:
    """Every target that the policy names, as often as it does, in the order of the file."""
    document = documents.parse(policy.text, "policy")
    found = [NamedTarget(target=target, line=document.line(place)) for place, target in _named(policy.file)]
    return tuple(sorted(found, key=lambda named: named.line))


def unknown_targets(policy: Guarded, known: Collection[str], path: Path | str = "policy") -> list[str]:
    """The targets that nobody told us how to reach, `file:line: sentence` each. `known`: those of the settings."""
    return [
        f"{path}:{named.line}: the settings have no `[alerts.{named.target}]`{suggestion(named.target, list(known))}"
        for named in targets(policy)
        if named.target not in known
    ]


def _named(file: PolicyFile) -> Iterator[tuple[Location, str]]:
    for index, rule in enumerate(file.rules):
        for number, target in enumerate(rule.then.alert or ()):
            yield ("rules", index, "then", "alert", number), target
    for place, steps in file.escalation.steps():
        for index, step in enumerate(steps):
            for number, target in enumerate(step.alert or ()):
                yield (*place, index, "alert", number), target
    for number, target in enumerate(file.incidents.alert or ()):
        yield ("incidents", "alert", number), target
