"""decide: gather the situation of each understood mention, ask the policy, write down what it says. Sends nothing.

Mentions are decided in batches, each one's decision seeing those before it. What is known around plain ones is read
for all at once and what is decided of them is written at once (`batches.py`); any other is decided by itself.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from listener import garbage, inhand, metrics, situations, tracing
from listener.contract import Policy
from listener.desk import cases as desk_cases
from listener.desk import handing, incident_cases, incident_matching, lasting, situating
from listener.desk.batches import Batch
from listener.desk.clocks import Moved
from listener.desk.situating import QUICK, Around, Company, Matter, first_contact
from listener.log import logger
from listener.store import (
    Store,
    Transaction,
    alerts,
    bulk,
    case_counts,
    cases,
    decisions,
    draws,
    erasing,
    inbox,
    mentions,
    optouts,
    policies,
    together,
)
from listener.store.cases import Case
from listener.store.mentions import Mention
from listener.types import CasePlan, Decision, Facts, LinkCode, MentionState, Mode, Situation

__all__ = ["Company", "decide", "first_contact"]

log = logger(__name__)

LONGEST = 2.0  # seconds for which a batch keeps other writers waiting, one mention more at most; they wait for 30
BREAKS = 6  # mentions of a batch that had to be decided by themselves, after which the rest is too


def decide(
    store: Store,
    policy: Policy,
    *,
    company: Company,
    facts: Callable[[str, str], Facts],
    limit: int,
    now: datetime,
    broke: Callable[[Transaction, str], str] = lambda _tx, _account: "",
    near: Mapping[tuple[int, int], Mapping[int, float]] | None = None,
    ids: Sequence[int] | None = None,
) -> int:
    """Decides up to `limit` understood mentions in one transaction, for `LONGEST` at most; gives how many.

    `ids`: of these only. What another process decides at this moment is left to it.

    `facts(network, account)` gives what is true of the network as that account sees it; `broke(tx, account)` why that
    account has no money to send anything, asked once for the batch; `near`: see `incident_meaning.awaiting`. A mention
    that breaks the policy is set aside; the rest goes on.
    """
    with garbage.put_off(), store.write() as tx:
        if policies.hold(tx) not in (None, policy.version):
            return 0  # another policy rules by now: whoever holds it decides
        together.steady(tx)
        batch = together.hold(tx, mentions.awaiting(tx, MentionState.UNDERSTOOD, limit, ids=ids, alone=True))
        around = Around(
            lasting=lasting.read(tx),
            watched=incident_matching.watched(tx, places=policy.places, near=near or {}),
            automatic=together.Automatic(tx),
            on_duty=handing.on_duty(tx, now, policy.promises.moved),
        )
        deciding = _Deciding(
            tx=tx,
            policy=policy,
            company=company,
            facts=facts,
            broke=broke,
            live_cases=Counter(case_counts.live_by_team(tx)) if batch else Counter(),
            around=around,
            now=now,
            ends=time.monotonic() + LONGEST,
        )
        return deciding.all_of(batch)


@dataclass(kw_only=True)
class _Deciding:
    """One transaction in which mentions are decided, with what is the same for all of them."""

    tx: Transaction
    policy: Policy
    company: Company
    facts: Callable[[str, str], Facts]
    broke: Callable[[Transaction, str], str]
    live_cases: Counter[str]
    around: Around
    now: datetime
    ends: float
    _broke: dict[str, str] = field(default_factory=dict)  # by account
    _kept: dict[int, tuple[Facts, str]] = field(default_factory=dict)

    def all_of(self, batch: Sequence[Mention]) -> int:
        """Decides them in their order while there is time; gives how many."""
        done = breaks = 0
        while done < len(batch) and not (done and time.monotonic() > self.ends):
            rest = batch[done:]
            together_ = 0 if breaks >= BREAKS or rest[0].network == "mail" else self._many(rest)
            done += together_
            if together_ < len(rest) and not (done and time.monotonic() > self.ends):
                self._one(batch[done])
                done += 1
                breaks += 1
                batch = [*batch[:done], *self._as_they_are(batch[done:])]
        return done

    def _as_they_are(self, rest: Sequence[Mention]) -> list[Mention]:
        """The mentions anew: what was decided of one may have changed what is known of another's author."""
        numbers = [mention.id for mention in rest]
        return mentions.awaiting(self.tx, MentionState.UNDERSTOOD, len(rest), ids=numbers) if rest else []

    def _why_broke(self, account: str) -> str:
        if account not in self._broke:
            self._broke[account] = self.broke(self.tx, account)
        return self._broke[account]

    def _digest(self, facts: Facts) -> str:
        if id(facts) not in self._kept:
            self._kept[id(facts)] = facts, decisions.keep_facts(self.tx, facts)
        return self._kept[id(facts)][1]

    # --- many ---------------------------------------------------------------------------------------------------------

    def _many(self, rest: Sequence[Mention]) -> int:
        """Decides mentions from the first on, up to one that must be decided by itself; gives how many."""
        batch = Batch(
            self.tx,
            rest,
            watched=self.around.watched,
            pattern=self.company.case_pattern,
            reopen=self.company.reopen,
            quick=QUICK,
            now=self.now,
        )
        done = 0
        for mention in rest:
            if (done and time.monotonic() > self.ends) or not self._one_of(batch, mention):
                break
            done += 1
        batch.settle()
        return done

    def _one_of(self, batch: Batch, mention: Mention) -> bool:
        """Decides one of a batch; False where it must be decided by itself, and nothing was said of it yet."""
        ours = mention.author.external_id in batch.ours[mention.network] or self.company.is_ours(mention.author)
        understanding = batch.understanding(mention)
        if understanding is None or not batch.is_plain(mention, ours=ours):
            return False
        found = batch.found(mention)
        if found is None:
            return False
        matter = Matter(
            mention=mention,
            understanding=understanding,
            customer=batch.customer(mention),
            found=found,
            facts=self.facts(mention.network, mention.account),
            company=self.company,
            fields_asked=self.policy.fields_asked,
            is_colleague=self.policy.is_colleague,
            broke=self._why_broke(mention.account),
            live_cases=self.live_cases,
            code=LinkCode.NONE,
            incident=None,
            around=self.around,
        )
        situation = situating.situation(matter, situating.look_together(batch, matter), self.now)
        decision = self._decision(mention, situation)
        if decision is None:
            return True
        if not self._is_simple(batch, matter, decision):
            return False
        self._put_down(batch, matter, situation, decision)
        return True

    def _decision(self, mention: Mention, situation: Situation) -> Decision | None:
        """What the policy says; None where it broke, and the mention was set aside."""
        inhand.take("decide", [mention.id])
        try:
            return self.policy.decide(situation)
        except Exception:
            log.exception(
                "A mention was set aside.",
                action="set_aside",
                stage="decide",
                mention=mention.id,
                correlation=mention.correlation,
            )
            metrics.set_aside("decide")
            mentions.trouble(self.tx, mention, stage="decide", reason="the policy broke on it", now=self.now)
            return None
        finally:
            inhand.drop()

    def _is_simple(self, batch: Batch, matter: Matter, decision: Decision) -> bool:
        """Whether what follows can be written down with the rest of the batch."""
        if decision.leave_alone or decision.alerts:
            return False
        case, plan, reply = matter.found.case, decision.case, decision.reply
        if reply is not None and reply.mode is Mode.AUTO and (reply.incident or self.around.automatic.begin()):
            return False
        return case is None or plan is None or batch.may_join(case, decision)

    def _put_down(self, batch: Batch, matter: Matter, situation: Situation, decision: Decision) -> None:
        """As `_write_down`, into the book of the batch."""
        mention, found, reply = matter.mention, matter.found, decision.reply
        by = f"policy {decision.policy_version}"
        place = batch.ledger.decided(
            mention,
            decision,
            trace=_trace_as_json(decision),
            saw=bulk.Json(situations.kept_as_json(situation)),
            facts=self._digest(matter.facts),
            model_version=matter.understanding.model_version,
        )
        case = found.case
        if decision.case is not None and case is None:
            case = batch.open(mention, found, decision.case, by=by)
            self.live_cases[case.team] += 1
        elif decision.case is not None:
            case = batch.join(mention, found, decision.case, by=by)
        elif reply is None:
            case = None  # nothing is said and nothing filed: the draftless mention stays out of the case
        if reply is not None:
            batch.ledger.propose(mention, decision, reply, place=place, case=case)
            for values in draws.sides(decision, mention.id, now=self.now):
                batch.ledger.drew(place, values)
            if reply.mode is Mode.AUTO:
                batch.spoken.let_out(mention, rule=reply.rule, wording=reply.wording)
        _tell(mention, decision, case, self.now)

    # --- one by itself ------------------------------------------------------------------------------------------------

    def _one(self, mention: Mention) -> None:
        facts = self.facts(mention.network, mention.account)
        matter = situating.gather(
            self.tx,
            mention,
            facts=facts,
            company=self.company,
            fields_asked=self.policy.fields_asked,
            is_colleague=self.policy.is_colleague,
            broke=self._why_broke(mention.account),
            live_cases=self.live_cases,
            around=self.around,
            now=self.now,
        )
        if matter is None:
            return
        situation = situating.situation(matter, situating.look(self.tx, matter, self.now), self.now)
        decision = self._decision(mention, situation)
        if decision and decision.reply and decision.reply.mode is Mode.AUTO and self.around.automatic.begin():
            # what others let go out meanwhile counts
            situation = situating.situation(matter, situating.look(self.tx, matter, self.now), self.now)
            decision = self._decision(mention, situation)
        if decision is not None and mentions.advance(self.tx, mention, MentionState.DECIDED):
            moved = self.policy.promises.moved
            _write_down(self.tx, matter, situation, decision, self._digest(facts), moved=moved)


