"""Hard stops that no rule can lift, around every policy.

Each guard speaks on every decision: it lets the reply pass, holds it for a person (`holds`: what would have gone out
automatically becomes a proposal), or forbids it (`forbids`: there is no draft at all). The order below is the order
of the trace.

    own_post              our own words                                               forbids
    author                automatic accounts; those who ask them to keep away         forbids
    opted_out             who asks, or asked before, not to be answered               forbids
    answerable            whom, and what, the network does not let us answer          forbids
    answered              what was answered already                                   forbids
    paused                somebody stopped everything                                 holds
    per_author_per_day, per_thread, per_hour                                          holds
    automatic_once        a second automatic reply to one author within a day         holds
    age, confidence, language                                                         holds
    signals               danger, law, press, somebody leaving or frail, irony, abuse holds
    risk                  words of danger; also calls a team in, urgency critical     holds
    length                longer than the network takes                               holds
    personal_data         data that must not stand in public                          holds
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from listener.types import (
    Answerable,
    CaseView,
    Decision,
    Facts,
    GuardTrace,
    Mode,
    PostKind,
    ReplyPlan,
    Situation,
    Urgency,
    Visibility,
)
from policies.amounts import spoken
from policies.conditions import confidence
from policies.drafts import addressed_length
from policies.evaluate import Rules
from policies.optouts import asks_to_be_left_alone
from policies.personal import personal_data
from policies.risks import Risk, RiskWords
from policies.schema import Guard, PolicyFile
from policies.words import fold


@dataclass(frozen=True, kw_only=True)
class _Case:
    """What the guards look at for one mention."""

    situation: Situation
    reply: ReplyPlan | None
    settings: Guard
    contacts: tuple[str, ...]
    risks: tuple[Risk, ...]


_Stop = tuple[str, str] | None  # ("holds" or "forbids", the reason in a sentence), None: pass


class Guarded:
    """A policy with its guard: the only kind there is."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._settings = rules.file.guard
        more = self._settings.risk_words
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
    def file(self) -> PolicyFile:
        """The policy as it was understood, for those who show it."""
        return self._rules.file

    def mode_on(self, network: str) -> Mode:
        """How replies go out on that network, settings included."""
        return self._rules.mode_on(network)

    def decide(self, situation: Situation) -> Decision:
        """What to do about one mention, after every hard stop. Pure: the same situation gives the same decision."""
        proposed = self._rules.decide(situation)
        risks = self._risk_words.find(f"{situation.content_warning} {situation.text}")
        about = _Case(
            situation=situation,
            reply=proposed.reply,
            settings=self._settings,
            contacts=self._contacts(situation.case),
            risks=risks,
        )
        traces = tuple(_trace(name, check(about)) for name, check in _GUARDS)
        decision = replace(
            proposed,
            reply=_allowed(proposed.reply, traces),
            guards=traces,
            leave_alone=bool(_opt_out(situation)),
        )
        if situation.author.is_us:
            return replace(decision, case=None, needs_routing=False, escalate_to="", ignored="this is our own post")
        if risks and not situation.author.bot:
            return self._alarm(decision, situation, risks)
        return decision

    def review(
        self, text: str, facts: Facts, handle: str, *, visibility: Visibility = Visibility.PUBLIC
    ) -> tuple[str, ...]:
        """Why an edited reply must not be sent, one sentence each; empty when it may."""
        return check_text(text, facts=facts, handle=handle, visibility=visibility, contacts=self._contacts(None))

    def _contacts(self, case: CaseView | None) -> tuple[str, ...]:
        own = self._rules.file.brand.contacts
        return (*own, case.reference) if case and case.reference else own

    def _alarm(self, decision: Decision, situation: Situation, risks: tuple[Risk, ...]) -> Decision:
        """The decision with the team for the gravest danger called in, and a case in front of it, now."""
        team = getattr(self._settings.risk_teams, risks[0].kind) or self._rules.file.default_team
        tags = tuple(dict.fromkeys([*decision.tags, *(f"risk:{risk.kind}" for risk in risks)]))
        plan = self._rules.case_plan(situation, team=team, urgency=Urgency.CRITICAL, tags=tags)
        if decision.case:
            plan = replace(plan, title=decision.case.title, tags=tuple(dict.fromkeys([*decision.case.tags, *tags])))
        return replace(
            decision,
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
        _too_long(addressed_length(text, facts, handle), facts.limit),
        _personal(text, visibility, contacts),
    )
    return tuple(f"{sentence[0].upper()}{sentence[1:]}." for sentence in found if sentence)


# --- the guards ------------------------------------------------------------------------------------------------------


def _own_post(about: _Case) -> _Stop:
    return ("forbids", "this is our own post") if about.situation.author.is_us else None


def _author(about: _Case) -> _Stop:
    author = about.situation.author
    if author.bot:
        return "forbids", "the account is automatic, and answering it can start a loop"
    if author.opted_out:
        return "forbids", "the author asks automatic accounts to keep away"
    return None


def _opted_out(about: _Case) -> _Stop:
    if words := _opt_out(about.situation):
        return "forbids", f"it asks to be left alone (“{words}”)"
    if about.situation.author.left_alone:
        return "forbids", "the author asked to be left alone; `escucha leave-alone --lift` takes that back"
    return None


def _answerable(about: _Case) -> _Stop:
    facts, kind = about.situation.facts, about.situation.kind
    if about.situation.unanswerable:
        return "forbids", f"{facts.network} takes no answer here: {about.situation.unanswerable}"
    if facts.answerable is Answerable.NOBODY:
        return "forbids", f"{facts.network} lets us answer nobody"
    if facts.answerable is Answerable.ADDRESSED and kind is PostKind.FOUND:
        return "forbids", f"{facts.network} lets us answer only those who addressed us, and this was found by a search"
    return None


