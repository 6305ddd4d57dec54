"""As whom somebody reads articles."""

from __future__ import annotations

from listener.commands.app import App
from listener.desk.readers import Reader


def reader(app: App) -> Reader | None:
    """Whoever asks, with their roles and teams; None: they may read everything, for nobody has been added yet."""
    user = app.acting.user
    if user is None:
        return None
    return Reader(name=user.name, roles=frozenset(role.value for role in user.roles), teams=frozenset(user.teams))
