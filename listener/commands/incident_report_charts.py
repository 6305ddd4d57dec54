"""The report's drawings: as inline SVG for a page, and in block characters for where only letters are. Pure.

Colours are told apart by those who see fewer of them (blue, grey, orange), and each is named beside it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from listener.commands.incident_report_told import sounds
from listener.insight.incident_report import Report

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 22, 24
BLOCKS = " ▁▂▃▄▅▆▇█"
SHARES = ("negative", "neutral", "positive")


def svg(plot: str, report: Report) -> str:
    """The drawing of that name; empty where there is nothing to draw."""
    return {"volume": _volume, "sentiment": _sentiment, "answers": _answers}[plot](report)


def letters(plot: str, report: Report, width: int) -> list[str]:
    """The same in lines of at most `width` characters; empty where it would say no more than its table."""
    drawn = {"volume": _volume_in_letters, "sentiment": _shares_in_letters}.get(plot)
    return drawn(report, width) if drawn else []


# --- as SVG ---------------------------------------------------------------------------------------------------------


def _volume(report: Report) -> str:
    most = max((bar.mentions for bar in report.bars), default=0)
    if not most:
        return ""
    top = nice(most)
    first = report.bars[0].at
    last = report.bars[-1].at + report.step
    each = _across(first + report.step, first, last) - _across(first, first, last)
    drawn = [_frame(first, last, top)]
    for bar in report.bars:
        x = _across(bar.at, first, last)
        told = f"{bar.at:%m-%d %H:%M}: {bar.mentions} mentions, {bar.people} people, {bar.negative} negative"
        inside = _rect(x, bar.mentions, top, each, "calm") + _rect(x, bar.negative, top, each, "negative")
        drawn.append(f"<g><title>{escape(told)}</title>{inside}</g>")
    for notice in report.facts.notices:
        if first <= notice.first_at <= last:
            x = _across(notice.first_at, first, last)
            drawn.append(
                f'<line class="notice" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 4}" y2="{HEIGHT - BOTTOM}"/>'
                f'<text class="notice" x="{x:.1f}" y="{TOP - 8}" text-anchor="middle">N{notice.number}</text>'
            )
    legend = _legend((("negative", "negative"), ("calm", "all others"), ("notice", "a notice's first post")))
    return _figure("Mentions over time, and how many of them are negative", "".join(drawn), legend)


def _sentiment(report: Report) -> str:
    rows = [phase for phase in report.phases if phase.read]
    if not rows:
        return ""
    high, drawn = 34, []
    for number, phase in enumerate(rows):
        x, y = 70.0, 8 + number * high
        drawn.append(f'<text x="64" y="{y + 16}" text-anchor="end">{phase.name}</text>')
        for name, count in zip(SHARES, sounds(phase), strict=True):
            wide = (WIDTH - 78) * count / phase.read
            told = f"{phase.name}: {count} of {phase.read} {name}"
            drawn.append(
                f'<g><title>{escape(told)}</title><rect class="{name}" x="{x:.1f}" y="{y}" width="{wide:.1f}" '
                f'height="24"/></g>'
            )
            if wide > 34:
                label = f"{round(100 * count / phase.read)} %"
                drawn.append(
                    f'<text class="on" x="{x + wide / 2:.1f}" y="{y + 16}" text-anchor="middle">{label}</text>'
                )
            x += wide
    legend = _legend(tuple((name, name) for name in SHARES))
    return _figure("Sentiment before, during and after", "".join(drawn), legend, height=8 + len(rows) * high)


def _answers(report: Report) -> str:
    """How many had written, and how many of those had been answered, at each moment."""
    wrote = sorted(said.at for said in report.facts.mentions)
    spoke = sorted(answer.at for answer in report.facts.answers)
    if not wrote or not spoke:
        return ""
    first, last = report.bars[0].at, max(report.bars[-1].at + report.step, spoke[-1])
    top = nice(len(wrote))
    points = [first + (last - first) * number / 120 for number in range(121)]
    drawn = [_frame(first, last, top)]
    for name, times in (("calm", wrote), ("positive", spoke)):
        line = " ".join(f"{_across(at, first, last):.1f},{_up(bisect_right(times, at), top):.1f}" for at in points)
        drawn.append(f'<polyline class="{name}" points="{line}"/>')
    legend = _legend((("calm", "mentions so far"), ("positive", "of them answered")))
    return _figure("Mentions and answers, counted up", "".join(drawn), legend)


def _figure(label: str, drawn: str, legend: str, height: int = HEIGHT) -> str:
    return (
        f'<figure><svg role="img" aria-label="{escape(label, quote=True)}" viewBox="0 0 {WIDTH} {height}" '
        f'xmlns="http://www.w3.org/2000/svg">{drawn}</svg><figcaption>{legend}</figcaption></figure>'
    )


def _legend(names: Sequence[tuple[str, str]]) -> str:
    return " ".join(f'<span class="key {colour}"></span>{escape(name)}' for colour, name in names)


def _frame(first: datetime, last: datetime, top: int) -> str:
    lines = []
    for value in (0, top // 2, top) if top > 1 else (0, top):
        y = _up(value, top)
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,}</text>')
    for number in range(5):
        at = first + (last - first) * number / 4
        anchor = ("start", "middle", "middle", "middle", "end")[number]
        x, when = _across(at, first, last), _when(at, last - first)
        lines.append(f'<text x="{x:.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{when}</text>')
    return "".join(lines)


def _when(at: datetime, length: timedelta) -> str:
    return f"{at:%m-%d}" if length > timedelta(days=10) else f"{at:%m-%d %H:%M}"


def _rect(x: float, count: int, top: int, each: float, colour: str) -> str:
    if not count:
        return ""
    y = _up(count, top)
    wide = max(1.0, each - 1)
    return f'<rect class="{colour}" x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{HEIGHT - BOTTOM - y:.1f}"/>'


def _across(at: datetime, first: datetime, last: datetime) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * ((at - first) / (last - first))


def _up(value: float, top: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def nice(most: int) -> int:
    """The end of a scale: the first of 1, 2, 4, 6, 8, 10, 20, 40 … that is not below it."""
    power = 1
    while True:
        for step in (1, 2, 4, 6, 8):
            if step * power >= most:
                return step * power
        power *= 10


# --- in letters -----------------------------------------------------------------------------------------------------


def _volume_in_letters(report: Report, width: int) -> list[str]:
    most = max((bar.mentions for bar in report.bars), default=0)
    if not most:
        return []
    bars = report.bars
    wide = 2 if len(bars) * 2 + 8 <= width else 1
    rows = []
    for row in (2, 1, 0):  # three lines of eight steps each
        line = ""
        for bar in bars:
            eighths = bar.mentions * 24 / most
            full = BLOCKS[min(8, max(0, round(eighths - 8 * row)))]
            line += (BLOCKS[1] if row == 0 and bar.mentions and full == " " else full) * wide
        rows.append(f"{most if row == 2 else '':>6} {line}".rstrip())
    notices = [" "] * (len(bars) * wide + 8)
    for notice in report.facts.notices:
        at = int((notice.first_at - bars[0].at) / report.step) * wide
        label = f"↑N{notice.number}"
        if 0 <= at < len(bars) * wide and not "".join(notices[at : at + len(label)]).strip():
            notices[at : at + len(label)] = label
    first, last = _when(bars[0].at, timedelta(0)), _when(bars[-1].at + report.step, timedelta(0))
    gap = max(1, len(bars) * wide - len(first) - len(last))
    marks = "".join(notices).rstrip()
    return [*rows, *([f"{'':>6} {marks}"] if marks else []), f"{'':>6} {first}{' ' * gap}{last}"]


def _shares_in_letters(report: Report, width: int) -> list[str]:
    rows = [phase for phase in report.phases if phase.read]
    room = min(60, width - 10)
    lines = []
    for phase in rows:
        cells = [round(room * count / phase.read) for count in sounds(phase)]
        lines.append(f"{phase.name:>7} {''.join(sign * many for sign, many in zip('█▒░', cells, strict=True))}")
    return [*lines, f"{'':>7} █ negative  ▒ neutral  ░ positive"] if lines else []
