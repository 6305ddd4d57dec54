"""A notice as one page that stands alone, roughly as each network will show it: no scripts, nothing from elsewhere.

The drawing is ours: plain shapes, no network's logo, type or colours. Whatever people wrote is text and nothing else.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from itertools import groupby
from urllib.parse import urlsplit

from listener.desk import clearance
from listener.desk import notices as desk
from listener.escapes import visible
from listener.store.notices import Delivery, Notice
from listener.types import Attachment, LinkState

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #666; --link: #0b57d0; --card: #fff; --back: #f3f4f6;
  --bad: #b3261e; --odd: #8a5a00; --good: #1a6b35; }
@media (prefers-color-scheme: dark) { :root { --soft: #aaa; --link: #8ab4f8; --card: #1c1d20; --back: #111214;
  --bad: #f2b8b5; --odd: #f5c26b; --good: #86d6a0; } }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0; background: var(--back); }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.35rem; margin: 0 0 .25rem; } h2 { font-size: 1rem; margin: 0 0 .5rem; }
p.about { color: var(--soft); margin: 0 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0 0 1.5rem; }
dt { color: var(--soft); } dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.all { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1.5rem;
  align-items: start; }
.post { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: .75rem 1rem; }
.post + .more { margin-top: 0; border-left-width: 4px; margin-left: 1rem; }
.who { display: flex; gap: .6rem; align-items: center; margin-bottom: .5rem; }
.face { flex: none; width: 2.4rem; height: 2.4rem; border-radius: 50%; background: var(--line); display: grid;
  place-items: center; font-weight: 700; }
.mastodon .face, .sandbox .face { border-radius: .5rem; }
.who small { color: var(--soft); display: block; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; }
.reddit .headline { font-size: 1.1rem; font-weight: 600; margin: 0 0 .4rem; overflow-wrap: anywhere; }
.text a, .text .named { color: var(--link); text-decoration: none; }
.pictures { display: grid; grid-template-columns: repeat(2, 1fr); gap: .35rem; margin-top: .6rem; }
.pictures.one { grid-template-columns: 1fr; }
figure { margin: 0; }
figure img { width: 100%; max-height: 20rem; object-fit: cover; border-radius: .5rem; display: block;
  background: var(--line); }
figcaption { font-size: .85rem; color: var(--soft); overflow-wrap: anywhere; }
figcaption b { border: 1px solid var(--line); border-radius: .25rem; padding: 0 .25rem; font-size: .75rem; }
.facts { font-size: .85rem; color: var(--soft); margin: .35rem 0 .75rem 1rem; overflow-wrap: anywhere; }
.facts ul { margin: .2rem 0 0; padding-left: 0; list-style: none; }
.bar { height: 4px; background: var(--line); border-radius: 2px; overflow: hidden; margin: .25rem 0; max-width: 12rem; }
.bar i { display: block; height: 100%; background: var(--good); } .bar.full i { background: var(--odd); }
.broken { color: var(--bad); } .doubtful { color: var(--odd); } .fine { color: var(--good); }
footer { color: var(--soft); margin-top: 2rem; font-size: .85rem; }
""".strip()

_MARKED = re.compile(r"(?P<link>https?://[^\s<>\"“”«»]+)|(?P<named>(?<![\w@#/.])[@#]\w[\w.-]*(?:@[\w.-]+\w)?)")
_SHOWN = {"x": 26, "mastodon": 30, "bluesky": 30}  # characters of a link that readers see there
_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_MARKS = {LinkState.FINE: "✓", LinkState.DOUBTFUL: "!", LinkState.BROKEN: "✗"}


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What a page shows. `pictures` by language; `costs` in USD, by a delivery's id."""

    notice: Notice
    pictures: Mapping[str, Sequence[Attachment]]
    costs: Mapping[int, float]
    summary: Sequence[tuple[str, str]]
    at: datetime


def page(drawn: Drawn) -> str:
    """The notice as HTML."""
    notice = drawn.notice
    title = _safe(f"N{notice.id} {notice.title}")
    csp = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'"
    about = "".join(f"<dt>{_safe(name)}</dt><dd>{_safe(value)}</dd>" for name, value in drawn.summary if value)
    threads = groupby(notice.deliveries, key=lambda each: (each.account, each.language))
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{csp}"><meta name="referrer" content="no-referrer">',
            f"<title>{title}</title><style>{_STYLE}</style></head>",
            "<body><main>",
            f"<h1>{title}</h1>",
            f'<p class="about">{_safe(notice.state)}, written by {_safe(notice.written_by)}</p>',
            f"<dl>{about}</dl>",
            '<div class="all">',
            *(_thread(list(parts), drawn) for _, parts in threads),
            "</div>",
            f"<footer>Drawn {drawn.at:%Y-%m-%d %H:%M} UTC. Networks cut, fold and preview in their own ways: texts, "
            "parts and pictures are exact, their looks are not.</footer>",
            "</main></body></html>",
            "",
        ]
    )


