"""What commands print: tables and sentences for people, JSON for programs. Everything from outside is made safe here.

Nothing is ever read as markup: values become `Text` after `visible` has shown what hides in them. In `--json` the same
characters stand as `\\uXXXX`, which is the same JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from listener.escapes import visible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

F = TypeVar("F", bound=Callable[..., Any])
MASK = "•••"
AROUND = 30  # characters shown on either side of a place in a text
# What of the environment a console asks for when it is made.
_TOLD_BY = ("COLUMNS", "LINES", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")

_HIDDEN_IN_JSON = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def json_option(command: F) -> F:
    """Adds `--json`; the command gets it as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


class SomeFailed(click.ClickException):
    """Some of several things failed, each already named; exit code 3."""

    exit_code = 3

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002
        complain(self.message)


# --- for programs ---


def print_json(value: Any) -> None:
    """One JSON document: dataclasses by their fields, times in UTC with Z, durations in seconds, secrets masked."""
    text = json.dumps(plain(value), ensure_ascii=False, indent=2)
    click.echo(_HIDDEN_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def plain(value: Any) -> Any:  # noqa: PLR0911, PLR0912
    """A value as JSON knows them. Raises TypeError for what nobody thought of."""
    match value:
        case None | bool() | int() | float():
            return value
        case Enum():
            return plain(value.value)
        case str():
            return str(value)
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case timedelta():
            seconds = value.total_seconds()
            return int(seconds) if seconds.is_integer() else seconds
        case Path():
            return str(value)
        case Mapping():
            return {str(plain(key)): plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case set() | frozenset():
            return sorted(plain(inner) for inner in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "get_secret_value"):
        return MASK if value.get_secret_value() else ""
    if hasattr(type(value), "model_fields"):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    raise TypeError(f"{type(value).__name__} has no JSON form")


# --- for people ---


def say(text: str = "") -> None:
    """One line or more, as they are meant; what came from outside must have gone through `visible`, or goes here."""
    click.echo(visible(text, lines=True))


def complain(text: str) -> None:
    """The same on standard error."""
    said = visible(text, lines=True)
    if sys.stderr.isatty():
        said = "\n".join(_between_words(line, console().width) for line in said.splitlines())
    click.echo(said, err=True)


def _between_words(line: str, width: int) -> str:
    """The line broken between words where it is too wide, and never within one: addresses and names stay whole."""
    from textwrap import wrap

    indent = line[: len(line) - len(line.lstrip())]
    return "\n".join(
        wrap(line, max(width, 20), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    )


def point_at(place: str, at: int) -> None:
    """The line around a character of a text on standard error, and a caret below that character."""
    from rich.cells import cell_len

    start = place.rfind("\n", 0, at) + 1
    line = place[start:].partition("\n")[0]
    before, after = visible(line[: at - start]), visible(line[at - start :])
    before = before if len(before) <= AROUND else f"…{before[-AROUND:]}"
    after = after if len(after) <= AROUND else f"{after[:AROUND]}…"
    click.echo(f"  {before}{after}\n  {' ' * cell_len(before)}^", err=True)


def heading(text: str) -> None:
    """A title over what follows."""
    show(styled(text, "bold"))


def styled(value: Any, style: str = "") -> Text:
    """One cell: shown in one line, never read as markup."""
    from rich.text import Text

    return Text(visible(_words(value)), style=style, no_wrap=True, overflow="ellipsis")


def flowing(value: Any, style: str = "") -> Text:
    """Words inside a line that may wrap, never read as markup."""
    from rich.text import Text

    return Text(visible(_words(value), lines=True), style=style, overflow="fold")


def block(text: str, *, indent: int = 2, style: str = "") -> None:
    """Several lines from outside, wrapped to the terminal and set in."""
    from rich.padding import Padding

    show(Padding(flowing(text, style), (0, 0, 0, indent)))


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str, wide: str = "") -> None:
    """Rows under headings, every cell clipped to one line; the column named `wide` takes the room that is left.

    `empty` is said where there are no rows.
    """
    from rich.table import Table
    from rich.text import Text

    listed = [[cell if isinstance(cell, Text) else styled(cell) for cell in row] for row in rows]
    if not listed:
        say(empty)
        return
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", expand=bool(wide))
    for number, header in enumerate(headers):
        numbers = all(re.fullmatch(r"-?[\d.,]+%?", row[number].plain) for row in listed)
        grid.add_column(
            header.upper(),
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if numbers else "left",
            ratio=1 if header == wide else None,
        )
    for row in listed:
        grid.add_row(*row)
    show(grid)


def fields(pairs: Iterable[tuple[str, Any]]) -> None:
    """Names and values, one pair a line, long values wrapped beside their names; empty values are left out."""
    show(pairs_of(pairs))


def pairs_of(pairs: Iterable[tuple[str, Any]]) -> RenderableType:
    """What `fields` prints."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in pairs:
        if value is None or value in ("", (), [], {}):
            continue
        grid.add_row(name, value if isinstance(value, Text) else flowing(value))
    return grid


def show(*renderables: RenderableType) -> None:
    """Anything of rich on standard output, one below the other, without blanks at the ends of lines."""
    terminal = console()
    for each in renderables:
        if (line := _in_one_line(each, terminal)) is not None:
            click.echo(line.rstrip())
            continue
        with terminal.capture() as captured:
            terminal.print(each)
        for line in captured.get().splitlines():
            click.echo(line.rstrip())


def _in_one_line(renderable: RenderableType, terminal: Console) -> str | None:
    """What rich would print of words that fit into one line, sooner, as most of a list does; None for all else."""
    from rich.console import COLOR_SYSTEMS
    from rich.text import Text

    if not isinstance(renderable, Text) or terminal.no_color or renderable.justify:
        return None
    words = renderable.plain
    if not words or "\n" in words or "\t" in words or renderable.cell_len > terminal.width:
        return None
    if terminal.color_system is None:
        return words
    colours = COLOR_SYSTEMS[terminal.color_system]
    parts = Text().append_text(renderable).render(terminal)
    return "".join(each.style.render(each.text, color_system=colours) if each.style else each.text for each in parts)


def console() -> Console:
    """Where people read: colour only on a terminal, 80 columns where nobody says how many, nothing read as markup."""
    return _console(sys.stdout, tuple(map(os.environ.get, _TOLD_BY)))


@lru_cache(maxsize=1)
def _console(file: IO[str], _told: tuple[str | None, ...]) -> Console:
    from rich.console import Console

    class Quiet(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # `cli.py` ends quietly

    return Quiet(file=file, markup=False, highlight=False, emoji=False)


def clip(text: str, width: int) -> str:
    """The text in one line of at most `width` columns, `…` where something is missing. Wide characters count two."""
    from rich.cells import cell_len, set_cell_size

    line = visible(" ".join(text.split()))
    if cell_len(line) <= width:
        return line
    return set_cell_size(line, width - 1).rstrip() + "…" if width > 0 else ""


def ago(moment: datetime | None, now: datetime) -> str:
    """`3 min ago`, `in 2 h`, `just now`; "" for None."""
    if moment is None:
        return ""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 5:
        return "just now"
    words = spell(timedelta(seconds=abs(seconds)))
    return f"{words} ago" if seconds > 0 else f"in {words}"


def spell(length: timedelta) -> str:
    """A length of time in its largest unit: `40 s`, `3 min`, `2 h`, `5 days`; never less than nothing."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 2 * 86400:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} days"


def counted(number: int, thing: str) -> str:
    """`1 text`, `2 texts`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _words(value: Any) -> str:  # noqa: PLR0911
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Enum():
            return str(value.value)
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        case timedelta():
            return spell(value)
        case list() | tuple():
            return ", ".join(_words(inner) for inner in value)
        case Mapping():
            return ", ".join(f"{_words(key)} = {_words(inner)}" for key, inner in value.items())
    return str(plain(value)) if hasattr(value, "get_secret_value") else str(value)
