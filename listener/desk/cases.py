"""Case references, and the rules by which a case lives."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from stdnum import damm

from listener.errors import Mistake
from listener.store import Transaction
from listener.store import cases as store
from listener.store.cases import Case
from listener.types import CASE_MOVES, CasePlan, CaseState


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
    wanted = re.escape(prefix)
    shape = rf"\s*(?:{wanted}[\s\-_./]*)?(\d{{2}})[\s\-_./]*(\d+?)[\s\-_./]*(\d)\s*"
    found = re.fullmatch(shape, text, re.IGNORECASE)
    if not found:
        raise Mistake(f"{text!r} is no case reference; they look like {reference(prefix, 26, 123)}.")
    year, number, check = found.groups()
    digits = f"{year}{int(number):06d}"
    if damm.calc_check_digit(digits) != check:
        raise Mistake(f"{text!r} has a slip in it: the check digit does not fit. Compare it with the original.")
    return f"{prefix}-{digits[:2]}-{digits[2:]}-{check}"


def check_move(state: CaseState, to: CaseState, label: str) -> None:
    """Raises Mistake when a case in `state` cannot become `to`."""
    if to is state:
        raise Mistake(f"{label} is already {state}.")
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
    now: datetime,
) -> Case:
    """Opens a case under the next reference."""
    return store.add(
        tx,
        reference=reference(prefix, now.year, store.take_number(tx, now.year)),
        plan=plan,
        account_id=account_id,
        customer_id=customer_id,
        by=by,
        now=now,
    )


def join(tx: Transaction, case: Case, plan: CasePlan, *, by: str, now: datetime) -> None:
    """A further mention of the same matter: urgency only rises, tags only grow, the team stays with who has it."""
    values: dict[str, Any] = {}
    tags = [*case.tags, *(tag for tag in plan.tags if tag not in case.tags)]
    if len(tags) > len(case.tags):
        values["tags"] = tags
    if plan.urgency.rank > case.urgency.rank:
        values["urgency_rank"] = plan.urgency.rank
        for column, span in (("first_response_due", plan.first_response), ("resolution_due", plan.resolution)):
            due = getattr(case, column)
            if span and due and now + span < due:
                values[column] = now + span
        store.event(tx, case, "urgency", by, now, was=case.urgency.value, urgency=plan.urgency.value)
    if case.state is CaseState.PENDING:  # the person we waited for has written
        values["state"] = CaseState.OPEN.value
        store.event(tx, case, "reopened", by, now, was=case.state.value, why="the customer wrote again")
    store.change(tx, case, now=now, **values)


def move(tx: Transaction, case: Case, to: CaseState, *, by: str, now: datetime, note: str = "") -> Case:
    """Changes the case's state. Raises Mistake where that is no step from here; whoever is first wins."""
    check_move(case.state, to, case.reference)
    values: dict[str, Any] = {"state": to.value}
    if to is CaseState.RESOLVED:
        values |= {"resolved_at": now, "completeness": 100}
    elif to is CaseState.OPEN and case.state in (CaseState.RESOLVED, CaseState.CLOSED):
        values["resolved_at"] = None
    if not store.change(tx, case, now=now, **values):
        return move(tx, store.by_id(tx, case.id), to, by=by, now=now, note=note)
    kind = "reopened" if to is CaseState.OPEN else to.value
    store.event(tx, case, kind, by, now, was=case.state.value, **({"note": note} if note else {}))
    return store.by_id(tx, case.id)


def assign(tx: Transaction, case: Case, *, team: str | None, agent: str | None, by: str, now: datetime) -> Case:
    """Gives the case to a team, an agent, or both; an agent of None leaves it to the team."""
    store.change(tx, case, now=now, agent=agent, **({"team": team} if team else {}))
    store.event(tx, case, "assigned", by, now, team=team or case.team, agent=agent)
    return store.by_id(tx, case.id)


def note(tx: Transaction, case: Case, text: str, *, by: str, now: datetime, completeness: int | None = None) -> None:
    """Writes something down in the case, perhaps with how complete (0 to 100 percent) it now is."""
    done = {} if completeness is None else {"completeness": completeness}
    store.change(tx, case, now=now, **done)
    store.event(tx, case, "note", by, now, text=text, **done)


def answered(tx: Transaction, mention_id: int, now: datetime) -> None:
    """Stops the first-response clock of the mention's case, the first time we answer."""
    case = store.of_mention(tx, mention_id)
    if case and case.first_response_at is None:
        store.change(tx, case, now=now, first_response_at=now)
        store.event(tx, case, "first_response", "daemon", now, mention=mention_id)