def _write_down(
    tx: Transaction, matter: Matter, situation: Situation, decision: Decision, facts: str, *, moved: Moved
) -> None:
    mention, case, now = matter.mention, matter.found.case, situation.now
    decision_id = decisions.decided(
        tx,
        mention,
        decision,
        trace=_trace(situation, decision),
        facts=facts,
        model_version=matter.understanding.model_version,
        now=now,
    )
    by = f"policy {decision.policy_version}"
    if decision.leave_alone:
        optouts.leave_alone(tx, mention, by=by, now=now)
    if decision.case is not None:
        if case is None:
            case = desk_cases.open_case(
                tx,
                pattern=matter.company.case_pattern,
                plan=decision.case,
                account_id=mention.account_id,
                customer_id=matter.customer.id if matter.customer else None,
                by=by,
                since=mention.heard_at,
                now=now,
            )
            matter.live_cases[case.team] += 1
            why = f"it opened the case: {matter.found.why}"
        else:
            called = decision.escalate_to
            was = case
            reopens = matter.found.reopens
            case = desk_cases.join(
                tx,
                was,
                decision.case,
                by=by,
                now=now,
                moved=moved,
                escalate_to=called,
                reopens=reopens,
                known=matter.found.known,
            )
            matter.live_cases.subtract([was.team] * (was.state in cases.LIVE))
            matter.live_cases.update([case.team] * (case.state in cases.LIVE))
            why = matter.found.why
        case = cases.attach(tx, case, mention.id, why=why, by=by, now=now)
        if matter.incident is not None and matter.incident.lasts:
            case = incident_cases.join(tx, matter.incident, case, [mention.id], by=by, now=now)
    elif case is not None and decision.reply is None:
        case = None  # nothing is said and nothing filed: the draftless mention stays out of the case
    if decision.reply is not None:
        newer = "a newer draft took its place"
        erasing.withdraw(tx, mention.id, reason=newer, now=now, answers_only=True)
        draft_id = inbox.propose(
            tx,
            mention_id=mention.id,
            revision=mention.revision,
            account=mention.account,
            decision_id=decision_id,
            case_id=case.id if case else None,
            plan=decision.reply,
            urgency_rank=decision.urgency.rank,
            score=decision.score,
            queue_at=mention.heard_at - decision.head_start,
            policy_version=decision.policy_version,
            now=now,
        )
        draws.keep(tx, decision_id, mention.id, decision, now=now)
        if decision.reply.mode is Mode.AUTO:
            rule = decision.reply.rule or "policy"
            inbox.approve(tx, inbox.get(tx, draft_id), by=f"rule {rule}", now=now, automatic=True)
    _alert(tx, mention, decision, case, now)
    _tell(mention, decision, case, now)


