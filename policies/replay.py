"""What a policy would have done, and where two policies part. Pure; memory stays the same however long the history.

    run = replay.Replay(policy)                    run = replay.Comparison(old, new)
    run.add(mention_id, situation)                 run.add(mention_id, situation)
    run.tally.report()                             run.tally.report()

Tallies can be added to each other (`merge`), in the order of the history, so that several processes can share the work.
A report holds plain values only, as JSON knows them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from listener.types import Decision, Mode, Promise, Situation, Urgency
from policies.counting import count, in_order, merge
from policies.guard import Guarded
from policies.partings import parting
from policies.work import Work

EXAMPLES = 200  # mentions that a tally names
PER_TEMPLATE = 3  # replies of one template that it shows
TEXT = 1_000  # characters of a mention or a reply in an example
VANISHES, GOES_OUT_ALONE = "the reply vanishes", "the reply goes out alone"
APPEARS, NO_LONGER_ALONE = "a reply appears", "the reply no longer goes out alone"
WEIGHTIEST = (VANISHES, GOES_OUT_ALONE, APPEARS, NO_LONGER_ALONE)  # kinds of change, to be read in this order
KINDS, PER_KIND = 50, 3  # so many kinds of change are shown however rare they are, with so many mentions of each


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision comes to. `template` is empty where nothing is said; `team` where there is no case."""

    template: str
    text: str
    mode: str
    team: str
    joins: bool
    urgency: Urgency
    ignored: str
    escalate_to: str
    needs_routing: bool
    tags: tuple[str, ...]
    leave_alone: bool
    first_response: timedelta | None
    resolution: timedelta | None
    skills: tuple[str, ...]
    score: int
    promise: Promise | None = None
    alerts: tuple[str, ...] = ()


# What people call each part of an outcome.
ASPECTS: Mapping[str, str] = {
    "template": "reply",
    "text": "words of the reply",
    "mode": "automatic or by a person",
    "team": "case",
    "joins": "case",
    "urgency": "urgency",
    "ignored": "ignored",
    "escalate_to": "escalation",
    "needs_routing": "routing",
    "tags": "tags",
    "leave_alone": "left alone",
    "first_response": "service level",
    "resolution": "service level",
    "promise": "service level",
    "alerts": "alert",
    "skills": "skills",
    "score": "place in the queue",
}


def outcome(situation: Situation, decision: Decision) -> Outcome:
    """What the decision comes to."""
    reply, case = decision.reply, decision.case
    return Outcome(
        reply.template if reply else "",
        reply.text if reply else "",
        reply.mode.value if reply else "",
        case.team if case else "",
        case is not None and situation.case.exists,
        decision.urgency,
        decision.ignored,
        decision.escalate_to,
        decision.needs_routing,
        decision.tags,
        decision.leave_alone,
        case.first_response if case else None,
        case.resolution if case else None,
        case.skills if case else (),
        decision.score,
        case.promise if case else None,
        tuple(plan.target for plan in decision.alerts),
    )


def changed(old: Outcome, new: Outcome) -> tuple[str, ...]:
    """The parts in which two outcomes differ, as people call them; other words only where both reply alike."""
    if old == new:
        return ()
    names = [name for name in ASPECTS if getattr(old, name) != getattr(new, name)]
    if "template" in names:
        names = [name for name in names if name not in ("text", "mode")]
    return tuple(dict.fromkeys(ASPECTS[name] for name in names))


def told(found: Outcome) -> dict[str, Any]:
    """An outcome as JSON."""
    return {
        "reply": found.template or None,
        "text": found.text[:TEXT] or None,
        "mode": found.mode or None,
        "team": found.team or None,
        "joins_open_case": found.joins,
        "urgency": found.urgency.value,
        "ignored": found.ignored or None,
        "escalate_to": found.escalate_to or None,
        "needs_routing": found.needs_routing,
        "tags": list(found.tags),
        "alerts": list(found.alerts),
        "skills": list(found.skills),
        "score": found.score,
    }


_COUNTERS = (
    *("replies", "automatic", "by_person", "cases", "joined", "urgency", "ignored", "escalated"),
    *("held", "forbidden", "rules", "shadow", "networks", "promised", "alerted"),
)


