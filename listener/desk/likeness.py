"""Which solved cases are like a matter: by what it is about, what is wanted, and the words they share. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from math import log

from listener.store.lately import Solved

SHORTEST = 4  # letters of a word that says something
STEM = 6  # letters by which words are compared: factura, facturas, facturación
LONGEST = 4000  # characters of a text that are looked at
AREA, INTENT, TAG, WORDS = 2.0, 1.0, 0.5, 4.0  # what each kind of likeness is worth at most
LEAST = 1.5  # below that, two matters have too little in common to be shown together
_WORD = re.compile(rf"[^\W\d_]{{{SHORTEST},}}")


def alike(
    matters: Sequence[Solved],
    *,
    text: str,
    intents: Sequence[str],
    areas: Sequence[str],
    tags: Sequence[str],
    limit: int,
) -> list[Solved]:
    """Those most like a matter with that text, the likest first; of the equally alike the newest first.

    A word counts the more the fewer of `matters` say it.
    """
    words = stems(text)
    theirs = [stems(each.text) for each in matters]
    said_by = Counter(stem for each in theirs for stem in each)
    weight = {stem: log(1 + len(matters) / (1 + said_by[stem])) for stem in words}
    whole = sum(weight.values())
    scored = []
    for each, stems_of in zip(matters, theirs, strict=True):
        shared = sum(weight[stem] for stem in words & stems_of) / whole if whole else 0.0
        score = WORDS * shared
        score += AREA * _shares(areas, each.areas) + INTENT * _shares(intents, each.intents)
        score += TAG * _shares(tags, each.tags)
        if score >= LEAST:
            scored.append((score, each))
    scored.sort(key=lambda pair: (-pair[0], -pair[1].resolved_at.timestamp()))
    return [each for _, each in scored[:limit]]


def stems(text: str) -> frozenset[str]:
    """The beginnings of its longer words, without accents and capitals."""
    plain = unicodedata.normalize("NFKD", text[:LONGEST]).casefold().translate(_WITHOUT_MARKS)
    return frozenset(word[:STEM] for word in _WORD.findall(plain))


class _Marks(dict[int, int | None]):
    """For `str.translate`: None for a mark that stands over or under a letter. Each character is looked up once."""

    def __missing__(self, code: int) -> int | None:
        self[code] = None if unicodedata.combining(chr(code)) else code
        return self[code]


_WITHOUT_MARKS = _Marks()


def _shares(one: Iterable[str], other: Iterable[str]) -> float:
    """1 where both begin with the same, a half where they share anything, 0 else."""
    mine, theirs = list(one), list(other)
    if not set(mine) & set(theirs):
        return 0.0
    return 1.0 if mine[0] == theirs[0] else 0.5
