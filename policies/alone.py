"""Which rules' answers may go out alone somewhere, and through which shares: every level of `modes` taken together.

A reply goes out alone only where all levels let it. What a mention is about, and whose its case is, is known only once
it is there; so of all networks, teams, areas and templates that a rule may meet, the one that lets most through counts.
Nothing that could go out alone is missed, and nothing is named that no mention can bring about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from listener.types import CaseMode, Level, Mode
from policies.evaluate import Rules
from policies.schema import PolicyFile, Rule
from policies.shares import Share
from policies.spelling import quoted

NAMED = 3  # teams in one sentence
Said = tuple[Level, str, Mode | Share | None]  # who says how replies go out, and what


@dataclass(frozen=True, kw_only=True)
class Alone:
    """How a rule's answers may go out alone: through which shares, and with which teams' cases only (none: any)."""

    shares: tuple[tuple[Level, str, Share], ...] = ()
    teams: tuple[str, ...] = ()

    def in_brief(self) -> str:
        """`share of team “care”; where the case is with “billing”`; "" for a share of its own, or none."""
        parts = [
            f"share of {f'{level} {quoted(name)}' if name else f'the {level}'}"
            for level, name, _ in self.shares
            if level is not Level.RULE
        ]
        if self.teams:
            more = f" and {len(self.teams) - NAMED} more" if len(self.teams) > NAMED else ""
            parts.append(f"where the case is with {', '.join(map(quoted, self.teams[:NAMED]))}{more}")
        return "; ".join(parts)


def alone(policy: Rules, rule: Rule) -> Alone | None:
    """How its answers may go out alone; None: only by a person."""
    if not _answers(rule):
        return None
    teams: tuple[str, ...] = ()
    found: list[Said] = []
    for candidates in _levels(policy, rule):
        first = candidates[0]
        best = first if _is_named(rule, first) and _lets(first) else max(candidates, key=_lets)
        if not _lets(best):
            return None
        if best[0] is Level.TEAM and not _lets(first):
            teams = tuple(each[1] for each in candidates if _lets(each))
        found.append(best)
    shares = tuple((level, name, mode) for level, name, mode in found if isinstance(mode, Share))
    return Alone(shares=shares, teams=teams)


def shares_at_work(policy: Rules) -> set[tuple[Level, str]]:
    """What has a share that lets anything go out alone: the others say one where some other level lets nothing."""
    return {
        (level, name)
        for rule in policy.file.rules
        if alone(policy, rule) is not None
        for candidates in _levels(policy, rule)
        for level, name, mode in candidates
        if isinstance(mode, Share)
    }


def _is_named(rule: Rule, said: Said) -> bool:
    """Whether that is the team that the rule itself names."""
    return said[0] is Level.TEAM and rule.then.case is not None and rule.then.case.team == said[1]


def _answers(rule: Rule) -> bool:
    then = rule.then
    answers = bool(then.ask_for) or (then.reply is not None and not then.reply.is_silence)
    return answers and not rule.shadow and not then.person


def _lets(said: Said) -> float:
    """How much it lets go out alone, from 0 to 1, once it has grown."""
    mode = said[2]
    if isinstance(mode, Share):
        return (mode.ramp.to if mode.ramp else mode.begins) / 100
    return 0.0 if mode is Mode.MANUAL else 1.0


def _levels(policy: Rules, rule: Rule) -> Iterator[Sequence[Said]]:
    """What each level may say of the rule's answers, one of each list."""
    file = policy.file
    yield [_on(policy, network) for network in _networks(policy, rule)]
    yield [(Level.TEAM, name, file.teams[name].mode if name else None) for name in _teams(file, rule)]
    areas: list[Said] = [(Level.AREA, name, area.mode) for name, area in file.areas.items()]
    yield areas if rule.when.areas and areas else [(Level.AREA, "", None), *areas]
    then = rule.then
    names = [
        *(then.ask_for or {}).values(),
        *([then.reply.template] if then.reply and not then.reply.is_silence else []),
    ]
    yield [(Level.TEMPLATE, name, file.templates[name].mode) for name in names]
    yield [(Level.RULE, rule.name, then.reply.mode if then.reply else None)]


def _on(policy: Rules, network: str) -> Said:
    own = policy.file.networks.get(network)
    return (
        (Level.NETWORK, network, policy.mode_on(network))
        if own and own.mode
        else (Level.POLICY, "", policy.mode_on(network))
    )


def _networks(policy: Rules, rule: Rule) -> Iterable[str]:
    if rule.when.network:
        return [name.casefold() for name in rule.when.network]
    return dict.fromkeys(["", *policy.file.networks, *(name.casefold() for name in policy.overrides)])


def _teams(file: PolicyFile, rule: Rule) -> list[str]:
    """Whose the case may be, "" for no case: the team that the rule names first, then all others.

    For the case may be open already and with another team, that team may be full, and an earlier rule may have spoken.
    """
    case = rule.then.case
    named = case.team if case and case.team and not case.is_none else ""
    if named:
        return list(dict.fromkeys([named, *file.teams]))
    routed = file.cases is CaseMode.ROUTED or any(each.cases is CaseMode.ROUTED for each in file.networks.values())
    return [*([""] if routed or (case and case.is_none) else []), *file.teams]
