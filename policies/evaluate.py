"""Situation → Decision: the policy's rules, compiled once, with the trace of every one.

How rules add up: they are read from top to bottom until one matches that does not `continue`. What an earlier rule
said about the reply and the case stays; urgency is the highest that any of them said, plus every "+1"; tags collect.
`ignore` drops reply and case, unless somebody was called in or a person is to look; it drops no alert. A rule in the
shadow is read like any other, and nothing it says is heard.

Which case: an open case goes on with its team, unless a rule's `escalate` hands it over. Otherwise a rule's `case`
decides; `escalate` alone opens one with that team; where no rule spoke, `cases: every` opens one with the default team
and `cases: routed` leaves it to a person. A network whose every mention opens a case (a mailbox) counts as `every`
unless the file says `routed` of that very one.
Which team, where no rule names one or the team is full: `routing.py`. What comes first in a queue: `score.py`. Skills
collect from every rule that matches and every area that it is about.

How a reply goes out: `modes.py`. What is said instead while an incident lasts: `incidents.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from listener.sooner import altered
from listener.types import (
    AlertPlan,
    CaseMode,
    CasePlan,
    Decision,
    Mode,
    ModeTrace,
    ReplyPlan,
    RuleOutcome,
    RuleTrace,
    Situation,
    Urgency,
)
from policies import bots
from policies.acts import in_words
from policies.asking import blocks, fields_asked, is_missing
from policies.calendars import Hours
from policies.colleagues import recognised
from policies.conditions import Seen, compile_when
from policies.drafts import Templates
from policies.incidents import answers
from policies.modes import Levels, verdict
from policies.offers import Offers
from policies.promises import Promises
from policies.remembered import FirstLooks, Verdicts
from policies.routing import Route, Routes
from policies.schema import Case, PolicyFile, Reply, Rule
from policies.score import Scoring, total
from policies.shares import Share, draw, percent

_URGENCIES = tuple(Urgency)


@dataclass(frozen=True, kw_only=True)
class _Compiled:
    rule: Rule
    verdicts: Verdicts
    asks_of_machines: bool  # whether it looks at how much the author is like one


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
    person: str = ""  # the rule that wants a person to look
    reply_rule: str = ""
    alerts: dict[str, str] = field(default_factory=dict)  # target -> the rule that named it first
    case_rule: str = ""  # what its title names where no intent does
    escalate_rule: str = ""
    skills: list[str] = field(default_factory=list)
    mode: Mode | Share | None = None  # as that rule has it

    def hear(self, rule: Rule, reply: Reply | None) -> None:
        """Adds what the rule says; `reply` is what it answers with this mention."""
        then = rule.then
        if self.reply is None and reply is not None:
            self.reply_rule = rule.name
            self.mode = then.reply.mode if then.reply else None
        self.reply = self.reply or reply
        self.person = self.person or (rule.name if then.person else "")
        if then.case and (self.case is None or self.case.only_skills):
            self.case, self.case_rule = then.case, rule.name
        if then.escalate and not self.escalate:
            self.escalate, self.escalate_rule = then.escalate, rule.name
        self.skills += (then.case.skills or ()) if then.case else ()
        self.ignored = self.ignored or then.ignore or ""
        self.tags += then.tags or ()
        for target in then.alert or ():
            self.alerts.setdefault(target, rule.name)
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
        modes: Mapping[str, Mode | Share],
        overrides: Mapping[str, Mode] | None = None,
    ) -> None:
        """`modes`: the effective mode by network, "" for every network not named. `overrides`: the settings' part."""
        self.file = file
        self.overrides = dict(overrides or {})
        self.text = text
        self.version = version
        self.fields_asked = fields_asked(file)
        self._hours = Hours.of(file.calendars, time_zone=file.time_zone)
        self.promises = Promises(file, self._hours)
        self.offers = Offers(file, self._hours)
        self._levels = Levels(file, modes=modes, overrides=self.overrides, zone=self._hours.zone)
        self._rules = tuple(
            _Compiled(
                rule=rule,
                verdicts=Verdicts(rule.name, rule.because, compile_when(rule.when, self._hours)),
                asks_of_machines=any(block.author_bot_likeness for block in blocks(rule.when)),
            )
            for rule in file.rules
        )
        self._first_looks = FirstLooks([each.verdicts for each in self._rules])
        self.routes = Routes(file)
        self.scoring = Scoring(file.score, self._hours)
        self.templates = Templates(
            {name: template.wordings() for name, template in file.templates.items()},
            language=file.language,
            brand={"name": file.brand.name, "signature": file.brand.signature},
        )

    def mode_on(self, network: str) -> Mode | Share:
        """How replies go out on that network, settings included."""
        return self._levels.mode_on(network)

    def decide(self, situation: Situation) -> Decision:
        """What the rules alone say; the guard has not spoken yet."""
        seen = Seen.of(recognised(situation, self.file.guard.colleagues))
        said, traces = self._read(seen)
        if said.ignored and not (said.escalate or said.person):
            said.reply = said.case = None
        else:
            said.ignored = ""
        urgency = said.urgency()
        parts = self.scoring.of(seen, urgency)
        score = total(parts)
        per_point = self.scoring.minutes_per_point
        case, route, needs_routing = self._case(said, situation, urgency)
        if case is not None and route is not None:
            skills = self.routes.skills(situation.understanding.areas, said.skills)
            case = altered(case, skills=skills, because=route.because, score=score, minutes_per_point=per_point)
        reply, modes = self._reply(said, situation, case, urgency)
        return Decision(
            policy_version=self.version,
            reply=reply,
            case=case,
            urgency=urgency,
            needs_routing=needs_routing or bool(said.person and case is None),
            escalate_to=said.escalate,
            tags=tuple(dict.fromkeys(said.tags)),
            ignored=said.ignored,
            rules=tuple(traces),
            alerts=tuple(AlertPlan(target=target, rule=rule) for target, rule in said.alerts.items()),
            score=score,
            contributions=parts,
            minutes_per_point=per_point,
            modes=modes,
        )

    def _read(self, seen: Seen) -> tuple[_Said, list[RuleTrace]]:
        said = _Said()
        traces, still_open = self._first_looks.take(seen)
        for place in still_open:
            compiled = self._rules[place]
            rule, verdicts = compiled.rule, compiled.verdicts
            failed = verdicts.failed(seen)
            if failed is not None:
                traces[place] = failed
                continue
            reply, notes = self._answer(rule, seen.situation, spoken_for=said.reply is not None)
            if compiled.asks_of_machines:
                notes.insert(0, f"bot-likeness {bots.in_words(seen.situation.author)}")
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
            notes.append(f"drew {lot:.2f} of 100 for a share of {percent(share)}: {verdict(alone)}")
            reply = reply.model_copy(update={"mode": Mode.AUTO if alone else Mode.MANUAL})
        return reply, notes

    def _case(self, said: _Said, situation: Situation, urgency: Urgency) -> tuple[CasePlan | None, Route | None, bool]:
        """The case to open or update, whose it is and why, and whether a person has to route the mention."""
        if said.ignored or (said.case and said.case.is_none and not said.escalate):
            return None, None, False
        existing = situation.case
        every = self.file.cases_on(situation.network, opens_case=situation.facts.opens_case) is CaseMode.EVERY
        if existing.exists and existing.team and said.escalate not in ("", existing.team):
            calls = f"rule “{said.escalate_rule}” calls in {said.escalate}"
            route = Route(said.escalate, f"{calls}; its open case was with {existing.team}")
        elif existing.exists and existing.team:
            route = Route(existing.team, f"its open case is with {existing.team}")
        elif existing.exists or said.case or said.escalate or every:
            route = self._route(said, situation)
        else:
            return None, None, True
        if existing.exists:
            urgency = max(urgency, existing.urgency, key=lambda level: level.rank)
        asked_by = said.case_rule if said.case and not said.case.is_none else said.escalate_rule
        plan = self.case_plan(situation, team=route.team, urgency=urgency, tags=self._case_tags(said), rule=asked_by)
        return plan, route, False

    def _route(self, said: _Said, situation: Situation) -> Route:
        """Whose a new case becomes; one that had no team counts as new."""
        wanted = said.case if said.case and not said.case.is_none else None
        if wanted is None and said.escalate:
            return Route(said.escalate, f"rule “{said.escalate_rule}” calls in {said.escalate}")
        if wanted is not None and wanted.team:
            route = Route(wanted.team, f"rule “{said.case_rule}” names {wanted.team}")
        else:
            route = self.routes.unnamed(situation.understanding.areas)
        return self.routes.with_room(route, situation.teams.live_cases)

    def case_plan(
        self, situation: Situation, *, team: str, urgency: Urgency, tags: tuple[str, ...] = (), rule: str = ""
    ) -> CasePlan:
        """A case with the service level that fits. Its title quotes nobody: posts can be deleted, titles stay.

        `rule`: the one that asked for it, which the title names where the mention wants nothing that we know.
        """
        customer = situation.customer
        promise = self.promises.promise(
            team=team,
            urgency=urgency,
            network=situation.network,
            tier=customer.tier if customer else "",
            now=situation.now,
            incident=situation.incident if situation.incident and situation.incident.state.active else None,
        )
        intents = situation.understanding.intents
        matter = intents[0].replace("_", " ") if intents else rule or "mention"
        return CasePlan(
            team=team,
            urgency=urgency,
            title=f"{matter.capitalize()} on {situation.network}",
            tags=tags,
            promise=promise,
            checklist=self.routes.checklist(team),
        )

    @staticmethod
    def _case_tags(said: _Said) -> tuple[str, ...]:
        own = said.case.tags if said.case and said.case.tags else ()
        return tuple(dict.fromkeys([*own, *said.tags]))

    def _reply(
        self, said: _Said, situation: Situation, case: CasePlan | None, urgency: Urgency
    ) -> tuple[ReplyPlan | None, tuple[ModeTrace, ...]]:
        if said.reply is None or said.reply.is_silence:
            return None, ()
        teams = [team for team in (situation.case.team, case.team if case else "") if team]
        answer = self.answer(situation, team=case.team if case else "", urgency=urgency, has_case=case is not None)
        if answer is not None and situation.incident is not None:
            modes = self._levels.traces(
                situation,
                teams=teams,
                template="",
                rule="",
                mode=None,
                person=said.person,
                incident=situation.incident.reference,
            )
            return replace(answer, mode=_strictest(modes), rule=said.reply_rule), modes
        draft = self.templates.draft(
            said.reply.template,
            situation,
            team=case.team if case else "",
            urgency=urgency.value,
            has_case=case is not None,
        )
        if draft is None:
            return None, ()
        modes = self._levels.traces(
            situation,
            teams=teams,
            template=said.reply.template,
            rule=said.reply_rule,
            mode=said.mode,
            person=said.person,
        )
        plan = ReplyPlan(
            template=said.reply.template,
            text=draft.text,
            language=draft.language,
            mode=_strictest(modes),
            length=draft.length,
            limit=situation.facts.limit,
            rule=said.reply_rule,
            wording=draft.wording,
        )
        return plan, modes

    def example(self, text: str) -> str:
        """What a checked template says to somebody made up."""
        return self.templates.example(text)

    def answer(self, situation: Situation, *, team: str, urgency: Urgency, has_case: bool) -> ReplyPlan | None:
        """The approved answer of the incident that the mention belongs to, for a person to see; None: there is none."""
        incident = situation.incident
        if incident is None or not answers(incident, situation.understanding):
            return None
        draft = self.templates.answer(incident.answers, situation, team=team, urgency=urgency.value, has_case=has_case)
        if draft is None:
            return None
        return ReplyPlan(
            template=f"incident {incident.reference}",
            text=draft.text,
            language=draft.language,
            mode=Mode.MANUAL,
            length=draft.length,
            limit=situation.facts.limit,
            wording=draft.wording,
            incident=incident.number,
        )


def _strictest(modes: Sequence[ModeTrace]) -> Mode:
    return Mode.AUTO if all(trace.mode is Mode.AUTO for trace in modes) else Mode.MANUAL
