"""What is said of a database that goes on as what it was earlier."""

from __future__ import annotations

from datetime import timedelta

from listener.flow.ways import CLOCK_SLACK
from listener.store.lives import Life

TOLD = timedelta(days=7)  # so long after it was put back


def row(life: Life | None) -> str:
    """When, to which moment, and what is looked for since; empty where it was not."""
    if life is None:
        return ""
    return (
        f"on {life.began_at:%Y-%m-%d %H:%M} UTC to {life.known_until:%Y-%m-%d %H:%M} UTC; before a post from until "
        f"{life.began_at + CLOCK_SLACK:%H:%M} UTC is answered, an answer of ours is looked for on its network"
    )
