"""Hard stops that no rule can lift, around every policy.

Each guard speaks on every decision: it lets the reply pass, holds it for a person (`holds`: what would have gone out
automatically becomes a proposal), or forbids it (`forbids`: there is no draft at all). The order below is the order
of the trace.

    own_post, colleague   our own words, and a colleague's                            forbids
    author                automatic accounts; those who ask them to keep away         forbids
    opted_out             who asks, or asked before, not to be answered               forbids
                          who comes near to asking for it                             holds
    answerable            whom, and what, the network does not let us answer          forbids
    answered              what was answered already                                   forbids
    colleague_answered    what a colleague answered from an account of their own      holds
    stranger              who is in a case and not known to be its person             holds
    paused, over_budget   somebody stopped everything; the money is spent             holds
    incident              something hits many, and this is not its approved answer    holds
    per_author_per_day, per_thread, per_rule_per_day, per_hour, per_day               holds
    duplicate             the same wording to many people within a day                holds
    automatic_once        a second automatic reply to one author within a day         holds
    loop                  who behaves like a machine                                  holds
    campaign              what many accounts write alike within an hour               holds
    unread                what no model could read: a person is to look at it          holds
    age, confidence, language                                                         holds
    signals               danger, law, press, somebody leaving or frail, irony, abuse holds
    risk                  words of danger; also calls a team in, urgency critical     holds
    length                longer than the network takes                               holds
    personal_data         data that must not stand in public                          holds
    tone                  guidelines that say `hold: true`, and what an incident says
                          is not to be said                                           holds

What was deleted or edited meanwhile never comes here: an edited post is read again first, and what is about to be sent
is looked up once more (`listener/flow/act.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from listener.sooner import altered
from listener.types import (
    NOBODY,
    CaseView,
    CustomerView,
    Decision,
    Facts,
    GuardTrace,
    IncidentRules,
    IncidentView,
    Item,
    Level,
    MassReply,
    Mode,
    NoticeRules,
    Offer,
    ReplyPlan,
    Situation,
    Understanding,
    Urgency,
    Visibility,
)
from policies import stops, stops_of_words
from policies.alone import Alone, alone, shares_at_work
from policies.colleagues import is_colleague
from policies.conditions import said_in
from policies.drafts import addressed_length
from policies.evaluate import Rules
from policies.guidelines import Guidelines
from policies.incidents import avoidable, avoided, not_to_be_said
from policies.modes import shares_in
from policies.personal import personal_data
from policies.promises import Promises
from policies.risks import Risk, RiskWords
from policies.schema import PolicyFile, Rule
from policies.score import longest_overtaking, total
from policies.shares import Share
from policies.stops import Case, Stop
from policies.templates import VARIABLES, template_problem


class Guarded:
    """A policy with its guard: the only kind there is."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._settings = rules.file.guard
        more = self._settings.risk_words
        self._guidelines = Guidelines(rules.file.guidelines, contacts=rules.file.brand.contacts)
        self._risk_words = RiskWords({kind: getattr(more, kind) for kind in type(more).model_fields})

    @property
    def version(self) -> str:
        """The first 12 hex digits of the SHA-256 of the text and of the settings that change its modes."""
        return self._rules.version

    @property
    def text(self) -> str:
        """The policy file as it was read."""
        return self._rules.text

    @property
    def overrides(self) -> Mapping[str, Mode]:
        """The modes that the settings gave it when it was read, by network; "" stands for everywhere."""
        return self._rules.overrides

    @property
    def file(self) -> PolicyFile:
        """The policy as it was understood, for those who show it."""
        return self._rules.file

    @property
    def fields_asked(self) -> frozenset[str]:
        """The imported fields of a customer that its rules ask about, in small letters."""
        return self._rules.fields_asked

    @property
    def shares(self) -> tuple[tuple[Level, str, Share], ...]:
        """Every share in it: what has it, by level and name, and the share; those in the shadow are left out."""
        return tuple(shares_in(self._rules.file))

    @property
    def shares_at_work(self) -> set[tuple[Level, str]]:
        """What has a share that lets anything go out alone: another level may let nothing."""
        return shares_at_work(self._rules)

    def alone(self, rule: Rule) -> Alone | None:
        """How the answers of one of its rules may go out alone; None: only by a person."""
        return alone(self._rules, rule)

    def mode_on(self, network: str) -> Mode | Share:
        """How replies go out on that network, settings included; the levels below can only make it stricter."""
        return self._rules.mode_on(network)

    def offers(self, customer: CustomerView, now: datetime) -> tuple[Offer, ...]:
        """What an agent may offer that customer, in their language; `customer` holds all of their fields. Pure."""
        return self._rules.offers.to(customer, now)

    def is_colleague(self, network: str, handle: str) -> bool:
        """Whether `guard: colleagues:` names that account on that network."""
        return is_colleague(handle, network, self._settings.colleagues)

    def decide(self, situation: Situation) -> Decision:
        """What to do about one mention, after every hard stop. Pure: the same situation gives the same decision."""
        proposed = self._rules.decide(situation)
        about = self._case(situation, proposed.reply)
        risks = about.risks
        traces = tuple(
            [passed if (stop := check(about)) is None else _stopped(passed.guard, *stop) for passed, check in _CHECKS]
        )
        decision = altered(
            proposed,
            reply=_allowed(proposed.reply, traces, until=situation.posted_at + self._settings.max_age),
            guards=traces,
            leave_alone=bool(stops.opt_out(situation)),
        )
        if situation.author.is_us:
            nothing = replace(decision, case=None, needs_routing=False, escalate_to="", alerts=())
            return replace(nothing, ignored="this is our own post")
        if risks and not situation.author.bot:
            return self._alarm(decision, situation, risks)
        if situation.understanding.model_version == NOBODY:
            return replace(decision, needs_routing=decision.case is None, ignored="")
        return decision

    def answer_many(
        self, situation: Situation, answers: Mapping[str, Sequence[str]], *, turn: int, after: str = ""
    ) -> MassReply:
        """An approved short answer for this mention, one of many that get it, or why a person must answer it. Pure.

        `answers`: the wordings by language, each a template. `turn`: whose turn it is of them; `after`: the wording
        that goes out before it. Whatever would hold a reply for a person leaves it to one, but for how often and how
        soon: many answers have a pace of their own.
        """
        spoken = situation.understanding.language
        if spoken in ("", "und"):
            return MassReply(guard="language", reason="nobody can tell its language")
        draft = self._rules.templates.in_turn(answers, situation, turn=turn, after=after)
        if draft is None:
            lacks = "" if situation.case.exists else " that names no case; they have none"
            return MassReply(guard="language", reason=f"no answer is approved in {spoken}{lacks}")
        plan = ReplyPlan(
            template=_MASS,
            text=draft.text,
            language=draft.language,
            mode=Mode.MANUAL,
            length=draft.length,
            limit=situation.facts.limit,
            wording=draft.wording,
        )
        about = self._case(situation, plan)
        for passed, check in _CHECKS:
            if passed.guard not in _PACED and (stop := check(about)) is not None:
                return MassReply(guard=passed.guard, reason=stop[1])
        return MassReply(plan=plan)

    def _case(self, situation: Situation, reply: ReplyPlan | None) -> Case:
        """What the stops look at."""
        return Case(
            situation=situation,
            reply=reply,
            settings=self._settings,
            contacts=self._contacts(situation.case),
            risks=self._risk_words.find(said_in(situation)),
            tone=self._held_for_tone(reply, situation),
        )

    def team_for(self, areas: Sequence[str]) -> str:
        """The team of a case for which nobody names one. `areas`: what it is about, the strongest first."""
        return self._rules.routes.unnamed(areas).team

    def skills_for(self, areas: Sequence[str]) -> tuple[str, ...]:
        """What whoever works on something about these areas must know."""
        return self._rules.routes.skills(areas)

    def checklist_of(self, team: str) -> tuple[Item, ...]:
        """What makes the cases of that team complete, in order."""
        return self._rules.routes.checklist(team)

    @property
    def longest_overtaking(self) -> timedelta:
        """What begins to wait so much later than something never comes before it in a queue."""
        return longest_overtaking(self.file.score)

    @property
    def minutes_per_point(self) -> int:
        """How long waiting is worth a point of the score."""
        return self.file.score.minutes_per_point

    def review(
        self, text: str, facts: Facts, handle: str, *, visibility: Visibility = Visibility.PUBLIC
    ) -> tuple[str, ...]:
        """Why an edited reply must not be sent, one sentence each; empty when it may."""
        return check_text(text, facts=facts, handle=handle, visibility=visibility, contacts=self._contacts(None))

    def tone(
        self,
        text: str,
        *,
        language: str,
        understanding: Understanding | None,
        name: str,
        visibility: Visibility = Visibility.PUBLIC,
        incidents: Sequence[IncidentView] = (),
    ) -> tuple[str, ...]:
        """Which guidelines a reply does not keep, one sentence each. They advise; they forbid nothing.

        `language`: the reply's. `understanding`: what it answers, None where nobody knows. `name`: the author's, as
        the network shows it. `incidents`: those that last.
        """
        found = self._guidelines.broken(text, language, understanding, name=name, visibility=visibility)
        told = [*(one.sentence for one in found), *not_to_be_said(text, incidents)]
        return tuple(f"{sentence[0].upper()}{sentence[1:]}." for sentence in told)

    def check_answer(self, text: str) -> tuple[str, ...]:
        """Why a text cannot be an incident's answer, one sentence each; empty when it can."""
        if problem := template_problem(text):
            return (f"{problem[0].upper()}{problem[1:]}.",)
        kinds = personal_data(text, self.file.brand.contacts)
        return (f"This answer holds {' and '.join(kinds)}; take that out.",) if kinds else ()

    def answer_example(self, text: str, facts: Facts) -> tuple[str, int]:
        """An incident's answer as it would be said to somebody made up, and its length as the network counts it."""
        example = self._rules.example(text)
        return example, addressed_length(example, facts, str(VARIABLES["author.handle"]))

    def avoided(self, text: str, phrases: tuple[str, ...]) -> str:
        """What of these phrases a text says, as it says it; "" where it says none."""
        return avoided(text, phrases)

    def check_avoided(self, phrase: str) -> str:
        """Why a phrase cannot be looked for in replies, in a sentence; "" where it can."""
        return avoidable(phrase)

    @property
    def promises(self) -> Promises:
        """What it promises to cases, and what happens when that is not kept."""
        return self._rules.promises

    @property
    def incident_rules(self) -> IncidentRules:
        """What it says of what hits many at once."""
        return self.file.incidents.rules()

    @property
    def notice_rules(self) -> NoticeRules:
        """What it says of what we tell everybody."""
        return replace(self.file.notices.rules(), time_zone=self.file.time_zone)

    @property
    def time_zone(self) -> str:
        """Whose days and hours count, like Europe/Madrid."""
        return self.file.time_zone

    @property
    def places(self) -> Mapping[str, tuple[str, ...]]:
        """The words and phrases by which people name each place, by its name, which is one of them."""
        return {name: tuple(dict.fromkeys([name, *words])) for name, words in self.file.places.items()}

    def _held_for_tone(self, reply: ReplyPlan | None, situation: Situation) -> tuple[str, ...]:
        if reply is None:
            return ()
        found = self._guidelines.broken(
            reply.text,
            reply.language,
            situation.understanding,
            name=situation.author.display_name,
            visibility=situation.visibility,
        )
        held = tuple(one.sentence for one in found if one.hold)
        return (*held, *not_to_be_said(reply.text, situation.incidents))

    def _contacts(self, case: CaseView | None) -> tuple[str, ...]:
        own = self._rules.file.brand.contacts
        return (*own, case.reference) if case and case.reference else own

    def _alarm(self, decision: Decision, situation: Situation, risks: tuple[Risk, ...]) -> Decision:
        """The decision with the team for the gravest danger called in, and a case in front of it, now."""
        had = situation.case.team
        named = getattr(self._settings.risk_teams, risks[0].kind)
        team = named or decision.escalate_to or had or self._rules.file.default_team
        tags = tuple(dict.fromkeys([*decision.tags, *(f"risk:{risk.kind}" for risk in risks)]))
        plan = self._rules.case_plan(situation, team=team, urgency=Urgency.CRITICAL, tags=tags)
        was = f"; its open case was with {had}" if had and had != team else ""
        if decision.case:
            plan = replace(plan, title=decision.case.title, tags=tuple(dict.fromkeys([*decision.case.tags, *tags])))
        parts = self._rules.scoring.at_level(decision.contributions, Urgency.CRITICAL)
        score = total(parts)
        plan = replace(
            plan,
            skills=decision.case.skills if decision.case else (),
            because=f"{' and '.join(risk.kind for risk in risks)} in its words: the guard calls in {team}{was}",
            score=score,
            minutes_per_point=decision.minutes_per_point,
        )
        return replace(
            decision,
            score=score,
            contributions=parts,
            case=plan,
            urgency=Urgency.CRITICAL,
            needs_routing=False,
            escalate_to=team,
            tags=tags,
            ignored="",
        )


