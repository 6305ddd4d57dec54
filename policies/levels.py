"""What is wrong with service levels and escalation chains, and what of them is in vain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from policies.amounts import spoken
from policies.document import Location
from policies.fields import NONE
from policies.open_time import open_a_week
from policies.schema import PolicyFile
from policies.schema_levels import CHAINS, OnlyLevel, ServiceLevel
from policies.words import shown

LONGEST = 52  # weeks that a promise may take on its calendar
_LEVELS = ("low", "normal", "high", "critical")


def references(data: Mapping[str, Any]) -> Iterator[tuple[Location, str, str]]:
    """The teams and calendars that they name: where, which of the two, the name. Reads raw data, whatever it is."""
    levels = data.get("service_levels")
    for location, level in _raw_levels(levels):
        name = level.get("calendar")
        if isinstance(name, str) and name != NONE:
            yield (*location, "calendar"), "calendar", name
        for number, team in enumerate(_several(level.get("team")) if "only" in location else ()):
            if isinstance(team, str):
                yield (*location, "team", number), "team", team
    chains = data.get("escalation")
    teams = chains.get("teams") if isinstance(chains, dict) else None
    yield from _teams_of(chains, ("escalation",))
    for team, own in teams.items() if isinstance(teams, dict) else ():
        if isinstance(team, str):
            yield ("escalation", "teams", team), "team", team
        yield from _teams_of(own, ("escalation", "teams", team))


def _raw_levels(levels: object) -> Iterator[tuple[Location, Mapping[str, Any]]]:
    if not isinstance(levels, dict):
        return
    yield ("service_levels",), levels
    for name in _LEVELS:
        if isinstance(levels.get(name), dict):
            yield ("service_levels", name), levels[name]
    for number, level in enumerate(_several(levels.get("only"))):
        if isinstance(level, dict):
            yield ("service_levels", "only", number), level


def _teams_of(chains: object, location: Location) -> Iterator[tuple[Location, str, str]]:
    for key in CHAINS if isinstance(chains, dict) else ():
        for number, step in enumerate(_several(chains.get(key))):  # type: ignore[attr-defined]  # a dict, or no key
            if isinstance(step, dict) and isinstance(step.get("team"), str):
                yield (*location, key, number, "team"), "team", step["team"]


def _several(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


# --- meaning ---------------------------------------------------------------------------------------------------------


def problems(file: PolicyFile) -> Iterator[tuple[Location, str]]:
    """Promises that contradict themselves, or that their calendar cannot hold."""
    for number, urgency, level in file.service_levels.every():
        own = number is not None
        at: Location = ("service_levels", "only", number) if number is not None else ("service_levels", urgency.value)
        where = f" at urgency {urgency}" if own else ""
        if level.first_response and level.resolution and level.first_response > level.resolution and own:
            yield (
                at,
                f"`first_response` is longer than the `resolution` that holds{where}, "
                f"{spoken(level.resolution)}; say both here, or correct one",
            )
        yield from ((at, sentence) for sentence in _of_level(file, level, where))
    yield from _of_steps(file)


def _of_level(file: PolicyFile, level: ServiceLevel, where: str) -> Iterator[str]:
    for key, span in (("first_response", level.first_response), ("resolution", level.resolution)):
        if span is None:
            continue
        if level.warn and level.warn.before and level.warn.before >= span:
            yield (
                f"`warn: {level.warn}` leaves no time within `{key}: {spoken(span)}`{where}; write it shorter, or as a "
                "share like 80%"
            )
        calendar = file.calendars.get(level.calendar or "")
        if calendar and span > (week := open_a_week(calendar)) * LONGEST:
            yield _more_than_a_year(f"`{key}: {spoken(span)}`{where}", level.calendar or "", week)


def _more_than_a_year(what: str, calendar: str, week: timedelta) -> str:
    return (
        f"{what} takes more than a year of `{shown(calendar)}`, which is open {spoken_hours(week)} a week; a day is 24 "
        "open hours there, so write it in hours"
    )


def _of_steps(file: PolicyFile) -> Iterator[tuple[Location, str]]:
    """Steps for which a calendar on which their chain may run opens too little."""
    weeks = {name: open_a_week(calendar) for name, calendar in file.calendars.items()}
    chains = [(place, steps) for place, steps in file.escalation.steps() if steps]
    shortest = min(weeks.values(), default=timedelta.max / LONGEST) * LONGEST
    if all(steps[-1].after <= shortest for _, steps in chains):
        return
    runs = _runs(file)
    for place, steps in chains:
        whose = {place[2]} if place[1] == "teams" else _without_own(file, str(place[-1]))
        theirs = {None, *whose} if whose else set()
        names = {name for key, team, name in runs if name and key == place[-1] and team in theirs} & weeks.keys()
        if not names:
            continue
        least = min(sorted(names), key=weeks.__getitem__)
        for number, step in enumerate(steps):
            if step.after > weeks[least] * LONGEST:
                said = f"`after: {spoken(step.after)}`"
                yield (*place, number, "after"), _more_than_a_year(said, least, weeks[least])


def _runs(file: PolicyFile) -> set[tuple[str, str | None, str | None]]:
    """Which chains run on which calendars: the chain's key, whose cases, None for any team's, the calendar."""
    found: set[tuple[str, str | None, str | None]] = set()
    for number, _, level in file.service_levels.every():
        found.add(("on_information_needed", None, level.calendar))  # one team asks, another is asked
        only = file.service_levels.only[number].team if number is not None else None
        for team in only or (None,):
            if level.first_response or level.resolution:
                found.add(("on_breach", team, level.calendar))
                if level.warn and level.warn.after(timedelta(1)) is not None:
                    found.add(("on_warning", team, level.calendar))
    return found


def _without_own(file: PolicyFile, key: str) -> set[str]:
    """The teams that have no such chain of their own."""
    own = file.escalation.teams
    return {team for team in file.teams if team not in own or getattr(own[team], key) is None}


def spoken_hours(span: timedelta) -> str:
    """`44h`, `7h 30m`: never in days, which are longer than what is open in one."""
    hours, seconds = divmod(int(span.total_seconds()), 3600)
    return " ".join([*([f"{hours}h"] if hours else []), *([f"{seconds // 60}m"] if seconds else [])]) or "0m"


# --- what is in vain -------------------------------------------------------------------------------------------------


def in_vain(file: PolicyFile) -> Iterator[tuple[Location, str]]:
    """Levels that no case gets, and chains that nothing starts."""
    levels = file.service_levels
    for number, level in enumerate(levels.only):
        before = next((place for place, other in enumerate(levels.only[:number]) if _covers(other, level)), None)
        if before is not None:
            yield (
                ("service_levels", "only", number),
                f"no case gets this level ({shown(level.for_whom())}): the one for "
                f"{shown(levels.only[before].for_whom())} above it fits all of them; move it up",
            )
    held = [level for _, _, level in levels.every() if level.first_response or level.resolution]
    warned = any(level.warn and level.warn.after(timedelta(1)) is not None for level in held)
    for place, steps in file.escalation.steps():
        if steps and place[-1] == "on_warning" and not warned:
            yield place, "nothing warns: no service level says `warn`, like `warn: 80%`"
        if steps and place[-1] == "on_breach" and not held:
            yield place, "nothing can be broken: no service level promises anything"


def _covers(one: OnlyLevel, other: OnlyLevel) -> bool:
    """Whether every case that the other is for is the one's as well."""
    pairs = (
        (_folded(one.network), _folded(other.network)),
        (one.team, other.team),
        (_folded(one.tier), _folded(other.tier)),
        (one.urgency, other.urgency),
    )
    return all(wide is None or (narrow is not None and set(narrow) <= set(wide)) for wide, narrow in pairs)


def _folded(words: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return tuple(word.casefold() for word in words) if words else None
