"""What whoever acts may see of cases: their teams', their own, those nobody has yet, and what their team is asked.

What was written to us in private is seen by whoever sees its case; what is public, by everybody who works on cases.
It travels with the transaction, so that every command sees the same. Where nothing limits it (the daemon, supervisors,
moderators, admins, and everybody before users are added), everything is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, or_

from listener.store import Transaction
from listener.store import tables as t
from listener.types import Visibility

if TYPE_CHECKING:
    from listener.store.cases import Case

PUBLIC = (Visibility.PUBLIC.value, Visibility.UNLISTED.value)


@dataclass(frozen=True, kw_only=True)
class Sight:
    """Who looks, and the teams they work in."""

    agent: str
    teams: tuple[str, ...]

    def sees_case(self, case: Case) -> bool:
        """Whether the case may be seen; `seen` says the same to the database."""
        free = case.agent in (None, self.agent)
        return free or case.team in self.teams or case.asked_team in self.teams


def of(tx: Transaction) -> Sight | None:
    """The limit of this transaction; None where everything is seen."""
    found: Sight | None = tx.get_execution_options().get("escucha_sight")
    return found


def sees(tx: Transaction, case: Case) -> bool:
    """Whether whoever acts may see that case."""
    sight = of(tx)
    return sight is None or sight.sees_case(case)


def private(visibility: str) -> bool:
    """Whether such a post is not for everybody to read."""
    return visibility not in PUBLIC


def read(tx: Transaction) -> list[ColumnElement[bool]]:
    """What a query for mentions, joined to their cases, asks in addition."""
    limits = seen(tx)
    return [or_(t.mentions.c.visibility.in_(PUBLIC), t.cases.c.id.is_(None), *limits)] if limits else []


def seen(tx: Transaction) -> list[ColumnElement[bool]]:
    """What a query for cases asks in addition."""
    sight = of(tx)
    if sight is None:
        return []
    theirs = t.cases.c.team.in_(sight.teams) | t.cases.c.asked_team.in_(sight.teams)
    return [or_(t.cases.c.agent.is_(None), t.cases.c.agent == sight.agent, theirs)]
