"""The rules by which a case lives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from listener.desk import checklists, clocks, customers, incident_cases, joining, marks, parts
from listener.desk.clocks import Moved
from listener.desk.joining import Found
from listener.errors import AlreadyDone, Mistake
from listener.references import digits_of, one_slip_away, parse_reference, reference, write, written_by
from listener.store import Transaction, continuing, inbox, references, sight, steps
from listener.store import cases as store
from listener.store.cases import Case
from listener.store.mentions import Mention
from listener.types import CASE_MOVES, CasePlan, CaseState, Clock, Item, MentionState, Understanding


def find(tx: Transaction, text: str, pattern: str, *, merged: bool = False) -> Case:
    """The case of that reference, however it was typed and by whichever pattern it was once given.

    Of a case that was merged it is the one that it is a part of now, unless the `merged` one itself is wanted.
    Raises Mistake for what is no reference, NotFound where no case bears it; both name the cases that one wrong digit,
    or two in the wrong order, would lead to. Raises Mistake where whoever acts may not see it, or what it is a part of.
    """
    found = _named(tx, text, pattern)
    whole = store.whole(tx, found)
    sight.demand(tx, whole)
    return found if merged else whole


def _named(tx: Transaction, text: str, pattern: str) -> Case:
    written = list(dict.fromkeys([written_by(pattern), *references.patterns(tx)]))
    for each in written:
        with suppress(Mistake):
            return store.get(tx, parse_reference(text, each))
    try:
        return store.get(tx, parse_reference(text, pattern))
    except Mistake as mistake:
        meant = references.existing(tx, list(_near(text, written)))
        if not meant:
            raise
        raise type(mistake)(
            f"{str(mistake).partition(';')[0].rstrip('.')}. Did you mean {' or '.join(meant)}?"
        ) from None


def _near(text: str, patterns: Sequence[str]) -> Iterator[str]:
    """What may have been meant, by each pattern."""
    for pattern in patterns:
        with suppress(Mistake):
            yield from (write(pattern, digits) for digits in one_slip_away(digits_of(text, pattern)))


def check_move(state: CaseState, to: CaseState, label: str) -> None:
    """Raises AlreadyDone when the case is there already, Mistake when it cannot get there from `state`."""
    if to is state:
        raise AlreadyDone(f"{label} is already {state}.")
    if to not in CASE_MOVES[state]:
        allowed = ", ".join(sorted(CASE_MOVES[state]))
        raise Mistake(f"{label} is {state}; from there it can become {allowed}.")


def next_reference(tx: Transaction, pattern: str, now: datetime) -> str:
    """The reference that `open_case` would give in this transaction."""
    return reference(pattern, now.year, references.next_number(tx, now.year))


def open_case(
    tx: Transaction,
    *,
    pattern: str,
    plan: CasePlan,
    account_id: int | None,
    customer_id: int | None,
    by: str,
    since: datetime,
    now: datetime,
) -> Case:
    """Opens a case under the next reference, for what waits `since` then."""
    references.keep_pattern(tx, written_by(pattern), now)
    return store.add(
        tx,
        reference=reference(pattern, now.year, references.take_number(tx, now.year)),
        plan=plan,
        account_id=account_id,
        customer_id=customer_id,
        by=by,
        since=since,
        now=now,
    )


def join(
    tx: Transaction,
    case: Case,
    plan: CasePlan,
    *,
    by: str,
    now: datetime,
    moved: Moved,
    escalate_to: str = "",
    reopens: bool = True,
    known: bool = True,
) -> Case:
    """A further mention of the same matter: urgency only rises, tags and skills only grow; gives the case as it is.

    What waited for the person opens again, and what was over, unless the mention `reopens` nothing; what was snoozed
    wakes. The team stays, unless one is called in: `escalate_to` gets the case, and nobody of them has it yet.

    Where it is promised something for an earlier moment, that is due then, never later. Its place in the queue gets
    better by what the mention scores more, never worse. `moved`: see `clocks`.

    Of a mention that is not `known` to be that person's none of this holds, but that what waits for an answer opens,
    for this may be it, and that a team is called in, for somebody may be in danger.
    """
    case = store.hold(tx, case.id)
    if case.state is CaseState.PENDING or (case.state not in store.LIVE and reopens and known):
        why = "the customer wrote again" if known else "somebody who may be the customer wrote"
        case = store.record(
            tx, case, "reopened", by=by, now=now, became=_opening(tx, case, now, moved), was=case.state.value, why=why
        )
    if known and case.snoozed_until is not None:
        case = marks.wake(tx, case, "the customer wrote again", by=by, now=now)
    if case.state not in store.LIVE:
        return case
    if known:
        case = _pressed(tx, case, plan, by=by, now=now)
    if escalate_to not in ("", case.team):
        agent = {"from_agent": case.agent} if case.agent else {}
        told = {"team": escalate_to, "from_team": case.team, **agent, "why": plan.because}
        became = {"team": escalate_to, "agent": None}
        case = store.record(tx, case, "escalated", by=by, now=now, became=became, **told)
        inbox.handed_over(tx, case.id, team=escalate_to, now=now)
    return case


def _pressed(tx: Transaction, case: Case, plan: CasePlan, *, by: str, now: datetime) -> Case:
    """The case with what its person's further mention makes more urgent, sooner or more of."""
    for kind, became, told in presses(case, plan, sooner=clocks.hurry(tx, case, plan)):
        case = store.record(tx, case, kind, by=by, now=now, became=became, **told)
    return case


