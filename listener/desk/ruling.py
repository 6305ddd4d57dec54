"""Which policy rules: the one that was activated last, as it is stored in the database; never a file by itself.

A process reads what is stored with the modes of its own settings. `escucha run` makes the settings' file rule only
where no policy ever did, and stores the policy that rules anew where its settings give it other modes than before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from listener.contract import Policy
from listener.errors import PolicyProblem
from listener.store import Transaction, policies
from listener.store.policies import Stored


def read(stored: Stored, read_policy: Callable[[str, str], Policy], *, exactly: bool = False) -> Policy:
    """The stored policy as this program reads it, by `read_policy(text, name)`.

    Raises PolicyProblem, in one sentence, where it cannot; `exactly`: also where our settings give it other modes, so
    that it would decide otherwise than the one that rules.
    """
    try:
        found = read_policy(stored.text, f"policy {stored.version}")
    except PolicyProblem as problem:
        first, *others = problem.problems
        more = f" (and {len(others)} more)" if others else ""
        raise PolicyProblem(
            [
                f"The policy {stored.version} cannot be read by this version of Escucha: {first}{more}; "
                "activate one that can be read, or run the version that activated it."
            ]
        ) from problem
    if exactly and found.version != stored.version:
        raise PolicyProblem(
            [
                f"The policy {stored.version} was activated with other modes ({_spoken(stored.overrides)}) than our "
                f"settings give it ({_spoken(found.overrides)}): start `escucha run` again and they hold."
            ]
        )
    return found


def begin(tx: Transaction, policy: Policy, *, by: str, now: datetime) -> bool:
    """Makes the policy rule where none ever did, or where its very text rules with other modes; whether it did."""
    policies.alone(tx)
    stored = policies.ruling(tx)
    if stored is not None and stored.text != policy.text:
        return False
    return policies.activate(
        tx,
        version=policy.version,
        text=policy.text,
        overrides=policy.overrides,
        by=by,
        now=now,
        because="the settings' modes changed" if stored else "the first policy here, as the settings name it",
    )


def _spoken(overrides: Mapping[str, str]) -> str:
    return ", ".join(f"{network or 'everywhere'}: {mode}" for network, mode in sorted(overrides.items())) or "none"
