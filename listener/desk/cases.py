"""Case references, and the rules by which a case lives."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from stdnum import damm

from listener.desk import clocks, customers
from listener.desk.clocks import Moved
from listener.errors import AlreadyDone, Mistake, Stale
from listener.store import Transaction, inbox, steps
from listener.store import cases as store
from listener.store.cases import Case
from listener.store.mentions import Mention
from listener.types import CASE_MOVES, CasePlan, CaseState, Clock, MentionState


def reference(prefix: str, year: int, number: int) -> str:
    """A reference such as `ES-26-000123-7`.

    The last digit is Damm's check digit over year and number: it shows every single wrong digit and every swap of
    neighbours (Damm, "Totally anti-symmetric quasigroups", 2004).
    """
    digits = f"{year % 100:02d}{number:06d}"
    return f"{prefix}-{digits[:2]}-{digits[2:]}-{damm.calc_check_digit(digits)}"


def parse_reference(text: str, prefix: str) -> str:
    """The reference however it was typed: lower case, without hyphens, without leading zeros, with or without prefix.

    Raises Mistake when it cannot be one, or when its check digit shows a slip.
    """
    digits = _digits(text, prefix)
    if not _fits(digits):
        raise Mistake(f"{text!r} has a slip in it: the check digit does not fit. Compare it with the original.")
    return _written(prefix, digits)


def _digits(text: str, prefix: str) -> str:
    """Year, number and check digit as they were typed, the number filled up to six digits."""
    plain = unicodedata.normalize("NFKC", text[:100])  # also digits of full width
    gap = "[\\s\\-\u2010-\u2015\u2212_./]*"  # also the dashes that programs put for hyphens
    shape = rf"\s*(?:{re.escape(prefix)}{gap})?([0-9]{{2}}){gap}([0-9]{{1,12}}?){gap}([0-9])\s*"
    found = re.fullmatch(shape, plain, re.IGNORECASE)
    if not found or len(text) > 100:
        raise Mistake(f"{text[:60]!r} is no case reference; they look like {reference(prefix, 26, 123)}.")
    year, number, check = found.groups()
    return f"{year}{number:0>6}{check}"


def _fits(digits: str) -> bool:
    """Whether that is how a reference is written. A longer number has no zero in front: one was swapped there."""
    return damm.is_valid(digits) and (len(digits) == 9 or digits[2] != "0")


def _written(prefix: str, digits: str) -> str:
    return f"{prefix}-{digits[:2]}-{digits[2:-1]}-{digits[-1]}"


def find(tx: Transaction, text: str, prefix: str) -> Case:
    """The case of that reference, however it was typed.

    Raises Mistake for what is no reference, NotFound where no case bears it; both name the cases that one wrong digit,
    or two in the wrong order, would lead to.
    """
    try:
        return store.get(tx, parse_reference(text, prefix))
    except Mistake as mistake:
        near = [_written(prefix, digits) for digits in one_slip_away(_digits(text, prefix))]
        meant = store.existing(tx, near)
        if not meant:
            raise
        raise type(mistake)(
            f"{str(mistake).partition(';')[0].rstrip('.')}. Did you mean {' or '.join(meant)}?"
        ) from None


def one_slip_away(digits: str) -> list[str]:
    """Every valid reference (its digits) that differs by one digit or by one swap of neighbours."""
    slips = {digits[:at] + digit + digits[at + 1 :] for at in range(len(digits)) for digit in "0123456789"}
    slips |= {digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :] for at in range(len(digits) - 1)}
    return sorted(slip for slip in slips - {digits} if _fits(slip))


def check_move(state: CaseState, to: CaseState, label: str) -> None:
    """Raises AlreadyDone when the case is there already, Mistake when it cannot get there from `state`."""
    if to is state:
        raise AlreadyDone(f"{label} is already {state}.")
    if to not in CASE_MOVES[state]:
        allowed = ", ".join(sorted(CASE_MOVES[state]))
        raise Mistake(f"{label} is {state}; from there it can become {allowed}.")


def next_reference(tx: Transaction, prefix: str, now: datetime) -> str:
    """The reference that `open_case` would give in this transaction."""
    return reference(prefix, now.year, store.next_number(tx, now.year))


def open_case(
    tx: Transaction,
    *,
    prefix: str,
    plan: CasePlan,
    account_id: int | None,
    customer_id: int | None,
    by: str,
    since: datetime,
    now: datetime,
) -> Case:
    """Opens a case under the next reference, for what waits `since` then."""
    return store.add(
        tx,
        reference=reference(prefix, now.year, store.take_number(tx, now.year)),
        plan=plan,
        account_id=account_id,
        customer_id=customer_id,
        by=by,
        since=since,
        now=now,
    )


def join(
    tx: Transaction, case: Case, plan: CasePlan, *, by: str, now: datetime, moved: Moved, escalate_to: str = ""
) -> str:
    """A further mention of the same matter: urgency only rises, tags and skills only grow; gives whose it is then.

    The team stays, unless one is called in: `escalate_to` gets the case, and nobody of them has it yet.

    Where it is promised something for an earlier moment, that is due then, never later. Its place in the queue gets
    better by what the mention scores more, never worse. `moved`: see `clocks`.
    """
    values: dict[str, Any] = {}
    for column, old, more in (("tags", case.tags, plan.tags), ("skills", case.skills, plan.skills)):
        new = list(dict.fromkeys([*old, *more]))
        if len(new) > len(old):
            values[column] = new
    gained = plan.score - case.score
    if gained > 0:
        head_start = timedelta(minutes=gained * case.minutes_per_point)
        values |= {"score": plan.score, "queue_at": case.queue_at - head_start}
    if case.state is CaseState.PENDING:  # the person we waited for has written
        values |= {"state": CaseState.OPEN.value, **clocks.run_on(tx, case, now=now, moved=moved)}
        store.event(tx, case, "reopened", by, now, was=case.state.value, why="the customer wrote again")
    sooner = clocks.hurry(tx, replace(case, resolution_due=values.get("resolution_due", case.resolution_due)), plan)
    values |= sooner
    if plan.urgency.rank > case.urgency.rank:
        values["urgency_rank"] = plan.urgency.rank
        store.event(tx, case, "urgency", by, now, was=case.urgency.value, urgency=plan.urgency.value)
    elif sooner:
        store.event(tx, case, "promised", by, now, why=f"sooner than before, by the level {plan.promise.level}")
    if escalate_to not in ("", case.team):
        values |= {"team": escalate_to, "agent": None}
        agent = {"from_agent": case.agent} if case.agent else {}
        told = {"team": escalate_to, "from_team": case.team, **agent, "why": plan.because}
        store.event(tx, case, "escalated", by, now, **told)
        inbox.handed_over(tx, case.id, team=escalate_to, now=now)
    store.change(tx, case, now=now, **values)
    return str(values.get("team", case.team))


def move(tx: Transaction, case: Case, to: CaseState, *, by: str, now: datetime, moved: Moved, note: str = "") -> Case:
    """Changes the case's state. Raises Mistake where that is no step from here; whoever is first wins.

    `moved`: see `clocks`; asked only where the case opens again.
    """
    if to is case.state and (first := store.last_event(tx, case, _kind(to))):
        raise AlreadyDone(f"{case.reference} is {to} already: {first.by} was first, at {first.at:%Y-%m-%d %H:%M} UTC.")
    check_move(case.state, to, case.reference)
    values: dict[str, Any] = {"state": to.value}
    if to is CaseState.RESOLVED:
        values |= {"resolved_at": now, "completeness": 100}
    elif to is CaseState.OPEN and case.state in (CaseState.RESOLVED, CaseState.CLOSED):
        values["resolved_at"] = None
    if not store.change(tx, case, now=now, **values):
        return move(tx, store.by_id(tx, case.id), to, by=by, now=now, moved=moved, note=note)
    opens = to is CaseState.OPEN
    timed = clocks.run_on(tx, case, now=now, moved=moved) if opens else clocks.stop(tx, case, to, now)
    store.change(tx, store.by_id(tx, case.id), now=now, **timed)
    store.event(tx, case, _kind(to), by, now, was=case.state.value, **({"note": note} if note else {}))
    return store.by_id(tx, case.id)


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
) -> Case:
    """Gives the case to a team, an agent, or both; an agent of None leaves it to the team.

    Raises AlreadyDone when another agent has it, unless it is to be taken over; Mistake when it is no longer live.
    """
    _check_live(case, "assigned")
    if case.agent and agent != case.agent and not take_over:
        given = store.last_event(tx, case, "assigned")
        since = f" since {given.at:%Y-%m-%d %H:%M} UTC" if given else ""
        raise AlreadyDone(f"{case.agent} has {case.reference}{since}; --take-over gives it away all the same.")
    _change(tx, case, now, agent=agent, **({"team": team} if team else {}))
    if team not in (None, case.team):
        inbox.handed_over(tx, case.id, team=team, now=now)
    store.event(tx, case, "assigned", by, now, team=team or case.team, agent=agent)
    return store.by_id(tx, case.id)


def note(tx: Transaction, case: Case, text: str, *, by: str, now: datetime, completeness: int | None = None) -> None:
    """Writes something down in the case, perhaps with how complete (0 to 100 percent) it now is.

    Raises Mistake when the case is over and its completeness was to change.
    """
    if completeness is not None:
        _check_live(case, "changed")
    done = {} if completeness is None else {"completeness": completeness}
    _change(tx, case, now, **done)
    store.event(tx, case, "note", by, now, text=text, **done)


def _check_live(case: Case, done: str) -> None:
    if case.state not in store.LIVE:
        raise Mistake(f"{case.reference} is {case.state} and cannot be {done}; `escucha case reopen` first.")


def _change(tx: Transaction, case: Case, now: datetime, **columns: Any) -> None:
    if not store.change(tx, case, now=now, **columns):
        raise Stale(f"{case.reference} was changed by somebody a moment ago; look again.")


def route(
    tx: Transaction,
    mention: Mention,
    *,
    prefix: str,
    plan: CasePlan,
    another: bool,
    by: str,
    now: datetime,
    moved: Moved,
) -> tuple[Case, bool]:
    """Puts a mention into a case by a person's word; gives it, and whether it was opened now.

    It joins the live case of its author or their customer, unless `another` is wanted.
    Raises AlreadyDone when it is in a case, Mistake when it was deleted.
    """
    if mention.state is MentionState.GONE:
        raise Mistake(f"M{mention.id} was deleted by its author; there is nothing to open a case for.")
    customer = customers.behind(tx, mention.account_id, mention.network, mention.author.handle, now)
    live = store.live_case(tx, account_id=mention.account_id, customer_id=customer.id if customer else None)
    inside = store.of_mention(tx, mention.id)
    if inside is not None:
        raise AlreadyDone(f"M{mention.id} is in {inside.reference} already, opened by {inside.opened_by}.")
    if live is not None and not another:
        join(tx, live, plan, by=by, now=now, moved=moved)
        store.attach(tx, live, mention.id, why="a person put it there", by=by, now=now)
        return store.by_id(tx, live.id), False
    case = open_case(
        tx,
        prefix=prefix,
        plan=plan,
        account_id=mention.account_id,
        customer_id=customer.id if customer else None,
        by=by,
        since=mention.heard_at,
        now=now,
    )
    store.attach(tx, case, mention.id, why="a person opened the case for it", by=by, now=now)
    return case, True


def answered(tx: Transaction, mention_id: int, now: datetime) -> None:
    """Stops the first-response clock of the mention's case, the first time we answer."""
    case = store.of_mention(tx, mention_id)
    if case and case.first_response_at is None:
        store.change(tx, case, now=now, first_response_at=now)
        steps.withdraw(tx, case.id, Clock.FIRST_RESPONSE)
        store.event(tx, case, "first_response", "daemon", now, mention=mention_id)
