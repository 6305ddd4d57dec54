"""A report as one page that stands alone: no scripts, nothing from elsewhere, light and dark."""

from __future__ import annotations

from html import escape
from pathlib import Path

from listener.commands import private
from listener.commands.output import plain
from listener.commands.replay_told import Example, Part, Told
from listener.errors import Mistake
from listener.escapes import visible

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #777; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .25rem 1rem .25rem 0; vertical-align: top; }
th { color: var(--soft); font-weight: 600; } tr { border-bottom: 1px solid var(--line); }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
article { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; margin: 1rem 0; }
article h3 { font-size: 1rem; margin: 0; } blockquote { margin: .5rem 0; padding-left: .75rem;
  border-left: 3px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: .5rem 0 0; }
dt { color: var(--soft); } dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { :root { --soft: #aaa; } }
""".strip()


def write(told: Told, path: Path) -> None:
    """The page into that file, which only its owner may read: it quotes people. Raises Mistake.

    A file or link that stood there gives way to it.
    """
    if path.suffix.casefold() not in (".html", ".htm"):
        raise Mistake(f"A page is written to a file whose name ends in .html; {path} does not.")
    with private.written(path) as file:
        file.write(page(told))


def page(told: Told) -> str:
    """The report as HTML; whatever people wrote in it is text and nothing else."""
    title = _safe(told.title)
    body = [f"<h1>{title}</h1>", _about(told)]
    if told.changes is not None:
        said = told.changes or ("Nothing; only comments or layout differ, or nothing at all.",)
        items = "".join(f"<li>{_safe(sentence)}</li>" for sentence in said)
        body.append(f"<h2>What changes in the policy</h2>\n<ul>{items}</ul>\n<h2>What that would have changed</h2>")
    body += [f"<p>{_safe(sentence)}</p>" for sentence in told.sentences]
    body += [_part(part) for part in told.parts]
    if told.examples:
        body += ["<h2>To be read</h2>", *(_example(example) for example in told.examples)]
    csp = "default-src 'none'; style-src 'unsafe-inline'"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{csp}"><meta name="referrer" content="no-referrer">',
            f"<title>{title}</title><style>{_STYLE}</style></head>",
            "<body>",
            *body,
            "</body></html>",
            "",
        ]
    )


def _about(told: Told) -> str:
    return f"<dl>{''.join(f'<dt>{_safe(name)}</dt><dd>{_safe(value)}</dd>' for name, value in told.about)}</dl>"


def _part(part: Part) -> str:
    head = "".join(f'<th scope="col">{_safe(header)}</th>' for header in part.headers)
    rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in part.rows)
    return f"<h2>{_safe(part.title)}</h2>\n<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(value: object) -> str:
    text = _safe(value)
    number = bool(text) and all(sign in "0123456789.,+-" for sign in text)
    return f'<td class="number">{text}</td>' if number else f"<td>{text}</td>"


def _example(example: Example) -> str:
    why = f"<p>{_safe(example.why)}</p>" if example.why else ""
    texts = "".join(f"<dt>{_safe(name)}</dt><dd>{_safe(text)}</dd>" for name, text in example.texts)
    said = f"<blockquote>{_safe(example.said)}</blockquote>"
    return f"<article><h3>{_safe(example.title)}</h3>{said}{why}<dl>{texts}</dl></article>"


def _safe(value: object) -> str:
    return escape(visible(str(plain(value)), lines=True), quote=True)
