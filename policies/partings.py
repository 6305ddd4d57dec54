"""The first rule in which two policies part over one mention, and why, in a sentence. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from listener.types import CasePlan, Decision, GuardTrace, Mode, Occasion, Promise, RuleOutcome, RuleTrace
from policies.amounts import spoken
from policies.guard import Guarded
from policies.schema import Rule
from policies.spelling import tree, written
from policies.words import shown


@dataclass(frozen=True, slots=True)
class Parting:
    """Where they part: the rule (empty: it is none), what kind of difference it is, and the sentence."""

    rule: str
    kind: str
    why: str


def parting(old: Guarded, before: Decision, new: Guarded, after: Decision) -> Parting:
    """Why two policies say different things: the first rule that matched in one alone, or that does other things."""
    first, second = _matched(before), _matched(after)
    for place in range(max(len(first), len(second))):
        was = first[place] if place < len(first) else None
        becomes = second[place] if place < len(second) else None
        if was == becomes and was is not None:
            found = _does_otherwise(_rule(old, was), _rule(new, was))
            if found:
                return found
            continue
        return _other_rule(was, becomes, old, before, new, after)
    return _not_the_rules(old, before, new, after)


def _matched(decision: Decision) -> list[str]:
    return [trace.rule for trace in decision.rules if trace.outcome is RuleOutcome.MATCHED]


def _rule(policy: Guarded, name: str) -> Rule | None:
    return next((rule for rule in policy.file.rules if rule.name == name), None)


def _does_otherwise(was: Rule | None, becomes: Rule | None) -> Parting | None:
    """What a rule that matched in both does in one alone."""
    if was is None or becomes is None or (was.then, was.goes_on) == (becomes.then, becomes.goes_on):
        return None
    before, after = (tree(rule.then) for rule in (was, becomes))
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    parts = [f"{key} was {_said(before.get(key))} and becomes {_said(after.get(key))}" for key in keys]
    if was.goes_on != becomes.goes_on:
        parts.append("it goes on to the next rules now" if becomes.goes_on else "it ends the reading now")
    return Parting(
        was.name, "does other things", f"The rule “{shown(was.name)}” does other things: {'; '.join(parts)}."
    )


def _said(value: object) -> str:
    """`team care, urgency high, tags billing and churn`: an action's value in words."""
    if isinstance(value, dict):
        return shown(", ".join(f"{key} {_said(inner)}" for key, inner in value.items()) or "as usual", 120)
    if isinstance(value, tuple):
        return shown(" and ".join(map(_said, value)), 120)
    return "nothing" if value is None else written(value, 120)


def _other_rule(  # noqa: PLR0917  two policies, each with its decision and its rule
    was: str | None, becomes: str | None, old: Guarded, before: Decision, new: Guarded, after: Decision
) -> Parting:
    """Another rule matched, or one where none did."""
    if becomes is not None and (was is None or _comes_first(was, becomes, old, before, new, after)):
        why = _why_not(becomes, old, before)
        added = f"The rule “{shown(becomes)}” matches now; before, {why}"
        return Parting(becomes, "matches now", f"{added}{f', and “{shown(was)}” matched' if was else ''}.")
    name = was or ""
    why = _why_not(name, new, after)
    gone = f"The rule “{shown(name)}” matched; now {why}"
    return Parting(name, "matches no more", f"{gone}{f', and “{shown(becomes)}” matches' if becomes else ''}.")


def _comes_first(  # noqa: PLR0917
    was: str, becomes: str, old: Guarded, before: Decision, new: Guarded, after: Decision
) -> bool:
    """Whether the rule that matches now is where they part, and not the one that matched before.

    A rule that was merely not reached, because another one ended the reading, is a consequence.
    """
    reached_before, reached_after = _is_reached(becomes, before), _is_reached(was, after)
    if reached_before != reached_after:
        return reached_before
    return _place(new, becomes) <= _place(old, was)


def _is_reached(name: str, decision: Decision) -> bool:
    trace = _trace(decision, name)
    return trace is None or trace.outcome is not RuleOutcome.NOT_REACHED


def _place(policy: Guarded, name: str | None) -> int:
    rules = policy.file.rules
    return next((place for place, rule in enumerate(rules) if rule.name == name), len(rules))


def _trace(decision: Decision, name: str | None) -> RuleTrace | None:
    return next((trace for trace in decision.rules if trace.rule == name), None)


def _why_not(name: str, policy: Guarded, decision: Decision) -> str:
    """Why that rule did not match under that policy."""
    trace = _trace(decision, name)
    if trace is None or _rule(policy, name) is None:
        return "there is no such rule"
    if trace.outcome is RuleOutcome.NOT_REACHED:
        ended = _matched(decision)
        return f"it is not reached, for “{shown(ended[-1])}” ends the reading" if ended else "it is not reached"
    if trace.outcome is RuleOutcome.FAILED:
        saw = shown(trace.saw, 120) or "nothing"
        return f"it wants {trace.condition}: {shown(trace.wanted, 120)}, and saw {saw}"
    if trace.outcome is RuleOutcome.SHADOW:
        return "it is in the shadow, and only records what it would have done"
    return "it matches later, after others"


