"""How complete a case is: the steps of its team, each with its weight, some of them done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from listener.errors import AlreadyDone, Mistake
from listener.store import Transaction
from listener.store import cases as store
from listener.store.cases import Case
from listener.types import Item


def percent(items: Sequence[Item]) -> int:
    """How much of it is done, 0 to 100; 100 only where all is."""
    return sum(item.weight for item in items if item.done) * 100 // (sum(item.weight for item in items) or 1)


def missing(items: Sequence[Item]) -> tuple[str, ...]:
    """The steps that are not done, in order."""
    return tuple(item.name for item in items if not item.done)


def for_team(had: Sequence[Item], wanted: Sequence[Item]) -> tuple[Item, ...]:
    """The steps of a case that is another team's now, or whose team has other steps: what was done stays done."""
    done = {item.name.casefold() for item in had if item.done}
    return tuple(replace(item, done=item.name.casefold() in done) for item in wanted)


def columns(items: Sequence[Item]) -> dict[str, Any]:
    """What the case keeps of its steps."""
    return {"checklist": [asdict(item) for item in items], "completeness": percent(items)}


def mark(
    tx: Transaction, case: Case, typed: str, *, done: bool, wanted: Sequence[Item], by: str, now: datetime
) -> Case:
    """Says that a step is done, or is not after all. `wanted`: the steps that its team has now.

    `typed`: the step's name or the beginning of it, or its number. Raises Mistake for none of its steps, or where the
    case is over; AlreadyDone where it is so.
    """
    case = store.hold(tx, case.id)
    if case.state not in store.LIVE:
        raise Mistake(f"{case.reference} is {case.state}; `escucha case reopen {case.reference}` first.")
    items = for_team(case.checklist, wanted) if wanted else case.checklist
    place = _place(items, typed, case)
    if items[place].done is done:
        raise AlreadyDone(f"“{items[place].name}” is {'done' if done else 'not done'} in {case.reference} already.")
    items = (*items[:place], replace(items[place], done=done), *items[place + 1 :])
    kind = "step_done" if done else "step_undone"
    return store.record(tx, case, kind, by=by, now=now, became=columns(items), step=items[place].name)


def _place(items: Sequence[Item], typed: str, case: Case) -> int:
    wanted = typed.strip().casefold()
    if not items:
        raise Mistake(f"The policy gives team {case.team} no steps; see `steps` in docs/cases.md.")
    if wanted.isascii() and wanted.isdigit() and 0 < int(wanted[:4]) <= len(items):
        return int(wanted[:4]) - 1
    names = [item.name.casefold() for item in items]
    found = [at for at, name in enumerate(names) if name == wanted] or [
        at for at, name in enumerate(names) if wanted and name.startswith(wanted)
    ]
    if len(found) != 1:
        raise Mistake(f"{typed[:60]!r} is no step of {case.reference}; there are: {', '.join(i.name for i in items)}.")
    return found[0]
