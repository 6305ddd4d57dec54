"""Situation → Decision: the policy's rules, compiled once, with the trace of every one.

How rules add up: they are read from top to bottom until one matches that does not `continue`. What an earlier rule
said about the reply and the case stays; urgency is the highest that any of them said, plus every "+1"; tags collect.
`ignore` drops reply and case, unless somebody was called in.

Which case: an open case goes on with its team. Otherwise a rule's `case` decides; `escalate` alone opens one with that
team; where no rule spoke, `cases: every` opens one with the default team and `cases: routed` leaves it to a person. A
network whose every mention opens a case (a mailbox) counts as `every` unless the file says `routed` of that very one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from listener.types import (
    CaseMode,
    CasePlan,
    Decision,
    Mode,
    ReplyPlan,
    RuleTrace,
    Situation,
    Urgency,
)
from policies.conditions import Seen, compile_when
from policies.drafts import Templates
from policies.remembered import Verdicts, values_of
from policies.schema import Case, PolicyFile, Reply, Rule


@dataclass(frozen=True, kw_only=True)
class _Compiled:
    rule: Rule
    verdicts: Verdicts


@dataclass(kw_only=True)
class _Said:
    """What the matching rules said so far."""

    reply: Reply | None = None
    case: Case | None = None
    least: Urgency | None = None
    steps: int = 0
    tags: list[str] = field(default_factory=list)
    escalate: str = ""
    ignored: str = ""
    last_rule: str = ""

    def hear(self, rule: Rule) -> None:
        then = rule.then
        self.last_rule = rule.name
        self.reply = self.reply or then.reply
        self.case = self.case or then.case
        self.escalate = self.escalate or then.escalate or ""
        self.ignored = self.ignored or then.ignore or ""
        self.tags += then.tags or ()
        for urgency in (then.urgency, then.case.urgency if then.case else None):
            if urgency and urgency.startswith("+"):
                self.steps += int(urgency)
            elif urgency:
                level = Urgency(urgency)
                self.least = level if self.least is None or level.rank > self.least.rank else self.least

    def urgency(self) -> Urgency:
        base = self.least or (Urgency.LOW if self.ignored else Urgency.NORMAL)
        return list(Urgency)[min(base.rank + self.steps, Urgency.CRITICAL.rank)]


class Rules:
    """A policy without its guard; `policies.load` never hands this out bare."""

    def __init__(self, file: PolicyFile, *, text: str, version: str, modes: Mapping[str, Mode]) -> None:
        """`modes`: the effective mode by network, "" for every network not named."""
        self.file = file
        self.text = text
        self.version = version
        self._modes = modes
        self._rules = tuple(
            _Compiled(rule=rule, verdicts=Verdicts(rule.name, rule.because, compile_when(rule.when)))
            for rule in file.rules
        )
        self._templates = Templates(
            {name: template.wordings() for name, template in file.templates.items()},
            language=file.language,
            brand={"name": file.brand.name, "signature": file.brand.signature},
        )

    def mode_on(self, network: str) -> Mode:
        """How replies go out on that network, settings included."""
        return self._modes.get(network, self._modes[""])

    def decide(self, situation: Situation) -> Decision:
        """What the rules alone say; the guard has not spoken yet."""
        said, traces = self._read(Seen.of(situation))
        if said.ignored and not said.escalate:
            said.reply = said.case = None
        else:
            said.ignored = ""
        urgency = said.urgency()
        case, needs_routing = self._case(said, situation, urgency)
        return Decision(
            policy_version=self.version,
            reply=self._reply(said, situation, case, urgency),
            case=case,
            urgency=urgency,
            needs_routing=needs_routing,
            escalate_to=said.escalate,
            tags=tuple(dict.fromkeys(said.tags)),
            ignored=said.ignored,
            rules=tuple(traces),
        )

    def _read(self, seen: Seen) -> tuple[_Said, list[RuleTrace]]:
        said = _Said()
        traces: list[RuleTrace] = []
        values = values_of(seen.situation)
        for place, compiled in enumerate(self._rules):
            failed = compiled.verdicts.failed(seen, values)
            traces.append(failed or compiled.verdicts.matched)
            if failed is None:
                said.hear(compiled.rule)
                if not compiled.rule.goes_on:
                    traces += [each.verdicts.not_reached for each in self._rules[place + 1 :]]
                    break
        return said, traces

    def _case(self, said: _Said, situation: Situation, urgency: Urgency) -> tuple[CasePlan | None, bool]:
        """The case to open or update, and whether a person has to route the mention."""
        if said.ignored or (said.case and said.case.is_none and not said.escalate):
            return None, False
        existing = situation.case
        wanted = said.case if said.case and not said.case.is_none else None
        named = wanted.team if wanted else None
        if existing.exists:
            team = existing.team or named or self.file.default_team
            urgency = max(urgency, existing.urgency, key=lambda level: level.rank)
        elif said.case or said.escalate:
            team = named or (self.file.default_team if wanted else said.escalate)
        elif self.file.cases_on(situation.network, opens_case=situation.facts.opens_case) is CaseMode.EVERY:
            team = self.file.default_team
        else:
            return None, True
        return self.case_plan(
            situation, team=team, urgency=urgency, tags=self._case_tags(said), rule=said.last_rule
        ), False

    def case_plan(
        self, situation: Situation, *, team: str, urgency: Urgency, tags: tuple[str, ...] = (), rule: str = ""
    ) -> CasePlan:
        """A case with the service level of its urgency. Its title quotes nobody: posts can be deleted, titles stay."""
        promised = self.file.service_levels.promised(urgency)
        intents = situation.understanding.intents
        matter = intents[0].replace("_", " ") if intents else rule or "mention"
        return CasePlan(
            team=team,
            urgency=urgency,
            title=f"{matter.capitalize()} on {situation.network}",
            tags=tags,
            first_response=promised.first_response,
            resolution=promised.resolution,
        )

    @staticmethod
    def _case_tags(said: _Said) -> tuple[str, ...]:
        own = said.case.tags if said.case and said.case.tags else ()
        return tuple(dict.fromkeys([*own, *said.tags]))

    def _reply(self, said: _Said, situation: Situation, case: CasePlan | None, urgency: Urgency) -> ReplyPlan | None:
        if said.reply is None or said.reply.is_silence:
            return None
        draft = self._templates.draft(
            said.reply.template,
            situation,
            team=case.team if case else "",
            urgency=urgency.value,
            has_case=case is not None,
        )
        if draft is None:
            return None
        auto = self.mode_on(situation.network) is Mode.AUTO and said.reply.mode is not Mode.MANUAL
        return ReplyPlan(
            template=said.reply.template,
            text=draft.text,
            language=draft.language,
            mode=Mode.AUTO if auto else Mode.MANUAL,
            length=draft.length,
            limit=situation.facts.limit,
        )
