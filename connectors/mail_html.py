"""A mail's HTML as the text that a person would read. Pure, and takes any text, in time that grows with its length.

Tags are found by hand: the standard library's parser begins anew at each tag that never ends, which lets a few hundred
kilobytes from a stranger keep it busy for hours. Nothing is built up either: how deep one goes is the sender's choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape

LONGEST = 200_000
_LONGEST_TAG = 5_000
_LONGEST_ATTRIBUTES = 2_000
_DEEPEST = 2_000

# fmt: off
_BLOCKS = frozenset({"p", "div", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "section", "article",
    "header", "footer", "center", "form", "dl"})
_LINES = frozenset({"tr", "li", "dt", "dd"})
_VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr"})
_UNSEEN = frozenset({"script", "style", "template", "title", "noscript", "svg"})
# fmt: on
_NAME = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]{0,20})")
_ATTRIBUTE = re.compile(r"([a-zA-Z-]{1,20})\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))")
_BLANK = re.compile(r"[ \t\n]+")
_QUOTE, _END_QUOTE = "\x02", "\x03"  # control characters: a cleaned text holds none of its own


def html_to_text(html: str) -> str:
    """The plain text of a mail's clean HTML: what is hidden left out, what is quoted behind `> `."""
    writer = _Writer()
    for tag, text in _pieces(html[:LONGEST]):
        if not tag:
            writer.say(text)
        elif tag.startswith("/"):
            writer.close(tag[1:])
        else:
            writer.open(tag, text)
    return _tidy(writer.out)


def _pieces(html: str) -> Iterator[tuple[str, str]]:
    """Texts as ("", text), tags as (name, the rest of the tag) or ("/name", ""). What never ends is text."""
    at = 0
    while (begins := html.find("<", at)) >= 0:
        yield "", html[at:begins]
        mark = "-->" if html.startswith("<!--", begins) else ">"
        ends = html.find(mark, begins + 1)
        if ends < 0:
            yield "", "" if html.startswith(("<!", "<?"), begins) else html[begins:]
            return
        found = _NAME.match(html, begins)
        if found is None:
            is_comment = html.startswith(("<!", "<?", "</"), begins)
            yield "", "" if is_comment else "<"
            at = ends + len(mark) if is_comment else begins + 1
            continue
        ends = _end_of_tag(html, begins, ends)
        name, at = found[2].lower(), ends + 1
        yield found[1] + name, html[found.end() : min(ends, found.end() + _LONGEST_ATTRIBUTES)]
        if name in _UNSEEN and not found[1]:
            end = re.compile(f"</{name}", re.IGNORECASE).search(html, at)
            if end is None:
                return
            at = end.start()
    yield "", html[at:]


def _end_of_tag(html: str, begins: int, ends: int) -> int:
    """Where the tag ends, if a > or two stand in its quotes."""
    for _ in range(4):
        inside = html[begins : min(ends, begins + _LONGEST_TAG)]
        further = html.find(">", ends + 1, begins + _LONGEST_TAG) if inside.count('"') % 2 else -1
        if further < 0:
            return ends
        ends = further
    return ends


class _Writer:
    """Writes down what comes, knowing only which tags are open."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self._open: list[tuple[str, str]] = []  # tag, and what it means: "", "hidden", "quote" or a link's address
        self._hidden = 0
        self._pre = 0
        self._link_from = 0

    def say(self, text: str) -> None:
        if text and not self._hidden:
            text = unescape(text).replace(_QUOTE, "").replace(_END_QUOTE, "")
            self.out.append(text if self._pre else _BLANK.sub(" ", text))

    def open(self, tag: str, rest: str) -> None:
        pairs = ((found[1].lower(), found[2] or found[3] or found[4] or "") for found in _ATTRIBUTE.finditer(rest))
        given = {name: unescape(value) for name, value in pairs}
        if tag in _VOID:
            if not self._hidden:
                self.out.append("\n" if tag in ("br", "hr") else given.get("alt", "") if tag == "img" else "")
            return
        meaning, style = "", given.get("style", "").replace(" ", "").lower()
        if tag in _UNSEEN or "display:none" in style or "mso-hide:all" in style:
            meaning, self._hidden = "hidden", self._hidden + 1
        elif tag == "blockquote" or "gmail_quote" in given.get("class", "").split():
            meaning = "quote"
            self.out.append(f"\n{_QUOTE}\n")
        elif tag == "a":
            meaning, self._link_from = f"link {given.get('href', '').strip()}", len(self.out)
        self._pre += tag == "pre"
        if not self._hidden:
            self.out.append("\n\n" if tag in _BLOCKS else "\n" if tag in _LINES else "")
            self.out.append("- " if tag == "li" else " " if tag in ("td", "th") else "")
        if len(self._open) == _DEEPEST:
            self._ended(*self._open.pop(0))
        self._open.append((tag, meaning))

    def close(self, tag: str) -> None:
        near = next((n for n in range(1, min(len(self._open), 50) + 1) if self._open[-n][0] == tag), 0)
        for _ in range(near):
            self._ended(*self._open.pop())

    def _ended(self, tag: str, meaning: str) -> None:
        self._pre -= tag == "pre"
        if meaning == "hidden":
            self._hidden -= 1
        elif meaning == "quote":
            self.out.append(f"\n{_END_QUOTE}\n")
        elif meaning.startswith("link http") and not self._hidden and len(self.out) - self._link_from < 50:
            text, address = "".join(self.out[self._link_from :]).strip(), meaning.removeprefix("link ")
            if text and len(address) <= 100 and text.rstrip("/") not in (address.rstrip("/"), _bare(address)):
                self.out.append(f" ({address})")
        if tag in _BLOCKS and not self._hidden:
            self.out.append("\n\n")


def _bare(address: str) -> str:
    return address.partition("://")[2].removeprefix("www.").rstrip("/")


def _tidy(pieces: Iterable[str]) -> str:
    """One text, at most one empty line in a row, quotations behind `> `."""
    lines: list[str] = []
    depth = 0
    for raw in "".join(pieces).split("\n"):
        line = " ".join(raw.replace("\xa0", " ").split(" ")).strip()
        if line in (_QUOTE, _END_QUOTE):
            depth = max(0, depth + (1 if line == _QUOTE else -1))
            continue
        if not line and (not lines or not lines[-1].strip("> ")):
            continue
        lines.append(f"{'> ' * min(depth, 10)}{line}".rstrip())
    return "\n".join(lines).strip()
