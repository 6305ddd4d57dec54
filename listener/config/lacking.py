"""The settings of an account whose secrets are not in this process's environment.

Only what connects needs the secrets: a second terminal reads the same file without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from pydantic import BaseModel, ValidationError

from listener.config.shape import STAND_IN, env_name, is_secret


def stood_in(model: type[BaseModel], given: Mapping[str, Any]) -> BaseModel | None:
    """The settings with stand-ins for as many missing secrets as fit together.

    None where the settings are wrong whatever the secrets are.
    """
    absent = [key for key in model.model_fields if is_secret(model, key) and not given.get(key)]
    for count in range(len(absent), 0, -1):
        for some in combinations(absent, count):
            try:
                return model.model_validate({**given, **dict.fromkeys(some, STAND_IN)})
            except ValidationError:
                continue
    return None


def rest(model: type[BaseModel], given: Mapping[str, Any]) -> ValidationError | None:
    """What else is wrong, told only once the secrets that must be there are."""
    demanded = [key for key, field in model.model_fields.items() if field.is_required() and is_secret(model, key)]
    try:
        model.model_validate(dict.fromkeys(demanded, STAND_IN) | dict(given))
    except ValidationError as error:
        return error
    return None


def step(model: type[BaseModel], place: Sequence[str], said: str, given: Iterable[str], *, how: str) -> str:
    """What to set in that section, by the settings that `said` names and nobody gave; empty where it names none.

    `how` says how a setting that is no secret is given, with `{key}` for its name.
    """
    there = set(given)
    named = [key for key in model.model_fields if re.search(rf"\b{key}\b", said) and key not in there]
    secrets = [env_name(*place, key) for key in named if is_secret(model, key)]
    steps = [how.format(key=key) for key in named if not is_secret(model, key)]
    if len(secrets) == 1:
        steps.append(f"set {secrets[0]} or {secrets[0]}_FILE")
    elif secrets:
        steps.append(f"the variables are {', '.join(secrets)}, or the same with _FILE")
    return " or ".join(steps)