@dataclass(kw_only=True)
class Tally:
    """What one policy would have done, counted. Counters: from a name to the number of mentions."""

    version: str
    every_rule: tuple[str, ...]
    mentions: int = 0
    routed: int = 0
    left_alone: int = 0
    replies: Counter[str] = field(default_factory=Counter)  # by template
    automatic: Counter[str] = field(default_factory=Counter)  # by network
    by_person: Counter[str] = field(default_factory=Counter)  # by network
    cases: Counter[str] = field(default_factory=Counter)  # opened, by team
    joined: Counter[str] = field(default_factory=Counter)  # updated, by team
    urgency: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)  # by reason
    escalated: Counter[str] = field(default_factory=Counter)  # by team
    held: Counter[str] = field(default_factory=Counter)  # by guard: replies that had to wait for a person
    forbidden: Counter[str] = field(default_factory=Counter)  # by guard: replies that a rule wanted and nobody gets
    rules: Counter[str] = field(default_factory=Counter)  # that matched
    shadow: Counter[str] = field(default_factory=Counter)  # that would have matched, were they not in the shadow
    networks: Counter[str] = field(default_factory=Counter)
    promised: Counter[str] = field(default_factory=Counter)  # by urgency and spans, for cases that it would open
    alerted: Counter[str] = field(default_factory=Counter)  # by target
    work: Work = field(default_factory=Work)
    usd: dict[str, float] = field(default_factory=dict)  # by network: if every reply went out
    usd_automatic: dict[str, float] = field(default_factory=dict)
    reproduced: int = 0
    differing: int = 0
    different: list[int] = field(default_factory=list)  # decisions of this version that come out otherwise now
    lost: Counter[str] = field(default_factory=Counter)  # by what is missing
    shown: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # replies to read, by template

    def add(self, mention_id: int, situation: Situation, decision: Decision, *, wanted: bool) -> Outcome:
        """Counts one decision; gives what it comes to. `wanted`: whether a rule meant to reply."""
        found = outcome(situation, decision)
        self.mentions += 1
        self.networks[situation.network] += 1
        self.urgency[found.urgency.value] += 1
        for trace in decision.rules:
            if trace.outcome == "matched":
                self.rules[trace.rule] += 1
            elif trace.outcome == "shadow":
                self.shadow[trace.rule] += 1
        if found.team:
            count(self.joined if found.joins else self.cases, found.team)
            if not found.joins:
                count(self.promised, _promise(found))
        if found.ignored:
            count(self.ignored, found.ignored)
        if found.escalate_to:
            count(self.escalated, found.escalate_to)
        for target in found.alerts:
            count(self.alerted, target)
        self.routed += found.needs_routing
        self.left_alone += found.leave_alone
        if found.template:
            self._add_reply(mention_id, situation, found)
        if found.template or wanted:
            for guard in decision.guards:
                if guard.forbids or guard.holds:
                    (self.forbidden if guard.forbids else self.held)[guard.guard] += 1
        return found

    def _add_reply(self, mention_id: int, situation: Situation, found: Outcome) -> None:
        network = situation.network
        count(self.replies, found.template)
        automatic = found.mode == Mode.AUTO.value
        (self.automatic if automatic else self.by_person)[network] += 1
        if situation.facts.reply_price is not None:
            price = situation.facts.reply_price(found.text)
            self.usd[network] = self.usd.get(network, 0.0) + price
            self.usd_automatic[network] = self.usd_automatic.get(network, 0.0) + price * automatic
        shown = self.shown.setdefault(found.template, [])
        if len(shown) < PER_TEMPLATE and len(self.shown) <= EXAMPLES:
            said = {"mention": mention_id, "network": network, "said": situation.text[:TEXT]}
            shown.append({**said, "mode": found.mode, "text": found.text[:TEXT]})

    def compare_with_the_past(self, decision_id: int, same: bool) -> None:
        """Counts whether a decision that this very version made comes out the same."""
        if same:
            self.reproduced += 1
            return
        self.differing += 1
        if len(self.different) < EXAMPLES:
            self.different.append(decision_id)

    def lose(self, reason: str) -> None:
        """Counts a decision that cannot be made again, and why."""
        self.lost[reason] += 1

    def merge(self, later: Tally) -> None:
        """Adds what another one counted after this one."""
        for name in _COUNTERS:
            merge(getattr(self, name), getattr(later, name))
        self.work.merge(later.work)
        merge(self.lost, later.lost)
        for name in ("mentions", "routed", "left_alone", "reproduced", "differing"):
            setattr(self, name, getattr(self, name) + getattr(later, name))
        for mine, theirs in ((self.usd, later.usd), (self.usd_automatic, later.usd_automatic)):
            for network, sum_ in theirs.items():
                mine[network] = mine.get(network, 0.0) + sum_
        self.different = [*self.different, *later.different][:EXAMPLES]
        for template, examples in later.shown.items():
            if template in self.shown or len(self.shown) < EXAMPLES:
                self.shown[template] = [*self.shown.get(template, ()), *examples][:PER_TEMPLATE]

    def report(self) -> dict[str, Any]:
        """Everything, as JSON."""
        return {
            "policy": self.version,
            "mentions": self.mentions,
            "lost": in_order(self.lost),
            "replies": {
                "automatic": sum(self.automatic.values()),
                "by_person": sum(self.by_person.values()),
                "by_template": in_order(self.replies),
                "by_network": {
                    network: {"automatic": self.automatic[network], "by_person": self.by_person[network]}
                    for network in sorted({*self.automatic, *self.by_person})
                },
                "examples": self.shown,
            },
            "cases": {"opened": in_order(self.cases), "joined": in_order(self.joined), "routed_by_person": self.routed},
            "service_levels": in_order(self.promised),
            **self.work.report(),
            "urgency": {level.value: self.urgency[level.value] for level in reversed(Urgency)},
            "ignored": in_order(self.ignored),
            "escalated": in_order(self.escalated),
            "alerted": in_order(self.alerted),
            "left_alone": self.left_alone,
            "guards": {"held": in_order(self.held), "forbidden": in_order(self.forbidden)},
            "usd": {
                network: {"all_replies": round(usd, 6), "automatic": round(self.usd_automatic.get(network, 0.0), 6)}
                for network, usd in sorted(self.usd.items())
            },
            "rules": {name: self.rules[name] for name in self.every_rule},
            "in_the_shadow": {name: self.shadow[name] for name in self.every_rule if self.shadow[name]},
            "never_matched": [name for name in self.every_rule if not self.rules[name] + self.shadow[name]],
            "networks": in_order(self.networks),
            "stored": {
                "reproduced": self.reproduced,
                "differing": self.differing,
                "differing_decisions": self.different,
            },
        }


