"""Mentions over which a process died: looked at alone from then on, and set aside where that kills again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from listener.store import Transaction, audit, upsert
from listener.store import tables as t
from listener.types import MentionState

MOST = 3  # deaths after which nobody looks at it again by itself
APART = timedelta(minutes=1)  # after its second death it waits so long, so that the rest goes on meanwhile
HELD = timedelta(minutes=10)  # for so long it is left to whoever looks at it
AWAITED = {"understand": MentionState.NEW, "decide": MentionState.UNDERSTOOD}


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """One mention to be looked at alone, at that stage."""

    mention_id: int
    stage: str
    deaths: int


def died(tx: Transaction, stage: str, mention_ids: Sequence[int], *, now: datetime) -> list[int]:
    """A process died with these in hand; gives the numbers of those that still wait for that stage.

    They wait apart from the others from now on; after `MOST` deaths they wait for a person.
    """
    columns = t.mentions.c
    waits = (columns.id.in_(list(mention_ids)), columns.state == AWAITED[stage].value)
    found = sorted(tx.scalars(select(columns.id).where(*waits)))
    for number in found:
        known = tx.execute(select(t.suspects).where(t.suspects.c.mention_id == number)).first()
        deaths = (known.deaths if known is not None and known.stage == stage else 0) + 1
        values = {
            "stage": stage,
            "deaths": deaths,
            "due_at": now + APART * (deaths - 1),
        }
        statement = upsert(tx, t.suspects).values(mention_id=number, **values)
        tx.execute(statement.on_conflict_do_update(index_elements=["mention_id"], set_=values))
        tx.execute(update(t.mentions).where(columns.id == number).values(trouble=_reason(stage, deaths)))
        if deaths == MOST:
            audit.record(tx, at=now, by="daemon", action="mention.set_aside", subject=f"mention {number}", stage=stage)
    return found


def _reason(stage: str, deaths: int) -> str:
    times = "once" if deaths == 1 else "twice" if deaths == 2 else f"{deaths} times"
    alone = "it is looked at alone" if deaths < MOST else "nobody looks at it again by itself"
    return f"{stage}: a process died while it looked at this {times}; {alone}"


def next_one(tx: Transaction, *, now: datetime) -> Suspect | None:
    """The next one to look at alone, ours for a while; nothing holds it back from its stage any more.

    None where there is none, or where the next one was somebody's who is silent since: that counts as a death, too, of
    which nothing else is left where the machine is gone.
    """
    columns, held = t.suspects.c, t.mentions.c.trouble.is_(None) & (t.mentions.c.state.in_(AWAITED.values()))
    due = (columns.deaths < MOST, columns.due_at <= now)
    query = select(t.suspects, held.label("held")).join(t.mentions, t.mentions.c.id == columns.mention_id).where(*due)
    row = tx.execute(query.order_by(columns.due_at, columns.mention_id).limit(1)).first()
    if row is None:
        return None
    ours = (columns.mention_id == row.mention_id, columns.due_at == row.due_at)
    if not tx.execute(update(t.suspects).where(*ours).values(due_at=now + HELD)).rowcount:
        return None  # another process was quicker
    if row.held and died(tx, row.stage, [row.mention_id], now=now):
        return None
    tx.execute(update(t.mentions).where(t.mentions.c.id == row.mention_id).values(trouble=None))
    return Suspect(mention_id=row.mention_id, stage=row.stage, deaths=row.deaths)


def is_due(tx: Transaction, *, now: datetime) -> bool:
    """Whether there is one to look at alone."""
    columns = t.suspects.c
    query = select(columns.mention_id).where(columns.deaths < MOST, columns.due_at <= now)
    return tx.execute(query.limit(1)).first() is not None


def survived(tx: Transaction, suspect: Suspect, *, now: datetime) -> None:
    """Who looked at it lives: it is suspect no more.

    Where nobody could look at it (no model, no database) it waits apart as before, with the deaths it had, and is due
    in a minute. Where it was taken for another death meanwhile, it is somebody else's.
    """
    columns, known = t.mentions.c, t.suspects.c
    mine = (known.mention_id == suspect.mention_id, known.stage == suspect.stage, known.deaths == suspect.deaths)
    if not tx.execute(update(t.suspects).where(*mine).values(due_at=now + APART)).rowcount:
        return
    waits = (columns.state == AWAITED[suspect.stage].value, columns.trouble.is_(None))
    again = update(t.mentions).where(columns.id == suspect.mention_id, *waits)
    if not tx.execute(again.values(trouble=_reason(suspect.stage, suspect.deaths))).rowcount:
        cleared(tx, [suspect.mention_id])


def cleared(tx: Transaction, mention_ids: Sequence[int]) -> None:
    """They were looked at, and nothing died of it; or a person wants them to be."""
    tx.execute(delete(t.suspects).where(t.suspects.c.mention_id.in_(list(mention_ids))))


def retry(tx: Transaction, mention_ids: Sequence[int], *, by: str, now: datetime) -> list[int]:
    """Lets what was set aside be tried once more; gives the numbers of those that were.

    What was understood, or decided, before it was set aside stays so.
    """
    columns = t.mentions.c
    waits = columns.state.in_([MentionState.NEW.value, MentionState.UNDERSTOOD.value])
    aside = select(columns.id).where(columns.id.in_(list(mention_ids)), columns.trouble.is_not(None), waits)
    found = sorted(tx.scalars(aside))
    killers = set(tx.scalars(select(t.suspects.c.mention_id).where(t.suspects.c.mention_id.in_(found))))
    again = {"deaths": MOST - 1, "due_at": now}  # alone, and set aside at once where it kills again
    tx.execute(update(t.suspects).where(t.suspects.c.mention_id.in_(killers)).values(**again))
    harmless = [number for number in found if number not in killers]
    tx.execute(update(t.mentions).where(columns.id.in_(harmless)).values(trouble=None))
    for number in found:
        audit.record(tx, at=now, by=by, action="mention.retry", subject=f"mention {number}")
    return found
