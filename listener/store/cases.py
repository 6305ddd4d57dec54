"""Cases and their events. The case row is the present; `case_events` is how it came about.

Whatever changes a row says so in an event whose `became` holds the columns as they are then: `record` does both, and
`rebuilding.py` makes the rows again from the events alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Row,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    union_all,
    update,
)

from listener.errors import NotFound, Stale
from listener.store import Transaction, audit, crm_out, sight, steps, upsert
from listener.store import tables as t
from listener.types import CasePlan, CaseState, Clock, DraftState, Item, MentionState, Promise, Urgency, utc

_URGENCIES = tuple(Urgency)
LIVE = (CaseState.OPEN, CaseState.PENDING)
_whole, _parent = t.cases.alias(), t.cases.alias()  # where a merged case is; what a case is a part of


@dataclass(frozen=True, kw_only=True)
class Case:
    """One work item, with whose it is. `completeness` is in percent."""

    id: int
    reference: str
    state: CaseState
    title: str
    team: str
    agent: str | None
    urgency: Urgency
    completeness: int
    tags: tuple[str, ...]
    customer_id: int | None
    customer_reference: str | None
    customer_name: str | None
    account_id: int | None
    network: str | None
    handle: str | None
    opened_at: datetime
    opened_by: str
    changed_at: datetime
    first_response_due: datetime | None
    first_response_at: datetime | None
    resolution_due: datetime | None
    resolved_at: datetime | None
    promise: dict[str, dict[str, Any]]  # by clock: `level`, `calendar` ("" all time), `span` in seconds of open time
    stands_since: datetime | None  # since when the clock of the solution stands still
    asked_team: str | None  # that owes us information
    asked_by: str | None
    asked_at: datetime | None
    skills: tuple[str, ...]
    score: int
    minutes_per_point: int
    queue_at: datetime
    revision: int  # grows with every change
    merged_into: int | None
    merged_reference: str | None  # of the case that it is a part of now
    parent_id: int | None
    parent_reference: str | None
    snoozed_until: datetime | None
    due_at: datetime | None
    watchers: tuple[str, ...]
    checklist: tuple[Item, ...]
    timed_by: int | None = None  # the number of the incident by whose rule its clocks go


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened to a case."""

    kind: str
    by: str
    at: datetime
    detail: dict[str, Any]


def add(
    tx: Transaction,
    *,
    reference: str,
    plan: CasePlan,
    account_id: int | None,
    customer_id: int | None,
    by: str,
    since: datetime,
    now: datetime,
) -> Case:
    """A new open case under that reference; what it is about waits `since` then."""
    values = columns_of(
        reference=reference, plan=plan, account_id=account_id, customer_id=customer_id, by=by, since=since, now=now
    )
    case = by_id(tx, tx.execute(insert(t.cases).values(**values).returning(t.cases.c.id)).scalar_one())
    event(tx, case, "opened", by, now, **told_of(plan), became=as_json(values))
    steps.plan(tx, case.id, plan.promise.steps)
    return case


def told_of(plan: CasePlan) -> dict[str, Any]:
    """What the event of its opening tells of a case beside its columns. Pure."""
    return {"team": plan.team, "urgency": plan.urgency.value, "tags": list(plan.tags)}


def columns_of(
    *,
    reference: str,
    plan: CasePlan,
    account_id: int | None,
    customer_id: int | None,
    by: str,
    since: datetime,
    now: datetime,
) -> dict[str, Any]:
    """The columns of a new open case. Pure."""
    return {
        "reference": reference,
        "customer_id": customer_id,
        "account_id": account_id,
        "state": CaseState.OPEN.value,
        "title": plan.title,
        "team": plan.team,
        "urgency_rank": plan.urgency.rank,
        "completeness": 0,
        "tags": list(plan.tags),
        "opened_at": now,
        "opened_by": by,
        "changed_at": now,
        "first_response_due": plan.promise.first_response_due,
        "resolution_due": plan.promise.resolution_due,
        "promise": {clock: promised for clock in Clock if (promised := promised_by(plan.promise, clock))},
        "skills": list(plan.skills),
        "score": plan.score,
        "minutes_per_point": plan.minutes_per_point,
        "queue_at": since - plan.head_start,
        "revision": 1,
        "watchers": [],
        "checklist": [asdict(item) for item in plan.checklist],
        "timed_by": plan.promise.incident or None,
    }


