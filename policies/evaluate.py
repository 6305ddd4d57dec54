"""Situation → Decision: the policy's rules, compiled once, with the trace of every one.

How rules add up: they are read from top to bottom until one matches that does not `continue`. What an earlier rule
said about the reply and the case stays; urgency is the highest that any of them said, plus every "+1"; tags collect.
`ignore` drops reply and case, unless somebody was called in or a person is to look. A rule in the shadow is read like
any other, and nothing it says is heard.

Which case: an open case goes on with its team. Otherwise a rule's `case` decides; `escalate` alone opens one with that
team; where no rule spoke, `cases: every` opens one with the default team and `cases: routed` leaves it to a person. A
network whose every mention opens a case (a mailbox) counts as `every` unless the file says `routed` of that very one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from listener.types import (
    CaseMode,
    CasePlan,
    Decision,
    Mode,
    ReplyPlan,
    RuleOutcome,
    RuleTrace,
    Situation,
    Urgency,
)
from policies.acts import in_words
from policies.asking import fields_asked, is_missing
from policies.calendars import Hours
from policies.colleagues import recognised
from policies.conditions import Seen, compile_when
from policies.drafts import Templates
from policies.remembered import FirstLooks, Verdicts
from policies.schema import Case, PolicyFile, Reply, Rule
from policies.shares import Share, draw, percent

_URGENCIES = tuple(Urgency)


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
    person: bool = False
    reply_rule: str = ""

    def hear(self, rule: Rule, reply: Reply | None) -> None:
        """Adds what the rule says; `reply` is what it answers with this mention."""
        then = rule.then
        self.last_rule = rule.name
        if self.reply is None and reply is not None:
            self.reply_rule = rule.name
        self.reply = self.reply or reply
        self.person = self.person or bool(then.person)
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
        return _URGENCIES[min(base.rank + self.steps, Urgency.CRITICAL.rank)]


class Rules:
    """A policy without its guard; `policies.load` never hands this out bare."""

    def __init__(
        self,
        file: PolicyFile,
        *,
        text: str,
        version: str,
        modes: Mapping[str, Mode],
        overrides: Mapping[str, Mode] | None = None,
    ) -> None:
        """`modes`: the effective mode by network, "" for every network not named. `overrides`: the settings' part."""
        self.file = file
        self.overrides = dict(overrides or {})
        self.text = text
        self.version = version
        self.fields_asked = fields_asked(file)
        self._modes = modes
        self._hours = Hours.of(file.calendars, time_zone=file.time_zone)
        self._rules = tuple(
            _Compiled(rule=rule, verdicts=Verdicts(rule.name, rule.because, compile_when(rule.when, self._hours)))
            for rule in file.rules
        )
        self._first_looks = FirstLooks([each.verdicts for each in self._rules])
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
        said, traces = self._read(Seen.of(recognised(situation, self.file.guard.colleagues)))
        if said.ignored and not (said.escalate or said.person):
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
            needs_routing=needs_routing or (said.person and case is None),
            escalate_to=said.escalate,
            tags=tuple(dict.fromkeys(said.tags)),
            ignored=said.ignored,
            rules=tuple(traces),
        )

    def _read(self, seen: Seen) -> tuple[_Said, list[RuleTrace]]:
        said = _Said()
        traces, still_open = self._first_looks.take(seen)
        for place in still_open:
            rule, verdicts = self._rules[place].rule, self._rules[place].verdicts
            failed = verdicts.failed(seen)
            if failed is not None:
                traces[place] = failed
                continue
            reply, notes = self._answer(rule, seen.situation, spoken_for=said.reply is not None)
            if rule.shadow:
                saw = "; ".join([in_words(rule, reply), *notes])
                traces[place] = RuleTrace(rule=rule.name, outcome=RuleOutcome.SHADOW, wanted=rule.because, saw=saw)
                continue
            traces[place] = replace(verdicts.matched, saw="; ".join(notes)) if notes else verdicts.matched
            said.hear(rule, reply)
            if not rule.goes_on:
                self._first_looks.end(traces, place)
                break
        return said, traces

    def _answer(self, rule: Rule, situation: Situation, *, spoken_for: bool) -> tuple[Reply | None, list[str]]:
        """What the rule answers this mention with, its share settled to auto or manual; and how that came, in words.

        `spoken_for`: an earlier rule said what is answered, so that this one need not.
        """
        reply, notes = rule.then.reply, list[str]()
        if spoken_for:
            if rule.shadow and (reply or rule.then.ask_for):
                notes.append("an earlier rule says what is answered, so its own answer would not count")
            return reply, notes
        for data, template in (rule.then.ask_for or {}).items():
            if is_missing(data, situation.customer):
                reply = (reply or Reply(template=template)).model_copy(update={"template": template})
                notes.append(f"{data} is missing, so `{template}` asks for it")
                break
        if reply and isinstance(reply.mode, Share):
            share = reply.mode.at(situation.now, self._hours.zone)
            lot = draw(situation.network, situation.mention_id, rule.name)
            alone = lot < share
            verdict = "may go out alone" if alone else "a person sees it"
            notes.append(f"drew {lot:.2f} of 100 for a share of {percent(share)}: {verdict}")
            reply = reply.model_copy(update={"mode": Mode.AUTO if alone else Mode.MANUAL})
        return reply, notes

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
        alone = said.reply.mode is not Mode.MANUAL and not said.person
        auto = self.mode_on(situation.network) is Mode.AUTO and alone
        return ReplyPlan(
            template=said.reply.template,
            text=draft.text,
            language=draft.language,
            mode=Mode.AUTO if auto else Mode.MANUAL,
            length=draft.length,
            limit=situation.facts.limit,
            rule=said.reply_rule,
            wording=draft.wording,
        )
