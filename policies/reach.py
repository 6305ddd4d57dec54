"""What a policy says in vain, as far as it can be proved: rules that nothing reaches, conditions that never hold,
rules that add nothing, replies that their network does not take. No situation proves a finding wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from listener.types import Answerable, Facts, PostKind, Urgency
from policies import levels
from policies.document import Location
from policies.proofs import (
    BLOCKS,
    Both,
    Effort,
    Formula,
    Line,
    contradicts,
    cost,
    family,
    formula,
    impossible,
    lines_of,
    negated,
)
from policies.schema import Case, PolicyFile, Rule, Then
from policies.schema_drafts import Template
from policies.templates import compiled, render
from policies.words import shown

ONE, ALL = 2_000, 250_000  # steps of thought for one question, and for one file
TOGETHER = 8  # rules that are looked at together
# What a rule may hold for this to know all that it does; another key makes it a rule that is left alone.
_RULE = {"name", "because", "when", "then", "goes_on", "shadow"}
_THEN = {"reply", "case", "urgency", "tags", "escalate", "ignore", "person", "ask_for", "alert"}
_CASE = {"team", "urgency", "tags", "skills"}
_IMPLIED = {
    "main_intent": {"intents"},
    "intents": {"main_intent"},
    "confidence": {"intents", "main_intent"},
    "customer.tier": {"customer.known"},
    "customer.tags": {"customer.known"},
    "customer.open_cases": {"customer.known"},
    "customer.consent": {"customer.known"},
    "customer.refused": {"customer.known"},
    "customer.arrears": {"customer.known"},
    "customer.arrears_days": {"customer.known"},
    "customer.tenure_days": {"customer.known"},
    "customer.contracts": {"customer.known"},
    "customer.products": {"customer.known"},
    "customer.language": {"customer.known"},
}
_SPLIT = {"has_media", "author.bot", "customer.known", "thread.is_reply_to_us", "case.exists", "kind", "visibility"}
_SPLIT |= {"age", "author.mentions_last_7_days", "thread.our_replies", "thread.last_speaker", "code"}
_SPLIT |= {"author.unsolved_complaints", "thread.answered_by_colleague"}  # always the one or the other
_SPLIT |= {"author.bot_likeness", "author.complaints_last_30_days"}
_SPLIT |= {"time.within", "time.weekday", "incident.active"}

FactsOf = Callable[[str], Facts | None]


@dataclass(frozen=True, kw_only=True)
class _Read:
    """One rule with its `when` as a formula, by lines and whole; `never`: it is known to hold for nothing."""

    index: int
    rule: Rule
    lines: Mapping[str, Formula]
    whole: Formula
    otherwise: Formula  # its `when` does not hold
    keys: tuple[frozenset[str], ...]  # of each line, blocks with all inside them
    near: frozenset[str]  # all its keys and what these say something about
    plain: Mapping[str, Sequence[Line]]  # its lines that stand in no block, by what they speak of
    denied: Sequence[Line]  # the same, none of which holds
    in_blocks: frozenset[str]  # the keys inside its blocks
    never: bool

    @property
    def ends(self) -> bool:
        """Whether nothing below is read where it matches; a rule in the shadow ends nothing."""
        return not (self.rule.goes_on or self.rule.shadow) and self.rule.model_fields_set <= _RULE

    def may_speak_of(self, near: frozenset[str]) -> bool:
        """Whether each of its lines speaks of something among `near`; where one does not, no proof is tried."""
        return all(keys & near for keys in self.keys)

    def may_follow_from(self, other: _Read, effort: Effort) -> bool:
        """Whether it may hold wherever the other does; False also where a proof would take more than a glance."""
        if not self.may_speak_of(other.near):
            return False
        for line in self.denied:
            if line.key in other.in_blocks:
                continue
            together = [*other.plain.get(family(line.key), ()), line]
            if not effort.spend(cost(together)) or not contradicts(together):
                return False
        return True


def findings(file: PolicyFile, facts: FactsOf | None = None) -> Iterator[tuple[Location, str]]:
    """Where something is said in vain, and a sentence why. `facts`: what is true of a network, None: not known here."""
    effort = Effort(ALL)
    rules = [_read(index, rule, effort) for index, rule in enumerate(file.rules)]
    for each in rules:
        yield from _never(each, effort)
    for each in rules:
        if each.never:
            continue
        above = [other for other in rules[: each.index] if not other.never]
        before = _before(each, [other for other in above if other.ends], effort)
        if before:
            yield ("rules", each.index, "when"), _unreached(each, before)
        elif _adds_nothing(each, above, last=each.index == len(rules) - 1, effort=effort):
            yield (
                ("rules", each.index, "then"),
                f"rule `{shown(each.rule.name)}` changes nothing: rules above it have said all of it by then; remove "
                "it, or say something new",
            )
    yield from levels.in_vain(file)
    for index, part in enumerate(file.score.contributions):
        if _proved([formula(part.when)], effort):
            yield (
                ("score", "contributions", index, "when"),
                f"contribution `{shown(part.name)}` can never count: its lines exclude each other; correct its `when`, "
                "or remove it",
            )
    if facts is not None:
        for each in rules:
            if not each.never:
                yield from _unsendable(file, each, facts, effort)
        yield from _unsendable_wordings(file, facts)


def _read(index: int, rule: Rule, effort: Effort) -> _Read:
    lines = lines_of(rule.when)
    whole = Both(parts=tuple(lines.values()))
    keys = tuple(frozenset(line.key for line in _all_lines(part)) for part in lines.values())
    said = frozenset().union(*keys)
    near = said.union(*(_IMPLIED.get(key, set()) for key in said))
    alone = [line for line in lines.values() if isinstance(line, Line)]
    plain: dict[str, list[Line]] = {}
    for line in alone:
        plain.setdefault(family(line.key), []).append(line)
    return _Read(
        index=index,
        rule=rule,
        lines=lines,
        whole=whole,
        otherwise=negated(whole),
        keys=keys,
        near=near,
        plain=plain,
        denied=[replace(line, holds=False) for line in alone],
        in_blocks=frozenset(
            inside.key for part in lines.values() if not isinstance(part, Line) for inside in _all_lines(part)
        ),
        never=_proved([whole], effort),
    )


def _all_lines(one: Formula) -> Iterator[Line]:
    if isinstance(one, Line):
        yield one
    else:
        for part in one.parts:
            yield from _all_lines(part)


def _proved(parts: Sequence[Formula], total: Effort) -> bool:
    """Whether the parts are certain never to hold together, for no more than one question's effort."""
    given = max(0, min(ONE, total.steps))
    effort = Effort(given)
    answer = impossible(parts, effort)
    total.spend(given - max(0, effort.steps))
    return answer


