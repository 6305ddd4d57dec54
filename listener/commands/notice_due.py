"""The notices that should have gone out by themselves and have not, for `status`."""

from __future__ import annotations

from datetime import datetime

from listener.commands import output
from listener.desk import scheduling
from listener.desk.scheduling import Standing
from listener.store import Transaction, scheduled
from listener.store.notices import Notice


def troubles(tx: Transaction, now: datetime) -> list[str]:
    """A sentence for each that is held or stale."""
    held = [each for each in scheduled.due(tx, now) if each.held]
    return [_said(each, now) for each in (*scheduled.stale(tx, now), *held)]


def _said(notice: Notice, now: datetime) -> str:
    number, since = f"N{notice.id}", output.ago(notice.due_at, now)
    why = f": {notice.held}" if notice.held else ""
    if scheduling.standing(notice, now) is Standing.STALE:
        return (
            f"{number} was to go out {since} and is not out{why}. `escucha notice publish {number}`, `schedule` or "
            "`withdraw` says what becomes of it."
        )
    return f"{number} was to go out {since} and is held{why}. It goes out once that is mended, if that is soon."
