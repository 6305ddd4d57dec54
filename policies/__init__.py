"""What we say, and when: the response policy, read from a file that people write, always with its guard.

policy = policies.load(policies.default_path())
decision = policy.decide(situation)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from listener.errors import PolicyProblem
from listener.types import Mode
from policies import document as documents
from policies import incidents, reach, replay, routing
from policies.alerts import NamedTarget, targets, unknown_targets
from policies.anonymous import anonymous, still_personal
from policies.differences import Difference, differences
from policies.evaluate import Rules
from policies.guard import Guarded, check_text
from policies.modes import effective
from policies.networks import unknown_networks
from policies.personal import personal_data
from policies.problems import in_order, meaning_problems, reference_problems, schema_problems
from policies.reasons import reasons
from policies.recording import Recorded, added, names_in, record, text_of
from policies.rehearse import FactsOf, beside, run_tests, samples_of
from policies.schema import PolicyFile, json_schema
from policies.shares import Share
from policies.summary import dangers, in_brief
from policies.twice import keys_that_stand_twice

__all__ = [
    "Difference",
    "Guarded",
    "NamedTarget",
    "Recorded",
    "added",
    "anonymous",
    "beside",
    "check_text",
    "dangers",
    "default_path",
    "differences",
    "examples",
    "in_brief",
    "in_vain",
    "json_schema",
    "load",
    "load_text",
    "names_in",
    "personal_data",
    "reasons",
    "record",
    "replay",
    "run_tests",
    "samples_of",
    "still_personal",
    "targets",
    "text_of",
    "unknown_networks",
    "unknown_targets",
]

_HERE = Path(__file__).parent


def default_path() -> Path:
    """The sensible policy that comes with Escucha."""
    return _HERE / "default.yaml"


def examples() -> dict[str, Path]:
    """The example policies by name."""
    return {path.stem: path for path in sorted((_HERE / "examples").glob("*.yaml"))}


def load(path: Path | str, *, mode: Mode | None = None, modes: Mapping[str, Mode] | None = None) -> Guarded:
    """The policy in the file at `path`, with its guard.

    `mode` and `modes` (by network) come from the settings and rule over the file: a network's own setting first;
    then `mode`, where `manual` holds on every network and `auto` stands in for the file's global mode only.
    Raises PolicyProblem with every problem at once, each `file:line: sentence`.
    """
    path = Path(path)
    return load_text(documents.read_file(path), str(path), mode=mode, modes=modes)


def load_text(
    text: str, name: str = "policy", *, mode: Mode | None = None, modes: Mapping[str, Mode] | None = None
) -> Guarded:
    """The policy in `text`, as `load`; `name` stands for the file in problems."""
    document = documents.parse(text, name)
    problems = [*reference_problems(document), *keys_that_stand_twice(document, PolicyFile)]
    try:
        file = PolicyFile.model_validate(document.data)
    except ValidationError as error:
        raise PolicyProblem(in_order([*schema_problems(error, document), *problems])) from None
    problems += meaning_problems(file, document)
    if problems:
        raise PolicyProblem(in_order(problems))
    own = effective(file, None, {})
    now = effective(file, mode, modes or {})
    overrides = {network.casefold(): chosen for network, chosen in (modes or {}).items()} | ({"": mode} if mode else {})
    return Guarded(Rules(file, text=text, version=_version(text, now, own), modes=now, overrides=overrides))


def in_vain(policy: Guarded, path: Path | str = "policy", *, facts: FactsOf | None = None) -> list[str]:
    """What the policy provably says for nothing, and skills that are asked of teams without them.

    `file:line: sentence` each; none of it keeps the policy from being used.
    """
    document = documents.parse(policy.text, str(path))
    found = [*reach.findings(policy.file, facts), *routing.findings(policy.file), *incidents.in_vain(policy)]
    return in_order(document.problem(place, sentence) for place, sentence in found)


def _version(text: str, effective: Mapping[str, Mode | Share], own: Mapping[str, Mode | Share]) -> str:
    """12 hex digits that change whenever a decision could: with the text, or with settings that change a mode."""
    changed = {network: str(mode) for network, mode in effective.items() if own.get(network, own[""]) != mode}
    suffix = "\0" + json.dumps(changed, sort_keys=True) if changed else ""
    return hashlib.sha256((text + suffix).encode("utf-8")).hexdigest()[:12]
