"""What came over the wire as text and JSON that every database takes and no terminal minds. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

_NOT_TEXT = (
    {char: None for char in range(0x20) if char not in (0x09, 0x0A)}
    | {0x7F: None}
    | {char: None for char in range(0xD800, 0xE000)}
)
_UNCLEAN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_UNCLEAN_JSON = re.compile(rb"\\(?:u00|u[dD]|[bfr])|[\x00\x7f]|\xed[\xa0-\xbf]")


def clean(text: str) -> str:
    """The text without control characters (NUL above all) and broken surrogates, its lines ended by newlines alone."""
    if _UNCLEAN.search(text) is None:  # as almost every text is
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_NOT_TEXT)


def clean_json(value: Any) -> Any:
    """A JSON value with every text in it `clean`. Raises RecursionError beyond some 300 levels."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [clean_json(each) for each in value]
    if isinstance(value, dict):
        return {clean(str(name)): clean_json(each) for name, each in value.items()}
    return value


def read_json(body: bytes) -> Any:
    """The JSON of an answer, its texts clean; None for what is none, or is too deep to be any."""
    try:
        value = json.loads(body, parse_constant=lambda _: None)
        return value if is_clean(body) else clean_json(value)
    except (ValueError, RecursionError):
        return None


def is_clean(body: bytes) -> bool:
    """Whether no text in this JSON can hold what `clean` takes away (a quick look, wrong only in saying no)."""
    return _UNCLEAN_JSON.search(body) is None


def same_text(one: str, other: str) -> bool:
    """Whether two texts are the same but for spaces and the ends of lines, which networks trim."""
    return clean(one).split() == clean(other).split()