# --- what never holds ------------------------------------------------------------------------------------------------


def _never(each: _Read, effort: Effort) -> Iterator[tuple[Location, str]]:
    name = shown(each.rule.name)
    at: Location = ("rules", each.index, "when")
    if each.never:
        keys = _culprits(each, effort)
        what = f"`{keys[0]}` contradicts itself" if len(keys) == 1 else f"{_listed(keys)} exclude each other"
        yield (*at, keys[0]), f"rule `{name}` can never match: {what}; correct its `when`, or remove the rule"
        return
    when = each.rule.when
    for number, block in enumerate(when.any):
        if len(when.any) > 1 and _proved([each.whole, formula(block)], effort):
            yield (
                (*at, "any", number),
                f"rule `{name}`: this alternative can never hold together with the rest; correct or remove it",
            )
    others: list[Formula] = [part for key, part in each.lines.items() if key != "none"]
    for number, block in enumerate(when.none):
        if not block.is_empty and _proved([*others, formula(block)], effort):
            yield (
                (*at, "none", number),
                f"rule `{name}`: this excludes nothing, for it never holds where the rest does; correct or remove it",
            )


def _culprits(each: _Read, effort: Effort) -> tuple[str, ...]:
    """The fewest lines that cannot hold together, by their keys."""
    for size in (1, 2):
        for keys in combinations(each.lines, size):
            if _proved([each.lines[key] for key in keys], effort):
                return keys
    return tuple(key for key in each.lines if key not in BLOCKS) or tuple(each.lines)


# --- what is never reached -------------------------------------------------------------------------------------------


def _before(each: _Read, above: Sequence[_Read], effort: Effort) -> list[_Read]:
    """The rules above it, as few as can be told, one of which matches whatever it matches; none: no such thing."""
    for other in above:
        if other.may_follow_from(each, effort) and _proved([each.whole, other.otherwise], effort):
            return [other]
    together = [other for other in above if other.may_speak_of(each.near | _SPLIT)][-TOGETHER:]
    if len(together) < 2 or not _proved([each.whole, *(other.otherwise for other in together)], effort):
        return []
    for other in list(together):
        fewer = [one for one in together if one is not other]
        if _proved([each.whole, *(one.otherwise for one in fewer)], effort):
            together = fewer
    return together


def _unreached(each: _Read, before: Sequence[_Read]) -> str:
    names = _listed([shown(other.rule.name) for other in before])
    what = "matches whatever it would" if len(before) == 1 else "together match whatever it would"
    return (
        f"rule `{shown(each.rule.name)}` is never reached: {names} above it {what}; move it up, or give "
        f"{'that rule' if len(before) == 1 else 'those rules'} more conditions or `continue: true`"
    )


# --- what says nothing new -------------------------------------------------------------------------------------------


