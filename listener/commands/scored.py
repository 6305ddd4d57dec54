"""How a score is told: what it is made of, and whose the case became and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from listener.commands.output import clip
from listener.types import Decision

if TYPE_CHECKING:
    from listener.store.decisions import StoredDecision

MOST = 400  # characters of one name


def points(number: int) -> str:
    """`+30`, `−10`, `0`, with a true minus."""
    return f"+{number}" if number > 0 else f"−{-number}" if number < 0 else "0"


def sentence(decision: Decision) -> str:
    """`110: +60 urgency high, +30 outage, +20 platinum`."""
    parts = ", ".join(f"{points(part.points)} {part.name}" for part in decision.contributions)
    return f"{decision.score}: {parts}" if parts else str(decision.score)


def draw(decision: StoredDecision) -> list[RenderableType]:
    """The score as a sum, a line for each contribution."""
    title = Text("Score", style="bold")
    parts = decision.trace.get("contributions", ())
    if not parts:
        return [title.append(f"  {decision.score}", "not bold")]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for part in parts:
        number = part.get("points", 0)
        grid.add_row(Text(points(number)), Text(clip(str(part.get("name", ""))[:MOST], MOST)))
    grid.add_row(Text(str(decision.score), "bold"), Text("in all", "dim"))
    return [title, Padding(grid, (0, 0, 0, 2), expand=False)]


def route_rows(decision: StoredDecision) -> Iterator[tuple[str, str]]:
    """Why the case went to its team, and what it takes to work on it."""
    route = decision.trace.get("route") or {}
    if route.get("because"):
        yield "team", f"{route.get('team', '')}: {route['because']}"
    yield "skills", ", ".join(map(str, route.get("skills", ())))