def _answered(about: _Case) -> _Stop:
    return ("forbids", "it was answered already") if about.situation.thread.answered else None


def _paused(about: _Case) -> _Stop:
    return ("holds", "sending is paused") if about.situation.paused else None


def _per_author_per_day(about: _Case) -> _Stop:
    sent, cap = about.situation.sends.to_author_last_day, about.settings.per_author_per_day
    return ("holds", f"this author had {sent} replies in a day, and {cap} is the limit") if sent >= cap else None


def _per_thread(about: _Case) -> _Stop:
    sent = max(about.situation.sends.in_thread, about.situation.thread.our_replies)
    cap = about.settings.per_thread
    return ("holds", f"we spoke {sent} times in this conversation, and {cap} is the limit") if sent >= cap else None


def _per_hour(about: _Case) -> _Stop:
    sent, cap = about.situation.sends.last_hour, about.settings.per_hour
    return ("holds", f"{sent} replies went out in the last hour, and {cap} is the limit") if sent >= cap else None


def _automatic_once(about: _Case) -> _Stop:
    if about.situation.sends.automatic_to_author_last_day >= 1:
        return "holds", "this author had an automatic reply within a day; a second one could be a loop"
    return None


def _age(about: _Case) -> _Stop:
    age, limit = about.situation.now - about.situation.posted_at, about.settings.max_age
    return ("holds", f"it is {spoken(age)} old, and {spoken(limit)} is the limit") if age > limit else None


def _confidence(about: _Case) -> _Stop:
    sure = confidence(about.situation)
    if sure is None or about.situation.understanding.sentiment is None:
        return "holds", "the model is not sure what it means"
    limit = about.settings.min_confidence
    if not sure >= limit:  # also true for a score that is not a number
        return "holds", f"the model is {sure:.0%} sure what it means, and {limit:.0%} is asked for"
    return None


def _language(about: _Case) -> _Stop:
    language = about.situation.understanding.language.split("-", maxsplit=1)[0].casefold()
    if language in ("", "und"):
        return "holds", "nobody can tell its language"
    if about.reply and about.reply.language != language:
        return "holds", f"it is written in {language}, and the reply is in {about.reply.language}"
    return None


def _signals(about: _Case) -> _Stop:
    found = about.situation.understanding
    if not found.signals:
        return None
    signs = ", ".join(
        f"{signal.replace('_', ' ')} ({found.signal_scores.get(signal, 0.0):.0%})" for signal in found.signals
    )
    return "holds", f"the model sees {signs}, and a person should"


def _risk(about: _Case) -> _Stop:
    if not about.risks:
        return None
    signs = ", ".join(f"{risk.label} (“{risk.words}”)" for risk in about.risks)
    return "holds", f"it holds words of danger: {signs}"


def _length(about: _Case) -> _Stop:
    sentence = _too_long(about.reply.length, about.reply.limit) if about.reply else ""
    return ("holds", sentence) if sentence else None


def _personal_data(about: _Case) -> _Stop:
    if about.reply is None:
        return None
    situation = about.situation
    sentence = _personal(about.reply.text, situation.visibility, about.contacts)
    if not sentence and situation.visibility is not Visibility.DIRECT and _unmasks(about.reply.text, situation):
        sentence = "the reply would tell everybody the customer's name, which the account does not show"
    return ("holds", sentence) if sentence else None


def _too_long(length: int, limit: int) -> str:
    over = length - limit
    return f"the reply is {over} longer than the network takes ({length} of {limit}); shorten it" if over > 0 else ""


def _personal(text: str, visibility: Visibility, contacts: tuple[str, ...]) -> str:
    kinds = () if visibility is Visibility.DIRECT else personal_data(text, contacts)
    return f"the reply would show {' and '.join(kinds)} in public; take it out or answer in private" if kinds else ""


def _unmasks(text: str, situation: Situation) -> bool:
    """Whether the reply says a word of the record's name that the account itself does not show."""
    if situation.customer is None:
        return False
    shown = set(fold(f"{situation.author.display_name} {situation.author.handle} {situation.text}").split())
    hidden = {word for word in fold(situation.customer.name).split() if len(word) > 2} - shown
    return bool(hidden & set(fold(text).split()))


def _opt_out(situation: Situation) -> str:
    """The words by which its author, speaking to us, asks to be left alone."""
    if situation.kind is PostKind.FOUND or situation.author.is_us or situation.author.bot:
        return ""
    return asks_to_be_left_alone(situation.text)


_GUARDS: tuple[tuple[str, Callable[[_Case], _Stop]], ...] = (
    ("own_post", _own_post),
    ("author", _author),
    ("opted_out", _opted_out),
    ("answerable", _answerable),
    ("answered", _answered),
    ("paused", _paused),
    ("per_author_per_day", _per_author_per_day),
    ("per_thread", _per_thread),
    ("per_hour", _per_hour),
    ("automatic_once", _automatic_once),
    ("age", _age),
    ("confidence", _confidence),
    ("language", _language),
    ("signals", _signals),
    ("risk", _risk),
    ("length", _length),
    ("personal_data", _personal_data),
)


_PASSED = {name: GuardTrace(guard=name) for name, _ in _GUARDS}


def _trace(name: str, stop: _Stop) -> GuardTrace:
    if stop is None:
        return _PASSED[name]
    kind, reason = stop
    return GuardTrace(guard=name, holds=kind == "holds", forbids=kind == "forbids", reason=reason)


def _allowed(reply: ReplyPlan | None, traces: tuple[GuardTrace, ...]) -> ReplyPlan | None:
    if reply is None or any(trace.forbids for trace in traces):
        return None
    return replace(reply, mode=Mode.MANUAL) if any(trace.holds for trace in traces) else reply