def _promise(found: Outcome) -> str:
    """`high: first response 1h, resolution 1d`; nothing promised is said too."""
    parts = [
        f"{name} {_span(span)}"
        for name, span in (("first response", found.first_response), ("resolution", found.resolution))
        if span is not None
    ]
    return f"{found.urgency.value}: {', '.join(parts) or 'nothing promised'}"


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    for unit, length in (("d", 1440), ("h", 60)):
        if minutes and minutes % length == 0:
            return f"{minutes // length}{unit}"
    return f"{minutes}m"


class Replay:
    """One policy over a history."""

    def __init__(self, policy: Guarded) -> None:
        self.policy = policy
        self.tally = Tally(version=policy.version, every_rule=tuple(rule.name for rule in policy.file.rules))
        self._wants = _wants(policy)

    def add(
        self, mention_id: int, situation: Situation, *, had_case: bool = False, answered_at: datetime | None = None
    ) -> Decision:
        """Decides and counts. `had_case`: it was put into a case in truth, which was first answered `answered_at`."""
        decision = self.policy.decide(situation)
        self.count(mention_id, situation, decision, had_case=had_case, answered_at=answered_at)
        return decision

    def count(
        self,
        mention_id: int,
        situation: Situation,
        decision: Decision,
        *,
        had_case: bool = False,
        answered_at: datetime | None = None,
    ) -> Outcome:
        """Counts a decision of this policy; gives what it comes to."""
        self.tally.work.add(situation, decision, had_case=had_case, answered_at=answered_at)
        matched = (trace.rule for trace in decision.rules if trace.outcome == "matched")
        wanted = next((self._wants[rule] for rule in matched if rule in self._wants), False)
        return self.tally.add(mention_id, situation, decision, wanted=wanted and not decision.ignored)


def _wants(policy: Guarded) -> dict[str, bool]:
    """Which rules say something about the reply: whether they want one."""
    thens = {rule.name: rule.then for rule in policy.file.rules if rule.then.reply or rule.then.ask_for}
    return {name: then.reply is None or not then.reply.is_silence for name, then in thens.items()}


