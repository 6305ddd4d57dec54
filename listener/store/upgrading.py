"""Which versions of Escucha may work on the tables as they are: several at a time, while one replaces the other.

Each migration says the oldest step whose program still works after it (`works_with`), and that is written down beside
the tables, for a program cannot know the migrations that came after it. One that only adds what older programs do not
ask for lets them go on; what they need is taken away by a later one, when none of them runs any more.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, inspect, select

from listener.errors import Mistake
from listener.store import Transaction, daemons
from listener.store import tables as t


def taken(tx: Transaction, step: str, works_with: str) -> None:
    """Writes down that the tables took that step, in the transaction that takes it."""
    tx.execute(insert(t.table_steps).values(step=step, works_with=works_with, taken_at=datetime.now(UTC)))


def oldest(tx: Transaction) -> str:
    """The oldest step whose program may work on the tables; "" where none is written down."""
    return tx.scalar(select(func.max(t.table_steps.c.works_with))) or ""


def is_written_down(tx: Transaction, step: str) -> bool:
    """Whether the tables are known to have taken that step: otherwise nobody knows who may work on them."""
    return bool(tx.scalar(select(func.count()).where(t.table_steps.c.step == step)))


def demand_that_all_can_stay(tx: Transaction, works_with: str) -> None:
    """Raises Mistake where a process is running that could not work on after steps that need at least that one."""
    if not inspect(tx).has_table(t.daemons.name):
        return
    columns = t.daemons.c
    since = datetime.now(UTC) - daemons.SILENT
    query = select(columns.name, columns.version).where(columns.seen_at > since, columns.step < works_with)
    if left := [f"{row.name} (version {row.version})" for row in tx.execute(query.order_by(columns.name))]:
        raise Mistake(
            f"These processes do not work with the new tables: {', '.join(left)}. Let them run the version before this "
            "one, or stop them, then upgrade; nothing was changed."
        )


def write_down(*, ctx: Any, step: Any, **_: Any) -> None:
    """What Alembic calls after each step."""
    module = step.up_revision.module
    taken(ctx.connection, module.revision, module.works_with)