def promised_by(promise: Promise, clock: Clock) -> dict[str, Any]:
    """What a case keeps of its promise beside the moment that it is due; nothing where nothing is promised."""
    spans = {Clock.FIRST_RESPONSE: promise.first_response, Clock.RESOLUTION: promise.resolution}
    span = spans.get(clock)
    if span is None:
        return {}
    told: dict[str, Any] = {"level": promise.level, "calendar": promise.calendar, "span": int(span.total_seconds())}
    if clock in promise.by_incident:
        told["incident"] = promise.incident
        if clock is Clock.RESOLUTION and promise.resolution_due is None:
            told["waits"] = True  # for the incident's end, from which it counts
    return told


def record(
    tx: Transaction, case: Case, kind: str, *, by: str, now: datetime, became: Mapping[str, Any], **detail: Any
) -> Case:
    """Changes those columns and says so in an event; gives the case as it is then.

    Raises Stale when somebody changed it since it was read.
    """
    if not change(tx, case, now=now, **became):
        raise Stale(f"{case.reference} was changed by somebody a moment ago; look again.")
    event(tx, case, kind, by, now, **detail, became=as_json(became))
    return by_id(tx, case.id)


def record_all(
    tx: Transaction,
    found: Sequence[Case],
    kind: str,
    *,
    by: str,
    now: datetime,
    became: Mapping[str, Any],
    **detail: Any,
) -> None:
    """As `record`, of many cases at once that this transaction holds, and of which the same becomes."""
    record_each(tx, [(case, became, detail) for case in found], kind, by=by, now=now)


def record_each(
    tx: Transaction,
    found: Sequence[tuple[Case, Mapping[str, Any], Mapping[str, Any]]],
    kind: str,
    *,
    by: str,
    now: datetime,
) -> None:
    """The same where something else becomes of each, of the same columns, and more is told of each."""
    if not found:
        return
    names = list(found[0][1])
    columns = {name: bindparam(f"new_{name}", type_=t.cases.c[name].type) for name in names}
    statement = update(t.cases).where(t.cases.c.id == bindparam("of"))
    rows = [{"of": case.id, **{f"new_{name}": became[name] for name in names}} for case, became, _ in found]
    tx.execute(statement.values(**columns, changed_at=now, revision=t.cases.c.revision + 1), rows)
    told = [(case, {**detail, "became": as_json(became)}) for case, became, detail in found]
    _events(tx, told, kind, by, now)


def change(tx: Transaction, case: Case, *, now: datetime, **columns: Any) -> bool:
    """Writes those columns, if nobody changed the case since it was read; says nothing of it, as `record` does."""
    where = (t.cases.c.id == case.id, t.cases.c.revision == case.revision)
    values = {**columns, "changed_at": now, "revision": case.revision + 1}
    return bool(tx.execute(update(t.cases).where(*where).values(**values)).rowcount)


def hold(tx: Transaction, case_id: int) -> Case:
    """The case as it is now, and nobody else changes it until the transaction ends. Raises NotFound."""
    tx.execute(select(t.cases.c.id).where(t.cases.c.id == case_id).with_for_update())
    return by_id(tx, case_id)


def free(tx: Transaction, ids: Collection[int]) -> list[int]:
    """Those of these cases that nobody else is changing now, held until the transaction ends, in their order."""
    query = select(t.cases.c.id).where(t.cases.c.id.in_(ids)).order_by(t.cases.c.id)
    return list(tx.scalars(query.with_for_update(skip_locked=True)))


