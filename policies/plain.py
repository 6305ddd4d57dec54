"""A text as it is searched for numbers: every sign in its plainest form, and where it stood.

People write one number in a hundred ways, and who wants to slip one through knows more: spaces of all widths, signs of
none, digits of other scripts, dashes for hyphens. After this a digit is `0` to `9`, a gap one space or hyphen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from policies.words import is_unseen

_TOKEN = re.compile(r"%(?:2[0-9A-F]|3[0-9A-F]|4[0-9A-F])|.", re.IGNORECASE | re.DOTALL)  # `%40` is the @ of a link
_PERHAPS_A_DIGIT = re.compile(r"[0-9]|[^\x00-\x7f]")
_PLAIN_ALREADY = re.compile(r"[\n\x20-\x24\x26-\x7e¡¿À-ÿ]*")
_MOST_SIGNS = 20_000  # remembered at once; few people write in more
_HYPHENS = frozenset("−⁃")
_GAPS = str.maketrans(dict.fromkeys("_·•‧∙⋅・●◦*|¦^\\~=<>«»", " "))
_PLUS = re.compile(r"(?<=\d)\+(?=\d)|(?<=\d )\+(?= \d)")  # between digits; elsewhere a country's number begins there
_BETWEEN = re.compile(r"(?<=\d)[,;'’](?=\d)")
_RUN = re.compile(r"[ -]{2,3}(?![ -])")


def digits(text: str) -> int:
    """How many digits, of whatever script, a text has."""
    return sum(map(str.isdigit, _PERHAPS_A_DIGIT.findall(text)))


@dataclass(frozen=True, kw_only=True)
class Plain:
    """`text`, and for each of its signs where it began in the text that it was made of; one more for the end."""

    text: str
    places: Sequence[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where what stands from `start` to `end` stood before."""
        return self.places[start], max(self.places[end], self.places[end - 1] + 1)

    def hiding(self, spans: Iterable[tuple[int, int]]) -> Plain:
        """The same with `…` for every sign in these spans."""
        hidden = list(spans)
        if not hidden:
            return self
        signs = list(self.text)
        for start, end in hidden:
            signs[start:end] = "…" * (end - start)
        return Plain(text="".join(signs), places=self.places)

    def with_single_gaps(self) -> Plain:
        """The same with one space or hyphen for up to three, dots for commas between digits, spaces for `_`, `·` …"""
        text = _PLUS.sub(" ", _BETWEEN.sub(".", self.text.translate(_GAPS)))
        if not _RUN.search(text):
            return Plain(text=text, places=self.places)
        pieces: list[str] = []
        places: list[int] = []
        end = 0
        for run in _RUN.finditer(text):
            pieces += (text[end : run.start()], "-" if "-" in run.group() else " ")
            places += self.places[end : run.start() + 1]
            end = run.end()
        pieces.append(text[end:])
        return Plain(text="".join(pieces), places=(*places, *self.places[end:]))


def plain(text: str) -> Plain:
    """The text with its digits, spaces, hyphens and letters in their plainest form, without signs that nobody sees."""
    if _PLAIN_ALREADY.fullmatch(text):
        return Plain(text=text.replace("\n", " "), places=range(len(text) + 1))
    pieces: list[str] = []
    places: list[int] = []
    for token in _TOKEN.finditer(text):
        sign = token.group()
        shown = _SIGNS[sign] if len(sign) == 1 else _SIGNS[chr(int(sign[1:], 16))]
        pieces.append(shown)
        places += [token.start()] * len(shown)
    return Plain(text="".join(pieces), places=(*places, len(text)))


class _Signs(dict[str, str]):
    """What becomes of each sign, found out when it is first met."""

    def __missing__(self, sign: str) -> str:
        if len(self) >= _MOST_SIGNS:
            self.clear()
        self[sign] = _plainest(sign)
        return self[sign]


_SIGNS = _Signs()


def _plainest(sign: str) -> str:
    category = unicodedata.category(sign)
    digit = unicodedata.digit(sign, None)
    if digit is not None:
        return str(digit)
    if category[0] == "Z" or sign in "\n\r\t\x0b\x0c\x85":
        return " "
    if category == "Pd" or sign in _HYPHENS:
        return "-"
    if is_unseen(sign) or category in ("Mn", "Me", "Cf", "Cc"):
        return ""
    simpler = "." if sign == "。" else unicodedata.normalize("NFKC", sign)
    return simpler if len(simpler) == 1 else "".join(each for each in simpler if not unicodedata.combining(each))
