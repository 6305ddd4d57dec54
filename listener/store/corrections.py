"""What people say the model should have read in a mention, and who looked at that before it teaches anything.

A correction names its mention and holds no text: what the author edits or deletes is no example any more. A later one
about the same mention takes the place of an earlier one, under another number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, func, insert, select, update

from listener.errors import AlreadyDone, NotFound, Stale
from listener.store import Transaction, audit
from listener.store import tables as t
from listener.store.mentions import Mention
from listener.types import MentionState


@dataclass(frozen=True, kw_only=True)
class Correction:
    """One of them. `what`: `intents`, `sentiment`, `signals` or `areas`; `was` and `becomes` are labels, maybe none.

    `text`: the mention's, as it was read. `accepted` is None until `looked_by` looked.
    """

    id: int
    mention_id: int
    what: str
    was: tuple[str, ...]
    becomes: tuple[str, ...]
    by: str
    at: datetime
    accepted: bool | None
    looked_by: str | None
    looked_at: datetime | None
    text: str


def record(
    tx: Transaction,
    mention: Mention,
    *,
    what: str,
    was: Sequence[str],
    becomes: Sequence[str],
    by: str,
    now: datetime,
) -> int:
    """Keeps a correction of what was read in the mention; gives its number.

    Raises Stale where the mention was edited or deleted since it was read.
    """
    columns = t.mentions.c
    as_read = (columns.id == mention.id, columns.revision == mention.revision)
    there = (*as_read, columns.state != MentionState.GONE.value)
    if tx.scalar(select(columns.id).where(*there).with_for_update()) is None:
        raise Stale(f"M{mention.id} was edited or deleted meanwhile; look again: escucha show M{mention.id}")
    values = {"mention_id": mention.id, "revision": mention.revision, "what": what, "by": by, "at": now}
    made = insert(t.corrections).values(**values, was=list(was), becomes=list(becomes)).returning(t.corrections.c.id)
    number = int(tx.execute(made).scalar_one())
    earlier = (t.corrections.c.mention_id == mention.id, t.corrections.c.what == what, t.corrections.c.id != number)
    tx.execute(delete(t.corrections).where(*earlier))
    _record(tx, "model.corrected", mention.id, by, now, what=what, was=list(was), becomes=list(becomes))
    return number


def waiting(tx: Transaction) -> list[Correction]:
    """Those that nobody has looked at, oldest first."""
    return [_correction(row) for row in tx.execute(_standing().where(t.corrections.c.accepted.is_(None)))]


def accepted(tx: Transaction, what: str) -> list[Correction]:
    """Those of one kind that somebody looked at and found right, oldest first."""
    of_it = (t.corrections.c.what == what, t.corrections.c.accepted.is_(True))
    return [_correction(row) for row in tx.execute(_standing().where(*of_it))]


def outdated(tx: Transaction) -> int:
    """How many were not dropped and yet serve no more, because their mention was edited since."""
    columns = t.corrections.c
    query = select(func.count()).select_from(t.corrections.join(t.mentions, columns.mention_id == t.mentions.c.id))
    edited = (columns.revision != t.mentions.c.revision, columns.accepted.is_not(False))
    return int(tx.scalar(query.where(*edited)) or 0)


def get(tx: Transaction, number: int) -> Correction:
    """The correction of that number. Raises NotFound."""
    row = tx.execute(_standing().where(t.corrections.c.id == number)).first()
    if row is None:
        raise NotFound(f"There is no correction {number}; see `escucha model examples`.")
    return _correction(row)


def look(tx: Transaction, correction: Correction, *, accept: bool, by: str, now: datetime) -> None:
    """Notes that somebody looked and found it right, or not. Raises AlreadyDone when somebody else was first."""
    columns = t.corrections.c
    decided = {"accepted": accept, "looked_by": by, "looked_at": now}
    still_open = (columns.id == correction.id, columns.accepted.is_(None))
    if not tx.execute(update(t.corrections).where(*still_open).values(**decided)).rowcount:
        raise AlreadyDone(f"Correction {correction.id} was decided already; see `escucha model examples`.")
    action = "correction.accepted" if accept else "correction.dropped"
    _record(tx, action, correction.mention_id, by, now, what=correction.what, becomes=list(correction.becomes))


def _record(tx: Transaction, action: str, mention_id: int, by: str, now: datetime, **detail: object) -> None:
    audit.record(tx, at=now, by=by, action=action, subject=f"mention {mention_id}", **detail)


def _standing() -> Select[Any]:
    """Corrections of what is there as it was read, with its text."""
    columns = t.corrections.c
    joined = t.corrections.join(t.mentions, columns.mention_id == t.mentions.c.id)
    as_read = (columns.revision == t.mentions.c.revision, t.mentions.c.state != MentionState.GONE.value)
    return select(t.corrections, t.mentions.c.text).select_from(joined).where(*as_read).order_by(columns.id)


def _correction(row: Row[Any]) -> Correction:
    return Correction(
        id=row.id,
        mention_id=row.mention_id,
        what=row.what,
        was=tuple(row.was),
        becomes=tuple(row.becomes),
        by=row.by,
        at=row.at,
        accepted=row.accepted,
        looked_by=row.looked_by,
        looked_at=row.looked_at,
        text=row.text,
    )
