"""Bluesky's texts: how long they are, and the facets that make links, mentions and tags of parts of them.

A text is plain; what is a link stands beside it as a facet with offsets in bytes of UTF-8. Everything here is pure and
takes any text, however broken or hostile, without raising.

Sources: docs.bsky.app/docs/advanced-guides/post-richtext and the lexicons app.bsky.feed.post (300 graphemes and 3,000
bytes) and app.bsky.richtext.facet, read April 2026.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import regex

from connectors.plain import clean

LIMIT = 300
_BYTES_PER_UNIT = 10  # 3,000 bytes over 300 graphemes

_URL = re.compile(r"(?<![\w@])https?://[^\s<>\"“”]{3,2000}", re.IGNORECASE)
_MENTION = re.compile(r"(?<![\w@.])@((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9])", re.IGNORECASE)
_TAG = re.compile(r"(?<![\w&/])[#＃](?!\ufe0f)([^\s#＃\u00ad\u2060\u200a-\u200d\u20e2]{1,64})")
_MOST_MENTIONS = 10
_LONGEST_TAG = 64


# --- length and addressing ------------------------------------------------------------------------------------------


def count(text: str) -> int:
    """How much of the 300 a text takes: its graphemes, or a tenth of its bytes where that is more.

    So one number says both limits: a text of at most 300 has at most 300 graphemes and at most 3,000 bytes.
    """
    graphemes = len(text) if text.isascii() and "\r" not in text else sum(1 for _ in regex.finditer(r"\X", text))
    return max(graphemes, -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_UNIT))


def address(text: str, handle: str) -> str:
    """The text as a reply to `handle` is posted: as it is, for a reply reaches the author whom it answers."""
    del handle
    return clean(text).strip()


# --- facets ---------------------------------------------------------------------------------------------------------


def to_facets(text: str, resolve: Callable[[str], str | None]) -> list[dict[str, Any]]:
    """The links, mentions and tags of a text; `resolve` gives a handle's DID, or None where nobody has it."""
    facets: list[dict[str, Any]] = []
    taken: list[tuple[int, int]] = []
    looked_up = 0
    for start, end, kind, value in sorted([*_links(text), *_mentions(text), *_tags(text)]):
        if any(start < other_end and other_start < end for other_start, other_end in taken):
            continue
        feature: dict[str, Any] = {"$type": f"app.bsky.richtext.facet#{kind}"}
        if kind == "link":
            feature["uri"] = value
        elif kind == "tag":
            feature["tag"] = value
        else:
            looked_up += 1
            did = resolve(value) if looked_up <= _MOST_MENTIONS else None
            if did is None:
                continue
            feature["did"] = did
        taken.append((start, end))
        index = {"byteStart": len(text[:start].encode()), "byteEnd": len(text[:end].encode())}
        facets.append({"$type": "app.bsky.richtext.facet", "index": index, "features": [feature]})
    return facets


def first_link(facets: list[dict[str, Any]]) -> str | None:
    """The address that the first link of a text leads to."""
    return next((feature["uri"] for facet in facets for feature in facet["features"] if "uri" in feature), None)


def to_card(uri: str) -> dict[str, Any]:
    """A link card made of the address alone: the page behind it is never fetched, so it has no picture of it."""
    parts = urlsplit(uri)
    shown = f"{parts.netloc.rpartition('@')[2].removeprefix('www.')}{parts.path.rstrip('/')}"
    title = shown if len(shown) <= 100 else f"{shown[:99]}…"
    return {"$type": "app.bsky.embed.external", "external": {"uri": uri, "title": title, "description": ""}}


def _links(text: str) -> Iterator[tuple[int, int, str, str]]:
    for found in _URL.finditer(text):
        uri = _without_tail(found.group())
        try:
            known = bool(urlsplit(uri).hostname)
        except ValueError:
            continue
        if known and uri.isprintable():
            yield found.start(), found.start() + len(uri), "link", uri


def _without_tail(uri: str) -> str:
    """The address without the punctuation of the sentence that it ends."""
    while uri and (
        uri[-1] in ".,;:!?'…»" or (uri[-1] in ")]" and uri.count(uri[-1]) > uri.count("(["[uri[-1] == "]"]))
    ):
        uri = uri[:-1]
    return uri


def _mentions(text: str) -> Iterator[tuple[int, int, str, str]]:
    for found in _MENTION.finditer(text):
        if len(found.group(1)) <= 253:
            yield found.start(), found.end(), "mention", found.group(1).lower()


def _tags(text: str) -> Iterator[tuple[int, int, str, str]]:
    for found in _TAG.finditer(text):
        tag = regex.sub(r"\p{P}+$", "", found.group(1))
        if tag and not tag.isdigit() and count(tag) <= _LONGEST_TAG:
            yield found.start(), found.start() + 1 + len(tag), "tag", tag


# --- reading --------------------------------------------------------------------------------------------------------


def to_text(record: Mapping[str, Any]) -> str:
    """What a post says to a reader: links that its author's app shortened are given in full, outside tags join it."""
    text, facets, tags = record.get("text"), record.get("facets"), record.get("tags")
    text = text if isinstance(text, str) else ""
    if isinstance(facets, list):
        text = _with_links(text, facets)
    if isinstance(tags, list):
        further = [f"#{tag}" for tag in tags[:8] if isinstance(tag, str) and tag]
        text = "\n\n".join(part for part in (text, " ".join(further)) if part)
    return clean(text).strip()


def _with_links(text: str, facets: list[Any]) -> str:
    whole = text.encode("utf-8", "surrogatepass")
    links = sorted(filter(None, (_link(facet, len(whole)) for facet in facets[:100])))
    pieces: list[bytes] = []
    done = 0
    for start, end, uri in links:
        if start < done:
            continue
        shown = whole[start:end].decode("utf-8", "replace").strip()
        pieces += [whole[done:start], _spelt_out(shown, uri).encode("utf-8", "surrogatepass")]
        done = end
    pieces.append(whole[done:])
    return b"".join(pieces).decode("utf-8", "replace")


def _link(facet: Any, length: int) -> tuple[int, int, str] | None:
    try:
        start, end = facet["index"]["byteStart"], facet["index"]["byteEnd"]
        uri = next(each["uri"] for each in facet["features"] if each.get("$type") == "app.bsky.richtext.facet#link")
    except (KeyError, TypeError, AttributeError, StopIteration):
        return None
    usable = type(start) is int and type(end) is int and isinstance(uri, str) and 0 <= start < end <= length
    return (start, end, uri[:2000]) if usable else None


def _spelt_out(shown: str, uri: str) -> str:
    """The text of a link as its reader must see it: never one address shown and another one meant."""
    bare = re.sub(r"^https?://(www\.)?", "", uri, flags=re.IGNORECASE).rstrip("/")
    short = re.sub(r"^https?://(www\.)?", "", shown, flags=re.IGNORECASE).rstrip("/")
    if short == bare:
        return shown
    cut = re.sub(r"(\.\.\.|…)$", "", short)
    return uri if cut and cut != short and bare.startswith(cut) else f"{shown} ({uri})"
