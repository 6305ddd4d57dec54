"""The cases made again from their events alone: a case is what its events say, and here is how they are read.

An event that changes columns has them in `became`, as they are then; `mention` and `mention_left` say which mentions
are in the case. `differences` compares what the events say with the rows, for `escucha db check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Row, select

from listener.store import Transaction
from listener.store import tables as t

BATCH = 500  # cases that are read at once
COLUMNS = tuple(column.name for column in t.cases.columns if column.name != "id")
_MOMENTS = frozenset(column.name for column in t.cases.columns if isinstance(column.type, t.Moment))


@dataclass(kw_only=True)
class Told:
    """A case as its events tell it: its columns by name, and its mentions with why and since when they are in it."""

    columns: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(COLUMNS))
    mentions: dict[int, tuple[str, datetime]] = field(default_factory=dict)


def fold(events: Iterable[Row[Any]]) -> Told:
    """What one case's events say, read in their order."""
    told = Told()
    for event in events:
        detail = event.detail
        if "became" in detail:
            told.columns |= {name: _value(name, value) for name, value in detail["became"].items()}
            told.columns |= {"changed_at": event.at, "revision": (told.columns["revision"] or 0) + 1}
        if event.kind == "opened":
            told.columns["revision"] = 1
        elif event.kind == "mention":
            told.mentions[detail["mention"]] = (detail["why"], event.at)
        elif event.kind == "mention_left":
            told.mentions.pop(detail["mention"], None)
    return told


def _value(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name in _MOMENTS and value is not None else value


def rebuilt(tx: Transaction) -> Iterator[tuple[Row[Any], Told, dict[int, tuple[str, datetime]]]]:
    """Each case's row, what its events tell, and the mentions that are in it, by the case's number."""
    last = 0
    while rows := tx.execute(select(t.cases).where(t.cases.c.id > last).order_by(t.cases.c.id).limit(BATCH)).all():
        ids = (t.case_events.c.case_id > last, t.case_events.c.case_id <= rows[-1].id)
        events = tx.execute(select(t.case_events).where(*ids).order_by(t.case_events.c.case_id, t.case_events.c.id))
        told = {case_id: fold(of_case) for case_id, of_case in groupby(events, key=lambda event: event.case_id)}
        within = (t.case_mentions.c.case_id > last, t.case_mentions.c.case_id <= rows[-1].id)
        inside: dict[int, dict[int, tuple[str, datetime]]] = {}
        for entry in tx.execute(select(t.case_mentions).where(*within)):
            inside.setdefault(entry.case_id, {})[entry.mention_id] = (entry.why, entry.at)
        for row in rows:
            yield row, told.get(row.id, Told()), inside.get(row.id, {})
        last = rows[-1].id


def differences(tx: Transaction, *, limit: int) -> list[str]:
    """Where a case is not what its events say, one sentence each; the first `limit` of them."""
    found: list[str] = []
    for row, told, mentions in rebuilt(tx):
        if wrong := differing(row._asdict(), told.columns) + (["mentions"] if mentions != told.mentions else []):
            found.append(
                f"{row.reference} is not what its events say ({', '.join(wrong)}): somebody wrote past them; restore "
                "a backup of before, or look at it with `escucha case show`."
            )
        if len(found) >= limit:
            break
    return found[:limit]


def differing(row: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    """The columns in which a row is not as it was told."""
    return [name for name in COLUMNS if row[name] != told[name]]
