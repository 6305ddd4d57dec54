"""Whose a case becomes, and why, in words; what whoever works on it must know.

A rule that names a team comes first. Where none does, the team of the strongest area that has one; then the default
team. A new case whose team is full goes where that team overflows to, and on from there; where all are full, the first
one keeps it. Whom a rule or the guard calls in (`escalate`, words of danger) is never passed over because it is busy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from listener.types import Item
from policies.document import Location
from policies.schema import PolicyFile, Rule
from policies.words import shown

_SAID = 8  # teams of a circle in one sentence


@dataclass(frozen=True, slots=True)
class Route:
    """A team, and why it gets the case, in words that start small."""

    team: str
    because: str


class Routes:
    """What a policy says about teams and areas, ready to be asked."""

    def __init__(self, file: PolicyFile) -> None:
        self._default = file.default_team
        self._capacity = {name: team.capacity for name, team in file.teams.items() if team.capacity is not None}
        self._overflow = {name: team.overflow for name, team in file.teams.items() if team.overflow is not None}
        self._steps = {name: team.steps for name, team in file.teams.items() if team.steps is not None}
        self._teams = {name.casefold(): area.team for name, area in file.areas.items() if area.team is not None}
        self._skills = {name.casefold(): area.skills for name, area in file.areas.items() if area.skills is not None}

    def unnamed(self, areas: Sequence[str]) -> Route:
        """Where no rule names a team. `areas`: what it is about, the strongest first."""
        for area in areas:
            team = self._teams.get(area.casefold())
            if team is not None:
                return Route(team, f"it is about “{shown(area)}”, which is with {team}")
        return Route(self._default, f"nothing names another team, so it is {self._default}, the default team")

    def skills(self, areas: Sequence[str], *further: Sequence[str]) -> tuple[str, ...]:
        """What the areas ask for, then what else is asked for, once each."""
        if not self._skills and not any(further):
            return ()
        asked = [self._skills.get(area.casefold(), ()) for area in areas]
        return tuple(dict.fromkeys(skill for skills in (*asked, *further) for skill in skills))

    def checklist(self, team: str) -> tuple[Item, ...]:
        """What makes the cases of that team complete, in order."""
        return tuple(Item(name=name, weight=weight) for name, weight in self._steps.get(team, {}).items())

    def with_room(self, route: Route, live_cases: Mapping[str, int]) -> Route:
        """Where a new case goes that would go there, by how many live cases each team has now."""
        if route.team not in self._capacity:
            return route
        full: list[str] = []
        team: str | None = route.team
        while team is not None and self._is_full(team, live_cases):
            full.append(f"{team} is full ({live_cases.get(team, 0)} of {self._capacity[team]})")
            team = self._overflow.get(team)
        if not full:
            return route
        end = "so that it stays there" if team is None else f"and overflows to {team}"
        kept = route.team if team is None else team
        return Route(kept, f"{route.because}; {', '.join(full)}, {end}")

    def _is_full(self, team: str, live_cases: Mapping[str, int]) -> bool:
        return live_cases.get(team, 0) >= self._capacity.get(team, float("inf"))


def problems(file: PolicyFile) -> Iterator[tuple[Location, str]]:
    """What is well-formed and yet cannot be meant: teams that overflow in a circle, or never."""
    overflow = {name: team.overflow for name, team in file.teams.items() if team.overflow is not None}
    circles = {name: (circle, place) for circle in _circles(overflow) for place, name in enumerate(circle)}
    for name in overflow:
        where: Location = ("teams", name, "overflow")
        if file.teams[name].capacity is None:
            yield where, f"team `{shown(name)}` is never full, so nothing overflows; give it a `capacity`"
        if name in circles:
            circle, place = circles[name]
            others = [circle[(place + step) % len(circle)] for step in range(min(len(circle), _SAID))]
            way = [
                *(f"`{shown(each)}`" for each in others),
                *(["…"] if len(circle) > _SAID else []),
                f"`{shown(name)}`",
            ]
            yield where, f"teams overflow in a circle: {' → '.join(way)}; let one of them keep its cases"


def _circles(overflow: Mapping[str, str]) -> Iterator[list[str]]:
    """The circles in which teams overflow, each once. `overflow`: the next team of each that has one."""
    seen: set[str] = set()
    for name in overflow:
        way: dict[str, int] = {}
        team: str | None = name
        while team is not None and team in overflow and team not in seen:
            seen.add(team)
            way[team] = len(way)
            team = overflow.get(team)
        if team in way:
            yield list(way)[way[team] :]


def findings(file: PolicyFile) -> Iterator[tuple[Location, str]]:
    """Where a skill is asked of a team that lacks it. Where no team lists any, nobody knows, and nothing is said."""
    if all(team.skills is None for team in file.teams.values()):
        return
    lists = _listed_all_the_way(file)
    for index, rule in enumerate(file.rules):
        case = rule.then.case
        if case is not None and not case.is_none and case.skills:
            teams = [case.team] if case.team else _unnamed(file, rule)
            for place, skill in enumerate(case.skills):
                lacking = [team for team in teams if skill not in lists[team]]
                if lacking:
                    where: Location = ("rules", index, "then", "case", "skills", place)
                    yield where, _sentence(f"rule `{shown(rule.name)}`", skill, lacking)
    for name, area in file.areas.items():
        if area.team is not None:
            for place, skill in enumerate(area.skills or ()):
                if skill not in lists[area.team]:
                    yield ("areas", name, "skills", place), _sentence(f"area `{shown(name)}`", skill, [area.team])


def _unnamed(file: PolicyFile, rule: Rule) -> list[str]:
    """The teams that may get a case for which the rule names none."""
    about = {area.casefold() for area in rule.when.areas or ()}
    named = [area.team for name, area in file.areas.items() if name.casefold() in about and area.team]
    return list(dict.fromkeys(named)) or [file.default_team]


def _listed_all_the_way(file: PolicyFile) -> dict[str, frozenset[str]]:
    """By team: the skills that it lists, and so does every team that its cases overflow to."""
    found: dict[str, frozenset[str]] = {}
    for name in file.teams:
        way: list[str] = []
        team: str | None = name
        while team is not None and team not in found:  # it ends: a policy with a circle is refused (`problems`)
            way.append(team)
            team = file.teams[team].overflow
        for each in reversed(way):
            own, after = frozenset(file.teams[each].skills or ()), file.teams[each].overflow
            found[each] = own if after is None else own & found[after]
    return found


def _sentence(what: str, skill: str, teams: Sequence[str]) -> str:
    names = " and ".join(f"`{shown(team)}`" for team in teams)
    return (
        f"{what} asks for `{shown(skill)}`, which {names} (or a team that it overflows to) does not list; add it to "
        "that team's `skills`, or name another team"
    )
