"""Who may read an article: by team and by role. Supervisors and administrators read all."""

from __future__ import annotations

import json
from dataclasses import dataclass

from listener.store.articles import Written

READ_ALL = frozenset({"supervisor", "admin"})


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Whoever asks, with the roles and teams that they have."""

    name: str
    roles: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()

    def may_read(self, written: Written) -> bool:
        """Whether that is for them."""
        return self.may_read_kept(kept(written))

    def may_read_kept(self, kept: str) -> bool:
        """The same of what `kept` wrote down."""
        if not kept or self.roles & READ_ALL:
            return True
        teams, roles = (frozenset(names) for names in json.loads(kept))
        return (not teams or bool(teams & self.teams)) and (not roles or bool(roles & self.roles))


def kept(written: Written) -> str:
    """Who may read it, in few words: the same for all that the same people may read, "" for everybody."""
    if not written.teams and not written.roles:
        return ""
    return json.dumps([sorted(written.teams), sorted(written.roles)], ensure_ascii=False)
