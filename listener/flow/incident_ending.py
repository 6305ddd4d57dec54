"""incident ending: the cases of those whom it hit are resolved together, but those with more to do.

    live parts, some at a time | only the incident? answered? | resolved | the others are told, and asked about

Safe to stop and to call again: what is resolved is a part no longer live.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from listener.desk import cases as desk
from listener.store import Store, Transaction, cases, incident_children, incidents
from listener.store.incident_children import Child
from listener.store.incidents import Incident

RESOLVED = 250  # cases resolved in one transaction
READ = 500  # looked at in one


@dataclass(kw_only=True)
class Ending:
    """What becomes of the cases: `together` are resolved, `owed` are those whose person waits for an answer, `more` is
    to be done in others."""

    together: int = 0
    owed: list[Child] = field(default_factory=list)
    more: list[Child] = field(default_factory=list)

    def take(self, child: Child, *, owed_too: bool) -> bool:
        """Puts the case where it belongs; whether it is resolved with the others."""
        if child.more:
            self.more.append(child)
        elif child.owed and not owed_too:
            self.owed.append(child)
        else:
            self.together += 1
            return True
        return False


def preview(store: Store, incident: Incident, *, owed_too: bool) -> Ending:
    """What `resolve` would do; changes nothing."""
    ending = Ending()
    with store.read() as tx:
        for child in _all(tx, incident):
            ending.take(child, owed_too=owed_too)
    return ending


def resolve(
    store: Store,
    incident: Incident,
    *,
    owed_too: bool,
    note: str,
    by: str,
    now: Callable[[], datetime],
    step: Callable[[int], None] = lambda _done: None,
) -> Ending:
    """Resolves the cases in which there is nothing to do but the incident; gives what became of all.

    `owed_too`: also those whose person still waits for an answer. `step` is told how many are resolved by then.
    """
    ending, last = Ending(), 0
    while True:
        with store.write() as tx:
            batch = incident_children.live(tx, incident, after=last, limit=RESOLVED, held=True)
            together = [child.id for child in batch if ending.take(child, owed_too=owed_too)]
            desk.resolve_all(tx, cases.by_ids(tx, together), by=by, now=now(), note=note)
        step(ending.together)
        if len(batch) < RESOLVED:
            break
        last = batch[-1].id
    with store.write() as tx:
        if ending.together:
            held = incidents.hold(tx, incident.id)
            incidents.record(tx, held, "children", by=by, now=now(), resolved=ending.together)
    return ending


def _all(tx: Transaction, incident: Incident) -> Iterator[Child]:
    last = 0
    while batch := incident_children.live(tx, incident, after=last, limit=READ):
        yield from batch
        last = batch[-1].id