def _tell(mention: Mention, decision: Decision, case: Case | None, now: datetime) -> None:
    reply = decision.reply.mode.value if decision.reply else "none"
    metrics.decided(mention.network, stored_at=mention.heard_at, now=now, urgency=decision.urgency.value, reply=reply)
    if tracing.on():
        about = {
            "mention": mention.id,
            "urgency": decision.urgency.value,
            "reply": reply,
            "ignored": bool(decision.ignored),
        }
        tracing.span("decided", mention.correlation, began=mention.heard_at, ended=now, about=about)
    log.info(
        "Decided.",
        action="decided",
        mention=mention.id,
        correlation=mention.correlation,
        network=mention.network,
        urgency=decision.urgency.value,
        reply=reply,
        case=case.reference if case else None,
        ignored=decision.ignored or None,
    )


def _alert(tx: Transaction, mention: Mention, decision: Decision, case: Case | None, now: datetime) -> None:
    """Puts down whom of us to tell; of one revision of a mention a target hears once, however often it is decided."""
    reasons = {trace.rule: trace.wanted for trace in decision.rules}
    for plan in decision.alerts:
        alerts.add(
            tx,
            to=plan.target,
            kind="rule",
            subject=f"M{mention.id} on {mention.network}: {plan.rule}, {decision.urgency}",
            why=reasons.get(plan.rule) or f"The rule {plan.rule!r} asks for it.",
            key=f"mention {mention.id} revision {mention.revision}",
            mention_id=mention.id,
            case_id=case.id if case else None,
            now=now,
            rule=plan.rule,
            urgency=decision.urgency,
        )


