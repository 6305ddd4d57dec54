"""What `escucha policy check` tries: the tests of a policy, and what it says in vain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from listener.commands.app import App
from listener.types import Facts, Understanding


def run(app: App, policy: Any, path: Path) -> tuple[int, list[str]]:
    """How many tests the policy has, and a sentence for each that it does not pass. Raises PolicyProblem.

    The model is loaded only where a test leaves it to the model what its mention means.
    """
    offered = cast(Any, app.policies)

    def read(texts: Sequence[str]) -> Sequence[Understanding]:
        return app.classifier.classify(texts)

    return (
        len(offered.samples_of(policy, path)),
        offered.run_tests(policy, path, read=read, facts=lambda network: facts_of(app, network)),
    )


def in_vain(app: App, policy: Any, path: Path) -> list[str]:
    """What the policy provably says for nothing, `file:line: sentence` each."""
    found = cast(Any, app.policies).in_vain(policy, path, facts=lambda network: facts_of(app, network))
    return cast("list[str]", found)


def facts_of(app: App, network: str) -> Facts | None:
    """What is true of the network; None where there is no such network here."""
    return app.facts(network) if network in app.connectors.available() else None
