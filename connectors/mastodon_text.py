"""Mastodon's texts: HTML to plain text, the length as a server counts it, the mention a reply begins with.

Everything here is pure and takes any text, however broken or hostile, without raising.

Sources: how servers write HTML, docs.joinmastodon.org/spec/activitypub (July 2026); how they count,
`app/validators/status_length_validator.rb` of Mastodon 4.6: URLs as 23 characters, remote mentions by their local part,
grapheme clusters, the content warning in full.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from bs4 import BeautifulSoup
from bs4.element import CData, NavigableString, PageElement, PreformattedString, Tag
from bs4.exceptions import ParserRejectedMarkup

from connectors.plain import clean

URL_LENGTH = 23

_LONGEST_HTML = 100_000  # ten times the longest post of any server we know

_BLOCKS = frozenset({"p", "div", "blockquote", "pre", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6"})
_UNSEEN = frozenset({"script", "style", "template", "title", "head"})

_URL = re.compile(
    r"(?<![A-Za-z0-9@＠$#＃])https?://(?:[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{2,59})(?::\d{1,5})?"
    r"(?:/(?:[a-z0-9!*';:=+,.$/%#\[\]\-_~&|@]*[a-z0-9=_#/+-])?)?"
    r"(?:\?[a-z0-9!?*'();:&=+$/%#\[\]\-_.,~|@]*[a-z0-9_&=#/-])?(?![a-z0-9])",
    re.IGNORECASE,
)
_ALMOST_URL = re.compile(r"https?://\S", re.IGNORECASE)
_SHORTEST_URL = len("http://a.b")
_REMOTE_MENTION = re.compile(r"(?<![=/\w])@([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?)@[a-z0-9.-]*[a-z0-9]", re.IGNORECASE)
_ANY_MENTION = re.compile(r"(?<![=/\w])@\w[\w.-]*(?:@[\w.:-]*\w)?")
_HANDLE = re.compile(r"[\w](?:[\w.-]*\w)?(?:@[\w.-]*\w(?::\d{1,5})?)?")


def to_text(html: str, mentions: Iterable[Mapping[str, Any]] = ()) -> str:
    """The plain text of a post's HTML.

    Paragraphs end in an empty line, <br> in a newline; a link that the server shortened is given in full; a mention is
    `@user` or `@user@host` as the post's `mentions` say; custom emoji stay as their `:shortcode:`; the line that only
    repeats a quoted post's address is left out.
    """
    html = clean(html[:_LONGEST_HTML])
    try:  # the outer element keeps bs4 from taking a bare URL for a file name
        soup = BeautifulSoup(f"<div>{html}</div>", "html.parser")
    except (ParserRejectedMarkup, AssertionError):
        return _tidy(re.sub(r"<[^<>]*>", " ", html))
    names = {str(each.get("url")): str(each.get("acct")) for each in mentions if each.get("url") and each.get("acct")}
    return _tidy("".join(_pieces(soup, names)))


def _pieces(soup: BeautifulSoup, names: Mapping[str, str]) -> Iterator[str]:
    """The text in order, each tag written out as what it means to a reader. Not recursive: depth is the author's."""
    below: list[Iterator[PageElement]] = [iter(soup.contents)]
    inside: list[Tag] = []
    while below:
        node = next(below[-1], None)
        if node is None:
            below.pop()
            if inside and inside.pop().name in _BLOCKS:
                yield "\n\n"
        elif isinstance(node, NavigableString):
            if not isinstance(node, PreformattedString) or isinstance(node, CData):
                # A line's end in the source is a blank, outside of what is set as it stands.
                yield str(node) if any(tag.name == "pre" for tag in inside[-3:]) else node.replace("\n", " ")
        elif isinstance(node, Tag) and node.name not in _UNSEEN and "quote-inline" not in _kinds(node):
            if node.name in _AS_A_WHOLE:
                yield _AS_A_WHOLE[node.name](node, names)
                continue
            yield "\n- " if node.name == "li" else "\n\n" if node.name in _BLOCKS else ""
            below.append(iter(node.contents))
            inside.append(node)