def _adds_nothing(each: _Read, above: Sequence[_Read], *, last: bool, effort: Effort) -> bool:
    """Whether all that the rule says was said, whenever it matches, by rules above it that go on."""
    then = each.rule.then
    if not (each.rule.goes_on or last) or then.ignore is not None or not _is_known(each.rule):
        return False
    sure = [
        other.rule.then
        for other in above
        if other.rule.goes_on
        and _is_known(other.rule)
        and other.may_follow_from(each, effort)
        and _proved([each.whole, other.otherwise], effort)
    ]
    answers = then.reply is not None or then.ask_for is not None  # what is asked for may be known: no sure answer
    if answers and all(said.reply is None for said in sure):
        return False
    for key in ("case", "escalate", "person"):  # of these the first one counts
        if getattr(then, key) is not None and all(getattr(said, key) is None for said in sure):
            return False
    if then.case and _adds_to_the_case(then.case, [said.case for said in sure if said.case]):
        return False
    least = max((_rank(urgency) for said in sure for urgency in _urgencies(said)), default=-1)
    if any(urgency.startswith("+") or _rank(urgency) > least for urgency in _urgencies(then)):
        return False
    told = {target for said in sure for target in said.alert or ()}
    tagged = {tag for said in sure for tag in said.tags or ()}
    return bool(sure) and set(then.alert or ()) <= told and set(then.tags or ()) <= tagged


def _adds_to_the_case(case: Case, said: Sequence[Case]) -> bool:
    """Whether that says something about the case that none of the others, which come first, has said."""
    if not case.only_skills and all(each.only_skills for each in said):
        return True
    return not set(case.skills or ()) <= {skill for each in said for skill in each.skills or ()}


def _urgencies(then: Then) -> list[str]:
    return [urgency for urgency in (then.urgency, then.case.urgency if then.case else None) if urgency]


def _is_known(rule: Rule) -> bool:
    """Whether this knows all that the rule does; one in the shadow does nothing, and is there for that."""
    case = rule.then.case
    return (
        rule.model_fields_set <= _RULE
        and not rule.shadow
        and rule.then.model_fields_set <= _THEN
        and (case is None or case.model_fields_set <= _CASE)
    )


def _rank(urgency: str) -> int:
    return -1 if urgency.startswith("+") else Urgency(urgency).rank


# --- what the network does not take ----------------------------------------------------------------------------------


def _unsendable(file: PolicyFile, each: _Read, facts: FactsOf, effort: Effort) -> Iterator[tuple[Location, str]]:
    reply = each.rule.then.reply
    template = file.templates.get(reply.template) if reply and not reply.is_silence else None
    named = sorted({name for line in _all_lines(each.whole) if line.key == "network" for name in line.value})
    if reply is None or template is None or not named:
        return
    elsewhere = Line(key="network", value=frozenset(named), holds=False)
    if not _proved([each.whole, elsewhere], effort):
        return  # it may match on other networks too
    reasons = []
    for name in named:
        here = Line(key="network", value=frozenset({name}))
        if _proved([each.whole, here], effort):
            continue
        known = facts(name)
        if known is None:
            return
        not_found = Line(key="kind", value=frozenset({PostKind.FOUND.value}), holds=False)
        why = _why_not(file, template, known, found=_proved([each.whole, here, not_found], effort))
        if not why:
            return
        reasons.append(why)
    if reasons:
        yield (
            ("rules", each.index, "then", "reply"),
            f"rule `{shown(each.rule.name)}` replies with `{reply.template}`, which cannot be sent there: "
            f"{'; '.join(reasons)}; say `reply: none`, or give it another template",
        )


def _why_not(file: PolicyFile, template: Template, facts: Facts, *, found: bool) -> str:
    """Why no reply with that template can be sent there; `found`: only to what a search found."""
    if facts.answerable is Answerable.NOBODY:
        return f"{facts.network} lets us answer nobody"
    if facts.answerable is Answerable.ADDRESSED and found:
        return f"{facts.network} lets us answer only those who addressed us"
    wordings = template.wordings()
    texts = [
        text
        for place in (facts.network, "")
        for by_language in wordings.get(place, {}).values()
        for text in by_language
    ]
    signature = f" {file.brand.signature}" if file.brand.signature else ""
    if all("{" not in text and facts.count(render(compiled(text), {}) + signature) > facts.limit for text in texts):
        return f"no wording fits into the {facts.limit} characters of {facts.network}"
    return ""


def _unsendable_wordings(file: PolicyFile, facts: FactsOf) -> Iterator[tuple[Location, str]]:
    for name, template in file.templates.items():
        for network in template.networks:
            known = facts(network)
            if known and known.answerable is Answerable.NOBODY:
                yield (
                    ("templates", name, "networks", network),
                    f"template `{shown(name)}` has wordings for {network}, which lets us answer nobody; remove them",
                )


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
