"""Which agent gets a case: a pure choice with its reasons, the same from the same facts.

Whoever may have it is of its team, there, on duty, with room, knows every skill that it asks for, speaks its language
(or said of none that they speak it), and has not given it back. Of those, the first of these that tells two apart:

1. who had a case of this person before, so that nobody is asked twice;
2. who says that they speak the language;
3. who has the least to do, as a share of what they can have;
4. who knows the least beyond what is asked, so that the others are free for what only they know;
5. the name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

USUAL = 10  # live cases that somebody without a limit is taken to be able to have, for comparing


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a case asks of whoever gets it; `language` is "" where nobody knows it."""

    team: str
    skills: tuple[str, ...] = ()
    language: str = ""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Somebody of the team at this moment. `live`: cases they have; `knew`: earlier ones of this person."""

    id: int
    name: str
    skills: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset()
    capacity: int | None = None
    live: int = 0
    away: bool = False
    on_duty: bool = True
    knew: int = 0
    gave_back: bool = False

    @property
    def busy(self) -> str:
        """`3 of 8 cases`."""
        return f"{self.live} of {self.capacity} cases" if self.capacity is not None else f"{self.live} cases"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Who gets it, None for nobody; `why` in words that start small, `passed` why each other one does not."""

    agent: Candidate | None
    why: str
    passed: tuple[tuple[str, str], ...] = ()


def choose(need: Need, candidates: Sequence[Candidate]) -> Choice:
    """Who of the team gets the case, and why."""
    in_order = sorted(candidates, key=lambda each: each.name)
    hindered = {each.name: reason for each in in_order if (reason := hindrance(need, each))}
    fit = sorted((each for each in in_order if each.name not in hindered), key=lambda each: _rank(need, each))
    if not fit:
        return Choice(agent=None, why=_nobody(need, list(hindered.values())), passed=tuple(hindered.items()))
    best, others = fit[0], fit[1:]
    passed = {**hindered, **{other.name: f"{best.name} {_ahead(need, best, other)}" for other in others}}
    why = ", ".join(
        [*_merits(need, best), *([f"before {others[0].name}: {_ahead(need, best, others[0])}"] if others else [])]
    )
    return Choice(agent=best, why=why, passed=tuple(sorted(passed.items())))


def hindrance(need: Need, candidate: Candidate) -> str:
    """Why they cannot have it, "" where they can."""
    if there := absent(candidate):
        return there
    lacking = [skill for skill in need.skills if skill not in candidate.skills]
    if lacking:
        return f"without {' and '.join(lacking)}"
    if need.language and candidate.languages and need.language not in candidate.languages:
        return f"without the language {need.language}"
    return "gave it back" if candidate.gave_back else ""


def absent(candidate: Candidate) -> str:
    """Why they can have no case at all now, "" where they can."""
    if candidate.away:
        return "away"
    if not candidate.on_duty:
        return "off duty"
    full = candidate.capacity is not None and candidate.live >= candidate.capacity
    return "full" if full else ""


def _rank(need: Need, candidate: Candidate) -> tuple[int, int, float, int, str]:
    speaks = need.language in candidate.languages if need.language else True
    share = candidate.live / (candidate.capacity or USUAL)
    return (not candidate.knew, not speaks, share, len(candidate.skills - set(need.skills)), candidate.name)


def _ahead(need: Need, best: Candidate, other: Candidate) -> str:
    """What puts the one before the other."""
    ones, others = _rank(need, best), _rank(need, other)
    place = next(at for at in range(len(ones)) if ones[at] != others[at])
    return (
        "knows this person",
        f"says to speak {need.language}",
        f"has less to do ({best.busy}, not {other.busy})",
        "is needed less for other things",
        "comes first by name",
    )[place]


def _merits(need: Need, best: Candidate) -> list[str]:
    merits = [f"of {need.team}"]
    if need.skills:
        merits.append(f"knows {' and '.join(need.skills)}")
    if need.language in best.languages:
        merits.append(f"speaks {need.language}")
    if best.knew:
        merits.append(f"had {'a case' if best.knew == 1 else f'{best.knew} cases'} of this person before")
    return [*merits, f"had {best.busy}"]


def _nobody(need: Need, reasons: Sequence[str]) -> str:
    if not reasons:
        return f"nobody is of the team {need.team}"
    counted = sorted(Counter(reasons).items(), key=lambda each: (-each[1], each[0]))
    return f"nobody of {need.team} can have it now: {', '.join(f'{number} {reason}' for reason, number in counted)}"