def _thread(parts: Sequence[Delivery], drawn: Drawn) -> str:
    first = parts[0]
    several = f" · a thread of {len(parts)}" if len(parts) > 1 else ""
    head = f"<h2>{_safe(f'{first.account} ({first.network}, {first.language}){several}')}</h2>"
    posts = "\n".join(_post(each, drawn, more=number > 0) for number, each in enumerate(parts))
    return f'<section class="{_class(first.network)}" lang="{_safe(first.language)}">\n{head}\n{posts}\n</section>'


def _post(each: Delivery, drawn: Drawn, *, more: bool) -> str:
    face = _safe((each.account[:1] or "?").upper())
    text, headline = each.text, ""
    if each.network == "reddit":
        headline, _, text = each.text.partition("\n")
    head = f'<p class="headline">{_safe(headline)}</p>' if headline else ""
    part = f"{each.part} of {each.parts}" if each.parts > 1 else "now"
    pictures = drawn.pictures.get(each.language, ()) if each.images else ()
    return (
        f'<article class="post{" more" if more else ""}">'
        f'<div class="who"><span class="face" aria-hidden="true">{face}</span>'
        f"<div><b>{_safe(each.account)}</b><small>{_safe(each.network)} · {part}</small></div></div>"
        f'{head}<p class="text">{"".join(_marked(text.strip(), each.network))}</p>'
        f"{_pictures(pictures)}</article>\n{_facts(each, drawn)}"
    )


def _marked(text: str, network: str) -> Iterator[str]:
    """The text with links and names set off, as readers see them."""
    at = 0
    for found in _MARKED.finditer(text):
        yield _safe(text[at : found.start()])
        word = found[0]
        if found["link"]:
            link = next(iter(desk.links(word)), "")
            yield f'<a href="{_address(link)}" rel="noreferrer noopener nofollow">{_safe(_short(link, network))}</a>'
            yield _safe(word[len(link) :])
        else:
            yield f'<span class="named">{_safe(word)}</span>'
        at = found.end()
    yield _safe(text[at:])


def _short(link: str, network: str) -> str:
    most = _SHOWN.get(network)
    if most is None:
        return link
    shown = re.sub(r"^https?://(?:www\.)?", "", link)
    return shown if len(shown) <= most else f"{shown[:most]}…"


def _address(link: str) -> str:
    """The link as an attribute; of anything that is no plain web address, nothing."""
    try:
        scheme = urlsplit(link).scheme
    except ValueError:
        return "#"
    return _safe(link) if scheme in ("http", "https") else "#"


def _pictures(pictures: Sequence[Attachment]) -> str:
    if not pictures:
        return ""
    figures = []
    for each in pictures:
        kind = each.content_type if each.content_type in _TYPES else "application/octet-stream"
        data = base64.b64encode(each.data).decode("ascii")
        alt = _safe(each.alt)
        caption = f"<figcaption><b>ALT</b> {alt}</figcaption>"
        figures.append(f'<figure><img src="data:{kind};base64,{data}" alt="{alt}">{caption}</figure>')
    return f'<div class="pictures{" one" if len(figures) == 1 else ""}">{"".join(figures)}</div>'


def _facts(each: Delivery, drawn: Drawn) -> str:
    share = min(100, 100 * each.length // max(1, each.length_limit))
    usd = drawn.costs.get(each.id, 0.0)
    said = [f"{each.length} of {each.length_limit}"] + ([clearance.dollars(usd)] if usd else [])
    known = {link.url: link for link in drawn.notice.links}
    lines = []
    for url in desk.links(each.text):
        link = known.get(url)
        if link is None:
            lines.append(f"<li>? {_safe(url)}: not looked at</li>")
        else:
            detail = f": {link.detail}" if link.detail else ""
            lines.append(f'<li class="{link.state.value}">{_MARKS[link.state]} {_safe(url + detail)}</li>')
    names = desk.named(each.text)
    if names:
        lines.append(f"<li>names {_safe(', '.join(names))}</li>")
    full = " full" if share >= 90 else ""
    return (
        f'<div class="facts">{_safe(" · ".join(said))}<div class="bar{full}"><i style="width: {share}%"></i></div>'
        f"<ul>{''.join(lines)}</ul></div>"
    )


def _class(network: str) -> str:
    return re.sub(r"[^a-z0-9-]", "", network.lower())


def _safe(value: object) -> str:
    return escape(visible(str(value), lines=True), quote=True)