def _route(decision: Decision) -> dict[str, Any] | None:
    """Whose the case became and why, and what it takes to work on it; None where there is no case."""
    case = decision.case
    return None if case is None else {"team": case.team, "because": case.because, "skills": list(case.skills)}


def _trace(situation: Situation, decision: Decision) -> dict[str, Any]:
    """What `explain` and `policy replay` need later. Holds values the rules saw, so a deletion empties it."""
    return {
        "rules": [asdict(rule) for rule in decision.rules],
        "guards": [asdict(guard) for guard in decision.guards],
        "contributions": [asdict(part) for part in decision.contributions],
        "route": _route(decision),
        "modes": [asdict(each) for each in decision.modes],
        "saw": situations.kept(situation),
        "promise": _promised(decision.case),
    }


def _trace_as_json(decision: Decision) -> bulk.Json:
    """The same as it is kept, but for what was seen; what many decisions share is written once."""
    rest = bulk.Json.of(
        {
            "contributions": decision.contributions,
            "route": _route(decision),
            "modes": decision.modes,
            "promise": _promised(decision.case),
        }
    )
    rules, guards = situations.written(decision.rules), situations.written(decision.guards)
    return bulk.Json(f'{{"rules":{rules},"guards":{guards},{rest[1:]}')


def _promised(case: CasePlan | None) -> dict[str, Any] | None:
    """Which service level the policy applied, with what it comes to for a case that is opened now; None: no case."""
    if case is None:
        return None
    promise = case.promise
    dues = {name: getattr(promise, name) for name in ("first_response_due", "resolution_due")}
    return {
        "level": promise.level,
        "calendar": promise.calendar,
        **{name: due.isoformat() if due else None for name, due in dues.items()},
    }
