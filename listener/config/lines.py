"""Where in a TOML text each key stands, so that a problem can name its line.

A light reading beside the real parser, which keeps no lines: tables, arrays of tables and keys, one per line. A key
inside an inline table has no line of its own; its table's line serves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

KeyPath = tuple[str | int, ...]

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"^\s*({_DOTTED})\s*=")
_FENCE = re.compile(r'"""|' + "'''")


def lines(text: str) -> Mapping[KeyPath, int]:
    """The line (from 1) of every table and key; elements of an array of tables count from 0."""
    found: dict[KeyPath, int] = {}
    tables: dict[KeyPath, int] = {}
    inside: KeyPath = ()
    fenced = False
    for number, line in enumerate(text.splitlines(), start=1):
        opens = fenced
        if len(_FENCE.findall(line)) % 2:
            fenced = not fenced
        if opens:
            continue
        if header := _HEADER.match(line):
            inside = _parts(header[2])
            if header[1] == "[[":
                tables[inside] = tables.get(inside, -1) + 1
                found.setdefault(inside, number)
                inside = (*inside, tables[inside])
            found[inside] = number
        elif key := _KEY.match(line):
            found[*inside, *_parts(key[1])] = number
    return found


def _parts(dotted: str) -> KeyPath:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))
