"""What whoever acts may see of cases: their teams', their own, those nobody has yet, and what their team is asked.

What was written to us in private, or by us to one person alone, is seen by whoever sees its case; what is public, by
everybody who works on cases.
It travels with the transaction, so that every command sees the same. Where nothing limits it (the daemon, supervisors,
moderators, admins, and everybody before users are added), everything is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, func, not_, or_, select

from listener.errors import Mistake
from listener.store import Transaction
from listener.store import tables as t
from listener.types import Visibility

if TYPE_CHECKING:
    from listener.store.cases import Case

PUBLIC = (Visibility.PUBLIC.value, Visibility.UNLISTED.value)
_around = t.cases.alias()  # the cases that a mention is in


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


def demand(tx: Transaction, case: Case) -> None:
    """Raises Mistake where whoever acts may not see that case."""
    if not sees(tx, case):
        raise Mistake(f"{case.reference} is {case.team}'s, whose cases you do not see; ask a supervisor.")


def private(visibility: str) -> bool:
    """Whether such a post is not for everybody to read."""
    return visibility not in PUBLIC


def heard(tx: Transaction) -> list[ColumnElement[bool]]:
    """What a query for mentions asks in addition."""
    limits = _in_no_hidden_case(tx)
    return [or_(t.mentions.c.visibility.in_(PUBLIC), *limits)] if limits else []


def read(tx: Transaction) -> list[ColumnElement[bool]]:
    """What a query for drafts, joined to their mentions, asks in addition: who reads an answer, not only who wrote."""
    limits = _in_no_hidden_case(tx)
    return [or_(and_(t.mentions.c.visibility.in_(PUBLIC), t.drafts.c.channel == ""), *limits)] if limits else []


def opens(tx: Transaction, mention_id: int) -> bool:
    """Whether whoever acts may see what was written in private around that mention."""
    limits = _in_no_hidden_case(tx)
    return not limits or tx.scalar(select(t.mentions.c.id).where(t.mentions.c.id == mention_id, *limits)) is not None


def seen(tx: Transaction) -> list[ColumnElement[bool]]:
    """What a query for cases asks in addition."""
    sight = of(tx)
    return [] if sight is None else [_sees(sight, t.cases.c)]


def _in_no_hidden_case(tx: Transaction) -> list[ColumnElement[bool]]:
    """That the mention is in no case but those that whoever acts may see."""
    sight = of(tx)
    if sight is None:
        return []
    inside = (t.case_mentions.c.mention_id == t.mentions.c.id, t.case_mentions.c.case_id == _around.c.id)
    return [~select(_around.c.id).where(*inside, not_(_sees(sight, _around.c))).correlate(t.mentions).exists()]


def _sees(sight: Sight, case: Any) -> ColumnElement[bool]:
    """The same as `Sight.sees_case`; never NULL, so that it can be turned round."""
    asked = func.coalesce(case.asked_team, "")
    return or_(case.agent.is_(None), case.agent == sight.agent, case.team.in_(sight.teams), asked.in_(sight.teams))