def check_text(
    text: str,
    *,
    facts: Facts,
    handle: str,
    visibility: Visibility = Visibility.PUBLIC,
    contacts: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Why a text must not be sent as a reply to `handle`, one sentence each; empty when it may.

    `contacts`: the company's own addresses and numbers, which may stand in public.
    """
    if not text.strip():
        return ("The reply is empty; write what it should say.",)
    found = (
        stops_of_words.too_long(addressed_length(text, facts, handle), facts.limit),
        stops_of_words.shows_personal_data(text, visibility, contacts),
    )
    return tuple(f"{sentence[0].upper()}{sentence[1:]}." for sentence in found if sentence)


_GUARDS: tuple[tuple[str, Callable[[Case], Stop]], ...] = (
    ("own_post", stops.own_post),
    ("colleague", stops.colleague),
    ("author", stops.author),
    ("opted_out", stops.opted_out),
    ("answerable", stops.answerable),
    ("answered", stops.answered),
    ("colleague_answered", stops.colleague_answered),
    ("stranger", stops.stranger),
    ("paused", stops.paused),
    ("over_budget", stops.over_budget),
    ("incident", stops.incident),
    ("per_author_per_day", stops.per_author_per_day),
    ("per_thread", stops.per_thread),
    ("per_rule_per_day", stops.per_rule_per_day),
    ("per_hour", stops.per_hour),
    ("per_day", stops.per_day),
    ("duplicate", stops.duplicate),
    ("automatic_once", stops.automatic_once),
    ("loop", stops.loop),
    ("campaign", stops.campaign),
    ("unread", stops.unread),
    ("age", stops.age),
    ("confidence", stops_of_words.confidence),
    ("language", stops_of_words.language),
    ("signals", stops_of_words.signals),
    ("risk", stops_of_words.risk),
    ("length", stops_of_words.length),
    ("personal_data", stops_of_words.personal_data),
    ("tone", stops_of_words.tone),
)


_MASS = "incident"  # what stands as the template of one of many answers
# What of the guards an answer to many need not pass: it has caps and a pace of its own, and a person approved it.
_PACED = frozenset(
    {"paused", "over_budget", "per_rule_per_day", "per_hour", "per_day", "duplicate", "automatic_once", "campaign"}
    | {"age", "confidence", "language", "incident"}
)
_CHECKS = tuple((GuardTrace(guard=name), check) for name, check in _GUARDS)  # what it leaves where it lets pass


def guard_names() -> tuple[str, ...]:
    """Every guard's name, in the order of the trace."""
    return tuple(name for name, _ in _GUARDS)


def _stopped(name: str, kind: str, reason: str) -> GuardTrace:
    return GuardTrace(guard=name, holds=kind == "holds", forbids=kind == "forbids", reason=reason)


def _allowed(reply: ReplyPlan | None, traces: tuple[GuardTrace, ...], *, until: datetime) -> ReplyPlan | None:
    """What is left of the reply; where it goes out alone, that it does so only `until` then."""
    if reply is None:
        return None
    stops = [trace for trace in traces if trace.holds or trace.forbids]
    if any(trace.forbids for trace in stops):
        return None
    if stops:
        return replace(reply, mode=Mode.MANUAL)
    return replace(reply, alone_until=until) if reply.mode is Mode.AUTO else reply