@dataclass(kw_only=True)
class Differences:
    """Where two policies part, counted, beside what each would have done."""

    old: Tally
    new: Tally
    mentions: int = 0
    changed: int = 0
    aspects: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)  # by "rule: why"
    appear: int = 0
    vanish: int = 0
    reworded: int = 0
    become_automatic: int = 0
    no_longer_automatic: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)  # of the examples

    def lose(self, reason: str) -> None:
        """Counts a decision that cannot be made again, and why."""
        self.lost[reason] += 1

    def merge(self, later: Differences) -> None:
        """Adds what another one counted after this one."""
        self.old.merge(later.old)
        self.new.merge(later.new)
        for name in ("mentions", "changed", "appear", "vanish", "reworded", "become_automatic", "no_longer_automatic"):
            setattr(self, name, getattr(self, name) + getattr(later, name))
        for name in ("aspects", "reasons", "lost"):
            merge(getattr(self, name), getattr(later, name))
        for example in later.examples:
            self.show(example)

    def wants(self, kind: str) -> bool:
        """Whether one more mention that changes in that way is to be shown: the first, and a few of each kind."""
        return len(self.examples) < EXAMPLES or (len(self.kinds) < KINDS and self.kinds[kind] < PER_KIND)

    def show(self, example: dict[str, Any]) -> None:
        """Keeps a mention to be read, where it is wanted."""
        if self.wants(example["kind"]):
            self.kinds[example["kind"]] += 1
            self.examples.append(example)

    def report(self) -> dict[str, Any]:
        """Everything, as JSON."""
        return {
            "old": self.old.report(),
            "new": self.new.report(),
            "mentions": self.mentions,
            "lost": in_order(self.lost),
            "changed": self.changed,
            "what": in_order(self.aspects),
            "why": in_order(self.reasons),
            "replies": {
                "appear": self.appear,
                "vanish": self.vanish,
                "reworded": self.reworded,
                "become_automatic": self.become_automatic,
                "no_longer_automatic": self.no_longer_automatic,
            },
            "examples": to_be_read(self.examples),
        }


def kind_of_change(old: Outcome, new: Outcome, what: Sequence[str]) -> str:
    """How a mention changes: what happens to its reply, the weightiest first, or else the parts that differ."""
    alone = Mode.AUTO.value
    if old.template and not new.template:
        return VANISHES
    if new.mode == alone != old.mode:
        return GOES_OUT_ALONE
    if new.template and not old.template:
        return APPEARS
    if old.mode == alone != new.mode:
        return NO_LONGER_ALONE
    return ", ".join(what)


def to_be_read(examples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The examples so that one of each kind of change comes first, then a second of each, the weightiest before."""
    turns: Counter[str] = Counter()
    keyed = []
    for place, example in enumerate(examples):
        kind = example["kind"]
        turns[kind] += 1
        weight = WEIGHTIEST.index(kind) if kind in WEIGHTIEST else len(WEIGHTIEST)
        keyed.append(((turns[kind], weight, place), example))
    return [example for _, example in sorted(keyed, key=lambda pair: pair[0])][:EXAMPLES]


class Comparison:
    """Two policies over one history. `every`: whether each mention that changes is kept in `changes`, for who takes it
    out from time to time; the tally names a few.
    """

    def __init__(self, old: Guarded, new: Guarded, *, every: bool = False) -> None:
        self._old, self._new = Replay(old), Replay(new)
        self._every = every
        self.changes: list[dict[str, Any]] = []
        self.tally = Differences(old=self._old.tally, new=self._new.tally)

    def add(
        self, mention_id: int, situation: Situation, *, had_case: bool = False, answered_at: datetime | None = None
    ) -> None:
        """Decides twice, counts, and says why where the outcomes differ; otherwise as `Replay.add`."""
        before, after = self._old.policy.decide(situation), self._new.policy.decide(situation)
        old = self._old.count(mention_id, situation, before, had_case=had_case, answered_at=answered_at)
        new = self._new.count(mention_id, situation, after, had_case=had_case, answered_at=answered_at)
        found, what = self.tally, changed(old, new)
        found.mentions += 1
        if not what:
            return
        found.changed += 1
        found.aspects.update(what)
        found.appear += bool(new.template) and not old.template
        found.vanish += bool(old.template) and not new.template
        found.reworded += bool(old.template and new.template) and old.text != new.text
        found.become_automatic += new.mode == Mode.AUTO.value != old.mode
        found.no_longer_automatic += old.mode == Mode.AUTO.value != new.mode
        part = parting(self._old.policy, before, self._new.policy, after)
        count(found.reasons, f"{part.rule}: {part.kind}" if part.rule else part.kind)
        kind = kind_of_change(old, new, what)
        shown = found.wants(kind)
        if not (shown or self._every):
            return
        change = {
            "kind": kind,
            "mention": mention_id,
            "network": situation.network,
            "said": situation.text[:TEXT],
            "what": list(what),
            "rule": part.rule or None,
            "why": part.why,
            "old": told(old),
            "new": told(new),
        }
        if self._every:
            self.changes.append(change)
        if shown:
            found.show(change)
