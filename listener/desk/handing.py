"""Giving cases to agents and taking them back: by themselves, by another person, by the daemon.

Whoever gives a case to a user holds that user's row first, then the case: so nobody gets more than they have room for,
and nobody who leaves at the same moment keeps one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from listener.desk import cases as desk
from listener.desk import duty
from listener.desk.assigning import Candidate, Choice, Need, absent, choose
from listener.desk.clocks import Moved
from listener.errors import AlreadyDone, Mistake
from listener.store import Transaction, assigned, cases, users
from listener.store.cases import Case
from listener.store.users import Absence, User
from listener.types import CaseState, Item, Role

DAEMON = "daemon"
SHORT = timedelta(hours=2)  # whoever is back sooner keeps their cases
CARES = frozenset({Role.AGENT, Role.MODERATOR, Role.SUPERVISOR, Role.ADMIN})  # who may have a case
PASSED = 20  # of those who did not get it, so many are written down


# --- who could -------------------------------------------------------------------------------------------------------


def pool(tx: Transaction, now: datetime, moved: Moved) -> dict[str, list[Candidate]]:
    """By team: its agents as they are now."""
    away, load = users.absent(tx, now), assigned.load(tx)
    found: dict[str, list[Candidate]] = {}
    for user in users.listing(tx):
        if Role.AGENT in user.roles:
            candidate = Candidate(
                id=user.id,
                name=user.name,
                skills=frozenset(user.skills),
                languages=frozenset(user.languages),
                capacity=user.capacity,
                live=load.get(user.name, 0),
                away=user.id in away,
                on_duty=duty.on(user.duty, now, moved),
            )
            for team in user.teams:
                found.setdefault(team, []).append(candidate)
    return found


def on_duty(tx: Transaction, now: datetime, moved: Moved) -> dict[str, int] | None:
    """By team: how many of its agents are there now, be they busy; None where nobody is on record."""
    if not users.there_are(tx):
        return None
    away = users.absent(tx, now)
    there = [
        user
        for user in users.listing(tx)
        if Role.AGENT in user.roles and user.id not in away and duty.on(user.duty, now, moved)
    ]
    return dict(Counter(team for user in there for team in user.teams))


def ready(teams: Mapping[str, Sequence[Candidate]]) -> list[str]:
    """The teams in which anybody could have a case now, whatever it asks for."""
    return [team for team, agents in teams.items() if any(not absent(agent) for agent in agents)]


def considered(tx: Transaction, case: Case, now: datetime, moved: Moved) -> Choice:
    """Who would get the case now, and why; nothing is written."""
    knew, gave_back = assigned.knew(tx, case), assigned.gave_back(tx, case)
    need = Need(
        team=case.team,
        skills=tuple(skill.casefold() for skill in case.skills),
        language=assigned.language(tx, case),
    )
    known = [
        replace(agent, knew=knew.get(agent.name, 0), gave_back=agent.name in gave_back)
        for agent in pool(tx, now, moved).get(case.team, ())
    ]
    return choose(need, known)


# --- giving ----------------------------------------------------------------------------------------------------------


def give(tx: Transaction, case_id: int, *, by: str, now: datetime, moved: Moved) -> Case | Choice:
    """Gives a case that nobody has to whoever should have it; gives the case then, or why nobody got it."""
    seen = cases.by_id(tx, case_id)
    if not waits(seen):
        return Choice(agent=None, why=f"{seen.reference} waits for nobody any more")
    choice = considered(tx, seen, now, moved)
    if choice.agent is None:
        return choice
    user = users.by_id(tx, choice.agent.id, lock=True)
    case = cases.hold(tx, case_id)
    live = assigned.load(tx, [user.name]).get(user.name, 0)
    full = user.capacity is not None and live >= user.capacity
    if case.revision != seen.revision or not user.enabled or full or user.id in users.absent(tx, now):
        return Choice(agent=None, why="something changed at this very moment; it is looked at again")
    return cases.record(
        tx,
        case,
        "assigned",
        by=by,
        now=now,
        became={"agent": user.name},
        team=case.team,
        agent=user.name,
        why=choice.why,
        passed=dict(choice.passed[:PASSED]),
    )


def assign(
    tx: Transaction,
    case: Case,
    *,
    team: str | None,
    agent: str,
    by: str,
    now: datetime,
    take_over: bool = False,
    checklist: Sequence[Item] | None = None,
) -> Case:
    """Gives the case to that user, and perhaps to another team with it. Before there are users, to any name.

    `checklist`: the steps that the new team has, None: they stay.
    Raises NotFound for nobody's name, Mistake for who cannot have it, AlreadyDone when another agent has it.
    """
    if users.there_are(tx):
        user = users.by_id(tx, users.get(tx, agent).id, lock=True)
        if not user.enabled or CARES.isdisjoint(user.roles):
            raise Mistake(f"{user.name} {'works on no cases' if user.enabled else 'is disabled'}; give it to another.")
        if gone := longer(users.absences(tx, user, now), now):
            until = f"until {gone.until:%Y-%m-%d %H:%M} UTC" if gone.until else "until they are back"
            raise Mistake(f"{user.name} is away {until}; give it to another.")
        agent = user.name
    return desk.assign(tx, case, team=team, agent=agent, by=by, now=now, take_over=take_over, checklist=checklist)


def take(tx: Transaction, case: Case, *, by: str, now: datetime) -> Case:
    """The case becomes theirs who ask for it. Raises AlreadyDone when it is somebody's."""
    if users.there_are(tx):
        users.by_id(tx, users.get(tx, by).id, lock=True)
    held = cases.hold(tx, case.id)
    if held.agent == by:
        raise AlreadyDone(f"{case.reference} is yours already.")
    return desk.assign(tx, held, team=None, agent=by, by=by, now=now)


