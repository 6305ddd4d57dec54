"""A moment as people type it."""

from __future__ import annotations

from datetime import UTC, datetime

from listener.errors import Mistake


def past(text: str | None, now: datetime) -> datetime | None:
    """The moment that `2026-11-01`, `2026-11-01T09:30` or `2d` (so long ago) means, in UTC; None for none.

    Raises Mistake.
    """
    from listener.config import duration

    if not text or not text.strip():
        return None
    if (moment := _written(text)) is not None:
        return moment
    try:
        return now - duration(text)
    except (ValueError, OverflowError):
        raise Mistake(f"{text!r} is no moment: write 2026-11-01, 2026-11-01T09:30 or 2d (two days ago).") from None


def to_come(text: str, now: datetime) -> datetime:
    """The moment that `2026-11-01`, `2026-11-01T09:30` or `2d` (from now) means, in UTC. Raises Mistake."""
    from listener.config import duration

    if (moment := _written(text)) is not None:
        return moment
    try:
        return now + duration(text)
    except (ValueError, OverflowError):
        raise Mistake(f"{text!r} is no moment: write 2026-11-01, 2026-11-01T09:30 or 2d (in two days).") from None


def _written(text: str) -> datetime | None:
    """The moment that is written out there, None where none is."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
