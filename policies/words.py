"""Words and phrases found in a text whatever its accents, capitals and punctuation."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache

from listener.terms.folding import unheaped

_MOST_SIGNS = 20_000  # remembered at once; few people write in more
BEGINNING, END = 20_000, 5_000  # characters that are read of a longer text; few networks take more in one post
SHORT = 1_000  # characters of a text that is read whole, whatever its signs stand for
HEAD = 5  # signs that a word is filed under

# What has no width and is no mark: Hangul's fillers (as NFKD leaves them) and what Unicode keeps free for more such.
_UNSEEN = frozenset(map(chr, (0x115F, 0x1160, 0x2065, *range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000))))

# Letters that look like Latin ones, in lower case and with their marks taken off.
_LOOKALIKES = str.maketrans(
    "авгеикмнопрстухьєѕіјѵԁһӏԍԛԝ" + "αβγεηικνορσςτυχω" + "ɑɡɩɪ",
    "abreukmhonpctyxbesijvdhlgqw" + "abyenikvopoctuxw" + "agii",
)


def is_unseen(sign: str) -> bool:
    """Whether the sign has no width, though Unicode counts it neither among the marks nor among the formats."""
    return unicodedata.normalize("NFKD", sign) in _UNSEEN


def beginning_and_end(text: str) -> str:
    """The text, or of a very long one the first 20,000 and the last 5,000 characters, as two lines."""
    return text if len(text) <= BEGINNING + END else f"{text[:BEGINNING]}\n{text[-END:]}"


@lru_cache(maxsize=32)  # conditions and guards read the same text
def fold(text: str) -> str:
    """The text as bare words: no accents, no capitals, one space between words and one at each end.

    An emoji is a word of its own. `¡No tengo SEÑAL!` gives ` no tengo senal `. Of a very long text its beginning and
    its end are read, so that no stranger's post takes more than a moment.
    """
    if len(text) <= SHORT:
        with suppress(UnicodeEncodeError):
            plain = text.encode("latin-1").translate(_LATIN, _GONE)
            if _OTHER not in plain:
                return f" {b' '.join(plain.split()).decode('latin-1')} "
    return _folded(text)


def _folded(text: str) -> str:
    """`fold` for whatever text there is."""
    plain = unicodedata.normalize("NFKD", unheaped(beginning_and_end(text)).casefold()).replace("ı", "i")
    plain = beginning_and_end(plain)  # once more: one sign can stand for eighteen letters
    return f" {' '.join(plain.translate(_SIGNS).split())} "


class _Signs(dict[int, str | None]):
    """What becomes of each sign, found out when it is first met: Python's table of signs is slow to ask."""

    def __missing__(self, code: int) -> str | None:
        if len(self) >= _MOST_SIGNS:
            self.clear()
        sign = chr(code)
        category = unicodedata.category(sign)
        if sign in _UNSEEN or category in ("Mn", "Me", "Cf", "Sk"):
            self[code] = None
        elif category[0] in "LN":
            self[code] = sign
        else:
            self[code] = f" {sign} " if category == "So" else " "
        return self[code]


_SIGNS = _Signs()

# Most of what is said in Western languages fits Latin-1, where one pass over the bytes does the same as `_folded`. What
# becomes anything but one sign, one space or nothing is `_OTHER`, and has the text read the long way.
_OTHER = b"\0"


def _folded_sign(code: int) -> str:
    return unicodedata.normalize("NFKD", chr(code).casefold()).translate(_SIGNS)


def _latin_sign(code: int) -> int:
    folded = _folded_sign(code)
    if not folded.strip():
        return ord(" ")
    return ord(folded) if len(folded) == 1 and ord(folded) < 256 else _OTHER[0]


_LATIN = bytes(map(_latin_sign, range(256)))
_GONE = bytes(code for code in range(256) if not _folded_sign(code))


@lru_cache(maxsize=32)
def heads(folded: str) -> frozenset[str]:
    """How the words of a folded text begin: the first five signs of each, and "", with which all of them do."""
    return frozenset([word[:HEAD] for word in folded.split(" ")])


def latin(folded: str) -> str:
    """The folded text with look-alikes made Latin in every word that mixes them with Latin: `ѕuісіdаr` is `suicidar`.

    Words that are Cyrillic or Greek throughout stay as they are.
    """
    return folded if folded.isascii() else " ".join(map(_latin, folded.split(" ")))


def _latin(word: str) -> str:
    mixed = not word.isascii() and any("a" <= sign <= "z" for sign in word)
    return word.translate(_LOOKALIKES) if mixed else word


def phrase_pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    """Finds any of the phrases, as whole words, in a folded text; a word may end in `*` for any ending.

    Raises ValueError, in a sentence, for a phrase that could never be found. The pattern runs in linear time: literals
    and word endings only.
    """
    alternatives = [
        " ".join(re.escape(bare) + ("[^ ]*" if any_ending else "") for bare, any_ending in _parts(phrase))
        for phrase in phrases
    ]
    return re.compile(f" (?:{'|'.join(alternatives)})(?= )")


def _parts(phrase: str) -> list[tuple[str, bool]]:
    """What the phrase is made of, folded, and whether any ending of it counts. Raises ValueError."""
    parts = []
    for word in phrase.split():
        stem = word.removesuffix("*")
        if "*" in stem:
            raise ValueError(f"`{shown(phrase)}` has a `*` that is not at the end of a word; move it there")
        bare = fold(stem).strip()
        if bare:
            parts.append((bare, word.endswith("*")))
    if not parts:
        raise ValueError(f"`{shown(phrase)}` holds no word to look for; write one, in quotes where it needs them")
    return parts


def _head(phrase: str) -> str:
    """What one of the words begins with in every text that holds the phrase; "" where nobody can tell."""
    told = [""]
    for bare, any_ending in _parts(phrase):
        *words, last = bare.split()
        told += words
        told += [last] if len(last) >= HEAD or not any_ending else []
    return max(reversed(told), key=len)[:HEAD]  # the later of two: `in the icu`


class Phrases:
    """Phrases as `phrase_pattern` reads them, with what most texts show at a glance: that none of them is there."""

    def __init__(self, phrases: Sequence[str]) -> None:
        """Raises ValueError as `phrase_pattern` does."""
        self._pattern = phrase_pattern(phrases)
        self.heads = frozenset(map(_head, phrases))  # a text has one of them, or holds none of the phrases

    def find(self, folded: str) -> str:
        """What is found first in the folded text, or nothing."""
        return "" if self.heads.isdisjoint(heads(folded)) else found(self._pattern, folded)


def found(pattern: re.Pattern[str], folded: str) -> str:
    """What `pattern` finds first in the folded text, or nothing."""
    hit = pattern.search(folded)
    return hit.group().strip() if hit else ""


def shown(value: object, limit: int = 60) -> str:
    """A value as an error message or a trace can show it: one line, printable, short."""
    text = value if isinstance(value, str) else "true" if value is True else "false" if value is False else str(value)
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() else "�" for sign in text[: limit + 1])
    return text if len(text) <= limit else text[: limit - 1] + "…"


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean …?` for the nearest known word, else `; use one of …`, ready to append to a sentence."""
    names = sorted(set(known))
    nearest = difflib.get_close_matches(word[:60].casefold(), names, n=1, cutoff=0.6)
    if nearest:
        return f"; did you mean `{nearest[0]}`?"
    if not names:
        return "; there is none yet: add it first"
    listed = ", ".join(f"`{name}`" for name in names[:12])
    return f"; use one of {listed}{' …' if len(names) > 12 else ''}"
