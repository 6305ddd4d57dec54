"""A text that is too long for one post, as a thread. Pure.

It is cut where one paragraph, line, sentence or clause ends and, failing that, between two words: never inside a link,
a number (`12 000`, `600 123 456`, `18 h`) or a word. As few parts as it takes, cut where it is best.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

_SPACE = re.compile(r"[ \t]*\n\s*|[ \t]+|(?<=[。！？])(?=\S)")
_ENDED = re.compile(r"[.!?…。！？][\"'”’»)\]]*$")
_CLAUSE = re.compile(r"[,;:–—][\"'”’»)\]]*$")
_INITIAL = re.compile(r"(?:^|[\s(¿¡\"“«])(?:\w|[A-ZÁÉÍÓÚ]\.\w|p\. ?ej|e\.g|i\.e)\.$")
_SHORT = re.compile(
    r"\b(?:sr|sra|srta|sres|dr|dra|d|dª|dña|av|avd|avda|ctra|c|pl|pza|núm|num|nº|pág|págs|tel|tfno|aprox|dpto|ud|uds|"
    r"mr|mrs|ms|prof|st|ave|vs|approx|dept|inc|ltd|no|fig|ext)\.$",
    re.IGNORECASE,
)
_UNIT = re.compile(r"(?:[%€$£°‰]|[a-zA-Zµºª]{1,3}(?:/[a-zA-Z]{1,3})?)(?![\w])")

# What a place to cut is worth, as a share of a part's length that may be given up for it.
_PARAGRAPH, _LINE, _SENTENCE, _PART_OF_ONE, _WORD = 0.65, 0.5, 0.5, 0.15, 0.0


@dataclass(frozen=True)
class _Cut:
    """Where a part may end, where the next would begin, and how good a place that is."""

    at: int
    on: int
    worth: float


@dataclass(frozen=True)
class _Room:
    """What one post takes; `end`: what is to stand behind its text."""

    count: Callable[[str], int]
    limit: int
    end: str

    def length(self, text: str) -> int:
        return self.count(text + self.end)

    def takes(self, text: str) -> bool:
        return self.length(text) <= self.limit


def thread(parts: Sequence[str], *, count: Callable[[str], int], limit: int, numbered: bool = False) -> list[str]:
    """The parts, those too long for `limit` cut into several, with `(1/3)` behind each where `numbered`.

    A single part that fits stays as it is. What cannot be cut comes back too long. `count` is asked often.
    """
    count = cache(count)
    if len(parts) == 1 and count(parts[0]) <= limit:
        return list(parts)
    for digits in range(1, 5):
        room = f" ({'9' * digits}/{'9' * digits})" if numbered else ""
        found = [piece for part in parts for piece in _best(part, _Room(count, limit, room))]
        if not numbered or len(str(len(found))) <= digits:
            break
    if not numbered or len(found) == 1:
        return found
    return [f"{text} ({at}/{len(found)})" for at, text in enumerate(found, 1)]


def _best(text: str, room: _Room) -> list[str]:
    """The fewest pieces that fit; of those ways the one with the best cuts, and of these the most even one."""
    cuts = _cuts(text)
    ways = [_pieces(text, cuts, room)]
    if len(ways[0][0]) > 1:
        for share in range(95, 45, -5):
            way = _pieces(text, cuts, replace(room, limit=room.limit * share // 100))
            if all(room.takes(piece) for piece in way[0]):
                ways.append(way)
    best = min(ways, key=lambda way: (len(way[0]), -round(way[1], 6), max(room.length(piece) for piece in way[0])))
    return best[0]


def _pieces(text: str, cuts: Sequence[_Cut], room: _Room) -> tuple[list[str], float]:
    """The text in pieces, each as long as it should be, and what the places are worth where it was cut."""
    found, start, ends, worth = [], 0, [cut.at for cut in cuts], 0.0
    while not room.takes(text[start:].strip()):
        there = cuts[bisect_right(ends, start) :]
        if not there:
            break
        chosen = _chosen(text, start, there, room)
        found.append(text[start : chosen.at].strip())
        start, worth = chosen.on, worth + chosen.worth
    return [*found, text[start:].strip()], worth


def _chosen(text: str, start: int, cuts: Sequence[_Cut], room: _Room) -> _Cut:
    """Where the piece that begins at `start` should end: far on, or a little sooner at a better place."""
    fitting = bisect_right(cuts, room.limit, key=lambda cut: room.length(text[start : cut.at].strip()))
    if not fitting:
        return cuts[0]  # too long by itself; whoever asked is told
    longest = cuts[fitting - 1].at - start
    return max(cuts[:fitting], key=lambda cut: (cut.at - start) / longest + cut.worth)


def _cuts(text: str) -> list[_Cut]:
    found = []
    for space in _SPACE.finditer(text):
        before, after = text[: space.start()], text[space.end() :]
        if not before.strip() or not after.strip() or _within_a_number(before, after, space[0]):
            continue
        found.append(_Cut(space.start(), space.end(), _worth(before[-40:], space[0], after[0])))
    return found


def _within_a_number(before: str, after: str, space: str) -> bool:
    if "\n" in space or not space:
        return False
    if before[-1].isdigit():
        return after[0].isdigit() or bool(_UNIT.match(after))
    return before[-1] in "€$£+-−" and after[0].isdigit()


def _worth(before: str, space: str, after: str) -> float:
    if space.count("\n") > 1:
        return _PARAGRAPH
    if "\n" in space:
        return _LINE
    if _ENDED.search(before) and not after.islower():
        number = re.search(r"\b(?:no|núm|n)\.$", before, re.IGNORECASE) and after.isdigit()
        called = _SHORT.search(before) and not re.search(r"\bno\.$", before, re.IGNORECASE)
        return _WORD if number or called or _INITIAL.search(before) else _SENTENCE
    return _PART_OF_ONE if _CLAUSE.search(before) else _WORD
