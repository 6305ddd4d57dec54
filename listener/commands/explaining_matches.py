"""What `explain` says of a rule that matched: the values that made it match, and what it added.

A decision keeps which rules matched. The rest is told from the policy as it was stored and from the situation as it was
kept; where either is gone, less is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from listener.commands import looking
from listener.errors import EscuchaError, Mistake, NotFound
from listener.types import RuleOutcome, Situation

if TYPE_CHECKING:
    from listener.commands.app import App
    from listener.store.decisions import StoredDecision


def of(app: App, decision: StoredDecision | None) -> Mapping[str, Any]:
    """The `policies.Reason` of each rule that matched, by the rule's name; empty where its policy cannot be read."""
    if decision is None:
        return {}
    rules = decision.trace.get("rules", ())
    names = [rule.get("rule") for rule in rules if rule.get("outcome") in (RuleOutcome.MATCHED, RuleOutcome.SHADOW)]
    if not names:
        return {}
    from listener.commands.choosing import as_it_ruled
    from listener.store import policies

    with app.store.read() as tx:
        try:
            stored = policies.find(tx, decision.policy_version)
        except (NotFound, Mistake):
            return {}
    with suppress(EscuchaError):  # a policy that this version cannot read: `escucha status` says so where it rules
        policy = as_it_ruled(app, stored)
        found = cast(Any, app.policies).reasons(policy, _situation(app, decision), names)
        return {each.rule: replace(each, values=_seen(app, each.values)) for each in found}
    return {}


def _seen(app: App, values: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if values is None else looking.masked_values(app, values)


def _situation(app: App, decision: StoredDecision) -> Situation | None:
    """What the policy looked at; None where something of it is not kept any more."""
    from listener.commands import replaying
    from listener.flow import replay
    from listener.store.replaying import Span

    one = Span(after=decision.id - 1, last=decision.id, newest=decision.id, every=True)
    networks = replaying.ways(app)
    return next((past.situation for past in replay.past(app.store, one, networks=networks)), None)
