"""Reddit's texts: cleaned, counted, compared, split into title and body, and the waiting times told in words.

Texts are Markdown and stay as they are. Everything here is pure and takes any text without raising.
Limits: a comment 10,000 characters, a post's text 40,000, its title 300 (reddit.com/dev/api, read March 2026).
"""

from __future__ import annotations

import re
import unicodedata

from connectors.plain import clean

LONGEST_COMMENT = 10_000
LONGEST_TITLE = 300

_UNITS = {"millisecond": 0.001, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_SPAN = re.compile(rf"\b(\d{{1,7}}|an?|one)\s+({'|'.join(_UNITS)})s?\b", re.IGNORECASE)


def count(text: str) -> int:
    """Characters as Reddit counts them: code points."""
    return len(text)


def address(text: str, _handle: str, *, footer: str = "") -> str:
    """The text as it is posted, with the footer below. Reddit tells the author by itself, so no name is put before."""
    text, footer = clean(text).strip(), clean(footer).strip()
    if not footer or text == footer or text.endswith(f"\n\n{footer}"):
        return text
    return f"{text}\n\n{footer}" if text else footer


def title_and_body(text: str) -> tuple[str, str]:
    """A notice as title and text: its first line, and the rest.

    A first line that is too long for a title stays in the text, and the title is its beginning.
    """
    first, _, rest = clean(text).strip().partition("\n")
    first = " ".join(first.split())
    if len(first) <= LONGEST_TITLE:
        return first, rest.strip()
    beginning = first[: LONGEST_TITLE - 1]
    cut = beginning.rpartition(" ")[0] or beginning
    return f"{cut}…", clean(text).strip()


def same_words(one: str, other: str) -> bool:
    """Whether two texts say the same once markup, case and spacing are set aside, which Reddit may touch."""
    return _squeezed(one) == _squeezed(other)


def names(text: str, account: str) -> bool:
    """Whether the text mentions u/account."""
    return re.search(rf"(?<![\w/])/?u/{re.escape(account)}(?![\w-])", text, re.IGNORECASE) is not None


def seconds_told(text: str) -> float | None:
    """The time in a sentence such as “try again in 9 minutes”, in seconds; None when it tells none."""
    spans = [
        (int(number) if number.isdigit() else 1) * _UNITS[unit.lower()] for number, unit in _SPAN.findall(text[:1000])
    ]
    return sum(spans) if spans else None


def _squeezed(text: str) -> str:
    plain = unicodedata.normalize("NFKC", clean(text)).casefold()
    words = "".join(char for char in plain if char.isalnum())
    return words or "".join(char for char in plain if not char.isspace() and char not in "\u200b\ufe0e\ufe0f")
