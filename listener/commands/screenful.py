"""How much of a list stays in sight on a terminal: its beginning, where the most urgent stands, and not its end."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.text import Text

from listener.commands.output import console

AROUND = 2  # lines that what was typed and the next prompt take
LEAST = 5  # lines of a terminal that says how many it has, and has hardly any


def room() -> int | None:
    """The lines that stay in sight with what was typed above them; None where nobody looks at a terminal."""
    return max(console().height - AROUND, LEAST) if sys.stdout.isatty() else None


def height(lines: Iterable[Text], width: int) -> int:
    """How many lines of the terminal they take, where what is longer than `width` wraps."""
    return sum(max(1, -(-line.cell_len // width)) for line in lines)
