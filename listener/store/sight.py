"""What whoever acts may see of cases: their teams', their own, those nobody has yet, and what their team is asked.

It travels with the transaction, so that every command sees the same. Where nothing limits it (the daemon, supervisors,
moderators, admins, and everybody before users are added), everything is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_

from listener.store import Transaction
from listener.store import tables as t


@dataclass(frozen=True, kw_only=True)
class Sight:
    """Who looks, and the teams they work in."""

    agent: str
    teams: tuple[str, ...]

    def sees(self, *, team: str, agent: str | None, asked_team: str | None) -> bool:
        """Whether such a case may be seen; `seen` says the same to the database."""
        return agent is None or agent == self.agent or team in self.teams or asked_team in self.teams


def of(tx: Transaction) -> Sight | None:
    """The limit of this transaction; None where everything is seen."""
    found: Sight | None = tx.get_execution_options().get("escucha_sight")
    return found


def seen(tx: Transaction) -> list[ColumnElement[bool]]:
    """What a query for cases asks in addition."""
    sight = of(tx)
    if sight is None:
        return []
    theirs = t.cases.c.team.in_(sight.teams) | t.cases.c.asked_team.in_(sight.teams)
    return [or_(t.cases.c.agent.is_(None), t.cases.c.agent == sight.agent, theirs)]
