"""The demo's screen: on a terminal a feed that stays in place, elsewhere one line per thing."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from listener.commands.demo_news import Event, News, Row
from listener.commands.output import clip, say
from listener.store.stats import Counts

SENTIMENTS = {"negative": "red", "neutral": "default", "positive": "green", "unsure": "dim"}
KINDS = {
    "case": "magenta",
    "draft": "yellow",
    "person": "cyan",
    "sent": "green",
    "trouble": "bold red",
    "gone": "dim",
}


class Screen(Protocol):
    """Where the demo is watched."""

    def scene(self, text: str) -> None:
        """A new headline."""

    def news(self, news: News) -> None:
        """What changed."""

    def note(self, event: Event) -> None:
        """One more thing that happened."""

    def close(self) -> None:
        """Leaves the last picture standing."""


class Silent:
    """Nobody watches."""

    def scene(self, text: str) -> None: ...
    def news(self, news: News) -> None: ...
    def note(self, event: Event) -> None: ...
    def close(self) -> None: ...


class Lines:
    """One line per mention and event, for logs and pipes."""

    def scene(self, text: str) -> None:
        say(f"\n{text}")

    def news(self, news: News) -> None:
        for row in news.rows:
            wants = ", ".join(row.intents)
            badge = f" ({row.badge})" if row.badge else ""
            say(f"{_time(row.at)} {row.network} {row.author}{badge}: {clip(row.text, 200)}")
            say(f"         {row.sentiment}{f', {wants}' if wants else ''} -> {row.rule}")
        for event in news.events:
            self.note(event)

    def note(self, event: Event) -> None:
        say(f"{_time(event.at)} {event.word} {clip(event.text, 200)}")

    def close(self) -> None: ...


class Picture:
    """A feed of mentions, under it what happened, under that the counters."""

    def __init__(self, console: Console, *, company: str, handle: str) -> None:
        self.console = console
        self._title = f"{company} (made up)"
        self._handle = handle
        self._scene = ""
        self._rows: deque[Row] = deque(maxlen=60)
        self._events: deque[Event] = deque(maxlen=60)
        self._counts: Counts | None = None
        self._live = Live(self._draw(), console=console, auto_refresh=False, vertical_overflow="crop")
        self._live.start(refresh=True)

    def scene(self, text: str) -> None:
        self._scene = text
        self._show()

    def news(self, news: News) -> None:
        if news.rows or news.events or news.counts != self._counts:
            self._rows.extend(news.rows)
            self._events.extend(news.events)
            self._counts = news.counts
            self._show()

    def note(self, event: Event) -> None:
        self._events.append(event)
        self._show()

    def close(self) -> None:
        self._live.stop()

    def _show(self) -> None:
        self._live.update(self._draw(), refresh=True)

    def _draw(self) -> RenderableType:
        width, height = self.console.size
        lines = max(height - 7, 6)  # what the headline, three rules and the counters leave
        mentions = max(min(lines * 3 // 5, 24) // 2, 2)
        events = max(min(lines - 2 * mentions, 16), 2)
        head = Text(self._scene or "It begins", style="bold cyan")
        head.truncate(width, overflow="ellipsis")
        return Group(
            head,
            Rule(Text(self._title, style="dim"), style="dim", align="left"),
            self._feed(list(self._rows)[-mentions:], width, 2 * mentions),
            Rule(style="dim"),
            self._happened(list(self._events)[-events:], width, events),
            Rule(style="dim"),
            self._counters(width),
        )

    def _feed(self, rows: list[Row], width: int, lines: int) -> RenderableType:
        grid = Table.grid(padding=(0, 1, 0, 0))
        for row in rows:
            who = _who(row, 24)
            grid.add_row(
                Text(_time(row.at), style="dim"),
                who.append("  ").append(clip(self._words(row), width - 11 - who.cell_len), style="not bold default"),
            )
            understood = _understood(row, 36)
            rule = clip(f"→ {row.rule}", width - 12 - understood.cell_len)
            grid.add_row(Text(row.network, style="dim"), understood.append("  ").append(rule, style="not bold cyan"))
        return Group(grid, *[Text()] * (lines - 2 * len(rows)))

    def _words(self, row: Row) -> str:
        """The text without our own name in front: the room is better used."""
        return row.text.removeprefix(self._handle).lstrip()

    @staticmethod
    def _happened(events: list[Event], width: int, lines: int) -> RenderableType:
        grid = Table.grid(padding=(0, 1, 0, 0))
        for event in events:
            grid.add_row(
                Text(_time(event.at), style="dim"),
                Text(event.word.ljust(9), style=KINDS[event.kind]),
                Text(clip(event.text, width - 20)),
            )
        return Group(grid, *[Text()] * (lines - len(events)))

    def _counters(self, width: int) -> Text:
        if self._counts is None:
            return Text()
        drafts = self._counts.drafts
        parts = (
            (sum(self._counts.mentions.values()), "heard"),
            (sum(self._counts.cases.values()), "cases"),
            (drafts["proposed"], "waiting"),
            (drafts["sent"], "answered"),
            (drafts["rejected"] + drafts["expired"], "not said"),
            (self._counts.deliveries["sent"], "notices out"),
        )
        line = Text()
        for number, word in parts:
            line.append(str(number), style="bold").append(f" {word}   ", style="dim")
        line.truncate(width, overflow="ellipsis")
        return line


def _time(moment: datetime) -> str:
    return f"{moment.astimezone():%H:%M:%S}"


def _who(row: Row, width: int) -> Text:
    badge = f" {row.badge}" if row.badge else ""
    name = Text(clip(row.author, width - len(badge)), style="bold")
    return name.append(badge, style="not bold yellow")


def _understood(row: Row, width: int) -> Text:
    line = Text("● ", style=SENTIMENTS[row.sentiment])
    line.append(f"{row.sentiment:8} ")
    line.append(clip(", ".join(row.intents), width - line.cell_len), style="default")
    return line