def _link_text(link: Tag, names: Mapping[str, str]) -> str:
    text = " ".join(link.get_text().split())
    address = _attribute(link, "href").strip()
    if address in names:
        return f"@{names[address]}"
    kinds = _kinds(link)
    if text.startswith(("#", "@")) or "hashtag" in kinds or "mention" in kinds:
        return text
    if not address.lower().startswith(("http://", "https://", "mailto:", "xmpp:", "gemini://")):
        return text
    shortened = link.find(class_=["invisible", "ellipsis"]) is not None
    if not text or shortened or _bare(text) == _bare(address):
        return address
    return f"{text} ({address})"


def _kinds(tag: Tag) -> list[str]:
    return _attribute(tag, "class").split()


def _attribute(tag: Tag, name: str) -> str:
    value = tag.get(name) or ""
    return " ".join(value) if isinstance(value, list) else str(value)


def _bare(address: str) -> str:
    return re.sub(r"^(https?://|mailto:)?(www\.)?", "", address.strip().lower()).rstrip("/")


_AS_A_WHOLE: dict[str, Callable[[Tag, Mapping[str, str]], str]] = {
    "a": _link_text,
    "img": lambda image, _: _attribute(image, "alt"),
    "br": lambda *_: "\n",
}


def _tidy(text: str) -> str:
    lines = [re.sub(r"[ \t]+", " ", line).strip(" \t") for line in clean(text).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


# --- length ---------------------------------------------------------------------------------------------------------


def count(text: str, url_length: int = URL_LENGTH) -> int:
    """How long a server takes the text to be, or a little more, never less.

    A URL counts `url_length`, a remote mention its local part. We count code points of the composed form (NFC), not
    grapheme clusters as Mastodon does: other servers count so, and it can only be the larger number.
    """
    parts: list[str] = []
    length, end = 0, 0
    composed = unicodedata.normalize("NFC", text)
    for url in _URL.finditer(composed):
        parts.append(composed[end : url.start()])
        length, end = length + url_length, url.end()
    parts.append(composed[end:])
    for part in parts:
        length += len(_REMOTE_MENTION.sub(r"@\1", part))
        # A server may know a URL where we did not, and take a short one for longer than it is.
        length += len(_ALMOST_URL.findall(part)) * max(0, url_length - _SHORTEST_URL)
    return length


# --- addressing -----------------------------------------------------------------------------------------------------


def address(text: str, handle: str) -> str:
    """The text as a reply to `handle` is posted: it mentions that account, at its beginning unless it does already."""
    text = clean(text).strip()
    handle = handle.lstrip("@")
    if not _HANDLE.fullmatch(handle):  # nothing that can be mentioned; above all not two names at once
        return text
    if re.search(rf"(?<![=/\w.])@{re.escape(handle)}(?![\w@]|[.-]\w)", text, re.IGNORECASE):
        return text
    return f"@{handle} {text}".strip()


def names_in(text: str) -> list[str]:
    """Every account that the text mentions, each once, as it is written there."""
    return list(dict.fromkeys(_ANY_MENTION.findall(clean(text))))


def same_words(one: str, other: str) -> bool:
    """Whether two texts say the same once mentions, markup, case and spacing are set aside.

    Servers rewrite what they are given (mentions, links, Markdown on some), so equality would miss our own post.
    """
    return _squeezed(one) == _squeezed(other)


def _squeezed(text: str) -> str:
    plain = unicodedata.normalize("NFKC", _ANY_MENTION.sub(" ", clean(text))).casefold()
    words = "".join(char for char in plain if char.isalnum())
    return words or "".join(char for char in plain if not char.isspace() and char not in "\u200b\ufe0e\ufe0f")