def as_json(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Columns as an event keeps them: moments as text."""
    return {name: utc(value).isoformat() if isinstance(value, datetime) else value for name, value in columns.items()}


def attach(tx: Transaction, case: Case, mention_id: int, *, why: str, by: str, now: datetime, **detail: Any) -> Case:
    """Puts a mention into the case, harmless when it is in it already; gives the case as it is then.

    `detail`: what else the event says.
    """
    values = {"case_id": case.id, "mention_id": mention_id, "why": why, "at": now}
    added = tx.execute(upsert(tx, t.case_mentions).values(**values).on_conflict_do_nothing())
    case = hold(tx, case.id)
    if added.rowcount:
        _routed(tx, mention_id, by_now=True)
        case = record(tx, case, "mention", by=by, now=now, became={}, mention=mention_id, why=why, **detail)
    return case


def _routed(tx: Transaction, mention_id: int, *, by_now: bool) -> None:
    """Says of a mention that needed routing whether a case has it, for `waiting.to_route`, which then looks itself."""
    columns = t.decisions.c
    asked = (columns.mention_id == mention_id, columns.needs_routing)
    tx.execute(update(t.decisions).where(*asked).values(routed=by_now))


def detach(tx: Transaction, case: Case, mention_id: int, *, why: str, by: str, now: datetime, **detail: Any) -> Case:
    """Takes a mention out of the case; gives the case as it is then. Raises NotFound where it is not in it."""
    case = hold(tx, case.id)
    where = (t.case_mentions.c.case_id == case.id, t.case_mentions.c.mention_id == mention_id)
    if not tx.execute(delete(t.case_mentions).where(*where)).rowcount:
        raise NotFound(f"M{mention_id} is not in {case.reference}; see `escucha case show {case.reference}`.")
    _routed(tx, mention_id, by_now=False)
    return record(tx, case, "mention_left", by=by, now=now, became={}, mention=mention_id, why=why, **detail)


def move_mention(tx: Transaction, mention_id: int, case: Case, to: Case, *, why: str, by: str, now: datetime) -> Case:
    """Takes a mention, with the drafts that answer it, out of one case and into another; gives that as it is then."""
    detach(tx, case, mention_id, why=why, by=by, now=now)
    answering = (t.drafts.c.mention_id == mention_id, t.drafts.c.case_id == case.id)
    tx.execute(update(t.drafts).where(*answering).values(case_id=to.id))
    return attach(tx, to, mention_id, why=why, by=by, now=now)


def hold_person(tx: Transaction, *, account_id: int, customer_id: int | None) -> None:
    """Locks the rows of the account and the customer (PostgreSQL; SQLite's writers are alone anyway), so that two posts
    of one person decided at once open one case, be they from two accounts.
    """
    tx.execute(select(t.accounts.c.id).where(t.accounts.c.id == account_id).with_for_update())
    if customer_id is not None:
        # `key_share`: links and cases may go on pointing at the customer meanwhile
        tx.execute(select(t.customers.c.id).where(t.customers.c.id == customer_id).with_for_update(key_share=True))


def parts(tx: Transaction, case: Case) -> list[Case]:
    """The cases that are a part of it, oldest first; what was merged into another one is that one's."""
    where = (t.cases.c.parent_id == case.id, t.cases.c.merged_into.is_(None))
    return [_case(row) for row in tx.execute(_joined().where(*where).order_by(t.cases.c.id))]


def with_parts(tx: Transaction, ids: Collection[int]) -> set[int]:
    """Those of these cases that have parts, be they merged into others, from which they can come back."""
    return set(tx.scalars(select(t.cases.c.parent_id).where(t.cases.c.parent_id.in_(ids)).distinct()))


def merged_in(tx: Transaction, case: Case) -> list[Case]:
    """The cases that were merged into it, oldest first."""
    return [_case(row) for row in tx.execute(_joined().where(t.cases.c.merged_into == case.id).order_by(t.cases.c.id))]


def move_drafts(tx: Transaction, case: Case, to: Case, mention_ids: Sequence[int]) -> None:
    """The answers to these mentions belong to the other case from now on."""
    where = (t.drafts.c.case_id == case.id, t.drafts.c.mention_id.in_(mention_ids))
    tx.execute(update(t.drafts).where(*where).values(case_id=to.id))


def first_answer(tx: Transaction, mention_ids: Sequence[int]) -> datetime | None:
    """When we first answered one of these mentions; None where we have not."""
    where = (t.drafts.c.mention_id.in_(mention_ids), t.drafts.c.state == DraftState.SENT.value)
    first: datetime | None = tx.scalar(select(func.min(t.drafts.c.sent_at)).where(*where))
    return first


def give_customer(tx: Transaction, *, account_id: int, customer_id: int, by: str, now: datetime) -> list[Case]:
    """Says whose the account's live cases are, where nobody's yet; gives those."""
    live = [state.value for state in LIVE]
    where = (t.cases.c.account_id == account_id, t.cases.c.customer_id.is_(None), t.cases.c.state.in_(live))
    ids = tx.scalars(select(t.cases.c.id).where(*where).order_by(t.cases.c.id).with_for_update()).all()
    return [set_customer(tx, by_id(tx, case_id), customer_id, by=by, now=now) for case_id in ids]


def set_customer(
    tx: Transaction, case: Case, customer_id: int | None, *, by: str, now: datetime, why: str = ""
) -> Case:
    """Says whose the case is, be it nobody's; gives it as it is then. Raises Stale."""
    whose = select(t.customers.c.reference).where(t.customers.c.id == customer_id)
    told = {"customer": tx.scalar(whose), **({"why": why} if why else {})}
    if case.customer_reference:
        told["was"] = case.customer_reference
    return record(tx, case, "customer", by=by, now=now, became={"customer_id": customer_id}, **told)


def by_id(tx: Transaction, case_id: int) -> Case:
    """The case with that row id. Raises NotFound."""
    row = tx.execute(_numbered(), {"number": case_id}).first()
    if row is None:
        raise NotFound(f"There is no case number {case_id}.")
    return _case(row)


def by_ids(tx: Transaction, ids: Collection[int]) -> list[Case]:
    """Those cases that there are, in no order."""
    return [_case(row) for row in tx.execute(_these(), {"numbers": list(ids)})] if ids else []


@cache
def _these() -> Select[Any]:
    return _joined().where(t.cases.c.id.in_(bindparam("numbers", expanding=True)))


def recent_of(tx: Transaction, customer_ids: Collection[int], *, since: datetime) -> dict[int, list[int]]:
    """The numbers of those customers' cases that are live or were changed since then, by customer."""
    found: dict[int, list[int]] = defaultdict(list)
    if not customer_ids:
        return found
    c = t.cases.c
    recent = c.state.in_([state.value for state in LIVE]) | (c.changed_at >= since)
    for row in tx.execute(select(c.customer_id, c.id).where(c.customer_id.in_(list(customer_ids)), recent)):
        found[row.customer_id].append(row.id)
    return found


def whole(tx: Transaction, case: Case) -> Case:
    """The case that a merged one is a part of now; any other itself."""
    while case.merged_into is not None:
        case = by_id(tx, case.merged_into)
    return case


def get(tx: Transaction, reference: str) -> Case:
    """The case with that (full) reference. Raises NotFound, Mistake where whoever asks may not see it."""
    row = tx.execute(_joined().where(t.cases.c.reference == reference)).first()
    if row is None:
        raise NotFound(f"There is no case {reference}; see `escucha case list --all`.")
    case = _case(row)
    sight.demand(tx, case)
    return case


def listing(
    tx: Transaction,
    *,
    states: Sequence[CaseState] = LIVE,
    team: str | None = None,
    agent: str | None = None,
    customer_id: int | None = None,
    skill: str | None = None,
    limit: int | None = None,
    late_at: datetime | None = None,
    tag: str | None = None,
    watcher: str | None = None,
    due_before: datetime | None = None,
    awake_at: datetime | None = None,
    asleep_at: datetime | None = None,
) -> list[Case]:
    """Cases in those states, as the queue has them. `skill`: only those that ask for it, in small letters.

    `late_at`: only those that are late then, or were warned of. `due_before`: only those that are due before then, by a
    person's word or a promise that runs. `awake_at`, `asleep_at`: only those that are not snoozed then, or are.
    """
    where = list(sight.seen(tx))
    if team:
        where.append(t.cases.c.team == team)
    if agent:
        where.append(t.cases.c.agent == agent)
    if customer_id is not None:
        where.append(t.cases.c.customer_id == customer_id)
    if skill is not None:
        where.append(_holds(tx, t.cases.c.skills, skill))
    if tag is not None:
        where.append(_holds(tx, t.cases.c.tags, tag))
    if watcher is not None:
        where.append(_holds(tx, t.cases.c.watchers, watcher))
    if due_before is not None:
        where.append((t.cases.c.due_at < due_before) | steps.is_late(due_before))
    if awake_at is not None:
        where.append(func.coalesce(t.cases.c.snoozed_until, t.cases.c.opened_at) <= awake_at)  # an OR: another index
    if asleep_at is not None:
        where.append(t.cases.c.snoozed_until > asleep_at)
    if late_at is not None:
        where.append(steps.is_late(late_at) | steps.is_warned(late_at))
    query = _joined().where(t.cases.c.state.in_([state.value for state in states]), *where)
    if limit is not None and customer_id is None and agent is None:  # theirs are few, and have an index
        query = _joined().where(t.cases.c.id.in_(_first(states, where, limit)))
    query = query.order_by(t.cases.c.queue_at, t.cases.c.id).limit(limit)
    return [_case(row) for row in tx.execute(query)]


def _first(states: Sequence[CaseState], where: Sequence[ColumnElement[bool]], limit: int) -> CompoundSelect[Any]:
    """The first cases of each of the states: an index gives those in order, however many there are."""
    each = [
        select(t.cases.c.id)
        .where(t.cases.c.state == state.value, *where)
        .order_by(t.cases.c.queue_at, t.cases.c.id)
        .limit(limit)
        .subquery()
        for state in states
    ]
    return union_all(*(select(one.c.id) for one in each))


def newest(tx: Transaction, *where: ColumnElement[bool], limit: int) -> list[Case]:
    """The newest cases of which that is true and that were not merged into others, the newest first."""
    query = _joined().where(*where, t.cases.c.merged_into.is_(None), *sight.seen(tx))
    return [_case(row) for row in tx.execute(query.order_by(t.cases.c.id.desc()).limit(limit))]


def _holds(tx: Transaction, column: Column[Any], value: str) -> ColumnElement[bool]:
    """Whether the list in that column holds the value."""
    listed = func.json_array_elements_text if tx.dialect.name == "postgresql" else func.json_each
    each = listed(column).table_valued("value")
    return select(each.c.value).where(each.c.value == value).correlate(t.cases).exists()


def snoozed(tx: Transaction, until: datetime, limit: int) -> list[int]:
    """Up to so many cases that were to sleep no longer than until then, the longest waiting first."""
    slept = t.cases.c.snoozed_until
    return list(tx.scalars(select(t.cases.c.id).where(slept <= until).order_by(slept).limit(limit)))


def of_mention(tx: Transaction, mention_id: int) -> Case | None:
    """The case the mention is in; the newest, if it is in several."""
    row = tx.execute(_holding(), {"mention": mention_id}).first()
    return _case(row) if row else None


def mentions_in(tx: Transaction, case: Case) -> list[tuple[int, str, datetime]]:
    """The case's mentions as (mention number, why it is in, since when), oldest first."""
    query = select(t.case_mentions).where(t.case_mentions.c.case_id == case.id).order_by(t.case_mentions.c.mention_id)
    return [(row.mention_id, row.why, row.at) for row in tx.execute(query)]


def why_in(tx: Transaction, case: Case, mention_id: int) -> str:
    """Why the mention is in the case; "" where it is not."""
    where = (t.case_mentions.c.case_id == case.id, t.case_mentions.c.mention_id == mention_id)
    return tx.scalar(select(t.case_mentions.c.why).where(*where)) or ""


def last_words(tx: Transaction, found: Sequence[Case]) -> dict[int, str]:
    """What the newest mention of each case says, by the case's id; nothing of what its author deleted."""
    newest = (
        select(t.case_mentions.c.case_id, func.max(t.case_mentions.c.mention_id).label("mention_id"))
        .join(t.mentions, t.mentions.c.id == t.case_mentions.c.mention_id)
        .where(t.case_mentions.c.case_id.in_([case.id for case in found]))
        .where(t.mentions.c.state != MentionState.GONE.value)
        .group_by(t.case_mentions.c.case_id)
        .subquery()
    )
    query = select(newest.c.case_id, t.mentions.c.text).join(newest, newest.c.mention_id == t.mentions.c.id)
    return {row.case_id: row.text for row in tx.execute(query)}


def events_of(tx: Transaction, case: Case) -> list[Event]:
    """What happened to it, oldest first."""
    query = select(t.case_events).where(t.case_events.c.case_id == case.id).order_by(t.case_events.c.id)
    return [Event(kind=row.kind, by=row.by, at=row.at, detail=row.detail) for row in tx.execute(query)]


def last_event(tx: Transaction, case: Case, kind: str) -> Event | None:
    """The newest thing of that kind that happened to it."""
    return next((event for event in reversed(events_of(tx, case)) if event.kind == kind), None)


def of_account_and_customer(tx: Transaction, *, account_id: int, customer_id: int) -> list[Case]:
    """The customer's cases that the account opened or has a mention in, whatever their state, oldest first."""
    inside = (
        select(t.case_mentions.c.case_id)
        .join(t.mentions, t.mentions.c.id == t.case_mentions.c.mention_id)
        .where(t.mentions.c.account_id == account_id)
    )
    theirs = (t.cases.c.account_id == account_id) | t.cases.c.id.in_(inside)
    query = _joined().where(t.cases.c.customer_id == customer_id, theirs).order_by(t.cases.c.id)
    return [_case(row) for row in tx.execute(query)]


def of_linked_accounts(tx: Transaction, *, customer_id: int, linked_to: int, since: datetime) -> list[Case]:
    """The first customer's cases, opened since, whose account is linked to the second one now."""
    linked = select(t.links.c.account_id).where(t.links.c.customer_id == linked_to, t.links.c.unlinked_at.is_(None))
    where = (t.cases.c.customer_id == customer_id, t.cases.c.account_id.in_(linked), t.cases.c.opened_at >= since)
    return [_case(row) for row in tx.execute(_joined().where(*where).order_by(t.cases.c.id))]


def merged_around(tx: Transaction, ids: Collection[int]) -> list[Case]:
    """The merged cases among those, and those that were merged into one of them."""
    columns = t.cases.c
    around = columns.id.in_(ids) | columns.merged_into.in_(ids)
    return [
        _case(row) for row in tx.execute(_joined().where(columns.merged_into.is_not(None), around).order_by(columns.id))
    ]


def ids_of(tx: Transaction, customer_ids: Sequence[int]) -> list[int]:
    """The row ids of all cases of those customers."""
    return list(tx.scalars(select(t.cases.c.id).where(t.cases.c.customer_id.in_(customer_ids))).all())


def event(tx: Transaction, case: Case, kind: str, by: str, now: datetime, **detail: Any) -> None:
    """Adds to what happened to the case, to the audit log (there without the details), and to what CRMs are told."""
    tx.execute(insert(t.case_events).values(case_id=case.id, kind=kind, by=by, at=now, detail=detail))
    audit.record(tx, at=now, by=by, action=f"case.{kind}", subject=f"case {case.reference}")
    crm_out.note(tx, "cases", [f"case {case.reference}"], kind, now=now)


def events(tx: Transaction, found: Sequence[Case], kind: str, by: str, now: datetime, **detail: Any) -> None:
    """The same of many cases at once, in bulk."""
    _events(tx, [(case, detail) for case in found], kind, by, now)


def _events(tx: Transaction, told: Sequence[tuple[Case, Mapping[str, Any]]], kind: str, by: str, now: datetime) -> None:
    if not told:
        return
    rows = [{"case_id": case.id, "kind": kind, "by": by, "at": now, "detail": detail} for case, detail in told]
    tx.execute(insert(t.case_events), rows)
    subjects = [f"case {case.reference}" for case, _ in told]
    entry = audit.Entry(at=now, by=by, action=f"case.{kind}", subject="", detail={})
    audit.record_all(tx, [replace(entry, subject=each) for each in subjects])
    crm_out.note(tx, "cases", subjects, kind, now=now)


def _joined() -> Select[Any]:
    query = select(
        t.cases,
        t.customers.c.reference.label("customer_reference"),
        t.customers.c.name.label("customer_name"),
        t.accounts.c.network,
        t.accounts.c.handle,
        _whole.c.reference.label("merged_reference"),
        _parent.c.reference.label("parent_reference"),
    )
    query = query.outerjoin(_whole, _whole.c.id == t.cases.c.merged_into).outerjoin(
        _parent, _parent.c.id == t.cases.c.parent_id
    )
    return query.outerjoin(t.customers, t.customers.c.id == t.cases.c.customer_id).outerjoin(
        t.accounts, t.accounts.c.id == t.cases.c.account_id
    )


@cache
def _numbered() -> Select[Any]:
    """One case by its row id; asked several times for each thing that is said, so it is put together once."""
    return _joined().where(t.cases.c.id == bindparam("number"))


@cache
def _holding() -> Select[Any]:
    """The cases that a mention is in, the newest first."""
    query = _joined().join(t.case_mentions, t.case_mentions.c.case_id == t.cases.c.id)
    return query.where(t.case_mentions.c.mention_id == bindparam("mention")).order_by(t.cases.c.id.desc())


def _case(row: Row[Any]) -> Case:
    values = row._asdict()  # one by one, its forty columns take longer than the question
    values["state"] = CaseState(row.state)
    values["urgency"] = _URGENCIES[values.pop("urgency_rank")]
    values |= {"tags": tuple(row.tags), "skills": tuple(row.skills), "watchers": tuple(row.watchers)}
    values["checklist"] = tuple(Item(**item) for item in row.checklist)
    return Case(**values)
