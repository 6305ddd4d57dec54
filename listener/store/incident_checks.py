"""Whether each incident is what its events say, for `escucha db check`."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import select

from listener.store import Transaction
from listener.store import tables as t

# how far something has come is no event
COLUMNS = tuple(column.name for column in t.incidents.columns if column.name not in ("id", "swept_to"))
_MOMENTS = frozenset(column.name for column in t.incidents.columns if isinstance(column.type, t.Moment))


def differences(tx: Transaction, *, limit: int) -> list[str]:
    """Where an incident is not what its events say, one sentence each; the first `limit` of them."""
    events = tx.execute(select(t.incident_events).order_by(t.incident_events.c.incident_id, t.incident_events.c.id))
    told = {number: _fold(list(of)) for number, of in groupby(events, key=lambda event: event.incident_id)}
    found = []
    for row in tx.execute(select(t.incidents).order_by(t.incidents.c.id)):
        said = told.get(row.id, {})
        if wrong := [name for name in COLUMNS if getattr(row, name) != said.get(name)]:
            found.append(
                f"I{row.id} is not what its events say ({', '.join(wrong)}): somebody wrote past them; restore a "
                "backup of before, or look at it with `escucha incident show`."
            )
    return found[:limit]


def _fold(events: list[Any]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for number, event in enumerate(events, 1):
        columns |= {name: _value(name, value) for name, value in event.detail.get("became", {}).items()}
        columns |= {"changed_at": event.at, "revision": number}
    return columns


def _value(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name in _MOMENTS and value is not None else value
