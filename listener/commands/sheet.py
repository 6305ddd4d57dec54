"""One card on the screen of a review: cut to the screen's height, and page by page where that is not enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console, RenderableType
from rich.segment import Segment, Segments
from rich.text import Text

from listener.commands.card import Card
from listener.commands.drawing import SHAPES, draw
from listener.commands.lines import WIDEST

HEAD = 2  # lines of the title, which stands on every page


@dataclass(kw_only=True)
class Sheet:
    """A card with what stands under it. `read`: whether its last line has been on the screen."""

    screen: Console
    card: Card
    now: datetime
    bar: Sequence[RenderableType]
    progress: str = ""
    changed_from: str | None = None
    read: bool = False
    start: int = 0  # the line of the body that this page begins with
    after: int | None = None  # the line that the next page begins with

    def show(self, *foot: RenderableType) -> None:
        """Draws all of it anew, with `foot` in the lines at the bottom: nothing ever pushes the card off the screen."""
        under = [line for one in (*self.bar, *foot) for line in self._lines(one)]
        room = max(self.screen.height - 1 - len(under), HEAD + 3)
        lines: list[list[Segment]] = []
        for shape in SHAPES:
            drawn = draw(
                self.card,
                now=self.now,
                console=self.screen,
                shape=shape,
                progress=self.progress,
                changed_from=self.changed_from,
            )
            lines = self._lines(drawn)
            if len(lines) <= room:
                break
        self.screen.clear()
        for line in (*self._page(lines, room), *under):
            self.screen.print(Segments([*line, Segment.line()]), end="")

    def turn(self) -> bool:
        """Goes on to the next page, from the last one to the first; False where all of it is one page."""
        if self.after is None and not self.start:
            return False
        self.start = self.after or 0
        return True

    def _page(self, lines: list[list[Segment]], room: int) -> list[list[Segment]]:
        if len(lines) <= room:
            self.start, self.after, self.read = 0, None, True
            return lines
        body, room = lines[HEAD:], room - HEAD - 1
        end = self.start + room
        page = body[self.start : end]
        if end < len(body):
            self.after, hint = end, f"… {len(body) - end} more lines: space shows them"
        else:
            self.after, self.read, hint = None, True, "That was all of it; space shows the beginning."
        return [*lines[:HEAD], *page, *self._lines(Text(hint, style="yellow"))]

    def _lines(self, one: RenderableType) -> list[list[Segment]]:
        width = min(self.screen.width, WIDEST)
        return self.screen.render_lines(one, self.screen.options.update(width=width), pad=False)
