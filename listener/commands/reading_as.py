"""As whom somebody reads articles."""

from __future__ import annotations

from listener.commands.app import App
from listener.desk.readers import Reader


def reader(app: App) -> Reader | None:  # noqa: ARG001
    """Whoever asks, with their roles and teams; None: they may read everything, for nobody has been added yet."""
    return None
