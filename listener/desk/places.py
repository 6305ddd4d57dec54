"""Which of the policy's places a text names. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from listener.terms import Matcher, Or, Phrase, Terms, Word, folding

_Places = tuple[tuple[str, tuple[str, ...]], ...]


def named(text: str, places: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """The names of those places one of whose words stands in the text, whatever its accents and capitals."""
    if not places:
        return frozenset()
    return _matcher(tuple((name, tuple(words)) for name, words in places.items())).matching(text)


@lru_cache(maxsize=8)
def _matcher(places: _Places) -> Matcher:
    return Matcher({name: _terms(words) for name, words in places if any(map(folding.words, words))})


def _terms(words: tuple[str, ...]) -> Terms:
    leaves = tuple(Phrase(word) if " " in folding.words(word).strip() else Word(word) for word in words)
    return Terms(" OR ".join(words), Or(leaves) if len(leaves) > 1 else leaves[0])