def give_back(tx: Transaction, case: Case, *, by: str, now: datetime, note: str = "") -> Case:
    """The case is its team's again, and not given to them by itself a second time. Raises Mistake where not theirs."""
    case = cases.hold(tx, case.id)
    if case.state not in cases.LIVE:
        raise Mistake(f"{case.reference} is {case.state}; there is nothing to give back.")
    if case.agent != by:
        whose = f"{case.agent}'s" if case.agent else "nobody's"
        raise Mistake(f"{case.reference} is {whose}; `escucha case assign` gives other people's away.")
    return _release(tx, case, by=by, now=now, why="given back", gave_back=by, **({"note": note} if note else {}))


# --- who leaves ------------------------------------------------------------------------------------------------------


def leave(tx: Transaction, user: User, *, why: str, by: str, now: datetime, only_open: bool = False) -> list[Case]:
    """What the user has is their teams' again, for they are not there; gives those cases.

    `only_open`: what waits for a customer or for a time stays theirs.
    """
    released = []
    for case_id in assigned.held(tx, [user.name], only_open=only_open):
        case = cases.hold(tx, case_id)
        if case.agent == user.name:
            released.append(_release(tx, case, by=by, now=now, why=why))
    return released


def leaving(tx: Transaction, now: datetime) -> list[tuple[User, str, bool]]:
    """Users who have cases and are not there to work on them: who, why, and whether only what is open is meant."""
    found: list[tuple[User, str, bool]] = []
    load, away = assigned.load(tx), users.absent(tx, now)
    for user in users.listing(tx, disabled=True):
        if not load.get(user.name):
            continue
        if not user.enabled:
            found.append((user, f"{user.name} works here no more", False))
        elif CARES.isdisjoint(user.roles):
            found.append((user, f"{user.name} works on no cases any more", False))
        elif (
            user.id in away
            and longer(users.absences(tx, user, now), now)
            and assigned.held(tx, [user.name], only_open=True)
        ):
            found.append((user, f"{user.name} is away", True))
    return found


def longer(absences: Sequence[Absence], now: datetime) -> Absence | None:
    """The absence that runs now and is so long that their cases go to others; None where there is none."""
    return next(
        (each for each in absences if each.since <= now and (each.until is None or each.until - now > SHORT)), None
    )


def _release(tx: Transaction, case: Case, *, by: str, now: datetime, why: str, **detail: str) -> Case:
    told = {"team": case.team, "agent": None, "from_agent": case.agent, "why": why, **detail}
    return cases.record(tx, case, "assigned", by=by, now=now, became={"agent": None}, **told)


def waits(case: Case) -> bool:
    """Whether nobody has the case and somebody should."""
    return case.state is CaseState.OPEN and case.agent is None