def _not_the_rules(  # noqa: PLR0911  one for each thing that can differ
    old: Guarded, before: Decision, new: Guarded, after: Decision
) -> Parting:
    """The same rules did the same: a guard, the wording, or what stands around the rules."""
    guard = _first_guard(before.guards, after.guards)
    if guard and (before.reply is None) != (after.reply is None):
        return guard
    if before.reply and after.reply and before.reply.text != after.reply.text:
        name = shown(after.reply.template)
        return Parting("", f"wording of {name}", f"The template “{name}” has other words.")
    if guard:
        return guard
    if before.reply and after.reply and before.reply.mode is not after.reply.mode:
        return Parting("", "mode", _other_mode(before, after))
    if (before.case is None) != (after.case is None) or before.needs_routing != after.needs_routing:
        return Parting("", "cases", "Whether a mention becomes a case where no rule speaks of it has changed.")
    if before.case and after.case and before.case.team != after.case.team:
        if old.file.default_team != new.file.default_team:
            was, becomes = shown(old.file.default_team), shown(new.file.default_team)
            return Parting("", "default team", f"The default team was {was} and becomes {becomes}.")
        why = f": {shown(after.case.because, 160)}; before, {shown(before.case.because, 160)}"
        return Parting(
            "", "teams", f"The case goes to {shown(after.case.team)} and went to {shown(before.case.team)}{why}."
        )
    if before.escalate_to != after.escalate_to:
        return Parting("", "teams for danger", "Another team is called in when words of danger appear.")
    if before.case and after.case and before.case.promise != after.case.promise:
        return _other_promise(before.case.promise, after.case.promise)
    if before.case and after.case and before.case.skills != after.case.skills:
        return Parting("", "skills", f"The case asks for {_skills(after.case)}, and asked for {_skills(before.case)}.")
    if before.score != after.score:
        return _other_score(before, after)
    return Parting("", "tags", f"The tags are {_tags(after)}, and were {_tags(before)}.")


def _other_promise(before: Promise, after: Promise) -> Parting:
    """What is promised now: the level, the spans and the clock; or else its warnings; or else what follows."""
    said = []
    if before.level != after.level:
        said.append(f"the level is “{shown(after.level, 120)}” and was “{shown(before.level, 120)}”")
    for what, was, becomes in (
        ("first answer", before.first_response, after.first_response),
        ("solution", before.resolution, after.resolution),
    ):
        if was != becomes:
            said.append(f"the {what} is promised {_within(becomes)} and was {_within(was)}")
    if before.calendar != after.calendar:
        said.append(f"the clock runs {_running(after)} and ran {_running(before)}")
    dues = [(each.first_response_due, each.resolution_due) for each in (before, after)]
    if not said and dues[0] != dues[1]:
        said.append(f"the clock runs {_running(after)}, which has other hours or days now")
    if said:
        return Parting("", "service levels", f"Something else is promised: {'; '.join(said)}.")
    for what, first, then in (
        ("first answer", before.first_response_warning, after.first_response_warning),
        ("solution", before.resolution_warning, after.resolution_warning),
    ):
        if first != then:
            when = "there is none" if then is None else "there is one" if first is None else "it comes "
            when += ("sooner" if then < first else "later") if first and then else ""
            said.append(f"before the {what} is late {when} now")
    if said:
        return Parting("", "warnings", f"Of the warnings, {', and '.join(said)}.")
    changed = {step.occasion for step in {*before.steps} ^ {*after.steps}}
    after_what = " and ".join(
        f"a {occasion}" for occasion in (Occasion.WARNING, Occasion.BREACH) if occasion in changed
    )
    return Parting("", "escalation", f"Other steps follow {after_what}.")


def _within(span: timedelta | None) -> str:
    return "not at all" if span is None else f"within {spoken(span)}"


def _running(promise: Promise) -> str:
    return f"by the calendar “{shown(promise.calendar)}”" if promise.calendar else "round the clock"


def _tags(decision: Decision) -> str:
    return shown(" and ".join(decision.tags), 120) if decision.tags else "none"


def _skills(case: CasePlan) -> str:
    return shown(" and ".join(case.skills), 120) if case.skills else "no skill"


def _other_score(before: Decision, after: Decision) -> Parting:
    """Which contributions count now, or no more."""
    gone = [part for part in before.contributions if part not in after.contributions]
    come = [part for part in after.contributions if part not in before.contributions]
    said = [
        f"{', '.join(f'{_signed(part.points)} {shown(part.name)}' for part in parts)} {verb}"
        for parts, verb in ((come, "counts now"), (gone, "counts no more"))
        if parts
    ]
    names = [part.name for part in (*come, *gone)]
    totals = f"The score is {_signed(after.score, '')} and was {_signed(before.score, '')}"
    return Parting("", f"contribution {shown(names[0])}", f"{totals}: {', and '.join(said)}.")


def _signed(points: int, plus: str = "+") -> str:
    """With a true minus, as `escucha explain` has it."""
    return f"−{-points}" if points < 0 else f"{plus}{points}"


def _other_mode(before: Decision, after: Decision) -> str:
    """Why a reply that went out alone is a person's now, or the other way round: the first level that says so."""
    assert after.reply is not None
    keeps = before if after.reply.mode is Mode.AUTO else after
    why = next((trace.said for trace in keeps.modes if trace.mode is Mode.MANUAL), "a guard holds it")
    if keeps is before:
        return f"It goes out alone (auto) now; before, {shown(why, 160)}."
    return f"It waits for a person (manual) now, for {shown(why, 160)}."


def _first_guard(before: Sequence[GuardTrace], after: Sequence[GuardTrace]) -> Parting | None:
    old = {trace.guard: (trace.holds, trace.forbids) for trace in before}
    for trace in after:
        was = old.get(trace.guard, (False, False))
        if was == (trace.holds, trace.forbids):
            continue
        verb = "forbids it" if trace.forbids else "holds it for a person" if trace.holds else "lets it pass"
        why = f": {shown(trace.reason, 160)}" if trace.reason else ""
        return Parting("", f"guard {trace.guard}", f"The guard “{trace.guard}” {verb} now{why}.")
    return None
