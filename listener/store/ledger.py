"""What is decided about many mentions in one transaction, written down together at its end, in the order it was said.

Until it is settled a new case has a number that no case has (`PROVISIONAL` and above), a decision and a draft have
none: the audit log learns the draft's when it is known. Whoever reads these tables, or writes to them by itself, has it
settled before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import bindparam, update

from listener import situations
from listener.errors import Crossed
from listener.references import reference, written_by
from listener.sooner import altered
from listener.store import Transaction, audit, bulk, cases, chain, crm_out, references, steps
from listener.store import tables as t
from listener.store.cases import Case
from listener.store.mentions import Mention
from listener.types import (
    CasePlan,
    CaseState,
    Clock,
    Decision,
    DraftState,
    Item,
    MentionState,
    Mode,
    ReplyPlan,
    Step,
    Urgency,
)

PROVISIONAL = 2**62

_MOVE = (
    update(t.mentions)
    .where(t.mentions.c.id.in_(bindparam("numbers", expanding=True)))
    .values(state=MentionState.DECIDED.value)
)
_DECIDED = (
    "id",
    "mention_id",
    "revision",
    "policy_version",
    "model_version",
    "urgency",
    "needs_routing",
    "routed",
    "escalate_to",
    "ignored",
    "tags",
    "alerts",
    "saw",
    "facts",
    "fingerprint",
    "trace",
    "at",
    "score",
    "queue_at",
)
_DRAFT = (
    "id",
    "mention_id",
    "decision_id",
    "case_id",
    "send_key",
    "state",
    "account",
    "text",
    "language",
    "template",
    "length",
    "length_limit",
    "urgency_rank",
    "score",
    "queue_at",
    "revision",
    "policy_version",
    "edit",
    "proposed_at",
    "decided_by",
    "decided_at",
    "said_at",
    "automatic",
    "rule",
    "wording",
    "alone_until",
    "incident_id",
    "channel",
    "recipient",
    "subject",
)
_STEP = ("case_id", "clock", "occasion", "number", "planned", "at", "alerts", "team", "urgency")
_EVENT = ("case_id", "kind", "by", "at", "detail")
_INSIDE = ("case_id", "mention_id", "why", "at")
_DREW = ("decision_id", "level", "name", "mention_id", "share", "alone", "alone_but_for_this", "at", "day_over_at")


class Ledger:
    """The book of one transaction. `pattern`: of the cases' references."""

    def __init__(self, tx: Transaction, *, pattern: str, now: datetime) -> None:
        self._tx, self.pattern, self._now = tx, pattern, now
        self._numbers = references.Run(tx, now.year)
        self._opened: dict[int, dict[str, Any]] = {}  # by provisional number: the columns
        self._changed: dict[int, tuple[int, dict[str, Any]]] = {}  # by case: the revision that was read, the columns
        self._decided: list[tuple[Any, ...]] = []
        self._moved: list[int] = []
        self._drafts: list[tuple[Any, ...]] = []
        self._proposed: list[
            tuple[dict[str, Any], int]
        ] = []  # entries of the audit log, and whose draft they are about
        self._events: list[tuple[Any, ...]] = []
        self._steps: list[tuple[Any, ...]] = []
        self._inside: list[tuple[Any, ...]] = []
        self._drew: list[tuple[int, dict[str, Any]]] = []
        self.real: dict[int, int] = {}  # of provisional numbers, once settled

    # --- decisions and drafts ---------------------------------------------------------------------------------------

    def decided(
        self, mention: Mention, decision: Decision, *, trace: bulk.Json, saw: bulk.Json, facts: str, model_version: str
    ) -> int:
        """As `decisions.decided`, and moves the mention on; gives the place of the decision in this book."""
        self._moved.append(mention.id)
        self._decided.append(
            (
                mention.id,
                mention.revision,
                decision.policy_version,
                model_version,
                decision.urgency.value,
                decision.needs_routing,
                False,
                decision.escalate_to,
                decision.ignored,
                list(decision.tags),
                [plan.target for plan in decision.alerts],
                saw,
                facts,
                situations.fingerprint(decision),
                trace,
                self._now,
                decision.score,
                mention.heard_at - decision.head_start,
            )
        )
        return len(self._decided) - 1

    def propose(self, mention: Mention, decision: Decision, plan: ReplyPlan, *, place: int, case: Case | None) -> None:
        """As `inbox.propose` of the decision at that place and, of what the plan lets go out alone, `inbox.approve`."""
        auto, now = plan.mode is Mode.AUTO, self._now
        by = f"rule {plan.rule or 'policy'}"
        self._drafts.append(
            (
                mention.id,
                place,
                case.id if case else None,
                uuid4().hex,
                (DraftState.APPROVED if auto else DraftState.PROPOSED).value,
                mention.account,
                plan.text,
                plan.language,
                plan.template,
                plan.length,
                plan.limit,
                decision.urgency.rank,
                decision.score,
                mention.heard_at - decision.head_start,
                mention.revision,
                decision.policy_version,
                2 if auto else 1,
                now,
                by if auto else None,
                now if auto else None,
                now if auto else None,
                auto,
                plan.rule,
                plan.wording,
                plan.alone_until,
                plan.incident or None,
                "",
                "",
                "",
            )
        )
        told = {"mention": mention.id, "template": plan.template, "policy": decision.policy_version}
        self._of_draft("policy", "draft.proposed", **told)
        if auto:
            bound = {"edit": 1, "revision": mention.revision, "policy": decision.policy_version, "automatic": True}
            self._of_draft(by, "draft.approved", **bound)

    def _of_draft(self, by: str, action: str, **detail: Any) -> None:
        """Says it of the newest draft, whose number is not known yet."""
        audit.record(self._tx, at=self._now, by=by, action=action, subject="draft", **detail)
        self._proposed.append((chain.pending(self._tx).rows[-1], len(self._drafts) - 1))

    def drew(self, place: int, values: Mapping[str, Any]) -> None:
        """Keeps on which side the draft of the decision at that place fell, see `draws.py`."""
        self._drew.append((place, dict(values)))

    # --- cases --------------------------------------------------------------------------------------------------------

    def next_reference(self) -> str:
        """The reference that the next case gets."""
        return reference(self.pattern, self._now.year, self._numbers.next())

    def open(
        self,
        plan: CasePlan,
        mention: Mention,
        *,
        customer: tuple[int, str, str] | None,
        by: str,
    ) -> Case:
        """As `desk.cases.open_case`, for that mention. `customer`: row id, reference and name of whose it is."""
        number = PROVISIONAL + len(self._opened)
        values = cases.columns_of(
            reference=reference(self.pattern, self._now.year, self._numbers.take()),
            plan=plan,
            account_id=mention.account_id,
            customer_id=customer[0] if customer else None,
            by=by,
            since=mention.heard_at,
            now=self._now,
        )
        self._opened[number] = dict(values)
        case = Case(
            id=number,
            reference=values["reference"],
            state=CaseState.OPEN,
            title=plan.title,
            team=plan.team,
            agent=None,
            urgency=plan.urgency,
            completeness=0,
            tags=plan.tags,
            customer_id=values["customer_id"],
            customer_reference=customer[1] if customer else None,
            customer_name=customer[2] if customer else None,
            account_id=mention.account_id,
            network=mention.network,
            handle=mention.author.handle,
            opened_at=self._now,
            opened_by=by,
            changed_at=self._now,
            first_response_due=plan.promise.first_response_due,
            first_response_at=None,
            resolution_due=plan.promise.resolution_due,
            resolved_at=None,
            promise=values["promise"],
            stands_since=None,
            asked_team=None,
            asked_by=None,
            asked_at=None,
            skills=tuple(values["skills"]),
            score=plan.score,
            minutes_per_point=plan.minutes_per_point,
            queue_at=values["queue_at"],
            revision=1,
            merged_into=None,
            merged_reference=None,
            parent_id=None,
            parent_reference=None,
            snoozed_until=None,
            due_at=None,
            watchers=(),
            checklist=tuple(Item(**item) for item in values["checklist"]),
            timed_by=values["timed_by"],
        )
        self._event(case, "opened", by, {**cases.told_of(plan), "became": cases.as_json(values)})
        self._plan(number, plan.promise.steps)
        return case

    def renew(self, case: Case, clock: Clock, planned: Sequence[Step]) -> None:
        """What that clock would still have brought is forgotten, and this comes instead."""
        self._steps = [row for row in self._steps if row[:2] != (case.id, clock.value)]
        if case.id not in self._opened:
            steps.withdraw(self._tx, case.id, clock)
        self._plan(case.id, planned)

    def _plan(self, number: int, planned: Sequence[Step]) -> None:
        self._steps += [
            (
                number,
                step.clock.value,
                step.occasion.value,
                step.number,
                step.at,
                step.at,
                list(step.alerts),
                step.team,
                step.urgency,
            )
            for step in planned
        ]

    def record(self, case: Case, kind: str, *, by: str, became: Mapping[str, Any], **detail: Any) -> Case:
        """As `cases.record`; that it was changed by somebody else is found when it is settled."""
        changed = {**became, "changed_at": self._now, "revision": case.revision + 1}
        if case.id in self._opened:
            self._opened[case.id].update(changed)
        else:
            _, columns = self._changed.setdefault(case.id, (case.revision, {}))
            columns.update(changed)
        self._event(case, kind, by, {**detail, "became": cases.as_json(became)})
        seen: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in changed.items()
        }
        if "urgency_rank" in seen:
            seen["urgency"] = list(Urgency)[seen.pop("urgency_rank")]
        return altered(case, **seen)

    def attach(self, case: Case, mention_id: int, *, why: str, by: str) -> Case:
        """As `cases.attach`, of a mention that is in no case."""
        self._inside.append((case.id, mention_id, why, self._now))
        return self.record(case, "mention", by=by, became={}, mention=mention_id, why=why)

    def _event(self, case: Case, kind: str, by: str, detail: Mapping[str, Any]) -> None:
        self._events.append((case.id, kind, by, self._now, detail))
        subject = f"case {case.reference}"
        audit.record(self._tx, at=self._now, by=by, action=f"case.{kind}", subject=subject)
        crm_out.note(self._tx, "cases", [subject], kind, now=self._now)

    # --- writing it down ----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Writes everything down. Raises Crossed where somebody changed one of the cases since it was read."""
        tx = self._tx
        if self._moved:
            tx.execute(_MOVE, {"numbers": self._moved})
        decided = bulk.numbers(tx, t.decisions, len(self._decided))
        bulk.add(tx, t.decisions, _DECIDED, [(id_, *row) for id_, row in zip(decided, self._decided, strict=True)])
        self._settle_cases()
        real = self.real
        bulk.add(tx, t.case_events, _EVENT, [(real.get(row[0], row[0]), *row[1:]) for row in self._events])
        bulk.add(tx, t.case_steps, _STEP, [(real.get(row[0], row[0]), *row[1:]) for row in self._steps])
        bulk.add(tx, t.case_mentions, _INSIDE, [(real.get(row[0], row[0]), *row[1:]) for row in self._inside])
        drafts = bulk.numbers(tx, t.drafts, len(self._drafts))
        rows = [
            (id_, row[0], decided[row[1]], real.get(row[2], row[2]), *row[3:])
            for id_, row in zip(drafts, self._drafts, strict=True)
        ]
        bulk.add(tx, t.drafts, _DRAFT, rows)
        for entry, place in self._proposed:
            entry["subject"] = f"draft {drafts[place]}"
        drew = [{"decision_id": decided[place], **values} for place, values in self._drew]
        bulk.add(tx, t.draws, _DREW, [tuple(row[name] for name in _DREW) for row in drew])
        for waiting in (self._decided, self._moved, self._drafts, self._proposed, self._events, self._steps):
            waiting.clear()
        self._inside.clear()
        self._drew.clear()

    def _settle_cases(self) -> None:
        tx = self._tx
        self._numbers.settle()
        if self._opened:
            references.keep_pattern(tx, written_by(self.pattern), self._now)
            numbers = bulk.numbers(tx, t.cases, len(self._opened))
            names = ("id", *next(iter(self._opened.values())))
            rows = [(id_, *values.values()) for id_, values in zip(numbers, self._opened.values(), strict=True)]
            self.real |= dict(zip(self._opened, numbers, strict=True))
            bulk.add(tx, t.cases, names, rows)
            self._opened.clear()
        by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for number, (revision, columns) in sorted(self._changed.items()):
            row = {"of": number, "was": revision, **{f"new_{name}": value for name, value in columns.items()}}
            by_columns.setdefault(tuple(sorted(columns)), []).append(row)
        for names, changes in by_columns.items():
            c = t.cases.c
            new = {name: bindparam(f"new_{name}", type_=c[name].type) for name in names}
            still = (c.id == bindparam("of"), c.revision == bindparam("was"))
            if tx.execute(update(t.cases).where(*still).values(**new), changes).rowcount != len(changes):
                raise Crossed("Somebody changed a case that mentions were about to join: try again.")
        self._changed.clear()
