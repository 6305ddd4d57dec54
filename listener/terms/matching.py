"""Whether a post is what the terms look for: one expression, or thousands in one pass over the text."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

import ahocorasick

from listener.terms import folding
from listener.terms.expression import (
    And,
    Expression,
    From,
    Handle,
    Language,
    Leaf,
    Not,
    Or,
    Phrase,
    Tag,
    Word,
    holds,
    leaves,
    plain,
)

_NONE: frozenset[str] = frozenset()
_Hit = tuple[str, tuple[str, ...]]  # a needle, and the names of the terms that it touches


@dataclass(frozen=True)
class Terms:
    """What a brand listens to. `text` is what was written; `str()` gives it in one canonical way."""

    text: str
    expression: Expression
    _needles: Mapping[Leaf, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_needles", {leaf: needle(leaf) for leaf in leaves(self.expression)})

    def __str__(self) -> str:
        return str(self.expression)

    def matches(self, text: str, *, language: str | None = None, author: str = "") -> bool:
        """Whether such a post is meant. `language`: what the network claims, None when it does not say."""
        return self.holds(folding.form(text), folding.names(author), language=language)

    def holds(self, found: Container[str], names: Container[str], *, language: str | None) -> bool:
        """Whether the expression is true where `found` has those needles that a text contains, `names` its author's."""

        def has(leaf: Leaf) -> bool:
            return self._needles[leaf] in (names if isinstance(leaf, From) else found)

        return holds(self.expression, has, language=language)


class Matcher:
    """Many terms by name, all looked for in one pass.

    An automaton finds which leaves are in the text; only expressions that one of their anchors touches are evaluated.
    Anchors are leaves one of which is in whatever the expression matches.
    """

    def __init__(self, terms: Mapping[str, Terms]) -> None:
        self._terms = dict(terms)
        self._by_author: dict[str, list[str]] = {}
        touches: dict[str, list[str]] = {}
        for name, each in self._terms.items():
            looked_for = [leaf for leaf in leaves(each.expression) if not isinstance(leaf, From | Language)]
            for leaf in looked_for:
                touches.setdefault(needle(leaf), [])
            for anchor in anchors(plain(each.expression)):
                into = self._by_author if isinstance(anchor, From) else touches
                into.setdefault(needle(anchor), []).append(name)
        self._automaton = _automaton({key: (key, tuple(names)) for key, names in touches.items()})

    def matching(self, text: str, *, language: str | None = None, author: str = "") -> frozenset[str]:
        """The names of all terms that match such a post."""
        hits = [hit for _, hit in self._automaton.iter(folding.form(text))] if self._automaton else []
        names = folding.names(author) if hits or self._by_author else ()
        touched = {term for _, terms in hits for term in terms}
        for name in names:
            touched.update(self._by_author.get(name, ()))
        if not touched:
            return _NONE
        found = {key for key, _ in hits}
        return frozenset(name for name in touched if self._terms[name].holds(found, names, language=language))


def _automaton(hits: Mapping[str, _Hit]) -> ahocorasick.Automaton | None:
    """Finds all of these at once; None where there is nothing to find, since it cannot be made of nothing."""
    if not hits:
        return None
    automaton = ahocorasick.Automaton()
    for key, hit in hits.items():
        automaton.add_word(key, hit)
    automaton.make_automaton()
    return automaton


def needle(leaf: Leaf) -> str:
    """What to look for in `folding.form` of a text; for `from:` among the names of its author."""
    match leaf:
        case Word(text) | Phrase(text):
            return f" {folding.words(text)} "
        case Tag(text):
            return f" #{folding.letters(text)} "
        case Handle(text):
            return f" @{folding.letters(text)} "
        case From(handle):
            return folding.letters(handle)
        case Language(code):
            return code


def anchors(expression: Expression) -> frozenset[Leaf]:
    """Leaves one of which is there whenever the expression, a `plain` one, holds; empty where nothing need be there."""
    match expression:
        case And(parts):
            return max((anchors(part) for part in parts), key=_rarity)
        case Or(parts):
            each = [anchors(part) for part in parts]
            return frozenset[Leaf]().union(*each) if all(each) else frozenset()
        case Not() | Language():
            return frozenset()
        case leaf:
            return frozenset((leaf,))


def _rarity(leaves: frozenset[Leaf]) -> tuple[bool, int]:
    """Long words are rarer than short ones; a choice is as common as its shortest."""
    return bool(leaves), min((len(needle(leaf)) for leaf in leaves), default=0)
