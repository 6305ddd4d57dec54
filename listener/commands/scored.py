"""How a score is told: what it is made of, and whose the case became and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from listener.commands import case_clocks
from listener.commands.output import clip
from listener.types import Contribution, Decision, Urgency

if TYPE_CHECKING:
    from listener.store.cases import Case, Event
    from listener.store.decisions import StoredDecision

MOST = 400  # characters of one name


def points(number: int) -> str:
    """`+30`, `−10`, `0`, with a true minus."""
    return f"+{number}" if number > 0 else _signed(number)


def sentence(decision: Decision) -> str:
    """`110: +60 urgency high, +30 outage, +20 platinum`."""
    return _sum(decision.score, [(part.name, part.points) for part in decision.contributions])


def _sum(score: int, parts: Sequence[tuple[str, int]]) -> str:
    said = ", ".join(f"{points(number)} {clip(name[:MOST], MOST)}" for name, number in parts)
    return f"{_signed(score)}: {said}" if said else _signed(score)


def _signed(number: int) -> str:
    return f"−{-number}" if number < 0 else str(number)


def _parts(decision: StoredDecision) -> list[tuple[str, int]]:
    return [(str(part.get("name", "")), part.get("points", 0)) for part in decision.trace.get("contributions", ())]


def of_case(case: Case, events: Sequence[Event]) -> list[Contribution]:
    """What the case's score is made of, the newest last: what its mentions gave, and each step that raised it.

    A step does not count any more where a later mention alone scored more.
    """
    steps: list[Contribution] = []
    rest = case.score
    for event in reversed(events):
        detail = event.detail
        if event.kind != "escalated" or detail.get("score") != rest:
            continue
        was, now = Urgency(detail["from_urgency"]), Urgency(detail["urgency"])
        why = case_clocks.step_name(detail)
        steps.append(Contribution(name=f"urgency from {was} to {now}: {why}", points=now.points - was.points))
        rest -= now.points - was.points
    return [Contribution(name="its mentions", points=rest), *reversed(steps)]


def case_row(case: Case | None, parts: Sequence[Contribution], decision: StoredDecision) -> tuple[str, str]:
    """What the case's score is made of where it is not that of the decision."""
    if case is None or case.score == decision.score:
        return "case score", ""
    told = [(part.name, part.points) for part in parts]
    return "case score", _sum(case.score, told)


def rows(decision: StoredDecision) -> Iterator[tuple[str, str]]:
    """What the score is made of where it is more than the urgency, why the case went to its team, what it takes."""
    parts = [*_parts(decision)]
    yield "score", _sum(decision.score, parts) if len(parts) > 1 else ""
    route = decision.trace.get("route") or {}
    if route.get("because"):
        yield "team", f"{route.get('team', '')}: {route['because']}"
    yield "skills", ", ".join(map(str, route.get("skills", ())))


def draw(decision: StoredDecision) -> list[RenderableType]:
    """The score as a sum, a line for each contribution."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, number in _parts(decision):
        grid.add_row(Text(points(number)), Text(clip(name[:MOST], MOST)))
    grid.add_row(Text(_signed(decision.score), "bold"), Text("in all", "dim"))
    return [Text("Score", style="bold"), Padding(grid, (0, 0, 0, 2), expand=False)]
