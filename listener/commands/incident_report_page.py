"""What came of an incident as one page that stands alone, and as Markdown. Pure; whatever people wrote stays text.

The page has no scripts and nothing from elsewhere, is light or dark as its reader likes, and fits A4 when printed.
"""

from __future__ import annotations

import re
from html import escape

from listener.commands import incident_report_charts as charts
from listener.commands.incident_report_told import Section, Told
from listener.commands.output import plain
from listener.escapes import visible
from listener.insight.incident_report import Report

LETTERS = 72  # width of a drawing in Markdown
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #666; --negative: #c05621; --calm: #718096;
  --positive: #2b6cb0; --notice: #805ad5; }
@media (prefers-color-scheme: dark) { :root { --soft: #aaa; --negative: #ed8936; --positive: #63b3ed;
  --notice: #b794f4; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; } table.wide { width: 100%; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; vertical-align: top; overflow-wrap: anywhere; }
table.wide td:not(:last-child) { white-space: nowrap; } tr { border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; overflow-wrap: normal; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.when { white-space: nowrap; font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; } dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; } p { margin: .5rem 0; }
ul.summary { font-size: 1.05rem; padding-left: 1.2rem; } figure { margin: .75rem 0; }
svg { width: 100%; height: auto; } svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
svg text.on { fill: #fff; font-weight: 600; } svg text.notice { fill: var(--notice); font-weight: 600; }
figcaption { color: var(--soft); font-size: .85rem; } .grid { stroke: var(--line); }
line.notice { stroke: var(--notice); stroke-width: 1.5; stroke-dasharray: 4 3; }
rect.negative { fill: var(--negative); } rect.calm, rect.neutral { fill: var(--calm); }
rect.positive { fill: var(--positive); } polyline { fill: none; stroke-width: 2; }
polyline.calm { stroke: var(--calm); } polyline.positive { stroke: var(--positive); }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .35em 0 .9em; }
.key.negative { background: var(--negative); } .key.calm, .key.neutral { background: var(--calm); }
.key.positive { background: var(--positive); } .key.notice { background: var(--notice); }
@page { size: A4; margin: 15mm; }
@media print { :root { color-scheme: light; --soft: #444; --negative: #c05621; --positive: #2b6cb0;
  --notice: #805ad5; }
  body { font-size: 10pt; margin: 0; max-width: none; padding: 0; } h2, figure, tr { break-inside: avoid; }
  h2 { break-after: avoid; } rect, .key { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
""".strip()
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_MARKS = re.compile(r"([\\`*_{}\[\]<>|~&$]|:(?=//)|(?<=www)\.)")
_CALLS = re.compile(r"([@#!])(?=\w)")  # of users and issues, which GitHub and GitLab see in any text


def page(told: Told, report: Report) -> str:
    """The report as HTML."""
    about = "".join(f"<dt>{_safe(name)}</dt><dd>{_safe(value)}</dd>" for name, value in told.about)
    summary = "".join(f"<li>{_safe(sentence)}</li>" for sentence in told.summary)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{_safe(told.title)}</title><style>{_STYLE}</style></head>",
            "<body>",
            f"<h1>{_safe(told.title)}</h1>",
            f"<dl>{about}</dl>",
            f'<ul class="summary">{summary}</ul>',
            *(_section(section, report) for section in told.sections),
            "</body></html>",
            "",
        ]
    )


def _section(section: Section, report: Report) -> str:
    parts = [f"<h2>{_safe(section.title)}</h2>", *(f"<p>{_safe(sentence)}</p>" for sentence in section.sentences)]
    if section.plot:
        parts.append(charts.svg(section.plot, report))
    if section.rows:
        columns = [_column([row[place] for row in section.rows]) for place in range(len(section.headers))]
        head = "".join(
            f'<th scope="col"{kind}>{_safe(header)}</th>' for header, kind in zip(section.headers, columns, strict=True)
        )
        rows = "".join(
            f"<tr>{''.join(f'<td{kind}>{_safe(value)}</td>' for value, kind in zip(row, columns, strict=True))}</tr>"
            for row in section.rows
        )
        wide = ' class="wide"' if section.wide else ""
        parts.append(f"<table{wide}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    return f"<section>{''.join(parts)}</section>"


def _column(values: list[object]) -> str:
    """How its cells are set: numbers below one another, times in one line, words as they come."""
    texts = [str(plain(value)) for value in values]
    if all(re.fullmatch(r"(-?[\d.,]+( %)?)?", text) for text in texts):
        return ' class="number"'
    return ' class="when"' if all(re.match(r"[\d-]{5,10} \d\d:\d\d", text) for text in texts) else ""


def _safe(value: object) -> str:
    return escape(visible(str(plain(value)), lines=True), quote=True)


# --- Markdown ---------------------------------------------------------------------------------------------------------


def markdown(told: Told, report: Report) -> str:
    """The report as GitHub's and GitLab's Markdown."""
    lines = [f"# {_marked(told.title)}", ""]
    lines += [f"- **{_marked(name)}**: {_marked(value)}" for name, value in told.about]
    lines += ["", *(f"> {_marked(sentence)}  " for sentence in told.summary)]
    for section in told.sections:
        lines += ["", f"## {_marked(section.title)}"]
        for sentence in section.sentences:
            lines += ["", _marked(sentence)]
        drawn = charts.letters(section.plot, report, LETTERS) if section.plot else []
        if drawn:
            lines += ["", "```text", *drawn, "```"]
        if section.rows:
            lines += ["", _row(section.headers), _row("---" for _ in section.headers)]
            lines += [_row(map(_marked, row)) for row in section.rows]
    return "\n".join(lines) + "\n"


def _row(cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"  # type: ignore[call-overload]


def _marked(value: object) -> str:
    """The words as they are: nothing in them is a mark, a link, a mention of a user or HTML."""
    line = " ".join(visible(str(plain(value)), lines=True).split())
    return _CALLS.sub(r"\1<!-- -->", _MARKS.sub(r"\\\1", line))