def presses(
    case: Case, plan: CasePlan, *, sooner: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """What happens to a case by its person's further mention: each event, what becomes of the case, what is told. Pure.

    `sooner`: what changes because it is promised for an earlier moment.
    """
    if plan.urgency.rank > case.urgency.rank:
        told = {"was": case.urgency.value, "urgency": plan.urgency.value}
        yield "urgency", {**sooner, "urgency_rank": plan.urgency.rank}, told
    elif sooner:
        yield "promised", dict(sooner), {"why": f"sooner than before, by the level {plan.promise.level}"}
    if grown := _grown(case, plan):
        yield "grew", grown, {}


def _grown(case: Case, plan: CasePlan) -> dict[str, Any]:
    """What a further mention adds to the case, beside its urgency."""
    values: dict[str, Any] = {}
    for column, old, more in (("tags", case.tags, plan.tags), ("skills", case.skills, plan.skills)):
        new = list(dict.fromkeys([*old, *more]))
        if len(new) > len(old):
            values[column] = new
    gained = plan.score - case.score
    if gained > 0:
        head_start = timedelta(minutes=gained * case.minutes_per_point)
        values |= {"score": plan.score, "queue_at": case.queue_at - head_start}
    return values


def _opening(tx: Transaction, case: Case, now: datetime, moved: Moved) -> dict[str, Any]:
    """What changes when a case opens again: its clocks run on, and it is as complete as it was before its end."""
    values = {"state": CaseState.OPEN.value, **clocks.run_on(tx, case, now=now, moved=moved)}
    if case.state is not CaseState.PENDING:
        values["resolved_at"] = None
        ended = store.last_event(tx, case, CaseState.RESOLVED.value)
        if case.checklist:
            values["completeness"] = checklists.percent(case.checklist)
        elif ended is not None and "completeness" in ended.detail:
            values["completeness"] = ended.detail["completeness"]
    return values


def move(
    tx: Transaction,
    case: Case,
    to: CaseState,
    *,
    by: str,
    now: datetime,
    moved: Moved,
    note: str = "",
    tell: bool = True,
) -> Case:
    """Changes the case's state. Raises Mistake where that is no step from here; whoever is first wins.

    `moved`: see `clocks`; asked only where the case opens again. `tell`: whether its parts hear of it here.
    """
    case = store.hold(tx, case.id)
    if case.merged_into is not None:
        raise Mistake(f"{case.reference} is a part of another case; `escucha case unmerge {case.reference}` first.")
    if to is case.state and (first := store.last_event(tx, case, _kind(to))):
        raise AlreadyDone(f"{case.reference} is {to} already: {first.by} was first, at {first.at:%Y-%m-%d %H:%M} UTC.")
    check_move(case.state, to, case.reference)
    told: dict[str, Any] = {"was": case.state.value, **({"note": note} if note else {})}
    if to is CaseState.OPEN:
        values = _opening(tx, case, now, moved)
    else:
        values = {"state": to.value, **clocks.stop(tx, case, to, now)}
    if to is not CaseState.OPEN and case.snoozed_until is not None:
        values["snoozed_until"] = None
    if to is CaseState.RESOLVED:
        values |= {"resolved_at": now, "completeness": 100}
        told["completeness"] = case.completeness
    case = store.record(tx, case, _kind(to), by=by, now=now, became=values, **told)
    if case.state not in store.LIVE and tell:
        parts.tell(tx, case, by=by, now=now, note=note)
    return case


def resolve_all(tx: Transaction, found: Sequence[Case], *, by: str, now: datetime, note: str) -> None:
    """As `move` to resolved, of many live cases without parts that this transaction holds."""
    stopped = clocks.end_all(tx, found, now)
    over = {"state": CaseState.RESOLVED.value, "snoozed_until": None, "resolved_at": now, "completeness": 100}
    rows = [
        (case, {**over, **stopped[case.id]}, {"was": case.state.value, "note": note, "completeness": case.completeness})
        for case in found
    ]
    store.record_each(tx, rows, CaseState.RESOLVED.value, by=by, now=now)


def _kind(to: CaseState) -> str:
    return "reopened" if to is CaseState.OPEN else to.value


def assign(
    tx: Transaction,
    case: Case,
    *,
    team: str | None,
    agent: str | None,
    by: str,
    now: datetime,
    take_over: bool = False,
    checklist: Sequence[Item] | None = None,
) -> Case:
    """Gives the case to a team, an agent, or both; an agent of None leaves it to the team.

    `checklist`: the steps that the new team has, None: they stay.
    Raises AlreadyDone when another agent has it, unless it is to be taken over; Mistake when it is no longer live.
    """
    case = store.hold(tx, case.id)
    _check_live(case, "assigned")
    if case.agent and agent != case.agent and not take_over:
        last = store.last_event(tx, case, "assigned")
        since = f" since {last.at:%Y-%m-%d %H:%M} UTC" if last else ""
        raise AlreadyDone(f"{case.agent} has {case.reference}{since}; --take-over gives it away all the same.")
    given = {"team": team or case.team, "agent": agent}
    if team not in (None, case.team):
        inbox.handed_over(tx, case.id, team=team, now=now)
    became: dict[str, Any] = dict(given)
    if checklist is not None and team not in (None, case.team):
        became |= checklists.columns(checklists.for_team(case.checklist, checklist))
    return store.record(tx, case, "assigned", by=by, now=now, became=became, **given)


def note(tx: Transaction, case: Case, text: str, *, by: str, now: datetime, completeness: int | None = None) -> None:
    """Writes something down in the case, perhaps with how complete (0 to 100 percent) it now is.

    Raises Mistake when the case is over and its completeness was to change.
    """
    if completeness is None:
        store.event(tx, case, "note", by, now, text=text)
        return
    _check_live(case, "changed")
    if case.checklist:
        raise Mistake(f"{case.reference} is as complete as its steps are; `escucha case step {case.reference}`.")
    done = {"completeness": completeness}
    store.record(tx, case, "note", by=by, now=now, became=done, text=text, **done)


def _check_live(case: Case, done: str) -> None:
    if case.state not in store.LIVE:
        raise Mistake(f"{case.reference} is {case.state} and cannot be {done}; `escucha case reopen` first.")


def route(
    tx: Transaction,
    mention: Mention,
    *,
    pattern: str,
    plan: CasePlan,
    another: bool,
    by: str,
    now: datetime,
    moved: Moved,
    reopen: timedelta = timedelta(0),
    into: Case | None = None,
    understanding: Understanding | None = None,
) -> tuple[Case, bool]:
    """Puts a mention into a case by a person's word; gives it, and whether it was opened now.

    It joins the case `into` which it is put, else the one of its matter (`joining.py`), unless `another` is wanted.
    `reopen`: how long after its end a case may be joined.
    Raises AlreadyDone when it is in a case, Mistake when it was deleted or is of another customer than `into`.
    """
    if mention.state is MentionState.GONE:
        raise Mistake(f"M{mention.id} was deleted by its author; there is nothing to open a case for.")
    customer = customers.behind(tx, mention.account_id, mention.network, mention.author.handle, now)
    found = joining.find(
        tx, mention, understanding=understanding, customer=customer, pattern=pattern, reopen=reopen, now=now
    )
    inside = store.of_mention(tx, mention.id)
    if inside is not None:
        out = f"; `escucha case split {inside.reference} M{mention.id}` takes it out" if into or another else ""
        raise AlreadyDone(f"M{mention.id} is in {inside.reference} already, opened by {inside.opened_by}{out}.")
    if into is not None:
        if customer and into.customer_id not in (None, customer.id):
            raise Mistake(f"M{mention.id} is {customer.reference}'s, {into.reference} is {into.customer_reference}'s.")
        found = Found(case=into, why="by that person's word")
    if found.case is not None and not another:
        joined = join(tx, found.case, plan, by=by, now=now, moved=moved, reopens=found.reopens, known=found.known)
        joined = store.attach(tx, joined, mention.id, why=f"a person put it there: {found.why}", by=by, now=now)
        return incident_cases.routed(tx, joined, mention.id, by=by, now=now), False
    case = open_case(
        tx,
        pattern=pattern,
        plan=plan,
        account_id=mention.account_id,
        customer_id=customer.id if customer else None,
        by=by,
        since=mention.heard_at,
        now=now,
    )
    case = store.attach(tx, case, mention.id, why="a person opened the case for it", by=by, now=now)
    return incident_cases.routed(tx, case, mention.id, by=by, now=now), True


def answered(tx: Transaction, mention_id: int, now: datetime) -> None:
    """Stops the first-response clock of the mention's case, the first time we answer its person."""
    case = store.of_mention(tx, mention_id)
    if case and mention_id in continuing.strangers(tx, case):
        return
    if case and store.hold(tx, case.id).first_response_at is None:
        steps.withdraw(tx, case.id, Clock.FIRST_RESPONSE)
        became = {"first_response_at": now}
        store.record(
            tx, store.by_id(tx, case.id), "first_response", by="daemon", now=now, became=became, mention=mention_id
        )
